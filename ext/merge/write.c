/* INSERT into a merged index; see write.h. */
#include "merge/write.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/datetime.h"
#include "base/db.h"
#include "index/row_tiling.h"
#include "merge/columns.h"
#include "merge/command.h"
#include "merge/direct.h"
#include "merge/error.h"
#include "merge/headers.h"
#include "merge/shadow.h"

static const char *text_of(sqlite3_value **columns, int column) {
  return (const char *)sqlite3_value_text(columns[column]);
}

/* ---- rows ---- */

static sc_status read_position(sqlite3_value **columns, int column, int32_t *out,
                               struct sc_error *err) {
  sqlite3_value *v = columns[column];
  int64_t n = sqlite3_value_int64(v);
  if (sqlite3_value_numeric_type(v) != SQLITE_INTEGER || n < 0 || n > SC_GRID_MAX_PX) {
    const char *text = (const char *)sqlite3_value_text(v);
    return sc_fail(err, SC_BAD_ARG, "%s: expected an integer 0..%d, found %s",
                   sc_merge_column_name(column), SC_GRID_MAX_PX, text ? text : "NULL");
  }
  *out = (int32_t)n;
  return SC_OK;
}

static sc_status read_fraction(sqlite3_value **columns, int column, float *out,
                               struct sc_error *err) {
  sqlite3_value *v = columns[column];
  int type = sqlite3_value_numeric_type(v);
  double d = sqlite3_value_double(v);
  *out = NAN;
  if (type == SQLITE_NULL) return SC_OK;
  if ((type != SQLITE_INTEGER && type != SQLITE_FLOAT) || !(d >= 0 && d <= 1)) {
    return sc_fail(err, SC_BAD_ARG, "%s: expected a fraction 0..1, found %s%s",
                   sc_merge_column_name(column), text_of(columns, column),
                   d > 1 && d <= 100 ? " (per cent?)" : "");
  }
  *out = (float)d;
  return SC_OK;
}

static sc_status check_date(const char *date, struct sc_error *err) {
  int32_t days;
  if (!date || sc_date_parse(date, strlen(date), &days)) return SC_OK;
  return sc_fail(err, SC_BAD_ARG, "date: expected YYYY-MM-DD, found %s", date);
}

/* A chip's position means nothing on another grid of chips. */
static sc_status check_tiling(const struct sc_merge *t, sqlite3_value *geometry,
                              struct sc_error *err) {
  const struct sc_tiling *file = sc_row_tiling_find(t->connection, geometry);
  const struct sc_tiling *own = &t->args.index.tiling;
  if (!file || sc_tiling_equals(file, own)) return SC_OK;
  return sc_fail(err, SC_BAD_ARG,
                 "its file says chip_size=%d, stride=%d, edge=%s, the table has chip_size=%d, "
                 "stride=%d, edge=%s: merge it into a table that was created with the file's",
                 file->chip_size_px, file->stride_px, sc_edge_name(file->edge), own->chip_size_px,
                 own->stride_px, sc_edge_name(own->edge));
}

static sc_status read_row(const struct sc_merge *t, sqlite3_value **columns,
                          struct sc_merge_new_row *row, struct sc_error *err) {
  const char *forced = t->args.index.platform;
  row->item = text_of(columns, SC_COL_ITEM);
  row->platform = text_of(columns, SC_COL_PLATFORM);
  row->collection = text_of(columns, SC_COL_COLLECTION);
  row->date = text_of(columns, SC_COL_DATE);
  row->datetime = text_of(columns, SC_COL_DATETIME);
  row->grid = text_of(columns, SC_COL_GRID);
  if (!row->platform) row->platform = forced[0] ? forced : "none";
  if (!row->item || !row->item[0]) {
    return sc_fail(err, SC_BAD_ARG,
                   "%s: a row needs item, chip_index_x, chip_index_y and "
                   "geometry (or item_json alone): item is %s",
                   t->name, row->item ? "empty" : "NULL");
  }
  sc_status st = check_date(row->date, err);
  if (!st) st = read_position(columns, SC_COL_X, &row->x, err);
  if (!st) st = read_position(columns, SC_COL_Y, &row->y, err);
  if (!st) st = read_fraction(columns, SC_COL_CLOUD, &row->cloud, err);
  if (!st) st = read_fraction(columns, SC_COL_NODATA, &row->nodata, err);
  if (st) return st;
  if (sqlite3_value_type(columns[SC_COL_GEOMETRY]) != SQLITE_BLOB) {
    return sc_fail(err, SC_BAD_ARG, "geometry: expected a SpatiaLite BLOB in EPSG:4326");
  }
  row->geometry = sqlite3_value_blob(columns[SC_COL_GEOMETRY]);
  row->geometry_size = (size_t)sqlite3_value_bytes(columns[SC_COL_GEOMETRY]);
  return check_tiling(t, columns[SC_COL_GEOMETRY], err);
}

static sc_status write_row(struct sc_merge *t, sqlite3_value **columns, enum sc_conflict conflict,
                           int64_t *rowid, struct sc_error *err) {
  struct sc_merge_new_row row;
  sc_status st = read_row(t, columns, &row, err);
  if (!st) return sc_merge_insert_row(t, &row, conflict, rowid, err);
  return row.item && row.item[0] ? sc_fail_within(err, "%s: item %s", t->name, row.item) : st;
}

/* ---- items ---- */

/* Failures that say nothing about the item. */
static int is_ours(sc_status st) {
  return st == SC_NOMEM || st == SC_INTERRUPT || st == SC_DB || st == SC_CONSTRAINT;
}

