/* The SQLite file of a data set; see freeze.h. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/interrupt.h"
#include "base/real.h"
#include "freeze/freeze.h"
#include "host.h"
#include "pixels/layers.h"
#include "sql/freeze/schema.h"
#include "store/sink.h"

enum { ADD_CHIP, ADD_PIXELS, ADD_ITEM, ADD_FILE, ADD_SHARD, HAS_ITEM, SET, N_STATEMENTS };

struct sc_dataset {
  sqlite3 *db;
  const struct sc_dataset_plan *plan;
  char *path, *part; /* of the file, and while it is written */
  int is_complete;   /* nothing but the name is missing */
  sqlite3_stmt *statements[N_STATEMENTS];
};

static const char *const format_names[] = {"stacchip", "manifest", "webdataset", "npy"};
const char *sc_freeze_format_name(int format) { return format_names[format]; }

sqlite3 *sc_dataset_db(struct sc_dataset *d) { return d->db; }

/* The file of a data set: in its folder, where it has one. */
static sc_status file_of(const char *path, int format, char **out, struct sc_error *err) {
  return sc_freeze_has_shards(format) ? sc_format(out, err, "%s/dataset.db", path)
                                      : sc_strdup(path, out, err);
}

static void finalize_all(struct sc_dataset *d) {
  for (int i = 0; i < N_STATEMENTS; i++) {
    sqlite3_finalize(d->statements[i]);
    d->statements[i] = NULL;
  }
}

static void close_db(struct sc_dataset *d) {
  finalize_all(d);
  sqlite3_close(d->db);
  d->db = NULL;
}

void sc_dataset_close(struct sc_dataset *d) {
  if (!d) return;
  close_db(d);
  sc_free(d->path);
  sc_free(d->part);
  sc_free(d);
}

/* A connection of our own: to the host it is none of its. */
static sc_status open_db(const char *path, int flags, sqlite3 **out, struct sc_error *err) {
  sc_host_enter();
  int code = sqlite3_open_v2(path, out, flags | SQLITE_OPEN_FULLMUTEX, NULL);
  sc_host_leave();
  if (code == SQLITE_OK) return SC_OK;
  sc_status st = *out ? sc_db_fail(*out, err, path) : sc_fail_nomem(err);
  sqlite3_close(*out);
  *out = NULL;
  return st;
}

/* --- values of dataset --- */

static sc_status set_value(struct sc_dataset *d, const char *key, const char *text,
                           struct sc_error *err) {
  sqlite3_stmt *s = d->statements[SET];
  sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 2, text, -1, SQLITE_STATIC); /* NULL stays NULL */
  return sc_db_step_reset(s, err);
}

static sc_status set_number(struct sc_dataset *d, const char *key, int64_t v,
                            struct sc_error *err) {
  sqlite3_stmt *s = d->statements[SET];
  sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
  sqlite3_bind_int64(s, 2, v);
  return sc_db_step_reset(s, err);
}

/* A value as a number, or as text of at most n - 1 bytes; nothing there leaves them as they are. */
static sc_status get_value(sqlite3 *db, const char *key, int64_t *number, char *text, size_t n,
                           struct sc_error *err) {
  sqlite3_stmt *s = NULL;
  int is_row = 0;
  sc_status st = sc_db_prepare(db, "SELECT value FROM dataset WHERE key = ?1", NULL, NULL, &s, err);
  if (!st) sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
  if (!st) st = sc_db_next(s, &is_row, err);
  const char *found = !st && is_row ? (const char *)sqlite3_column_text(s, 0) : NULL;
  if (found && number) *number = sqlite3_column_int64(s, 0);
  if (found && text) snprintf(text, n, "%s", found);
  sqlite3_finalize(s);
  return st;
}

/* --- making it --- */

