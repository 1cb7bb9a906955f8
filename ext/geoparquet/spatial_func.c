/* Overloaded spatial predicates; see spatial_func.h. */
#include "geoparquet/spatial_func.h"

#include <stdlib.h>
#include <string.h>

#include "base/db.h"
#include "index/geometry.h"

/* All are false where the boxes do not meet (MbrTouches is not: see merge/spatial.c). */
static const char *const names[SC_SPATIAL_N] = {
    "MbrIntersects",    "MbrContains",   "MbrWithin",     "MbrOverlaps",  "MbrEqual",
    "ST_EnvIntersects", "EnvIntersects", "ST_Intersects", "Intersects",   "ST_Contains",
    "Contains",         "ST_Within",     "Within",        "ST_Overlaps",  "Overlaps",
    "ST_Touches",       "Touches",       "ST_Crosses",    "Crosses",      "ST_Equals",
    "Equals",           "ST_Covers",     "Covers",        "ST_CoveredBy", "CoveredBy"};

void sc_spatial_init(struct sc_spatial *set) {
  for (int i = 0; i < SC_SPATIAL_N; i++) {
    set[i].name = names[i];
    set[i].stmt = NULL;
  }
}

void sc_spatial_free(struct sc_spatial *set) {
  for (int i = 0; i < SC_SPATIAL_N; i++) sqlite3_finalize(set[i].stmt);
}

static int value_box(sqlite3_value *v, struct sc_box *box, int *srid) {
  struct sc_error ignored = {0};
  if (sqlite3_value_type(v) != SQLITE_BLOB) return 0;
  return sc_blob_box(sqlite3_value_blob(v), (size_t)sqlite3_value_bytes(v), box, srid, &ignored) ==
         SC_OK;
}

static int boxes_meet(const struct sc_box *a, const struct sc_box *b) {
  return a->min_x <= b->max_x && a->max_x >= b->min_x && a->min_y <= b->max_y &&
         a->max_y >= b->min_y;
}

/* Ask SpatiaLite. Its functions are not shadowed in "SELECT f(?1, ?2)". */
static sc_status ask(struct sc_spatial *s, sqlite3_context *context, sqlite3_value **values,
                     struct sc_error *err) {
  sqlite3 *db = sqlite3_context_db_handle(context);
  sc_status st = SC_OK;
  if (!s->stmt) {
    char *sql = sqlite3_mprintf("SELECT \"%w\"(?1, ?2)", s->name);
    if (!sql) return sc_fail_nomem(err);
    st = sc_db_prepare(db, sql, NULL, NULL, &s->stmt, err);
    sqlite3_free(sql);
  }
  if (st) return st;
  sqlite3_bind_value(s->stmt, 1, values[0]);
  sqlite3_bind_value(s->stmt, 2, values[1]);
  if (sqlite3_step(s->stmt) == SQLITE_ROW) {
    sqlite3_result_value(context, sqlite3_column_value(s->stmt, 0));
  } else {
    st = sc_db_fail(db, err, s->name);
  }
  sqlite3_reset(s->stmt);
  sqlite3_clear_bindings(s->stmt);
  return st;
}

static void call(sqlite3_context *context, int n, sqlite3_value **values) {
  struct sc_spatial *s = sqlite3_user_data(context);
  struct sc_error err = {0};
  struct sc_box a, b;
  int srid_a, srid_b;
  int has_boxes = n == 2 && value_box(values[0], &a, &srid_a) && value_box(values[1], &b, &srid_b);
  /* SpatiaLite gives -1, which WHERE takes for true; pages of nulls would not be read. */
  if (sqlite3_value_type(values[0]) == SQLITE_NULL ||
      sqlite3_value_type(values[1]) == SQLITE_NULL) {
    return;
  }
  if (has_boxes && srid_a > 0 && srid_b > 0 && srid_a != srid_b) {
    sc_fail_text(&err, SC_BAD_ARG, "%s: SRID %d and SRID %d; ST_Transform one of them", s->name,
                 srid_a, srid_b);
    sc_result_error(context, &err);
  } else if (has_boxes && !boxes_meet(&a, &b)) {
    sqlite3_result_int(context, 0);
  } else if (has_boxes && s->name == names[0]) {
    sqlite3_result_int(context, 1);
  } else if (ask(s, context, values, &err)) {
    sc_result_error(context, &err);
  }
}

int sc_spatial_is_name(const char *name, size_t n) {
  for (int i = 0; i < SC_SPATIAL_N; i++) {
    if (strlen(names[i]) == n && sqlite3_strnicmp(names[i], name, (int)n) == 0) return 1;
  }
  return 0;
}

int sc_spatial_find(struct sc_spatial *set, int n_args, const char *name,
                    void (**function)(sqlite3_context *, int, sqlite3_value **), void **arg) {
  for (int i = 0; i < SC_SPATIAL_N && n_args == 2; i++) {
    if (sqlite3_stricmp(names[i], name) != 0) continue;
    *function = call;
    *arg = &set[i];
    return SC_SPATIAL_FIRST_OP + i;
  }
  return 0;
}
