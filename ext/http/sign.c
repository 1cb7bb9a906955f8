/* Object store URLs -> signed HTTP requests; see sign.h. */
#include "http/sign.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/alloc.h"
#include "store/access.h"
#include "store/open.h"
#include "store/percent.h"
#include "store/scheme.h"

void sc_signed_free(struct sc_signed *s) {
  sc_free(s->url);
  for (int i = 0; i < SC_SIGNED_HEADERS_MAX; i++) sc_free(s->headers[i]);
  memset(s, 0, sizeof *s);
}

static const char *env(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}

static int is_yes(const char *value) {
  return value && (strcasecmp(value, "YES") == 0 || strcasecmp(value, "TRUE") == 0 ||
                   strcasecmp(value, "ON") == 0 || strcmp(value, "1") == 0);
}

static int is_no(const char *value) {
  return value && (strcasecmp(value, "NO") == 0 || strcasecmp(value, "FALSE") == 0 ||
                   strcasecmp(value, "OFF") == 0 || strcmp(value, "0") == 0);
}

static sc_status add_header(struct sc_signed *s, struct sc_error *err, const char *name,
                            const char *value) {
  int i = 0;
  while (i < SC_SIGNED_HEADERS_MAX - 1 && s->headers[i]) i++;
  return sc_format(&s->headers[i], err, "%s: %s", name, value);
}

/* --- names --- */

/*
 * A name becomes part of a URL, of its host even: what no store allows in it would be read as
 * something else there, and credentials would go to whoever the item names. Rules of characters
 * only; lengths are those of the longest names that were ever allowed, as servers of others differ.
 * Sources  https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
 *          https://cloud.google.com/storage/docs/buckets#naming
 *          https://learn.microsoft.com/azure/storage/common/storage-account-overview
 *          https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
 */
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define BUCKET_CHARACTERS LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "._-"
#define BUCKET_MAX 255
#define ACCOUNT_MAX 24
#define CONTAINER_MAX 63
#define KEY_MAX 1024

static int is_name(const char *name, size_t n, const char *characters, size_t most) {
  return n > 0 && n <= most && strspn(name, characters) >= n && *name != '.' && *name != '-';
}

static int is_account(const char *name, size_t n) {
  return is_name(name, n, LOWER DIGITS, ACCOUNT_MAX);
}

static int is_container(const char *name, size_t n) {
  static const char *const special[] = {"$root", "$web", "$logs"};
  for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
    if (n == strlen(special[i]) && memcmp(name, special[i], n) == 0) return 1;
  }
  return is_name(name, n, LOWER DIGITS "-", CONTAINER_MAX);
}

/* A key (with the '/' before it) and a query, as they follow the name in a URL: "." and ".."
 * between slashes would be taken out on the way, and lead to another bucket. */
static sc_status check_key(const char *url, const char *key, struct sc_error *err) {
  char shown[1024];
  size_t n = strcspn(key, "?");
  for (const char *p = key + n; *p; p++) {
    if (*p <= ' ' || *p >= 0x7f || *p == '#') {
      return sc_fail(err, SC_BAD_DATA, "%s: the query is not plain ASCII",
                     sc_access_shown(url, shown, sizeof shown));
    }
  }
  if (n > KEY_MAX + 1) {
    return sc_fail(err, SC_BAD_DATA, "%s: the key has more than %d bytes",
                   sc_access_shown(url, shown, sizeof shown), KEY_MAX);
  }
  for (size_t i = 0; i < n; i++) {
    size_t part = strcspn(key + i + 1, "/?");
    if (key[i] == '/' && part > 0 && part <= 2 && strspn(key + i + 1, ".") >= part) {
      return sc_fail(err, SC_BAD_DATA, "%s: the key has '.' or '..' between slashes",
                     sc_access_shown(url, shown, sizeof shown));
    }
  }
  return SC_OK;
}

/* "bucket/key?query" of s3 and gs. */
static sc_status check_bucket(const char *url, const char *rest, struct sc_error *err) {
  char shown[1024];
  size_t n = strcspn(rest, "/");
  if (is_name(rest, n, BUCKET_CHARACTERS, BUCKET_MAX)) return check_key(url, rest + n, err);
  return sc_fail(err, SC_BAD_DATA,
                 "%s: not a bucket name; those have letters, digits, '.', '-' and '_'",
                 sc_access_shown(url, shown, sizeof shown));
}

