/*
 * stacchip_split(geometry [, options]) and stacchip_cell(geometry, metres): parts of a data set
 * that keep their distance, and places.
 *
 *   SELECT stacchip_split(geometry, '{"guard": 2560}'), count(*) FROM chips GROUP BY 1
 *   SELECT stacchip_cell(geometry, 50000), min(cloud_cover_percentage) FROM chips GROUP BY 1
 *
 * Rows of latitude of one height are cut into cells of about that width. The hash of its cell names
 * a place's part. A chip has a name where all cells have it that its box, grown by half the guard,
 * touches. If two chips are less than the guard apart, the middle between them is within half of it
 * of both: its cell is touched by both, so that they have one name or at most one has any.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/db.h"
#include "base/options.h"
#include "connection.h"
#include "index/shape.h"
#include "pixels/hash.h"

/*
 * Of WGS 84, in metres (NGA.STND.0036, 3.2 and 4.1). Along any line of length d the latitude
 * changes by at most d / LEAST_MERIDIAN_M radians, since nowhere do meridians curve more than on
 * the equator, and the longitude by at most d / (EQUATOR_M cos(latitude)), taken where the line is
 * nearest to a pole.
 */
#define EQUATOR_M 6378137.0
#define LEAST_MERIDIAN_M 6335439.327

#define DEGREE (M_PI / 180)
#define CELL_LEAST_M 100.0
#define CELL_MOST_M 5000000.0
#define GUARD_MOST_M 1000000.0
#define PARTS_MOST 64
#define CELLS_MOST 1000000 /* that one box may touch */

/* How the globe is cut. */
struct cells {
  double height; /* of a row, degrees */
  int64_t n_rows;
};

/* A box in degrees whose longitudes may go beyond 180. */
struct region {
  double west, east, south, north;
};

struct part {
  const char *name; /* borrowed from the options */
  double until;     /* the greatest hash that is below it is this part's */
};

struct split {
  struct sc_options json;
  const cJSON *part_list;
  int64_t seed;
  double cell_m, guard_m;
  struct cells cells;
  struct part parts[PARTS_MOST];
  int n_parts;
};

/* ---- cells ---- */

static struct cells cells_of(double cell_m) {
  struct cells c = {.height = cell_m / LEAST_MERIDIAN_M / DEGREE};
  c.n_rows = (int64_t)ceil(180 / c.height);
  return c;
}

static int64_t row_at(const struct cells *c, double lat) {
  int64_t row = (int64_t)floor((lat + 90) / c->height);
  return row < 0 ? 0 : row >= c->n_rows ? c->n_rows - 1 : row;
}

/* Cells of a row: as many as are nearest to square in its middle. */
static int64_t n_cells(const struct cells *c, int64_t row) {
  double middle = fmin(90, -90 + ((double)row + 0.5) * c->height);
  double n = round(360 * cos(middle * DEGREE) / c->height);
  return n < 1 ? 1 : (int64_t)n;
}

/* The column of a longitude before it is wrapped. */
static int64_t column_at(int64_t n, double lon) {
  return (int64_t)floor((lon + 180) / 360 * (double)n);
}

static int64_t wrap(int64_t column, int64_t n) {
  int64_t rest = column % n;
  return rest < 0 ? rest + n : rest;
}

/* The number of a cell, which stacchip_cell() gives. */
static int64_t cell_number(int64_t row, int64_t column) { return row << 32 | column; }

/* ---- geometries ---- */

static sc_status fail_srid(int srid, const char *what, struct sc_error *err) {
  return sc_fail(err, SC_BAD_ARG,
                 "%s: expected longitude and latitude (SRID 4326), found SRID %d; use "
                 "ST_Transform(geometry, 4326)",
                 what, srid);
}

