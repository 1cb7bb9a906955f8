/* stacchip mirror DB FOLDER: files of a merged index's items into a folder, from which they are
 * read from then on. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/mirror_item.h"
#include "stac/seen.h"
#include "store/access.h"
#include "store/href.h"
#include "store/store.h"

#define SHOWN_MAX 10 /* failures */

enum { OPT_TABLE, OPT_WHERE, OPT_ASSETS, OPT_THREADS, OPT_VERIFY, OPT_DRY_RUN, N_OPTIONS };

/* The items that are chosen, each by a chip of it; and what became of them. */
struct job {
  struct sc_mirror mirror;
  int dry_run;
  int64_t *chips; /* owned */
  size_t n_items, capacity, next;
  struct sc_transfers *transfers; /* owned */
  size_t n_under_way;             /* transfers */
  size_t n_done, n_before, n_failed, n_copied, n_unverified;
  uint64_t n_bytes;
  int may_pass; /* all failures so far may pass by themselves */
  double started;
  struct sc_seen folders; /* of the items so far */
};

/* --- which items --- */

static sc_status take_chip(void *context, sqlite3_stmt *row, struct sc_error *err) {
  struct job *job = context;
  if (job->n_items == job->capacity) {
    size_t capacity = job->capacity ? 2 * job->capacity : 64;
    int64_t *chips = sc_realloc(job->chips, capacity * sizeof *chips);
    if (!chips) return sc_fail_nomem(err);
    job->chips = chips;
    job->capacity = capacity;
  }
  job->chips[job->n_items++] = sqlite3_column_int64(row, 0);
  return SC_OK;
}

/* Items of which a chip fits the condition, in the order in which they were merged. */
static sc_status choose_items(struct job *job, const char *where, struct sc_error *err) {
  char *sql = sqlite3_mprintf(
      "SELECT min(rowid) FROM \"%w\" WHERE (%s) GROUP BY item, platform, collection ORDER BY 1",
      job->mirror.table, where ? where : "1");
  sc_status st = sql ? sc_cli_rows(job->mirror.db, take_chip, job, err, sql) : sc_fail_nomem(err);
  sqlite3_free(sql);
  if (!st || !where) return st;
  if (err->db_code == SQLITE_ERROR) err->status = SC_BAD_ARG;
  return sc_fail_within(err, "--where");
}

/* --- what becomes of them --- */

/* Failures that would meet every item. */
static int is_fatal(sc_status st) { return st == SC_NOMEM || st == SC_DB || st == SC_INTERRUPT; }

/* An item failed: the others go on. */
static sc_status note_failure(struct job *job, const struct sc_error *failure,
                              struct sc_error *err) {
  if (is_fatal(failure->status)) {
    *err = *failure;
    return err->status;
  }
  if (++job->n_failed <= SHOWN_MAX) sc_cli_say("failed: %s", failure->text);
  job->may_pass &= failure->status == SC_AGAIN;
  return SC_OK;
}

/* Name item, asset and href, where the reason does not begin with the href. */
static void say_of_which(const struct sc_mirror_item *item, const struct sc_transfer *t,
                         struct sc_error *err) {
  char shown[600];
  const char *key = "mask";
  for (size_t i = 0; i < item->item.n_assets; i++) {
    if (&item->assets[i].transfer == t) key = item->assets[i].asset->key;
  }
  if (t->href && !strstr(err->text, sc_access_shown(t->href, shown, sizeof shown)))
    sc_fail_within(err, "%s", shown);
  sc_fail_within(err, "item %s: asset %s", item->item.id, key);
}

static void take_result(struct job *job, struct sc_mirror_item *item, struct sc_transfer *t) {
  job->n_under_way--;
  item->n_left--;
  if (t->err.status) {
    say_of_which(item, t, &t->err);
    if (!item->err.status) item->err = t->err;
    return;
  }
  sc_cli_reached();
  job->n_copied += t->is_new;
  job->n_bytes += t->is_new ? t->bytes : 0;
  job->n_unverified += t->is_unverified;
  item->is_done &= !t->is_new;
}

