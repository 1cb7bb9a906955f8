/*
 * stacchip_index(item_json [, options]): every chip of one STAC item.
 *
 *   CREATE TABLE stacchip_index(
 *     chipid, platform, item, date, chip_index_x, chip_index_y, cloud_cover_percentage,
 *     nodata_percentage, geometry,
 *     item_json HIDDEN, options HIDDEN,                      -- the arguments
 *     "row" HIDDEN, datetime HIDDEN, collection HIDDEN, grid HIDDEN, col_off HIDDEN,
 *     row_off HIDDEN);
 *
 *   SELECT count(*) FROM stacchip_index('item.json');
 *   SELECT chipid FROM stacchip_index('item.json', '{"chip_size": 512}')
 *     WHERE cloud_cover_percentage < 0.1;
 *   SELECT stacchip_chip("row") FROM stacchip_index('item.json') LIMIT 1;
 *
 * HOW IT WORKS  xFilter computes the whole index in memory (sc_index_item) and the cursor
 * walks its chips; geometry and handle are made when they are asked for.
 *
 * PLAN  idxNum: bit 0, item_json is given; bit 1, options are given. idxStr has a letter for
 * each further argument, which is only looked at (index/day_term.h): d or t for date or datetime,
 * a capital for a list. Without an item the plan is the last one that SQLite takes, and xFilter
 * says what is missing.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/rowid.h"
#include "connection.h"
#include "index/day_term.h"
#include "index/geometry.h"
#include "index/handle.h"
#include "index/index.h"

enum {
  CHIPID,
  PLATFORM,
  ITEM,
  DATE,
  CHIP_X,
  CHIP_Y,
  CLOUD,
  NODATA,
  GEOMETRY,
  ITEM_JSON,
  OPTIONS,
  ROW,
  DATETIME,
  COLLECTION,
  GRID,
  COL_OFF,
  ROW_OFF
};

enum { PLAN_ITEM = 1, PLAN_OPTIONS = 2 };

struct index_table {
  sqlite3_vtab base;
  struct sc_connection *connection;
};

struct index_cursor {
  sqlite3_vtab_cursor base;
  struct sc_index index;
  struct sc_index_options options;
  struct sc_buffer handle_prefix; /* made on first use */
  struct sc_buffer scratch;
  sqlite3_value *arguments[2]; /* owned: item_json and options, as they were given */
  size_t at;                   /* chip */
  sqlite3_int64 first_rowid;
};

static int index_connect(sqlite3 *db, void *aux, int n, const char *const *args, sqlite3_vtab **out,
                         char **message) {
  (void)n, (void)args, (void)message;
  int code = sqlite3_declare_vtab(
      db,
      "CREATE TABLE x(chipid TEXT, platform TEXT, item TEXT, date TEXT, chip_index_x INTEGER, "
      "chip_index_y INTEGER, cloud_cover_percentage REAL, nodata_percentage REAL, geometry BLOB, "
      "item_json HIDDEN, options HIDDEN, \"row\" TEXT HIDDEN, datetime TEXT HIDDEN, "
      "collection TEXT HIDDEN, grid TEXT HIDDEN, col_off INTEGER HIDDEN, row_off INTEGER HIDDEN)");
  struct index_table *t = code == SQLITE_OK ? sc_alloc_zero(1, sizeof *t) : NULL;
  if (!t) return code == SQLITE_OK ? SQLITE_NOMEM : code;
  t->connection = aux;
  sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY); /* it opens files and URLs */
  *out = &t->base;
  return SQLITE_OK;
}

static int is_comparison(int op) {
  return op == SQLITE_INDEX_CONSTRAINT_EQ || op == SQLITE_INDEX_CONSTRAINT_LT ||
         op == SQLITE_INDEX_CONSTRAINT_LE || op == SQLITE_INDEX_CONSTRAINT_GT ||
         op == SQLITE_INDEX_CONSTRAINT_GE;
}

