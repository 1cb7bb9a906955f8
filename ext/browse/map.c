/*
 * api/map: the chips of a view. Few are drawn each, many as counts of the cells of a grid, so that
 * an answer has never more than a screen shows.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "browse/chips.h"
#include "browse/color.h"

#define CHIPS_DRAWN 2500
#define CELL_PX 6
#define CELLS_MAX 1024 /* along a side */
#define NAMES_MAX 16   /* that a cell counts apart */
#define EXPRESSION_SECONDS 5.0

struct drawn {
  int64_t id;
  double value;
  size_t rings, rings_end, text, text_end; /* in struct view.texts; text is a label's, or value's */
  size_t label, label_end;
};

struct view {
  const struct sc_browse_filter *filter;
  struct sc_summary *summary;
  struct sc_color color;
  double w, s, dx, dy; /* of the grid */
  int nx, ny, n_names; /* n_names: of a colour of texts, at most NAMES_MAX */
  uint32_t *count;     /* [ny][nx] */
  double *sum;         /* [ny][nx] of values; unused for texts */
  uint32_t *known;     /* [ny][nx] chips with a value, or [ny][nx][n_names] */
  struct drawn chips[CHIPS_DRAWN];
  int64_t total;
  struct sc_buffer texts;
  int has_labels, has_texts;
};

/* ---- counting ---- */

static void count_value(struct view *v, size_t cell, double value) {
  if (!isfinite(value)) return;
  if (!v->n_names) {
    v->sum[cell] += value;
    v->known[cell]++;
  } else {
    int name = value < v->n_names ? (int)value : v->n_names - 1;
    v->known[cell * (size_t)v->n_names + (size_t)name]++;
  }
}

static int count_chip(void *context, const struct sc_hit *h) {
  struct view *v = context;
  double value = sc_color_value(&v->color, v->summary, h);
  double lon = sc_hit_lon(h), lat = sc_hit_lat(h);
  if (v->total < CHIPS_DRAWN) {
    v->chips[v->total] = (struct drawn){.id = sc_hit_id(h), .value = value};
  }
  v->total++;
  lon += 360 * ceil((v->w - lon) / 360); /* the view may be a turn further on */
  int x = (int)floor((lon - v->w) / v->dx), y = (int)floor((lat - v->s) / v->dy);
  /* A chip that reaches into the view counts at its edge. */
  if (lon - v->w > 360 - v->dx) x = 0;
  x = x < 0 ? 0 : x >= v->nx ? v->nx - 1 : x;
  y = y < 0 ? 0 : y >= v->ny ? v->ny - 1 : y;
  size_t cell = (size_t)y * (size_t)v->nx + (size_t)x;
  v->count[cell]++;
  count_value(v, cell, value);
  return 0;
}

/* Cells are halves of halves of the globe, so that they stay where they are while the map moves. */
static void lay_grid(struct view *v, const double box[4], const double size_px[2]) {
  double wide = fmin(box[2] - box[0], 360), high = box[3] - box[1];
  double wanted = wide * CELL_PX / size_px[0];
  int level = (int)floor(log2(360 / wanted));
  level = level < 0 ? 0 : level > 24 ? 24 : level;
  for (v->dx = 360 / exp2(level); wide / v->dx > CELLS_MAX - 2 || high / v->dx > CELLS_MAX - 2;)
    v->dx *= 2;
  /* A degree of latitude is drawn higher than one of longitude is wide, away from the equator. */
  for (v->dy = v->dx; v->dy > 1.5 * high * CELL_PX / size_px[1] && high / v->dy < CELLS_MAX / 2;)
    v->dy /= 2;
  v->w = floor(box[0] / v->dx) * v->dx;
  v->s = floor(box[1] / v->dy) * v->dy;
  v->nx = (int)ceil((box[0] + wide - v->w) / v->dx);
  v->ny = (int)ceil((box[3] - v->s) / v->dy);
  if (v->nx < 1) v->nx = 1;
  if (v->ny < 1) v->ny = 1;
}

static sc_status make_cells(struct view *v, struct sc_error *err) {
  size_t n = (size_t)v->nx * (size_t)v->ny;
  int n_names = 0;
  if (sc_color_is_text(&v->color)) {
    sc_color_names(&v->color, v->summary, &n_names);
    v->n_names = n_names < 1 ? 1 : n_names > NAMES_MAX ? NAMES_MAX : n_names;
  }
  v->count = sc_alloc_zero(n, sizeof *v->count);
  v->sum = sc_alloc_zero(v->n_names ? 1 : n, sizeof *v->sum);
  v->known = sc_alloc_zero(n * (size_t)(v->n_names ? v->n_names : 1), sizeof *v->known);
  return v->count && v->sum && v->known ? SC_OK : sc_fail_nomem(err);
}

