/* stacchip preview: the page of `stacchip browse` with some chips in it, as one file. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "browse/chips.h"
#include "browse/picture.h"
#include "browse/single_file.h"
#include "cli/cli.h"
#include "stacchip.h"
#include "store/href.h"

enum { OPT_TABLE, OPT_WHERE, OPT_ORDER, OPT_LIMIT, OPT_SIZE, N_OPTIONS };

#define LIMIT_MAX 20000
#define SIZE_MIN 16
#define SIZE_MAX_PX 1024

/* What is written, and how far. */
struct preview {
  struct sc_browse *browse;
  struct sc_browse_table *table;
  struct sc_session *session;
  struct sc_sink sink;
  struct sc_buffer json; /* of one chip, used again */
  int64_t *ids;          /* owned */
  size_t n_ids;
  uint64_t n_bytes;         /* of the file */
  struct sc_buffer picture; /* options of stacchip_chip() */
  size_t n_without;         /* chips that have no picture, since they could not be read */
  char reason[300];         /* of the first of them */
};

/* ---- which chips ---- */

static sc_status take_id(struct preview *p, int64_t id, struct sc_error *err) {
  if (p->n_ids % 1024 == 0) {
    int64_t *grown = sc_realloc(p->ids, (p->n_ids + 1024) * sizeof *grown);
    if (!grown) return sc_fail_nomem(err);
    p->ids = grown;
  }
  p->ids[p->n_ids++] = id;
  return SC_OK;
}

/*
 * The ids by SQL that may have been pasted, on a connection that is guarded. Without an order of
 * the user's a sample, the same each time, in the order of the table: the first ones would be those
 * of one scene.
 */
static sc_status choose(struct preview *p, const char *const *v, int64_t limit,
                        struct sc_error *err) {
  struct sc_session *s = NULL;
  struct sc_buffer sql = {0};
  sqlite3_stmt *stmt = NULL;
  int is_row = 1;
  const char *order = v[OPT_ORDER];
  sc_status st = v[OPT_WHERE] ? sc_session_check_expression(v[OPT_WHERE], err) : SC_OK;
  if (!st && order) st = sc_session_check_expression(order, err);
  if (!st) st = sc_session_take(p->table->sessions, SC_SESSION_GUARDED, &s, err);
  if (!st) st = sc_table_sql(p->table, "SELECT id FROM (SELECT {id} AS id FROM {from}", &sql, err);
  if (!st && v[OPT_WHERE]) st = sc_buffer_printf(&sql, err, " WHERE (%s\n)", v[OPT_WHERE]);
  if (!st && order) st = sc_buffer_printf(&sql, err, " ORDER BY %s\n", order);
  if (!st && !order) st = sc_table_sql(p->table, " ORDER BY stacchip_hash(1, {id})", &sql, err);
  if (!st)
    st =
        sc_buffer_printf(&sql, err, " LIMIT %lld)%s", (long long)limit, order ? "" : " ORDER BY 1");
  if (!st && sqlite3_prepare_v2(s->db, (char *)sql.data, -1, &stmt, NULL) != SQLITE_OK)
    st = sc_session_fail(s, err);
  while (!st && !(st = sc_db_next(stmt, &is_row, err)) && is_row) {
    st = take_id(p, sqlite3_column_int64(stmt, 0), err);
  }
  sqlite3_finalize(stmt);
  sc_session_give(s);
  sc_buffer_free(&sql);
  return st;
}

/* ---- one chip ---- */

/* What the page itself uses, then all columns of the row. */
static const char sql_chip[] =
    "SELECT {item} AS item, {platform} AS platform, {date} AS date, {cloud} AS cloud, {nodata} AS "
    "nodata, {x} AS chip_index_x, {y} AS chip_index_y, {grid} AS grid, {handle} AS handle, "
    "stacchip_split({geometry}) AS split, %s AS label, AsGeoJSON({geometry}, 6) AS geometry, *%s "
    "FROM {from} "
    "WHERE {id} = ?1";