/* --- AWS credentials --- */

#define INI_MAX_BYTES ((size_t)1 << 20)

struct credentials {
  char key[160], secret[256], token[4096], region[64];
  int anonymous;
};

static void copy(char *to, size_t n, const char *from) { snprintf(to, n, "%s", from ? from : ""); }

/* Keep the value of a key that nothing has set yet. */
static void take_value(const char *key, const char *value, struct credentials *c) {
  if (!c->key[0] && !strcmp(key, "aws_access_key_id")) copy(c->key, sizeof c->key, value);
  if (!c->secret[0] && !strcmp(key, "aws_secret_access_key"))
    copy(c->secret, sizeof c->secret, value);
  if (!c->token[0] && !strcmp(key, "aws_session_token")) copy(c->token, sizeof c->token, value);
  if (!c->region[0] && !strcmp(key, "region")) copy(c->region, sizeof c->region, value);
}

/* Read one section of an INI file; a file that cannot be read has none. */
static void read_ini(const char *path, const char *section, struct credentials *c) {
  struct sc_buffer text = {0};
  struct sc_error ignored = {0};
  char name[300], *save = NULL;
  int inside = 0;
  sc_status st = sc_read_file(path, INI_MAX_BYTES, &text, &ignored);
  snprintf(name, sizeof name, "[%s]", section);
  char *line = st ? NULL : strtok_r((char *)text.data, "\r\n", &save);
  for (; line; line = strtok_r(NULL, "\r\n", &save)) {
    char *equals = strchr(line, '='), *end = equals;
    if (line[0] == '[') {
      inside = strcmp(line, name) == 0;
    } else if (inside && equals) {
      line += strspn(line, " \t");
      while (end > line && isspace((unsigned char)end[-1])) end--;
      *end = '\0';
      take_value(line, equals + 1 + strspn(equals + 1, " \t"), c);
    }
  }
  sc_buffer_free(&text);
}

static void aws_path(const char *variable, const char *file, char *out, size_t n) {
  const char *home = env("HOME");
  if (env(variable)) {
    snprintf(out, n, "%s", env(variable));
  } else {
    snprintf(out, n, "%s/.aws/%s", home ? home : "", file);
  }
}

static void find_credentials(struct credentials *c) {
  char path[4096], section[300];
  const char *profile = env("AWS_PROFILE") ? env("AWS_PROFILE") : env("AWS_DEFAULT_PROFILE");
  memset(c, 0, sizeof *c);
  copy(c->region, sizeof c->region,
       env("AWS_REGION") ? env("AWS_REGION") : env("AWS_DEFAULT_REGION"));
  c->anonymous = is_yes(env("AWS_NO_SIGN_REQUEST"));
  if (!c->anonymous && env("AWS_SECRET_ACCESS_KEY") && env("AWS_ACCESS_KEY_ID")) {
    copy(c->key, sizeof c->key, env("AWS_ACCESS_KEY_ID"));
    copy(c->secret, sizeof c->secret, env("AWS_SECRET_ACCESS_KEY"));
    copy(c->token, sizeof c->token, env("AWS_SESSION_TOKEN"));
  } else if (!c->anonymous) {
    aws_path("AWS_SHARED_CREDENTIALS_FILE", "credentials", path, sizeof path);
    read_ini(path, profile ? profile : "default", c);
  }
  if (!c->region[0] || !c->key[0]) {
    struct credentials from_config = *c;
    aws_path("AWS_CONFIG_FILE", "config", path, sizeof path);
    snprintf(section, sizeof section, profile ? "profile %s" : "default", profile ? profile : "");
    read_ini(path, section, &from_config);
    copy(c->region, sizeof c->region, from_config.region);
    if (!c->key[0] && !c->anonymous) *c = from_config;
  }
  if (!c->region[0]) copy(c->region, sizeof c->region, "us-east-1");
  if (!c->key[0] || !c->secret[0]) c->anonymous = 1;
}

