/* The page as one file; see single_file.h. */
#include "browse/single_file.h"

#include <string.h>

#include "base/sha256.h"
#include "browse/page_file.h"

static const char *const styles[] = {"leaflet.css", "style.css"};
static const char *const scripts[] = {"leaflet.js", "page.js"};

static sc_status put(struct sc_sink *out, const char *text, struct sc_error *err) {
  return sc_sink_write(out, text, strlen(text), err);
}

sc_status sc_single_file_base64(struct sc_sink *out, const unsigned char *bytes, size_t n,
                                struct sc_error *err) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char text[4096];
  size_t at = 0;
  sc_status st = SC_OK;
  for (size_t i = 0; i < n && !st; i += 3) {
    unsigned v = (unsigned)bytes[i] << 16;
    if (i + 1 < n) v |= (unsigned)bytes[i + 1] << 8;
    if (i + 2 < n) v |= bytes[i + 2];
    text[at++] = letters[v >> 18];
    text[at++] = letters[v >> 12 & 63];
    text[at++] = i + 1 < n ? letters[v >> 6 & 63] : '=';
    text[at++] = i + 2 < n ? letters[v & 63] : '=';
    if (at == sizeof text || i + 3 >= n) {
      st = sc_sink_write(out, text, at, err);
      at = 0;
    }
  }
  return st;
}

static sc_status need(const char *name, const struct sc_page_file **out, struct sc_error *err) {
  *out = sc_page_file(name);
  return *out ? SC_OK
              : sc_fail(err, SC_UNSUPPORTED,
                        "this program was built without its page: %s was missing", name);
}

/* The sources of a policy that allows these files, as texts of elements, and nothing else. */
static sc_status put_hashes(struct sc_sink *out, const char *directive, const char *const *names,
                            struct sc_error *err) {
  sc_status st = put(out, directive, err);
  for (int i = 0; i < 2 && !st; i++) {
    const struct sc_page_file *f;
    uint8_t hash[SC_SHA256_BYTES];
    st = need(names[i], &f, err);
    if (st) break;
    sc_sha256(f->data, f->size, hash);
    st = put(out, " 'sha256-", err);
    if (!st) st = sc_single_file_base64(out, hash, sizeof hash, err);
    if (!st) st = put(out, "'", err);
  }
  return st ? st : put(out, ";", err);
}

static sc_status put_policy(struct sc_sink *out, struct sc_error *err) {
  sc_status st = put(out,
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                     "img-src data:; base-uri 'none'; form-action 'none';",
                     err);
  if (!st) st = put_hashes(out, " style-src", styles, err);
  if (!st) st = put_hashes(out, " script-src", scripts, err);
  return st ? st : put(out, "\">\n", err);
}

static sc_status put_element(struct sc_sink *out, const char *begin, const char *name,
                             const char *end, struct sc_error *err) {
  const struct sc_page_file *f;
  sc_status st = need(name, &f, err);
  if (!st) st = put(out, begin, err);
  if (!st) st = sc_sink_write(out, f->data, f->size, err);
  return st ? st : put(out, end, err);
}

/* A line of index.html: those that name other files are left out, the policy stands before all
 * that it is for, the styles where the head ends. */
static sc_status put_line(struct sc_sink *out, const char *line, size_t n, struct sc_error *err) {
  static const char *const left_out[] = {"<link ", "<script ", "</body>", "</html>"};
  sc_status st = SC_OK;
  for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++) {
    if (strncmp(line, left_out[i], strlen(left_out[i])) == 0) return SC_OK;
  }
  int is_end = strncmp(line, "</head>", 7) == 0;
  for (int i = 0; i < 2 && is_end && !st; i++) {
    st = put_element(out, "<style>", styles[i], "</style>\n", err);
  }
  if (!st) st = sc_sink_write(out, line, n, err);
  if (!st && strncmp(line, "<meta charset=", 14) == 0) st = put_policy(out, err);
  return st;
}

sc_status sc_single_file_begin(struct sc_sink *out, struct sc_error *err) {
  const struct sc_page_file *page, *world = sc_page_file("world.json");
  sc_status st = need("index.html", &page, err);
  if (st) return st;
  for (const char *line = page->data; *line && !st;) {
    size_t n = strcspn(line, "\n");
    if (line[n]) n++;
    st = put_line(out, line, n, err);
    line += n;
  }
  if (!st) st = put(out, "<script type=\"application/json\" id=\"world\">", err);
  if (!st)
    st = world ? sc_single_file_json(out, world->data, world->size, err) : put(out, "null", err);
  return st ? st : put(out, "</script>\n<script type=\"application/json\" id=\"data\">", err);
}

sc_status sc_single_file_json(struct sc_sink *out, const char *json, size_t n,
                              struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t at = 0; at < n && !st;) {
    size_t plain = at;
    while (plain < n && json[plain] != '<' && json[plain] != '>' && json[plain] != '&') plain++;
    if (plain > at) st = sc_sink_write(out, json + at, plain - at, err);
    if (!st && plain < n)
      st = put(out,
               json[plain] == '<'   ? "\\u003c"
               : json[plain] == '>' ? "\\u003e"
                                    : "\\u0026",
               err);
    at = plain + 1;
  }
  return st;
}

sc_status sc_single_file_end(struct sc_sink *out, struct sc_error *err) {
  sc_status st = put(out, "</script>\n", err);
  if (!st) st = put_element(out, "<script>", scripts[0], "</script>\n", err);
  if (!st) st = put_element(out, "<script type=\"module\">", scripts[1], "</script>\n", err);
  return st ? st : put(out, "</body>\n</html>\n", err);
}
