/* stacchip index DB SOURCE...: items into a merged index, commit per item, resumable. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/progress.h"
#include "cli/cli.h"
#include "merge/error.h"
#include "store/access.h"
#include "store/href.h"

enum { OPT_TABLE, OPT_QUERY, OPT_OPTIONS, OPT_DRY_RUN, N_OPTIONS };

/* A STAC API search where a query is given, else whatever stacchip_items() takes. */
static sc_status source_query(const char *source, const char *query, char **out,
                              struct sc_error *err) {
  char *sql = query && sc_href_is_url(source)
                  ? sqlite3_mprintf("SELECT item_json FROM stacchip_search(%Q, %Q)", source, query)
                  : sqlite3_mprintf("SELECT item_json FROM stacchip_items(%Q)", source);
  sc_status st = sql ? sc_strdup(sql, out, err) : sc_fail_nomem(err);
  sqlite3_free(sql);
  return st;
}

/* The table, made where it is not there; options are its arguments. */
static sc_status ensure_table(sqlite3 *db, const char *table, const char *arguments,
                              struct sc_error *err) {
  char *sql = sqlite3_mprintf("CREATE VIRTUAL TABLE IF NOT EXISTS \"%w\" USING stacchip_merge(%s)",
                              table, arguments ? arguments : "");
  sc_status st = sql ? sc_cli_run(db, err, sql) : sc_fail_nomem(err);
  sqlite3_free(sql);
  return st;
}

static int number(const cJSON *json, const char *key) {
  const cJSON *v = cJSON_GetObjectItemCaseSensitive(json, key);
  return cJSON_IsNumber(v) ? v->valueint : 0;
}

/* Rows of <table>_error that this run wrote. */
struct failures {
  const char *table;
  int64_t *rowids; /* owned */
  size_t n, capacity;
};

/* An update hook: which rows are new, whatever numbers they get. */
static void note_row(void *context, int operation, const char *db, const char *table,
                     sqlite3_int64 rowid) {
  struct failures *f = context;
  size_t n = strlen(f->table);
  (void)db;
  if (operation != SQLITE_INSERT || sqlite3_strnicmp(table, f->table, (int)n) != 0 ||
      sqlite3_stricmp(table + n, "_error") != 0)
    return;
  if (f->n == f->capacity) {
    size_t capacity = f->capacity ? 2 * f->capacity : 64;
    int64_t *rowids = sc_realloc(f->rowids, capacity * sizeof *rowids);
    if (!rowids) return; /* one line less is shown */
    f->rowids = rowids;
    f->capacity = capacity;
  }
  f->rowids[f->n++] = rowid;
}

static sc_status merge_source(sqlite3 *db, const char *table, const char *source, const char *query,
                              int *failed, struct sc_error *err) {
  struct sc_buffer result = {0};
  char *items = NULL;
  int found;
  sc_status st = source_query(source, query, &items, err);
  if (!st)
    st = sc_cli_text(db, &result, &found, err, "SELECT stacchip_merge_items(?1, ?2)", table, items);
  if (!st && found) {
    cJSON *json = cJSON_Parse((char *)result.data);
    char shown[600];
    sc_cli_say("%s: %d merged, %d done before, %d failed",
               sc_access_shown(source, shown, sizeof shown), number(json, "merged"),
               number(json, "skipped"), number(json, "failed"));
    *failed += number(json, "failed");
    cJSON_Delete(json);
  }
  sc_buffer_free(&result);
  sc_free(items);
  return st;
}

#define SHOWN_MAX 10

static sc_status show_failure(void *context, sqlite3_stmt *row, struct sc_error *err) {
  size_t *n_shown = context;
  const char *item = (const char *)sqlite3_column_text(row, 0);
  const char *reason = (const char *)sqlite3_column_text(row, 1);
  (void)err;
  if (!reason) reason = "no reason";
  if ((*n_shown)++ >= SHOWN_MAX) return SC_OK;
  if (strncmp(reason, item, strlen(item)) == 0) { /* it names it already */
    sc_cli_say("  failed: %s", reason);
  } else {
    sc_cli_say("  failed: %s: %s", item, reason);
  }
  return SC_OK;
}