/* --- signature version 4 --- */

static void to_hex(const unsigned char *bytes, size_t n, char *out) {
  for (size_t i = 0; i < n; i++) snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void sha256_hex(const void *data, size_t n, char out[65]) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(data, n, digest, &size, EVP_sha256(), NULL);
  to_hex(digest, 32, out);
}

static void hmac(const void *key, size_t key_bytes, const char *text, unsigned char out[32]) {
  unsigned int size = 32;
  HMAC(EVP_sha256(), key, (int)key_bytes, (const unsigned char *)text, strlen(text), out, &size);
}

/* *out gets an escaped copy of text; `keep` as for sc_percent_encode(). */
static sc_status escape(const char *text, const char *keep, char **out, struct sc_error *err) {
  struct sc_buffer b = {0};
  sc_status st = sc_percent_encode(&b, text, strlen(text), keep, err);
  if (!st) st = sc_buffer_terminate(&b, err);
  if (st) {
    sc_buffer_free(&b);
    return st;
  }
  *out = (char *)b.data;
  return SC_OK;
}

/* What a signature is made of. */
struct signing {
  const char *method, *host, *path, *query; /* escaped path; canonical query without '?' */
  const char *payer, *copy_source;          /* or NULL */
  char payload[65], time[17], date[9];
};

/* A header that is signed; absent where its value is NULL or empty. */
struct signed_header {
  const char *name, *value;
};

/* The request as it is signed, and the names of its headers: those of `headers`, which are sorted
 * by name. */
static sc_status write_canonical(const struct signing *g, const struct signed_header *headers,
                                 size_t n, struct sc_buffer *names, struct sc_buffer *out,
                                 struct sc_error *err) {
  sc_status st = sc_buffer_printf(out, err, "%s\n%s\n%s\n", g->method, g->path, g->query);
  for (size_t i = 0; i < n && !st; i++) {
    const struct signed_header *h = &headers[i];
    if (!h->value || !*h->value) continue;
    st = sc_buffer_printf(out, err, "%s:%s\n", h->name, h->value);
    if (!st) st = sc_buffer_printf(names, err, "%s%s", names->size ? ";" : "", h->name);
  }
  if (!st) st = sc_buffer_terminate(names, err);
  if (!st) st = sc_buffer_printf(out, err, "\n%s\n%s", (char *)names->data, g->payload);
  return st;
}

/* The signature of a text in hexadecimal, by the secret's key of the day, region and service. */
static void sign_text(const struct credentials *c, const char *date, const char *text,
                      char out[65]) {
  unsigned char k[32];
  char key[300];
  int n = snprintf(key, sizeof key, "AWS4%s", c->secret);
  hmac(key, (size_t)n, date, k);
  hmac(k, 32, c->region, k);
  hmac(k, 32, "s3", k);
  hmac(k, 32, "aws4_request", k);
  hmac(k, 32, text, k);
  to_hex(k, 32, out);
}

/* The four steps of signature version 4: canonical request, string to sign, signature, headers. */
static sc_status sign_v4(const struct credentials *c, const struct signing *g,
                         struct sc_signed *out, struct sc_error *err) {
  const struct signed_header headers[] = {{"host", g->host},
                                          {"x-amz-content-sha256", g->payload},
                                          {"x-amz-copy-source", g->copy_source},
                                          {"x-amz-date", g->time},
                                          {"x-amz-request-payer", g->payer},
                                          {"x-amz-security-token", c->token}};
  struct sc_buffer canonical = {0}, names = {0};
  char *to_sign = NULL, *value = NULL, hash[65], scope[160];
  size_t n = sizeof headers / sizeof *headers;
  sc_status st = write_canonical(g, headers, n, &names, &canonical, err);
  snprintf(scope, sizeof scope, "%s/%s/s3/aws4_request", g->date, c->region);
  if (!st) {
    sha256_hex(canonical.data, canonical.size, hash);
    st = sc_format(&to_sign, err, "AWS4-HMAC-SHA256\n%s\n%s\n%s", g->time, scope, hash);
  }
  if (!st) {
    sign_text(c, g->date, to_sign, hash);
    st = sc_format(&value, err, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
                   c->key, scope, (char *)names.data, hash);
  }
  if (!st) st = add_header(out, err, "Authorization", value);
  if (!st) st = add_header(out, err, "x-amz-date", g->time);
  if (!st) st = add_header(out, err, "x-amz-content-sha256", g->payload);
  if (!st && c->token[0]) st = add_header(out, err, "x-amz-security-token", c->token);
  sc_buffer_free(&canonical);
  sc_buffer_free(&names);
  sc_free(to_sign);
  sc_free(value);
  return st;
}

