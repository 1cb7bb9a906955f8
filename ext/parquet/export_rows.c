/* One row of an export; see export.h. */
#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/db.h"
#include "index/geometry.h"
#include "parquet/export.h"
#include "parquet/value.h"

#define MAX_POSITION 65535

static sc_status fail_cell(const struct sc_export_column *c, sqlite3_value *v,
                           const char *expected, struct sc_error *err) {
  const char *text = (const char *)sqlite3_value_text(v);
  int is_blob = sqlite3_value_type(v) == SQLITE_BLOB;
  return sc_fail(err, SC_BAD_DATA, "stacchip_export: column '%s': expected %s, found %s%.40s",
                 c->name, expected, is_blob ? "a BLOB" : "", is_blob || !text ? "" : text);
}

/* Text of exactly YYYY-MM-DD, or of a date and time. */
static sc_status read_date(const struct sc_export_column *c, sqlite3_value *v,
                           struct sc_export_cell *cell, struct sc_error *err) {
  const char *text = (const char *)sqlite3_value_text(v);
  size_t n = text ? strlen(text) : 0;
  int has_form = n == 10 || (n > 10 && (text[10] == 'T' || text[10] == ' '));
  int32_t days = 0;
  if (!has_form || !sc_pq_parse_date(text, &days)) {
    return fail_cell(c, v, "a date YYYY-MM-DD", err);
  }
  cell->i = days;
  return SC_OK;
}

static sc_status read_int(const struct sc_export_column *c, sqlite3_value *v,
                          struct sc_export_cell *cell, struct sc_error *err) {
  int is_position = c->kind == SC_EXPORT_POSITION;
  cell->i = sqlite3_value_int64(v);
  if (sqlite3_value_numeric_type(v) != SQLITE_INTEGER ||
      (is_position && (cell->i < 0 || cell->i > MAX_POSITION))) {
    return fail_cell(c, v, is_position ? "a whole number 0 to 65535" : "a whole number", err);
  }
  if (cell->i < INT32_MIN || cell->i > INT32_MAX) return fail_cell(c, v, "32 bits", err);
  return SC_OK;
}

static sc_status read_fraction(const struct sc_export_column *c, sqlite3_value *v,
                               struct sc_export_cell *cell, struct sc_error *err) {
  int type = sqlite3_value_numeric_type(v);
  if (type != SQLITE_INTEGER && type != SQLITE_FLOAT) return fail_cell(c, v, "a number", err);
  cell->r = sqlite3_value_double(v);
  return SC_OK;
}

/*
 * A little-endian SpatiaLite POLYGON of one ring has the same bytes as its WKB after the
 * type: nearly all chips. The others go through the footprint.
 */
static int copy_simple_polygon(const unsigned char *blob, size_t n, struct sc_buffer *out,
                               struct sc_error *err) {
  if (n < 52 || blob[0] != 0 || blob[1] != 1 || blob[38] != 0x7C || blob[n - 1] != 0xFE ||
      sc_le32(blob + 39) != 3 || sc_le32(blob + 43) != 1) {
    return 0;
  }
  uint32_t n_points = sc_le32(blob + 47);
  if (n_points < 4 || n_points > SC_FOOTPRINT_MAX_POINTS || n != 52 + 16 * (size_t)n_points) {
    return 0;
  }
  for (size_t i = 0; i < 2 * (size_t)n_points; i++) {
    if (!isfinite(sc_le_double(blob + 51 + 8 * i))) return 0;
  }
  if (sc_buffer_resize(out, n - 39, err)) return 0;
  out->data[0] = 1;
  memcpy(out->data + 1, blob + 39, n - 40);
  return 1;
}

static sc_status read_geometry(const struct sc_export_column *c, sqlite3_value *v,
                               struct sc_export_cell *cell, struct sc_buffer *wkb,
                               struct sc_error *err) {
  struct sc_footprint f;
  int srid;
  if (sqlite3_value_type(v) != SQLITE_BLOB) return fail_cell(c, v, "a SpatiaLite BLOB", err);
  const void *blob = sqlite3_value_blob(v);
  size_t n = (size_t)sqlite3_value_bytes(v);
  sc_status st = SC_OK;
  if (!copy_simple_polygon(blob, n, wkb, err)) {
    wkb->size = 0;
    st = sc_footprint_from_blob(blob, n, &f, &srid, err);
    if (!st && f.n_parts == 0) st = sc_fail(err, SC_BAD_DATA, "geometry: it has no polygon");
    if (!st) st = sc_footprint_to_wkb(&f, 0, wkb, err);
    if (!st && srid > 0 && srid != SC_SRID_LONLAT) {
      st = sc_fail(err, SC_BAD_DATA, "geometry has SRID %d; expected %d (ST_Transform it)", srid,
                   SC_SRID_LONLAT);
    }
    if (st) return sc_fail_within(err, "stacchip_export: column '%s'", c->name);
  } else {
    srid = (int)sc_le32((const unsigned char *)blob + 2);
    if (srid > 0 && srid != SC_SRID_LONLAT) {
      return sc_fail(err, SC_BAD_DATA, "stacchip_export: column '%s' has SRID %d; expected %d "
                     "(ST_Transform it)", c->name, srid, SC_SRID_LONLAT);
    }
  }
  cell->bytes = wkb->data;
  cell->size = wkb->size;
  return st;
}

static sc_status read_cell(const struct sc_export_column *c, sqlite3_value *v,
                           struct sc_export_row *row, struct sc_export_cell *cell,
                           struct sc_error *err) {
  cell->is_null = sqlite3_value_type(v) == SQLITE_NULL;
  if (cell->is_null) return SC_OK;
  switch (c->kind) {
    case SC_EXPORT_DATE: return read_date(c, v, cell, err);
    case SC_EXPORT_POSITION:
    case SC_EXPORT_INTEGER: return read_int(c, v, cell, err);
    case SC_EXPORT_FRACTION: return read_fraction(c, v, cell, err);
    case SC_EXPORT_GEOMETRY: return read_geometry(c, v, cell, &row->wkb, err);
    default: break;
  }
  cell->bytes = sqlite3_value_text(v);
  cell->size = (size_t)sqlite3_value_bytes(v);
  return cell->bytes ? SC_OK : sc_fail_nomem(err);
}

sc_status sc_export_row_read(sqlite3_stmt *stmt, const struct sc_export_options *o,
                             struct sc_export_row *row, struct sc_error *err) {
  sc_status st = SC_OK;
  for (int i = 0; i < o->n_columns && !st; i++) {
    st = read_cell(o->columns[i], sqlite3_column_value(stmt, i), row, &row->cells[i], err);
  }
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
