/* stacchip merge-index: the index tree of a bucket into one GeoParquet file or dataset, and a
 * database where one is asked for. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/store.h"

enum { OPT_BUCKET, OPT_TARGET, OPT_DB, OPT_PARTITION, OPT_DRY_RUN, N_OPTIONS };

/* A name that ends in .parquet is a file; other targets are folders. */
static sc_status target_path(const char *target, int partition, char **out, struct sc_error *err) {
  size_t n = strlen(target);
  int is_file = n > 8 && strcmp(target + n - 8, ".parquet") == 0;
  return sc_format(out, err, "%s%s", target, is_file || partition ? "" : "/index.parquet");
}

static sc_status export_table(sqlite3 *db, const char *table, const char *target, int partition,
                              struct sc_error *err) {
  char *path = NULL;
  struct sc_buffer rows = {0};
  int found;
  sc_status st = target_path(target, partition, &path, err);
  if (!st) {
    st = sc_cli_text(db, &rows, &found, err, "SELECT stacchip_export(?1, ?2, ?3)", table, path,
                     partition ? "{\"partition_by\":[\"platform\",\"item\"]}" : "{}");
  }
  if (!st) sc_cli_say("%s: %s chips", path, (char *)rows.data);
  sc_buffer_free(&rows);
  sc_free(path);
  return st;
}

static sc_status merge_into(sqlite3 *db, const char *root, const char *index,
                            struct sc_error *err) {
  char *sql = sqlite3_mprintf(
      "CREATE VIRTUAL TABLE IF NOT EXISTS chips USING stacchip_merge(max_nodata=1, bucket=%Q)",
      root);
  sc_status st = sql ? sc_cli_run(db, err, sql) : sc_fail_nomem(err);
  sqlite3_free(sql);
  if (!st)
    st = sc_cli_run(db, err, "INSERT OR IGNORE INTO chips SELECT * FROM stacchip_parquet(?1)",
                    index);
  return st;
}

static sc_status say_what_is_there(sqlite3 *db, const char *index, struct sc_error *err) {
  struct sc_buffer text = {0};
  int found;
  sc_status st = sc_cli_text(db, &text, &found, err,
                             "SELECT printf('%d chips of %d items', count(*), count(DISTINCT "
                             "platform || '/' || item)) FROM stacchip_parquet(?1)",
                             index);
  if (!st && found) sc_cli_say("would merge %s from %s", (char *)text.data, index);
  sc_buffer_free(&text);
  return st;
}

/* Into the database where asked for, and into files (target, or NULL). */
static sc_status merge(sqlite3 *db, const char *root, const char *index, int into_db,
                       const char *target, int partition, struct sc_error *err) {
  sc_status st = into_db ? merge_into(db, root, index, err) : SC_OK;
  if (st || !target) return st;
  char *sql =
      sqlite3_mprintf("CREATE TEMP VIEW index_tree AS SELECT * FROM stacchip_parquet(%Q)", index);
  st = sql ? sc_cli_run(db, err, sql) : sc_fail_nomem(err);
  sqlite3_free(sql);
  return st ? st : export_table(db, "index_tree", target, partition, err);
}

int sc_cmd_merge_index(int argc, char **argv) {
  static const struct sc_cli_option options[N_OPTIONS] = {
      [OPT_BUCKET] = {"--bucket",
                      {"STACCHIP_BUCKET"},
                      "BUCKET",
                      "s3://bucket, or a directory; its index/ is merged",
                      1,
                      NULL},
      [OPT_TARGET] = {"--output",
                      {"STACCHIP_MERGE_TARGET_DIR"},
                      "PATH",
                      "a .parquet file, or a folder",
                      0,
                      NULL},
      [OPT_DB] = {"--db",
                  {"STACCHIP_MERGE_DB"},
                  "FILE",
                  "also (or only) a database with the table chips",
                  0,
                  NULL},
      [OPT_PARTITION] =
          {"--partition", {NULL}, NULL, "write a dataset by platform and item", 0, NULL},
      [OPT_DRY_RUN] = {"--dry-run", {NULL}, NULL, "say what would be done", 0, NULL},
  };
  const char *v[N_OPTIONS], *rest[1];
  struct sc_error err = {0};
  sqlite3 *db = NULL;
  char *root = NULL, *index = NULL;
  int n_rest;
  int code = sc_cli_options("merge-index", "Merge the index tree of a bucket.", "", options,
                            N_OPTIONS, argc, argv, v, rest, 0, &n_rest);
  if (code >= 0) return code;
  if (!v[OPT_TARGET] && !v[OPT_DB]) {
    sc_cli_message(
        "merge-index: STACCHIP_MERGE_TARGET_DIR is not set (--output PATH, or --db FILE)");
    return SC_EXIT_USAGE;
  }
  sc_status st = sc_store_root(v[OPT_BUCKET], &root, &err);
  if (!st) st = sc_store_path(root, "index/", &index, &err);
  int dry_run = v[OPT_DRY_RUN] != NULL;
  if (!st) st = sc_cli_open(v[OPT_DB] && !dry_run ? v[OPT_DB] : ":memory:", &db, &err);
  if (!st) {
    st = dry_run ? say_what_is_there(db, index, &err)
                 : merge(db, root, index, v[OPT_DB] != NULL, v[OPT_TARGET],
                         v[OPT_PARTITION] != NULL, &err);
  }
  if (st) sc_cli_message("%s", err.text);
  sqlite3_close(db);
  sc_free(index);
  sc_free(root);
  return st ? sc_exit_code(&err) : SC_EXIT_DONE;
}
