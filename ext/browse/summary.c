/* Chips in memory; see summary.h. */
#include "browse/summary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/datetime.h"
#include "base/db.h"
#include "base/thread.h"
#include "merge/chip_block.h"

#define RANGE_BLOCKS 4096 /* that a thread reads at a time: one chunk */
#define RANGES_MAX 4096
#define BLOCK_CHIPS SC_CHIP_BLOCK_CHIPS

/* ---- a chunk being made ---- */

struct new_chip {
  int64_t id;
  double lon, lat; /* centre */
  float half_x, half_y, cloud, nodata;
};

/* Room for a chunk; used again for the next one. */
struct builder {
  struct sc_summary *summary;
  int64_t key;
  struct sc_summary_block *blocks;
  struct new_chip pending[BLOCK_CHIPS]; /* of the block that is being filled */
  int n_pending;
  uint32_t pending_item;
  uint32_t n_blocks, n_chips, n_steps;
  uint16_t *steps;
  float *cloud, *nodata;
  uint16_t *x, *y;
};

#define CHUNK_CHIPS (RANGE_BLOCKS * BLOCK_CHIPS)

static void free_builder(struct builder *b) {
  sc_free(b->blocks);
  sc_free(b->steps);
  sc_free(b->cloud);
  sc_free(b->nodata);
  sc_free(b->x);
  sc_free(b->y);
}

static sc_status init_builder(struct builder *b, struct sc_summary *s, struct sc_error *err) {
  *b = (struct builder){.summary = s};
  b->blocks = sc_alloc(RANGE_BLOCKS * sizeof *b->blocks);
  b->steps = sc_alloc(CHUNK_CHIPS * sizeof *b->steps);
  b->cloud = sc_alloc(CHUNK_CHIPS * sizeof *b->cloud);
  b->nodata = sc_alloc(CHUNK_CHIPS * sizeof *b->nodata);
  b->x = sc_alloc(CHUNK_CHIPS * sizeof *b->x);
  b->y = sc_alloc(CHUNK_CHIPS * sizeof *b->y);
  if (b->blocks && b->steps && b->cloud && b->nodata && b->x && b->y) return SC_OK;
  free_builder(b);
  return sc_fail_nomem(err);
}

static uint16_t step_of(double v, float least, float size) {
  double q = size > 0 ? (v - (double)least) / (double)size * 65535 + 0.5 : 0;
  return (uint16_t)(q < 0 ? 0 : q > 65535 ? 65535 : q);
}

static int count_up(const struct new_chip *p, int n) {
  int i = 1;
  while (i < n && p[i].id - p[0].id == i) i++;
  return i == n;
}

/* Chips p[0..n) as one block. */
static void put_block(struct builder *b, const struct new_chip *p, int n, uint32_t item) {
  double box[4] = {INFINITY, -INFINITY, INFINITY, -INFINITY};
  struct sc_summary_block *k = &b->blocks[b->n_blocks++];
  *k = (struct sc_summary_block){.id = p[0].id,
                                 .first = b->n_chips,
                                 .n = (uint32_t)n,
                                 .steps = count_up(p, n) ? SC_NO_STEPS : b->n_steps,
                                 .item = item};
  for (int i = 0; i < n; i++) {
    box[0] = fmin(box[0], p[i].lon);
    box[1] = fmax(box[1], p[i].lon);
    box[2] = fmin(box[2], p[i].lat);
    box[3] = fmax(box[3], p[i].lat);
    k->half_x = fmaxf(k->half_x, p[i].half_x);
    k->half_y = fmaxf(k->half_y, p[i].half_y);
  }
  k->min_x = (float)box[0];
  k->min_y = (float)box[2];
  k->size_x = (float)(box[1] - box[0]);
  k->size_y = (float)(box[3] - box[2]);
  for (int i = 0; i < n; i++) {
    uint32_t at = b->n_chips++;
    if (k->steps != SC_NO_STEPS) b->steps[b->n_steps++] = (uint16_t)(p[i].id - k->id);
    b->cloud[at] = p[i].cloud;
    b->nodata[at] = p[i].nodata;
    b->x[at] = step_of(p[i].lon, k->min_x, k->size_x);
    b->y[at] = step_of(p[i].lat, k->min_y, k->size_y);
  }
}