/* The caller's x-amz-copy-source header is part of the signature. */
static const char *find_header(const struct sc_http_request *r, const char *name) {
  size_t n = strlen(name);
  for (int i = 0; r->headers && r->headers[i]; i++) {
    if (strncasecmp(r->headers[i], name, n) == 0 && r->headers[i][n] == ':') {
      return r->headers[i] + n + 1 + strspn(r->headers[i] + n + 1, " ");
    }
  }
  return NULL;
}

/* Sort "a=1&b" as the signature wants it: each name with '='. The query is ours and short. */
static void canonical_query(const char *query, char *out, size_t n) {
  char copy_of[1024], *parts[32], *save = NULL;
  int count = 0;
  size_t used = 0;
  snprintf(copy_of, sizeof copy_of, "%s", query);
  for (char *p = strtok_r(copy_of, "&", &save); p && count < 32; p = strtok_r(NULL, "&", &save))
    parts[count++] = p;
  for (int i = 1; i < count; i++) {
    for (int j = i; j > 0 && strcmp(parts[j - 1], parts[j]) > 0; j--) {
      char *t = parts[j];
      parts[j] = parts[j - 1];
      parts[j - 1] = t;
    }
  }
  out[0] = '\0';
  for (int i = 0; i < count && used < n; i++) {
    used += (size_t)snprintf(out + used, n - used, "%s%s%s", i ? "&" : "", parts[i],
                             strchr(parts[i], '=') ? "" : "=");
  }
}

/* Virtual-hosted or path style: host and the path in front of the key. */
static void s3_place(const char *bucket, const struct credentials *c, char *host, size_t host_bytes,
                     char *prefix, size_t prefix_bytes, int *https) {
  const char *endpoint = env("AWS_S3_ENDPOINT"), *style = env("AWS_VIRTUAL_HOSTING");
  int is_label = strspn(bucket, LOWER DIGITS "-") == strlen(bucket) && strlen(bucket) <= 63;
  int virtual_host = is_label && !is_no(style) && (!endpoint || is_yes(style));
  *https = !is_no(env("AWS_HTTPS"));
  if (endpoint && strncmp(endpoint, "http://", 7) == 0) {
    *https = 0;
    endpoint += 7;
  } else if (endpoint && strncmp(endpoint, "https://", 8) == 0) {
    endpoint += 8;
  }
  char base[300];
  if (endpoint) {
    snprintf(base, sizeof base, "%.*s", (int)strcspn(endpoint, "/"), endpoint);
  } else {
    snprintf(base, sizeof base, "s3.%s.amazonaws.com", c->region);
  }
  snprintf(host, host_bytes, virtual_host ? "%s.%s" : "%.0s%s", bucket, base);
  snprintf(prefix, prefix_bytes, virtual_host ? "%.0s" : "/%s", bucket);
}

static void stamp(struct signing *g, const struct sc_http_request *r) {
  time_t now = time(NULL);
  struct tm t;
  gmtime_r(&now, &t);
  strftime(g->time, sizeof g->time, "%Y%m%dT%H%M%SZ", &t);
  strftime(g->date, sizeof g->date, "%Y%m%d", &t);
  sha256_hex(r->body_size ? r->body : "", r->body_size, g->payload);
}

