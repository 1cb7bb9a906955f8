/*
 * stacchip_freeze_check(path): which files are not what they were when a data set was frozen.
 *
 *   SELECT change, item, asset, reason FROM stacchip_freeze_check('train.db');
 *
 * Files are looked at as the cursor steps: LIMIT stops it.
 *
 * A local file of the same size and time of modification counts as the same; of another its bytes
 * are read. A remote file is asked for its ETag and size, many at a time. One whose item stated a
 * checksum, which only its bytes would tell, is asked for its size.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/interrupt.h"
#include "base/poll.h"
#include "freeze/compare.h"
#include "freeze/frozen_file.h"
#include "http/http_api.h"
#include "pixels/version.h"
#include "sql/freeze/check.h"
#include "store/href.h"
#include "store/stamp.h"

#define FILES_AT_ONCE 64

/* In the order of sql/freeze/check.sql. */
enum {
  AT_COLLECTION,
  AT_ITEM,
  AT_LAYER,
  AT_ASSET,
  AT_HREF,
  AT_STAMP,
  N_TEXTS,
  AT_SIZE = N_TEXTS,
  AT_MODIFIED,
  AT_NETWORK,
  AT_STATED_SIZE,
  AT_CHIPS
};

/* The columns of the table behind those texts but the stamp. */
enum { CHANGE, COLLECTION, ITEM, LAYER, ASSET, HREF, WAS, NOW, REASON, CHIPS, PATH };

enum change { SAME, CHANGED, GONE, UNKNOWN };

/* An asset of an item, and what has become of its file. */
struct file {
  char *texts[N_TEXTS];                   /* owned; collection may be NULL */
  int64_t size, modified_ns, stated_size; /* as frozen; -1: not said */
  int is_network;
  int64_t n_chips;
  char *href; /* where it is asked for: allowed; owned */
  enum change change;
  char now[SC_CONTENT_STAMP_BYTES]; /* "" where nobody says */
  char *reason;                     /* owned, or NULL */
};

struct check {
  struct sc_table_cursor base;
  sqlite3 *db;
  sqlite3_stmt *files;
  struct file batch[FILES_AT_ONCE];
  size_t n, at; /* files of the batch, and the one that is the row */
  int is_end;
};

static void free_file(struct file *f) {
  for (int i = 0; i < N_TEXTS; i++) sc_free(f->texts[i]);
  sc_free(f->href);
  sc_free(f->reason);
  *f = (struct file){0};
}

/* --- what is there now --- */

/* The file cannot be asked: not there, or for a reason that says nothing of it. */
static sc_status set_failure(struct file *f, const struct sc_error *failure, struct sc_error *err) {
  if (failure->status == SC_NOMEM || failure->status == SC_INTERRUPT) {
    *err = *failure;
    return err->status;
  }
  f->change = failure->status == SC_NOT_FOUND ? GONE : UNKNOWN;
  return sc_strdup(failure->text, &f->reason, err);
}

static int is_stamp(const struct file *f, const char *kind) {
  return strncmp(f->texts[AT_STAMP], kind, strlen(kind)) == 0;
}

/* A checksum that was stated and cannot be computed from what is known now: sizes tell. */
static sc_status compare_sizes(struct file *f, int64_t size, struct sc_error *err) {
  int64_t was = f->size >= 0 ? f->size : f->stated_size;
  if (was >= 0 && size >= 0) {
    f->change = was == size ? SAME : CHANGED;
    if (f->change == SAME) return SC_OK;
    return sc_format(&f->reason, err, "%lld bytes, and %lld when it was frozen", (long long)size,
                     (long long)was);
  }
  f->change = UNKNOWN;
  return sc_strdup("only its bytes would tell whether it has the checksum that its item stated",
                   &f->reason, err);
}

static sc_status look_at_local(struct file *f, struct sc_error *err) {
  const struct sc_stamp now = sc_stamp_of(f->href);
  struct sc_content content;
  struct sc_error failure = {0};
  if (f->modified_ns && now.modified_ns == f->modified_ns && now.size == f->size) return SC_OK;
  if (!is_stamp(f, "sha256:") && now.size > 0) return compare_sizes(f, now.size, err);
  if (sc_content_find(NULL, f->href, &content, &failure)) return set_failure(f, &failure, err);
  snprintf(f->now, sizeof f->now, "%s", content.stamp);
  f->change = strcmp(f->now, f->texts[AT_STAMP]) == 0 ? SAME : CHANGED;
  return SC_OK;
}