enum { COLUMN_HANDLE = 8, COLUMN_GEOMETRY = 11, FIRST_OWN = 12 };

#define TEXT_MAX 2000 /* bytes of a column that are shown */

static sc_status put(struct preview *p, const char *text, struct sc_error *err) {
  return sc_sink_write(&p->sink, text, strlen(text), err);
}

static sc_status put_value(struct sc_buffer *out, sqlite3_stmt *row, int i, struct sc_error *err) {
  const char *text = (const char *)sqlite3_column_text(row, i);
  switch (sqlite3_column_type(row, i)) {
    case SQLITE_INTEGER: return sc_buffer_append_text(out, text ? text : "null", err);
    case SQLITE_FLOAT: {
      double v = sqlite3_column_double(row, i);
      if (v - v != 0) return sc_buffer_append_text(out, "null", err); /* an infinity */
      return sc_buffer_append_text(out, text ? text : "null", err);
    }
    case SQLITE_TEXT: break;
    default: return sc_buffer_append_text(out, "null", err);
  }
  if (!text) return sc_fail_nomem(err);
  if (sqlite3_column_bytes(row, i) <= TEXT_MAX) return sc_buffer_append_json(out, text, err);
  size_t n = TEXT_MAX;
  while (n && ((unsigned char)text[n] & 0xC0) == 0x80) n--; /* between characters */
  char *cut = NULL;
  sc_status st = sc_format(&cut, err, "%.*s ...", (int)n, text);
  if (!st) st = sc_buffer_append_json(out, cut, err);
  sc_free(cut);
  return st;
}

static sc_status put_member(struct sc_buffer *out, sqlite3_stmt *row, int i, struct sc_error *err) {
  sc_status st = sc_buffer_append_text(out, ",", err);
  if (!st) st = sc_buffer_append_json(out, sqlite3_column_name(row, i), err);
  if (!st) st = sc_buffer_append_text(out, ":", err);
  if (st) return st;
  if (i != COLUMN_GEOMETRY) return put_value(out, row, i, err);
  const char *geometry = (const char *)sqlite3_column_text(row, i);
  return sc_buffer_append_text(out, geometry ? geometry : "null", err);
}

/* Everything of a chip but its picture: "{"id":7,"item":...,"columns":{...}". */
static sc_status put_chip(struct preview *p, int64_t id, sqlite3_stmt *row, struct sc_error *err) {
  struct sc_buffer *out = &p->json;
  out->size = 0;
  sc_status st = sc_buffer_printf(out, err, "{\"id\":%lld", (long long)id);
  for (int i = 0; i < FIRST_OWN && !st; i++) st = put_member(out, row, i, err);
  if (!st) st = sc_buffer_printf(out, err, ",\"columns\":{\"rowid\":%lld", (long long)id);
  for (int i = FIRST_OWN; i < sqlite3_column_count(row) && !st; i++) {
    if (sqlite3_column_type(row, i) != SQLITE_BLOB) st = put_member(out, row, i, err);
  }
  if (!st) st = sc_buffer_append_text(out, "}", err);
  return st ? st : sc_single_file_json(&p->sink, (char *)out->data, out->size, err);
}

/* The picture as a data URL; a chip that cannot be read has none, and says so in the page. */
static sc_status put_picture(struct preview *p, sqlite3_stmt *picture, const char *handle,
                             struct sc_error *err) {
  sc_status st = SC_OK;
  sqlite3_reset(picture);
  sqlite3_bind_text(picture, 1, handle, -1, SQLITE_TRANSIENT);
  sqlite3_bind_text(picture, 2, (char *)p->picture.data, -1, SQLITE_STATIC);
  int is_there = sqlite3_step(picture) == SQLITE_ROW && sqlite3_column_bytes(picture, 0) > 0;
  if (!is_there && p->n_without++ == 0)
    snprintf(p->reason, sizeof p->reason, "%s", sqlite3_errmsg(p->session->db));
  if (!is_there) return put(p, ",\"thumb\":null}", err);
  st = put(p, ",\"thumb\":\"data:image/jpeg;base64,", err);
  if (!st)
    st = sc_single_file_base64(&p->sink, sqlite3_column_blob(picture, 0),
                               (size_t)sqlite3_column_bytes(picture, 0), err);
  return st ? st : put(p, "\"}", err);
}