static sc_status sign_s3(const struct sc_http_request *r, const char *rest, struct sc_signed *out,
                         struct sc_error *err) {
  struct credentials c;
  struct signing g = {.method = r->method};
  char bucket[256], host[600], prefix[300], query[1100] = "", *path = NULL, *key = NULL;
  int https;
  size_t n = strcspn(rest, "/");
  sc_status st = check_bucket(r->url, rest, err);
  if (st) return st;
  snprintf(bucket, sizeof bucket, "%.*s", (int)n, rest);
  find_credentials(&c);
  s3_place(bucket, &c, host, sizeof host, prefix, sizeof prefix, &https);
  const char *question = strchr(rest + n, '?');
  size_t key_bytes = question ? (size_t)(question - (rest + n)) : strlen(rest + n);
  if (question) canonical_query(question + 1, query, sizeof query);
  st = sc_format(&key, err, "%s%.*s", prefix, (int)key_bytes, rest + n);
  if (!st) st = escape(*key ? key : "/", SC_UNRESERVED "/", &path, err);
  if (!st) {
    st = sc_format(&out->url, err, "%s://%s%s%s%s", https ? "https" : "http", host, path,
                   query[0] ? "?" : "", query);
  }
  if (!st && env("AWS_REQUEST_PAYER")) {
    g.payer = env("AWS_REQUEST_PAYER");
    st = add_header(out, err, "x-amz-request-payer", g.payer);
  }
  if (!st && !c.anonymous) {
    g.host = host;
    g.path = path;
    g.query = query;
    g.copy_source = find_header(r, "x-amz-copy-source");
    stamp(&g, r);
    st = sign_v4(&c, &g, out, err);
  }
  sc_free(path);
  sc_free(key);
  return st;
}

static sc_status sign_gs(const struct sc_http_request *r, const char *rest, struct sc_signed *out,
                         struct sc_error *err) {
  const char *endpoint =
      env("CPL_GS_ENDPOINT") ? env("CPL_GS_ENDPOINT") : "https://storage.googleapis.com/";
  size_t n = strlen(endpoint), key_bytes = strcspn(rest, "?");
  char *path = NULL, *whole = NULL, host[300], query[1100] = "";
  sc_status st = check_bucket(r->url, rest, err);
  if (st) return st;
  while (n && endpoint[n - 1] == '/') n--;
  if (rest[key_bytes]) canonical_query(rest + key_bytes + 1, query, sizeof query);
  st = sc_format(&whole, err, "/%.*s", (int)key_bytes, rest);
  if (!st) st = escape(whole, SC_UNRESERVED "/", &path, err);
  if (!st) {
    st =
        sc_format(&out->url, err, "%.*s%s%s%s", (int)n, endpoint, path, query[0] ? "?" : "", query);
  }
  if (!st && env("GS_ACCESS_KEY_ID") && env("GS_SECRET_ACCESS_KEY") &&
      !is_yes(env("GS_NO_SIGN_REQUEST"))) {
    struct credentials c = {.region = "auto"};
    struct signing g = {.method = r->method, .host = host, .path = path, .query = query};
    copy(c.key, sizeof c.key, env("GS_ACCESS_KEY_ID"));
    copy(c.secret, sizeof c.secret, env("GS_SECRET_ACCESS_KEY"));
    const char *authority = strstr(out->url, "://") + 3;
    snprintf(host, sizeof host, "%.*s", (int)strcspn(authority, "/"), authority);
    stamp(&g, r);
    st = sign_v4(&c, &g, out, err);
  }
  sc_free(path);
  sc_free(whole);
  return st;
}

/* The value of a key of AZURE_STORAGE_CONNECTION_STRING, "Key=value;Key=value"; "" without. */
static void connection_value(const char *key, char *out, size_t n) {
  const char *p = env("AZURE_STORAGE_CONNECTION_STRING");
  size_t m = strlen(key);
  out[0] = '\0';
  while (p && *p) {
    size_t length = strcspn(p, ";");
    if (length > m && p[m] == '=' && strncasecmp(p, key, m) == 0) {
      snprintf(out, n, "%.*s", (int)(length - m - 1), p + m + 1);
      return;
    }
    p += length + (p[length] == ';');
  }
}

struct azure {
  char container[CONTAINER_MAX + 1], account[ACCOUNT_MAX + 1];
  char endpoint[400]; /* of the account, without '/' at its end */
  char token[2000];   /* without '?'; "" for none */
};

