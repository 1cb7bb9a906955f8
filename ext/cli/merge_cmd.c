/* stacchip merge-index: the index tree of a bucket into one GeoParquet file or dataset, and a
 * database where one is asked for. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "store/store.h"

enum { OPT_BUCKET, OPT_TARGET, OPT_DB, OPT_PARTITION, OPT_KEEP, OPT_DRY_RUN, N_OPTIONS };

struct merge_job {
  sqlite3 *db;
  char *root, *index;           /* of the bucket, and its index/; owned */
  const char *db_path, *target; /* or NULL */
  int partition, keep_going;
  int n_left_out, n_taken;
};

/* A name that ends in .parquet is a file; other targets are folders. */
static sc_status target_path(const char *target, int partition, char **out, struct sc_error *err) {
  size_t n = strlen(target);
  int is_file = n > 8 && strcmp(target + n - 8, ".parquet") == 0;
  return sc_format(out, err, "%s%s", target, is_file || partition ? "" : "/index.parquet");
}

/* What was exported is looked at: as many rows must be there. */
static sc_status check_written(sqlite3 *db, const char *path, const char *rows,
                               struct sc_error *err) {
  struct sc_buffer n = {0};
  int found;
  sc_status st =
      sc_cli_text(db, &n, &found, err, "SELECT count(*) FROM stacchip_parquet(?1)", path);
  if (!st && strcmp((char *)n.data, rows) != 0)
    st = sc_fail(err, SC_IO, "%s: it has %s rows, of %s", path, (char *)n.data, rows);
  sc_buffer_free(&n);
  return st ? sc_fail_within(err, "the file, as it was written") : SC_OK;
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
  if (!st && !partition) st = check_written(db, path, (char *)rows.data, err);
  if (!st) sc_cli_say("%s: %s chips", path, (char *)rows.data);
  sc_buffer_free(&rows);
  sc_free(path);
  return st;
}

#define INDEX_COLUMNS                                          \
  "chipid, platform, item, date, chip_index_x, chip_index_y, " \
  "cloud_cover_percentage, nodata_percentage, geometry"

#define INTO_CHIPS "INSERT OR IGNORE INTO chips(" INDEX_COLUMNS ") SELECT " INDEX_COLUMNS " FROM "
#define INTO_TREE "INSERT INTO index_tree SELECT " INDEX_COLUMNS " FROM "

/* One file of the tree: all of it or nothing. */
static sc_status take_file(void *context, const char *key, struct sc_error *err) {
  struct merge_job *job = context;
  size_t n = strlen(key);
  char *path = NULL;
  if (n < 8 || strcmp(key + n - 8, ".parquet") != 0) return SC_OK;
  sc_status st = sc_store_path(job->root, key, &path, err);
  if (!st && job->db_path) st = sc_cli_run(job->db, err, INTO_CHIPS "stacchip_parquet(?1)", path);
  if (!st && job->target) st = sc_cli_run(job->db, err, INTO_TREE "stacchip_parquet(?1)", path);
  if (st == SC_DB && err->db_code != SQLITE_FULL && err->db_code != SQLITE_INTERRUPT) {
    sc_cli_say("left out: %s: %s", key, err->text);
    job->n_left_out++;
    st = SC_OK;
  } else if (!st) {
    job->n_taken++;
  }
  sc_free(path);
  return st;
}

/* What can be read of the tree, file by file: into chips, and into a table index_tree. */
static sc_status keep_going(struct merge_job *job, struct sc_error *err) {
  sc_status st = sc_cli_run(job->db, err, "CREATE TEMP TABLE index_tree(" INDEX_COLUMNS ")");
  if (!st) st = sc_store_list(job->root, "index/", take_file, job, err);
  if (!st && job->n_taken == 0)
    st = sc_fail(err, SC_NOT_FOUND, "%s: no index that can be read", job->index);
  return st;
}

/* The whole tree, or an error that names the file: into chips, and as a view index_tree. */
static sc_status take_tree(struct merge_job *job, struct sc_error *err) {
  char *sql = sqlite3_mprintf("CREATE TEMP VIEW index_tree AS SELECT " INDEX_COLUMNS
                              " FROM stacchip_parquet(%Q)",
                              job->index);
  sc_status st = sql ? sc_cli_run(job->db, err, sql) : sc_fail_nomem(err);
  sqlite3_free(sql);
  if (!st && job->db_path) st = sc_cli_run(job->db, err, INTO_CHIPS "index_tree");
  return st;
}

