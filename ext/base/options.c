/* Options arguments; see options.h. */
#include "base/options.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"

static sc_status fail_unknown(const char *key, const char *what, const struct sc_option *table,
                              size_t n, struct sc_error *err) {
  struct sc_buffer list = {0};
  sc_status st = SC_OK;
  for (size_t i = 0; i < n && !st; i++) {
    st = sc_buffer_printf(&list, err, "%s%s", i ? ", " : "", table[i].key);
  }
  if (!st) {
    st = sc_fail(err, SC_BAD_ARG, "%s: unknown option '%s'; there are: %s", what, key,
                 n ? (const char *)list.data : "none");
  }
  sc_buffer_free(&list);
  return st;
}

static sc_status fail_number(const cJSON *value, const char *what, const struct sc_option *o,
                             struct sc_error *err) {
  const char *kind = o->type == SC_OPTION_INT ? "a whole number" : "a number";
  if (cJSON_IsNumber(value)) {
    return sc_fail(err, SC_BAD_ARG, "%s: '%s' is %.15g; it takes %s from %.15g to %.15g", what,
                   o->key, value->valuedouble, kind, o->least, o->most);
  }
  return sc_fail(err, SC_BAD_ARG, "%s: '%s' takes %s from %.15g to %.15g", what, o->key, kind,
                 o->least, o->most);
}

/* Position of `word` among "a|b|c", or -1. */
static int find_choice(const char *choices, const char *word) {
  size_t n = strlen(word);
  for (int i = 0;; i++) {
    size_t length = strcspn(choices, "|");
    if (length == n && memcmp(choices, word, n) == 0) return i;
    if (!choices[length]) return -1;
    choices += length + 1;
  }
}

static sc_status read_value(const cJSON *value, const char *what, const struct sc_option *o,
                            void *member, struct sc_error *err) {
  double d = value->valuedouble;
  int choice;
  switch (o->type) {
    case SC_OPTION_INT:
      if (!cJSON_IsNumber(value) || d != floor(d) || !(d >= o->least && d <= o->most)) {
        return fail_number(value, what, o, err);
      }
      *(int64_t *)member = (int64_t)d;
      return SC_OK;
    case SC_OPTION_REAL:
      if (!cJSON_IsNumber(value) || !(d >= o->least && d <= o->most)) {
        return fail_number(value, what, o, err);
      }
      *(double *)member = d;
      return SC_OK;
    case SC_OPTION_BOOL: {
      /* json_object('valid', 1) is how SQL says true. */
      int is_bool = cJSON_IsBool(value) || (cJSON_IsNumber(value) && (d == 0 || d == 1));
      if (!is_bool) return sc_fail(err, SC_BAD_ARG, "%s: '%s' takes true or false", what, o->key);
      *(int *)member = cJSON_IsTrue(value) || (cJSON_IsNumber(value) && d == 1);
      return SC_OK;
    }
    case SC_OPTION_TEXT:
      if (!cJSON_IsString(value))
        return sc_fail(err, SC_BAD_ARG, "%s: '%s' takes a text", what, o->key);
      *(const char **)member = value->valuestring;
      return SC_OK;
    case SC_OPTION_CHOICE:
      choice = cJSON_IsString(value) ? find_choice(o->choices, value->valuestring) : -1;
      if (choice < 0) {
        return sc_fail(err, SC_BAD_ARG, "%s: '%s' takes one of %s%s%s%s", what, o->key, o->choices,
                       cJSON_IsString(value) ? ", not '" : "",
                       cJSON_IsString(value) ? value->valuestring : "",
                       cJSON_IsString(value) ? "'" : "");
      }
      *(int *)member = choice;
      return SC_OK;
    case SC_OPTION_JSON: break;
  }
  *(const cJSON **)member = value;
  return SC_OK;
}

sc_status sc_options_read(const cJSON *object, const char *what, const struct sc_option *table,
                          size_t n, void *target, struct sc_error *err) {
  const cJSON *value;
  if (!cJSON_IsObject(object)) {
    return sc_fail(err, SC_BAD_ARG, "%s: not a JSON object", what);
  }
  cJSON_ArrayForEach(value, object) {
    size_t i = 0;
    while (i < n && strcmp(table[i].key, value->string) != 0) i++;
    if (i == n) return fail_unknown(value->string, what, table, n, err);
    if (cJSON_IsNull(value)) continue;
    sc_status st = read_value(value, what, &table[i], (char *)target + table[i].offset, err);
    if (st) return st;
  }
  return SC_OK;
}

sc_status sc_options_parse(const char *text, const char *what, const struct sc_option *table,
                           size_t n, struct sc_options *options, void *target,
                           struct sc_error *err) {
  options->json = NULL;
  if (!text || !*text) return SC_OK;
  options->json = cJSON_ParseWithOpts(text, NULL, 1);
  if (!options->json) {
    return sc_fail(err, SC_BAD_ARG, "%s: not a JSON object: %.60s", what, text);
  }
  sc_status st = sc_options_read(options->json, what, table, n, target, err);
  if (st) sc_options_free(options);
  return st;
}

void sc_options_free(struct sc_options *options) {
  cJSON_Delete(options->json);
  options->json = NULL;
}