static sc_status take_response(struct file *f, const struct sc_http_request *r,
                               struct sc_error *err) {
  struct sc_content content;
  struct sc_error failure = {0};
  if (r->err.status) return set_failure(f, &r->err, err);
  sc_status st = sc_content_of_response(r, &content, &failure);
  if (!is_stamp(f, "etag:")) return compare_sizes(f, content.size, err);
  if (st) return set_failure(f, &failure, err);
  snprintf(f->now, sizeof f->now, "%s", content.stamp);
  f->change = strcmp(f->now, f->texts[AT_STAMP]) == 0 ? SAME : CHANGED;
  return SC_OK;
}

/* Ask for all remote files of the batch at once. */
static sc_status look_at_remote(struct check *k, struct sc_error *err) {
  struct sc_http_request *requests = sc_alloc_zero(FILES_AT_ONCE, sizeof *requests);
  struct file *of[FILES_AT_ONCE];
  struct sc_error failure = {0};
  size_t n = 0;
  if (!requests) return sc_fail_nomem(err);
  for (size_t i = 0; i < k->n; i++) {
    struct file *f = &k->batch[i];
    if (!f->href || !sc_href_is_url(f->href)) continue;
    requests[n] = sc_content_request(f->href);
    of[n++] = f;
  }
  sc_status st = n ? sc_http(requests, n, sc_interrupted, NULL, &failure) : SC_OK;
  if (st == SC_INTERRUPT || st == SC_NOMEM) {
    *err = failure;
  } else {
    st = SC_OK;
  }
  for (size_t i = 0; i < n; i++) {
    if (!st) st = take_response(of[i], &requests[i], err);
    sc_buffer_free(&requests[i].response);
  }
  sc_free(requests);
  return st;
}

/* Files that several items have lie one behind the other: what is known of one holds for the next.
 */
static int is_same_file(const struct file *a, const struct file *b) {
  return strcmp(a->texts[AT_HREF], b->texts[AT_HREF]) == 0 &&
         strcmp(a->texts[AT_STAMP], b->texts[AT_STAMP]) == 0 && a->is_network == b->is_network;
}

static sc_status look(struct check *k, struct sc_error *err) {
  sc_status st = look_at_remote(k, err);
  for (size_t i = 0; i < k->n && !st; i++) {
    struct file *f = &k->batch[i], *last = i ? f - 1 : NULL;
    if (f->href && !sc_href_is_url(f->href) && last && is_same_file(last, f)) {
      f->change = last->change;
      memcpy(f->now, last->now, sizeof f->now);
      st = sc_strdup(last->reason, &f->reason, err);
    } else if (f->href && !sc_href_is_url(f->href)) {
      st = look_at_local(f, err);
    }
  }
  return st;
}

/* --- rows --- */

static int64_t number_or(sqlite3_stmt *s, int column, int64_t missing) {
  return sqlite3_column_type(s, column) == SQLITE_INTEGER ? sqlite3_column_int64(s, column)
                                                          : missing;
}

static sc_status read_file(sqlite3_stmt *s, struct file *f, struct sc_error *err) {
  struct sc_error failure = {0};
  sc_status st = SC_OK;
  for (int i = 0; i < N_TEXTS && !st; i++) {
    st = sc_strdup((const char *)sqlite3_column_text(s, i), &f->texts[i], err);
    if (!st && i > AT_COLLECTION && !f->texts[i])
      st = sc_fail(err, SC_BAD_DATA, "the table assets or items has a NULL where a text belongs");
  }
  if (st) return st;
  f->size = number_or(s, AT_SIZE, -1);
  f->modified_ns = number_or(s, AT_MODIFIED, 0);
  f->stated_size = number_or(s, AT_STATED_SIZE, -1);
  f->is_network = sqlite3_column_int(s, AT_NETWORK);
  f->n_chips = sqlite3_column_int64(s, AT_CHIPS);
  /* What a data set names is judged like what the item had named. */
  char *resolved = NULL;
  st = sc_href_resolve(NULL, f->texts[AT_HREF], &resolved, &failure);
  if (!st) {
    st = sc_href_allow(resolved, f->is_network ? SC_ORIGIN_NETWORK : SC_ORIGIN_LOCAL, &f->href,
                       &failure);
  }
  sc_free(resolved);
  return st ? set_failure(f, &failure, err) : SC_OK;
}

static sc_status next_batch(struct check *k, struct sc_error *err) {
  int is_row = 1;
  sc_status st = SC_OK;
  for (size_t i = 0; i < k->n; i++) free_file(&k->batch[i]);
  k->n = k->at = 0;
  while (!st && k->n < FILES_AT_ONCE && is_row) {
    st = sc_db_next(k->files, &is_row, err);
    if (!st && is_row) st = read_file(k->files, &k->batch[k->n++], err);
  }
  k->is_end = !is_row;
  return st ? st : look(k, err);
}

