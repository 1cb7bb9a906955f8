/* The conditions of a scan; see filter.h. */
#include "merge/filter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/affinity.h"
#include "base/alloc.h"
#include "index/day_term.h"

static enum sc_number number_of(int column) {
  switch (column) {
    case SC_COL_X: return SC_NUMBER_X;
    case SC_COL_Y: return SC_NUMBER_Y;
    case SC_COL_CLOUD: return SC_NUMBER_CLOUD;
    default: return SC_NUMBER_NODATA;
  }
}

static sc_status check_fraction(int column, double v, struct sc_error *err) {
  if (v >= 0 && v <= 1) return SC_OK;
  char text[32], better[64] = ""; /* by SQLite's printf: no locale */
  sqlite3_snprintf(sizeof text, text, "%.10g", v);
  if (v > 1 && v <= 100) {
    sqlite3_snprintf(sizeof better, better, "; did you mean %.10g?", v / 100);
  }
  return sc_fail(err, SC_BAD_ARG, "%s is a fraction 0..1, compared with %s%s",
                 sc_merge_column_name(column), text, better);
}

/*
 * A number compared with text or a BLOB is always the smaller. True when the term is decided
 * by that, or by NULL.
 */
static int is_decided(struct sc_filter *f, const struct sc_term *term, int type) {
  if (type == SQLITE_INTEGER || type == SQLITE_FLOAT) return 0;
  if (type == SQLITE_NULL || (term->op != SC_OP_LT && term->op != SC_OP_LE)) f->is_never = 1;
  return 1;
}

/* Intervals are closed: a strict bound is the next number above or below it. */
static void narrow(struct sc_interval *in, double low, double high) {
  if (low > in->low) in->low = low;
  if (high < in->high) in->high = high;
}

static sc_status add_number(struct sc_filter *f, const struct sc_term *term, sqlite3_value *value,
                            struct sc_error *err) {
  enum sc_number which = number_of(term->column);
  struct sc_interval *in = &f->numbers[which];
  f->has_number[which] = 1;
  if (is_decided(f, term, sqlite3_value_numeric_type(value))) return SC_OK;
  double v = sqlite3_value_double(value);
  switch (term->op) {
    case SC_OP_EQ: narrow(in, v, v); break;
    case SC_OP_LT: narrow(in, -HUGE_VAL, nextafter(v, -HUGE_VAL)); break;
    case SC_OP_LE: narrow(in, -HUGE_VAL, v); break;
    case SC_OP_GT: narrow(in, nextafter(v, HUGE_VAL), HUGE_VAL); break;
    default: narrow(in, v, HUGE_VAL); break;
  }
  if (which == SC_NUMBER_CLOUD || which == SC_NUMBER_NODATA) {
    return check_fraction(term->column, v, err);
  }
  return SC_OK;
}

/* The least interval that holds a list's numbers; texts and BLOBs are left out, as no number equals
 * them. */
static sc_status add_numbers(struct sc_filter *f, const struct sc_term *term, sqlite3_value *list,
                             struct sc_error *err) {
  enum sc_number which = number_of(term->column);
  struct sc_interval hull = {HUGE_VAL, -HUGE_VAL};
  sqlite3_value *value;
  int is_fraction = which == SC_NUMBER_CLOUD || which == SC_NUMBER_NODATA;
  int code = sqlite3_vtab_in_first(list, &value);
  for (; code == SQLITE_OK && value; code = sqlite3_vtab_in_next(list, &value)) {
    int type = sqlite3_value_numeric_type(value);
    if (type != SQLITE_INTEGER && type != SQLITE_FLOAT) continue;
    double v = sqlite3_value_double(value);
    if (is_fraction && check_fraction(term->column, v, err)) return SC_BAD_ARG;
    if (v < hull.low) hull.low = v;
    if (v > hull.high) hull.high = v;
  }
  f->has_number[which] = 1;
  narrow(&f->numbers[which], hull.low, hull.high);
  return code == SQLITE_NOMEM ? sc_fail_nomem(err) : SC_OK;
}

