/* Hrefs and access rules; see href.h. */
#include "store/href.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/settings.h"
#include "base/sniff.h"
#include "store/access.h"
#include "store/percent.h"
#include "store/secrets.h"

sc_status sc_href_folder(const char *href, char **out, struct sc_error *err) {
  size_t n = strlen(href), head = 0;
  if (sc_href_is_url(href)) {
    n = strcspn(href, "?#");
    head = sc_scheme_length(href) + 3;
    head += strcspn(href + head, "/");
    if (n <= head) return sc_format(out, err, "%.*s/", (int)n, href);
  }
  while (n > head && href[n - 1] != '/') n--;
  return sc_strndup(href, n, out, err);
}

/* Of a URL, and of a store's key, "a//b" is another name than "a/b"; of a file it is not. */
enum empty_segments { EMPTY_DROP, EMPTY_KEEP };

/* Take "." and ".." out of a path in place, from `path` on; never above its first slash.
 * RFC 3986, section 5.2.4. */
static void normalise_path(char *path, enum empty_segments empty) {
  char *to = path;
  const char *from = path;
  size_t end = strcspn(path, "?#"); /* only URLs have these; see caller */
  const char *stop = path + end;
  while (from < stop) {
    size_t n = strcspn(from + 1, "/");
    if (from + 1 + n > stop) n = (size_t)(stop - from - 1);
    int last = from + 1 + n >= stop;
    if (n == 1 && from[1] == '.') {
      if (last) *to++ = '/';
    } else if (n == 2 && from[1] == '.' && from[2] == '.') {
      while (to > path && *--to != '/') {
      }
      if (last) *to++ = '/';
    } else if (n > 0 || last || empty == EMPTY_KEEP) {
      memmove(to, from, n + 1);
      to += n + 1;
    }
    from += n + 1;
  }
  memmove(to, stop, strlen(stop) + 1);
}

sc_status sc_href_refuse_vsi(const char *path, struct sc_error *err) {
  char shown[1024];
  if (strncmp(path, "/vsi", 4) != 0) return SC_OK;
  return sc_fail(err, SC_DENIED,
                 "%s: a GDAL /vsi prefix is not allowed; use https://, s3://, gs://, az:// or a "
                 "plain path",
                 sc_access_shown(path, shown, sizeof shown));
}

/* Undo the percent escapes of a text (RFC 3986, section 2.1), in place. Returns NULL, or where a
 * sign stands for no byte; what is no UTF-8 then is in no text that can be stored. */
static const char *decode(char *text) {
  const char *wrong = sc_percent_decode(text);
  size_t n = strlen(text), good = wrong ? n : sc_sniff_utf8(text, n);
  return good < n ? text + good : wrong;
}

/* The path of a file: URL: its percent signs stand for bytes (RFC 8089). */
static sc_status resolve_file_url(const char *href, char **out, struct sc_error *err) {
  const char *from = href + 7, *wrong = NULL;
  char *path = NULL;
  if (strncasecmp(from, "localhost/", 10) == 0) from += 9;
  if (*from != '/')
    return sc_fail(err, SC_BAD_DATA,
                   "%s: a file: URL that names another host; expected file:///path", href);
  sc_status st = sc_strdup(from, &path, err);
  if (!st) wrong = decode(path);
  if (wrong)
    st = sc_fail(err, SC_BAD_DATA, "%s: '%.3s' is not an escaped UTF-8 character", href, wrong);
  if (!st) st = sc_href_resolve(NULL, path, out, err);
  sc_free(path);
  return st;
}

sc_status sc_href_refuse_scheme(const char *href, struct sc_error *err) {
  char shown[1024];
  return sc_fail(err, SC_BAD_DATA, "%s: scheme '%.*s' is not one of " SC_SCHEMES,
                 sc_access_shown(href, shown, sizeof shown), (int)sc_scheme_length(href), href);
}

static sc_status resolve_url(const char *href, char **out, struct sc_error *err) {
  size_t n = sc_scheme_length(href);
  if (sc_href_remembered(href, out, err) || *out) return err->status;
  if (n == 4 && strncasecmp(href, "file", 4) == 0) return resolve_file_url(href, out, err);
  return sc_href_is_remote(href) ? sc_strdup(href, out, err) : sc_href_refuse_scheme(href, err);
}