/* Order of chunks: by where they were read, so that lists do not depend on which thread was first.
 */
static void insert_chunk(struct sc_summary *s, struct sc_summary_chunk *c) {
  int at = s->n_chunks++;
  for (; at > 0 && s->chunks[at - 1]->key > c->key; at--) s->chunks[at] = s->chunks[at - 1];
  s->chunks[at] = c;
}

/* What was built, as a chunk of the summary; the builder is empty then. */
static sc_status finish_chunk(struct builder *b, struct sc_error *err) {
  struct sc_summary *s = b->summary;
  size_t n = b->n_chips, n_steps = b->n_steps, head = sizeof(struct sc_summary_chunk);
  size_t blocks = b->n_blocks * sizeof *b->blocks;
  if (!n) return SC_OK;
  struct sc_summary_chunk *c =
      sc_alloc(head + blocks + n_steps * sizeof *b->steps + n * (4 + 4 + 2 + 2));
  if (!c) return sc_fail_nomem(err);
  c->key = b->key;
  c->n_blocks = b->n_blocks;
  c->n_chips = b->n_chips;
  c->blocks = (struct sc_summary_block *)(void *)(c + 1);
  c->cloud = (float *)(void *)(c->blocks + b->n_blocks);
  c->nodata = c->cloud + n;
  c->x = (uint16_t *)(void *)(c->nodata + n);
  c->y = c->x + n;
  c->steps = c->y + n;
  memcpy(c->blocks, b->blocks, blocks);
  memcpy(c->steps, b->steps, n_steps * sizeof *c->steps);
  memcpy(c->cloud, b->cloud, n * sizeof *c->cloud);
  memcpy(c->nodata, b->nodata, n * sizeof *c->nodata);
  memcpy(c->x, b->x, n * sizeof *c->x);
  memcpy(c->y, b->y, n * sizeof *c->y);
  b->n_blocks = b->n_chips = b->n_steps = 0;
  pthread_mutex_lock(&s->lock);
  int has_room = s->n_chunks < SC_SUMMARY_CHUNKS;
  if (has_room) insert_chunk(s, c);
  pthread_mutex_unlock(&s->lock);
  if (has_room) return SC_OK;
  sc_free(c);
  return sc_fail(err, SC_TOO_BIG, "%s: it has too many chips to be browsed", s->table->name);
}

static sc_status flush(struct builder *b, struct sc_error *err) {
  if (b->n_blocks == RANGE_BLOCKS) {
    sc_status st = finish_chunk(b, err);
    if (st) return st;
  }
  if (b->n_pending) put_block(b, b->pending, b->n_pending, b->pending_item);
  b->n_pending = 0;
  return SC_OK;
}

/* Chips of one item that follow each other share a block. What has no place is left out. */
static sc_status add_chip(struct builder *b, const struct new_chip *chip, uint32_t item,
                          struct sc_error *err) {
  sc_status st = SC_OK;
  int is_sane = isfinite(chip->lon) && isfinite(chip->lat) && fabs(chip->lon) <= 540 &&
                fabs(chip->lat) <= 90 && isfinite(chip->half_x) && isfinite(chip->half_y);
  if (!is_sane) return SC_OK;
  int64_t step;
  int is_far = b->n_pending && (__builtin_sub_overflow(chip->id, b->pending[0].id, &step) ||
                                step > UINT16_MAX || step < 0);
  if (b->n_pending == BLOCK_CHIPS || (b->n_pending && b->pending_item != item) || is_far)
    st = flush(b, err);
  b->pending_item = item;
  b->pending[b->n_pending++] = *chip;
  return st;
}

/* ---- items ---- */

static int compare_ids(const void *key, const void *item) {
  int64_t a = *(const int64_t *)key, b = ((const struct sc_summary_item *)item)->id;
  return (a > b) - (a < b);
}

