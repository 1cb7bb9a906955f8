/* Secrets in hrefs; see secrets.h. */
#include "store/secrets.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/sniff.h"
#include "base/sqlite.h"
#include "store/access.h"
#include "store/percent.h"

#define NAME_MAX_BYTES 200
#define NESTED_MAX 3        /* URLs within parameters of URLs */
#define LONG_VALUE_BYTES 32 /* a random value is taken for a secret from here on */
#define N_REMEMBERED 1024

/* --- names and values --- */

static int is_among(const char *const *list, const char *word) {
  for (; *list; list++) {
    if (strcmp(*list, word) == 0) return 1;
  }
  return 0;
}

/* Words of a name that make it a secret's: "key" in "x-api-key" and "sharedKey", not in "keyword".
 */
static const char *const secret_words[] = {
    "sig",      "sign",   "signature", "signed",  "hmac",    "token",   "tok",       "secret",
    "password", "passwd", "passcode",  "pass",    "pw",      "pwd",     "pin",       "otp",
    "auth",     "oauth",  "authkey",   "key",     "apikey",  "appkey",  "jwt",       "sas",
    "creds",    "cred",   "session",   "sid",     "sessid",  "code",    "bearer",    "ticket",
    "cookie",   "csrf",   "xsrf",      "nonce",   "policy",  "hdnea",   "hdnts",     "hdntl",
    "grant",    "saml",   "assertion", "license", "licence", "private", "phpsessid", NULL};

/* What says so anywhere in a name, its other characters left out. */
static const char *const secret_parts[] = {
    "token",     "secret",          "passw",    "passphrase", "signature", "apikey",
    "accesskey", "credential",      "authoriz", "authentic",  "sessionid", "privatekey",
    "bearer",    "subscriptionkey", "accessid", NULL};

/* The rest of a signature, by the names of Azure, Amazon and Google; and what its stores begin
 * theirs with. */
static const char *const companions[] = {"sv",    "ss",   "srt", "sp",      "se",        "st",
                                         "spr",   "sr",   "sip", "si",      "sdd",       "skoid",
                                         "sktid", "skt",  "ske", "sks",     "skv",       "saoid",
                                         "suoid", "scid", "ses", "expires", "algorithm", NULL};
static const char *const families[] = {"xamz", "xgoog", "xoss", "xcos", NULL};

/* Names whose values may be long and random, and are none. */
static const char *const plain_words[] = {
    "id",    "ids",        "uuid",     "guid",     "version", "versionid", "generation",
    "hash",  "sha256",     "md5",      "etag",     "file",    "filename",  "path",
    "name",  "prefix",     "layer",    "layers",   "item",    "asset",     "product",
    "scene", "collection", "checksum", "snapshot", NULL};

/* The letters and digits of a name, in lower case. */
static void collapse(const char *name, char *out) {
  size_t n = 0;
  for (; *name && n + 1 < NAME_MAX_BYTES; name++) {
    if (isalnum((unsigned char)*name)) out[n++] = (char)tolower((unsigned char)*name);
  }
  out[n] = '\0';
}

/* The next word of a name, in lower case; words end before other characters and capitals. */
static const char *next_word(const char *p, char *word) {
  size_t n = 0;
  while (*p && !isalnum((unsigned char)*p)) p++;
  for (; isalnum((unsigned char)*p) && n + 1 < NAME_MAX_BYTES; p++) {
    int is_new = n && isupper((unsigned char)*p) && islower((unsigned char)p[-1]);
    if (is_new) break;
    word[n++] = (char)tolower((unsigned char)*p);
  }
  word[n] = '\0';
  return n ? p : NULL;
}

static int has_word(const char *name, const char *const *words) {
  char word[NAME_MAX_BYTES];
  while ((name = next_word(name, word)) != NULL) {
    if (is_among(words, word)) return 1;
  }
  return 0;
}