/* Join with a base that is a URL. An absolute path replaces the URL's path, a name behind two
 * slashes its host, too. */
static sc_status join_url(const char *base, const char *href, char **out, struct sc_error *err) {
  size_t authority = sc_scheme_length(base) + 3;
  authority += strcspn(base + authority, "/");
  size_t keep = *href == '/' ? authority : strlen(base);
  if (strncmp(href, "//", 2) == 0) {
    return sc_format(out, err, "%.*s:%s", (int)sc_scheme_length(base), base, href);
  }
  sc_status st = sc_format(out, err, "%.*s%s", (int)keep, base, href);
  if (!st) normalise_path(*out + authority, EMPTY_KEEP);
  return st;
}

static sc_status resolve_path(const char *base, const char *href, char **out,
                              struct sc_error *err) {
  sc_status st;
  if (*href == '/') {
    st = sc_strdup(href, out, err);
  } else if (!base) {
    return sc_fail(err, SC_BAD_DATA,
                   "relative href '%s' has no base: give the item by its path or URL, or set "
                   "option 'base'",
                   href);
  } else {
    st = sc_format(out, err, "%s%s", base, href);
  }
  /* A local name may hold '?' and '#': leave such paths as they are. */
  if (!st && **out == '/' && !strpbrk(*out, "?#")) normalise_path(*out, EMPTY_DROP);
  if (!st) st = sc_href_refuse_vsi(*out, err);
  if (st) {
    sc_free(*out);
    *out = NULL;
  }
  return st;
}

sc_status sc_href_resolve(const char *base, const char *href, char **out, struct sc_error *err) {
  *out = NULL;
  if (!*href) return sc_fail(err, SC_BAD_DATA, "the href is empty");
  if (sc_href_refuse_vsi(href, err)) return err->status;
  if (sc_href_is_url(href)) return resolve_url(href, out, err);
  if (base && sc_href_is_url(base)) return join_url(base, href, out, err);
  return resolve_path(base, href, out, err);
}

/* Many hrefs are written as plain paths: a file that has that very name is meant. */
sc_status sc_href_resolve_reference(const char *base, const char *href, char **out,
                                    struct sc_error *err) {
  struct stat info;
  char *decoded = NULL;
  sc_status st = sc_href_resolve(base, href, out, err);
  if (st || sc_href_is_url(href) || sc_href_is_url(*out) || !strchr(href, '%')) return st;
  /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): without an error *out is set */
  if (stat(*out, &info) == 0) return SC_OK;
  st = sc_strdup(href, &decoded, err);
  if (!st && !decode(decoded)) {
    sc_free(*out);
    st = sc_href_resolve(base, decoded, out, err);
  }
  if (st) {
    sc_free(*out);
    *out = NULL;
  }
  sc_free(decoded);
  return st;
}

sc_status sc_href_locate(const char *named, char **out, struct sc_error *err) {
  char here[PATH_MAX + 1];
  *out = NULL;
  if (sc_href_is_url(named) || *named == '/') return sc_href_resolve(NULL, named, out, err);
  if (!getcwd(here, PATH_MAX))
    return sc_fail(err, SC_IO, "no working directory: %s", strerror(errno));
  size_t n = strlen(here);
  memcpy(here + n, "/", 2);
  return sc_href_resolve(here, named, out, err);
}

/* The longest prefix of href that href_map (a JSON object) knows. */
static sc_status apply_href_map(const char *href, char **out, struct sc_error *err) {
  struct sc_buffer text = {0};
  sc_status st = sc_settings_get("href_map", &text, err);
  if (!st) st = sc_buffer_terminate(&text, err);
  if (st || text.size == 0) {
    sc_buffer_free(&text);
    return st ? st : sc_strdup(href, out, err);
  }
  cJSON *map = cJSON_Parse((const char *)text.data);
  const cJSON *entry, *best = NULL;
  sc_buffer_free(&text);
  if (!cJSON_IsObject(map)) {
    cJSON_Delete(map);
    return sc_fail(err, SC_BAD_ARG, "setting 'href_map' is not a JSON object of prefixes");
  }
  cJSON_ArrayForEach(entry, map) {
    if (!cJSON_IsString(entry) || strncmp(href, entry->string, strlen(entry->string)) != 0)
      continue;
    if (!best || strlen(entry->string) > strlen(best->string)) best = entry;
  }
  if (best) {
    st = sc_format(out, err, "%s%s", best->valuestring, href + strlen(best->string));
  } else {
    st = sc_strdup(href, out, err);
  }
  cJSON_Delete(map);
  return st;
}