/* Ask for what dates are compared with; SQLite does the comparing. */
static int add_days(sqlite3_index_info *info, int n) {
  sqlite3_str *letters = sqlite3_str_new(NULL);
  for (int i = 0; i < info->nConstraint; i++) {
    const struct sqlite3_index_constraint *c = &info->aConstraint[i];
    if (!c->usable || (c->iColumn != DATE && c->iColumn != DATETIME) || !is_comparison(c->op)) {
      continue;
    }
    int is_list = sqlite3_vtab_in(info, i, 1);
    sqlite3_str_appendchar(letters, 1, (is_list ? "DT" : "dt")[c->iColumn == DATETIME]);
    info->aConstraintUsage[i].argvIndex = ++n;
  }
  int code = sqlite3_str_errcode(letters);
  info->idxStr = sqlite3_str_finish(letters);
  info->needToFreeIdxStr = info->idxStr != NULL;
  return code;
}

static int index_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  int item = -1, options = -1;
  struct sc_error err = {0};
  if (sc_day_term_check_plan(info, DATE, DATETIME, &err)) return sc_vtab_error(vtab, &err);
  for (int i = 0; i < info->nConstraint; i++) {
    const struct sqlite3_index_constraint *c = &info->aConstraint[i];
    if (c->op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
    if (c->iColumn != ITEM_JSON && c->iColumn != OPTIONS) continue;
    if (!c->usable) return SQLITE_CONSTRAINT; /* another order of the join will do */
    if (c->iColumn == ITEM_JSON && item < 0) item = i;
    if (c->iColumn == OPTIONS && options < 0) options = i;
  }
  info->idxNum = (item >= 0 ? PLAN_ITEM : 0) | (options >= 0 ? PLAN_OPTIONS : 0);
  int n = 0;
  if (item >= 0) {
    info->aConstraintUsage[item].argvIndex = ++n;
    info->aConstraintUsage[item].omit = 1;
  }
  if (options >= 0) {
    info->aConstraintUsage[options].argvIndex = ++n;
    info->aConstraintUsage[options].omit = 1;
  }
  /* A call without options is another call: where the branches of an OR give the same item other
   * options, the scan of each branch must win over one scan by what they share, the item. */
  info->estimatedCost = item < 0 ? SC_COST_INCOMPLETE : options < 0 ? 1e8 : 1e5;
  info->estimatedRows = 1764; /* a Sentinel-2 scene */
  return add_days(info, n);
}

static int index_disconnect(sqlite3_vtab *vtab) {
  sc_free(vtab);
  return SQLITE_OK;
}

static int index_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  (void)vtab;
  struct index_cursor *c = sc_alloc_zero(1, sizeof *c);
  if (!c) return SQLITE_NOMEM;
  *out = &c->base;
  return SQLITE_OK;
}

static void clear_cursor(struct index_cursor *c) {
  sc_index_free(&c->index);
  sc_index_options_free(&c->options);
  sc_buffer_free(&c->handle_prefix);
  for (int i = 0; i < 2; i++) {
    sqlite3_value_free(c->arguments[i]);
    c->arguments[i] = NULL;
  }
  c->at = 0;
}

static int index_close(sqlite3_vtab_cursor *cursor) {
  struct index_cursor *c = (struct index_cursor *)cursor;
  clear_cursor(c);
  sc_buffer_free(&c->scratch);
  sc_free(c);
  return SQLITE_OK;
}

static sc_status fill(struct index_cursor *c, sqlite3_value *item, sqlite3_value *options,
                      struct sc_error *err) {
  struct sc_connection *connection = ((struct index_table *)c->base.pVtab)->connection;
  sc_status st = sc_connection_check_direct(connection, err);
  if (st || sqlite3_value_type(item) == SQLITE_NULL) return st;
  size_t n;
  const char *bytes = sc_db_bytes(item, &n);
  const char *text = options ? (const char *)sqlite3_value_text(options) : NULL;
  struct sc_index_call call = {.db = connection->db,
                               .rules = connection->rules,
                               .interrupted = sc_db_interrupted,
                               .interrupt_context = connection->db};
  if (!bytes) return sc_fail_nomem(err);
  st = sc_index_options_parse(text, &c->options, err);
  return st ? st : sc_index_item(&call, bytes, n, &c->options, &c->index, err);
}

