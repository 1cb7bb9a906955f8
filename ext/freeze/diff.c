/*
 * stacchip_freeze_diff(a, b): the chips that one frozen data set has and the other has not, and
 * those that both have with other pixels or labels.
 *
 *   SELECT change, count(*) FROM stacchip_freeze_diff('v1.db', 'v2.db') GROUP BY change;
 *
 * A chip is its item and window (of a grid of its own, its grid), wherever its files lie and
 * whatever its position. Both data sets come in that order, and are walked side by side.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "freeze/compare.h"
#include "freeze/frozen_file.h"
#include "sql/freeze/diff.h"

/* In the order of sql/freeze/diff.sql: what a chip is, what it is called, what it is like. */
enum {
  KEY_COLLECTION,
  KEY_ITEM,
  KEY_CRS,
  KEY_TRANSFORM,
  N_KEY_TEXTS,
  KEY_X = N_KEY_TEXTS,
  KEY_Y,
  KEY_WIDTH,
  KEY_HEIGHT,
  N_KEYS,
  AT_COLLECTION = N_KEYS,
  AT_CHIP_X,
  AT_CHIP_Y,
  AT_X,
  AT_Y,
  AT_POSITION,
  AT_VERSION,
  AT_ITEM_NAME,
  AT_OPTIONS,
  AT_LAYERS,
  AT_COLUMNS
};

/* The columns of the table. */
enum {
  CHANGE,
  COLLECTION,
  ITEM,
  CHIP_X,
  CHIP_Y,
  X,
  Y,
  WIDTH,
  HEIGHT,
  WHAT,
  POSITION_A,
  POSITION_B,
  A
};

/* A data set, and its chip that is next. */
struct side {
  sqlite3 *db;
  sqlite3_stmt *chips;
  int is_chip;
  int is_current; /* the chip is (part of) the row that is shown */
};

struct diff {
  struct sc_table_cursor base;
  struct side sides[2];
  char **columns; /* further ones of both data sets, that are compared; owned */
  size_t n_columns;
  struct sc_buffer what; /* of the row */
  /* of the pair of items that was compared last: */
  char *names[2]; /* items.id; owned */
  struct sc_buffer assets;
  uint64_t n_steps;
};

/* --- reasons --- */

static sc_status add_word(struct sc_buffer *out, const char *kind, const char *name,
                          struct sc_error *err) {
  char *text = NULL;
  sc_status st = sc_format(&text, err, "%s%s%s", kind, *kind && *name ? " " : "", name);
  if (!st && out->size) st = sc_buffer_append_text(out, ",", err);
  if (!st) st = sc_buffer_append_json(out, text, err);
  sc_free(text);
  return st;
}

/* The assets of one side's item, "layer\nasset" -> stamp, in order. */
static sc_status prepare_assets(struct side *side, const char *name, sqlite3_stmt **out,
                                struct sc_error *err) {
  sc_status st = sc_db_prepare(side->db,
                               "SELECT layer || iif(layer = '', '', '.') || asset, stamp FROM "
                               "assets WHERE item = ?1 ORDER BY 1, 2",
                               NULL, NULL, out, err);
  if (!st) sqlite3_bind_text(*out, 1, name, -1, SQLITE_STATIC);
  return st;
}

static const char *text_at(sqlite3_stmt *s, int column) {
  const char *text = (const char *)sqlite3_column_text(s, column);
  return text ? text : "";
}

/* Names of the assets of a pair of items that one alone has, or with another stamp. */
static sc_status compare_assets(struct diff *d, sqlite3_stmt *const s[2], struct sc_error *err) {
  int is_row[2];
  sc_status st = sc_db_next(s[0], &is_row[0], err);
  if (!st) st = sc_db_next(s[1], &is_row[1], err);
  while (!st && (is_row[0] || is_row[1])) {
    int order = !is_row[0] ? 1 : !is_row[1] ? -1 : strcmp(text_at(s[0], 0), text_at(s[1], 0));
    const char *name = text_at(s[order > 0], 0);
    if (order || strcmp(text_at(s[0], 1), text_at(s[1], 1)) != 0)
      st = add_word(&d->assets, "asset", name, err);
    if (!st && order <= 0) st = sc_db_next(s[0], &is_row[0], err);
    if (!st && order >= 0) st = sc_db_next(s[1], &is_row[1], err);
  }
  return st;
}