/* The position of an item; that of `last`, if it is the same. UINT32_MAX: it is not there. */
static uint32_t find_item(const struct sc_summary *s, int64_t id, uint32_t last) {
  if (last < s->n_items && s->items[last].id == id) return last;
  struct sc_summary_item *found =
      s->n_items ? bsearch(&id, s->items, s->n_items, sizeof *s->items, compare_ids) : NULL;
  return found ? (uint32_t)(found - s->items) : UINT32_MAX;
}

/* The number of a platform; beyond the 255th they are one. */
static sc_status find_platform(struct sc_summary *s, const char *name, uint16_t *out,
                               struct sc_error *err) {
  int i = 0;
  while (i < s->n_platforms && strcmp(s->platforms[i], name) != 0) i++;
  if (i == SC_SUMMARY_PLATFORMS) i--;
  *out = (uint16_t)i;
  if (i < s->n_platforms) return SC_OK;
  sc_status st =
      sc_strdup(i == SC_SUMMARY_PLATFORMS - 1 ? "(others)" : name, &s->platforms[i], err);
  if (!st) s->n_platforms++;
  return st;
}

static sc_status add_item(struct sc_summary *s, sqlite3_stmt *row, size_t *capacity,
                          struct sc_error *err) {
  struct sc_summary_item item = {.id = sqlite3_column_int64(row, 0), .day = SC_NO_DAY};
  const char *date = (const char *)sqlite3_column_text(row, 1);
  const char *platform = (const char *)sqlite3_column_text(row, 2);
  if (s->n_items == *capacity) {
    size_t grown_to = 2 * *capacity + 256;
    struct sc_summary_item *grown = sc_realloc(s->items, grown_to * sizeof *grown);
    if (!grown) return sc_fail_nomem(err);
    s->items = grown;
    *capacity = grown_to;
  }
  if (s->n_items >= UINT32_MAX - 1) return sc_fail(err, SC_TOO_BIG, "too many items");
  if (date && strlen(date) >= 10) sc_date_parse(date, 10, &item.day);
  if (item.day != SC_NO_DAY) {
    if (s->first_day == SC_NO_DAY || item.day < s->first_day) s->first_day = item.day;
    if (s->last_day == SC_NO_DAY || item.day > s->last_day) s->last_day = item.day;
  }
  sc_status st = find_platform(s, platform ? platform : "", &item.platform, err);
  if (!st) s->items[s->n_items++] = item;
  return st;
}

static sc_status read_items(struct sc_summary *s, struct sc_session *session,
                            struct sc_error *err) {
  static const char merged[] = "SELECT id, date, platform FROM main.\"{name}_item\" ORDER BY id";
  static const char frozen[] =
      "SELECT rowid, substr(datetime, 1, 10), platform FROM items ORDER BY rowid";
  const struct sc_browse_table *t = s->table;
  sqlite3_stmt *stmt = NULL;
  size_t capacity = 0;
  int is_row = 1;
  sc_status st =
      sc_db_prepare(session->db, t->is_frozen ? frozen : merged, NULL, t->table, &stmt, err);
  while (!st && !(st = sc_db_next(stmt, &is_row, err)) && is_row)
    st = add_item(s, stmt, &capacity, err);
  sqlite3_finalize(stmt);
  return st;
}

/* ---- chips of a merged index ---- */

static void chip_of_entry(const struct sc_chip_entry *e, struct new_chip *out) {
  const struct sc_box32 *box = &e->box;
  *out = (struct new_chip){.id = e->id,
                           .lon = ((double)box->min_x + (double)box->max_x) / 2,
                           .lat = ((double)box->min_y + (double)box->max_y) / 2,
                           .half_x = (box->max_x - box->min_x) / 2,
                           .half_y = (box->max_y - box->min_y) / 2,
                           .cloud = e->cloud,
                           .nodata = e->nodata};
}