static sc_status count_all(struct view *v, struct sc_error *err) {
  struct sc_column *c = v->color.column;
  if (c) pthread_rwlock_rdlock(&c->marks.lock);
  sc_status st = make_cells(v, err);
  if (!st) st = sc_browse_filter_scan(v->filter, 0, count_chip, v, err);
  if (c) pthread_rwlock_unlock(&c->marks.lock);
  return st;
}

/* ---- cells ---- */

static sc_status put_names(struct view *v, struct sc_buffer *out, struct sc_error *err) {
  int n;
  char *const *names = sc_color_names(&v->color, v->summary, &n);
  sc_status st = sc_buffer_append_text(out, ",\"names\":[", err);
  for (int i = 0; i < n && i < v->n_names && !st; i++) {
    if (i) st = sc_buffer_append_text(out, ",", err);
    if (!st)
      st = sc_buffer_append_json(out, n > NAMES_MAX && i == NAMES_MAX - 1 ? "(others)" : names[i],
                                 err);
  }
  return st ? st : sc_buffer_append_text(out, "]", err);
}

/* The mean, or of texts the most frequent one; null where no chip has a value. */
static sc_status put_value(const struct view *v, size_t cell, struct sc_buffer *out,
                           struct sc_error *err) {
  if (!v->n_names) {
    return v->known[cell] ? sc_buffer_printf(out, err, "%.6g", v->sum[cell] / v->known[cell])
                          : sc_buffer_append_text(out, "null", err);
  }
  const uint32_t *counts = &v->known[cell * (size_t)v->n_names];
  int best = 0;
  for (int i = 1; i < v->n_names; i++) {
    if (counts[i] > counts[best]) best = i;
  }
  return counts[best] ? sc_buffer_printf(out, err, "%d", best)
                      : sc_buffer_append_text(out, "null", err);
}

static sc_status put_cells(struct view *v, struct sc_buffer *out, struct sc_error *err) {
  size_t n = (size_t)v->nx * (size_t)v->ny;
  sc_status st = sc_buffer_printf(
      out, err, "\"cells\":{\"w\":%.9g,\"s\":%.9g,\"dx\":%.9g,\"dy\":%.9g,\"nx\":%d,\"ny\":%d",
      v->w, v->s, v->dx, v->dy, v->nx, v->ny);
  if (!st && v->n_names) st = put_names(v, out, err);
  if (!st) st = sc_buffer_append_text(out, ",\"count\":[", err);
  for (size_t i = 0; i < n && !st; i++)
    st = sc_buffer_printf(out, err, i ? ",%u" : "%u", v->count[i]);
  if (!st) st = sc_buffer_append_text(out, "],\"value\":[", err);
  for (size_t i = 0; i < n && !st; i++) {
    if (i) st = sc_buffer_append_text(out, ",", err);
    if (!st) st = put_value(v, i, out, err);
  }
  return st ? st : sc_buffer_append_text(out, "]}", err);
}

/* ---- chips ---- */

static int compare_drawn(const void *a, const void *b) {
  int64_t x = ((const struct drawn *)a)->id, y = ((const struct drawn *)b)->id;
  return (x > y) - (x < y);
}

static struct drawn *find_drawn(struct view *v, int64_t id) {
  struct drawn key = {.id = id};
  return bsearch(&key, v->chips, (size_t)v->total, sizeof *v->chips, compare_drawn);
}

static sc_status take_label(struct view *v, sqlite3_stmt *row, struct drawn *d,
                            struct sc_error *err) {
  d->label = v->texts.size;
  sc_status st = sc_buffer_append_json(&v->texts, (const char *)sqlite3_column_text(row, 2), err);
  d->label_end = v->texts.size;
  return st;
}

/* Footprints, and labels where there are some. */
static sc_status read_places(struct view *v, const char *ids, struct sc_error *err) {
  struct sc_session *s = NULL;
  struct sc_buffer sql = {0};
  sqlite3_stmt *stmt = NULL;
  int code = SQLITE_DONE;
  sc_status st = sc_session_take(v->filter->table->sessions, SC_SESSION_OWN, &s, err);
  if (st) return st;
  v->has_labels = sc_table_has_labels(v->filter->table, s);
  st = sc_buffer_printf(&sql, err,
                        "SELECT {id}, {geometry}, %s FROM {from} WHERE {id} IN "
                        "(SELECT value FROM json_each(?1))",
                        sc_chips_label_sql(v->filter->table, s));
  if (!st) st = sc_table_prepare(v->filter->table, s, (char *)sql.data, &stmt, err);
  if (!st) sqlite3_bind_text(stmt, 1, ids, -1, SQLITE_STATIC);
  while (!st && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
    struct drawn *d = find_drawn(v, sqlite3_column_int64(stmt, 0));
    if (!d) continue;
    const void *blob = sqlite3_column_blob(stmt, 1);
    d->rings = v->texts.size;
    st = sc_chips_put_rings(blob, (size_t)sqlite3_column_bytes(stmt, 1), &v->texts, NULL, err);
    d->rings_end = v->texts.size;
    if (!st && v->has_labels) st = take_label(v, stmt, d, err);
  }
  if (!st && code != SQLITE_DONE) st = sc_session_fail(s, err);
  sqlite3_finalize(stmt);
  sc_buffer_free(&sql);
  sc_session_give(s);
  return st;
}

