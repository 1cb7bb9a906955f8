/* Rows of a group; see group.h. */
#include "pixels/group.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

sc_status sc_group_add(struct sc_group *s, sqlite3_value *handle, sqlite3_value *sort_key,
                       struct sc_error *err) {
  if (s->n_rows == s->capacity) {
    size_t capacity = s->capacity ? 2 * s->capacity : 32;
    struct sc_group_row *rows = sc_realloc(s->rows, capacity * sizeof *rows);
    if (!rows) return sc_fail_nomem(err);
    s->rows = rows;
    s->capacity = capacity;
  }
  struct sc_group_row *r = &s->rows[s->n_rows];
  r->handle = sqlite3_value_dup(handle);
  r->sort_key = sort_key ? sqlite3_value_dup(sort_key) : NULL;
  r->position = s->n_rows;
  if (!r->handle || (sort_key && !r->sort_key)) {
    sqlite3_value_free(r->handle);
    sqlite3_value_free(r->sort_key);
    return sc_fail_nomem(err);
  }
  s->n_rows++;
  return SC_OK;
}

sc_status sc_group_take_options(struct sc_group *s, sqlite3_value *value, struct sc_error *err) {
  const char *text = (const char *)sqlite3_value_text(value);
  if (!s->has_rows) return sc_strdup(text, &s->options, err);
  if (strcmp(text ? text : "", s->options ? s->options : "") == 0) return SC_OK;
  return sc_fail(err, SC_BAD_ARG,
                 "position %zu: its options differ from the first row's; a group takes one set",
                 s->n_rows);
}

static void step(sqlite3_context *context, int n, sqlite3_value **values, int with_null) {
  struct sc_group *s = sqlite3_aggregate_context(context, sizeof *s);
  if (!s) {
    sqlite3_result_error_nomem(context);
    return;
  }
  if (s->err.status) return;
  if (n > 1 && sc_group_take_options(s, values[1], &s->err)) return;
  s->has_rows = 1;
  if (!with_null && sqlite3_value_type(values[0]) == SQLITE_NULL) return;
  sc_settle(&s->err, sc_group_add(s, values[0], n > 2 ? values[2] : NULL, &s->err));
}

void sc_group_step(sqlite3_context *context, int n, sqlite3_value **values) {
  step(context, n, values, 0);
}

void sc_group_step_all(sqlite3_context *context, int n, sqlite3_value **values) {
  step(context, n, values, 1);
}

static int type_rank(int type) {
  return type == SQLITE_NULL ? 0 : type == SQLITE_TEXT ? 2 : type == SQLITE_BLOB ? 3 : 1;
}

/* SQLite's order: NULL, numbers, text, blobs; ties by position. */
static int by_sort_key(const void *pa, const void *pb) {
  const struct sc_group_row *a = pa, *b = pb;
  int ta = sqlite3_value_type(a->sort_key), tb = sqlite3_value_type(b->sort_key);
  int c = type_rank(ta) - type_rank(tb);
  if (!c && type_rank(ta) == 1) {
    double x = sqlite3_value_double(a->sort_key), y = sqlite3_value_double(b->sort_key);
    sqlite3_int64 i = sqlite3_value_int64(a->sort_key), j = sqlite3_value_int64(b->sort_key);
    int both_whole = ta == SQLITE_INTEGER && tb == SQLITE_INTEGER;
    c = both_whole ? (i > j) - (i < j) : (x > y) - (x < y);
  } else if (!c && type_rank(ta) > 1) {
    int na = sqlite3_value_bytes(a->sort_key), nb = sqlite3_value_bytes(b->sort_key);
    c = memcmp(sqlite3_value_blob(a->sort_key), sqlite3_value_blob(b->sort_key),
               (size_t)(na < nb ? na : nb));
    if (!c) c = na - nb;
  }
  return c ? c : (a->position > b->position) - (a->position < b->position);
}

struct sc_group *sc_group_take(sqlite3_context *context) {
  struct sc_group *s = sqlite3_aggregate_context(context, 0);
  if (s && s->n_rows > 1 && s->rows[0].sort_key) {
    qsort(s->rows, s->n_rows, sizeof *s->rows, by_sort_key);
  }
  return s;
}

void sc_group_clear(struct sc_group *s) {
  for (size_t i = 0; i < s->n_rows; i++) {
    sqlite3_value_free(s->rows[i].handle);
    sqlite3_value_free(s->rows[i].sort_key);
  }
  sc_free(s->rows);
  sc_free(s->options);
  memset(s, 0, sizeof *s);
}
