/* One row of an export; see export.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/datetime.h"
#include "geoparquet/export.h"
#include "index/geometry.h"
#include "parquet/value.h"

/* A value as it was fetched; bytes end with a zero that is not counted. */
struct raw_value {
  int type; /* SQLITE_INTEGER and so on */
  int64_t i;
  double r;
  const char *bytes;
  size_t size;
};

/* One of our own fetched values; returns the byte after. */
static const unsigned char *take_raw(const unsigned char *p, struct raw_value *v) {
  v->type = p[0];
  if (v->type == SQLITE_NULL || v->type >= SC_EXPORT_RAW_CHIPID) return p + 1;
  if (v->type == SQLITE_INTEGER) {
    v->i = (int64_t)sc_le64(p + 1);
    v->r = (double)v->i;
    return p + 9;
  }
  if (v->type == SQLITE_FLOAT) {
    v->r = sc_le_double(p + 1);
    return p + 9;
  }
  v->size = sc_le32(p + 1);
  v->bytes = (const char *)p + 5;
  return p + 6 + v->size;
}

void sc_export_raw_text(const unsigned char *p, struct sc_export_cell *out) {
  struct raw_value v = {0, 0, 0, NULL, 0};
  take_raw(p, &v);
  out->bytes = v.type == SQLITE_TEXT ? v.bytes : NULL;
  out->size = v.size;
}

static sc_status fail_cell(const struct sc_export_column *c, const struct raw_value *v,
                           const char *expected, struct sc_error *err) {
  char number[64] = "a BLOB";
  if (v->type == SQLITE_INTEGER) snprintf(number, sizeof number, "%lld", (long long)v->i);
  if (v->type == SQLITE_FLOAT) sqlite3_snprintf((int)sizeof number, number, "%!.15g", v->r);
  return sc_fail(err, SC_BAD_DATA, "stacchip_export: column '%s': expected %s, found %.40s",
                 c->name, expected, v->type == SQLITE_TEXT ? v->bytes : number);
}

/* Text of exactly YYYY-MM-DD, or of a date and time. */
static sc_status read_date(const struct sc_export_column *c, const struct raw_value *v,
                           struct sc_export_cell *cell, struct sc_error *err) {
  size_t n = v->type == SQLITE_TEXT ? v->size : 0;
  int has_form = n == 10 || (n > 10 && (v->bytes[10] == 'T' || v->bytes[10] == ' '));
  int32_t days = 0;
  if (!has_form || !sc_date_parse(v->bytes, 10, &days)) {
    return fail_cell(c, v, "a date YYYY-MM-DD", err);
  }
  cell->i = days;
  return SC_OK;
}

static sc_status read_int(const struct sc_export_column *c, const struct raw_value *v,
                          struct sc_export_cell *cell, struct sc_error *err) {
  int is_position = c->kind == SC_EXPORT_POSITION;
  cell->i = v->i;
  if (v->type != SQLITE_INTEGER || (is_position && (v->i < 0 || v->i > SC_EXPORT_MAX_POSITION))) {
    return fail_cell(c, v, is_position ? "a whole number 0 to 65535" : "a whole number", err);
  }
  if (v->i < INT32_MIN || v->i > INT32_MAX) return fail_cell(c, v, "32 bits", err);
  return SC_OK;
}

static sc_status read_fraction(const struct sc_export_column *c, const struct raw_value *v,
                               struct sc_export_cell *cell, struct sc_error *err) {
  if (v->type != SQLITE_INTEGER && v->type != SQLITE_FLOAT) {
    return fail_cell(c, v, "a number", err);
  }
  cell->r = v->r;
  return SC_OK;
}

/* Nearly all chips are a polygon of which SpatiaLite's bytes are those of WKB after its byte order;
 * the others go through the footprint. */
static int copy_simple_polygon(const unsigned char *blob, size_t n, struct sc_buffer *out,
                               struct sc_error *err) {
  struct sc_view polygon;
  struct sc_box box;
  if (!sc_blob_polygon(blob, n, &polygon) || !sc_polygon_box(polygon, &box) ||
      sc_buffer_resize(out, 1 + polygon.size, err)) {
    return 0;
  }
  out->data[0] = 1;
  memcpy(out->data + 1, polygon.data, polygon.size);
  return 1;
}

static sc_status check_srid(const struct sc_export_column *c, int srid, struct sc_error *err) {
  if (srid <= 0 || srid == SC_SRID_LONLAT) return SC_OK;
  return sc_fail(err, SC_BAD_DATA,
                 "stacchip_export: column '%s': SRID %d; expected %d (ST_Transform it)", c->name,
                 srid, SC_SRID_LONLAT);
}