/* Names that a further column or a layer cannot have are those of the tables. */
static sc_status add_columns(struct sc_dataset *d, const char *table, char *const *names, int n,
                             const char *type, struct sc_error *err) {
  sc_status st = SC_OK;
  for (int i = 0; i < n && !st; i++) {
    char *sql = sqlite3_mprintf("ALTER TABLE %s ADD COLUMN \"%w\" %s", table, names[i], type);
    if (!sql) return sc_fail_nomem(err);
    if (sqlite3_exec(d->db, sql, NULL, NULL, NULL) != SQLITE_OK) {
      st = sc_fail(err, SC_BAD_ARG,
                   SC_FREEZE
                   ": table %s cannot have a column '%s' of yours beside its own: give "
                   "it another name; %s",
                   table, names[i], sqlite3_errmsg(d->db));
    }
    sqlite3_free(sql);
  }
  return st;
}

static sc_status make_pixels(struct sc_dataset *d, struct sc_error *err) {
  const struct sc_chip_options *o = &d->plan->options->chip;
  sc_status st =
      sc_db_run(d->db, "CREATE TABLE pixels(position INTEGER PRIMARY KEY, pixels BLOB NOT NULL)",
                NULL, NULL, err);
  for (int k = 0; k < o->n_layers && !st; k++)
    st = add_columns(d, "pixels", (char *[]){(char *)(size_t)o->layers[k].name}, 1, "BLOB", err);
  return st;
}

static sc_status prepare_chip(struct sc_dataset *d, struct sc_error *err) {
  struct sc_buffer sql = {0};
  sc_status st = sc_buffer_append_text(
      &sql,
      "INSERT INTO chips VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,"
      "?18",
      err);
  for (int i = 0; i < d->plan->n_columns && !st; i++)
    st = sc_buffer_printf(&sql, err, ",json_extract(?19,'$[%d]')", i);
  if (!st) st = sc_buffer_append(&sql, ")", 2, err);
  if (!st) st = sc_db_prepare(d->db, (char *)sql.data, NULL, NULL, &d->statements[ADD_CHIP], err);
  sc_buffer_free(&sql);
  return st;
}

static sc_status prepare_pixels(struct sc_dataset *d, struct sc_error *err) {
  struct sc_buffer sql = {0};
  if (d->plan->options->format != SC_FREEZE_STACCHIP) return SC_OK;
  sc_status st = sc_buffer_append_text(&sql, "INSERT INTO pixels VALUES (?1,?2", err);
  for (int k = 0; k < d->plan->options->chip.n_layers && !st; k++)
    st = sc_buffer_printf(&sql, err, ",?%d", k + 3);
  if (!st) st = sc_buffer_append(&sql, ")", 2, err);
  if (!st) st = sc_db_prepare(d->db, (char *)sql.data, NULL, NULL, &d->statements[ADD_PIXELS], err);
  sc_buffer_free(&sql);
  return st;
}

static sc_status prepare_all(struct sc_dataset *d, struct sc_error *err) {
  static const char *const sql[N_STATEMENTS] = {
      [ADD_ITEM] = "INSERT INTO items VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
      [ADD_FILE] = "INSERT OR REPLACE INTO assets VALUES (?1,?2,?3,?4,?5,?6,?7)",
      [ADD_SHARD] = "INSERT INTO shards VALUES (?1,?2,?3,?4,?5)",
      [HAS_ITEM] = "SELECT 1 FROM items WHERE id = ?1",
      [SET] = "INSERT OR REPLACE INTO dataset VALUES (?1,?2)",
  };
  sc_status st = prepare_chip(d, err);
  if (!st) st = prepare_pixels(d, err);
  for (int i = ADD_ITEM; i < N_STATEMENTS && !st; i++) {
    if (i == ADD_SHARD && !sc_freeze_has_shards(d->plan->options->format)) continue;
    st = sc_db_prepare(d->db, sql[i], NULL, NULL, &d->statements[i], err);
  }
  return st;
}

