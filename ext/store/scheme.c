/* Schemes of URLs; see scheme.h. */
#include "store/scheme.h"

#include <string.h>
#include <strings.h>

enum kind { KIND_WEB, KIND_STORE, KIND_AZURE };

static const struct scheme {
  const char *name;
  enum kind kind;
} schemes[] = {{"https", KIND_WEB}, {"http", KIND_WEB},   {"s3", KIND_STORE},   {"gs", KIND_STORE},
               {"az", KIND_AZURE},  {"abfs", KIND_AZURE}, {"abfss", KIND_AZURE}};

size_t sc_scheme_length(const char *href) {
  size_t n = strspn(href, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
  return n >= 2 && strncmp(href + n, "://", 3) == 0 ? n : 0;
}

static const struct scheme *find(const char *href) {
  size_t n = sc_scheme_length(href);
  for (size_t i = 0; n && i < sizeof schemes / sizeof *schemes; i++) {
    const char *name = schemes[i].name;
    if (strlen(name) == n && strncasecmp(href, name, n) == 0) return &schemes[i];
  }
  return NULL;
}

int sc_href_is_url(const char *href) { return sc_scheme_length(href) > 0; }

int sc_href_is_remote(const char *href) { return find(href) != NULL; }

size_t sc_href_store_bytes(const char *href) {
  const struct scheme *s = find(href);
  return s && s->kind != KIND_WEB ? strlen(s->name) + 3 : 0;
}

int sc_href_is_azure(const char *href) {
  const struct scheme *s = find(href);
  return s && s->kind == KIND_AZURE;
}
