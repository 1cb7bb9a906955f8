/*
 * stacchip_polygons(query [, options]): the classes that a model gave chips, as polygons.
 *
 *   CREATE TABLE stacchip_polygons(
 *     value, pixels, geometry,
 *     query HIDDEN, options HIDDEN);                          -- the arguments
 *
 *   SELECT value, geometry FROM stacchip_polygons('SELECT row, array FROM predictions');
 *   SELECT value, geometry FROM stacchip_polygons('SELECT row, scores FROM predictions',
 *                                                 '{"reduce": "argmax", "crs": "EPSG:4326"}');
 *
 * HOW IT WORKS  Each row of the query goes into a mosaic (mosaic.h), whose tiles go into a
 * temporary file as they are done. A row of tiles that is complete is read again, row by row of
 * pixels, into regions (regions.h); the polygons that a row of pixels completes are the next rows
 * of this table. So a row is there as soon as the chips say so, and what is held are the mosaic's
 * tiles, one row of tiles, and the borders of polygons that are not complete.
 */
#include <cjson/cJSON.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/db.h"
#include "pixels/mosaic.h"
#include "pixels/region_blob.h"
#include "pixels/samples.h"
#include "store/open.h"
#include "table_function.h"

#define WHAT "stacchip_polygons"
#define TILE SC_COG_TILE_PX
#define TILE_VALUES ((size_t)TILE * TILE)
#define DENSE_PX 32 /* a straight edge of 320 m bends by 2 mm in another CRS */

enum { VALUE, PIXELS, GEOMETRY, QUERY, OPTIONS };

struct polygons_options {
  struct sc_options json;
  int blend, reduce, connectedness;
  const cJSON *nodata;
  const char *crs, *table, *items;
};

/* A polygon that waits to be a row. */
struct polygon {
  struct polygon *next;
  double value;
  int64_t n_pixels;
  struct sc_buffer geometry;
};

struct polygons_cursor {
  struct sc_table_cursor base;
  struct polygons_options options;
  sqlite3_stmt *query; /* NULL at its end */
  struct sc_mosaic *mosaic;
  const struct sc_mosaic_map *map; /* NULL until the first tile */
  int fd;                          /* of tiles that are done; -1, or no map: none */
  size_t tile_bytes;               /* pixels, and which of them say something */
  uint8_t *is_done;                /* of each tile */
  int n_across, n_down;
  unsigned char *strip; /* a row of tiles */
  int strip_y;          /* of tiles: the one that is read next, or whose rows are */
  int row;              /* of the strip: the next; beyond its height: it is not read */
  double *values;       /* of a row */
  uint8_t *said;
  struct sc_regions *regions;
  int is_ended; /* all of them were given */
  struct sc_region_place place;
  struct sc_region_points points;
  struct polygon *first, *last;
};

/* --- options --- */

static sc_status check_options(const struct polygons_options *o, struct sc_error *err) {
  int is_blended = o->blend == SC_BLEND_FEATHER || o->blend == SC_BLEND_MEAN;
  if (o->nodata && !cJSON_IsNumber(o->nodata))
    return sc_option_fail(err, WHAT, "nodata", o->nodata, "a number");
  if (is_blended && !o->reduce) {
    return sc_fail(err, SC_BAD_ARG,
                   WHAT
                   ": option 'blend': the mean of two classes is another one: 'feather' and "
                   "'mean' are for scores, with \"reduce\": \"argmax\"");
  }
  return SC_OK;
}

static const struct sc_option option_table[] = {
    {"connectedness", SC_OPTION_CHOICE, offsetof(struct polygons_options, connectedness), 0, 0,
     "4|8", "\"4\"", "whether pixels hang together that share no more than a corner"},
    {"crs", SC_OPTION_TEXT, offsetof(struct polygons_options, crs), 0, 0, NULL, NULL,
     "the CRS of the polygons, where it is not the map's"},
    {"blend", SC_OPTION_CHOICE, offsetof(struct polygons_options, blend), 0, 0, SC_BLEND_CHOICES,
     NULL, "what a pixel of several chips becomes: trim, of scores feather"},
    {"reduce", SC_OPTION_CHOICE, offsetof(struct polygons_options, reduce), 0, 0, "none|argmax",
     "\"none\"", "argmax: arrays are scores, and the class is the band with the highest one"},
    {"nodata", SC_OPTION_JSON, offsetof(struct polygons_options, nodata), 0, 0, "a number", NULL,
     "pixels of this value are in no polygon"},
    {"table", SC_OPTION_TEXT, offsetof(struct polygons_options, table), 0, 0, NULL, NULL,
     "where the handle is a rowid: the merged index"},
    {"items", SC_OPTION_TEXT, offsetof(struct polygons_options, items), 0, 0, NULL,
     "\"exported_items\"", "where the handle is a short one: the table of exported items"},
};

