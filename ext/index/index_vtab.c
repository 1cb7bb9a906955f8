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
 * PLAN  idxStr has a letter for each value behind the arguments, which is only looked at
 * (index/day_term.h): d or t for date or datetime, a capital for a list.
 */

#include "base/db.h"
#include "index/day_term.h"
#include "index/geometry.h"
#include "index/handle.h"
#include "index/index.h"
#include "table_function.h"

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

struct index_cursor {
  struct sc_table_cursor base;
  struct sc_index index;
  struct sc_index_options options;
  struct sc_buffer handle_prefix; /* made on first use */
  struct sc_buffer scratch;
};

static int is_comparison(int op) {
  return op == SQLITE_INDEX_CONSTRAINT_EQ || op == SQLITE_INDEX_CONSTRAINT_LT ||
         op == SQLITE_INDEX_CONSTRAINT_LE || op == SQLITE_INDEX_CONSTRAINT_GT ||
         op == SQLITE_INDEX_CONSTRAINT_GE;
}

/* Ask for what dates are compared with; SQLite does the comparing. */
static sc_status plan_days(sqlite3_index_info *info, struct sc_error *err) {
  sc_status st = sc_day_term_check_plan(info, DATE, DATETIME, err);
  if (st) return st;
  sqlite3_str *letters = sqlite3_str_new(NULL);
  for (int i = 0, n = info->idxNum; i < info->nConstraint; i++) {
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
  return code == SQLITE_OK ? SC_OK : sc_fail_nomem(err);
}

static sc_status check_days(const struct sc_table_cursor *c, struct sc_error *err) {
  const char *days = c->terms ? c->terms : "";
  sc_status st = SC_OK;
  for (int i = 0; days[i] && !st; i++) {
    int is_list = days[i] == 'D' || days[i] == 'T';
    const char *column = days[i] == 'd' || days[i] == 'D' ? "date" : "datetime";
    st = sc_day_term_check_value(column, is_list, c->values[i], err);
  }
  return st;
}

static void clear_index(void *cursor) {
  struct index_cursor *c = cursor;
  sc_index_free(&c->index);
  sc_index_options_free(&c->options);
  sc_buffer_free(&c->handle_prefix);
  sc_buffer_free(&c->scratch);
}

static sc_status next_chip(void *cursor, struct sc_error *err) {
  struct index_cursor *c = cursor;
  (void)err;
  c->base.is_row = (size_t)c->base.position < c->index.n_chips;
  return SC_OK;
}

static sc_status begin_index(void *cursor, struct sc_error *err) {
  struct index_cursor *c = cursor;
  struct sc_connection *connection = c->base.connection;
  sqlite3_value *item = c->base.arguments[0];
  sc_status st = check_days(&c->base, err);
  if (st || sqlite3_value_type(item) == SQLITE_NULL) return st;
  size_t n;
  const char *bytes = sc_db_bytes(item, &n);
  struct sc_index_call call = {.db = connection->db,
                               .rules = connection->rules,
                               .interrupted = sc_db_interrupted,
                               .interrupt_context = connection->db};
  if (!bytes) return sc_fail_nomem(err);
  st = sc_index_options_parse(sc_table_text(&c->base, 1), &c->options, err);
  if (!st) st = sc_index_item(&call, bytes, n, &c->options, &c->index, err);
  return st ? st : next_chip(c, err);
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
static sc_status result_made(struct index_cursor *c, const struct sc_index_chip *chip, int column,
                             sqlite3_context *context, struct sc_error *err) {
  c->scratch.size = 0;
  sc_status st = column == GEOMETRY ? make_geometry(c, chip, err)
                 : column == ROW    ? make_handle(c, chip, err)
                                    : sc_buffer_printf(&c->scratch, err, "%s-%d-%d", c->index.item,
                                                       chip->x, chip->y);
  if (!st && column == GEOMETRY) {
    sqlite3_result_blob64(context, c->scratch.data, c->scratch.size, SQLITE_TRANSIENT);
  } else if (!st) {
    sqlite3_result_text64(context, (char *)c->scratch.data, c->scratch.size, SQLITE_TRANSIENT,
                          SQLITE_UTF8);
  }
  return st;
}

static sc_status show_chip(void *cursor, int column, sqlite3_context *context,
                           struct sc_error *err) {
  struct index_cursor *c = cursor;
  const struct sc_index *index = &c->index;
  const struct sc_index_chip *chip = &index->chips[c->base.position];
  const struct sc_tiling *t = &index->tiling;
  switch (column) {
    case CHIPID:
    case ROW:
    case GEOMETRY: return result_made(c, chip, column, context, err);
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
  return SC_OK;
}

static const struct sc_help index_help = {
    .name = "stacchip_index",
    .kind = SC_HELP_TABLE,
    .about = "every chip of one item",
    .arguments = (const struct sc_help_name[]){SC_HELP_ITEM, SC_HELP_OPTIONS, {0}},
    .columns = (const struct sc_help_name[]){SC_HELP_INDEX_COLUMNS, SC_HELP_INDEX_HIDDEN, {0}},
    .options = {{"option", "", &sc_index_option_table}},
    .example =
        "SELECT chipid, cloud_cover_percentage FROM stacchip_index('item.json', '{\"max_nodata\": "
        "1}')",
};

static const struct sc_table_function index_table = {
    .help = &index_help,
    .declaration =
        "CREATE TABLE x(chipid TEXT, platform TEXT, item TEXT, date TEXT, chip_index_x INTEGER, "
        "chip_index_y INTEGER, cloud_cover_percentage REAL, nodata_percentage REAL, "
        "geometry BLOB, item_json HIDDEN, options HIDDEN, \"row\" TEXT HIDDEN, "
        "datetime TEXT HIDDEN, collection TEXT HIDDEN, grid TEXT HIDDEN, col_off INTEGER HIDDEN, "
        "row_off INTEGER HIDDEN)",
    .risk = SQLITE_VTAB_DIRECTONLY, /* it opens files and URLs */
    .first_argument = ITEM_JSON,
    .n_arguments = 2,
    .n_needed = 1,
    .missing =
        "stacchip_index(item_json [, options]) needs an item; on the right of a RIGHT JOIN write "
        "(SELECT * FROM stacchip_index(...))",
    .cost = 1e5,
    .rows = 1764, /* a Sentinel-2 scene */
    .cursor_bytes = sizeof(struct index_cursor),
    .plan = plan_days,
    .begin = begin_index,
    .next = next_chip,
    .column = show_chip,
    .clear = clear_index,
};

int sc_index_register(struct sc_connection *c) { return sc_register_table(c, &index_table); }
