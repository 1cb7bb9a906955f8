/*
 * stacchip_merge_items(table, query [, options]): merge every item that the query yields.
 *
 *   SELECT stacchip_merge_items('chips', 'SELECT item_json FROM stacchip_items(''scenes/'')');
 *   -- {"merged":118,"skipped":0,"failed":2}, and "left_out":3 where chips have no place
 *
 * The first column of the query is an item as for stacchip_index(). Worker threads index;
 * this connection reads the query and writes, one transaction for each item (or all in the
 * caller's, inside BEGIN). Items that are there are passed over, so that a call that was
 * broken off is simply made again. Options: threads (the setting), on_error ("record" into
 * <table>_error, the default, or "abort"), replace (false).
 */
#include "merge/items.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/options.h"
#include "base/progress.h"
#include "base/settings.h"
#include "base/sniff.h"
#include "merge/buffers.h"
#include "merge/error.h"
#include "merge/item_pool.h"
#include "merge/write.h"
#include "stac/item.h"
#include "store/href.h"
#include "store/secrets.h"

#define WAIT_MS 50       /* between looks for an interrupt */
#define FAILURES_SHOWN 3 /* of the first ones, in the result; <name>_error has them all */

struct items_options {
  int64_t threads;
  int on_error; /* enum sc_merge_on_error */
  int replace;
};

struct items_job {
  struct sc_merge *table;
  struct items_options options;
  sqlite3_stmt *query, *insert;
  sqlite3_stmt *pin; /* keeps `table` open when another connection changes the schema */
  struct sc_item_pool *pool;
  int is_query_done;
  int64_t n_merged, n_skipped, n_failed;
  int64_t n_left_out;        /* chips */
  struct sc_buffer failures; /* reasons of the first ones, as members of a JSON array */
  struct sc_progress progress;
};

/* What became of the items so far. */
static int64_t count_done(const struct items_job *job, char *note, size_t n) {
  snprintf(note, n, "%lld merged, %lld skipped, %lld failed", (long long)job->n_merged,
           (long long)job->n_skipped, (long long)job->n_failed);
  return job->n_merged + job->n_skipped + job->n_failed;
}

/* Does a statement with its values bound give a row? */
static sc_status has_row(sqlite3_stmt *s, int *out, struct sc_error *err) {
  sc_status st = sc_db_next(s, out, err);
  sqlite3_reset(s);
  sqlite3_clear_bindings(s);
  return st;
}

static const char *text_member(const cJSON *object, const char *key) {
  const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, key);
  return cJSON_IsString(member) ? member->valuestring : NULL;
}

/* An item as text, by its id and collection. Indexing says what is wrong with a text that is not an
 * item. */
static sc_status is_text_done(struct sc_merge *t, const char *item, size_t n, int *out,
                              struct sc_error *err) {
  const char *platform = t->args.index.platform;
  cJSON *json = cJSON_ParseWithLength(item, n);
  const char *id = text_member(json, "id");
  sqlite3_stmt *s;
  sc_status st = SC_OK;
  *out = 0;
  if (id) st = sc_merge_statement(t, SC_STMT_ITEM_DONE, &s, err);
  if (id && !st) {
    sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, text_member(json, "collection"), -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, platform[0] ? platform : NULL, -1, SQLITE_STATIC);
    st = has_row(s, out, err);
  }
  cJSON_Delete(json);
  return st;
}

/* An item as a path or URL, by where it was read from. */
static sc_status is_location_done(struct sc_merge *t, const char *item, int *out,
                                  struct sc_error *err) {
  char *path = sc_href_is_url(item) ? NULL : realpath(item, NULL);
  sqlite3_stmt *s;
  *out = 0;
  sc_status st = sc_merge_statement(t, SC_STMT_ITEM_AT, &s, err);
  if (!st) {
    char *stored = NULL;
    st = sc_href_without_secrets(item, &stored, err);
    if (!st) sqlite3_bind_text(s, 1, stored, -1, sc_free);
    if (!st) st = has_row(s, out, err);
  }
  if (!st && !*out && path) {
    sqlite3_bind_text(s, 1, path, -1, SQLITE_STATIC);
    st = has_row(s, out, err);
  }
  free(path);
  return st;
}

static sc_status is_done(struct items_job *job, const char *item, size_t n, int *out,
                         struct sc_error *err) {
  *out = 0;
  if (job->options.replace) return SC_OK;
  sc_status st = sc_merge_flush_blocks(job->table, err); /* items without chips left go */
  if (st) return st;
  if (sc_sniff_is_json(item, n)) return is_text_done(job->table, item, n, out, err);
  return is_location_done(job->table, item, out, err);
}