/* All transfers of an item have come to an end. */
static sc_status end_item(struct job *job, struct sc_mirror_item *item, struct sc_error *err) {
  sc_status st = item->err.status;
  if (!st && !item->is_done) st = sc_mirror_item_finish(&job->mirror, item, &item->err);
  job->n_before += !st && item->is_done;
  job->n_done += !st && !item->is_done;
  if (st) st = note_failure(job, &item->err, err);
  sc_cli_bar("items", (int64_t)(job->n_done + job->n_before + job->n_failed), (int64_t)job->n_items,
             sc_cli_seconds() - job->started);
  return st;
}

static void drop_item(struct sc_mirror_item *item) {
  sc_mirror_item_free(item);
  sc_free(item);
}

static void add_line(const char *key, const char *href, struct sc_buffer *out) {
  struct sc_error ignored = {0};
  char shown[600];
  sc_buffer_printf(out, &ignored, "\n  %s: %s", key,
                   href ? sc_access_shown(href, shown, sizeof shown) : "?");
}

static void say_what_would_be(const struct sc_mirror_item *item) {
  struct sc_buffer lines = {0};
  for (size_t i = 0; i < item->item.n_assets; i++) {
    const struct sc_mirror_asset *a = &item->assets[i];
    if (a->key) add_line(a->asset->key, a->source, &lines);
  }
  if (item->mask.key) add_line("mask", item->mask.source, &lines);
  sc_cli_say("would copy of %s:%.*s", item->item.id, (int)lines.size, (const char *)lines.data);
  sc_buffer_free(&lines);
}

/* Items of one folder must not meet there: the first has it. */
static sc_status take_folder(struct job *job, const struct sc_mirror_item *item,
                             struct sc_error *err) {
  int is_new;
  sc_status st = sc_seen_add(&job->folders, item->folder, NULL, &is_new, err);
  if (st || is_new) return st;
  return sc_fail(err, SC_CONSTRAINT, "item %s: %s/%s is the folder of an earlier item",
                 item->item.id, job->mirror.root, item->folder);
}

static sc_status start_item(struct job *job, int64_t chip, struct sc_error *err) {
  struct sc_mirror_item *item = sc_alloc_zero(1, sizeof *item);
  struct sc_error failure = {0};
  if (!item) return sc_fail_nomem(err);
  sc_status st = sc_mirror_item_open(&job->mirror, chip, item, &failure);
  if (!st) st = take_folder(job, item, &failure);
  if (st) st = note_failure(job, &failure, err);
  if (failure.status || job->dry_run) {
    if (!failure.status) say_what_would_be(item);
    drop_item(item);
    return st;
  }
  item->n_left = item->n_transfers;
  job->n_under_way += item->n_transfers;
  for (size_t i = 0; i < item->item.n_assets; i++) {
    struct sc_mirror_asset *a = &item->assets[i];
    if (a->key && !a->same) sc_transfers_submit(job->transfers, &a->transfer);
  }
  if (item->mask.key) sc_transfers_submit(job->transfers, &item->mask.transfer);
  return SC_OK;
}

/* After an error that would meet every item, what is under way is waited for. */
static sc_status mirror_items(struct job *job, size_t n_threads, struct sc_error *err) {
  sc_status st = sc_transfers_start((int)n_threads, &job->transfers, err);
  job->started = sc_cli_seconds();
  while (job->n_under_way || (!st && job->next < job->n_items)) {
    while (!st && job->next < job->n_items && job->n_under_way < 2 * n_threads) {
      st = start_item(job, job->chips[job->next++], err);
    }
    struct sc_transfer *t = sc_transfers_wait(job->transfers);
    if (!t) continue;
    struct sc_mirror_item *item = t->owner;
    take_result(job, item, t);
    if (item->n_left > 0) continue;
    if (!st) st = end_item(job, item, err);
    drop_item(item);
  }
  sc_transfers_stop(job->transfers);
  sc_cli_bar_end();
  return st;
}

/* --- the command --- */

/* The folder, made where it is not there, under the one name that it has without links: what the
 * index says of copies is compared with it. */
static sc_status make_root(const char *folder, int dry_run, char **out, struct sc_error *err) {
  char *path = NULL, real[PATH_MAX];
  if (sc_href_is_url(folder))
    return sc_fail(err, SC_BAD_ARG, "'%s' is a URL; a mirror is a local folder", folder);
  sc_status st = sc_href_locate(folder, &path, err);
  if (!st) st = sc_href_allow_writing(path, err);
  for (char *p = st || dry_run ? NULL : strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
    *p = '\0';
    mkdir(path, 0777);
    *p = '/';
  }
  if (!st && !dry_run && mkdir(path, 0777) != 0 && errno != EEXIST)
    st = sc_fail(err, SC_IO, "%s: cannot create the folder: %s", path, strerror(errno));
  const char *name = !st && realpath(path, real) ? real : path;
  if (!st) st = sc_href_check(name, err);
  if (!st) st = sc_strdup(name, out, err);
  sc_free(path);
  return st;
}

