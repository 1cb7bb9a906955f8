/* Keys of chips; see cursor_keys.h. */
#include "merge/cursor_keys.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/db.h"
#include "index/handle.h"

#define VALUES_BETWEEN_LOOKS 4096 /* for an interrupt: some 2 ms */

static sc_status add_id(struct sc_cursor *c, int64_t id, struct sc_error *err) {
  if (c->n_ids == c->ids_capacity) {
    size_t capacity = 2 * c->ids_capacity + 1;
    int64_t *ids = sc_realloc(c->ids, capacity * sizeof *ids);
    if (!ids) return sc_fail_nomem(err);
    c->ids = ids;
    c->ids_capacity = capacity;
  }
  c->ids[c->n_ids++] = id;
  return SC_OK;
}

static sc_status add_rowid(struct sc_cursor *c, sqlite3_value *value, struct sc_error *err) {
  int type = sqlite3_value_numeric_type(value);
  if (type == SQLITE_INTEGER) return add_id(c, sqlite3_value_int64(value), err);
  double v = type == SQLITE_FLOAT ? sqlite3_value_double(value) : 0.5;
  if (!(v >= -9223372036854775808.0 && v < 9223372036854775808.0) || v != (double)(int64_t)v)
    return SC_OK;
  return add_id(c, (int64_t)v, err);
}

/* c->scratch holds what handles of the table begin with. */
static sc_status add_handle(struct sc_cursor *c, sqlite3_value *value, struct sc_error *err) {
  int64_t id;
  if (sqlite3_value_type(value) != SQLITE_TEXT) return SC_OK;
  const char *text = (const char *)sqlite3_value_text(value);
  if (!text) return sc_fail_nomem(err);
  return sc_handle_row_rowid(&c->scratch, text, &id) ? add_id(c, id, err) : SC_OK;
}

/* Take "-{number}", as we write it, off the end of a text of *n bytes. */
static int take_number(const char *text, size_t *n, int32_t *out) {
  size_t at = *n;
  int64_t v = 0, unit = 1;
  for (; at && text[at - 1] >= '0' && text[at - 1] <= '9' && *n - at < 10; at--, unit *= 10)
    v += unit * (text[at - 1] - '0');
  if (at == *n || at == 0 || text[at - 1] != '-' || v > INT32_MAX) return 0;
  if (text[at] == '0' && at + 1 < *n) return 0;
  *n = at - 1;
  *out = (int32_t)v;
  return 1;
}

/* The chip at a position, in the block that the statement stands on. */
static sc_status add_of_block(struct sc_cursor *c, sqlite3_stmt *s, int bit, struct sc_error *err) {
  sc_status st = sc_chip_block_decode(sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1),
                                      &c->block, err);
  if (st) {
    return sc_fail_within(err, "%s_block, row %lld", c->table->name,
                          (long long)sqlite3_column_int64(s, 0));
  }
  if (!sc_chip_block_has(&c->block, bit)) return SC_OK;
  return add_id(c, c->block.chips[sc_chip_block_rank(&c->block, bit)].id, err);
}

/* "{item}-{x}-{y}": items of several platforms and collections may have the id. */
static sc_status add_chipid(struct sc_cursor *c, sqlite3_value *value, struct sc_error *err) {
  int32_t x, y;
  int is_row;
  sqlite3_stmt *s;
  if (sqlite3_value_type(value) != SQLITE_TEXT) return SC_OK;
  const char *text = (const char *)sqlite3_value_text(value);
  if (!text) return sc_fail_nomem(err);
  size_t n = (size_t)sqlite3_value_bytes(value);
  if (!take_number(text, &n, &y) || !take_number(text, &n, &x)) return SC_OK;
  sc_status st = sc_cursor_statement(c, SC_STMT_BLOCK_AT, &s, err);
  if (st) return st;
  sqlite3_bind_text64(s, 1, text, n, SQLITE_STATIC, SQLITE_UTF8);
  sqlite3_bind_int(s, 2, y / SC_CHIP_BLOCK_SIDE);
  sqlite3_bind_int(s, 3, x / SC_CHIP_BLOCK_SIDE);
  st = sc_db_next(s, &is_row, err);
  while (!st && is_row) {
    st = add_of_block(c, s, sc_chip_block_bit(x, y), err);
    if (!st) st = sc_db_next(s, &is_row, err);
  }
  sqlite3_reset(s);
  sqlite3_clear_bindings(s);
  return st;
}

static sc_status add_value(struct sc_cursor *c, int column, sqlite3_value *value,
                           struct sc_error *err) {
  switch (column) {
    case SC_COL_ROWID: return add_rowid(c, value, err);
    case SC_COL_ROW: return add_handle(c, value, err);
    default: return add_chipid(c, value, err);
  }
}

static sc_status add_values(struct sc_cursor *c, const struct sc_term *term, sqlite3_value *value,
                            struct sc_error *err) {
  if (term->op == SC_OP_EQ) return add_value(c, term->column, value, err);
  sc_status st = SC_OK;
  sqlite3_value *one;
  int code = sqlite3_vtab_in_first(value, &one);
  for (size_t n = 1; !st && code == SQLITE_OK && one; n++) {
    st = add_value(c, term->column, one, err);
    if (!st && n % VALUES_BETWEEN_LOOKS == 0 && sc_db_interrupted(c->table->db))
      st = sc_fail(err, SC_INTERRUPT, "interrupted");
    code = sqlite3_vtab_in_next(value, &one);
  }
  return !st && code == SQLITE_NOMEM ? sc_fail_nomem(err) : st;
}

static int compare_ids(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* Neighbours in the file one after another, and none twice: 7 and '7' are one rowid. */
static void sort_ids(struct sc_cursor *c) {
  size_t n = 0;
  qsort(c->ids, c->n_ids, sizeof *c->ids, compare_ids);
  for (size_t i = 0; i < c->n_ids; i++) {
    if (n == 0 || c->ids[n - 1] != c->ids[i]) c->ids[n++] = c->ids[i];
  }
  c->n_ids = n;
}

static int is_key(const struct sc_term *term) {
  if (term->op != SC_OP_EQ && term->op != SC_OP_IN) return 0;
  return term->column == SC_COL_ROW || term->column == SC_COL_CHIPID ||
         (term->column == SC_COL_ROWID && term->op == SC_OP_IN);
}

sc_status sc_cursor_take_keys(struct sc_cursor *c, sqlite3_value **values, struct sc_error *err) {
  sc_status st = SC_OK;
  int at = 0;
  while (at < c->plan.n_terms && !is_key(&c->plan.terms[at])) at++;
  if (at == c->plan.n_terms) return SC_OK;
  c->scratch.size = 0;
  if (c->plan.terms[at].column == SC_COL_ROW)
    st = sc_handle_row_start(c->table->name, &c->scratch, err);
  if (!st) st = add_values(c, &c->plan.terms[at], values[at], err);
  if (c->n_ids > 1) sort_ids(c);
  if (c->n_ids == 0) c->filter.is_never = 1;
  return st;
}

void sc_cursor_forget_keys(struct sc_cursor *c) {
  sc_free(c->ids);
  c->ids = NULL;
  c->n_ids = c->ids_capacity = c->id_at = 0;
}