/* The integers that compare as asked with a real number. */
static void rowid_range_of_real(enum sc_op op, double v, struct sc_filter *f, int64_t *low,
                                int64_t *high) {
  if (isnan(v)) f->is_never = 1;
  double down = floor(v), up = ceil(v);
  int is_whole = down == v;
  if (op == SC_OP_EQ && !is_whole) f->is_never = 1;
  if (op == SC_OP_LT && is_whole) down -= 1;
  if (op == SC_OP_GT && is_whole) up += 1;
  if (op != SC_OP_GT && op != SC_OP_GE) {
    if (down < -9.2e18) f->is_never = 1;
    *high = down >= 9.2e18 ? INT64_MAX : down < -9.2e18 ? INT64_MIN : (int64_t)down;
  }
  if (op != SC_OP_LT && op != SC_OP_LE) {
    if (up > 9.2e18) f->is_never = 1;
    *low = up <= -9.2e18 ? INT64_MIN : up > 9.2e18 ? INT64_MAX : (int64_t)up;
  }
}

static void add_rowid(struct sc_filter *f, const struct sc_term *term, sqlite3_value *value) {
  int type = sqlite3_value_numeric_type(value);
  int64_t low = INT64_MIN, high = INT64_MAX;
  if (is_decided(f, term, type)) return;
  if (type == SQLITE_INTEGER) {
    int64_t v = sqlite3_value_int64(value);
    switch (term->op) {
      case SC_OP_EQ: low = high = v; break;
      case SC_OP_LE: high = v; break;
      case SC_OP_GE: low = v; break;
      case SC_OP_LT:
        if (v == INT64_MIN) f->is_never = 1;
        high = v == INT64_MIN ? v : v - 1;
        break;
      default:
        if (v == INT64_MAX) f->is_never = 1;
        low = v == INT64_MAX ? v : v + 1;
        break;
    }
  } else {
    rowid_range_of_real(term->op, sqlite3_value_double(value), f, &low, &high);
  }
  if (low > f->min_rowid) f->min_rowid = low;
  if (high < f->max_rowid) f->max_rowid = high;
}

static int compare_texts(const char *a, size_t n_a, const char *b, size_t n_b) {
  int order = memcmp(a, b, n_a < n_b ? n_a : n_b);
  return order ? order : (n_a > n_b) - (n_a < n_b);
}

static int compare_values(const void *a, const void *b) {
  const struct sc_term_text *x = a, *y = b;
  return compare_texts(x->bytes, x->size, y->bytes, y->size);
}

static sc_status append_text(struct sc_text_term *t, const char *bytes, size_t n,
                             struct sc_error *err) {
  if (t->n_values == t->capacity) {
    size_t capacity = t->capacity ? 2 * t->capacity : 1;
    struct sc_term_text *values = sc_realloc(t->values, capacity * sizeof *values);
    if (!values) return sc_fail_nomem(err);
    t->values = values;
    t->capacity = capacity;
  }
  struct sc_term_text *v = &t->values[t->n_values];
  v->size = n;
  v->bytes = sc_alloc(n + 1);
  if (!v->bytes) return sc_fail_nomem(err);
  memcpy(v->bytes, bytes, n);
  v->bytes[n] = '\0';
  t->n_values++;
  return SC_OK;
}

static sc_status append_value(struct sc_text_term *t, sqlite3_value *value, struct sc_error *err) {
  const char *text = (const char *)sqlite3_value_text(value);
  if (!text) return sc_fail_nomem(err);
  size_t n = (size_t)sqlite3_value_bytes(value);
  sc_status st = sc_day_term_check(sc_merge_column_name(t->column), text, n, err);
  return st ? st : append_text(t, text, n, err);
}

static void free_text_term(struct sc_text_term *t) {
  for (size_t i = 0; i < t->n_values; i++) sc_free(t->values[i].bytes);
  sc_free(t->values);
}

/* A new term of the filter; sc_filter_init() has seen that there is room. */
static struct sc_text_term *new_text_term(struct sc_filter *f, const struct sc_term *term) {
  struct sc_text_term *t = &f->texts[f->n_texts++];
  memset(t, 0, sizeof *t);
  t->column = term->column;
  t->op = term->op;
  return t;
}

static sc_status add_text(struct sc_filter *f, const struct sc_term *term, sqlite3_value *value,
                          struct sc_error *err) {
  int type = sqlite3_value_type(value), is_less = term->op == SC_OP_LT || term->op == SC_OP_LE;
  if (type == SQLITE_NULL || (type == SQLITE_BLOB && !is_less)) {
    f->is_never = 1;
    return SC_OK;
  }
  struct sc_text_term *t = new_text_term(f, term);
  if (type == SQLITE_TEXT) return append_value(t, value, err);
  /* Every text is less than a BLOB; of a number only SQLite knows. All but NULL pass. */
  t->op = SC_OP_GE;
  return append_text(t, "", 0, err);
}

