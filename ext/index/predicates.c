/* Spatial predicates; see predicates.h. */
#include "index/predicates.h"

#include <string.h>

#include "base/alloc.h"
#include "base/db.h"

/*
 * Every function of SpatiaLite that is false, or -1, when the bounding boxes do not meet. Not
 * MbrTouches: that one is true of boxes that share a coordinate, however far they lie apart.
 */
static const struct sc_predicate predicates[] = {
    {"ST_Intersects", 0, SC_NATIVE_MEETS, SC_INSIDE_TRUE},
    {"Intersects", 0, SC_NATIVE_MEETS, SC_INSIDE_TRUE},
    {"MbrIntersects", 1, SC_NATIVE_BOXES_MEET, SC_INSIDE_TRUE},
    {"ST_EnvIntersects", 1, SC_NATIVE_BOXES_MEET, SC_INSIDE_TRUE},
    {"ST_EnvelopesIntersects", 1, SC_NATIVE_BOXES_MEET, SC_INSIDE_TRUE},
    {"ST_Within", 0, SC_NATIVE_LIES_IN, SC_INSIDE_TRUE},
    {"Within", 0, SC_NATIVE_LIES_IN, SC_INSIDE_TRUE},
    {"MbrWithin", 1, SC_NATIVE_NONE, SC_INSIDE_TRUE},
    {"ST_CoveredBy", 0, SC_NATIVE_LIES_IN, SC_INSIDE_TRUE},
    {"CoveredBy", 0, SC_NATIVE_LIES_IN, SC_INSIDE_TRUE},
    {"ST_Contains", 0, SC_NATIVE_NONE, SC_INSIDE_OPEN},
    {"Contains", 0, SC_NATIVE_NONE, SC_INSIDE_OPEN},
    {"MbrContains", 1, SC_NATIVE_NONE, SC_INSIDE_OPEN},
    {"ST_Covers", 0, SC_NATIVE_NONE, SC_INSIDE_OPEN},
    {"Covers", 0, SC_NATIVE_NONE, SC_INSIDE_OPEN},
    {"ST_Overlaps", 0, SC_NATIVE_NONE, SC_INSIDE_FALSE},
    {"Overlaps", 0, SC_NATIVE_NONE, SC_INSIDE_FALSE},
    {"MbrOverlaps", 1, SC_NATIVE_NONE, SC_INSIDE_OPEN},
    {"ST_Touches", 0, SC_NATIVE_NONE, SC_INSIDE_FALSE},
    {"Touches", 0, SC_NATIVE_NONE, SC_INSIDE_FALSE},
    {"ST_Crosses", 0, SC_NATIVE_NONE, SC_INSIDE_FALSE},
    {"Crosses", 0, SC_NATIVE_NONE, SC_INSIDE_FALSE},
    {"ST_Equals", 0, SC_NATIVE_NONE, SC_INSIDE_OPEN},
    {"Equals", 0, SC_NATIVE_NONE, SC_INSIDE_OPEN},
    {"MbrEqual", 1, SC_NATIVE_NONE, SC_INSIDE_OPEN},
};
#define N_PREDICATES ((int)(sizeof predicates / sizeof *predicates))

struct overload {
  struct sc_predicates *owner;
  int number;
};

struct sc_predicates {
  sqlite3 *db;
  sqlite3_stmt *calls[N_PREDICATES];
  sqlite3_stmt *box; /* MBR and SRID of whatever SpatiaLite takes for a geometry */
  struct overload overloads[N_PREDICATES];
};

/* ---- the table ---- */

int sc_predicate_find(const char *name) {
  for (int i = 0; i < N_PREDICATES; i++) {
    if (sqlite3_stricmp(predicates[i].name, name) == 0) return i;
  }
  return -1;
}

const struct sc_predicate *sc_predicate_at(int number) {
  return number >= 0 && number < N_PREDICATES ? &predicates[number] : NULL;
}

int sc_predicate_is_name(const char *name, size_t n) {
  for (int i = 0; i < N_PREDICATES; i++) {
    if (strlen(predicates[i].name) == n && sqlite3_strnicmp(predicates[i].name, name, (int)n) == 0)
      return 1;
  }
  return 0;
}

sc_status sc_predicate_check_srids(int number, int a, int b, struct sc_error *err) {
  if (a <= 0 || b <= 0 || a == b) return SC_OK;
  return sc_fail(err, SC_BAD_ARG, "%s: geometries in SRID %d and %d; use ST_Transform(..., %d)",
                 predicates[number].name, a, b, b == SC_SRID_LONLAT ? b : a);
}

sc_status sc_predicate_check_blob(int number, struct sc_view blob, struct sc_error *err) {
  struct sc_box box;
  struct sc_error why;
  int srid;
  if (sc_blob_box(blob.data, blob.size, &box, &srid, &why) ||
      !sc_blob_check(blob.data, blob.size, &why)) {
    return SC_OK;
  }
  return sc_fail(err, SC_BAD_DATA, "%s: %s", predicates[number].name, why.text);
}

/* ---- asking SpatiaLite ---- */

sc_status sc_predicates_new(sqlite3 *db, struct sc_predicates **out, struct sc_error *err) {
  *out = sc_alloc_zero(1, sizeof **out);
  if (!*out) return sc_fail_nomem(err);
  (*out)->db = db;
  for (int i = 0; i < N_PREDICATES; i++) {
    (*out)->overloads[i].owner = *out;
    (*out)->overloads[i].number = i;
  }
  return SC_OK;
}