static sc_status take_text(struct view *v, sqlite3_stmt *row, struct drawn *d,
                           struct sc_error *err) {
  int type = sqlite3_column_type(row, 1);
  d->value = type == SQLITE_INTEGER || type == SQLITE_FLOAT ? sqlite3_column_double(row, 1) : NAN;
  if (type != SQLITE_TEXT) return SC_OK;
  const char *text = (const char *)sqlite3_column_text(row, 1);
  if (!text) return sc_fail_nomem(err);
  char name[SC_COLUMN_NAME_BYTES + 1];
  snprintf(name, sizeof name, "%s", text);
  v->has_texts = 1;
  d->text = v->texts.size;
  sc_status st = sc_buffer_append_json(&v->texts, name, err);
  d->text_end = v->texts.size;
  return st;
}

/* The expression for these chips alone. */
static sc_status read_expression(struct view *v, const char *ids, struct sc_error *err) {
  const struct sc_browse_table *t = v->filter->table;
  struct sc_session *s = NULL;
  struct sc_buffer sql = {0};
  sqlite3_stmt *stmt = NULL;
  int code = SQLITE_DONE;
  sc_status st = sc_table_sql(t, "SELECT {id}, (\n", &sql, err);
  if (!st) st = sc_buffer_append_text(&sql, (const char *)v->color.sql.data, err);
  if (!st)
    st = sc_table_sql(t, "\n) FROM {from} WHERE {id} IN (SELECT value FROM json_each(?1))", &sql,
                      err);
  if (!st) st = sc_session_take(t->sessions, SC_SESSION_GUARDED, &s, err);
  if (!st) sc_session_limit(s, EXPRESSION_SECONDS, NULL);
  if (!st) st = sc_table_prepare_theirs(t, s, &sql, &stmt, err);
  if (!st) sqlite3_bind_text(stmt, 1, ids, -1, SQLITE_STATIC);
  while (!st && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
    struct drawn *d = find_drawn(v, sqlite3_column_int64(stmt, 0));
    if (d) st = take_text(v, stmt, d, err);
  }
  if (!st && code != SQLITE_DONE) st = sc_session_fail(s, err);
  sqlite3_finalize(stmt);
  sc_session_give(s);
  sc_buffer_free(&sql);
  return st;
}

static sc_status put_drawn_value(const struct view *v, const struct drawn *d, struct sc_buffer *out,
                                 struct sc_error *err) {
  if (d->text_end > d->text)
    return sc_buffer_append(out, v->texts.data + d->text, d->text_end - d->text, err);
  if (!isfinite(d->value) || v->has_texts) return sc_buffer_append_text(out, "null", err);
  if (v->color.kind == SC_COLOR_PLATFORM)
    return sc_buffer_append_json(out, v->summary->platforms[(int)d->value], err);
  return sc_buffer_printf(out, err, "%.9g", d->value);
}

static sc_status put_piece(const struct view *v, size_t from, size_t to, const char *missing,
                           struct sc_buffer *out, struct sc_error *err) {
  return to > from ? sc_buffer_append(out, v->texts.data + from, to - from, err)
                   : sc_buffer_append_text(out, missing, err);
}

