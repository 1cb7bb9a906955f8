/* Arguments of a merged index; see args.h. */
#include "merge/args.h"

#include <ctype.h>
#include <string.h>

#include "base/alloc.h"

#define OWN_NAMES "bucket, headers, on_error"

static int is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* One argument cut in two, blanks and quotes taken off. Both freed by the caller. */
static sc_status split_argument(const char *argument, char **key, char **value,
                                struct sc_error *err) {
  const char *equals = strchr(argument, '=');
  if (!equals) {
    return sc_fail(err, SC_BAD_ARG, "argument \"%s\": expected key=value, such as chip_size=256",
                   argument);
  }
  const char *k = argument, *k_end = equals, *v = equals + 1, *v_end = v + strlen(v);
  while (k < k_end && is_space(*k)) k++;
  while (k_end > k && is_space(k_end[-1])) k_end--;
  while (v < v_end && is_space(*v)) v++;
  while (v_end > v && is_space(v_end[-1])) v_end--;
  sc_status st = sc_strndup(k, (size_t)(k_end - k), key, err);
  if (!st) st = sc_strndup(v, (size_t)(v_end - v), value, err);
  if (st) return st;
  size_t n = strlen(*value);
  char quote = **value, *to = *value;
  if (n < 2 || (quote != '\'' && quote != '"') || (*value)[n - 1] != quote) return SC_OK;
  (*value)[n - 1] = '\0';
  for (const char *from = *value + 1; *from; from++) {
    *to++ = *from;
    if (*from == quote && from[1] == quote) from++;
  }
  *to = '\0';
  return SC_OK;
}

/* Numbers, JSON arrays and objects, true, false and null stay as they are; the rest is text. */
static int is_json(const char *v) {
  if (*v == '[' || *v == '{') return 1;
  if (!strcmp(v, "true") || !strcmp(v, "false") || !strcmp(v, "null")) return 1;
  const char *p = *v == '-' ? v + 1 : v;
  if (!isdigit((unsigned char)*p)) return 0;
  return strspn(p, "0123456789.eE+-") == strlen(p);
}

static sc_status one_of(const char *key, const char *value, const char *const *names, int n,
                        int *out, struct sc_error *err) {
  for (int i = 0; i < n; i++) {
    if (strcmp(value, names[i]) == 0) {
      *out = i;
      return SC_OK;
    }
  }
  return sc_fail(err, SC_BAD_ARG, "%s=%s: expected %s%s%s%s%s", key, value, names[0], " or ",
                 names[1], n > 2 ? " or " : "", n > 2 ? names[2] : "");
}

sc_status sc_merge_on_error_parse(const char *text, enum sc_merge_on_error *out,
                                  struct sc_error *err) {
  static const char *const names[] = {"abort", "record"};
  int i = 0;
  sc_status st = one_of("on_error", text, names, 2, &i, err);
  *out = (enum sc_merge_on_error)i;
  return st;
}

/* Take an argument that is the table's own; *taken says whether it was one. */
static sc_status take_own(const char *key, char **value, struct sc_merge_args *out, int *taken,
                          struct sc_error *err) {
  static const char *const headers[] = {"eager", "lazy", "none"};
  int i = 0;
  sc_status st = SC_OK;
  *taken = 1;
  if (strcmp(key, "bucket") == 0) {
    sc_free(out->bucket);
    out->bucket = *value;
    *value = NULL;
    return SC_OK;
  }
  if (strcmp(key, "on_error") == 0) return sc_merge_on_error_parse(*value, &out->on_error, err);
  if (strcmp(key, "headers") == 0) {
    st = one_of(key, *value, headers, 3, &i, err);
    out->headers = (enum sc_headers)i;
    return st;
  }
  *taken = 0;
  return SC_OK;
}

static sc_status append_option(struct sc_buffer *json, const char *key, const char *value,
                               struct sc_error *err) {
  sc_status st = sc_buffer_append_text(json, json->size > 1 ? "," : "", err);
  if (!st) st = sc_buffer_append_json(json, key, err);
  if (!st) st = sc_buffer_append_text(json, ":", err);
  if (st) return st;
  return is_json(value) ? sc_buffer_append_text(json, value, err)
                        : sc_buffer_append_json(json, value, err);
}

sc_status sc_merge_args_parse(int n, const char *const *arguments, struct sc_merge_args *out,
                              struct sc_error *err) {
  struct sc_buffer json = {0};
  memset(out, 0, sizeof *out);
  sc_status st = sc_buffer_append_text(&json, "{", err);
  for (int i = 0; i < n && !st; i++) {
    char *key = NULL, *value = NULL;
    int taken = 0;
    st = split_argument(arguments[i], &key, &value, err);
    if (!st) st = take_own(key, &value, out, &taken, err);
    if (!st && !taken) st = append_option(&json, key, value, err);
    sc_free(key);
    sc_free(value);
  }
  if (!st) st = sc_buffer_append_text(&json, "}", err);
  if (!st) st = sc_buffer_terminate(&json, err);
  if (!st) {
    st = sc_index_options_parse((char *)json.data, &out->index, err);
    if (st == SC_BAD_ARG) sc_fail_within(err, "stacchip_merge (its own: " OWN_NAMES ")");
  }
  sc_buffer_free(&json);
  if (st) sc_merge_args_free(out);
  return st;
}

void sc_merge_args_free(struct sc_merge_args *args) {
  sc_free(args->bucket);
  sc_index_options_free(&args->index);
  memset(args, 0, sizeof *args);
}