void sc_predicates_free(struct sc_predicates *p) {
  if (!p) return;
  for (int i = 0; i < N_PREDICATES; i++) sqlite3_finalize(p->calls[i]);
  sqlite3_finalize(p->box);
  sc_free(p);
}

/* In "SELECT f(?1, ?2)" the name is SpatiaLite's own: no argument is a column of a table of ours.
 */
sc_status sc_predicates_call(struct sc_predicates *p, int number, struct sc_view a,
                             struct sc_view b, int *out, struct sc_error *err) {
  sc_status st = SC_OK;
  *out = -1;
  if (!p->calls[number]) {
    char sql[80];
    sqlite3_snprintf(sizeof sql, sql, "SELECT %s(?1, ?2)", predicates[number].name);
    st = sc_db_prepare(p->db, sql, NULL, NULL, &p->calls[number], err);
  }
  if (st) return st;
  sqlite3_stmt *s = p->calls[number];
  sqlite3_bind_blob64(s, 1, a.data, a.size, SQLITE_STATIC);
  sqlite3_bind_blob64(s, 2, b.data, b.size, SQLITE_STATIC);
  if (sqlite3_step(s) != SQLITE_ROW) {
    st = sc_db_fail(p->db, err, "calling SpatiaLite");
  } else if (sqlite3_column_type(s, 0) != SQLITE_NULL) {
    *out = sqlite3_column_int(s, 0);
  }
  sqlite3_reset(s);
  sqlite3_clear_bindings(s);
  return st;
}

sc_status sc_predicates_box(struct sc_predicates *p, struct sc_view blob, struct sc_box *box,
                            int *srid, int *is_geometry, struct sc_error *err) {
  sc_status st = SC_OK;
  if (!p->box) {
    st = sc_db_prepare(p->db,
                       "SELECT MbrMinX(?1), MbrMinY(?1), MbrMaxX(?1), MbrMaxY(?1), ST_SRID(?1)",
                       NULL, NULL, &p->box, err);
  }
  *is_geometry = 0;
  if (st) return st;
  sqlite3_bind_blob64(p->box, 1, blob.data, blob.size, SQLITE_STATIC);
  int is_row;
  st = sc_db_next(p->box, &is_row, err);
  if (!st && is_row && sqlite3_column_type(p->box, 0) == SQLITE_FLOAT) {
    *is_geometry = 1;
    box->min_x = sqlite3_column_double(p->box, 0);
    box->min_y = sqlite3_column_double(p->box, 1);
    box->max_x = sqlite3_column_double(p->box, 2);
    box->max_y = sqlite3_column_double(p->box, 3);
    *srid = sqlite3_column_int(p->box, 4);
  }
  sqlite3_reset(p->box);
  sqlite3_clear_bindings(p->box);
  return st;
}

/* ---- the functions as SQL calls them for the geometry of a virtual table ---- */

/* Does no part of a footprint, which may be a small one at each end of the world, meet the box? */
static int is_apart(struct sc_view blob, const struct sc_box *other) {
  struct sc_footprint f;
  struct sc_error ignored;
  int srid;
  if (sc_footprint_from_blob(blob.data, blob.size, &f, &srid, &ignored)) return 0;
  for (int part = 0; part < f.n_parts; part++) {
    struct sc_box box = sc_footprint_part_box(&f, part);
    if (sc_boxes_meet(&box, other)) return 0;
  }
  return 1;
}

static sc_status answer(const struct overload *o, const struct sc_view *v, int *out,
                        struct sc_error *err) {
  const struct sc_predicate *predicate = &predicates[o->number];
  struct sc_box a, b;
  struct sc_error ignored;
  int srid_a, srid_b;
  int has_boxes = !sc_blob_box(v[0].data, v[0].size, &a, &srid_a, &ignored) &&
                  !sc_blob_box(v[1].data, v[1].size, &b, &srid_b, &ignored);
  sc_status st = has_boxes ? sc_predicate_check_srids(o->number, srid_a, srid_b, err) : SC_OK;
  if (st) return st;
  *out = 0;
  if (has_boxes && !sc_boxes_meet(&a, &b)) return SC_OK;
  if (has_boxes && !predicate->is_mbr && is_apart(v[0], &b)) return SC_OK;
  st = sc_predicate_check_blob(o->number, v[0], err);
  if (!st) st = sc_predicate_check_blob(o->number, v[1], err);
  if (st) return st;
  *out = 1;
  if (has_boxes && predicate->native == SC_NATIVE_BOXES_MEET) return SC_OK;
  return sc_predicates_call(o->owner, o->number, v[0], v[1], out, err);
}

static void overload_function(sqlite3_context *context, int n, sqlite3_value **values) {
  struct sc_error err;
  struct sc_view v[2] = {{0}};
  int out;
  sc_error_init(&err);
  for (int i = 0; i < 2 && n == 2; i++) {
    if (sqlite3_value_type(values[i]) != SQLITE_BLOB) return;
    v[i].data = sqlite3_value_blob(values[i]);
    v[i].size = (size_t)sqlite3_value_bytes(values[i]);
  }
  if (answer(sqlite3_user_data(context), v, &out, &err)) {
    sc_result_error(context, &err);
  } else if (out >= 0) {
    sqlite3_result_int(context, out);
  }
}

int sc_predicates_overload(struct sc_predicates *p, const char *name, int n_arguments,
                           void (**function)(sqlite3_context *, int, sqlite3_value **),
                           void **argument) {
  int number = n_arguments == 2 ? sc_predicate_find(name) : -1;
  if (number < 0) return 0;
  *function = overload_function;
  *argument = &p->overloads[number];
  return SC_PREDICATE_FIRST + number;
}