/* The same of the items of the current chips, kept for the chips that follow. */
static sc_status find_assets(struct diff *d, struct sc_error *err) {
  sqlite3_stmt *s[2] = {NULL, NULL};
  int is_known = 1;
  sc_status st = SC_OK;
  for (int i = 0; i < 2; i++) {
    const char *name = text_at(d->sides[i].chips, AT_ITEM_NAME);
    is_known = is_known && d->names[i] && strcmp(d->names[i], name) == 0;
  }
  if (is_known) return SC_OK;
  d->assets.size = 0;
  for (int i = 0; i < 2 && !st; i++) {
    sc_free(d->names[i]);
    d->names[i] = NULL;
    st = sc_strdup(text_at(d->sides[i].chips, AT_ITEM_NAME), &d->names[i], err);
    if (!st) st = prepare_assets(&d->sides[i], d->names[i], &s[i], err);
  }
  if (!st) st = compare_assets(d, s, err);
  sqlite3_finalize(s[0]);
  sqlite3_finalize(s[1]);
  return st;
}

static int is_equal_value(sqlite3_stmt *a, sqlite3_stmt *b, int column) {
  int type = sqlite3_column_type(a, column);
  if (type != sqlite3_column_type(b, column)) return 0;
  if (type == SQLITE_NULL) return 1;
  if (type == SQLITE_INTEGER)
    return sqlite3_column_int64(a, column) == sqlite3_column_int64(b, column);
  if (type == SQLITE_FLOAT)
    return sqlite3_column_double(a, column) == sqlite3_column_double(b, column);
  const void *x = sqlite3_column_blob(a, column), *y = sqlite3_column_blob(b, column);
  int n = sqlite3_column_bytes(a, column);
  return n == sqlite3_column_bytes(b, column) && (n == 0 || memcmp(x, y, (size_t)n) == 0);
}

static int is_equal_text(sqlite3_stmt *a, sqlite3_stmt *b, int column) {
  return strcmp(text_at(a, column), text_at(b, column)) == 0;
}

/* What differs of a chip that both have: d->what is empty where nothing does. */
static sc_status compare_chips(struct diff *d, struct sc_error *err) {
  sqlite3_stmt *a = d->sides[0].chips, *b = d->sides[1].chips;
  sc_status st = SC_OK;
  if (!is_equal_text(a, b, AT_VERSION) || !is_equal_text(a, b, AT_LAYERS)) {
    if (!is_equal_text(a, b, AT_OPTIONS)) st = add_word(&d->what, "options", "", err);
    if (!st) st = find_assets(d, err);
    if (!st && d->assets.size && d->what.size) st = sc_buffer_append_text(&d->what, ",", err);
    if (!st) st = sc_buffer_append(&d->what, d->assets.data, d->assets.size, err);
    if (!st && !d->what.size) st = add_word(&d->what, "item", "", err);
  }
  for (size_t i = 0; i < d->n_columns && !st; i++) {
    if (!is_equal_value(a, b, AT_COLUMNS + (int)i))
      st = add_word(&d->what, "column", d->columns[i], err);
  }
  return st;
}

/* --- walking side by side --- */

static int compare_keys(sqlite3_stmt *a, sqlite3_stmt *b) {
  for (int i = 0; i < N_KEYS; i++) {
    if (i < N_KEY_TEXTS) {
      int order = strcmp(text_at(a, i), text_at(b, i));
      if (order) return order;
    } else {
      int64_t x = sqlite3_column_int64(a, i), y = sqlite3_column_int64(b, i);
      if (x != y) return x < y ? -1 : 1;
    }
  }
  return 0;
}

/* Step behind the chips that were shown or found equal. */
static sc_status step(struct diff *d, struct sc_error *err) {
  sc_status st = SC_OK;
  for (int i = 0; i < 2 && !st; i++) {
    struct side *side = &d->sides[i];
    if (side->is_current) st = sc_db_next(side->chips, &side->is_chip, err);
    side->is_current = 0;
  }
  if (!st && ++d->n_steps % 1024 == 0 && sc_db_interrupted(d->base.connection->db))
    st = sc_fail(err, SC_INTERRUPT, "interrupted");
  return st;
}

