/* Spatial predicates; see spatial.h. */
#include "merge/spatial.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/db.h"

#define BLOB_TYPE_AT 39 /* of a SpatiaLite BLOB: 0 start, 1 order, 2 SRID, 6 MBR, 38 mark */
#define RECTANGLE_BYTES (BLOB_TYPE_AT + 4 + 4 + 4 + 5 * 16 + 1)

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

int sc_predicate_find(const char *name) {
  for (int i = 0; i < N_PREDICATES; i++) {
    if (sqlite3_stricmp(predicates[i].name, name) == 0) return i;
  }
  return -1;
}

const struct sc_predicate *sc_predicate_at(int number) {
  return number >= 0 && number < N_PREDICATES ? &predicates[number] : NULL;
}

/* The call of a predicate with both arguments free. */
static sc_status call_statement(struct sc_predicates *p, int number, sqlite3_stmt **out,
                                struct sc_error *err) {
  sc_status st = SC_OK;
  if (!p->calls[number]) {
    char sql[80];
    sqlite3_snprintf(sizeof sql, sql, "SELECT %s(?1, ?2)", predicates[number].name);
    st = sc_db_prepare(p->db, sql, NULL, NULL, &p->calls[number], err);
  }
  *out = p->calls[number];
  return st;
}

/* 1, 0 or -1, as SpatiaLite says it; both arguments bound. Leaves the statement reset. */
static sc_status run_call(sqlite3_stmt *s, int *out, struct sc_error *err) {
  sc_status st = SC_OK;
  *out = -1;
  if (sqlite3_step(s) == SQLITE_ROW) {
    if (sqlite3_column_type(s, 0) != SQLITE_NULL) *out = sqlite3_column_int(s, 0);
  } else {
    st = sc_db_fail(sqlite3_db_handle(s), err, "calling SpatiaLite");
  }
  sqlite3_reset(s);
  return st;
}

static sc_status fail_srid(const char *function, int srid, struct sc_error *err) {
  return sc_fail(err, SC_BAD_ARG,
                 "%s: the chips are in SRID 4326, the other geometry is in %d; use "
                 "ST_Transform(..., 4326)",
                 function, srid);
}

/* A damaged SpatiaLite BLOB must not reach SpatiaLite; what is no such BLOB is its own affair. */
static sc_status check_blob(const char *function, const void *blob, size_t size,
                            struct sc_error *err) {
  struct sc_box box;
  struct sc_error why = {0};
  int srid;
  if (sc_blob_box(blob, size, &box, &srid, &why) || !sc_blob_check(blob, size, &why)) return SC_OK;
  return sc_fail(err, SC_BAD_DATA, "%s: %s", function, why.text);
}