static int is_secret_name(const char *name) {
  char whole[NAME_MAX_BYTES];
  if (has_word(name, secret_words)) return 1;
  collapse(name, whole);
  for (const char *const *p = secret_parts; *p; p++) {
    if (strstr(whole, *p)) return 1;
  }
  return is_among(secret_words, whole); /* "p-w-d" */
}

static int is_companion(const char *name) {
  char whole[NAME_MAX_BYTES];
  collapse(name, whole);
  for (const char *const *p = families; *p; p++) {
    if (strncmp(whole, *p, strlen(*p)) == 0) return 1;
  }
  return is_among(companions, whole);
}

/* A JSON web token; letters of both cases and digits, or hexadecimal digits alone, long and without
 * a mark between them. */
static int is_random(const char *value) {
  int lower = 0, upper = 0, digit = 0, hex = 1, other = 0;
  size_t n = strlen(value);
  if (strncmp(value, "eyJ", 3) == 0 && n > 20 && strchr(value, '.')) return 1;
  if (n < LONG_VALUE_BYTES) return 0;
  for (; *value; value++) {
    unsigned char c = (unsigned char)*value;
    lower |= islower(c) != 0;
    upper |= isupper(c) != 0;
    digit |= isdigit(c) != 0;
    hex &= isxdigit(c) != 0;
    other |= !isalnum(c) && !strchr("+/=-_ ", c);
  }
  return !other && digit && (hex || (lower && upper));
}

/* --- parameters --- */

/* Undo percent escapes in place, also of percent signs themselves. Zero bytes stay escaped. */
static void unescape(char *text) {
  for (int i = 0; i < NESTED_MAX && strchr(text, '%'); i++) {
    sc_percent_decode(text);
  }
}

static int has_secret(const char *p, size_t n, const char *separators, int depth);

/* Does a URL in a parameter name a user, or hold a parameter of this kind itself? */
static int is_secret_url(const char *value, int depth) {
  const char *authority = strstr(value, "://");
  if (authority && depth < NESTED_MAX) {
    authority += 3;
    size_t n = strcspn(authority, "/?#");
    if (sc_access_skip_user(authority, n, 1) != authority) return 1;
  }
  return depth < NESTED_MAX && strpbrk(value, "?&;#=") &&
         has_secret(value, strlen(value), "?&;#", depth + 1);
}

/* "name=value" or "value", unescaped. */
static int is_secret_parameter(char *text, int depth) {
  char *equals = strchr(text, '=');
  const char *value = equals ? equals + 1 : text;
  if (equals) *equals = '\0';
  int by_name = equals && *value && is_secret_name(text);
  return by_name || (is_random(value) && !(equals && has_word(text, plain_words))) ||
         (equals && is_secret_url(value, depth));
}

enum parameter { PARAMETER_PLAIN, PARAMETER_COMPANION, PARAMETER_SECRET };

static enum parameter judge(const char *p, size_t n, int depth) {
  char *text = sc_alloc(n + 1);
  if (!text) return PARAMETER_SECRET; /* rather lose it than keep it */
  memcpy(text, p, n);
  text[n] = '\0';
  unescape(text);
  enum parameter kind = is_secret_parameter(text, depth) ? PARAMETER_SECRET : PARAMETER_PLAIN;
  if (kind == PARAMETER_PLAIN && is_companion(text)) kind = PARAMETER_COMPANION;
  sc_free(text);
  return kind;
}

static size_t part_bytes(const char *p, size_t n, const char *separators) {
  size_t i = 0;
  while (i < n && !strchr(separators, p[i])) i++;
  return i;
}

static int has_secret(const char *p, size_t n, const char *separators, int depth) {
  for (size_t at = 0; at < n; at++) {
    size_t m = part_bytes(p + at, n - at, separators);
    if (m && judge(p + at, m, depth) == PARAMETER_SECRET) return 1;
    at += m;
  }
  return 0;
}

/* Parameters of a URL, parted by separators, without secrets and their companions; `begin` goes
 * before the first. */