/* Take the next row of the query: skipped, or handed to the workers. */
static sc_status take_row(struct items_job *job, struct sc_item_task *task, struct sc_error *err) {
  int code = sqlite3_step(job->query), done = 0;
  if (code == SQLITE_DONE) {
    job->is_query_done = 1;
    return SC_OK;
  }
  if (code != SQLITE_ROW) {
    return sc_db_fail(job->table->db, err, "stacchip_merge_items: the query");
  }
  /* A BLOB as it is: sqlite3_column_text() would take it for text in the database's encoding. */
  const char *item = sqlite3_column_type(job->query, 0) == SQLITE_BLOB
                         ? sqlite3_column_blob(job->query, 0)
                         : (const char *)sqlite3_column_text(job->query, 0);
  size_t n = (size_t)sqlite3_column_bytes(job->query, 0);
  if (!item) {
    job->n_skipped++; /* NULL: no item */
    return SC_OK;
  }
  sc_status st = is_done(job, item, n, &done, err);
  if (!st && done) job->n_skipped++;
  if (st || done) return st;
  st = sc_strndup(item, n, &task->item, err);
  task->size = n;
  if (!st) sc_item_pool_submit(job->pool, task);
  return st;
}

static sc_status fill_pool(struct items_job *job, struct sc_error *err) {
  struct sc_item_task *task;
  sc_status st = SC_OK;
  while (!st && !job->is_query_done && (task = sc_item_pool_free_task(job->pool)) != NULL) {
    st = take_row(job, task, err);
  }
  return st;
}

static sc_status record_failure(struct items_job *job, const struct sc_item_task *task,
                                struct sc_error *err) {
  if (job->options.on_error == SC_MERGE_ON_ERROR_ABORT || task->err.status == SC_NOMEM ||
      task->err.status == SC_INTERRUPT || task->err.status == SC_DB) {
    *err = task->err;
    return err->status;
  }
  sc_status st = SC_OK;
  if (job->n_failed++ < FAILURES_SHOWN) {
    if (job->failures.size > 0) st = sc_buffer_append_text(&job->failures, ",", err);
    if (!st) st = sc_buffer_append_json(&job->failures, task->err.text, err);
  }
  if (st) return st;
  return sc_merge_record_failure(job->table, task->item, task->size, &task->index, &task->err, err);
}

/* The INSERT commits by itself unless the caller is inside BEGIN. */
static sc_status write_task(struct items_job *job, struct sc_item_task *task,
                            struct sc_error *err) {
  struct sc_merge_ready ready = {task->item, task->size, &task->index, task->headers};
  sqlite3 *db = job->table->db;
  if (!task->err.status) sc_merge_check_raster(job->table, &task->index, &task->err);
  if (task->err.status) return record_failure(job, task, err);
  sqlite3_bind_pointer(job->insert, 1, &ready, SC_MERGE_READY, NULL);
  int code = sqlite3_step(job->insert);
  sc_status st = SC_OK;
  if (code == SQLITE_DONE) {
    job->n_merged++;
    job->n_left_out += task->index.n_left_out;
  } else if ((sqlite3_extended_errcode(db) & 0xff) == SQLITE_CONSTRAINT) {
    job->n_skipped++;
  } else {
    st = sc_db_fail(db, err, "stacchip_merge_items");
  }
  sqlite3_reset(job->insert);
  sqlite3_clear_bindings(job->insert);
  return st;
}

static sc_status run_job(struct items_job *job, struct sc_error *err) {
  char note[100];
  sc_progress_begin(&job->progress, "stacchip_merge_items", "items");
  sc_status st = fill_pool(job, err);
  while (!st && sc_item_pool_count(job->pool) > 0) {
    struct sc_item_task *task = sc_item_pool_wait(job->pool, WAIT_MS);
    if (task) {
      st = write_task(job, task, err);
      sc_item_pool_release(job->pool, task);
    } else if (sc_db_interrupted(job->table->db)) {
      st = sc_fail(err, SC_INTERRUPT, "interrupted after %lld items; call again to go on",
                   (long long)job->n_merged);
    }
    int64_t n_done = count_done(job, note, sizeof note);
    sc_progress_tell(&job->progress, n_done, 0, note);
    if (!st) st = fill_pool(job, err);
  }
  int64_t n_done = count_done(job, note, sizeof note);
  sc_progress_end(&job->progress, n_done, 0, note);
  return st;
}

static sc_status prepare_query(sqlite3 *db, const char *sql, sqlite3_stmt **out,
                               struct sc_error *err) {
  sc_status st = sc_db_prepare(db, sql, NULL, NULL, out, err);
  if (st) return sc_fail_within(err, "stacchip_merge_items: the query");
  if (!*out || !sqlite3_stmt_readonly(*out) || sqlite3_column_count(*out) < 1) {
    return sc_fail(err, SC_BAD_ARG,
                   "stacchip_merge_items: the second argument is a query whose "
                   "first column is the item, such as SELECT item_json FROM ...");
  }
  return SC_OK;
}

static const struct sc_option option_table[] = {
    {"threads", SC_OPTION_INT, offsetof(struct items_options, threads), 1, SC_ITEM_POOL_MAX_THREADS,
     NULL, "the setting threads", "items that are read at a time"},
    {"on_error", SC_OPTION_CHOICE, offsetof(struct items_options, on_error), 0, 0,
     SC_MERGE_ON_ERROR_CHOICES, "\"record\"", "what becomes of an item that cannot be read"},
    {"replace", SC_OPTION_BOOL, offsetof(struct items_options, replace), 0, 0, NULL, "false",
     "index items again that are there"},
};