/* MBR and SRID of a geometry that sc_blob_box() does not know (TinyPoint, GeoPackage). */
static sc_status ask_box(struct sc_predicates *p, sqlite3_value *value, struct sc_box *box,
                         int *srid, int *is_geometry, struct sc_error *err) {
  sc_status st = SC_OK;
  if (!p->box) {
    st = sc_db_prepare(p->db,
                       "SELECT MbrMinX(?1), MbrMinY(?1), MbrMaxX(?1), MbrMaxY(?1), ST_SRID(?1)",
                       NULL, NULL, &p->box, err);
  }
  *is_geometry = 0;
  if (st) return st;
  sqlite3_bind_value(p->box, 1, value);
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

/* A POLYGON of one ring of five points, each at a corner of the bounding box, in order. */
static int is_rectangle(const unsigned char *p, size_t size, const struct sc_box *box) {
  if (size != RECTANGLE_BYTES || p[1] != 1 || sc_le32(p + BLOB_TYPE_AT) != 3 ||
      sc_le32(p + BLOB_TYPE_AT + 4) != 1 || sc_le32(p + BLOB_TYPE_AT + 8) != 5) {
    return 0;
  }
  if (!(box->min_x < box->max_x) || !(box->min_y < box->max_y)) return 0;
  const unsigned char *xy = p + BLOB_TYPE_AT + 12;
  int last = -1, corners = 0;
  for (int i = 0; i < 5; i++, xy += 16) {
    double x = sc_le_double(xy), y = sc_le_double(xy + 8);
    if ((x != box->min_x && x != box->max_x) || (y != box->min_y && y != box->max_y)) return 0;
    int corner = (x == box->max_x) | (y == box->max_y) << 1;
    if (last >= 0 && (corner ^ last) != 1 && (corner ^ last) != 2) return 0;
    corners |= 1 << corner;
    last = corner;
  }
  return corners == 15;
}

sc_status sc_area_init(struct sc_predicates *p, int predicate, sqlite3_value *value,
                       struct sc_area *out, struct sc_error *err) {
  static const char *const types[] = {"", "an integer", "a real", "text", "a BLOB", "NULL"};
  const char *name = predicates[predicate].name;
  int type = sqlite3_value_type(value), srid = 0, is_geometry = 0;
  struct sc_error ignored = {0};
  const void *blob = type == SQLITE_BLOB ? sqlite3_value_blob(value) : NULL;
  size_t size = blob ? (size_t)sqlite3_value_bytes(value) : 0;
  sc_status st = SC_OK;
  memset(out, 0, sizeof *out);
  if (blob) is_geometry = sc_blob_box(blob, size, &out->box, &srid, &ignored) == SC_OK;
  if (blob && !is_geometry) st = ask_box(p, value, &out->box, &srid, &is_geometry, err);
  if (st) return st;
  if (!is_geometry) {
    return sc_fail(err, SC_BAD_ARG,
                   "%s: expected a geometry (GeomFromText(...), BuildMbr(...)), found %s", name,
                   types[type]);
  }
  if (srid > 0 && srid != SC_SRID_LONLAT) return fail_srid(name, srid, err);
  st = check_blob(name, blob, size, err);
  if (st) return st;
  out->blob = sc_alloc(size);
  if (!out->blob) return sc_fail_nomem(err);
  memcpy(out->blob, blob, size);
  out->size = size;
  out->predicate = predicate;
  out->is_rectangle = is_rectangle(out->blob, size, &out->box);
  return SC_OK;
}

void sc_area_free(struct sc_area *area) {
  sc_free(area->blob);
  area->blob = NULL;
}

static int boxes_meet(const struct sc_box *a, const struct sc_box32 *b) {
  return a->min_x <= (double)b->max_x && a->max_x >= (double)b->min_x &&
         a->min_y <= (double)b->max_y && a->max_y >= (double)b->min_y;
}

static int box_holds(const struct sc_box *a, const struct sc_box32 *b) {
  return a->min_x < (double)b->min_x && a->max_x > (double)b->max_x &&
         a->min_y < (double)b->min_y && a->max_y > (double)b->max_y;
}

/*
 * A polygon reaches from side to side of its bounding box, so a rectangle as tall (or wide) as
 * the box that overlaps it must meet the polygon. Boxes may be too large by the slack; those that
 * are not exact, by more.
 */
static int must_meet(const struct sc_area *area, const struct sc_chip_block *block,
                     const struct sc_box32 *b) {
  const struct sc_box *a = &area->box;
  double min_x = (double)b->min_x, max_x = (double)b->max_x, min_y = (double)b->min_y,
         max_y = (double)b->max_y, x = (double)block->slack_x, y = (double)block->slack_y;
  int overlaps = block->is_exact && a->min_x <= max_x - x && a->max_x >= min_x + x &&
                 a->min_y <= max_y - y && a->max_y >= min_y + y;
  if (!overlaps) return 0;
  if (predicates[area->predicate].native == SC_NATIVE_BOXES_MEET) return 1;
  return (a->min_x <= min_x && a->max_x >= max_x) || (a->min_y <= min_y && a->max_y >= max_y);
}

enum sc_match sc_area_test(const struct sc_area *area, const struct sc_chip_block *block,
                           const struct sc_chip_entry *chip) {
  const struct sc_predicate *predicate = &predicates[area->predicate];
  int is_double = !sc_box32_is_empty(&chip->west);
  if (is_double && predicate->is_mbr) return SC_MATCH_MAYBE; /* its MBR is the whole belt */
  if (!boxes_meet(&area->box, &chip->box) && !(is_double && boxes_meet(&area->box, &chip->west))) {
    return SC_MATCH_NO;
  }
  if (predicate->native == SC_NATIVE_BOXES_MEET && !is_double &&
      must_meet(area, block, &chip->box)) {
    return SC_MATCH_YES;
  }
  if (!area->is_rectangle) return SC_MATCH_MAYBE;
  if (predicate->native == SC_NATIVE_MEETS && !is_double && must_meet(area, block, &chip->box)) {
    return SC_MATCH_YES;
  }
  if (predicate->inside == SC_INSIDE_OPEN || !box_holds(&area->box, &chip->box))
    return SC_MATCH_MAYBE;
  if (is_double && !box_holds(&area->box, &chip->west)) return SC_MATCH_MAYBE;
  return predicate->inside == SC_INSIDE_TRUE ? SC_MATCH_YES : SC_MATCH_NO;
}

/* Least and greatest of n dot products of points with (ux, uy). */
static void project(const double (*xy)[2], int n, double ux, double uy, double *low, double *high) {
  *low = HUGE_VAL;
  *high = -HUGE_VAL;
  for (int i = 0; i < n; i++) {
    double d = xy[i][0] * ux + xy[i][1] * uy;
    if (d < *low) *low = d;
    if (d > *high) *high = d;
  }
}

/*
 * Does a closed ring meet a rectangle? By separating axes, the rectangle's and those of the
 * ring's edges; open when the ring is not convex or they come close to touching.
 */
static enum sc_match ring_meets(const double (*xy)[2], int n_points, const struct sc_box *box) {
  const double near = 1e-9, corners[4][2] = {{box->min_x, box->min_y},
                                             {box->max_x, box->min_y},
                                             {box->max_x, box->max_y},
                                             {box->min_x, box->max_y}};
  int n = n_points - 1, turn = 0;
  double low, high, other_low, other_high;
  for (int i = 0; i < n; i++) {
    const double *a = xy[i], *b = xy[i + 1], *c = xy[(i + 1) % n + 1];
    double cross = (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0]);
    int sign = (cross > 0) - (cross < 0);
    if (sign == 0 || (turn && sign != turn)) return SC_MATCH_MAYBE;
    turn = sign;
  }
  for (int i = -2; i < n; i++) {
    double ux = i == -2, uy = i == -1;
    if (i >= 0) {
      double dx = xy[i + 1][0] - xy[i][0], dy = xy[i + 1][1] - xy[i][1], length = hypot(dx, dy);
      ux = -dy / length;
      uy = dx / length;
    }
    project(xy, n, ux, uy, &low, &high);
    project(corners, 4, ux, uy, &other_low, &other_high);
    if (low > other_high + near || high < other_low - near) return SC_MATCH_NO;
    if (low > other_high - near || high < other_low + near) return SC_MATCH_MAYBE;
  }
  return SC_MATCH_YES;
}