/* A JSON array of texts, or of one that is none. */
static sc_status set_texts(struct sc_dataset *d, const char *key, char *const *texts, int n,
                           struct sc_error *err) {
  struct sc_buffer json = {0};
  sc_status st = sc_buffer_append_text(&json, "[", err);
  for (int i = 0; i < n && !st; i++) {
    if (i) st = sc_buffer_append_text(&json, ",", err);
    if (!st) st = sc_buffer_append_json(&json, texts[i], err);
  }
  if (!st) st = sc_buffer_append(&json, "]", 2, err);
  if (!st) st = set_value(d, key, (char *)json.data, err);
  sc_buffer_free(&json);
  return st;
}

/* The options that reading the chips from where they come takes. */
static sc_status set_options(struct sc_dataset *d, struct sc_error *err) {
  static const char *const others[] = {"format",  "codec",    "shard_bytes", "splits",
                                       "shuffle", "on_error", "table",       "items"};
  const struct sc_freeze_options *o = d->plan->options;
  cJSON *json = o->chip.json.json ? cJSON_Duplicate(o->chip.json.json, 1) : cJSON_CreateObject();
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    cJSON_DeleteItemFromObjectCaseSensitive(json, others[i]);
  char *text = cJSON_PrintUnformatted(json);
  sc_status st = text ? set_value(d, "options", text, err) : sc_fail_nomem(err);
  cJSON_free(text);
  cJSON_Delete(json);
  return st;
}

static sc_status set_shuffle(struct sc_dataset *d, struct sc_error *err) {
  const struct sc_order_options *o = &d->plan->options->order;
  char text[80];
  snprintf(text, sizeof text, "{\"seed\":%lld,\"mix\":%zu}", (long long)o->seed, o->mix);
  return set_value(d, "shuffle", o->is_shuffled ? text : NULL, err);
}

/* What is known from the beginning. */
static sc_status describe(struct sc_dataset *d, struct sc_error *err) {
  const struct sc_dataset_plan *p = d->plan;
  const struct sc_freeze_options *o = p->options;
  char shape[80];
  snprintf(shape, sizeof shape, "[%d,%d,%d]", p->shape.n_bands, p->shape.height, p->shape.width);
  int has_pixels = o->format == SC_FREEZE_STACCHIP;
  sc_status st = set_value(d, "format", sc_freeze_format_name(o->format), err);
  if (!st)
    st = set_value(d, "codec", has_pixels ? sc_packing_name((enum sc_packing)o->packing) : NULL,
                   err);
  if (!st) st = set_value(d, "plan", p->plan, err);
  if (!st) st = set_value(d, "dtype", sc_dtype_name(p->shape.dtype), err);
  if (!st) st = set_value(d, "shape", shape, err);
  if (!st) st = set_value(d, "splits", o->splits, err);
  if (!st) st = set_texts(d, "columns", p->columns, p->n_columns, err);
  if (!st) st = set_value(d, "layers", "[]", err);
  if (!st) st = set_options(d, err);
  return st ? st : set_shuffle(d, err);
}

static sc_status set_state(struct sc_dataset *d, const struct sc_dataset_state *s,
                           struct sc_error *err) {
  sc_status st = set_number(d, "next position", s->position, err);
  if (!st) st = set_number(d, "next part", s->part, err);
  if (!st) st = set_number(d, "next batch", s->batch, err);
  return st ? st : set_number(d, "next shard", s->shard, err);
}

/* The schema, in one transaction with all that describes the data set. */
static sc_status create(struct sc_dataset *d, struct sc_error *err) {
  const struct sc_dataset_plan *p = d->plan;
  const struct sc_dataset_state first = {0, 0, 0, 0};
  sc_status st = sc_db_run(d->db, sql_freeze_schema, NULL, NULL, err);
  if (!st) st = add_columns(d, "chips", p->columns, p->n_columns, "", err);
  if (!st && p->options->format == SC_FREEZE_STACCHIP) st = make_pixels(d, err);
  if (!st && sc_freeze_has_shards(p->options->format)) {
    st =
        sc_db_run(d->db,
                  "CREATE TABLE shards(number INTEGER PRIMARY KEY, file TEXT NOT NULL, split TEXT, "
                  "chips INTEGER NOT NULL, bytes INTEGER NOT NULL)",
                  NULL, NULL, err);
  }
  if (!st) st = prepare_all(d, err);
  if (!st) st = describe(d, err);
  if (!st) st = set_state(d, &first, err);
  return st ? st : sc_db_run(d->db, "COMMIT", NULL, NULL, err);
}