static sc_status add_texts(struct sc_filter *f, const struct sc_term *term, sqlite3_value *list,
                           struct sc_error *err) {
  struct sc_text_term *t = new_text_term(f, term);
  sqlite3_value *value;
  sc_status st = SC_OK;
  int code = sqlite3_vtab_in_first(list, &value), has_number = 0;
  for (; !st && code == SQLITE_OK && value; code = sqlite3_vtab_in_next(list, &value)) {
    int type = sqlite3_value_type(value);
    has_number |= type == SQLITE_INTEGER || type == SQLITE_FLOAT;
    if (type == SQLITE_TEXT) st = append_value(t, value, err);
  }
  if (!st && code == SQLITE_NOMEM) st = sc_fail_nomem(err);
  if (st) return st;
  if (has_number) {
    f->n_texts--; /* only SQLite knows which texts are equal to numbers */
    free_text_term(t);
  } else if (t->n_values == 0) {
    f->is_never = 1;
  } else {
    qsort(t->values, t->n_values, sizeof *t->values, compare_values);
  }
  return SC_OK;
}

static sc_status add_area(struct sc_filter *f, struct sc_predicates *p, const struct sc_term *term,
                          sqlite3_value *value, struct sc_error *err) {
  if (sqlite3_value_type(value) == SQLITE_NULL) {
    f->is_never = 1;
    return SC_OK;
  }
  if (f->n_areas == SC_FILTER_MAX_AREAS) {
    return sc_fail(err, SC_BAD_ARG, "%d spatial conditions on a merged index; the limit is %d",
                   SC_FILTER_MAX_AREAS + 1, SC_FILTER_MAX_AREAS);
  }
  sc_status st = sc_area_init(p, term->predicate, value, &f->areas[f->n_areas], err);
  if (!st) f->n_areas++;
  return st;
}

/* Negative limits mean "all", as in SQLite. */
static void add_limit(struct sc_filter *f, const struct sc_term *term, sqlite3_value *value) {
  int64_t v = sqlite3_value_int64(value);
  if (term->op == SC_OP_LIMIT) {
    f->limit = v < 0 ? -1 : v;
  } else if (v > 0 && f->limit >= 0) {
    f->limit = f->limit > INT64_MAX - v ? -1 : f->limit + v;
  }
}

static sc_status add_term(struct sc_filter *f, struct sc_predicates *p, const struct sc_term *term,
                          sqlite3_value *value, struct sc_error *err) {
  if (term->op == SC_OP_PREDICATE) return add_area(f, p, term, value, err);
  if (term->op == SC_OP_LIMIT || term->op == SC_OP_OFFSET) {
    add_limit(f, term, value);
    return SC_OK;
  }
  switch (term->column) {
    case SC_COL_ROWID:
      if (term->op != SC_OP_IN) add_rowid(f, term, value);
      return SC_OK;
    case SC_COL_ROW:
    case SC_COL_CHIPID: return SC_OK;
    case SC_COL_X:
    case SC_COL_Y:
    case SC_COL_CLOUD:
    case SC_COL_NODATA:
      return term->op == SC_OP_IN ? add_numbers(f, term, value, err)
                                  : add_number(f, term, value, err);
    default:
      return term->op == SC_OP_IN ? add_texts(f, term, value, err) : add_text(f, term, value, err);
  }
}

sc_status sc_filter_init(struct sc_filter *f, struct sc_predicates *p, const struct sc_plan *plan,
                         sqlite3_value **values, struct sc_error *err) {
  sc_status st = SC_OK;
  memset(f, 0, sizeof *f);
  for (int i = 0; i < SC_N_NUMBERS; i++) {
    f->numbers[i].low = -HUGE_VAL;
    f->numbers[i].high = HUGE_VAL;
  }
  f->min_rowid = INT64_MIN;
  f->max_rowid = INT64_MAX;
  f->limit = -1;
  for (int i = 0; i < plan->n_terms && !st; i++) {
    st = add_term(f, p, &plan->terms[i], values[i], err);
  }
  if (f->min_rowid > f->max_rowid) f->is_never = 1;
  return st;
}

void sc_filter_free(struct sc_filter *f) {
  for (int i = 0; i < f->n_texts; i++) free_text_term(&f->texts[i]);
  for (int i = 0; i < f->n_areas; i++) sc_area_free(&f->areas[i]);
  f->n_texts = f->n_areas = 0;
}