static sc_status read_options(const char *text, struct items_options *out, struct sc_error *err) {
  struct sc_options options;
  out->threads = sc_settings_int("threads");
  out->on_error = SC_MERGE_ON_ERROR_RECORD;
  out->replace = 0;
  const struct sc_option_set set = {option_table, sizeof option_table / sizeof *option_table, out,
                                    NULL};
  sc_status st = sc_options_parse(text, "stacchip_merge_items", &set, &options, err);
  if (st) return st;
  sc_options_free(&options);
  if (out->threads < 1) out->threads = 1;
  return SC_OK;
}

static sc_status merge_items(struct sc_connection *c, sqlite3_value **values, int n,
                             struct items_job *job, struct sc_error *err) {
  const char *name = (const char *)sqlite3_value_text(values[0]);
  const char *sql = (const char *)sqlite3_value_text(values[1]);
  if (!name || !sql) {
    return sc_fail(err, SC_BAD_ARG, "stacchip_merge_items(table, query [, options]): %s is NULL",
                   name ? "query" : "table");
  }
  sc_status st =
      read_options(n > 2 ? (const char *)sqlite3_value_text(values[2]) : NULL, &job->options, err);
  if (!st) st = sc_merge_find_named(c->db, name, &job->table, err);
  if (!st) st = prepare_query(c->db, sql, &job->query, err);
  if (!st) {
    st = sc_merge_prepare(job->table,
                          job->options.replace ? SC_STMT_REPLACE_READY : SC_STMT_INSERT_READY,
                          &job->insert, err);
  }
  if (!st) st = sc_merge_prepare(job->table, SC_STMT_PIN, &job->pin, err);
  if (!st) {
    st =
        sc_item_pool_start((int)job->options.threads, c->rules, &job->table->args, &job->pool, err);
  }
  if (!st) st = run_job(job, err);
  sc_item_pool_stop(job->pool);
  sqlite3_finalize(job->query);
  sqlite3_finalize(job->insert);
  sqlite3_finalize(job->pin);
  return st;
}

/* {"merged", "skipped", "failed"}, and "left_out" and "failures" where there are some. */
static sc_status put_result(const struct items_job *job, struct sc_buffer *out,
                            struct sc_error *err) {
  sc_status st = sc_buffer_printf(out, err, "{\"merged\":%lld,\"skipped\":%lld,\"failed\":%lld",
                                  (long long)job->n_merged, (long long)job->n_skipped,
                                  (long long)job->n_failed);
  if (!st && job->n_left_out)
    st = sc_buffer_printf(out, err, ",\"left_out\":%lld", (long long)job->n_left_out);
  if (!st && job->n_failed) st = sc_buffer_append_text(out, ",\"failures\":[", err);
  if (!st && job->n_failed) st = sc_buffer_append(out, job->failures.data, job->failures.size, err);
  if (!st && job->n_failed) st = sc_buffer_append_text(out, "]", err);
  return st ? st : sc_buffer_append_text(out, "}", err);
}

static void merge_items_func(sqlite3_context *context, int n, sqlite3_value **values) {
  struct items_job job = {0};
  struct sc_error err = {0};
  struct sc_buffer out = {0};
  struct sc_connection *c = sqlite3_user_data(context);
  sc_status st = sc_connection_check_direct(c, &err);
  sc_connection_begin_query(c);
  if (!st) st = merge_items(c, values, n, &job, &err);
  sc_connection_end_query(c);
  if (!st) st = put_result(&job, &out, &err);
  sc_buffer_free(&job.failures);
  if (st) {
    sc_buffer_free(&out);
    sc_result_error(context, &err);
    return;
  }
  sqlite3_result_text64(context, (char *)out.data, out.size, sc_free, SQLITE_UTF8);
}

static const struct sc_help merge_items_help = {
    .name = "stacchip_merge_items",
    .kind = SC_HELP_SCALAR,
    .about =
        "merges the items that a query returns, in parallel; commits each, and goes on where it "
        "stopped",
    .arguments =
        (const struct sc_help_name[]){{"table", "TEXT", NULL, "a merged index"},
                                      {"query", "TEXT", NULL, "SQL whose first column is an item"},
                                      SC_HELP_OPTIONS,
                                      {0}},
    .options = {{"option", "", &(const struct sc_option_table)SC_OPTION_TABLE(option_table)}},
    .example =
        "CREATE VIRTUAL TABLE chips USING stacchip_merge(); SELECT stacchip_merge_items('chips', "
        "'SELECT item_json FROM stacchip_items(''scenes/'')')",
};

int sc_merge_items_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {"stacchip_merge_items", 2, SQLITE_DIRECTONLY, merge_items_func, 0, 0},
      {"stacchip_merge_items", 3, SQLITE_DIRECTONLY, merge_items_func, 0, 0},
  };
  sc_connection_help(c, &merge_items_help);
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