static sc_status read_geometry(const struct sc_export_column *c, const struct raw_value *v,
                               struct sc_export_cell *cell, struct sc_buffer *wkb,
                               struct sc_error *err) {
  struct sc_footprint f;
  int srid;
  sc_status st = SC_OK;
  if (v->type != SQLITE_BLOB) return fail_cell(c, v, "a SpatiaLite BLOB", err);
  const unsigned char *blob = (const unsigned char *)v->bytes;
  if (copy_simple_polygon(blob, v->size, wkb, err)) {
    srid = (int)sc_le32(blob + 2);
  } else {
    wkb->size = 0;
    st = sc_footprint_from_blob(blob, v->size, &f, &srid, err);
    if (!st) st = sc_footprint_to_wkb(&f, 0, wkb, err);
    if (st) return sc_fail_within(err, "stacchip_export: column '%s'", c->name);
  }
  cell->bytes = wkb->data;
  cell->size = wkb->size;
  return check_srid(c, srid, err);
}

static sc_status read_cell(const struct sc_export_column *c, const struct raw_value *v,
                           struct sc_export_row *row, struct sc_export_cell *cell,
                           struct sc_error *err) {
  cell->is_null = v->type == SQLITE_NULL;
  if (cell->is_null) return SC_OK;
  switch (c->kind) {
    case SC_EXPORT_DATE: return read_date(c, v, cell, err);
    case SC_EXPORT_POSITION:
    case SC_EXPORT_INTEGER: return read_int(c, v, cell, err);
    case SC_EXPORT_FRACTION: return read_fraction(c, v, cell, err);
    case SC_EXPORT_GEOMETRY: return read_geometry(c, v, cell, &row->wkb, err);
    default: break;
  }
  if (v->type != SQLITE_TEXT) return fail_cell(c, v, "text", err);
  cell->bytes = v->bytes;
  cell->size = v->size;
  return SC_OK;
}

/* The chipid of the row's parts; NULL where one of them is. */
static void make_chipid(const struct sc_export_options *o, struct sc_export_row *row) {
  const struct sc_export_cell *item = &row->cells[o->item];
  const struct sc_export_cell *x = &row->cells[o->x], *y = &row->cells[o->y];
  struct sc_export_cell *cell = &row->cells[o->chipid];
  cell->is_null = item->is_null || x->is_null || y->is_null;
  if (cell->is_null) return;
  cell->bytes = row->chipid;
  cell->size = sc_export_make_chipid(item, x, y, row->chipid);
}

sc_status sc_export_row_read(const struct sc_export_options *o, const unsigned char **at,
                             struct sc_export_row *row, struct sc_error *err) {
  struct raw_value v = {0, 0, 0, NULL, 0};
  int is_made = 0;
  sc_status st = SC_OK;
  for (int i = 0; i < o->n_columns && !st; i++) {
    *at = take_raw(*at, &v);
    row->cells[i].is_same = v.type == SC_EXPORT_RAW_SAME;
    if (v.type == SC_EXPORT_RAW_CHIPID) {
      is_made = 1;
    } else if (v.type != SC_EXPORT_RAW_SAME) {
      st = read_cell(o->columns[i], &v, row, &row->cells[i], err);
    }
  }
  if (!st && is_made) make_chipid(o, row);
  return st;
}

/* Points of one ring in our own little-endian WKB; returns the byte after. */
static const unsigned char *add_ring(const unsigned char *p, struct sc_pq_box *box) {
  uint32_t n = sc_le32(p + 4);
  p += 8;
  for (uint32_t i = 0; i < n; i++, p += 16) {
    double x = sc_le_double(p), y = sc_le_double(p + 8);
    if (!box->present || x < box->min_x) box->min_x = x;
    if (!box->present || x > box->max_x) box->max_x = x;
    if (!box->present || y < box->min_y) box->min_y = y;
    if (!box->present || y > box->max_y) box->max_y = y;
    box->present = 1;
  }
  return p;
}

int sc_export_row_box(const struct sc_export_options *o, const struct sc_export_row *row,
                      struct sc_pq_box *box, int *is_multi) {
  int i = 0;
  box->present = 0;
  while (i < o->n_columns && o->columns[i]->kind != SC_EXPORT_GEOMETRY) i++;
  if (i == o->n_columns || row->cells[i].is_null) return 0;
  const unsigned char *p = row->cells[i].bytes;
  *is_multi = sc_le32(p + 1) == 6;
  uint32_t n = *is_multi ? sc_le32(p + 5) : 1;
  p += *is_multi ? 9 : 5;
  for (uint32_t part = 0; part < n; part++) {
    if (*is_multi) p += 5;
    p = add_ring(p, box);
  }
  return box->present;
}