/* ---- the file ---- */

static sc_status put_chips(struct preview *p, sqlite3_stmt *row, sqlite3_stmt *picture,
                           struct sc_error *err) {
  double since = sc_cli_seconds();
  sc_status st = SC_OK;
  for (size_t i = 0; i < p->n_ids && !st; i++) {
    int is_row = 0;
    sqlite3_reset(row);
    sqlite3_bind_int64(row, 1, p->ids[i]);
    st = sc_db_next(row, &is_row, err);
    if (!st && !is_row) st = sc_fail(err, SC_AGAIN, "%s changed meanwhile", p->table->name);
    if (!st && i) st = put(p, ",\n", err);
    if (!st) st = put_chip(p, p->ids[i], row, err);
    if (!st)
      st = put_picture(p, picture, (const char *)sqlite3_column_text(row, COLUMN_HANDLE), err);
    sc_cli_bar("chips", (int64_t)i + 1, (int64_t)p->n_ids, sc_cli_seconds() - since);
  }
  sc_cli_bar_end();
  return st;
}

/* What the data begin with: {"version":...,"chips":[. */
static sc_status put_head(struct preview *p, const char *where, struct sc_error *err) {
  const char *path = p->browse->paths[0], *slash = strrchr(path, '/');
  struct sc_buffer *out = &p->json;
  out->size = 0;
  sc_status st =
      sc_buffer_printf(out, err, "{\"version\":\"%s\",\"kind\":\"%s\",\"name\":", STACCHIP_VERSION,
                       p->table->is_frozen ? "frozen" : "merge");
  if (!st) st = sc_buffer_append_json(out, slash ? slash + 1 : path, err);
  if (!st) st = sc_buffer_append_text(out, ",\"table\":", err);
  if (!st) st = sc_buffer_append_json(out, p->table->name, err);
  if (!st) st = sc_buffer_append_text(out, ",\"where\":", err);
  if (!st) st = sc_buffer_append_json(out, where, err);
  if (!st) st = sc_buffer_append_text(out, ",\"chips\":[\n", err);
  return st ? st : sc_single_file_json(&p->sink, (char *)out->data, out->size, err);
}

static sc_status put_all(struct preview *p, const char *where, struct sc_error *err) {
  sqlite3_stmt *row = NULL, *picture = NULL;
  char *sql = NULL;
  sc_status st = sc_format(&sql, err, sql_chip, sc_chips_label_sql(p->table, p->session),
                           p->table->is_frozen ? "" : ", datetime, collection");
  if (!st) st = sc_table_prepare(p->table, p->session, sql, &row, err);
  if (!st)
    st = sc_db_prepare(p->session->db, "SELECT stacchip_chip(?1, ?2)", NULL, NULL, &picture, err);
  if (!st) st = sc_single_file_begin(&p->sink, err);
  if (!st) st = put_head(p, where, err);
  if (!st) st = put_chips(p, row, picture, err);
  if (!st) st = put(p, "\n]}", err);
  if (!st) st = sc_single_file_end(&p->sink, err);
  sqlite3_finalize(row);
  sqlite3_finalize(picture);
  sc_free(sql);
  return st;
}

static sc_status write_file(struct preview *p, const char *path, const char *where,
                            struct sc_error *err) {
  sc_status st = sc_sink_open(path, SC_SINK_ALONE, &p->sink, err);
  if (!st) st = sc_href_allow_writing(path, err);
  if (!st) st = sc_session_take(p->table->sessions, SC_SESSION_OWN, &p->session, err);
  if (!st) st = put_all(p, where, err);
  if (!st) st = sc_sink_finish(&p->sink, err);
  if (!st) st = sc_sink_commit(&p->sink, err);
  p->n_bytes = p->sink.n_written;
  sc_session_give(p->session);
  sc_sink_close(&p->sink);
  return st;
}