static sc_status next_file(void *cursor, struct sc_error *err) {
  struct check *k = cursor;
  sc_status st = SC_OK;
  sc_interrupt_follow(k->base.connection->db);
  if (k->n) k->at++;
  while (!st) {
    for (; k->at < k->n; k->at++) {
      if (k->batch[k->at].change == SAME) continue;
      k->base.is_row = 1;
      return SC_OK;
    }
    if (k->is_end) return SC_OK;
    st = next_batch(k, err);
    if (!st && sc_db_interrupted(k->base.connection->db))
      st = sc_fail(err, SC_INTERRUPT, "interrupted");
  }
  return st;
}

static void clear_check(void *cursor) {
  struct check *k = cursor;
  for (size_t i = 0; i < k->n; i++) free_file(&k->batch[i]);
  sqlite3_finalize(k->files);
  sqlite3_close(k->db);
}

static sc_status begin_check(void *cursor, struct sc_error *err) {
  struct check *k = cursor;
  if (sc_table_is_null(&k->base, 0)) return SC_OK;
  const char *path = sc_table_text(&k->base, 0);
  if (!path) return sc_fail_nomem(err);
  sc_status st = sc_frozen_file_open(k->base.connection, path, &k->db, err);
  if (!st) st = sc_db_prepare(k->db, sql_freeze_check, NULL, NULL, &k->files, err);
  return st ? st : next_file(k, err);
}

static void result_text(sqlite3_context *context, const char *text) {
  if (text && *text) sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

static sc_status show_file(void *cursor, int column, sqlite3_context *context,
                           struct sc_error *err) {
  static const char *const changes[] = {"", "changed", "gone", "unknown"};
  const struct check *k = cursor;
  const struct file *f = &k->batch[k->at];
  (void)err;
  switch (column) {
    case CHANGE: result_text(context, changes[f->change]); break;
    case LAYER: sqlite3_result_text(context, f->texts[AT_LAYER], -1, SQLITE_TRANSIENT); break;
    case NOW: result_text(context, f->now); break;
    case REASON: result_text(context, f->reason); break;
    case CHIPS: sqlite3_result_int64(context, f->n_chips); break;
    default: result_text(context, f->texts[column - COLLECTION + AT_COLLECTION]); break;
  }
  return SC_OK;
}

static const struct sc_help check_help = {
    .name = "stacchip_freeze_check",
    .kind = SC_HELP_TABLE,
    .about = "the files that are not what they were when a data set was frozen",
    .arguments = (const struct sc_help_name[]){{"path", "TEXT", NULL, "the frozen data set"}, {0}},
    .columns =
        (const struct sc_help_name[]){
            {"change", "TEXT", NULL, "changed, gone, or unknown: it could not be asked"},
            {"collection", "TEXT", NULL, "of the item"},
            {"item", "TEXT", NULL, "its id"},
            {"layer", "TEXT", NULL, "the layer that the file is of, or empty"},
            {"asset", "TEXT", NULL, "its key"},
            {"href", "TEXT", NULL, "where the file was, without secrets"},
            {"was", "TEXT", NULL, "the stamp of the file when it was frozen"},
            {"now", "TEXT", NULL, "the stamp that it has now, where that is known"},
            {"reason", "TEXT", NULL, "what else is known of it"},
            {"chips", "INTEGER", NULL, "of the data set, that the item has"},
            {0}},
    .example =
        "SELECT stacchip_freeze('train.db', 'SELECT row FROM stacchip_index(''item.json'')', "
        "'{\"format\": \"manifest\"}'); SELECT count(*) FROM "
        "stacchip_freeze_check('train.db')",
};

const struct sc_table_function sc_freeze_check = {
    .help = &check_help,
    .declaration =
        "CREATE TABLE x(change TEXT, collection TEXT, item TEXT, layer TEXT, asset TEXT, "
        "href TEXT, was TEXT, now TEXT, reason TEXT, chips INTEGER, path HIDDEN)",
    .risk = SQLITE_VTAB_DIRECTONLY, /* it opens files and URLs */
    .first_argument = PATH,
    .n_arguments = 1,
    .n_needed = 1,
    .missing =
        "needs the path of a data set; on the right of a RIGHT JOIN write (SELECT * FROM "
        "stacchip_freeze_check(...))",
    .within = "stacchip_freeze_check",
    .cost = 1e6,
    .rows = 1000,
    .cursor_bytes = sizeof(struct check),
    .begin = begin_check,
    .next = next_file,
    .column = show_file,
    .clear = clear_check,
};