/* Keep the arguments, so that their columns show them. */
static sc_status keep_arguments(struct index_cursor *c, int plan, sqlite3_value **values,
                                struct sc_error *err) {
  for (int i = 0, n = 0; i < 2; i++) {
    if (!(plan & (i ? PLAN_OPTIONS : PLAN_ITEM))) continue;
    c->arguments[i] = sqlite3_value_dup(values[n++]);
    if (!c->arguments[i]) return sc_fail_nomem(err);
  }
  return SC_OK;
}

static sc_status start(struct index_cursor *c, int plan, const char *days, sqlite3_value **values,
                       struct sc_error *err) {
  if (!(plan & PLAN_ITEM)) {
    return sc_fail(err, SC_BAD_ARG,
                   "stacchip_index(item_json [, options]) needs an item; on the right of a RIGHT "
                   "JOIN write (SELECT * FROM stacchip_index(...))");
  }
  sc_status st = keep_arguments(c, plan, values, err);
  int n = plan & PLAN_OPTIONS ? 2 : 1;
  c->first_rowid = 1 + sc_rowid_start(values, n);
  for (; !st && days && *days; days++) {
    int is_list = *days == 'D' || *days == 'T';
    const char *column = *days == 'd' || *days == 'D' ? "date" : "datetime";
    st = sc_day_term_check_value(column, is_list, values[n++], err);
  }
  return st ? st : fill(c, values[0], plan & PLAN_OPTIONS ? values[1] : NULL, err);
}

static int index_filter(sqlite3_vtab_cursor *cursor, int plan, const char *days, int n,
                        sqlite3_value **values) {
  struct index_cursor *c = (struct index_cursor *)cursor;
  struct sc_error err = {0};
  (void)n;
  clear_cursor(c);
  if (start(c, plan, days, values, &err)) return sc_vtab_error(cursor->pVtab, &err);
  return SQLITE_OK;
}

static int index_next(sqlite3_vtab_cursor *cursor) {
  ((struct index_cursor *)cursor)->at++;
  return SQLITE_OK;
}

static int index_eof(sqlite3_vtab_cursor *cursor) {
  const struct index_cursor *c = (struct index_cursor *)cursor;
  return c->at >= c->index.n_chips;
}

static void result_fraction(sqlite3_context *context, float fraction) {
  if (fraction == fraction) sqlite3_result_double(context, (double)fraction); /* NaN is NULL */
}

static void result_text(sqlite3_context *context, const char *text) {
  if (text) sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

static sc_status make_geometry(struct index_cursor *c, const struct sc_index_chip *chip,
                               struct sc_error *err) {
  struct sc_footprint footprint;
  sc_status st = sc_index_footprint(&c->index, chip, &footprint, err);
  return st ? st : sc_footprint_to_blob(&footprint, 0, &c->scratch, err);
}

static sc_status make_handle(struct index_cursor *c, const struct sc_index_chip *chip,
                             struct sc_error *err) {
  sc_status st = SC_OK;
  if (!c->handle_prefix.size) st = sc_handle_prefix(&c->index, &c->options, &c->handle_prefix, err);
  return st ? st : sc_handle_format(&c->handle_prefix, chip->x, chip->y, &c->scratch, err);
}

/* The columns that are made in a buffer. */
static int result_made(struct index_cursor *c, sqlite3_context *context, int column) {
  const struct sc_index_chip *chip = &c->index.chips[c->at];
  struct sc_error err = {0};
  c->scratch.size = 0;
  sc_status st = column == GEOMETRY ? make_geometry(c, chip, &err)
                 : column == ROW    ? make_handle(c, chip, &err)
                                    : sc_buffer_printf(&c->scratch, &err, "%s-%d-%d", c->index.item,
                                                       chip->x, chip->y);
  if (st) {
    sc_result_error(context, &err);
  } else if (column == GEOMETRY) {
    sqlite3_result_blob64(context, c->scratch.data, c->scratch.size, SQLITE_TRANSIENT);
  } else {
    sqlite3_result_text64(context, (char *)c->scratch.data, c->scratch.size, SQLITE_TRANSIENT,
                          SQLITE_UTF8);
  }
  return SQLITE_OK;
}

static int index_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column) {
  struct index_cursor *c = (struct index_cursor *)cursor;
  const struct sc_index *index = &c->index;
  const struct sc_index_chip *chip = &index->chips[c->at];
  const struct sc_tiling *t = &index->tiling;
  switch (column) {
    case CHIPID:
    case ROW:
    case GEOMETRY: return result_made(c, context, column);
    case ITEM_JSON:
    case OPTIONS:
      if (c->arguments[column - ITEM_JSON]) {
        sqlite3_result_value(context, c->arguments[column - ITEM_JSON]);
      }
      break;
    case PLATFORM: result_text(context, index->platform); break;
    case ITEM: result_text(context, index->item); break;
    case DATE: result_text(context, index->date); break;
    case CHIP_X: sqlite3_result_int(context, chip->x); break;
    case CHIP_Y: sqlite3_result_int(context, chip->y); break;
    case CLOUD: result_fraction(context, chip->cloud); break;
    case NODATA: result_fraction(context, chip->nodata); break;
    case DATETIME: result_text(context, index->datetime); break;
    case COLLECTION: result_text(context, index->collection); break;
    case GRID: result_text(context, index->grid_hash); break;
    case COL_OFF:
      sqlite3_result_int64(context, sc_tiling_origin(t, index->grid.width_px, chip->x));
      break;
    case ROW_OFF:
      sqlite3_result_int64(context, sc_tiling_origin(t, index->grid.height_px, chip->y));
      break;
    default: break;
  }
  return SQLITE_OK;
}