static enum sc_match ring_lies_in(const double (*xy)[2], int n, const struct sc_box *box) {
  enum sc_match answer = SC_MATCH_YES;
  for (int i = 0; i < n; i++) {
    double x = xy[i][0], y = xy[i][1];
    if (x < box->min_x || x > box->max_x || y < box->min_y || y > box->max_y) return SC_MATCH_NO;
    if (x == box->min_x || x == box->max_x || y == box->min_y || y == box->max_y) {
      answer = SC_MATCH_MAYBE;
    }
  }
  return answer;
}

/* A chip of one part and a rectangle: mostly decided here, a hundred times faster. */
static enum sc_match answer_natively(const struct sc_area *area, const void *blob, size_t size) {
  enum sc_native native = predicates[area->predicate].native;
  struct sc_footprint f;
  struct sc_error ignored = {0};
  int srid;
  if (!area->is_rectangle || native == SC_NATIVE_NONE || native == SC_NATIVE_BOXES_MEET) {
    return SC_MATCH_MAYBE;
  }
  if (sc_footprint_from_blob(blob, size, &f, &srid, &ignored) || f.n_parts != 1 ||
      srid != SC_SRID_LONLAT || f.parts[0].n_points > 9) {
    return SC_MATCH_MAYBE;
  }
  const double(*xy)[2] = (const double(*)[2])f.parts[0].xy;
  if (native == SC_NATIVE_MEETS) return ring_meets(xy, f.parts[0].n_points, &area->box);
  return ring_lies_in(xy, f.parts[0].n_points, &area->box);
}