/* --- going on --- */

/* After a step that gave `st`: who freezes something else there locks our file, or removes it
 * between two transactions, and so it has the name no more. */
static sc_status check_is_ours(struct sc_dataset *d, sc_status st, struct sc_error *err) {
  int is_moved = 0, code = st ? sqlite3_errcode(d->db) : SQLITE_OK;
  sqlite3_file_control(d->db, "main", SQLITE_FCNTL_HAS_MOVED, &is_moved);
  return is_moved || code == SQLITE_BUSY || code == SQLITE_LOCKED
             ? sc_fail(err, SC_CONSTRAINT, SC_FREEZE ": %s: another process writes it", d->part)
             : st;
}

/* Begin a transaction, which no other connection holds up or joins. */
static sc_status lock(struct sc_dataset *d, struct sc_error *err) {
  sc_status st = sc_db_run(d->db, "BEGIN EXCLUSIVE", NULL, NULL, err);
  sc_status ours = check_is_ours(d, st, err);
  if (ours && !st) sqlite3_exec(d->db, "ROLLBACK", NULL, NULL, NULL);
  return ours;
}

/* Who was killed may have left a journal that has no use any more. */
static sc_status remove_journal(struct sc_dataset *d, struct sc_error *err) {
  char *journal = NULL;
  sc_status st = sc_format(&journal, err, "%s-journal", d->part);
  if (!st && unlink(journal) != 0 && errno != ENOENT)
    st = sc_fail(err, SC_IO, "%s: %s", journal, strerror(errno));
  sc_free(journal);
  return st;
}

/* What was begun for something else, and its shards. */
static sc_status remove_part(struct sc_dataset *d, struct sc_error *err) {
  sc_status st = SC_OK;
  if (sc_freeze_has_shards(d->plan->options->format)) st = sc_shards_sweep(d->plan->path, 1, err);
  if (!st) st = remove_journal(d, err);
  if (!st && unlink(d->part) != 0 && errno != ENOENT)
    st = sc_fail(err, SC_IO, "%s: %s", d->part, strerror(errno));
  return st;
}

/* Is what lies under the other name of this plan? *state is where it ends. What is not is removed
 * while nobody else can write it. */
static sc_status look_at_part(struct sc_dataset *d, struct sc_dataset_state *state, int *is_ours,
                              struct sc_error *err) {
  struct sc_error bad = {0};
  char plan[20] = "";
  *is_ours = 0;
  state->position = -1;
  sc_status st = lock(d, &bad);
  if (st == SC_CONSTRAINT) return sc_fail(err, st, "%s", bad.text);
  if (!st) st = get_value(d->db, "plan", NULL, plan, sizeof plan, &bad);
  if (!st) st = get_value(d->db, "next position", &state->position, NULL, 0, &bad);
  if (!st) st = get_value(d->db, "next part", &state->part, NULL, 0, &bad);
  if (!st) st = get_value(d->db, "next batch", &state->batch, NULL, 0, &bad);
  if (!st) st = get_value(d->db, "next shard", &state->shard, NULL, 0, &bad);
  *is_ours = !st && strcmp(plan, d->plan->plan) == 0;
  d->is_complete = *is_ours && state->position < 0;
  /* What is no database, or another one, is none of ours; of what cannot be read nobody knows. */
  int code = st ? sqlite3_errcode(d->db) : SQLITE_OK;
  int is_other = !st || code == SQLITE_ERROR || code == SQLITE_NOTADB || code == SQLITE_CORRUPT;
  if (!is_other) {
    *err = bad;
    sc_fail_within(err, "%s", d->part);
  }
  if (is_other) st = *is_ours ? SC_OK : remove_part(d, err);
  sqlite3_exec(d->db, "COMMIT", NULL, NULL, NULL); /* nothing was written */
  return st;
}