/* ---- the command ---- */

static sc_status number_up_to(const struct sc_cli_option *o, const char *text, int64_t least,
                              int64_t most, int64_t *out, struct sc_error *err) {
  sc_status st = sc_cli_number(o, text, least, out, err);
  if (!st && *out > most)
    st = sc_fail(err, SC_BAD_ARG, "%s: %lld is the highest", o->flag, (long long)most);
  return st;
}

static sc_status preview(const struct sc_cli_command *c, const struct sc_cli_args *args,
                         struct sc_error *err) {
  const char *const *v = args->values;
  struct sc_browse_options options = {.paths = args->rest, .n_paths = 1};
  struct sc_server_request request = {.n_arguments = 1,
                                      .arguments = {{(char *)"size", (char *)v[OPT_SIZE]}}};
  struct preview p = {0};
  int64_t limit, size;
  sc_status st = number_up_to(&c->options[OPT_LIMIT], v[OPT_LIMIT], 1, LIMIT_MAX, &limit, err);
  if (!st) st = number_up_to(&c->options[OPT_SIZE], v[OPT_SIZE], SIZE_MIN, SIZE_MAX_PX, &size, err);
  if (st) return st;
  st = sc_browse_open(&options, &p.browse, err);
  if (!st) st = sc_browse_table(p.browse, v[OPT_TABLE], &p.table, err);
  if (!st) st = sc_picture_options(p.table, &request, "jpeg", &p.picture, err);
  if (!st) st = choose(&p, v, limit, err);
  if (!st) st = write_file(&p, args->rest[1], v[OPT_WHERE], err);
  if (!st) sc_cli_say("%s: %zu chips, %.1f MB", args->rest[1], p.n_ids, (double)p.n_bytes / 1e6);
  if (!st && p.n_without)
    sc_cli_say("%zu of them have no picture; the first: %s", p.n_without, p.reason);
  sc_browse_close(p.browse);
  sc_buffer_free(&p.json);
  sc_buffer_free(&p.picture);
  sc_free(p.ids);
  return st;
}

static int run(const struct sc_cli_command *c, int argc, char **argv) {
  struct sc_cli_args args;
  struct sc_error err = {0};
  int code = sc_cli_options(c, argc, argv, &args);
  if (code >= 0) return code;
  if (args.n_rest != 2) {
    sc_cli_message("preview needs a database and the name of the file to write (see --help)");
    return SC_EXIT_USAGE;
  }
  if (preview(c, &args, &err)) sc_cli_message("%s", err.text);
  return sc_exit_code(&err);
}

static const struct sc_cli_option options[N_OPTIONS] = {
    [OPT_TABLE] = {"--table", {NULL}, "NAME", "which of its tables, where it has several", 0, NULL},
    [OPT_WHERE] = {"--where", {NULL}, "SQL", "only these chips", 0, NULL},
    [OPT_ORDER] = {"--order",
                   {NULL},
                   "SQL",
                   "the first chips in this order, instead of a sample of them",
                   0,
                   NULL},
    [OPT_LIMIT] = {"--limit", {NULL}, "N", "number of chips, at most 20000", 0, "500"},
    [OPT_SIZE] = {"--size", {NULL}, "N", "pixels on a side of their pictures", 0, "192"},
};

const struct sc_cli_command sc_cli_preview = {
    .name = "preview",
    .run = run,
    .summary = "write a page of chips as one file, for a mail or a pull request",
    .description =
        "Write the page of stacchip browse with some chips in it, pictures and numbers, as one "
        "file that opens without a server and without a network.",
    .rest = "DB OUT.html",
    .max_rest = 2,
    .options = options,
    .n_options = N_OPTIONS};