static sc_status parse_options(const char *text, struct polygons_options *out,
                               struct sc_error *err) {
  const struct sc_option_set set = {option_table, sizeof option_table / sizeof *option_table, out,
                                    NULL};
  out->blend = -1;
  sc_status st = sc_options_parse(text, WHAT, &set, &out->json, err);
  if (!st && out->blend < 0) out->blend = out->reduce ? SC_BLEND_FEATHER : SC_BLEND_TRIM;
  return st ? st : check_options(out, err);
}

static void drop_first(struct polygons_cursor *c) {
  struct polygon *p = c->first;
  c->first = p->next;
  if (!c->first) c->last = NULL;
  sc_buffer_free(&p->geometry);
  sc_free(p);
}

static void clear_polygons(void *cursor) {
  struct polygons_cursor *c = cursor;
  sqlite3_finalize(c->query);
  sc_regions_free(c->regions);
  sc_mosaic_free(c->mosaic);
  sc_region_points_free(&c->points);
  if (c->map && c->fd >= 0) close(c->fd);
  sc_free(c->is_done);
  sc_free(c->strip);
  sc_free(c->values);
  sc_free(c->said);
  sc_options_free(&c->options.json);
  while (c->first) drop_first(c);
}

/* --- from regions to rows --- */

static sc_status take_region(void *context, const struct sc_region *region, struct sc_error *err) {
  struct polygons_cursor *c = context;
  struct polygon *p = sc_alloc_zero(1, sizeof *p);
  size_t limit = (size_t)sqlite3_limit(c->base.connection->db, SQLITE_LIMIT_LENGTH, -1);
  if (!p) return sc_fail_nomem(err);
  p->value = region->value;
  p->n_pixels = region->n_pixels;
  sc_status st = sc_region_blob(region, &c->place, &c->points, limit, &p->geometry, err);
  if (st) {
    sc_buffer_free(&p->geometry);
    sc_free(p);
    return st;
  }
  if (c->last) c->last->next = p;
  if (!c->first) c->first = p;
  c->last = p;
  return SC_OK;
}

static sc_status find_place(struct polygons_cursor *c, struct sc_error *err) {
  struct sc_region_place *p = &c->place;
  const double *t = c->map->transform;
  const struct sc_raster_api *raster = sc_raster(err);
  if (!raster) return err->status;
  memcpy(p->transform, t, sizeof p->transform);
  p->crs = c->map->crs;
  p->is_multi = c->options.connectedness == 1;
  p->to_crs = c->options.crs;
  p->srid = sc_srid_of_crs(p->to_crs ? p->to_crs : p->crs);
  p->is_lonlat = p->to_crs && raster->is_geographic(p->to_crs);
  if (!p->to_crs) return SC_OK;
  double column = c->map->width / 2.0, row = c->map->height / 2.0;
  double x = t[0] * column + t[1] * row + t[2], y = t[3] * column + t[4] * row + t[5];
  sc_status st = raster->reproject(p->crs, p->to_crs, 1, &x, &y, err);
  p->middle_lon = x;
  return st ? sc_fail_within(err, "option 'crs'") : SC_OK;
}

/* The first tile says what the map is. */
static sc_status begin_map(struct polygons_cursor *c, struct sc_error *err) {
  const struct sc_mosaic_map *map = sc_mosaic_map(c->mosaic);
  if (map->n_bands != 1) {
    return sc_fail(err, SC_BAD_DATA,
                   "arrays of %d bands; polygons are of one: of scores by \"reduce\": \"argmax\"",
                   map->n_bands);
  }
  c->map = map;
  c->fd = -1;
  c->n_across = (map->width + TILE - 1) / TILE;
  c->n_down = (map->height + TILE - 1) / TILE;
  c->tile_bytes = TILE_VALUES * (sc_dtype_bytes(map->dtype) + 1);
  c->row = TILE;
  c->is_done = sc_alloc_zero((size_t)c->n_across * (size_t)c->n_down, 1);
  c->strip = sc_alloc((size_t)c->n_across * c->tile_bytes);
  c->values = sc_alloc((size_t)map->width * sizeof *c->values);
  c->said = sc_alloc((size_t)map->width);
  if (!c->is_done || !c->strip || !c->values || !c->said) return sc_fail_nomem(err);
  const struct sc_regions_options options = {.width = map->width,
                                             .is_eight = c->options.connectedness == 1,
                                             .dense_px = c->options.crs ? DENSE_PX : 0,
                                             .take = take_region,
                                             .context = c};
  sc_status st = find_place(c, err);
  if (!st) st = sc_open_scratch(&c->fd, err);
  return st ? st : sc_regions_new(&options, &c->regions, err);
}