/* Record the failure of an item if the table is to; else it stays the statement's. */
static sc_status record_failure(struct sc_merge *t, const char *item, size_t n,
                                const struct sc_index *index, struct sc_error *err) {
  struct sc_error second = {0};
  enum sc_merge_on_error mode = SC_MERGE_ON_ERROR_ABORT;
  if (is_ours(err->status)) return err->status;
  sc_status st = sc_merge_find_on_error(t, &mode, &second);
  if (!st && mode == SC_MERGE_ON_ERROR_ABORT) return err->status;
  if (!st) st = sc_merge_record_failure(t, item, n, index, err, &second);
  if (st) *err = second;
  return st;
}

/* What is merged has not failed: a row of <name>_error that says so goes in the same write. */
static sc_status write_ready(struct sc_merge *t, const struct sc_merge_ready *ready,
                             enum sc_conflict conflict, int64_t *rowid, struct sc_error *err) {
  sc_status st = sc_merge_insert_item(t, ready->index, ready->headers, conflict, rowid, err);
  if (st) return st;
  st = sc_merge_forget_failure(t, ready->item, ready->size, ready->index, err);
  if (st) t->is_broken = 1;
  return st;
}

static sc_status write_item(struct sc_merge *t, const char *item, size_t n,
                            const struct sc_index_options *options, enum sc_conflict conflict,
                            int64_t *rowid, struct sc_error *err) {
  struct sc_index_call call = {t->db, t->connection->rules, NULL, NULL};
  struct sc_index index = {0};
  struct sc_merge_header *headers = NULL;
  sc_status st = sc_index_item(&call, item, n, options, &index, err);
  if (!st) st = sc_merge_check_raster(t, &index, err);
  if (st) {
    st = record_failure(t, item, n, &index, err);
    sc_index_free(&index);
    return st;
  }
  if (conflict != SC_CONFLICT_REPLACE) st = sc_merge_check_new(t, &index, err);
  if (!st) st = sc_merge_make_headers(&t->args, &index, &headers, err);
  struct sc_merge_ready ready = {item, n, &index, headers};
  if (!st) st = write_ready(t, &ready, conflict, rowid, err);
  sc_merge_headers_free(headers, index.n_assets);
  sc_index_free(&index);
  return st;
}

static sc_status fail_trigger(const struct sc_merge *t, struct sc_error *err) {
  return sc_fail(err, SC_DENIED,
                 "%s: a trigger may not index items, since what it names would be opened unasked; "
                 "INSERT INTO %s(item_json) by a statement of its own",
                 t->name, t->name);
}

sc_status sc_merge_write(struct sc_merge *t, sqlite3_value **values, int conflict, int64_t *rowid,
                         struct sc_error *err) {
  sqlite3_value **columns = values + 1;
  enum sc_conflict mode = conflict == SQLITE_REPLACE ? SC_CONFLICT_REPLACE : SC_CONFLICT_FAIL;
  const struct sc_merge_ready *ready =
      sqlite3_value_pointer(columns[SC_COL_ITEM_JSON], SC_MERGE_READY);
  if (ready) return write_ready(t, ready, mode, rowid, err);
  if (sqlite3_value_type(columns[SC_COL_COMMAND]) != SQLITE_NULL) {
    return sc_merge_command(t, text_of(columns, SC_COL_COMMAND), text_of(columns, SC_COL_RANK),
                            err);
  }
  if (sqlite3_value_type(values[0]) != SQLITE_NULL) {
    return sc_fail(err, SC_BAD_ARG, "%s: rowids are given by the merged index, not set", t->name);
  }
  int has_options = sqlite3_value_type(columns[SC_COL_INDEX_OPTIONS]) != SQLITE_NULL;
  if (sqlite3_value_type(columns[SC_COL_ITEM_JSON]) == SQLITE_NULL && has_options) {
    return sc_fail(err, SC_BAD_ARG, "%s: index_options are of use with item_json alone", t->name);
  }
  if (sqlite3_value_type(columns[SC_COL_ITEM_JSON]) == SQLITE_NULL) {
    return write_row(t, columns, mode, rowid, err);
  }
  if (!sc_direct_is_insert(t->db, t->name)) return fail_trigger(t, err);
  sc_status st = sc_connection_check_direct(t->connection, err);
  if (st) return st;
  size_t n;
  const char *item = sc_db_bytes(columns[SC_COL_ITEM_JSON], &n);
  if (!item) return sc_fail_nomem(err);
  const char *json = text_of(columns, SC_COL_INDEX_OPTIONS);
  if (!json) return write_item(t, item, n, &t->args.index, mode, rowid, err);
  struct sc_index_options options;
  st = sc_index_options_with_mask(&t->args.index, json, t->name, &options, err);
  if (!st) st = write_item(t, item, n, &options, mode, rowid, err);
  sc_index_options_free(&options);
  return st;
}

sc_status sc_merge_refuse_update(const struct sc_merge *t, struct sc_error *err) {
  return sc_fail(err, SC_BAD_ARG,
                 "%s: chips cannot be updated; index the item again with INSERT OR REPLACE INTO "
                 "%s(item_json) VALUES (...), or DELETE the rows and insert others",
                 t->name, t->name);
}

sc_status sc_merge_fail_broken(const struct sc_merge *t, struct sc_error *err) {
  return sc_fail(
      err, SC_DB,
      "%s: a write failed half way and could not be undone: the transaction must be rolled back",
      t->name);
}