static sc_status append_kept(struct sc_buffer *out, const char *begin, const char *p, size_t n,
                             const char *separators, struct sc_error *err) {
  int n_kept = 0;
  sc_status st = SC_OK;
  for (size_t at = 0; at <= n && !st;) {
    size_t m = part_bytes(p + at, n - at, separators);
    int is_kept = m && judge(p + at, m, 0) == PARAMETER_PLAIN;
    if (is_kept && !n_kept) st = sc_buffer_append_text(out, begin, err);
    if (is_kept && n_kept) st = sc_buffer_append(out, p + at - 1, 1, err);
    if (is_kept && !st) st = sc_buffer_append(out, p + at, m, err);
    n_kept += is_kept;
    at += m + 1;
  }
  return st;
}

/* --- what is remembered for handles --- */

static struct remembered {
  uint64_t number;
  char *href; /* owned */
} remembered[N_REMEMBERED];
static size_t next_remembered;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static sc_status remember(const char *href, size_t n, uint64_t *number, struct sc_error *err) {
  sc_status st = SC_OK;
  pthread_mutex_lock(&lock);
  *number = 0;
  for (size_t i = 0; i < N_REMEMBERED && !*number; i++) {
    const char *known = remembered[i].href;
    if (known && strlen(known) == n && memcmp(known, href, n) == 0) *number = remembered[i].number;
  }
  if (!*number) {
    struct remembered *r = &remembered[next_remembered++ % N_REMEMBERED];
    sc_free(r->href);
    sqlite3_randomness((int)sizeof r->number, &r->number);
    st = sc_strndup(href, n, &r->href, err);
    *number = r->number;
  }
  pthread_mutex_unlock(&lock);
  return st;
}

sc_status sc_href_remembered(const char *href, char **out, struct sc_error *err) {
  const char *mark = strstr(href, SC_ACCESS_NOT_STORED "=");
  sc_status st = SC_OK;
  *out = NULL;
  if (!mark) return SC_OK;
  uint64_t number = strtoull(mark + strlen(SC_ACCESS_NOT_STORED "="), NULL, 16);
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < N_REMEMBERED && !*out && !st; i++) {
    const struct remembered *r = &remembered[i];
    if (r->href && r->number == number) st = sc_strdup(r->href, out, err);
  }
  pthread_mutex_unlock(&lock);
  return st;
}

/* --- URLs and texts --- */

enum purpose { PURPOSE_STORE, PURPOSE_HANDLE };

static sc_status append_mark(struct sc_buffer *out, const char *url, size_t n, enum purpose purpose,
                             struct sc_error *err) {
  uint64_t number;
  sc_status st = sc_buffer_append_text(out, SC_ACCESS_NOT_STORED, err);
  if (st || purpose == PURPOSE_STORE) return st;
  st = remember(url, n, &number, err);
  return st ? st : sc_buffer_printf(out, err, "=%016" PRIx64, number);
}

/* A path, without parameters of its segments (";name=value") that are secret. */
static sc_status append_path(struct sc_buffer *out, const char *p, size_t n, struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t at = 0; at < n && !st;) {
    int is_parameter = p[at] == ';';
    size_t m = is_parameter +
               part_bytes(p + at + is_parameter, n - at - is_parameter, is_parameter ? ";/" : ";");
    int is_kept =
        !is_parameter || !memchr(p + at, '=', m) || judge(p + at + 1, m - 1, 0) != PARAMETER_SECRET;
    if (is_kept) st = sc_buffer_append(out, p + at, m, err);
    at += m;
  }
  return st;
}

/* "?..." of n bytes. */
static sc_status append_query(struct sc_buffer *out, const char *p, size_t n,
                              struct sc_error *err) {
  if (!n || !has_secret(p + 1, n - 1, "&;", 0)) return sc_buffer_append(out, p, n, err);
  return append_kept(out, "?", p + 1, n - 1, "&;", err);
}