static sc_status put_chips(struct view *v, struct sc_buffer *out, struct sc_error *err) {
  size_t n = (size_t)v->total;
  struct sc_buffer ids = {0};
  qsort(v->chips, n, sizeof *v->chips, compare_drawn);
  sc_status st = sc_chips_put_ids(&v->chips[0].id, n, sizeof *v->chips, &ids, err);
  if (!st) st = read_places(v, (char *)ids.data, err);
  if (!st && v->color.kind == SC_COLOR_SQL) st = read_expression(v, (char *)ids.data, err);
  if (!st) st = sc_buffer_append_text(out, "\"chips\":{\"id\":", err);
  if (!st) st = sc_buffer_append(out, ids.data, ids.size, err);
  if (!st) st = sc_buffer_append_text(out, ",\"rings\":[", err);
  for (size_t i = 0; i < n && !st; i++) {
    if (i) st = sc_buffer_append_text(out, ",", err);
    if (!st) st = put_piece(v, v->chips[i].rings, v->chips[i].rings_end, "[]", out, err);
  }
  if (!st) st = sc_buffer_append_text(out, "],\"value\":[", err);
  for (size_t i = 0; i < n && !st; i++) {
    if (i) st = sc_buffer_append_text(out, ",", err);
    if (!st) st = put_drawn_value(v, &v->chips[i], out, err);
  }
  if (!st) st = sc_buffer_append_text(out, v->has_labels ? "],\"label\":[" : "]", err);
  for (size_t i = 0; i < n && v->has_labels && !st; i++) {
    if (i) st = sc_buffer_append_text(out, ",", err);
    if (!st) st = put_piece(v, v->chips[i].label, v->chips[i].label_end, "null", out, err);
  }
  if (!st) st = sc_buffer_append_text(out, v->has_labels ? "]}" : "}", err);
  sc_buffer_free(&ids);
  return st;
}

/* ---- the request ---- */

struct raw {
  const char *color;
  double size_px[2];
};

static sc_status draw(struct sc_browse *b, struct sc_browse_filter *f, struct view *v,
                      struct sc_buffer *out, struct sc_error *err) {
  double known = f->known;
  sc_status st = count_all(v, err);
  int is_few = v->total <= CHIPS_DRAWN;
  if (!st && !is_few && v->color.kind == SC_COLOR_SQL && !v->color.column) {
    /* Only now is it known that the expression is needed for the whole table. */
    st = sc_color_wait(b, f, &v->color, &known, err);
    sc_free(v->count);
    sc_free(v->sum);
    sc_free(v->known);
    v->count = v->known = NULL;
    v->sum = NULL;
    v->total = 0;
    if (!st) st = count_all(v, err);
  }
  if (!st) st = sc_buffer_append_text(out, "{", err);
  if (!st) st = is_few ? put_chips(v, out, err) : put_cells(v, out, err);
  int is_text = is_few ? v->has_texts || v->color.kind == SC_COLOR_PLATFORM : v->n_names > 0;
  if (!st)
    st = sc_buffer_printf(out, err, ",\"total\":%lld,\"kind\":\"%s\"", (long long)v->total,
                          is_text ? "text" : "number");
  if (!st) st = sc_browse_filter_put_partial(known, out, err);
  return st ? st : sc_buffer_append_text(out, "}", err);
}

static sc_status read_view(const struct sc_browse_filter *f, double box[4], struct sc_error *err) {
  const cJSON *json = cJSON_GetObjectItemCaseSensitive(f->json.json, "bbox");
  int is_box = sc_json_numbers(json, 4, box) && box[2] > box[0] && box[3] > box[1];
  return is_box
             ? SC_OK
             : sc_option_fail(err, "browse", "bbox", json, "the view: [west, south, east, north]");
}

sc_status sc_browse_map(struct sc_browse *b, const struct sc_server_request *r,
                        struct sc_server_answer *a, struct sc_error *err) {
  struct raw raw = {.size_px = {1000, 600}};
  static const struct sc_option table[] = {
      {"color", SC_OPTION_TEXT, offsetof(struct raw, color), 0, 0, NULL, NULL, NULL},
      {"width", SC_OPTION_REAL, offsetof(struct raw, size_px), 1, 100000, NULL, NULL, NULL},
      {"height", SC_OPTION_REAL, offsetof(struct raw, size_px) + sizeof(double), 1, 100000, NULL,
       NULL, NULL}};
  struct sc_option_set set = {table, sizeof table / sizeof *table, &raw, NULL};
  struct sc_browse_filter f;
  double box[4] = {-180, -90, 180, 90};
  struct view *v = sc_alloc_zero(1, sizeof *v);
  if (!v) return sc_fail_nomem(err);
  sc_status st = sc_browse_filter_read(b, r, &set, SC_FILTER_WAIT, &f, err);
  if (!st) st = read_view(&f, box, err);
  v->filter = &f;
  if (!st) v->summary = f.table->summary;
  if (!st) st = sc_color_read(f.table, raw.color, &v->color, err);
  if (!st) lay_grid(v, box, raw.size_px);
  if (!st) st = draw(b, &f, v, &a->body, err);
  sc_color_free(b, &v->color);
  sc_buffer_free(&v->texts);
  sc_free(v->count);
  sc_free(v->sum);
  sc_free(v->known);
  sc_free(v);
  sc_browse_filter_free(b, &f);
  return st;
}
