/* Options arguments; see options.h. */
#include "base/options.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/sqlite.h"

/* --- messages --- */

static sc_status fail_unknown(const char *key, const char *what, const struct sc_option_set *sets,
                              struct sc_error *err) {
  struct sc_buffer list = {0};
  sc_status st = sc_buffer_append_text(&list, "", err);
  for (const struct sc_option_set *set = sets; set; set = set->next) {
    for (size_t i = 0; i < set->n && !st; i++) {
      st = sc_buffer_printf(&list, err, "%s%s", list.size ? ", " : "", set->table[i].key);
    }
  }
  if (!st) st = sc_buffer_terminate(&list, err);
  if (!st) {
    st = sc_fail(err, SC_BAD_ARG, "%s: unknown option '%s'; options: %s", what, key,
                 (const char *)list.data);
  }
  sc_buffer_free(&list);
  return st;
}

/* What was found, as a user wrote it: texts in quotes, else JSON. */
static sc_status put_found(struct sc_buffer *out, const cJSON *found, struct sc_error *err) {
  if (cJSON_IsString(found)) return sc_buffer_printf(out, err, "'%.60s'", found->valuestring);
  char *json = cJSON_PrintUnformatted(found);
  if (!json) return sc_fail_nomem(err);
  sc_status st = sc_buffer_printf(out, err, "%.60s%s", json, strlen(json) > 60 ? "..." : "");
  cJSON_free(json);
  return st;
}

sc_status sc_option_fail(struct sc_error *err, const char *what, const char *key,
                         const cJSON *found, const char *expected, ...) {
  struct sc_buffer text = {0};
  struct sc_error rule = {0};
  va_list args;
  va_start(args, expected);
  sc_vfail(&rule, SC_BAD_ARG, expected, args);
  va_end(args);
  sc_status st = sc_buffer_append_text(&text, found ? ", found " : "", err);
  if (!st) st = found ? put_found(&text, found, err) : sc_buffer_terminate(&text, err);
  if (!st) {
    st = sc_fail(err, SC_BAD_ARG, "%s: option '%s': expected %s%s", what, key, rule.text,
                 (const char *)text.data);
  }
  sc_buffer_free(&text);
  return st;
}

/* "a, b, c" of "a|b=b2|c". */
static sc_status list_choices(struct sc_buffer *out, const char *choices, struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t n; !st; choices += n + 1) {
    n = strcspn(choices, "|");
    st = sc_buffer_printf(out, err, "%.*s%s", (int)strcspn(choices, "|="), choices,
                          choices[n] ? ", " : "");
    if (!choices[n]) break;
  }
  return st;
}

sc_status sc_option_fail_choice(struct sc_error *err, const char *what, const char *key,
                                const cJSON *found, const char *choices) {
  struct sc_buffer text = {0};
  sc_status st = put_found(&text, found, err);
  if (!st) st = sc_buffer_append_text(&text, " is not one of ", err);
  if (!st) st = list_choices(&text, choices, err);
  if (!st) {
    st = sc_fail(err, SC_BAD_ARG, "%s: option '%s': %s", what, key, (const char *)text.data);
  }
  sc_buffer_free(&text);
  return st;
}

static sc_status fail_number(const cJSON *value, const char *what, const struct sc_option *o,
                             struct sc_error *err) {
  return sc_option_fail(err, what, o->key, value, "%s from %.15g to %.15g",
                        o->type == SC_OPTION_INT ? "a whole number" : "a number", o->least,
                        o->most);
}

sc_status sc_option_format_type(const struct sc_option *o, struct sc_buffer *out,
                                struct sc_error *err) {
  switch (o->type) {
    case SC_OPTION_INT:
      return sc_buffer_printf(out, err, "a whole number from %.16g to %.16g", o->least, o->most);
    case SC_OPTION_REAL:
      return sc_buffer_printf(out, err, "a number from %.16g to %.16g", o->least, o->most);
    case SC_OPTION_BOOL: return sc_buffer_append_text(out, "true or false", err);
    case SC_OPTION_TEXT: return sc_buffer_append_text(out, "a text", err);
    case SC_OPTION_CHOICE: return list_choices(out, o->choices, err);
    case SC_OPTION_NAMES: return sc_buffer_append_text(out, "a name or an array of names", err);
    default: return sc_buffer_append_text(out, o->choices, err);
  }
}

/* --- values --- */