/* The connection string's endpoint, without '/' at its end; "" without. */
static void own_endpoint(char *out, size_t n) {
  connection_value("BlobEndpoint", out, n);
  for (n = strlen(out); n && out[n - 1] == '/';) out[--n] = '\0';
}

#define BLOB_DOMAIN ".blob.core.windows.net"

/* "https://{account}.blob.core.windows.net/..." -> the account; 0 for other URLs. */
static int account_of(const char *url, char out[ACCOUNT_MAX + 1]) {
  char host[256];
  sc_access_url_host(url, host, sizeof host);
  size_t n = strcspn(host, ".");
  if (strncasecmp(url, "https://", 8) != 0 || !is_account(host, n)) return 0;
  if (strcasecmp(host + n, BLOB_DOMAIN) != 0) return 0;
  snprintf(out, ACCOUNT_MAX + 1, "%.*s", (int)n, host);
  return 1;
}

/* The account of the connection string, which may say it by its endpoint only; "" without. */
static void own_account(char out[ACCOUNT_MAX + 1]) {
  char name[100], endpoint[400];
  connection_value("AccountName", name, sizeof name);
  own_endpoint(endpoint, sizeof endpoint);
  out[0] = '\0';
  if (is_account(name, strlen(name))) snprintf(out, ACCOUNT_MAX + 1, "%.*s", ACCOUNT_MAX, name);
  if (!name[0]) account_of(endpoint, out);
}

/*
 * The token for an account: that of the connection string for the account it names, that of
 * AZURE_STORAGE_SAS_TOKEN for AZURE_STORAGE_ACCOUNT, or, without it, for the connection string's.
 * No other account gets one, whoever names it.
 */
static void find_token_of(const char *account, char *out, size_t n) {
  const char *named = env("AZURE_STORAGE_ACCOUNT"), *token = env("AZURE_STORAGE_SAS_TOKEN");
  char own[ACCOUNT_MAX + 1];
  own_account(own);
  out[0] = '\0';
  if (strcmp(own, account) == 0) connection_value("SharedAccessSignature", out, n);
  if (!out[0] && token && strcmp(named ? named : own, account) == 0) copy(out, n, token);
  if (out[0] == '?') memmove(out, out + 1, strlen(out));
}

/* An account's endpoint and token. Without a name it is the environment's. */
static void azure_account(struct azure *a) {
  const char *named = env("AZURE_STORAGE_ACCOUNT");
  char own[ACCOUNT_MAX + 1], endpoint[sizeof a->endpoint];
  own_account(own);
  own_endpoint(endpoint, sizeof endpoint);
  if (!a->account[0]) {
    size_t n = named ? strlen(named) : 0;
    memcpy(a->account, own, sizeof own);
    if (named)
      snprintf(a->account, sizeof a->account, "%.*s", is_account(named, n) ? (int)n : 0, named);
  }
  find_token_of(a->account, a->token, sizeof a->token);
  if (endpoint[0] && strcmp(own, a->account) == 0) {
    copy(a->endpoint, sizeof a->endpoint, endpoint);
  } else if (a->account[0]) {
    snprintf(a->endpoint, sizeof a->endpoint, "https://%s" BLOB_DOMAIN, a->account);
  }
}

/* "container@account.dfs.core.windows.net" or, of az, "container". */
static sc_status split_container(const char *url, const char *rest, size_t n, struct azure *a,
                                 struct sc_error *err) {
  static const char *const suffixes[] = {"", ".dfs.core.windows.net", BLOB_DOMAIN};
  char shown[1024];
  const char *at = memchr(rest, '@', n), *host = at ? at + 1 : rest + n;
  size_t container = at ? (size_t)(at - rest) : n, host_bytes = (size_t)(rest + n - host);
  size_t account = strcspn(host, ".");
  if (account > host_bytes) account = host_bytes;
  int is_known = !at;
  for (size_t i = 0; i < 3 && at; i++) {
    size_t m = strlen(suffixes[i]);
    is_known |= host_bytes - account == m && strncasecmp(host + account, suffixes[i], m) == 0;
  }
  if (!is_known || !is_container(rest, container) || (at && !is_account(host, account))) {
    return sc_fail(err, SC_BAD_DATA,
                   "%s: not az://container/key or abfs://container@account.dfs.core.windows.net/"
                   "key; names have lower case letters and digits, those of containers also '-'",
                   sc_access_shown(url, shown, sizeof shown));
  }
  snprintf(a->container, sizeof a->container, "%.*s", (int)container, rest);
  snprintf(a->account, sizeof a->account, "%.*s", (int)account, host);
  return SC_OK;
}

