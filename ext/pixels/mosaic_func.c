/*
 * stacchip_mosaic(row, array [, options]): the arrays of chips, scores or classes, as one Cloud
 * Optimized GeoTIFF on the grid of their item; see mosaic.h.
 */
#include <cjson/cJSON.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/options.h"
#include "pixels/mosaic.h"
#include "store/href.h"
#include "store/open.h"
#include "store/sink.h"

#define WHAT "stacchip_mosaic"
#define COPY_BYTES ((size_t)1 << 20)

struct options {
  int blend, reduce;
  const cJSON *nodata;
  const char *path, *table, *items;
};

struct group {
  int has_rows, has_failed;
  char *text; /* options as they came, or NULL */
  struct sc_options json;
  struct options options;
  struct sc_mosaic *mosaic; /* NULL until the first array */
};

static const struct sc_option option_table[] = {
    {"path", SC_OPTION_TEXT, offsetof(struct options, path), 0, 0, NULL, NULL,
     "where the map is written; the result is then this path"},
    {"blend", SC_OPTION_CHOICE, offsetof(struct options, blend), 0, 0, SC_BLEND_CHOICES,
     "\"feather\"", "what a pixel of several chips becomes"},
    {"reduce", SC_OPTION_CHOICE, offsetof(struct options, reduce), 0, 0, "none|argmax", "\"none\"",
     "argmax: the band with the highest score is written, as uint8"},
    {"nodata", SC_OPTION_JSON, offsetof(struct options, nodata), 0, 0, "a number", NULL,
     "pixels of this value say nothing"},
    {"table", SC_OPTION_TEXT, offsetof(struct options, table), 0, 0, NULL, NULL,
     "where the handle is a rowid: the merged index"},
    {"items", SC_OPTION_TEXT, offsetof(struct options, items), 0, 0, NULL, "\"exported_items\"",
     "where the handle is a short one: the table of exported items"},
};

static sc_status parse_options(struct group *g, struct sc_error *err) {
  const struct sc_option_set set = {option_table, sizeof option_table / sizeof *option_table,
                                    &g->options, NULL};
  sc_status st = sc_options_parse(g->text, WHAT, &set, &g->json, err);
  if (!st && g->options.nodata && !cJSON_IsNumber(g->options.nodata))
    st = sc_option_fail(err, WHAT, "nodata", g->options.nodata, "a number");
  if (!st && g->options.path) st = sc_href_allow_writing(g->options.path, err);
  return st;
}

/* The options of the first row hold for all. */
static sc_status take_options(struct group *g, sqlite3_value *value, struct sc_error *err) {
  const char *text = value ? (const char *)sqlite3_value_text(value) : NULL;
  if (!g->has_rows) {
    g->has_rows = 1;
    sc_status st = sc_strdup(text, &g->text, err);
    return st ? st : parse_options(g, err);
  }
  if (strcmp(text ? text : "", g->text ? g->text : "") == 0) return SC_OK;
  return sc_fail(err, SC_BAD_ARG,
                 WHAT ": options that differ from the first row's; a group takes one set");
}

static sc_status add(struct sc_connection *c, struct group *g, sqlite3_value **values,
                     struct sc_error *err) {
  const struct sc_chip_options of = {.table = g->options.table, .items = g->options.items};
  const struct sc_mosaic_options options = {
      .blend = g->options.blend,
      .is_argmax = g->options.reduce == 1,
      .has_nodata = g->options.nodata != NULL,
      .nodata = g->options.nodata ? g->options.nodata->valuedouble : 0};
  sc_status st = sc_mosaic_put_row(c, &options, &of, values[0], values[1], &g->mosaic, err);
  return st ? sc_fail_within(err, WHAT) : SC_OK;
}

static void clear(struct group *g) {
  sc_mosaic_free(g->mosaic);
  sc_options_free(&g->json);
  sc_free(g->text);
  memset(g, 0, sizeof *g);
}