/* "#..." of n bytes: parameters too, where single-page applications have them. */
static sc_status append_fragment(struct sc_buffer *out, const char *p, size_t n,
                                 struct sc_error *err) {
  int is_secret = n && has_secret(p + 1, n - 1, "?&;#/!", 0);
  return is_secret ? SC_OK : sc_buffer_append(out, p, n, err);
}

/* An absolute URL, or a reference to one. Local paths are left alone by the caller. */
static sc_status append_url(struct sc_buffer *out, const char *url, size_t n, enum purpose purpose,
                            struct sc_error *err) {
  const char *colon = memmem(url, n, "://", 3);
  int is_of_scheme = !colon && n > 2 && memcmp(url, "//", 2) == 0; /* whichever its base has */
  size_t head = colon ? (size_t)(colon - url) + 3 : is_of_scheme ? 2 : 0, start = out->size;
  int is_http = colon && strncasecmp(url, "http", 4) == 0;
  size_t host = head ? head + part_bytes(url + head, n - head, "/?#") : 0;
  const char *user = head ? sc_access_skip_user(url + head, host - head, is_http || !colon) : url;
  size_t path = host + part_bytes(url + host, n - host, "?#");
  size_t query = path + part_bytes(url + path, n - path, "#");
  sc_status st = sc_buffer_append(out, url, head, err);
  if (!st) st = sc_buffer_append(out, user, (size_t)(url + host - user), err);
  if (!st) st = append_path(out, url + host, path - host, err);
  if (!st) st = append_query(out, url + path, query - path, err);
  size_t bare = out->size;
  if (!st) st = append_fragment(out, url + query, n - query, err);
  int is_marked = n - query >= strlen(SC_ACCESS_NOT_STORED) &&
                  memcmp(url + query, SC_ACCESS_NOT_STORED, strlen(SC_ACCESS_NOT_STORED)) == 0;
  if (is_marked && purpose == PURPOSE_HANDLE) return st;
  if (st || !is_http || (out->size - start == n && !is_marked)) return st;
  out->size = bare;
  return append_mark(out, url, n, purpose, err);
}

/* A text, and the URLs in it. */
static sc_status append_text(struct sc_buffer *out, const char *text, enum purpose purpose,
                             struct sc_error *err) {
  const char *p = text, *found;
  sc_status st = SC_OK;
  while (!st && (found = strstr(p, "://")) != NULL) {
    const char *begin = found;
    while (begin > p && (isalnum((unsigned char)begin[-1]) || strchr("+.-", begin[-1]))) begin--;
    /* A text that is one URL is so to its end, whatever it holds. */
    size_t n = begin == text ? strlen(begin) : strcspn(begin, "\" \t\r\n<>");
    st = sc_buffer_append(out, p, (size_t)(begin - p), err);
    if (!st) st = append_url(out, begin, n, purpose, err);
    p = begin + n;
  }
  return st ? st : sc_buffer_append_text(out, p, err);
}

/* --- items --- */

/* Members whose texts are secrets wherever they stand: of headers, of storage options. */
static int is_secret_member(const char *name) {
  static const char *const names[] = {"authorization",    "cookie",
                                      "password",         "passwd",
                                      "secret",           "token",
                                      "accesstoken",      "sastoken",
                                      "apikey",           "xapikey",
                                      "accountkey",       "accesskey",
                                      "secretkey",        "sharedkey",
                                      "privatekey",       "credential",
                                      "sessiontoken",     "clientsecret",
                                      "secretaccesskey",  "awssecretaccesskey",
                                      "awssessiontoken",  "refreshtoken",
                                      "idtoken",          "jwt",
                                      "xauthtoken",       "ocpapimsubscriptionkey",
                                      "connectionstring", NULL};
  char whole[NAME_MAX_BYTES];
  collapse(name, whole);
  return is_among(names, whole);
}

static int names_href(const char *key) {
  char whole[NAME_MAX_BYTES];
  collapse(key ? key : "", whole);
  size_t n = strlen(whole);
  return n >= 3 &&
         (strstr(whole, "href") || !strcmp(whole + n - 3, "url") || !strcmp(whole + n - 3, "uri"));
}

