/* Rows of <name>_error; see error.h. */
#include "merge/error.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/sniff.h"
#include "index/index.h"
#include "stac/item.h"
#include "store/href.h"
#include "store/secrets.h"

/* A row; its texts are owned, and may be NULL. */
struct error_row {
  char *item, *href, *item_json;
  const char *reason;
};

/* The id in a text that could not be read as an item. */
static sc_status id_in_text(const char *item, size_t n, char **out, struct sc_error *err) {
  cJSON *json = cJSON_ParseWithLength(item, n);
  sc_status st = sc_strdup(sc_json_text(json, "id"), out, err);
  cJSON_Delete(json);
  return st;
}

static sc_status make_row(const char *item, size_t n, const struct sc_index *index,
                          struct error_row *row, int *is_text, struct sc_error *err) {
  const char *href = index->failed_href;
  char *text = NULL; /* the bytes of a BLOB have no zero behind them */
  *is_text = sc_sniff_is_json(item, n);
  if (sc_sniff_utf8(item, n) < n) {
    sc_status st = sc_format(&row->href, err, "%zu bytes that are not UTF-8", n);
    return st ? st : sc_strdup(index->item, &row->item, err);
  }
  sc_status st = sc_strndup(item, n, &text, err);
  if (st) return st;
  if (!*is_text) href = text;
  if (index->item || !*is_text) {
    st = sc_strdup(index->item, &row->item, err);
  } else {
    st = id_in_text(item, n, &row->item, err);
  }
  if (!st && href) st = sc_href_without_secrets(href, &row->href, err);
  if (!st && *is_text) st = sc_href_without_secrets(text, &row->item_json, err);
  sc_free(text);
  return st;
}

/* What was recorded of the same item: that of a place by it, since rasters in several folders may
 * have one name; that of a text by its id. */
static sc_status forget(struct sc_merge *t, const struct error_row *row, int is_text,
                        const char *found_at, struct sc_error *err) {
  sqlite3_stmt *s;
  const char *location = is_text ? NULL : row->href, *id = is_text ? row->item : NULL;
  if (!id && !location) return SC_OK;
  sc_status st = sc_merge_statement(t, SC_STMT_ERROR_DELETE, &s, err);
  if (st) return st;
  sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 2, location, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 3, found_at, -1, SQLITE_STATIC);
  st = sc_db_step_reset(s, err);
  sqlite3_clear_bindings(s);
  return st;
}

static sc_status insert(struct sc_merge *t, const struct error_row *row, struct sc_error *err) {
  sqlite3_stmt *s;
  sc_status st = sc_merge_statement(t, SC_STMT_ERROR_INSERT, &s, err);
  if (st) return st;
  sqlite3_bind_text(s, 1, row->item, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 2, row->href, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 3, row->reason, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 4, row->item_json, -1, SQLITE_STATIC);
  st = sc_db_step_reset(s, err);
  sqlite3_clear_bindings(s);
  return st;
}

static _Thread_local unsigned long n_lasting;

static int may_pass(const struct sc_error *e) {
  return e->status == SC_AGAIN || (e->status == SC_DB && (e->db_code & 0xff) == SQLITE_BUSY);
}

unsigned long sc_merge_lasting_failures(void) { return n_lasting; }

static void free_row(struct error_row *row) {
  sc_free(row->item);
  sc_free(row->href);
  sc_free(row->item_json);
}

sc_status sc_merge_record_failure(struct sc_merge *t, const char *item, size_t n,
                                  const struct sc_index *index, const struct sc_error *failure,
                                  struct sc_error *err) {
  struct error_row row = {.reason = failure->text};
  int is_text = 0;
  sc_status st = make_row(item, n, index, &row, &is_text, err);
  if (!st) st = forget(t, &row, is_text, NULL, err);
  if (!st) st = insert(t, &row, err);
  if (!st && !may_pass(failure)) n_lasting++;
  free_row(&row);
  return st;
}

sc_status sc_merge_forget_failure(struct sc_merge *t, const char *item, size_t n,
                                  const struct sc_index *index, struct sc_error *err) {
  struct error_row row = {0};
  char *found_at = NULL;
  int is_text = 0;
  sc_status st = make_row(item, n, index, &row, &is_text, err);
  if (!st && index->location) st = sc_href_without_secrets(index->location, &found_at, err);
  if (!st) st = forget(t, &row, is_text, found_at, err);
  sc_free(found_at);
  free_row(&row);
  return st;
}
