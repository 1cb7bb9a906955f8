/* Some chips; see chips.h. */
#include "browse/chips.h"

#include <math.h>
#include <string.h>

sc_status sc_chips_put_ids(const int64_t *ids, size_t n, size_t stride, struct sc_buffer *out,
                           struct sc_error *err) {
  sc_status st = sc_buffer_append_text(out, "[", err);
  for (size_t i = 0; i < n && !st; i++) {
    int64_t id;
    memcpy(&id, (const char *)ids + i * stride, sizeof id);
    st = sc_buffer_printf(out, err, i ? ",%lld" : "%lld", (long long)id);
  }
  if (!st) st = sc_buffer_append_text(out, "]", err);
  return st ? st : sc_buffer_terminate(out, err);
}

sc_status sc_chips_put_number(sqlite3_stmt *row, int column, struct sc_buffer *out,
                              struct sc_error *err) {
  int type = sqlite3_column_type(row, column);
  double v = sqlite3_column_double(row, column);
  if (type == SQLITE_INTEGER)
    return sc_buffer_printf(out, err, "%lld", sqlite3_column_int64(row, column));
  return type == SQLITE_FLOAT && isfinite(v) ? sc_buffer_printf(out, err, "%.9g", v)
                                             : sc_buffer_append_text(out, "null", err);
}

const char *sc_chips_label_sql(const struct sc_browse_table *t, struct sc_session *s) {
  return sc_table_has_labels(t, s) ? "(SELECT l.label FROM {labels} AS l WHERE l.chip = {handle})"
                                   : "NULL";
}

static sc_status put_ring(const struct sc_footprint *f, int part, struct sc_buffer *out,
                          struct sc_error *err) {
  sc_status st = sc_buffer_append_text(out, part ? ",[" : "[", err);
  for (int i = 0; i < f->parts[part].n_points && !st; i++) {
    const double *xy = f->parts[part].xy[i];
    st = sc_buffer_printf(out, err, i ? ",[%.6f,%.6f]" : "[%.6f,%.6f]", xy[0], xy[1]);
  }
  return st ? st : sc_buffer_append_text(out, "]", err);
}

static void find_box(const struct sc_footprint *f, double box[4]) {
  struct sc_box whole = sc_footprint_box(f);
  box[0] = whole.min_x;
  box[1] = whole.min_y;
  box[2] = whole.max_x;
  box[3] = whole.max_y;
  if (f->n_parts < 2 || whole.max_x - whole.min_x < 180) return;
  for (int i = 0; i < f->n_parts; i++) {
    struct sc_box part = sc_footprint_part_box(f, i);
    int is_west = part.min_x + part.max_x < 0;
    if (is_west && (box[2] == whole.max_x || part.max_x > box[2])) box[2] = part.max_x;
    if (!is_west && (box[0] == whole.min_x || part.min_x < box[0])) box[0] = part.min_x;
  }
}

/* What is not finite has no JSON. */
static int is_finite(const struct sc_footprint *f) {
  double sum = 0;
  for (int part = 0; part < f->n_parts; part++) {
    for (int i = 0; i < f->parts[part].n_points; i++)
      sum += fabs(f->parts[part].xy[i][0]) + fabs(f->parts[part].xy[i][1]);
  }
  return sum < 1e9;
}

sc_status sc_chips_put_footprint(const struct sc_footprint *f, struct sc_buffer *out,
                                 struct sc_error *err) {
  int n_parts = is_finite(f) ? f->n_parts : 0;
  sc_status st = sc_buffer_append_text(out, "[", err);
  for (int i = 0; i < n_parts && !st; i++) st = put_ring(f, i, out, err);
  return st ? st : sc_buffer_append_text(out, "]", err);
}

sc_status sc_chips_put_rings(const void *blob, size_t size, struct sc_buffer *out, double box[4],
                             struct sc_error *err) {
  struct sc_footprint f;
  struct sc_error not_that = {0};
  int srid;
  if (!blob || sc_footprint_from_blob(blob, size, &f, &srid, &not_that))
    return sc_buffer_append_text(out, "[]", err);
  if (box && is_finite(&f)) find_box(&f, box);
  return sc_chips_put_footprint(&f, out, err);
}