/*
 * az://container/key with AZURE_STORAGE_ACCOUNT or AZURE_STORAGE_CONNECTION_STRING;
 * abfs://container@account.dfs.../key.
 */
static sc_status sign_azure(const char *url, const char *rest, struct sc_signed *out,
                            struct sc_error *err) {
  struct azure a = {.endpoint = ""};
  size_t n = strcspn(rest, "/?");
  const char *key = rest + n;
  size_t key_bytes = strcspn(key, "?");
  char *name = NULL, *path = NULL;
  sc_status st = split_container(url, rest, n, &a, err);
  if (!st) st = check_key(url, key, err);
  if (st) return st;
  azure_account(&a);
  if (!a.endpoint[0] || !rest[n]) {
    return sc_fail(err, SC_BAD_DATA,
                   "%.200s: no storage account: set AZURE_STORAGE_ACCOUNT or "
                   "AZURE_STORAGE_CONNECTION_STRING, or use "
                   "abfs://container@account.dfs.core.windows.net/",
                   url);
  }
  st = sc_format(&name, err, "%.*s", (int)key_bytes, key);
  if (!st) st = escape(name, SC_UNRESERVED "/", &path, err);
  if (!st) {
    const char *query = key[key_bytes] ? key + key_bytes + 1 : "";
    st =
        sc_format(&out->url, err, "%s/%s%s%s%s%s%s", a.endpoint, a.container, path,
                  *query || a.token[0] ? "?" : "", query, *query && a.token[0] ? "&" : "", a.token);
  }
  sc_free(name);
  sc_free(path);
  return st;
}

/*
 * The token for a blob's plain URL: of its account, over https to the account's host; also over
 * http where the connection string says so. "" for none.
 */
static void find_token_for(const char *url, char *out, size_t n) {
  char account[ACCOUNT_MAX + 1], endpoint[400];
  out[0] = '\0';
  if (strchr(url, '?')) return; /* it has one, or is no blob's */
  own_endpoint(endpoint, sizeof endpoint);
  size_t m = strlen(endpoint);
  if (m && strncmp(url, endpoint, m) == 0 && url[m] == '/') {
    own_account(account);
    find_token_of(account, out, n);
  } else if (account_of(url, account)) {
    find_token_of(account, out, n);
  }
}

/* --- tokens of the Planetary Computer --- */

#define N_TOKENS 32

struct kept_token {
  char place[200]; /* account/container */
  char *token;     /* owned; NULL: public */
  time_t expires;
};

static pthread_mutex_t token_lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept_token tokens[N_TOKENS];
static int next_token;

/*
 * "account/container" of a blob URL that may want a token; 0 for others. A token goes over https
 * only, and to {account}.blob.core.windows.net; other hosts, and plain http, only where the
 * environment names them.
 */
static int token_place(const char *url, char *out, size_t n) {
  char host[256], account[ACCOUNT_MAX + 1];
  const char *hosts = env("STACCHIP_PC_HOSTS");
  if (strchr(url, '?') || is_no(env("STACCHIP_PC_SIGN"))) return 0;
  sc_access_url_host(url, host, sizeof host);
  size_t label = strcspn(host, ".");
  if (hosts ? !is_account(host, label) || !sc_access_host(hosts, host)
            : !account_of(url, account)) {
    return 0;
  }
  const char *path = strstr(url, "://");
  path = path ? strchr(path + 3, '/') : NULL;
  size_t container = path ? strcspn(path + 1, "/") : 0;
  if (!path || !is_container(path + 1, container)) return 0;
  snprintf(out, n, "%.*s/%.*s", (int)label, host, (int)container, path + 1);
  return 1;
}

static struct kept_token *find_token(const char *place) {
  for (int i = 0; i < N_TOKENS; i++) {
    if (strcmp(tokens[i].place, place) == 0 && tokens[i].expires > time(NULL)) return &tokens[i];
  }
  return NULL;
}