/* The first of them, and how many more there are. */
static sc_status show_failures(sqlite3 *db, const struct failures *f, struct sc_error *err) {
  size_t n_shown = 0;
  char rowid[24], *sql = sqlite3_mprintf(
                      "SELECT coalesce(item, href, '?'), reason FROM \"%w_error\" "
                      "WHERE rowid = CAST(?1 AS INT)",
                      f->table);
  sc_status st = sql ? SC_OK : sc_fail_nomem(err);
  for (size_t i = 0; i < f->n && !st; i++) {
    snprintf(rowid, sizeof rowid, "%lld", (long long)f->rowids[i]);
    st = sc_cli_rows(db, show_failure, &n_shown, err, sql, rowid);
  }
  if (n_shown > SHOWN_MAX) {
    sc_cli_say("  and %zu more, in the table %s_error", n_shown - SHOWN_MAX, f->table);
  }
  sqlite3_free(sql);
  return st;
}

static sc_status list_item(void *context, sqlite3_stmt *row, struct sc_error *err) {
  int *n_broken = context;
  const char *reason = (const char *)sqlite3_column_text(row, 1);
  (void)err;
  if (!reason) {
    printf("%s\n", (const char *)sqlite3_column_text(row, 0));
  } else if (++*n_broken <= SHOWN_MAX) {
    sc_cli_say("  cannot be read: %s", reason);
  }
  return SC_OK;
}

/* --dry-run: print the ids of what would be merged; what cannot be read is counted and told. */
static sc_status list_sources(sqlite3 *db, const char *const *sources, int n, const char *query,
                              int *n_broken, struct sc_error *err) {
  sc_status st = SC_OK;
  for (int i = 0; i < n && !st; i++) {
    st = query ? sc_cli_rows(db, list_item, n_broken, err,
                             "SELECT id, error FROM stacchip_search(?1, ?2)", sources[i], query)
               : sc_cli_rows(db, list_item, n_broken, err,
                             "SELECT id, error FROM stacchip_items(?1)", sources[i]);
  }
  if (*n_broken > SHOWN_MAX) sc_cli_say("  and %d more", *n_broken - SHOWN_MAX);
  return st;
}

/* A query is for catalogues that can be searched. */
static sc_status check_sources(const char *const *sources, int n, const char *query,
                               struct sc_error *err) {
  for (int i = 0; i < n && query; i++) {
    if (sc_href_is_url(sources[i])) continue;
    return sc_fail(err, SC_BAD_ARG,
                   "--query searches an API (https://...), which '%s' is not; without it, folders, "
                   "files and catalogues are merged whole",
                   sources[i]);
  }
  return SC_OK;
}

/* How far all sources together are. */
struct advance {
  double began;
  int64_t before, total; /* items of the sources that are done, and of all; total 0: not known */
  int64_t done;          /* of this source */
};

static void show_advance(void *context, int64_t done, int64_t total) {
  struct advance *a = context;
  (void)total; /* of a query, which does not know it */
  a->done = done;
  sc_cli_bar("items", a->before + done, a->total, sc_cli_seconds() - a->began);
}

/* Items of local sources are counted first, which is quick beside indexing them; what a catalogue
 * has, it says page by page. */
static sc_status count_items(sqlite3 *db, const char *const *sources, int n, int64_t *total,
                             struct sc_error *err) {
  *total = 0;
  for (int i = 0; i < n; i++)
    if (sc_href_is_url(sources[i])) return SC_OK;
  for (int i = 0; i < n; i++) {
    struct sc_buffer count = {0};
    int found;
    sc_status st =
        sc_cli_text(db, &count, &found, err, "SELECT count(*) FROM stacchip_items(?1)", sources[i]);
    if (!st && found) *total += strtoll((char *)count.data, NULL, 10);
    sc_buffer_free(&count);
    if (st) return st;
  }
  return SC_OK;
}

/* Merge all sources; counts and prints what failed of them. *may_pass: all of that may pass by
 * itself. */