/* Take a box in, on the turn that is nearest to what there is already. */
static void take_box(struct region *r, const struct sc_box *box) {
  double shift = 0;
  if (r->west <= r->east) {
    double middle = (r->west + r->east) / 2;
    shift = 360 * round((middle - (box->min_x + box->max_x) / 2) / 360);
  }
  r->west = fmin(r->west, box->min_x + shift);
  r->east = fmax(r->east, box->max_x + shift);
  r->south = fmin(r->south, box->min_y);
  r->north = fmax(r->north, box->max_y);
}

/* Nearly every footprint is one ring; SC_NOT_FOUND for an empty geometry. */
static sc_status read_region(sqlite3_value *value, const char *what, struct region *r,
                             struct sc_error *err) {
  const void *blob = sqlite3_value_blob(value);
  size_t size = (size_t)sqlite3_value_bytes(value);
  struct sc_view polygon;
  struct sc_box box;
  struct sc_shape shape;
  *r = (struct region){HUGE_VAL, -HUGE_VAL, HUGE_VAL, -HUGE_VAL};
  int srid = SC_SRID_LONLAT;
  if (sqlite3_value_type(value) != SQLITE_BLOB) {
    return sc_fail(
        err, SC_BAD_ARG, "%s: expected a geometry, found %s", what,
        sqlite3_value_type(value) == SQLITE_TEXT ? "text; GeomFromText() makes one" : "a number");
  }
  if (sc_blob_polygon(blob, size, &polygon) && sc_polygon_box(polygon, &box)) {
    srid = (int)sc_le32((const unsigned char *)blob + 2);
    take_box(r, &box);
  } else {
    if (sc_shape_parse(blob, size, &shape, err)) return sc_fail_within(err, "%s", what);
    srid = shape.srid;
    for (size_t i = 0; i < shape.n_parts; i++) {
      box = sc_shape_part_box(&shape, i);
      take_box(r, &box);
    }
    sc_shape_free(&shape);
  }
  if (srid != SC_SRID_LONLAT) return fail_srid(srid, what, err);
  if (!(r->west <= r->east)) return SC_NOT_FOUND;
  if (r->south >= -90 && r->north <= 90 && r->west >= -1080 && r->east <= 1080) return SC_OK;
  return sc_fail(err, SC_BAD_ARG,
                 "%s: expected longitude and latitude, found a geometry from %.9g, %.9g to %.9g, "
                 "%.9g",
                 what, r->west, r->south, r->east, r->north);
}

/* Everything within `metres` of a region lies in what it becomes. */
static void grow(struct region *r, double metres) {
  double step = metres / LEAST_MERIDIAN_M / DEGREE;
  r->south -= step;
  r->north += step;
  double cosine = cos(fmax(fabs(r->south), fabs(r->north)) * DEGREE);
  int is_at_pole = r->south <= -90 || r->north >= 90;
  step = is_at_pole || cosine <= 0 ? 360 : fmin(360, metres / (EQUATOR_M * cosine) / DEGREE);
  r->west -= step;
  r->east += step;
}

/* ---- stacchip_split() ---- */

static const struct part *part_of(const struct split *s, int64_t row, int64_t column) {
  uint64_t h = sc_stable_hash_integer(sc_stable_hash_start(), s->seed);
  double hash = sc_stable_hash_end(sc_stable_hash_integer(h, cell_number(row, column)));
  int i = 0;
  while (i + 1 < s->n_parts && hash >= s->parts[i].until) i++;
  return &s->parts[i];
}

/* The part that all cells of a region have, or NULL. */
static sc_status find_part(const struct split *s, const struct region *r, const struct part **out,
                           struct sc_error *err) {
  int64_t last_row = row_at(&s->cells, r->north), n_seen = 0;
  *out = NULL;
  for (int64_t row = row_at(&s->cells, r->south); row <= last_row; row++) {
    int64_t n = n_cells(&s->cells, row), first = column_at(n, r->west);
    int64_t last = column_at(n, r->east);
    if (last - first >= n) last = first + n - 1;
    for (int64_t column = first; column <= last; column++) {
      const struct part *part = part_of(s, row, wrap(column, n));
      if (*out && part != *out) {
        *out = NULL;
        return SC_OK;
      }
      *out = part;
      if (s->n_parts == 1) return SC_OK;
      if (++n_seen > CELLS_MOST) {
        *out = NULL;
        return sc_fail(err, SC_TOO_BIG, "stacchip_split: the geometry touches more than %d cells",
                       CELLS_MOST);
      }
    }
  }
  return SC_OK;
}