sc_status sc_sign_token_url(const char *url, char **token_url, struct sc_error *err) {
  char place[200], own[2000];
  const char *service = env("STACCHIP_PC_SAS");
  *token_url = NULL;
  find_token_for(url, own, sizeof own);
  if (own[0] || !token_place(url, place, sizeof place)) return SC_OK;
  pthread_mutex_lock(&token_lock);
  int kept = find_token(place) != NULL;
  pthread_mutex_unlock(&token_lock);
  if (kept) return SC_OK;
  return sc_format(token_url, err, "%s/%s",
                   service ? service : "https://planetarycomputer.microsoft.com/api/sas/v1/token",
                   place);
}

/* "2024-03-11T14:11:54Z" -> time; an hour from now where it is something else. */
static time_t parse_expiry(const char *text) {
  struct tm t = {0};
  if (text && sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour,
                     &t.tm_min, &t.tm_sec) == 6) {
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    return timegm(&t) - 60;
  }
  return time(NULL) + 600;
}

void sc_sign_keep_token(const char *url, const struct sc_http_request *response) {
  char place[200];
  if (!token_place(url, place, sizeof place)) return;
  cJSON *json = response->err.status ? NULL
                                     : cJSON_ParseWithLength((char *)response->response.data,
                                                             response->response.size);
  const cJSON *token = cJSON_GetObjectItemCaseSensitive(json, "token");
  const cJSON *expiry = cJSON_GetObjectItemCaseSensitive(json, "msft:expiry");
  struct sc_error ignored = {0};
  pthread_mutex_lock(&token_lock);
  struct kept_token *k = &tokens[next_token++ % N_TOKENS];
  sc_free(k->token);
  memset(k, 0, sizeof *k);
  snprintf(k->place, sizeof k->place, "%s", place);
  if (cJSON_IsString(token)) sc_strdup(token->valuestring, &k->token, &ignored);
  k->expires = parse_expiry(cJSON_IsString(expiry) ? expiry->valuestring : NULL);
  pthread_mutex_unlock(&token_lock);
  cJSON_Delete(json);
}

void sc_sign_abandon(void) { pthread_mutex_init(&token_lock, NULL); }

/* A URL as it stands in an item may hold spaces and letters that HTTP wants escaped; what it has
 * escaped already, and what parts it, stays. */
#define URL_CHARACTERS SC_UNRESERVED "!#$%&'()*+,/:;=?@[]"

static sc_status sign_http(const char *whole, struct sc_signed *out, struct sc_error *err) {
  char place[200], token[2000] = "", *signed_url = NULL, *url = NULL;
  sc_status st = sc_strndup(whole, strcspn(whole, "#"), &url, err); /* a fragment is never sent */
  if (st) return st;
  find_token_for(url, token, sizeof token);
  if (!token[0] && token_place(url, place, sizeof place)) {
    pthread_mutex_lock(&token_lock);
    const struct kept_token *k = find_token(place);
    copy(token, sizeof token, k ? k->token : NULL);
    pthread_mutex_unlock(&token_lock);
  }
  st = sc_format(&signed_url, err, "%s%s%s", url, token[0] ? "?" : "", token);
  if (!st) st = escape(signed_url, URL_CHARACTERS, &out->url, err);
  sc_free(signed_url);
  sc_free(url);
  return st;
}

sc_status sc_sign_request(const struct sc_http_request *r, struct sc_signed *out,
                          struct sc_error *err) {
  const char *rest = strstr(r->url, "://");
  memset(out, 0, sizeof *out);
  if (!rest) return sc_fail(err, SC_BAD_ARG, "not a URL");
  size_t n = (size_t)(rest - r->url);
  rest += 3;
  if (n == 2 && strncasecmp(r->url, "s3", 2) == 0) return sign_s3(r, rest, out, err);
  if (n == 2 && strncasecmp(r->url, "gs", 2) == 0) return sign_gs(r, rest, out, err);
  if (sc_href_is_azure(r->url)) return sign_azure(r->url, rest, out, err);
  return sign_http(r->url, out, err);
}