sc_status sc_area_evaluate(struct sc_predicates *p, const struct sc_area *area, const void *blob,
                           size_t size, int *out, struct sc_error *err) {
  sqlite3_stmt *s;
  enum sc_match known = answer_natively(area, blob, size);
  int answer = 0;
  *out = known == SC_MATCH_YES;
  if (known != SC_MATCH_MAYBE) return SC_OK;
  sc_status st = check_blob(predicates[area->predicate].name, blob, size, err);
  if (!st) st = call_statement(p, area->predicate, &s, err);
  if (st) return st;
  sqlite3_bind_blob(s, 1, blob, (int)size, SQLITE_STATIC);
  sqlite3_bind_blob(s, 2, area->blob, (int)area->size, SQLITE_STATIC);
  st = run_call(s, &answer, err);
  sqlite3_clear_bindings(s);
  *out = answer == 1;
  return st;
}

/* ---- the functions as SQL calls them for a merged index's column ---- */

/* True when both are geometries of which the boxes, by parts, do not meet. */
static int is_apart(sqlite3_value **values) {
  struct sc_footprint f;
  struct sc_box other;
  struct sc_error ignored = {0};
  int srid;
  if (sqlite3_value_type(values[0]) != SQLITE_BLOB ||
      sqlite3_value_type(values[1]) != SQLITE_BLOB) {
    return 0;
  }
  if (sc_footprint_from_blob(sqlite3_value_blob(values[0]), (size_t)sqlite3_value_bytes(values[0]),
                             &f, &srid, &ignored) ||
      sc_blob_box(sqlite3_value_blob(values[1]), (size_t)sqlite3_value_bytes(values[1]), &other,
                  &srid, &ignored)) {
    return 0;
  }
  for (int part = 0; part < f.n_parts; part++) {
    struct sc_box box = sc_footprint_part_box(&f, part);
    if (box.min_x <= other.max_x && box.max_x >= other.min_x && box.min_y <= other.max_y &&
        box.max_y >= other.min_y) {
      return 0;
    }
  }
  return 1;
}

static sc_status check_srids(const char *name, sqlite3_value **values, struct sc_error *err) {
  struct sc_box box;
  struct sc_error ignored = {0};
  int srid[2] = {0, 0};
  for (int i = 0; i < 2; i++) {
    if (sqlite3_value_type(values[i]) != SQLITE_BLOB ||
        sc_blob_box(sqlite3_value_blob(values[i]), (size_t)sqlite3_value_bytes(values[i]), &box,
                    &srid[i], &ignored)) {
      return SC_OK;
    }
  }
  if (srid[0] <= 0 || srid[1] <= 0 || srid[0] == srid[1]) return SC_OK;
  return fail_srid(name, srid[0] == SC_SRID_LONLAT ? srid[1] : srid[0], err);
}

static void overload_function(sqlite3_context *context, int n, sqlite3_value **values) {
  struct overload *o = sqlite3_user_data(context);
  const struct sc_predicate *predicate = &predicates[o->number];
  struct sc_error err = {0};
  sqlite3_stmt *s;
  int answer = -1;
  (void)n;
  sc_status st = check_srids(predicate->name, values, &err);
  if (!st && !predicate->is_mbr && is_apart(values)) {
    sqlite3_result_int(context, 0);
    return;
  }
  for (int i = 0; i < 2 && !st; i++) {
    if (sqlite3_value_type(values[i]) != SQLITE_BLOB) continue;
    const void *blob = sqlite3_value_blob(values[i]);
    st = check_blob(predicate->name, blob, (size_t)sqlite3_value_bytes(values[i]), &err);
  }
  if (!st) st = call_statement(o->owner, o->number, &s, &err);
  if (!st) {
    sqlite3_bind_value(s, 1, values[0]);
    sqlite3_bind_value(s, 2, values[1]);
    st = run_call(s, &answer, &err);
    sqlite3_clear_bindings(s);
  }
  if (st) {
    sc_result_error(context, &err);
  } else if (answer >= 0) {
    sqlite3_result_int(context, answer);
  }
}

int sc_predicate_overload(struct sc_predicates *p, const char *name, int n_arguments,
                          void (**function)(sqlite3_context *, int, sqlite3_value **),
                          void **argument) {
  int number = n_arguments == 2 ? sc_predicate_find(name) : -1;
  if (number < 0) return 0;
  *function = overload_function;
  *argument = &p->overloads[number];
  return SC_PREDICATE_FIRST + number;
}