static sc_status next_chip(void *cursor, struct sc_error *err) {
  struct diff *d = cursor;
  struct side *a = &d->sides[0], *b = &d->sides[1];
  for (;;) {
    sc_status st = step(d, err);
    if (st || (!a->is_chip && !b->is_chip)) return st;
    int order = !a->is_chip ? 1 : !b->is_chip ? -1 : compare_keys(a->chips, b->chips);
    a->is_current = order <= 0;
    b->is_current = order >= 0;
    d->what.size = 0;
    if (order == 0) st = compare_chips(d, err);
    d->base.is_row = order != 0 || d->what.size > 0;
    if (st || d->base.is_row) return st;
  }
}

/* --- opening --- */

static sc_status take_column(struct diff *d, const char *name, struct sc_error *err) {
  char **larger = sc_realloc(d->columns, (d->n_columns + 1) * sizeof *larger);
  if (!larger) return sc_fail_nomem(err);
  d->columns = larger;
  sc_status st = sc_strdup(name, &d->columns[d->n_columns], err);
  if (!st) d->n_columns++;
  return st;
}

/* Further columns that both have; json_each() is SQLite's, and judges the JSON. */
static sc_status find_columns(struct diff *d, struct sc_error *err) {
  struct sc_buffer other = {0};
  sqlite3_stmt *s = NULL;
  int is_row = 1;
  sc_status st = sc_frozen_file_get(d->sides[1].db, "columns", &other, err);
  if (!st)
    st = sc_db_prepare(d->sides[0].db,
                       "SELECT value FROM json_each((SELECT value FROM dataset WHERE key = "
                       "'columns')) WHERE value IN (SELECT value FROM json_each(?1)) ORDER BY key",
                       NULL, NULL, &s, err);
  if (!st) sqlite3_bind_text(s, 1, other.size ? (char *)other.data : "[]", -1, SQLITE_TRANSIENT);
  while (!st && is_row) {
    st = sc_db_next(s, &is_row, err);
    if (!st && is_row) st = take_column(d, text_at(s, 0), err);
  }
  sqlite3_finalize(s);
  sc_buffer_free(&other);
  return st;
}

static sc_status prepare_chips(const struct diff *d, struct side *side, struct sc_error *err) {
  sqlite3_str *sql = sqlite3_str_new(NULL);
  sqlite3_str_appendall(sql, sql_freeze_diff);
  for (size_t i = 0; i < d->n_columns; i++) sqlite3_str_appendf(sql, ", c.\"%w\"", d->columns[i]);
  /* Chips of one item and window, as of two catalogues or with several labels, meet their likes. */
  sqlite3_str_appendall(sql,
                        " FROM chips AS c JOIN items AS i ON i.id = c.item ORDER BY 1, 2, 3, 4, 5, "
                        "6, 7, 8, 15, 18");
  for (size_t i = 0; i < d->n_columns; i++)
    sqlite3_str_appendf(sql, ", %d", AT_COLUMNS + (int)i + 1);
  sqlite3_str_appendall(sql, ", 14");
  char *text = sqlite3_str_finish(sql);
  sc_status st =
      text ? sc_db_prepare(side->db, text, NULL, NULL, &side->chips, err) : sc_fail_nomem(err);
  sqlite3_free(text);
  if (!st) st = sc_db_next(side->chips, &side->is_chip, err);
  return st;
}

static void clear_diff(void *cursor) {
  struct diff *d = cursor;
  for (int i = 0; i < 2; i++) {
    sqlite3_finalize(d->sides[i].chips);
    sqlite3_close(d->sides[i].db);
    sc_free(d->names[i]);
  }
  for (size_t i = 0; i < d->n_columns; i++) sc_free(d->columns[i]);
  sc_free(d->columns);
  sc_buffer_free(&d->what);
  sc_buffer_free(&d->assets);
}

static sc_status begin_diff(void *cursor, struct sc_error *err) {
  struct diff *d = cursor;
  sc_status st = SC_OK;
  if (sc_table_is_null(&d->base, 0) || sc_table_is_null(&d->base, 1)) return SC_OK;
  for (int i = 0; i < 2 && !st; i++) {
    const char *path = sc_table_text(&d->base, i);
    st = path ? sc_frozen_file_open(d->base.connection, path, &d->sides[i].db, err)
              : sc_fail_nomem(err);
  }
  if (!st) st = find_columns(d, err);
  for (int i = 0; i < 2 && !st; i++) st = prepare_chips(d, &d->sides[i], err);
  return st ? st : next_chip(d, err);
}

/* --- the row --- */