static void mosaic_step(sqlite3_context *context, int n, sqlite3_value **values) {
  struct sc_connection *c = sqlite3_user_data(context);
  struct group *g = sqlite3_aggregate_context(context, sizeof *g);
  struct sc_error err = {0};
  if (!g) {
    sqlite3_result_error_nomem(context);
    return;
  }
  if (g->has_failed) return;
  sc_status st = sc_connection_check_direct(c, &err);
  if (!st) st = take_options(g, n > 2 ? values[2] : NULL, &err);
  int is_there =
      sqlite3_value_type(values[0]) != SQLITE_NULL && sqlite3_value_type(values[1]) != SQLITE_NULL;
  if (!st && is_there) st = add(c, g, values, &err);
  if (!st) return;
  clear(g);
  g->has_failed = 1;
  sc_result_error(context, &err);
}

/* All of a local file into a place that has it whole or not at all. */
static sc_status copy_to(int fd, const char *path, struct sc_error *err) {
  struct sc_sink sink = {0};
  unsigned char *bytes = sc_alloc(COPY_BYTES);
  if (!bytes) return sc_fail_nomem(err);
  sc_status st = sc_sink_open(path, SC_SINK_ALONE, &sink, err);
  if (!st) st = sc_href_allow_writing(path, err);
  int64_t n = 1;
  for (uint64_t at = 0; !st && n > 0; at += (uint64_t)n) {
    n = sc_read_at(fd, at, bytes, COPY_BYTES);
    if (n < 0) st = sc_fail(err, SC_IO, "a temporary file cannot be read");
    if (n > 0) st = sc_sink_write(&sink, bytes, (size_t)n, err);
  }
  if (!st) st = sc_sink_finish(&sink, err);
  if (!st) st = sc_sink_commit(&sink, err);
  sc_sink_close(&sink);
  sc_free(bytes);
  return st;
}

static sc_status finish(struct group *g, size_t limit, struct sc_buffer *out,
                        struct sc_error *err) {
  const char *path;
  sc_status st = sc_mosaic_finish(g->mosaic, &path, err);
  if (!st && !g->options.path) {
    st = sc_read_file(path, limit, out, err);
    return st == SC_TOO_BIG ? sc_fail(err, st,
                                      "a map of more than %zu bytes, the largest BLOB of "
                                      "this connection; write it to a file by the option "
                                      "'path'",
                                      limit)
                            : st;
  }
  int fd = -1;
  if (!st) st = sc_open_regular(path, &fd, NULL, err);
  if (!st) st = copy_to(fd, g->options.path, err);
  if (fd >= 0) close(fd);
  return st ? sc_fail_within(err, "%s", g->options.path ? g->options.path : "") : SC_OK;
}

static void mosaic_final(sqlite3_context *context) {
  struct group *g = sqlite3_aggregate_context(context, 0);
  struct sc_error err = {0};
  struct sc_buffer out = {0};
  if (!g) return;
  if (g->mosaic) {
    size_t limit =
        (size_t)sqlite3_limit(sqlite3_context_db_handle(context), SQLITE_LIMIT_LENGTH, -1);
    if (finish(g, limit, &out, &err)) {
      sc_fail_within(&err, WHAT);
      sc_result_error(context, &err);
      sc_buffer_free(&out);
    } else if (g->options.path) {
      sqlite3_result_text(context, g->options.path, -1, SQLITE_TRANSIENT);
    } else {
      sqlite3_result_blob64(context, out.data, out.size, sc_free);
    }
  }
  clear(g);
}

static const struct sc_help mosaic_help = {
    .name = "stacchip_mosaic",
    .kind = SC_HELP_AGGREGATE,
    .about = "the arrays that a model made of chips as one georeferenced COG",
    .arguments =
        (const struct sc_help_name[]){
            SC_HELP_ROW,
            {"array", "BLOB", NULL, "a .npy of shape (rows, columns) or (bands, rows, columns)"},
            SC_HELP_OPTIONS,
            {0}},
    .options = {{"option", "", &(const struct sc_option_table)SC_OPTION_TABLE(option_table)}},
    .example =
        "SELECT length(stacchip_mosaic(row, stacchip_chip(row, '{\"assets\": \"red\"}'))) > 0 FROM "
        "stacchip_index('item.json')",
};

int sc_mosaic_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {WHAT, 2, SQLITE_DIRECTONLY, 0, mosaic_step, mosaic_final},
      {WHAT, 3, SQLITE_DIRECTONLY, 0, mosaic_step, mosaic_final},
  };
  sc_connection_help(c, &mosaic_help);
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