/* Position of `word` among "a|b|c", other spellings counted with theirs, or -1. */
static int find_choice(const char *choices, const char *word) {
  size_t n = strlen(word);
  for (int i = 0;;) {
    size_t length = strcspn(choices, "|=");
    if (length == n && sqlite3_strnicmp(choices, word, (int)n) == 0) return i;
    if (!choices[length]) return -1;
    i += choices[length] == '|';
    choices += length + 1;
  }
}

static int is_names(const cJSON *value) {
  const cJSON *name;
  int ok = cJSON_IsString(value) || (cJSON_IsArray(value) && value->child);
  if (cJSON_IsArray(value)) cJSON_ArrayForEach(name, value) ok &= cJSON_IsString(name);
  return ok;
}

static sc_status read_value(const cJSON *value, const char *what, const struct sc_option *o,
                            void *member, struct sc_error *err) {
  double d = value->valuedouble;
  int is_number = cJSON_IsNumber(value), choice;
  switch (o->type) {
    case SC_OPTION_INT:
      if (!is_number || d != floor(d) || !(d >= o->least && d <= o->most))
        return fail_number(value, what, o, err);
      *(int64_t *)member = (int64_t)d;
      return SC_OK;
    case SC_OPTION_REAL:
      if (!is_number || !(d >= o->least && d <= o->most)) return fail_number(value, what, o, err);
      *(double *)member = d;
      return SC_OK;
    case SC_OPTION_BOOL:
      /* json_object('valid', 1) is how SQL says true. */
      if (!cJSON_IsBool(value) && !(is_number && (d == 0 || d == 1)))
        return sc_option_fail(err, what, o->key, value, "true or false");
      *(int *)member = cJSON_IsTrue(value) || (is_number && d == 1);
      return SC_OK;
    case SC_OPTION_TEXT:
      if (!cJSON_IsString(value)) return sc_option_fail(err, what, o->key, value, "a text");
      *(const char **)member = value->valuestring;
      return SC_OK;
    case SC_OPTION_CHOICE:
      choice = cJSON_IsString(value) ? find_choice(o->choices, value->valuestring) : -1;
      if (choice < 0) return sc_option_fail_choice(err, what, o->key, value, o->choices);
      *(int *)member = choice;
      return SC_OK;
    case SC_OPTION_NAMES:
      if (!is_names(value))
        return sc_option_fail(err, what, o->key, value, "a name or an array of names");
      break;
    case SC_OPTION_JSON: break;
  }
  *(const cJSON **)member = value;
  return SC_OK;
}

int sc_names_count(const cJSON *names) {
  return !names ? 0 : cJSON_IsString(names) ? 1 : cJSON_GetArraySize(names);
}

const char *sc_names_at(const cJSON *names, int i) {
  return cJSON_IsString(names) ? names->valuestring : cJSON_GetArrayItem(names, i)->valuestring;
}

/* --- objects --- */

static sc_status read_member(const cJSON *value, const char *what, const struct sc_option_set *sets,
                             struct sc_error *err) {
  for (const struct sc_option_set *set = sets; set; set = set->next) {
    for (size_t i = 0; i < set->n; i++) {
      const struct sc_option *o = &set->table[i];
      if (strcmp(o->key, value->string) != 0) continue;
      if (cJSON_IsNull(value)) return SC_OK;
      return read_value(value, what, o, (char *)set->target + o->offset, err);
    }
  }
  return fail_unknown(value->string, what, sets, err);
}

sc_status sc_options_read(const cJSON *object, const char *what, const struct sc_option_set *sets,
                          struct sc_error *err) {
  const cJSON *value;
  if (!cJSON_IsObject(object)) {
    return sc_fail(err, SC_BAD_ARG, "%s: not a JSON object", what);
  }
  cJSON_ArrayForEach(value, object) {
    sc_status st = read_member(value, what, sets, err);
    if (st) return st;
  }
  return SC_OK;
}

sc_status sc_options_parse(const char *text, const char *what, const struct sc_option_set *sets,
                           struct sc_options *options, struct sc_error *err) {
  options->json = NULL;
  if (!text || !*text) return SC_OK;
  options->json = cJSON_ParseWithOpts(text, NULL, 1);
  if (!options->json) {
    return sc_fail(err, SC_BAD_ARG, "%s: not a JSON object: %.60s", what, text);
  }
  sc_status st = sc_options_read(options->json, what, sets, err);
  if (st) sc_options_free(options);
  return st;
}

void sc_options_free(struct sc_options *options) {
  cJSON_Delete(options->json);
  options->json = NULL;
}