static sc_status open_part(struct sc_dataset *d, struct sc_dataset_state *state,
                           struct sc_error *err) {
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  struct stat info;
  int is_ours = 0;
  sc_status st = SC_OK;
  if (stat(d->part, &info) == 0) {
    st = open_db(d->part, flags, &d->db, err);
    if (!st) st = look_at_part(d, state, &is_ours, err);
    if (!is_ours) close_db(d);
  } else if (sc_freeze_has_shards(d->plan->options->format)) {
    st = sc_shards_sweep(d->plan->path, 0, err);
  }
  if (st || is_ours) return st || d->is_complete ? st : prepare_all(d, err);
  memset(state, 0, sizeof *state);
  st = sc_make_folders(d->part, err);
  if (!st) st = open_db(d->part, flags, &d->db, err);
  return st ? st : check_is_ours(d, create(d, err), err);
}

/* Is there something under the name, and is it this? */
static sc_status look_at_final(struct sc_dataset *d, int *is_done, struct sc_error *err) {
  struct stat info;
  struct sc_error bad = {0};
  sqlite3 *db = NULL;
  char plan[20] = "";
  *is_done = 0;
  if (stat(d->path, &info) != 0) return SC_OK;
  if (S_ISREG(info.st_mode) && !open_db(d->path, SQLITE_OPEN_READONLY, &db, &bad))
    get_value(db, "plan", NULL, plan, sizeof plan, &bad);
  sqlite3_close(db);
  *is_done = strcmp(plan, d->plan->plan) == 0;
  if (*is_done) return SC_OK;
  return sc_fail(err, SC_CONSTRAINT,
                 SC_FREEZE
                 ": %s is there already, and is not this data set: remove it, or give "
                 "another path",
                 d->path);
}

sc_status sc_dataset_open(const struct sc_dataset_plan *plan, struct sc_dataset **out,
                          struct sc_dataset_state *state, int *is_done, struct sc_error *err) {
  struct sc_dataset *d = *out = sc_alloc_zero(1, sizeof *d);
  if (!d) return sc_fail_nomem(err);
  d->plan = plan;
  sc_status st = file_of(plan->path, plan->options->format, &d->path, err);
  if (!st) st = sc_format(&d->part, err, "%s.part", d->path);
  if (!st) st = look_at_final(d, is_done, err);
  if (!st && !*is_done) st = open_part(d, state, err);
  if (st) {
    sc_dataset_close(d);
    *out = NULL;
  }
  return st;
}

/* --- rows --- */

/* Two processes that write the same are told apart by how far it is. */
sc_status sc_dataset_begin(struct sc_dataset *d, const struct sc_dataset_state *state,
                           struct sc_error *err) {
  int64_t position = -1;
  sc_status st = lock(d, err);
  if (!st) st = get_value(d->db, "next position", &position, NULL, 0, err);
  return st || position == state->position
             ? st
             : sc_fail(err, SC_CONSTRAINT, SC_FREEZE ": %s: another process writes it", d->part);
}

sc_status sc_dataset_commit(struct sc_dataset *d, const struct sc_dataset_state *next,
                            struct sc_error *err) {
  sc_status st = set_state(d, next, err);
  return st ? st : sc_db_run(d->db, "COMMIT", NULL, NULL, err);
}

sc_status sc_dataset_has_item(struct sc_dataset *d, const char *name, int *out,
                              struct sc_error *err) {
  sqlite3_stmt *s = d->statements[HAS_ITEM];
  sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
  sc_status st = sc_db_next(s, out, err);
  sqlite3_reset(s);
  return st;
}