/* --- tiles --- */

static sc_status take_tile(void *context, const struct sc_mosaic_tile *tile, struct sc_error *err) {
  struct polygons_cursor *c = context;
  sc_status st = c->map ? SC_OK : begin_map(c, err);
  if (st) return st;
  size_t n = (size_t)tile->width * (size_t)tile->height;
  size_t i = (size_t)(tile->y / TILE) * (size_t)c->n_across + (size_t)(tile->x / TILE);
  uint64_t at = (uint64_t)i * c->tile_bytes, pixel_bytes = c->tile_bytes - TILE_VALUES;
  st = sc_write_at(c->fd, at, tile->pixels, n * sc_dtype_bytes(c->map->dtype), err);
  if (!st) st = sc_write_at(c->fd, at + pixel_bytes, tile->said, n, err);
  c->is_done[i] = 1;
  return st;
}

static int strip_height(const struct polygons_cursor *c) {
  int left = c->map->height - c->strip_y * TILE;
  return left < TILE ? left : TILE;
}

static int is_strip_done(const struct polygons_cursor *c) {
  const uint8_t *done = c->is_done + (size_t)c->strip_y * (size_t)c->n_across;
  return c->strip_y < c->n_down && (!c->query || !memchr(done, 0, (size_t)c->n_across));
}

static sc_status read_strip(struct polygons_cursor *c, struct sc_error *err) {
  size_t first = (size_t)c->strip_y * (size_t)c->n_across;
  for (size_t i = 0; i < (size_t)c->n_across; i++) {
    unsigned char *tile = c->strip + i * c->tile_bytes;
    uint64_t at = (uint64_t)(first + i) * c->tile_bytes;
    memset(tile, 0, c->tile_bytes); /* the last one may end before */
    if (c->is_done[first + i] && sc_read_at(c->fd, at, tile, c->tile_bytes) < 0)
      return sc_fail(err, SC_IO, "a temporary file cannot be read");
  }
  c->row = 0;
  return SC_OK;
}

/* The next row of the strip. */
static sc_status give_row(struct polygons_cursor *c, struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  size_t size = sc_dtype_bytes(c->map->dtype);
  if (!raster) return err->status;
  for (int i = 0; i < c->n_across; i++) {
    int x = i * TILE, width = c->map->width - x < TILE ? c->map->width - x : TILE;
    const unsigned char *tile = c->strip + (size_t)i * c->tile_bytes;
    size_t first = (size_t)c->row * (size_t)width;
    raster->convert(tile + first * size, c->map->dtype, size, c->values + x, SC_DTYPE_F64,
                    sizeof(double), (size_t)width);
    memcpy(c->said + x, tile + TILE_VALUES * size + first, (size_t)width);
  }
  if (++c->row == strip_height(c)) {
    c->row = TILE;
    c->strip_y++;
  }
  return sc_regions_row(c->regions, c->values, c->said, err);
}

/* --- the query --- */

static sc_status take_query_row(struct polygons_cursor *c, struct sc_error *err) {
  const struct polygons_options *o = &c->options;
  const struct sc_chip_options of = {.table = o->table, .items = o->items};
  const struct sc_mosaic_options options = {.blend = o->blend,
                                            .is_argmax = o->reduce == 1,
                                            .has_nodata = o->nodata != NULL,
                                            .nodata = o->nodata ? o->nodata->valuedouble : 0,
                                            .take = take_tile,
                                            .context = c};
  if (sqlite3_column_type(c->query, 0) == SQLITE_NULL ||
      sqlite3_column_type(c->query, 1) == SQLITE_NULL)
    return SC_OK;
  return sc_mosaic_put_row(c->base.connection, &options, &of, sqlite3_column_value(c->query, 0),
                           sqlite3_column_value(c->query, 1), &c->mosaic, err);
}

static sc_status step_query(struct polygons_cursor *c, struct sc_error *err) {
  int is_row;
  const char *unused;
  sc_status st = sc_db_next(c->query, &is_row, err);
  if (st) return sc_fail_within(err, "the query");
  if (is_row) return take_query_row(c, err);
  sqlite3_finalize(c->query);
  c->query = NULL;
  return c->mosaic ? sc_mosaic_finish(c->mosaic, &unused, err) : SC_OK;
}

static int is_at_end(const struct polygons_cursor *c) {
  return !c->first && !c->query && (c->is_ended || !c->map);
}

