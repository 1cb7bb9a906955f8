/* Listing and writing of object stores; see objects.h. */
#include "store/objects.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/sqlite.h"
#include "http/http_api.h"
#include "store/percent.h"
#include "store/scheme.h"

#define KEY_MAX_BYTES 2048 /* S3 allows 1024, before XML's escapes */
/* All parts but the last are of one size, at least 5 MiB, and at most 10 000: 160 GB. Azure takes
 * 50 000 blocks of up to 100 MiB since version 2016-05-31 of its protocol. */
#define PART_BYTES ((size_t)16 << 20)

/* Without a version Azure answers in that of its first days, with blocks of 4 MB. */
static const char *const azure_headers[] = {"Content-Type: application/octet-stream",
                                            "x-ms-version: 2021-08-06", NULL};

static sc_status escape(const char *text, struct sc_buffer *out, struct sc_error *err) {
  return sc_percent_encode(out, text, strlen(text), SC_UNRESERVED, err);
}

/* The text between <tag> and </tag> from *at on, XML's escapes undone, into out. */
static int next_tag(const char **at, const char *tag, char *out, size_t n) {
  static const char *const escapes[][2] = {
      {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&apos;", "'"}};
  char open[64];
  size_t used = 0;
  snprintf(open, sizeof open, "<%s>", tag);
  const char *p = strstr(*at, open);
  if (!p) return 0;
  for (p += strlen(open); *p && *p != '<' && used + 1 < n;) {
    int replaced = 0;
    for (size_t i = 0; i < 5 && !replaced; i++) {
      size_t m = strlen(escapes[i][0]);
      if (strncmp(p, escapes[i][0], m) != 0) continue;
      out[used++] = escapes[i][1][0];
      p += m;
      replaced = 1;
    }
    if (!replaced) out[used++] = *p++;
  }
  out[used] = '\0';
  *at = p;
  return 1;
}

/* ---- listing ---- */

struct listing {
  char bucket[300], inside[600]; /* "s3://bucket", "folder/" */
  char token[2048];              /* of the next page; "" at the end */
};

/* How a store is asked, and where its response has what. */
static const struct dialect {
  const char *query, *more, *key, *token;
} dialects[] = {
    {"/?list-type=2&prefix=", "&continuation-token=", "Key", "NextContinuationToken"},
    {"?restype=container&comp=list&prefix=", "&marker=", "Name", "NextMarker"},
};

static const struct dialect *dialect_of(const char *url) {
  return &dialects[sc_href_is_azure(url)];
}

static sc_status fetch_page(const struct listing *l, const char *prefix,
                            struct sc_http_request *page, struct sc_error *err) {
  struct sc_buffer url = {0};
  const struct dialect *d = dialect_of(l->bucket);
  sc_status st = sc_buffer_printf(&url, err, "%s%s", l->bucket, d->query);
  if (!st) st = escape(l->inside, &url, err);
  if (!st) st = escape(prefix, &url, err);
  if (!st && l->token[0]) {
    st = sc_buffer_append_text(&url, d->more, err);
    if (!st) st = escape(l->token, &url, err);
  }
  if (!st) st = sc_buffer_terminate(&url, err);
  page->method = "GET";
  page->url = (char *)url.data;
  page->headers = sc_href_is_azure(l->bucket) ? azure_headers : NULL;
  if (!st) st = sc_http(page, 1, NULL, NULL, err);
  if (!st) st = sc_buffer_terminate(&page->response, err);
  sc_buffer_free(&url);
  return st;
}

sc_status sc_objects_list(const char *root, const char *prefix,
                          sc_status (*found)(void *, const char *, struct sc_error *),
                          void *context, struct sc_error *err) {
  struct listing l = {"", "", ""};
  char key[KEY_MAX_BYTES];
  const struct dialect *d = dialect_of(root);
  const char *slash = strchr(root + sc_href_store_bytes(root), '/');
  snprintf(l.bucket, sizeof l.bucket, "%.*s", slash ? (int)(slash - root) : (int)strlen(root),
           root);
  snprintf(l.inside, sizeof l.inside, "%s%s", slash ? slash + 1 : "", slash ? "/" : "");
  size_t skip = strlen(l.inside);
  sc_status st = SC_OK;
  do {
    struct sc_http_request page = {0};
    st = fetch_page(&l, prefix, &page, err);
    l.token[0] = '\0';
    if (!st) {
      const char *at = (char *)page.response.data, *again = at;
      while (!st && next_tag(&at, d->key, key, sizeof key)) {
        st = found(context, strncmp(key, l.inside, skip) == 0 ? key + skip : key, err);
      }
      next_tag(&again, d->token, l.token, sizeof l.token);
    }
    sc_buffer_free(&page.response);
  } while (!st && l.token[0]);
  return st;
}

/* ---- uploads ---- */

struct sc_upload {
  char *url;
  char *id;              /* of the upload, escaped; NULL: not begun, or done, or Azure's */
  uint32_t run;          /* Azure: makes the names of blocks this upload's own */
  struct sc_buffer part; /* not yet sent */
  struct sc_buffer list; /* XML of the parts that are there */
  int n_parts;
};

/* One request about the upload; query is "uploads", "partNumber=1", "comp=block..." or NULL. */
static sc_status ask(const struct sc_upload *u, const char *method, const char *query,
                     const struct sc_buffer *body, struct sc_http_request *r,
                     struct sc_error *err) {
  static const char *const headers[] = {"Content-Type: application/octet-stream", NULL};
  char *url = NULL;
  sc_status st = sc_format(&url, err, "%s?%s%s%s%s", u->url, query ? query : "",
                           query && u->id ? "&" : "", u->id ? "uploadId=" : "", u->id ? u->id : "");
  r->method = method;
  r->url = url;
  r->headers = sc_href_is_azure(u->url) ? azure_headers : headers;
  r->body = body ? body->data : NULL;
  r->body_size = body ? body->size : 0;
  if (!st) st = sc_http(r, 1, NULL, NULL, err);
  if (!st) st = sc_buffer_terminate(&r->response, err);
  r->url = NULL;
  sc_free(url);
  return st;
}

static sc_status begin(struct sc_upload *u, struct sc_error *err) {
  struct sc_http_request r = {0};
  struct sc_buffer escaped = {0};
  char id[1024];
  sc_status st = ask(u, "POST", "uploads", NULL, &r, err);
  const char *at = (char *)r.response.data;
  if (!st && !next_tag(&at, "UploadId", id, sizeof id)) {
    st = sc_fail(err, SC_IO, "%s: the store's response has no upload id", u->url);
  }
  if (!st) st = escape(id, &escaped, err);
  if (!st) st = sc_buffer_terminate(&escaped, err);
  if (!st) u->id = (char *)escaped.data;
  if (st) sc_buffer_free(&escaped);
  sc_buffer_free(&r.response);
  return st;
}

/*
 * Azure's parts are blocks, which nothing begins; their names are base64 and of one length, as
 * digits by fours are.
 */
static sc_status put_block(struct sc_upload *u, struct sc_error *err) {
  struct sc_http_request r = {0};
  char query[60];
  snprintf(query, sizeof query, "comp=block&blockid=%08x%08d", u->run, u->n_parts);
  sc_status st = ask(u, "PUT", query, &u->part, &r, err);
  if (!st) {
    st = sc_buffer_printf(&u->list, err, "<Uncommitted>%08x%08d</Uncommitted>", u->run, u->n_parts);
  }
  u->n_parts++;
  u->part.size = 0;
  sc_buffer_free(&r.response);
  return st;
}

static sc_status send_part(struct sc_upload *u, struct sc_error *err) {
  struct sc_http_request r = {0};
  char query[40];
  if (sc_href_is_azure(u->url)) return put_block(u, err);
  sc_status st = u->id ? SC_OK : begin(u, err);
  snprintf(query, sizeof query, "partNumber=%d", u->n_parts + 1);
  if (!st) st = ask(u, "PUT", query, &u->part, &r, err);
  if (!st && !r.etag[0])
    st = sc_fail(err, SC_IO, "%s: the store's response to a part has no ETag", u->url);
  if (!st) {
    st = sc_buffer_printf(&u->list, err, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>",
                          u->n_parts + 1, r.etag);
  }
  u->n_parts++;
  u->part.size = 0;
  sc_buffer_free(&r.response);
  return st;
}

sc_status sc_upload_open(const char *url, struct sc_upload **out, struct sc_error *err) {
  *out = NULL;
  size_t scheme = sc_href_store_bytes(url);
  const char *slash = scheme ? strchr(url + scheme, '/') : NULL;
  if (!slash || !slash[1] || slash == url + scheme || strpbrk(url, "?#")) {
    return sc_fail(
        err, SC_UNSUPPORTED,
        "%s: cannot be written to; write to a local path, s3://bucket/key, gs://bucket/key, "
        "az://container/key or abfs://container@account.dfs.core.windows.net/key",
        url);
  }
  struct sc_upload *u = sc_alloc_zero(1, sizeof *u);
  if (!u) return sc_fail_nomem(err);
  sqlite3_randomness((int)sizeof u->run, &u->run);
  sc_status st = sc_strdup(url, &u->url, err);
  if (st) {
    sc_upload_close(u);
  } else {
    *out = u;
  }
  return st;
}

sc_status sc_upload_write(struct sc_upload *u, const void *data, size_t n, struct sc_error *err) {
  const unsigned char *p = data;
  sc_status st = SC_OK;
  while (n && !st) {
    size_t part = PART_BYTES - u->part.size < n ? PART_BYTES - u->part.size : n;
    st = sc_buffer_append(&u->part, p, part, err);
    p += part;
    n -= part;
    if (!st && u->part.size == PART_BYTES) st = send_part(u, err);
  }
  return st;
}

sc_status sc_upload_finish(struct sc_upload *u, struct sc_error *err) {
  sc_status st = u->part.size || !u->n_parts ? send_part(u, err) : SC_OK;
  sc_buffer_free(&u->part); /* many uploads may wait for their commit */
  return st;
}

sc_status sc_upload_commit(struct sc_upload *u, struct sc_error *err) {
  struct sc_http_request r = {0};
  struct sc_buffer body = {0};
  char reason[200] = "";
  int azure = sc_href_is_azure(u->url);
  const char *element = azure ? "BlockList" : "CompleteMultipartUpload";
  sc_status st = sc_buffer_printf(&body, err, "<%s>%.*s</%s>", element, (int)u->list.size,
                                  (char *)u->list.data, element);
  if (!st) st = ask(u, azure ? "PUT" : "POST", azure ? "comp=blocklist" : NULL, &body, &r, err);
  /* An error may come with status 200, after the response has begun. */
  const char *at = (char *)r.response.data;
  if (!st && strstr(at, "<Error>")) {
    next_tag(&at, "Message", reason, sizeof reason);
    st = sc_fail(err, SC_IO, "%s: the store cannot assemble the parts: %s", u->url, reason);
  }
  if (!st) {
    sc_free(u->id);
    u->id = NULL;
  }
  sc_buffer_free(&r.response);
  sc_buffer_free(&body);
  return st;
}

void sc_upload_close(struct sc_upload *u) {
  if (!u) return;
  if (u->id) { /* best effort: what stays is unseen */
    struct sc_http_request r = {0};
    struct sc_error ignored = {0};
    ask(u, "DELETE", NULL, NULL, &r, &ignored);
    sc_buffer_free(&r.response);
  }
  sc_free(u->url);
  sc_free(u->id);
  sc_buffer_free(&u->part);
  sc_buffer_free(&u->list);
  sc_free(u);
}