static sc_status clean_string(cJSON *value, enum purpose purpose, struct sc_error *err) {
  struct sc_buffer b = {0};
  const char *text = value->valuestring;
  int is_local = *text == '/' && text[1] != '/';
  int is_reference = names_href(value->string) && !is_local && !strstr(text, "://");
  if (!strpbrk(text, "?@#;")) return SC_OK;
  sc_status st = is_reference ? append_url(&b, text, strlen(text), purpose, err)
                              : append_text(&b, text, purpose, err);
  if (!st) st = sc_buffer_terminate(&b, err);
  if (!st && !cJSON_SetValuestring(value, (char *)b.data)) st = sc_fail_nomem(err);
  sc_buffer_free(&b);
  return st;
}

/* As deep as cJSON parses: 1000 levels. */
static sc_status clean_value(cJSON *value, enum purpose purpose, struct sc_error *err) {
  sc_status st = SC_OK;
  if (cJSON_IsString(value)) return clean_string(value, purpose, err);
  for (cJSON *child = value->child, *next; child && !st; child = next) {
    next = child->next;
    if (cJSON_IsString(child) && child->string && is_secret_member(child->string)) {
      cJSON_Delete(cJSON_DetachItemViaPointer(value, child));
    } else {
      st = clean_value(child, purpose, err);
    }
  }
  return st;
}

/* Text that looks like JSON but does not parse: escapes that hide a URL are undone first. */
static sc_status append_broken(struct sc_buffer *out, const char *text, enum purpose purpose,
                               struct sc_error *err) {
  char *plain = NULL;
  sc_status st = sc_strdup(text, &plain, err);
  if (st) return st;
  char *to = plain;
  for (const char *p = text; *p; to++) {
    int high = strncmp(p, "\\u00", 4) == 0 ? sc_hex_digit(p[4]) : -1;
    int low = high < 0 ? -1 : sc_hex_digit(p[5]), c = low < 0 ? 0 : high * 16 + low;
    int is_escape = c >= 0x21 && c < 0x7f && c != '"' && c != '\\';
    int is_slash = p[0] == '\\' && p[1] == '/';
    *to = is_escape ? (char)c : is_slash ? '/' : *p;
    p += is_escape ? 6 : is_slash ? 2 : 1;
  }
  *to = '\0';
  st = append_text(out, plain, purpose, err);
  sc_free(plain);
  return st;
}

static sc_status append_item(struct sc_buffer *out, const char *text, enum purpose purpose,
                             struct sc_error *err) {
  cJSON *json = cJSON_ParseWithOpts(text, NULL, 1);
  if (!json) return append_broken(out, text, purpose, err);
  sc_status st = clean_value(json, purpose, err);
  char *clean = st ? NULL : cJSON_PrintUnformatted(json);
  if (!st) st = clean ? sc_buffer_append_text(out, clean, err) : sc_fail_nomem(err);
  cJSON_free(clean);
  cJSON_Delete(json);
  return st;
}

static sc_status without_secrets(const char *text, enum purpose purpose, char **out,
                                 struct sc_error *err) {
  struct sc_buffer b = {0};
  *out = NULL;
  if (!text) return SC_OK;
  sc_status st = sc_sniff_is_json(text, strlen(text)) ? append_item(&b, text, purpose, err)
                                                      : append_text(&b, text, purpose, err);
  if (!st) st = sc_buffer_terminate(&b, err);
  if (st) {
    sc_buffer_free(&b);
    return st;
  }
  *out = (char *)b.data;
  return SC_OK;
}

sc_status sc_href_without_secrets(const char *text, char **out, struct sc_error *err) {
  return without_secrets(text, PURPOSE_STORE, out, err);
}

sc_status sc_href_for_handle(const char *text, char **out, struct sc_error *err) {
  return without_secrets(text, PURPOSE_HANDLE, out, err);
}