static sc_status add_chip_block(struct builder *b, sqlite3_stmt *row, struct sc_chip_block *block,
                                uint32_t *item, struct sc_error *err) {
  const void *bytes = sqlite3_column_blob(row, 1);
  sc_status st =
      sc_chip_block_decode(bytes ? bytes : "", (size_t)sqlite3_column_bytes(row, 1), block, err);
  *item = find_item(b->summary, sqlite3_column_int64(row, 0), *item);
  if (st || *item == UINT32_MAX) return st;
  for (int i = 0; i < block->n && !st; i++) {
    struct new_chip chip;
    chip_of_entry(&block->chips[i], &chip);
    st = add_chip(b, &chip, *item, err);
  }
  return st ? st : flush(b, err);
}

static sc_status read_range(struct builder *b, sqlite3_stmt *stmt, int64_t range,
                            struct sc_error *err) {
  struct sc_summary *s = b->summary;
  struct sc_chip_block block;
  uint32_t item = 0;
  int is_row = 1;
  double step = (double)s->last_id / (double)s->n_ranges;
  b->key = range;
  sqlite3_bind_int64(stmt, 1, range ? (int64_t)(step * (double)range) + 1 : INT64_MIN);
  sqlite3_bind_int64(stmt, 2,
                     range + 1 == s->n_ranges ? INT64_MAX : (int64_t)(step * (double)(range + 1)));
  sc_status st = SC_OK;
  while (!st && !__atomic_load_n(s->give_up, __ATOMIC_RELAXED) &&
         !(st = sc_db_next(stmt, &is_row, err)) && is_row)
    st = add_chip_block(b, stmt, &block, &item, err);
  sqlite3_reset(stmt);
  return st ? st : finish_chunk(b, err);
}

static int64_t take_range(struct sc_summary *s) {
  pthread_mutex_lock(&s->lock);
  int is_over =
      s->status || s->next_range == s->n_ranges || __atomic_load_n(s->give_up, __ATOMIC_RELAXED);
  int64_t range = is_over ? -1 : s->next_range++;
  pthread_mutex_unlock(&s->lock);
  return range;
}