static sc_status count_chips(sqlite3 *db, int64_t *chips, int64_t *items, struct sc_error *err) {
  struct sc_buffer text = {0};
  int found;
  sc_status st = sc_cli_text(db, &text, &found, err,
                             "SELECT printf('%d %d', (SELECT count(*) FROM chips), (SELECT "
                             "count(*) FROM chips_item))");
  long long a = 0, b = 0;
  if (!st) sscanf((char *)text.data, "%lld %lld", &a, &b);
  *chips = a;
  *items = b;
  sc_buffer_free(&text);
  return st;
}

static sc_status make_table(struct merge_job *job, struct sc_error *err) {
  char *sql = sqlite3_mprintf(
      "CREATE VIRTUAL TABLE IF NOT EXISTS chips USING stacchip_merge(max_nodata=1, bucket=%Q)",
      job->root);
  sc_status st = sql ? sc_cli_run(job->db, err, sql) : sc_fail_nomem(err);
  sqlite3_free(sql);
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

/* Into the database where asked for (chips that are there stay as they are), and into files. */
static sc_status merge(struct merge_job *job, struct sc_error *err) {
  int64_t chips = 0, items = 0, all_chips = 0, all_items = 0;
  sc_status st = job->db_path ? make_table(job, err) : SC_OK;
  if (!st && job->db_path) st = count_chips(job->db, &chips, &items, err);
  if (!st) st = job->keep_going ? keep_going(job, err) : take_tree(job, err);
  if (!st && job->db_path) {
    st = count_chips(job->db, &all_chips, &all_items, err);
    if (!st)
      sc_cli_say("%s: %lld chips of %lld items merged, %lld chips there before", job->db_path,
                 (long long)(all_chips - chips), (long long)(all_items - items), (long long)chips);
  }
  if (!st && job->target)
    st = export_table(job->db, "index_tree", job->target, job->partition, err);
  if (!st && job->n_left_out) sc_cli_say("%d files were left out", job->n_left_out);
  return st;
}

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
    [OPT_KEEP] = {"--keep-going",
                  {NULL},
                  NULL,
                  "leave out index files that cannot be read, and name them",
                  0,
                  NULL},
    [OPT_DRY_RUN] = {"--dry-run", {NULL}, NULL, "say what would be done", 0, NULL},
};

static int run(const struct sc_cli_command *c, int argc, char **argv) {
  struct sc_cli_args args;
  const char *const *v = args.values;
  struct sc_error err = {0};
  int code = sc_cli_options(c, argc, argv, &args);
  if (code >= 0) return code;
  if (!v[OPT_TARGET] && !v[OPT_DB]) {
    sc_cli_message(
        "merge-index: STACCHIP_MERGE_TARGET_DIR is not set (--output PATH, or --db FILE)");
    return SC_EXIT_USAGE;
  }
  struct merge_job job = {.db_path = v[OPT_DB],
                          .target = v[OPT_TARGET],
                          .partition = v[OPT_PARTITION] != NULL,
                          .keep_going = v[OPT_KEEP] != NULL};
  int dry_run = v[OPT_DRY_RUN] != NULL;
  const char *path = v[OPT_DB] && !dry_run ? v[OPT_DB] : ":memory:";
  int is_new = sc_cli_is_new(path);
  sc_status st = sc_store_root(v[OPT_BUCKET], &job.root, &err);
  if (!st) st = sc_store_path(job.root, "index/", &job.index, &err);
  if (!st) st = sc_cli_open(path, &job.db, &err);
  if (!st) st = dry_run ? say_what_is_there(job.db, job.index, &err) : merge(&job, &err);
  if (st) sc_cli_message("%s", err.text);
  if (st && is_new) sc_cli_discard_if_empty(job.db, "chips", path);
  sqlite3_close(job.db);
  sc_free(job.index);
  sc_free(job.root);
  return st ? sc_exit_code(&err) : SC_EXIT_DONE;
}

const struct sc_cli_command sc_cli_merge_index = {
    .name = "merge-index",
    .run = run,
    .summary = "merge an index tree into one GeoParquet file, or a database",
    .description = "Merge the index tree of a bucket.",
    .rest = "",
    .max_rest = 0,
    .options = options,
    .n_options = N_OPTIONS};
