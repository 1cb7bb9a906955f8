/* Arguments of a merged index; see args.h. */
#include "merge/args.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/options.h"

static int is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* One argument cut in two, blanks and quotes taken off. Both freed by the caller. */
static sc_status split_argument(const char *argument, char **key, char **value,
                                struct sc_error *err) {
  const char *equals = strchr(argument, '=');
  if (!equals) {
    return sc_fail(err, SC_BAD_ARG,
                   "stacchip_merge: argument '%s': expected key=value, such as chip_size=256",
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

/* The arguments as the options of a function would be written. */
static sc_status arguments_as_json(int n, const char *const *arguments, cJSON *out,
                                   struct sc_error *err) {
  sc_status st = SC_OK;
  for (int i = 0; i < n && !st; i++) {
    char *key = NULL, *value = NULL;
    st = split_argument(arguments[i], &key, &value, err);
    /* A bucket is a name, even if it is that of a folder 2024. */
    cJSON *member =
        !st && is_json(value) && strcmp(key, "bucket") ? cJSON_ParseWithOpts(value, NULL, 1) : NULL;
    if (!st && !member) member = cJSON_CreateString(value);
    if (!st && !(member && cJSON_AddItemToObject(out, key, member))) st = sc_fail_nomem(err);
    sc_free(key);
    sc_free(value);
  }
  return st;
}

/* Arguments beside the options of an index. */
struct own {
  const char *bucket;
  int headers, on_error;
};
enum { BUCKET, HEADERS, ON_ERROR };
static const struct sc_option own_table[] = {
    [BUCKET] = {"bucket", SC_OPTION_TEXT, offsetof(struct own, bucket), 0, 0, NULL, NULL,
                "the folder or bucket of an archive, whose items lie in "
                "{bucket}/{platform}/{item}/stac_item.json"},
    [HEADERS] = {"headers", SC_OPTION_CHOICE, offsetof(struct own, headers), 0, 0,
                 "eager|lazy|none", "\"eager\"",
                 "when the headers of remote files are read and stored"},
    [ON_ERROR] = {"on_error", SC_OPTION_CHOICE, offsetof(struct own, on_error), 0, 0,
                  SC_MERGE_ON_ERROR_CHOICES, "\"abort\"",
                  "what becomes of an item that cannot be read: the statement fails, or the item "
                  "goes to the table's errors"},
};
const struct sc_option_table sc_merge_option_table = SC_OPTION_TABLE(own_table);

sc_status sc_merge_on_error_parse(const char *text, enum sc_merge_on_error *out,
                                  struct sc_error *err) {
  int choice = 0;
  struct sc_option option = own_table[ON_ERROR];
  option.offset = 0;
  const struct sc_option_set set = {&option, 1, &choice, NULL};
  cJSON *json = cJSON_CreateObject();
  sc_status st =
      json && cJSON_AddStringToObject(json, "on_error", text) ? SC_OK : sc_fail_nomem(err);
  if (!st) st = sc_options_read(json, "stacchip_merge", &set, err);
  *out = (enum sc_merge_on_error)choice;
  cJSON_Delete(json);
  return st;
}

sc_status sc_merge_args_parse(int n, const char *const *arguments, struct sc_merge_args *out,
                              struct sc_error *err) {
  struct own own = {0};
  const struct sc_option_set set = {own_table, sizeof own_table / sizeof *own_table, &own, NULL};
  cJSON *json = cJSON_CreateObject();
  memset(out, 0, sizeof *out);
  sc_status st = json ? arguments_as_json(n, arguments, json, err) : sc_fail_nomem(err);
  if (!st) st = sc_index_options_read(json, "stacchip_merge", &set, &out->index, err);
  if (!st) st = sc_strdup(own.bucket, &out->bucket, err);
  out->headers = (enum sc_headers)own.headers;
  out->on_error = (enum sc_merge_on_error)own.on_error;
  cJSON_Delete(json);
  if (st) sc_merge_args_free(out);
  return st;
}

void sc_merge_args_free(struct sc_merge_args *args) {
  sc_free(args->bucket);
  sc_index_options_free(&args->index);
  memset(args, 0, sizeof *args);
}