static void note_range(struct sc_summary *s, sc_status st, const struct sc_error *err) {
  pthread_mutex_lock(&s->lock);
  s->ranges_done++;
  if (st && !s->status) {
    s->status = st;
    s->err = *err;
  }
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

static sc_status read_merged(struct sc_summary *s, struct builder *b, struct sc_session *session,
                             struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  sc_status st =
      sc_db_prepare(session->db,
                    "SELECT item_id, chips FROM main.\"{name}_block\" WHERE id BETWEEN ?1 "
                    "AND ?2",
                    NULL, s->table->table, &stmt, err);
  for (int64_t range; !st && (range = take_range(s)) >= 0;) {
    st = read_range(b, stmt, range, err);
    if (!st) note_range(s, SC_OK, err);
  }
  sqlite3_finalize(stmt);
  return st;
}

/* ---- chips of a frozen dataset ---- */

static void chip_of_row(sqlite3_stmt *row, struct new_chip *out) {
  double west = sqlite3_column_double(row, 2), east = sqlite3_column_double(row, 4);
  double south = sqlite3_column_double(row, 3), north = sqlite3_column_double(row, 5);
  int is_null = sqlite3_column_type(row, 2) == SQLITE_NULL;
  if (west > east) east += 360;
  double lon = (west + east) / 2;
  *out = (struct new_chip){
      .id = sqlite3_column_int64(row, 0),
      .lon = is_null     ? NAN
             : lon > 180 ? lon - 360
                         : lon,
      .lat = (south + north) / 2,
      .half_x = (float)((east - west) / 2),
      .half_y = (float)((north - south) / 2),
      .cloud =
          sqlite3_column_type(row, 6) == SQLITE_NULL ? NAN : (float)sqlite3_column_double(row, 6),
      .nodata =
          sqlite3_column_type(row, 7) == SQLITE_NULL ? NAN : (float)sqlite3_column_double(row, 7)};
}

/* One thread reads all, item by item as their index has them. */
static sc_status read_frozen(struct sc_summary *s, struct builder *b, struct sc_session *session,
                             struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  uint32_t item = 0;
  int is_row = 1;
  if (take_range(s) < 0) return SC_OK;
  sc_status st = sc_table_prepare(
      s->table, session,
      "SELECT c.position, i.rowid, c.west, c.south, c.east, c.north, {cloud}, {nodata} "
      "FROM items AS i CROSS JOIN chips AS c ON c.item = i.id",
      &stmt, err);
  while (!st && !__atomic_load_n(s->give_up, __ATOMIC_RELAXED) &&
         !(st = sc_db_next(stmt, &is_row, err)) && is_row) {
    struct new_chip chip;
    item = find_item(s, sqlite3_column_int64(stmt, 1), item);
    chip_of_row(stmt, &chip);
    if (item != UINT32_MAX) st = add_chip(b, &chip, item, err);
  }
  sqlite3_finalize(stmt);
  if (!st) st = flush(b, err);
  if (!st) st = finish_chunk(b, err);
  if (!st) note_range(s, SC_OK, err);
  return st;
}

/* ---- threads ---- */

static void *read_chips(void *context) {
  struct sc_summary *s = context;
  struct sc_session *session = NULL;
  struct builder b = {0};
  struct sc_error err = {0};
  sc_status st = init_builder(&b, s, &err);
  if (!st) st = sc_session_take(s->table->sessions, SC_SESSION_OWN, &session, &err);
  if (!st)
    st =
        s->table->is_frozen ? read_frozen(s, &b, session, &err) : read_merged(s, &b, session, &err);
  if (st) note_range(s, st, &err);
  sc_session_give(session);
  free_builder(&b);
  return NULL;
}

/* Numbers that change when items come or go, in one. */
static int64_t read_signature(const struct sc_browse_table *t, struct sc_session *session) {
  static const char merged[] =
      "SELECT 1000003 * (SELECT count(*) FROM main.\"{name}_item\") + 10007 * (SELECT "
      "coalesce(max(id), 0) FROM main.\"{name}_item\") + (SELECT coalesce(max(id), 0) FROM "
      "main.\"{name}_block\")";
  struct sc_error ignored = {0};
  sqlite3_int64 signature = 0;
  if (!t->is_frozen) sc_db_query_int(session->db, merged, NULL, t->table, 0, &signature, &ignored);
  return signature;
}

int sc_summary_is_stale(const struct sc_summary *s, struct sc_session *session) {
  return read_signature(s->table, session) != s->signature;
}

static sc_status plan_ranges(struct sc_summary *s, struct sc_session *session,
                             struct sc_error *err) {
  sqlite3_int64 last = 0;
  sc_status st = s->table->is_frozen
                     ? SC_OK
                     : sc_db_query_int(session->db, "SELECT max(id) FROM main.\"{name}_block\"",
                                       NULL, s->table->table, 0, &last, err);
  s->last_id = last;
  s->n_ranges = 1 + (last > 0 ? last / RANGE_BLOCKS : 0);
  if (s->n_ranges > RANGES_MAX) s->n_ranges = RANGES_MAX;
  return st;
}

sc_status sc_summary_start(struct sc_summary *s, const struct sc_browse_table *t,
                           const int *give_up, struct sc_error *err) {
  struct sc_session *session = NULL;
  s->table = t;
  s->give_up = give_up;
  s->first_day = s->last_day = SC_NO_DAY;
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->changed, NULL);
  sc_status st = sc_session_take(t->sessions, SC_SESSION_OWN, &session, err);
  if (!st) s->signature = read_signature(t, session);
  if (!st) st = read_items(s, session, err);
  if (!st) st = plan_ranges(s, session, err);
  sc_session_give(session);
  while (!st && s->n_threads < SC_SUMMARY_THREADS && s->n_threads < s->n_ranges) {
    if (!sc_thread_start(&s->threads[s->n_threads], read_chips, s))
      return s->n_threads ? SC_OK : sc_fail(err, SC_IO, "no thread can be started");
    s->n_threads++;
  }
  return st ? sc_fail_within(err, "%s", t->name) : SC_OK;
}