static int index_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid) {
  const struct index_cursor *c = (struct index_cursor *)cursor;
  *rowid = c->first_rowid + (sqlite3_int64)c->at;
  return SQLITE_OK;
}

static const sqlite3_module index_module = {
    .iVersion = 0,
    .xCreate = NULL, /* eponymous only */
    .xConnect = index_connect,
    .xBestIndex = index_best_index,
    .xDisconnect = index_disconnect,
    .xDestroy = NULL,
    .xOpen = index_open,
    .xClose = index_close,
    .xFilter = index_filter,
    .xNext = index_next,
    .xEof = index_eof,
    .xColumn = index_column,
    .xRowid = index_rowid,
    .xUpdate = NULL,
};

static const struct sc_help index_help = {
    .name = "stacchip_index",
    .kind = SC_HELP_TABLE,
    .about = "every chip of one item",
    .arguments = (const struct sc_help_name[]){SC_HELP_ITEM, SC_HELP_OPTIONS, {0}},
    .columns =
        (const struct sc_help_name[]){
            {"chipid", "TEXT", NULL, "{item}-{x}-{y}, for people"},
            {"platform", "TEXT", NULL, "the rule that the item falls under, raster or none"},
            {"item", "TEXT", NULL, "the item's id"},
            {"date", "TEXT", NULL, "YYYY-MM-DD in UTC"},
            {"chip_index_x", "INTEGER", NULL, "column of the chip, from the left"},
            {"chip_index_y", "INTEGER", NULL, "row of the chip, from above"},
            {"cloud_cover_percentage", "REAL", NULL,
             "fraction of cloudy pixels, 0 to 1; NULL where it is unknown"},
            {"nodata_percentage", "REAL", NULL,
             "fraction of pixels that are not valid, 0 to 1; NULL where it is unknown"},
            {"geometry", "BLOB", NULL,
             "the footprint in longitude and latitude, a SpatiaLite geometry"},
            {"row", "TEXT, hidden", NULL, "the handle: what reads the pixels"},
            {"datetime", "TEXT, hidden", NULL, "RFC 3339 in UTC"},
            {"collection", "TEXT, hidden", NULL, "the item's collection"},
            {"grid", "TEXT, hidden", NULL, "a hash of CRS, transform and shape"},
            {"col_off", "INTEGER, hidden", NULL, "the chip's first column of pixels in the grid"},
            {"row_off", "INTEGER, hidden", NULL, "the chip's first row of pixels in the grid"},
            {0}},
    .options = {{"option", "", &sc_index_option_table}},
    .example =
        "SELECT chipid, cloud_cover_percentage FROM stacchip_index('item.json', '{\"max_nodata\": "
        "1}')",
};

int sc_index_register(struct sc_connection *c) {
  sc_connection_help(c, &index_help);
  return sc_register_module(c, "stacchip_index", &index_module);
}