static int report(const struct job *job, sc_status st, const struct sc_error *err) {
  if (job->n_failed > SHOWN_MAX) sc_cli_say("  and %zu more", job->n_failed - SHOWN_MAX);
  if (!job->dry_run && job->mirror.root) {
    sc_cli_say("%s: %zu items mirrored, %zu done before, %zu failed; %zu files of %.1f MB copied",
               job->mirror.root, job->n_done, job->n_before, job->n_failed, job->n_copied,
               (double)job->n_bytes / 1e6);
  }
  if (job->n_unverified)
    sc_cli_say("%zu files have a checksum of a kind that is not known here: verified by their size",
               job->n_unverified);
  if (st) {
    sc_cli_message("%s", err->text);
    return sc_exit_code(err);
  }
  return !job->n_failed ? SC_EXIT_DONE : job->may_pass ? SC_EXIT_AGAIN : SC_EXIT_FAILED;
}

static const struct sc_cli_option options[N_OPTIONS] = {
    [OPT_TABLE] = {"--table", {NULL}, "NAME", "name of the merged index", 0, "chips"},
    [OPT_WHERE] = {"--where",
                   {NULL},
                   "SQL",
                   "condition on its columns: items of which a chip fits it; all without",
                   0,
                   NULL},
    [OPT_ASSETS] =
        {"--assets",
         {NULL},
         "NAMES",
         "assets, with commas between them; '*': all; those that the index reads without",
         0,
         NULL},
    [OPT_THREADS] = {"--threads", {NULL}, "N", "files that are copied at a time", 0, "8"},
    [OPT_VERIFY] =
        {"--verify", {NULL}, NULL, "compare the checksums of copies of earlier runs, too", 0, NULL},
    [OPT_DRY_RUN] = {"--dry-run", {NULL}, NULL, "say what would be copied", 0, NULL},
};

static int run(const struct sc_cli_command *c, int argc, char **argv) {
  struct sc_cli_args args;
  const char *const *v = args.values;
  struct sc_error err = {0};
  struct job job = {.may_pass = 1};
  char *root = NULL;
  int64_t threads = 0;
  int code = sc_cli_options(c, argc, argv, &args);
  if (code >= 0) return code;
  if (args.n_rest < 2) {
    sc_cli_message("mirror needs a database and a folder (see --help)");
    return SC_EXIT_USAGE;
  }
  sc_status st = sc_cli_number(&options[OPT_THREADS], v[OPT_THREADS], 1, &threads, &err);
  if (!st && threads > SC_TRANSFERS_THREADS_MAX)
    st = sc_fail(&err, SC_BAD_ARG, "--threads: expected at most %d", SC_TRANSFERS_THREADS_MAX);
  if (!st) st = sc_cli_open_old(args.rest[0], &job.mirror.db, &err);
  job.mirror.table = v[OPT_TABLE];
  job.mirror.names = v[OPT_ASSETS];
  job.mirror.verify = v[OPT_VERIFY] != NULL;
  job.dry_run = v[OPT_DRY_RUN] != NULL;
  if (!st) st = choose_items(&job, v[OPT_WHERE], &err);
  if (!st) st = make_root(args.rest[1], job.dry_run, &root, &err);
  job.mirror.root = root;
  if (!st) st = mirror_items(&job, (size_t)threads, &err);
  code = report(&job, st, &err);
  sqlite3_close(job.mirror.db);
  sc_seen_free(&job.folders);
  sc_free(job.chips);
  sc_free(root);
  return code;
}

const struct sc_cli_command sc_cli_mirror = {
    .name = "mirror",
    .run = run,
    .summary = "copy the files of a database's items into a folder",
    .description =
        "Copy the assets of a merged index's items into a folder, in the archive's layout, and "
        "have "
        "the index name the copies. Each copy is verified; running it again goes on.",
    .rest = "DB FOLDER",
    .max_rest = 2,
    .options = options,
    .n_options = N_OPTIONS};