static sc_status read_parts(struct split *s, struct sc_error *err) {
  static const char expected[] = "an object of names and their shares, which add up to 1";
  const cJSON *share;
  double sum = 0;
  if (!cJSON_IsObject(s->part_list)) {
    return sc_option_fail(err, "stacchip_split", "parts", s->part_list, "%s", expected);
  }
  cJSON_ArrayForEach(share, s->part_list) {
    if (!cJSON_IsNumber(share) || !(share->valuedouble > 0) || s->n_parts == PARTS_MOST) {
      return sc_option_fail(err, "stacchip_split", "parts", s->part_list, "%s, of at most %d",
                            expected, PARTS_MOST);
    }
    sum += share->valuedouble;
    s->parts[s->n_parts++] = (struct part){share->string, sum};
  }
  if (fabs(sum - 1) <= 1e-6) return SC_OK;
  return sc_option_fail(err, "stacchip_split", "parts", s->part_list, "%s (now %.9g)", expected,
                        sum);
}

static void free_split(void *value) {
  struct split *s = value;
  sc_options_free(&s->json);
  sc_free(s);
}

static const struct sc_option option_table[] = {
    {"seed", SC_OPTION_INT, offsetof(struct split, seed), -9007199254740991.0, 9007199254740991.0,
     NULL, "0", "another number, another split"},
    {"cell", SC_OPTION_REAL, offsetof(struct split, cell_m), CELL_LEAST_M, CELL_MOST_M, NULL,
     "50000", "height of a row of cells, in metres"},
    {"guard", SC_OPTION_REAL, offsetof(struct split, guard_m), 0, GUARD_MOST_M, NULL, "0",
     "least distance of chips of different parts, in metres"},
    {"parts", SC_OPTION_JSON, offsetof(struct split, part_list), 0, 0,
     "an object of shares by name", "{\"train\": 0.7, \"val\": 0.15, \"test\": 0.15}",
     "names of the parts, and the shares of cells that they get"}};

static sc_status parse_split(const char *text, struct split *s, struct sc_error *err) {
  struct sc_option_set set = {option_table, sizeof option_table / sizeof *option_table, s, NULL};
  s->cell_m = 50000;
  sc_status st = sc_options_parse(text, "stacchip_split", &set, &s->json, err);
  if (st) return st;
  s->cells = cells_of(s->cell_m);
  if (s->part_list) return read_parts(s, err);
  s->parts[0] = (struct part){"train", 0.7};
  s->parts[1] = (struct part){"val", 0.85};
  s->parts[2] = (struct part){"test", 1};
  s->n_parts = 3;
  return SC_OK;
}

/* The options of a statement are parsed once, where they are the same for all rows. *is_own tells
 * the caller to free them. */
static sc_status get_split(sqlite3_context *context, int n, sqlite3_value **values,
                           struct split **out, int *is_own, struct sc_error *err) {
  *is_own = 0;
  if ((*out = sqlite3_get_auxdata(context, 1)) != NULL) return SC_OK;
  struct split *s = sc_alloc_zero(1, sizeof *s);
  if (!s) return sc_fail_nomem(err);
  sc_status st = parse_split(n > 1 ? (const char *)sqlite3_value_text(values[1]) : NULL, s, err);
  if (st) {
    free_split(s);
    return st;
  }
  *out = s;
  *is_own = 1;
  return SC_OK;
}