static sc_status merge_sources(sqlite3 *db, const char *const *v, const char *const *sources, int n,
                               int *failed, int *may_pass, struct sc_error *err) {
  struct failures failures = {.table = v[OPT_TABLE]};
  unsigned long lasting = sc_merge_lasting_failures();
  struct advance advance = {.began = sc_cli_seconds()};
  int has_bar = isatty(STDERR_FILENO);
  sc_status st = sc_cli_run(db, err, "SELECT stacchip_config('progress', 1)");
  if (!st && has_bar) st = count_items(db, sources, n, &advance.total, err);
  if (has_bar) sc_progress_follow(show_advance, &advance);
  if (!st) st = ensure_table(db, v[OPT_TABLE], v[OPT_OPTIONS], err);
  sqlite3_update_hook(db, note_row, &failures);
  for (int i = 0; i < n && !st; i++) {
    st = merge_source(db, v[OPT_TABLE], sources[i], v[OPT_QUERY], failed, err);
    advance.before += advance.done;
    advance.done = 0;
  }
  sc_progress_follow(NULL, NULL);
  sqlite3_update_hook(db, NULL, NULL);
  *may_pass = failures.n > 0 && sc_merge_lasting_failures() == lasting;
  sc_cli_bar_end();
  if (failures.n) {
    struct sc_error other = {0};
    show_failures(db, &failures, st ? &other : err);
  }
  sc_free(failures.rowids);
  return st;
}

static const struct sc_cli_option options[N_OPTIONS] = {
    [OPT_TABLE] = {"--table", {NULL}, "NAME", "name of the merged index", 0, "chips"},
    [OPT_QUERY] = {"--query", {NULL}, "JSON", "search body: the sources are STAC APIs", 0, NULL},
    [OPT_OPTIONS] = {"--with",
                     {NULL},
                     "ARGUMENTS",
                     "of stacchip_merge, for a new table: 'chip_size=512, max_nodata=1'",
                     0,
                     NULL},
    [OPT_DRY_RUN] = {"--dry-run", {NULL}, NULL, "list the items", 0, NULL},
};

static int run(const struct sc_cli_command *c, int argc, char **argv) {
  struct sc_cli_args args;
  const char *const *v = args.values;
  struct sc_error err = {0};
  sqlite3 *db = NULL;
  int failed = 0, may_pass = 0;
  int code = sc_cli_options(c, argc, argv, &args);
  if (code >= 0) return code;
  if (args.n_rest < 2) {
    sc_cli_message("index needs a database and a source (see --help)");
    return SC_EXIT_USAGE;
  }
  const char *path = v[OPT_DRY_RUN] ? ":memory:" : args.rest[0];
  const char *const *sources = args.rest + 1;
  int n = args.n_rest - 1;
  int is_new = sc_cli_is_new(path);
  sc_status st = check_sources(sources, n, v[OPT_QUERY], &err);
  if (!st) st = sc_cli_open(path, &db, &err);
  if (!st && v[OPT_DRY_RUN]) {
    st = list_sources(db, sources, n, v[OPT_QUERY], &failed, &err);
  } else if (!st) {
    st = merge_sources(db, v, sources, n, &failed, &may_pass, &err);
  }
  if (st) sc_cli_message("%s", err.text);
  if (st && is_new) sc_cli_discard_if_empty(db, v[OPT_TABLE], path);
  sqlite3_close(db);
  if (st) return sc_exit_code(&err);
  return !failed ? SC_EXIT_DONE : may_pass ? SC_EXIT_AGAIN : SC_EXIT_FAILED;
}

const struct sc_cli_command sc_cli_index = {
    .name = "index",
    .run = run,
    .summary = "index folders, files, catalogues and searches into a database",
    .description =
        "Merge the items of folders, files, catalogues and searches into a database. "
        "An item that is there is skipped; running it again goes on.",
    .rest = "DB SOURCE...",
    .max_rest = SC_CLI_REST_MAX,
    .options = options,
    .n_options = N_OPTIONS};