sc_status sc_dataset_add_item(struct sc_dataset *d, const struct sc_dataset_item *row,
                              struct sc_error *err) {
  const char *const texts[] = {
      row->item->name, row->text,          row->collection,    row->item_id, row->platform,
      row->datetime,   row->item->version, row->pixel_options, row->array,   row->stac};
  sqlite3_stmt *s = d->statements[ADD_ITEM];
  for (int i = 0; i < 10; i++) sqlite3_bind_text(s, i + 1, texts[i], -1, SQLITE_STATIC);
  return sc_db_step_reset(s, err);
}

sc_status sc_dataset_add_file(struct sc_dataset *d, const struct sc_dataset_file *row,
                              struct sc_error *err) {
  const char *const texts[] = {row->item, row->layer, row->asset, row->href, row->content->stamp};
  sqlite3_stmt *s = d->statements[ADD_FILE];
  for (int i = 0; i < 5; i++) sqlite3_bind_text(s, i + 1, texts[i], -1, SQLITE_STATIC);
  sqlite3_bind_null(s, 6);
  sqlite3_bind_null(s, 7);
  if (row->content->size >= 0) sqlite3_bind_int64(s, 6, row->content->size);
  if (row->content->modified_ns) sqlite3_bind_int64(s, 7, row->content->modified_ns);
  return sc_db_step_reset(s, err);
}

/* Its box in degrees; across the antimeridian from its western part to the eastern one. */
static sc_status bind_footprint(sqlite3_stmt *s, const struct sc_chip *chip,
                                struct sc_buffer *geometry, struct sc_error *err) {
  struct sc_footprint f;
  int has_place = 0;
  sc_status st = sc_chip_footprint(chip, &has_place, &f, err);
  for (int i = 12; i <= 16; i++) sqlite3_bind_null(s, i);
  if (st || !has_place) return st;
  struct sc_box box = sc_footprint_box(&f);
  double west = box.min_x, east = box.max_x;
  if (f.n_parts > 1 && west <= -180 && east >= 180) {
    west = 180, east = -180;
    for (int i = 0; i < f.n_parts; i++) {
      const struct sc_box part = sc_footprint_part_box(&f, i);
      if (part.max_x >= 180 && part.min_x < west) west = part.min_x;
      if (part.min_x <= -180 && part.max_x > east) east = part.max_x;
    }
  }
  sqlite3_bind_double(s, 12, west);
  sqlite3_bind_double(s, 13, box.min_y);
  sqlite3_bind_double(s, 14, east);
  sqlite3_bind_double(s, 15, box.max_y);
  st = sc_footprint_to_blob(&f, 0, geometry, err);
  if (!st) sqlite3_bind_blob64(s, 16, geometry->data, geometry->size, SQLITE_STATIC);
  return st;
}

static sc_status bind_grid(sqlite3_stmt *s, const struct sc_chip *chip, struct sc_buffer *transform,
                           struct sc_error *err) {
  char number[SC_REAL_BYTES];
  sc_status st = SC_OK;
  sqlite3_bind_null(s, 10);
  sqlite3_bind_null(s, 11);
  if (!chip->has_target) return SC_OK;
  for (int i = 0; i < 6 && !st; i++) {
    sc_real_format(chip->transform[i], number);
    st = sc_buffer_printf(transform, err, "%s%s", i ? "," : "[", number);
  }
  if (!st) st = sc_buffer_append(transform, "]", 2, err);
  if (st) return st;
  sqlite3_bind_text(s, 10, chip->crs, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 11, (char *)transform->data, -1, SQLITE_STATIC);
  return SC_OK;
}

