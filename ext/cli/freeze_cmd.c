/* stacchip freeze DB PATH: chips of a query as a data set, and its card beside it. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/progress.h"
#include "cli/card.h"
#include "cli/cli.h"
#include "freeze/freeze.h"

enum {
  OPT_TABLE,
  OPT_QUERY,
  OPT_FORMAT,
  OPT_SPLITS,
  OPT_WITH,
  OPT_TITLE,
  OPT_DESCRIPTION,
  OPT_LICENSE,
  OPT_CREATOR,
  OPT_URL,
  OPT_DRY_RUN,
  N_OPTIONS
};

/* The clouds of each chip come along, for the card. */
static sc_status make_query(const char *const *v, char **out, struct sc_error *err) {
  char *sql = v[OPT_QUERY]
                  ? sqlite3_mprintf("%s", v[OPT_QUERY])
                  : sqlite3_mprintf("SELECT row, cloud_cover_percentage FROM \"%w\"", v[OPT_TABLE]);
  sc_status st = sql ? sc_strdup(sql, out, err) : sc_fail_nomem(err);
  sqlite3_free(sql);
  return st;
}

/* The options of stacchip_freeze: those of --with, and over them what has a flag of its own. */
static sc_status make_options(const char *const *v, char **out, struct sc_error *err) {
  cJSON *json = v[OPT_WITH] ? cJSON_Parse(v[OPT_WITH]) : cJSON_CreateObject();
  if (!cJSON_IsObject(json)) {
    cJSON_Delete(json);
    return sc_fail(err, SC_BAD_ARG, "--with: expected a JSON object of options, found '%s'",
                   v[OPT_WITH] ? v[OPT_WITH] : "");
  }
  if (v[OPT_FORMAT]) {
    cJSON_DeleteItemFromObjectCaseSensitive(json, "format");
    cJSON_AddStringToObject(json, "format", v[OPT_FORMAT]);
  }
  if (v[OPT_SPLITS]) {
    cJSON_DeleteItemFromObjectCaseSensitive(json, "splits");
    cJSON_AddStringToObject(json, "splits", v[OPT_SPLITS]);
  }
  char *text = cJSON_PrintUnformatted(json);
  sc_status st = text ? sc_strdup(text, out, err) : sc_fail_nomem(err);
  cJSON_free(text);
  cJSON_Delete(json);
  return st;
}

static sc_status say_how_many(sqlite3 *db, const char *query, struct sc_error *err) {
  struct sc_buffer n = {0};
  int found = 0;
  char *sql = sqlite3_mprintf("SELECT count(*) FROM (%s)", query);
  sc_status st = sql ? sc_cli_text(db, &n, &found, err, sql) : sc_fail_nomem(err);
  if (!st) sc_cli_say("would freeze %s chips", (char *)n.data);
  sc_buffer_free(&n);
  sqlite3_free(sql);
  return st;
}

static double number(const cJSON *json, const char *key) {
  const cJSON *v = cJSON_GetObjectItemCaseSensitive(json, key);
  return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static void show(void *context, int64_t done, int64_t total) {
  sc_cli_bar("chips", done, total, sc_cli_seconds() - *(const double *)context);
}

static sc_status freeze(sqlite3 *db, const char *path, const char *query, const char *options,
                        struct sc_error *err) {
  struct sc_buffer result = {0};
  double started = sc_cli_seconds();
  int found = 0;
  sc_progress_follow(show, &started);
  sc_status st = sc_cli_text(db, &result, &found, err, "SELECT stacchip_freeze(?1, ?2, ?3)", path,
                             query, options);
  sc_progress_follow(NULL, NULL);
  sc_cli_bar_end();
  if (!st && found) {
    cJSON *json = cJSON_Parse((char *)result.data);
    const cJSON *hash = cJSON_GetObjectItemCaseSensitive(json, "hash");
    sc_cli_say("%s: %.0f chips, %.1f MB, version %s", path, number(json, "chips"),
               number(json, "bytes") / 1e6, cJSON_IsString(hash) ? hash->valuestring : "?");
    cJSON_Delete(json);
  }
  sc_buffer_free(&result);
  return st;
}

static const struct sc_cli_option options[N_OPTIONS] = {
    [OPT_TABLE] = {"--table", {NULL}, "NAME", "the merged index: all of its chips", 0, "chips"},
    [OPT_QUERY] = {"--query",
                   {NULL},
                   "SQL",
                   "which chips: the first column the handle, further ones (label, split) kept",
                   0,
                   NULL},
    [OPT_FORMAT] = {"--format",
                    {NULL},
                    "FORMAT",
                    "stacchip or manifest: PATH is a file; webdataset or npy: a folder",
                    0,
                    NULL},
    [OPT_SPLITS] =
        {"--splits", {NULL}, "COLUMN", "of the query: the part that a chip is of", 0, NULL},
    [OPT_WITH] = {"--with", {NULL}, "JSON", "further options of stacchip_freeze", 0, NULL},
    [OPT_TITLE] = {"--title", {NULL}, "TEXT", "of the data set; the name of PATH without", 0, NULL},
    [OPT_DESCRIPTION] =
        {"--description", {NULL}, "TEXT", "of the data set, in a sentence", 0, NULL},
    [OPT_LICENSE] =
        {"--license", {NULL}, "ID", "SPDX identifier or URL; that of the source without", 0, NULL},
    [OPT_CREATOR] = {"--creator",
                     {NULL},
                     "NAME",
                     "of the data set; the providers of the source without",
                     0,
                     NULL},
    [OPT_URL] = {"--url", {NULL}, "URL", "where the data set is published", 0, NULL},
    [OPT_DRY_RUN] = {"--dry-run", {NULL}, NULL, "say how many chips there are", 0, NULL},
};

static int run(const struct sc_cli_command *c, int argc, char **argv) {
  struct sc_cli_args args;
  const char *const *v = args.values;
  struct sc_error err = {0};
  sqlite3 *db = NULL;
  char *query = NULL, *json = NULL;
  int code = sc_cli_options(c, argc, argv, &args);
  if (code >= 0) return code;
  if (args.n_rest < 2) {
    sc_cli_message("freeze needs a database and a path (see --help)");
    return SC_EXIT_USAGE;
  }
  const struct sc_card_words words = {.title = v[OPT_TITLE],
                                      .description = v[OPT_DESCRIPTION],
                                      .license = v[OPT_LICENSE],
                                      .creator = v[OPT_CREATOR],
                                      .url = v[OPT_URL]};
  sc_status st = make_query(v, &query, &err);
  if (!st) st = make_options(v, &json, &err);
  if (!st) st = sc_cli_open_old(args.rest[0], &db, &err);
  if (!st && v[OPT_DRY_RUN]) {
    st = say_how_many(db, query, &err);
  } else if (!st) {
    st = freeze(db, args.rest[1], query, json, &err);
    if (!st) st = sc_card_write(args.rest[1], &words, &err);
  }
  if (st) sc_cli_message("%s", err.text);
  sqlite3_close(db);
  sc_free(query);
  sc_free(json);
  return st ? sc_exit_code(&err) : SC_EXIT_DONE;
}

const struct sc_cli_command sc_cli_freeze = {
    .name = "freeze",
    .run = run,
    .summary = "freeze chips of a database as a data set, with a card",
    .description =
        "Write the chips of a query as a data set, and beside it a card: README, Croissant, STAC "
        "collection, a table of the chips and a picture. Running it again goes on, or writes the "
        "card anew.",
    .rest = "DB PATH",
    .max_rest = 2,
    .options = options,
    .n_options = N_OPTIONS};