/* Go on until there is a row to show. */
static sc_status find_row(struct polygons_cursor *c, struct sc_error *err) {
  sc_status st = SC_OK;
  sc_connection_begin_query(c->base.connection);
  while (!st && !c->first && !is_at_end(c)) {
    if (c->map && c->row < TILE) {
      st = give_row(c, err);
    } else if (c->map && is_strip_done(c)) {
      st = read_strip(c, err);
    } else if (c->query) {
      st = step_query(c, err);
    } else {
      st = sc_regions_end(c->regions, err);
      c->is_ended = 1;
    }
  }
  sc_connection_end_query(c->base.connection);
  c->base.is_row = c->first != NULL;
  return st ? sc_fail_within(err, WHAT) : SC_OK;
}

/* --- the cursor --- */

static sc_status prepare(struct polygons_cursor *c, struct sc_error *err) {
  const char *query = sc_table_text(&c->base, 0);
  sc_connection_begin_query(c->base.connection);
  sc_status st = query ? sc_samples_prepare(c->base.connection->db, WHAT, query, &c->query, err)
                       : sc_fail(err, SC_BAD_ARG, WHAT ": the query is NULL");
  sc_connection_end_query(c->base.connection);
  if (!st && sqlite3_column_count(c->query) < 2) {
    st = sc_fail(err, SC_BAD_ARG,
                 WHAT
                 ": the query: expected two columns, a chip's handle and its array, such as "
                 "SELECT row, array FROM predictions");
  }
  return st;
}

static sc_status begin_polygons(void *cursor, struct sc_error *err) {
  struct polygons_cursor *c = cursor;
  sc_status st = parse_options(sc_table_text(&c->base, 1), &c->options, err);
  if (!st) st = prepare(c, err);
  return st ? st : find_row(c, err);
}

static sc_status next_polygon(void *cursor, struct sc_error *err) {
  drop_first(cursor);
  return find_row(cursor, err);
}

static sc_status show_polygon(void *cursor, int column, sqlite3_context *context,
                              struct sc_error *err) {
  const struct polygons_cursor *c = cursor;
  const struct polygon *p = c->first;
  int is_real = c->map->dtype == SC_DTYPE_F32 || c->map->dtype == SC_DTYPE_F64;
  (void)err;
  switch (column) {
    case VALUE:
      if (is_real) sqlite3_result_double(context, p->value);
      if (!is_real) sqlite3_result_int64(context, (sqlite3_int64)p->value);
      break;
    case PIXELS: sqlite3_result_int64(context, p->n_pixels); break;
    case GEOMETRY:
      sqlite3_result_blob64(context, p->geometry.data, p->geometry.size, SQLITE_TRANSIENT);
      break;
    default: break;
  }
  return SC_OK;
}

static const struct sc_help polygons_help = {
    .name = WHAT,
    .kind = SC_HELP_TABLE,
    .about = "the classes that a model gave chips as polygons, across the edges of chips",
    .arguments =
        (const struct sc_help_name[]){
            {"query", "TEXT", NULL, "SQL of two columns: a handle and its array, a .npy"},
            SC_HELP_OPTIONS,
            {0}},
    .columns =
        (const struct sc_help_name[]){
            {"value", "INTEGER or REAL", NULL, "the class"},
            {"pixels", "INTEGER", NULL, "how many pixels the polygon has"},
            {"geometry", "BLOB", NULL, "POLYGON, or MULTIPOLYGON where corners connect"},
            {0}},
    .options = {{"option", "", &(const struct sc_option_table)SC_OPTION_TABLE(option_table)}},
    .example =
        "SELECT value, sum(pixels) FROM stacchip_polygons('SELECT row, stacchip_chip(row, "
        "''{\"assets\": \"scl\"}'') FROM stacchip_index(''item.json'')') GROUP BY value",
};

static const struct sc_table_function polygons_table = {
    .help = &polygons_help,
    .declaration =
        "CREATE TABLE x(value, pixels INTEGER, geometry BLOB, query HIDDEN, options HIDDEN)",
    .risk = SQLITE_VTAB_DIRECTONLY, /* it runs SQL, and opens files and URLs */
    .first_argument = QUERY,
    .n_arguments = 2,
    .n_needed = 1,
    .missing = WHAT "(query [, options]) needs a query",
    .cost = 1e9,
    .rows = 100000,
    .cursor_bytes = sizeof(struct polygons_cursor),
    .begin = begin_polygons,
    .next = next_polygon,
    .column = show_polygon,
    .clear = clear_polygons,
};

int sc_polygons_register(struct sc_connection *c) { return sc_register_table(c, &polygons_table); }