static void result_position(const struct side *side, sqlite3_context *context) {
  if (side->is_current)
    sqlite3_result_value(context, sqlite3_column_value(side->chips, AT_POSITION));
}

static sc_status show_chip(void *cursor, int column, sqlite3_context *context,
                           struct sc_error *err) {
  static const int of_chip[] = {
      [COLLECTION] = AT_COLLECTION, [ITEM] = KEY_ITEM,    [CHIP_X] = AT_CHIP_X,
      [CHIP_Y] = AT_CHIP_Y,         [X] = AT_X,           [Y] = AT_Y,
      [WIDTH] = KEY_WIDTH,          [HEIGHT] = KEY_HEIGHT};
  const struct diff *d = cursor;
  const struct side *a = &d->sides[0], *b = &d->sides[1], *shown = b->is_current ? b : a;
  const char *change = !b->is_current ? "removed" : a->is_current ? "changed" : "added";
  (void)err;
  switch (column) {
    case CHANGE: sqlite3_result_text(context, change, -1, SQLITE_STATIC); break;
    case WHAT:
      if (a->is_current && b->is_current) {
        char *text = sqlite3_mprintf("[%.*s]", (int)d->what.size, (const char *)d->what.data);
        sqlite3_result_text(context, text, -1, sqlite3_free);
      }
      break;
    case POSITION_A: result_position(a, context); break;
    case POSITION_B: result_position(b, context); break;
    default:
      sqlite3_result_value(context, sqlite3_column_value(shown->chips, of_chip[column]));
      break;
  }
  return SC_OK;
}

static const struct sc_help diff_help = {
    .name = "stacchip_freeze_diff",
    .kind = SC_HELP_TABLE,
    .about = "the chips that differ between two frozen data sets",
    .arguments =
        (const struct sc_help_name[]){
            {"a", "TEXT", NULL, "a frozen data set"}, {"b", "TEXT", NULL, "the other one"}, {0}},
    .columns =
        (const struct sc_help_name[]){
            {"change", "TEXT", NULL, "added (in b alone), removed (in a alone) or changed"},
            {"collection", "TEXT", NULL, "of the item"},
            {"item", "TEXT", NULL, "its id"},
            {"chip_index_x", "INTEGER", NULL, "as in the handle"},
            {"chip_index_y", "INTEGER", NULL, "as in the handle"},
            {"x", "INTEGER", NULL, "window on the item's grid, in pixels"},
            {"y", "INTEGER", NULL, "window on the item's grid, in pixels"},
            {"width", "INTEGER", NULL, "in pixels"},
            {"height", "INTEGER", NULL, "in pixels"},
            {"what", "TEXT", NULL,
             "of a chip that has changed a JSON array: options, asset NAME, column NAME"},
            {"position_a", "INTEGER", NULL, "of the chip in a"},
            {"position_b", "INTEGER", NULL, "of the chip in b"},
            {0}},
    .example =
        "SELECT stacchip_freeze('v1.db', 'SELECT row FROM stacchip_index(''item.json'') LIMIT 9', "
        "'{\"format\": \"manifest\"}'); SELECT stacchip_freeze('v2.db', 'SELECT row FROM "
        "stacchip_index(''item.json'') LIMIT 5', '{\"format\": \"manifest\"}'); SELECT change, "
        "count(*) FROM stacchip_freeze_diff('v1.db', 'v2.db') GROUP BY change",
};

const struct sc_table_function sc_freeze_diff = {
    .help = &diff_help,
    .declaration =
        "CREATE TABLE x(change TEXT, collection TEXT, item TEXT, chip_index_x INTEGER, "
        "chip_index_y INTEGER, x INTEGER, y INTEGER, width INTEGER, height INTEGER, what TEXT, "
        "position_a INTEGER, position_b INTEGER, a HIDDEN, b HIDDEN)",
    .risk = SQLITE_VTAB_DIRECTONLY, /* it opens files and URLs */
    .first_argument = A,
    .n_arguments = 2,
    .n_needed = 2,
    .missing =
        "needs the path of two data sets; on the right of a RIGHT JOIN write (SELECT * FROM "
        "stacchip_freeze_diff(...))",
    .within = "stacchip_freeze_diff",
    .cost = 1e6,
    .rows = 1000,
    .cursor_bytes = sizeof(struct diff),
    .begin = begin_diff,
    .next = next_chip,
    .column = show_chip,
    .clear = clear_diff,
};