sc_status sc_dataset_add_chip(struct sc_dataset *d, const struct sc_dataset_chip *row,
                              const struct sc_chip *chip, struct sc_error *err) {
  sqlite3_stmt *s = d->statements[ADD_CHIP];
  struct sc_buffer handle = {0}, geometry = {0}, transform = {0};
  const struct sc_window *w = &chip->window;
  const int64_t numbers[] = {row->x, row->y, w->x, w->y, w->width_px, w->height_px};
  sc_status st = sc_handle_short_format(row->item, row->x, row->y, &handle, err);
  sqlite3_bind_int64(s, 1, row->position);
  if (!st) sqlite3_bind_text(s, 2, (char *)handle.data, (int)handle.size, SQLITE_STATIC);
  sqlite3_bind_text(s, 3, row->item, -1, SQLITE_STATIC);
  for (int i = 0; i < 6; i++) sqlite3_bind_int64(s, 4 + i, numbers[i]);
  if (!st) st = bind_grid(s, chip, &transform, err);
  if (!st) st = bind_footprint(s, chip, &geometry, err);
  sqlite3_bind_text(s, 17, row->layers[0] ? row->layers : NULL, -1, SQLITE_STATIC);
  sqlite3_bind_null(s, 18);
  if (row->shard >= 0) sqlite3_bind_int64(s, 18, row->shard);
  if (d->plan->n_columns) sqlite3_bind_text(s, 19, row->values, -1, SQLITE_STATIC);
  if (!st) st = sc_db_step_reset(s, err);
  sc_buffer_free(&handle);
  sc_buffer_free(&geometry);
  sc_buffer_free(&transform);
  return st;
}

sc_status sc_dataset_add_pixels(struct sc_dataset *d, int64_t position,
                                const struct sc_view *arrays, int n, struct sc_error *err) {
  sqlite3_stmt *s = d->statements[ADD_PIXELS];
  sqlite3_bind_int64(s, 1, position);
  for (int i = 0; i < n; i++)
    sqlite3_bind_blob64(s, i + 2, arrays[i].data, arrays[i].size, SQLITE_STATIC);
  return sc_db_step_reset(s, err);
}

sc_status sc_dataset_add_shard(struct sc_dataset *d, int64_t number, const char *file,
                               const char *split, const int64_t counts[2], struct sc_error *err) {
  sqlite3_stmt *s = d->statements[ADD_SHARD];
  sqlite3_bind_int64(s, 1, number);
  sqlite3_bind_text(s, 2, file, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 3, split, -1, SQLITE_STATIC);
  sqlite3_bind_int64(s, 4, counts[0]);
  sqlite3_bind_int64(s, 5, counts[1]);
  return sc_db_step_reset(s, err);
}

sc_status sc_dataset_set_layers(struct sc_dataset *d, const char *json, struct sc_error *err) {
  return set_value(d, "layers", json, err);
}

/* --- the version --- */

/* The digest of the chip in a row of version_sql. */
static sc_status digest_row(sqlite3_stmt *s, uint8_t out[SC_SHA256_BYTES], struct sc_error *err) {
  double transform[6] = {0};
  cJSON *json = cJSON_Parse((const char *)sqlite3_column_text(s, 6));
  for (int i = 0; i < 6 && json; i++) {
    const cJSON *v = cJSON_GetArrayItem(json, i);
    transform[i] = cJSON_IsNumber(v) ? v->valuedouble : 0;
  }
  cJSON_Delete(json);
  const char *version = (const char *)sqlite3_column_text(s, 0);
  const struct sc_version_place place = {.x = sqlite3_column_int64(s, 1),
                                         .y = sqlite3_column_int64(s, 2),
                                         .width = sqlite3_column_int64(s, 3),
                                         .height = sqlite3_column_int64(s, 4),
                                         .crs = (const char *)sqlite3_column_text(s, 5),
                                         .transform = transform,
                                         .layers = (const char *)sqlite3_column_text(s, 7)};
  return version ? sc_version_of_chip(version, &place, out, err)
                 : sc_fail(err, SC_BAD_DATA, "a chip is of no item");
}

static const char version_sql[] =
    "SELECT i.version, c.x, c.y, CASE WHEN c.crs IS NULL THEN c.width ELSE ?1 END, CASE WHEN c.crs "
    "IS NULL THEN c.height ELSE ?2 END, c.crs, c.transform, c.layers FROM chips AS c LEFT JOIN "
    "items AS i ON i.id = c.item";