void sc_summary_free(struct sc_summary *s) {
  if (!s->table) return;
  for (int i = 0; i < s->n_threads; i++) pthread_join(s->threads[i], NULL);
  for (int i = 0; i < s->n_chunks; i++) sc_free(s->chunks[i]);
  for (int i = 0; i < s->n_platforms; i++) sc_free(s->platforms[i]);
  sc_free(s->items);
  pthread_cond_destroy(&s->changed);
  pthread_mutex_destroy(&s->lock);
}

sc_status sc_summary_wait(struct sc_summary *s, double seconds, double *fraction,
                          struct sc_error *err) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  double t = (double)until.tv_sec + (double)until.tv_nsec * 1e-9 + seconds;
  until.tv_sec = (time_t)t;
  until.tv_nsec = (long)((t - floor(t)) * 1e9);
  pthread_mutex_lock(&s->lock);
  while (!s->status && s->ranges_done < s->n_ranges &&
         pthread_cond_timedwait(&s->changed, &s->lock, &until) == 0) {
  }
  *fraction = (double)s->ranges_done / (double)s->n_ranges;
  sc_status st = s->status;
  if (st) *err = s->err;
  pthread_mutex_unlock(&s->lock);
  return st;
}

int64_t sc_summary_extent(struct sc_summary *s, double box[4]) {
  int64_t n = 0;
  double w = 180, south = 90, e = -180, north = -90;
  pthread_mutex_lock(&s->lock);
  for (int i = 0; i < s->n_chunks; i++) {
    n += s->chunks[i]->n_chips;
    for (uint32_t k = 0; k < s->chunks[i]->n_blocks; k++) {
      const struct sc_summary_block *b = &s->chunks[i]->blocks[k];
      double half_x = (double)b->half_x, half_y = (double)b->half_y;
      w = fmin(w, (double)b->min_x - half_x);
      e = fmax(e, (double)b->min_x + (double)b->size_x + half_x);
      south = fmin(south, (double)b->min_y - half_y);
      north = fmax(north, (double)b->min_y + (double)b->size_y + half_y);
    }
  }
  pthread_mutex_unlock(&s->lock);
  box[0] = n ? fmax(w, -180) : 0;
  box[1] = n ? fmax(south, -90) : 0;
  box[2] = n ? fmin(e, 180) : 0;
  box[3] = n ? fmin(north, 90) : 0;
  return n;
}

/* ---- looking ---- */

static int is_in_polygon(const struct sc_match *m, double lon, double lat) {
  int inside = 0;
  for (int i = 0, j = m->n_points - 1; i < m->n_points; j = i++) {
    const double *a = &m->polygon[2 * i], *b = &m->polygon[2 * j];
    if ((a[1] > lat) != (b[1] > lat) && lon < (b[0] - a[0]) * (lat - a[1]) / (b[1] - a[1]) + a[0])
      inside = !inside;
  }
  return inside;
}

static int meets_lon(double west, double east, double low, double high) {
  return west <= east ? high >= west && low <= east : high >= west || low <= east;
}

/* How a block lies to the box: 0 apart, 1 its chips are to be tested, 2 all are in it. */
static int place_block(const struct sc_match *m, const struct sc_summary_block *b) {
  const double *box = m->box;
  double x0 = (double)b->min_x - (double)b->half_x, y0 = (double)b->min_y - (double)b->half_y;
  double x1 = (double)b->min_x + (double)b->size_x + (double)b->half_x;
  double y1 = (double)b->min_y + (double)b->size_y + (double)b->half_y;
  if (y1 < box[1] || y0 > box[3] || !meets_lon(box[0], box[2], x0, x1)) return 0;
  int inside = box[0] <= box[2] && x0 >= box[0] && x1 <= box[2] && y0 >= box[1] && y1 <= box[3];
  return inside && !m->polygon ? 2 : 1;
}

static int is_placed(const struct sc_match *m, const struct sc_hit *h) {
  double x = sc_hit_lon(h), y = sc_hit_lat(h);
  double half_x = (double)h->block->half_x, half_y = (double)h->block->half_y;
  if (m->polygon) return is_in_polygon(m, x + 360 * ceil((m->polygon_west - x) / 360), y);
  return y + half_y >= m->box[1] && y - half_y <= m->box[3] &&
         meets_lon(m->box[0], m->box[2], x - half_x, x + half_x);
}

