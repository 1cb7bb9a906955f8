/* Comparisons against statistics; see prune.h. */
#include "parquet/prune.h"

#include <math.h>
#include <string.h>

#include "base/affinity.h"

#define EXACT_INT (INT64_C(1) << 53) /* integers up to here compare exactly as doubles */

/* a - b as -1, 0, 1; *is_known is cleared where the two do not compare in a simple way. */
static int compare(const struct sc_pq_sql *a, const struct sc_pq_filter *b, int *is_known) {
  if (a->type == SC_PQ_SQL_INT && b->type == SC_PQ_SQL_INT) return (a->i > b->i) - (a->i < b->i);
  if ((a->type == SC_PQ_SQL_TEXT || a->type == SC_PQ_SQL_BLOB) && a->type == b->type) {
    size_t n = a->size < b->size ? a->size : b->size;
    int order = n ? memcmp(a->bytes, b->bytes, n) : 0;
    return order ? (order > 0) - (order < 0) : (a->size > b->size) - (a->size < b->size);
  }
  int a_is_number = a->type == SC_PQ_SQL_INT || a->type == SC_PQ_SQL_REAL;
  int b_is_number = b->type == SC_PQ_SQL_INT || b->type == SC_PQ_SQL_REAL;
  double x = a->type == SC_PQ_SQL_INT ? (double)a->i : a->r;
  double y = b->type == SC_PQ_SQL_INT ? (double)b->i : b->r;
  if (!a_is_number || !b_is_number || isnan(x) || isnan(y) ||
      (a->type != b->type && (fabs(x) > (double)EXACT_INT || fabs(y) > (double)EXACT_INT))) {
    *is_known = 0;
    return 0;
  }
  return (x > y) - (x < y);
}

/* Dates outside years 0 to 9999 do not sort as text. */
static int bound_is_usable(const struct sc_pq_leaf *leaf, const struct sc_pq_sql *v) {
  if (v->type == SC_PQ_SQL_NULL) return 0;
  if (leaf->kind != SC_PQ_KIND_DATE && leaf->kind != SC_PQ_KIND_TIMESTAMP) return 1;
  return v->type == SC_PQ_SQL_TEXT && v->size >= 10 && v->bytes[4] == '-' && v->bytes[0] != '-' &&
         v->bytes[7] == '-';
}

/*
 * May there be texts within the bounds that are numbers to SQLite, and so less than a text on a
 * numeric side (base/affinity.h)? They begin with a digit, a sign, a point or a blank.
 */
static int may_hold_numbers(const struct sc_pq_leaf *leaf, const struct sc_pq_sql *min,
                            const struct sc_pq_sql *max) {
  int is_known = 1;
  if (min->type != SC_PQ_SQL_TEXT || max->type != SC_PQ_SQL_TEXT) return 0;
  if (leaf->kind == SC_PQ_KIND_DATE || leaf->kind == SC_PQ_KIND_TIMESTAMP) return 0;
  struct sc_pq_filter f = {0, SC_PQ_EQ, SC_PQ_SQL_TEXT, 0, 0, max->bytes, max->size};
  if (compare(min, &f, &is_known) == 0) return sc_looks_numeric(min->bytes, min->size);
  return min->size == 0 || (unsigned char)min->bytes[0] <= '9';
}

int sc_pq_filter_excludes(const struct sc_pq_filter *f, const struct sc_pq_leaf *leaf,
                          const struct sc_pq_stats *stats, int64_t n_rows) {
  struct sc_pq_value low, high;
  struct sc_pq_sql min, max;
  if (stats->null_count >= 0 && stats->null_count == n_rows) return 1;
  if (!sc_pq_leaf_is_ordered(leaf)) return 0;
  if (!sc_pq_value_from_bound(leaf, &stats->min, &low) ||
      !sc_pq_value_from_bound(leaf, &stats->max, &high)) {
    return 0;
  }
  sc_pq_value_to_sql(leaf, &low, &min);
  sc_pq_value_to_sql(leaf, &high, &max);
  if (!bound_is_usable(leaf, &min) || !bound_is_usable(leaf, &max)) return 0;
  int is_known = 1;
  int below = compare(&min, f, &is_known), above = compare(&max, f, &is_known);
  if (!is_known) return 0;
  int is_upper = f->op == SC_PQ_LT || f->op == SC_PQ_LE;
  if (is_upper && f->type == SC_PQ_SQL_TEXT && may_hold_numbers(leaf, &min, &max)) return 0;
  switch (f->op) {
    case SC_PQ_EQ: return below > 0 || above < 0;
    case SC_PQ_LT: return below >= 0;
    case SC_PQ_LE: return below > 0;
    case SC_PQ_GT: return above <= 0;
    default: return above < 0;
  }
}

size_t sc_pq_ranges_intersect(const struct sc_pq_range *a, size_t n_a, const struct sc_pq_range *b,
                              size_t n_b, struct sc_pq_range *out) {
  size_t n = 0;
  for (size_t i = 0, k = 0; i < n_a && k < n_b;) {
    int64_t begin = a[i].begin > b[k].begin ? a[i].begin : b[k].begin;
    int64_t end = a[i].end < b[k].end ? a[i].end : b[k].end;
    if (begin < end) {
      out[n].begin = begin;
      out[n++].end = end;
    }
    if (a[i].end < b[k].end) {
      i++;
    } else {
      k++;
    }
  }
  return n;
}