const char *sc_filter_text_bound(const struct sc_filter *f, int column, int upper) {
  for (int i = 0; i < f->n_texts; i++) {
    const struct sc_text_term *t = &f->texts[i];
    if (t->column != column) continue;
    if (t->op == SC_OP_EQ || t->op == SC_OP_IN) return t->values[upper ? t->n_values - 1 : 0].bytes;
    if (upper == (t->op == SC_OP_LT || t->op == SC_OP_LE)) return t->values[0].bytes;
  }
  return NULL;
}

const struct sc_text_term *sc_filter_text_keys(const struct sc_filter *f, int column) {
  for (int i = 0; i < f->n_texts; i++) {
    const struct sc_text_term *t = &f->texts[i];
    if (t->column == column && (t->op == SC_OP_EQ || t->op == SC_OP_IN)) return t;
  }
  return NULL;
}

static int term_passes(const struct sc_text_term *t, const char *text, size_t n) {
  if (t->op == SC_OP_IN) {
    struct sc_term_text key = {(char *)text, n}; /* only read */
    return bsearch(&key, t->values, t->n_values, sizeof key, compare_values) != NULL;
  }
  int order = compare_texts(text, n, t->values[0].bytes, t->values[0].size);
  switch (t->op) {
    case SC_OP_EQ: return order == 0;
    case SC_OP_LT: return order < 0 || sc_looks_numeric(text, n);
    case SC_OP_LE: return order <= 0 || sc_looks_numeric(text, n);
    case SC_OP_GT: return order > 0;
    default: return order >= 0;
  }
}

int sc_filter_text_passes(const struct sc_filter *f, int column, const char *text) {
  size_t n = text ? strlen(text) : 0;
  for (int i = 0; i < f->n_texts; i++) {
    const struct sc_text_term *t = &f->texts[i];
    if (t->column == column && (!text || !term_passes(t, text, n))) return 0;
  }
  return 1;
}

/* Also false for NaN. */
static int is_in(const struct sc_interval *in, double v) { return v >= in->low && v <= in->high; }

static uint64_t pass_positions(const struct sc_filter *f, const struct sc_chip_block *block,
                               int32_t tile_x, int32_t tile_y) {
  uint64_t pass = 0, mask = block->mask;
  for (int i = 0; mask; i++, mask &= mask - 1) {
    int bit = __builtin_ctzll(mask);
    double x = (double)tile_x * SC_CHIP_BLOCK_SIDE + bit % SC_CHIP_BLOCK_SIDE;
    double y = (double)tile_y * SC_CHIP_BLOCK_SIDE + bit / SC_CHIP_BLOCK_SIDE;
    if (f->has_number[SC_NUMBER_X] && !is_in(&f->numbers[SC_NUMBER_X], x)) continue;
    if (f->has_number[SC_NUMBER_Y] && !is_in(&f->numbers[SC_NUMBER_Y], y)) continue;
    pass |= UINT64_C(1) << i;
  }
  return pass;
}

uint64_t sc_filter_block(const struct sc_filter *f, const struct sc_chip_block *block,
                         int32_t tile_x, int32_t tile_y) {
  uint64_t pass = block->n == 64 ? ~UINT64_C(0) : (UINT64_C(1) << block->n) - 1;
  if (f->has_number[SC_NUMBER_X] || f->has_number[SC_NUMBER_Y]) {
    pass = pass_positions(f, block, tile_x, tile_y);
  }
  for (int i = 0; i < block->n; i++) {
    const struct sc_chip_entry *c = &block->chips[i];
    int ok = c->id >= f->min_rowid && c->id <= f->max_rowid;
    if (f->has_number[SC_NUMBER_CLOUD]) ok &= is_in(&f->numbers[SC_NUMBER_CLOUD], (double)c->cloud);
    if (f->has_number[SC_NUMBER_NODATA])
      ok &= is_in(&f->numbers[SC_NUMBER_NODATA], (double)c->nodata);
    if (!ok) pass &= ~(UINT64_C(1) << i);
  }
  return pass;
}

int sc_filter_chip(const struct sc_filter *f, int64_t id, int32_t x, int32_t y, double cloud,
                   double nodata) {
  const double values[SC_N_NUMBERS] = {x, y, cloud, nodata};
  if (id < f->min_rowid || id > f->max_rowid) return 0;
  for (int i = 0; i < SC_N_NUMBERS; i++) {
    if (f->has_number[i] && !is_in(&f->numbers[i], values[i])) return 0;
  }
  return 1;
}