/* Does `path` (links resolved) lie in one of the folders of a ':'-separated list? */
static int in_folders(const char *path, const char *folders) {
  char real[PATH_MAX], folder[PATH_MAX], real_folder[PATH_MAX];
  if (!realpath(path, real)) return 0;
  while (*folders) {
    size_t n = strcspn(folders, ":");
    if (n && n < sizeof folder) {
      memcpy(folder, folders, n);
      folder[n] = '\0';
      size_t length = realpath(folder, real_folder) ? strlen(real_folder) : 0;
      if (length == 1) return 1; /* "/" */
      if (length && strncmp(real, real_folder, length) == 0 &&
          (real[length] == '/' || !real[length])) {
        return 1;
      }
    }
    folders += n;
    folders += strspn(folders, ":");
  }
  return 0;
}

static sc_status allow_local(const char *path, struct sc_error *err) {
  struct sc_buffer rule = {0};
  sc_status st = sc_settings_get("local_roots", &rule, err);
  if (!st) st = sc_buffer_terminate(&rule, err);
  const char *folders = (const char *)rule.data;
  if (!st && *folders && strcmp(folders, "allow") != 0 &&
      (strcmp(folders, "deny") == 0 || !in_folders(path, folders))) {
    st = sc_fail(err, SC_DENIED, "%s: local files are %s (setting local_roots, STACCHIP_LOCAL)",
                 path, strcmp(folders, "deny") == 0 ? "denied" : "allowed in some folders only");
  }
  sc_buffer_free(&rule);
  return st;
}

static sc_status allow_url(const char *url, struct sc_error *err) {
  char host[256], shown[1024];
  struct sc_buffer rule = {0};
  if (strncasecmp(url, "http", 4) != 0) return SC_OK; /* the transport checks the endpoint */
  sc_access_url_host(url, host, sizeof host);
  sc_status st = sc_settings_get("hosts", &rule, err);
  if (!st) st = sc_buffer_terminate(&rule, err);
  if (!st && !host[0]) {
    st = sc_fail(err, SC_DENIED, "%s: a host that is missing or not in plain ASCII is not allowed",
                 sc_access_shown(url, shown, sizeof shown));
  } else if (!st && !sc_access_host((const char *)rule.data, host)) {
    st = sc_fail(err, SC_DENIED, "%s: host '%s' is not allowed (setting hosts, STACCHIP_HOSTS)",
                 sc_access_shown(url, shown, sizeof shown), host);
  }
  sc_buffer_free(&rule);
  return st;
}

sc_status sc_href_check(const char *href, struct sc_error *err) {
  return sc_href_is_url(href) ? allow_url(href, err) : allow_local(href, err);
}

sc_status sc_href_allow(const char *href, enum sc_origin origin, char **out, struct sc_error *err) {
  *out = NULL;
  int is_local = !sc_href_is_url(href);
  if (is_local && origin == SC_ORIGIN_NETWORK) {
    return sc_fail(err, SC_DENIED,
                   "%s: an item that came over the network may not name a local file", href);
  }
  sc_status st = apply_href_map(href, out, err);
  if (!st) st = sc_href_check(*out, err);
  if (st) {
    sc_free(*out);
    *out = NULL;
  }
  return st;
}

sc_status sc_href_allow_writing(const char *path, struct sc_error *err) {
  char *folder = NULL, *allowed = NULL, *slash;
  struct stat info;
  sc_status st = SC_OK;
  if (sc_href_is_url(path)) return SC_OK; /* each request is checked, with its redirects */
  st = sc_href_refuse_vsi(path, err);
  if (!st) st = sc_strdup(path, &folder, err);
  if (st) return st;
  do {
    slash = strrchr(folder, '/');
    if (slash) *slash = '\0';
  } while (slash && slash != folder && stat(folder, &info) != 0);
  const char *name = !slash ? "." : *folder ? folder : "/";
  st = sc_href_allow(name, SC_ORIGIN_LOCAL, &allowed, err);
  sc_free(allowed);
  sc_free(folder);
  return st;
}