static void split_func(sqlite3_context *context, int n, sqlite3_value **values) {
  struct sc_error err = {0};
  struct split *split;
  struct region region;
  const struct part *part = NULL;
  int is_own;
  if (get_split(context, n, values, &split, &is_own, &err)) {
    sc_result_error(context, &err);
    return;
  }
  if (sqlite3_value_type(values[0]) != SQLITE_NULL) {
    sc_status st = read_region(values[0], "stacchip_split", &region, &err);
    if (!st) {
      if (split->guard_m > 0) grow(&region, split->guard_m / 2);
      st = find_part(split, &region, &part, &err);
    }
    if (st && st != SC_NOT_FOUND) sc_result_error(context, &err);
    if (part) sqlite3_result_text(context, part->name, -1, SQLITE_TRANSIENT);
  }
  /* Last: SQLite may free what it is given at once. */
  if (is_own) sqlite3_set_auxdata(context, 1, split, free_split);
}

/* ---- stacchip_cell() ---- */

static void cell_func(sqlite3_context *context, int n, sqlite3_value **values) {
  struct sc_error err = {0};
  struct region r;
  (void)n;
  if (sqlite3_value_type(values[0]) == SQLITE_NULL || sqlite3_value_type(values[1]) == SQLITE_NULL)
    return;
  double metres = sqlite3_value_double(values[1]);
  int type = sqlite3_value_numeric_type(values[1]);
  sc_status st = SC_OK;
  if ((type != SQLITE_INTEGER && type != SQLITE_FLOAT) ||
      !(metres >= CELL_LEAST_M && metres <= CELL_MOST_M)) {
    st = sc_fail(&err, SC_BAD_ARG, "stacchip_cell: expected metres from %g to %g, found %.40s",
                 CELL_LEAST_M, CELL_MOST_M, (const char *)sqlite3_value_text(values[1]));
  }
  if (!st) st = read_region(values[0], "stacchip_cell", &r, &err);
  if (st == SC_NOT_FOUND) return;
  if (st) {
    sc_result_error(context, &err);
    return;
  }
  struct cells cells = cells_of(metres);
  int64_t row = row_at(&cells, (r.south + r.north) / 2), count = n_cells(&cells, row);
  sqlite3_result_int64(context,
                       cell_number(row, wrap(column_at(count, (r.west + r.east) / 2), count)));
}

static const struct sc_help split_help = {
    .name = "stacchip_split",
    .kind = SC_HELP_SCALAR,
    .about =
        "the part of a data set that a place belongs to, such as train; NULL near another part",
    .arguments =
        (const struct sc_help_name[]){
            {"geometry", "BLOB", NULL, "in longitude and latitude"}, SC_HELP_OPTIONS, {0}},
    .options = {{"option", "", &(const struct sc_option_table)SC_OPTION_TABLE(option_table)}},
    .example =
        "SELECT stacchip_split(geometry, '{\"guard\": 2560}') AS part, count(*) FROM "
        "stacchip_index('item.json') GROUP BY part",
};

static const struct sc_help cell_help = {
    .name = "stacchip_cell",
    .kind = SC_HELP_SCALAR,
    .about = "the number of the cell in which the middle of a geometry lies",
    .arguments =
        (const struct sc_help_name[]){{"geometry", "BLOB", NULL, "in longitude and latitude"},
                                      {"metres", "REAL", NULL, "height of a row of cells"},
                                      {0}},
    .example =
        "SELECT count(DISTINCT stacchip_cell(geometry, 5000)) FROM stacchip_index('item.json')",
};

int sc_split_register(struct sc_connection *c) {
  const int pure = SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  const struct sc_function functions[] = {
      {"stacchip_split", 1, pure, split_func, 0, 0},
      {"stacchip_split", 2, pure, split_func, 0, 0},
      {"stacchip_cell", 2, pure, cell_func, 0, 0},
  };
  sc_connection_help(c, &split_help);
  sc_connection_help(c, &cell_help);
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