/* Tests that are the same for all chips of an item. */
static unsigned item_failures(const struct sc_match *m, const struct sc_summary_item *item) {
  unsigned failed = 0;
  if (m->tests & SC_TEST_DATE &&
      (item->day == SC_NO_DAY || item->day < m->days[0] || item->day > m->days[1]))
    failed |= SC_TEST_DATE;
  if (m->tests & SC_TEST_PLATFORM &&
      !(m->platforms[item->platform / 64] >> item->platform % 64 & 1))
    failed |= SC_TEST_PLATFORM;
  return failed;
}

static inline int is_outside(float v, const double range[2]) {
  return !((double)v >= range[0] && (double)v <= range[1]);
}

struct scan {
  const struct sc_summary *summary;
  const struct sc_match *match;
  int near;
  sc_summary_visit *visit;
  void *context;
  const struct sc_marks_page *page; /* of the ids that were looked at last */
};

/* May a chip still be visited that failed these tests? */
static inline int may_go_on(unsigned failed, int near) {
  return near ? (failed & (failed - 1)) == 0 : failed == 0;
}

static inline int is_marked(struct scan *s, int64_t id) {
  if (!s->page || s->page->key != id >> 16) s->page = sc_marks_find(s->match->where, id);
  return sc_marks_page_has(s->page, id);
}

static int scan_block(struct scan *s, struct sc_hit *hit) {
  const struct sc_match *m = s->match;
  const struct sc_summary_chunk *c = hit->chunk;
  const struct sc_summary_block *b = hit->block;
  unsigned block_failed = item_failures(m, &s->summary->items[b->item]);
  int placed = m->tests & SC_TEST_PLACE ? place_block(m, b) : 2;
  if (placed == 0) block_failed |= SC_TEST_PLACE;
  if (!may_go_on(block_failed, s->near)) return 0;
  for (uint32_t i = b->first; i < b->first + b->n; i++) {
    unsigned failed = block_failed;
    hit->at = i;
    if (m->tests & SC_TEST_CLOUD && is_outside(c->cloud[i], m->cloud)) failed |= SC_TEST_CLOUD;
    if (m->tests & SC_TEST_NODATA && is_outside(c->nodata[i], m->nodata)) failed |= SC_TEST_NODATA;
    if (!may_go_on(failed, s->near)) continue;
    if (placed == 1 && !is_placed(m, hit)) failed |= SC_TEST_PLACE;
    if (m->tests & SC_TEST_WHERE && !is_marked(s, sc_hit_id(hit))) failed |= SC_TEST_WHERE;
    if (!may_go_on(failed, s->near)) continue;
    hit->failed = failed;
    if (s->visit(s->context, hit)) return 1;
  }
  return 0;
}

static int scan_chunk(struct scan *s, const struct sc_summary_chunk *chunk) {
  struct sc_hit hit = {.chunk = chunk};
  for (uint32_t k = 0; k < chunk->n_blocks; k++) {
    hit.block = &chunk->blocks[k];
    if (scan_block(s, &hit)) return 1;
  }
  return 0;
}

sc_status sc_summary_scan(struct sc_summary *s, const struct sc_match *match, int near,
                          sc_summary_visit *visit, void *context, struct sc_error *err) {
  struct scan scan = {s, match, near, visit, context, NULL};
  pthread_mutex_lock(&s->lock);
  int n = s->n_chunks;
  /* Chunks do not change, but one may come between two of them. */
  struct sc_summary_chunk **chunks = sc_alloc((size_t)n * sizeof(struct sc_summary_chunk *));
  if (chunks) memcpy(chunks, s->chunks, (size_t)n * sizeof *chunks);
  pthread_mutex_unlock(&s->lock);
  if (!chunks) return sc_fail_nomem(err);
  for (int i = 0; i < n && !scan_chunk(&scan, chunks[i]); i++) {
  }
  sc_free(chunks);
  return SC_OK;
}