/* Of all chips; their number. */
static sc_status find_hash(struct sc_dataset *d, int64_t *n, char out[SC_VERSION_TEXT_BYTES],
                           struct sc_error *err) {
  struct sc_buffer digests = {0};
  sqlite3_stmt *s = NULL;
  int is_row = 1;
  sc_status st = sc_db_prepare(d->db, version_sql, NULL, NULL, &s, err);
  if (!st) {
    sqlite3_bind_int(s, 1, d->plan->shape.width);
    sqlite3_bind_int(s, 2, d->plan->shape.height);
  }
  while (!st && is_row) {
    uint8_t digest[SC_SHA256_BYTES];
    st = sc_db_next(s, &is_row, err);
    if (st || !is_row) break;
    st = digest_row(s, digest, err);
    if (!st) st = sc_buffer_append(&digests, digest, sizeof digest, err);
    if (!st) st = sc_interrupt_check(err);
  }
  sqlite3_finalize(s);
  *n = (int64_t)(digests.size / SC_SHA256_BYTES);
  if (!st) sc_version_of_set(digests.data, (size_t)*n, out);
  sc_buffer_free(&digests);
  return st;
}

/* --- the end --- */

sc_status sc_dataset_complete(struct sc_dataset *d, struct sc_error *err) {
  char hash[SC_VERSION_TEXT_BYTES];
  int64_t n;
  if (d->is_complete) return SC_OK;
  sc_status st = find_hash(d, &n, hash, err);
  if (!st) st = lock(d, err);
  if (!st) st = set_value(d, "hash", hash, err);
  if (!st) st = set_number(d, "chips", n, err);
  finalize_all(d);
  if (!st) {
    st =
        sc_db_run(d->db,
                  "DELETE FROM dataset WHERE key LIKE 'next %'; INSERT INTO dataset SELECT "
                  "'bands', json_group_array(value ->> 'name') FROM (SELECT array FROM items LIMIT "
                  "1), json_each(array, '$.bands'); CREATE INDEX chips_by_item ON chips(item, "
                  "chip_index_x, chip_index_y); COMMIT",
                  NULL, NULL, err);
  }
  return st;
}

sc_status sc_dataset_finish(struct sc_dataset *d, struct sc_error *err) {
  finalize_all(d);
  sc_status st = lock(d, err);
  if (!st) st = remove_journal(d, err);
  if (!st) st = sc_rename_durably(d->part, d->path, err);
  close_db(d);
  return st;
}

static sc_status sum_files(sqlite3 *db, const char *path, const char *file, int format,
                           struct sc_dataset_result *out, struct sc_error *err) {
  struct stat info;
  char *index = NULL;
  sqlite3_int64 bytes = 0;
  sqlite3_int64 shards = format == SC_FREEZE_STACCHIP;
  out->shards = shards;
  if (stat(file, &info) == 0) out->bytes = info.st_size;
  if (!sc_freeze_has_shards(format)) return SC_OK;
  sc_status st = sc_db_query_int(db, "SELECT count(*) FROM shards", NULL, NULL, 0, &shards, err);
  out->shards = shards;
  if (!st)
    st = sc_db_query_int(db, "SELECT coalesce(sum(bytes), 0) FROM shards", NULL, NULL, 0, &bytes,
                         err);
  out->bytes += bytes;
  if (!st) st = sc_format(&index, err, "%s/index.json", path);
  if (!st && stat(index, &info) == 0) out->bytes += info.st_size;
  sc_free(index);
  return st;
}

sc_status sc_dataset_result(const char *path, int format, struct sc_dataset_result *out,
                            struct sc_error *err) {
  char *file = NULL;
  sqlite3 *db = NULL;
  memset(out, 0, sizeof *out);
  sc_status st = file_of(path, format, &file, err);
  if (!st) st = open_db(file, SQLITE_OPEN_READONLY, &db, err);
  if (!st) st = get_value(db, "hash", NULL, out->hash, sizeof out->hash, err);
  if (!st) st = get_value(db, "chips", &out->chips, NULL, 0, err);
  if (!st) st = sum_files(db, path, file, format, out, err);
  sqlite3_close(db);
  sc_free(file);
  return st;
}
