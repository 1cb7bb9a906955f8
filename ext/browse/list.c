/* api/list: chips of a filter, a page of them, the best or a sample; api/select: their ids. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "browse/chips.h"
#include "browse/filter.h"
#include "pixels/hash.h"

#define LIST_MAX 1000
#define OFFSET_MAX 1000000

#define SELECT_MAX 100000
#define ORDER_SECONDS 5.0

/* ---- which ---- */

/* Least rank first: by a value, by hash, or as they come (rank 0, equal ones by id). */
struct ranked {
  double rank;
  int64_t id;
};

enum order { ORDER_ID, ORDER_CLOUD, ORDER_NODATA, ORDER_DATE, ORDER_SAMPLE, ORDER_SQL };

/* The first `wanted` of all: a heap with the last of them on top. */
struct ranking {
  const struct sc_summary *summary;
  enum order order;
  int is_descending;
  uint64_t seed;
  struct ranked *top;
  size_t n, wanted;
  int64_t total;
};

static int comes_before(const struct ranked *a, const struct ranked *b) {
  return a->rank != b->rank ? a->rank < b->rank : a->id < b->id;
}

static void sift_down(struct ranked *heap, size_t n, size_t i) {
  for (size_t child; (child = 2 * i + 1) < n; i = child) {
    if (child + 1 < n && comes_before(&heap[child], &heap[child + 1])) child++;
    if (!comes_before(&heap[i], &heap[child])) return;
    struct ranked t = heap[i];
    heap[i] = heap[child];
    heap[child] = t;
  }
}

static void put_ranked(struct ranking *r, const struct ranked *one) {
  if (r->n == r->wanted) {
    if (!r->n || !comes_before(one, &r->top[0])) return;
    r->top[0] = *one;
    sift_down(r->top, r->n, 0);
    return;
  }
  size_t i = r->n++;
  for (; i > 0 && comes_before(&r->top[(i - 1) / 2], one); i = (i - 1) / 2)
    r->top[i] = r->top[(i - 1) / 2];
  r->top[i] = *one;
}

/* The same sample as ORDER BY stacchip_hash(seed, rowid) gives. */
static double hash_of(uint64_t seed, int64_t id) {
  uint64_t h = sc_stable_hash_integer(sc_stable_hash_start(), (int64_t)seed);
  return sc_stable_hash_end(sc_stable_hash_integer(h, id));
}

static int rank_chip(void *context, const struct sc_hit *h) {
  struct ranking *r = context;
  struct ranked one = {0, sc_hit_id(h)};
  int32_t day = r->summary->items[h->block->item].day;
  r->total++;
  switch (r->order) {
    case ORDER_CLOUD: one.rank = (double)h->chunk->cloud[h->at]; break;
    case ORDER_NODATA: one.rank = (double)h->chunk->nodata[h->at]; break;
    case ORDER_DATE: one.rank = day == SC_NO_DAY ? (double)NAN : (double)day; break;
    case ORDER_SAMPLE: one.rank = hash_of(r->seed, one.id); break;
    default: break;
  }
  if (r->is_descending) one.rank = -one.rank;
  if (isnan(one.rank)) one.rank = INFINITY; /* what is unknown comes last */
  put_ranked(r, &one);
  return 0;
}

static int compare_ranked(const void *a, const void *b) {
  return comes_before(b, a) - comes_before(a, b);
}

static sc_status rank_all(const struct sc_browse_filter *f, struct ranking *r,
                          struct sc_error *err) {
  r->summary = f->table->summary;
  r->top = sc_alloc((r->wanted ? r->wanted : 1) * sizeof *r->top);
  if (!r->top) return sc_fail_nomem(err);
  sc_status st = sc_browse_filter_scan(f, 0, rank_chip, r, err);
  qsort(r->top, r->n, sizeof *r->top, compare_ranked);
  return st;
}

/* "cloud", "cloud desc", "cloud_cover_percentage DESC" and the like need no SQL. */
static enum order read_order(const char *text, int *is_descending) {
  static const struct {
    const char *name;
    enum order order;
  } known[] = {{"cloud", ORDER_CLOUD},
               {"cloud_cover_percentage", ORDER_CLOUD},
               {"nodata", ORDER_NODATA},
               {"nodata_percentage", ORDER_NODATA},
               {"date", ORDER_DATE}};
  *is_descending = 0;
  text += strspn(text, " \t\r\n");
  if (!*text) return ORDER_ID;
  size_t n = strcspn(text, " \t\r\n");
  const char *rest = text + n + strspn(text + n, " \t\r\n");
  if (strcasecmp(rest, "desc") == 0) {
    *is_descending = 1;
  } else if (*rest && strcasecmp(rest, "asc") != 0) {
    return ORDER_SQL;
  }
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strlen(known[i].name) == n && strncasecmp(known[i].name, text, n) == 0)
      return known[i].order;
  }
  return ORDER_SQL;
}

struct raw {
  const char *order;
  int64_t limit, offset, sample, seed;
};

/* By whatever ORDER BY people write, on the guarded connection. */
static sc_status order_by_sql(const struct sc_browse_filter *f, const struct raw *raw,
                              struct ranking *r, struct sc_error *err) {
  struct sc_buffer sql = {0};
  struct sc_session *s = NULL;
  sqlite3_stmt *stmt = NULL;
  int code = SQLITE_DONE;
  sc_status st = sc_session_check_expression(raw->order, err);
  if (!st) st = sc_table_sql(f->table, "SELECT {id} FROM {from} WHERE ", &sql, err);
  if (!st) st = sc_browse_filter_put_sql(f, &sql, err);
  if (!st)
    st = sc_buffer_printf(&sql, err, " ORDER BY %s\nLIMIT %lld OFFSET %lld", raw->order,
                          (long long)raw->limit, (long long)raw->offset);
  if (!st) st = sc_session_take(f->table->sessions, SC_SESSION_GUARDED, &s, err);
  if (!st) sc_session_limit(s, ORDER_SECONDS, NULL);
  if (!st) st = sc_table_prepare_theirs(f->table, s, &sql, &stmt, err);
  for (r->n = 0; !st && r->n < r->wanted && (code = sqlite3_step(stmt)) == SQLITE_ROW;)
    r->top[r->n++].id = sqlite3_column_int64(stmt, 0);
  if (!st && code != SQLITE_DONE && code != SQLITE_ROW) st = sc_session_fail(s, err);
  sqlite3_finalize(stmt);
  sc_session_give(s);
  sc_buffer_free(&sql);
  return st;
}

/* ---- rows ---- */

static sc_status put_text(const char *key, sqlite3_stmt *row, int column, struct sc_buffer *out,
                          struct sc_error *err) {
  sc_status st = sc_buffer_printf(out, err, ",\"%s\":", key);
  return st ? st : sc_buffer_append_json(out, (const char *)sqlite3_column_text(row, column), err);
}

static sc_status put_row(sqlite3_stmt *row, struct sc_buffer *scratch, struct sc_buffer *out,
                         struct sc_error *err) {
  double box[4] = {0, 0, 0, 0};
  sc_status st = sc_buffer_printf(out, err, "{\"id\":%lld", sqlite3_column_int64(row, 0));
  if (!st) st = put_text("item", row, 1, out, err);
  if (!st) st = put_text("platform", row, 2, out, err);
  if (!st) st = put_text("date", row, 3, out, err);
  if (!st) st = sc_buffer_append_text(out, ",\"cloud\":", err);
  if (!st) st = sc_chips_put_number(row, 4, out, err);
  if (!st) st = sc_buffer_append_text(out, ",\"nodata\":", err);
  if (!st) st = sc_chips_put_number(row, 5, out, err);
  if (!st)
    st = sc_buffer_printf(out, err, ",\"chip_index_x\":%lld,\"chip_index_y\":%lld",
                          sqlite3_column_int64(row, 6), sqlite3_column_int64(row, 7));
  if (!st) st = put_text("label", row, 9, out, err);
  scratch->size = 0;
  const void *blob = sqlite3_column_blob(row, 8);
  if (!st) st = sc_chips_put_rings(blob, (size_t)sqlite3_column_bytes(row, 8), scratch, box, err);
  return st ? st
            : sc_buffer_printf(out, err, ",\"bbox\":[%.6f,%.6f,%.6f,%.6f]}", box[0], box[1], box[2],
                               box[3]);
}

static sc_status put_rows(const struct sc_browse_table *t, const struct ranked *first, size_t n,
                          struct sc_buffer *out, struct sc_error *err) {
  struct sc_session *s = NULL;
  struct sc_buffer sql = {0}, scratch = {0};
  sqlite3_stmt *stmt = NULL;
  int written = 0;
  sc_status st = sc_session_take(t->sessions, SC_SESSION_OWN, &s, err);
  if (st) return st;
  st = sc_buffer_printf(&sql, err,
                        "SELECT {id}, {item}, {platform}, {date}, {cloud}, {nodata}, {x}, {y}, "
                        "{geometry}, %s FROM {from} WHERE {id} = ?1",
                        sc_chips_label_sql(t, s));
  if (!st) st = sc_table_prepare(t, s, (char *)sql.data, &stmt, err);
  for (size_t i = 0; i < n && !st; i++) {
    sqlite3_bind_int64(stmt, 1, first[i].id);
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
      if (written++) st = sc_buffer_append_text(out, ",", err);
      if (!st) st = put_row(stmt, &scratch, out, err);
    } else if (code != SQLITE_DONE) {
      st = sc_session_fail(s, err);
    }
    sqlite3_reset(stmt);
  }
  sqlite3_finalize(stmt);
  sc_buffer_free(&sql);
  sc_buffer_free(&scratch);
  sc_session_give(s);
  return st;
}

/* ---- the requests ---- */

static sc_status find_chips(const struct sc_browse_filter *f, const struct raw *raw,
                            struct ranking *r, struct sc_error *err) {
  r->order = raw->sample >= 0 ? ORDER_SAMPLE
             : raw->order     ? read_order(raw->order, &r->is_descending)
                              : ORDER_ID;
  r->seed = (uint64_t)raw->seed;
  r->wanted = (size_t)(raw->sample >= 0 ? raw->sample : raw->offset + raw->limit);
  if (r->order == ORDER_SQL) {
    r->wanted = (size_t)raw->limit;
    sc_status st = rank_all(f, r, err); /* for their number */
    return st ? st : order_by_sql(f, raw, r, err);
  }
  if (r->wanted > OFFSET_MAX)
    return sc_fail(err, SC_BAD_ARG, "offset: at most %d chips are listed", OFFSET_MAX);
  return rank_all(f, r, err);
}

sc_status sc_browse_list(struct sc_browse *b, const struct sc_server_request *request,
                         struct sc_server_answer *a, struct sc_error *err) {
  struct raw raw = {.limit = 100, .sample = -1};
  static const struct sc_option table[] = {
      {"order", SC_OPTION_TEXT, offsetof(struct raw, order), 0, 0, NULL, NULL, NULL},
      {"limit", SC_OPTION_INT, offsetof(struct raw, limit), 0, LIST_MAX, NULL, NULL, NULL},
      {"offset", SC_OPTION_INT, offsetof(struct raw, offset), 0, OFFSET_MAX, NULL, NULL, NULL},
      {"sample", SC_OPTION_INT, offsetof(struct raw, sample), 1, LIST_MAX, NULL, NULL, NULL},
      {"seed", SC_OPTION_INT, offsetof(struct raw, seed), 0, INT32_MAX, NULL, NULL, NULL}};
  struct sc_option_set set = {table, sizeof table / sizeof *table, &raw, NULL};
  struct sc_browse_filter f;
  struct ranking r = {0};
  sc_status st = sc_browse_filter_read(b, request, &set, SC_FILTER_WAIT, &f, err);
  if (!st) st = find_chips(&f, &raw, &r, err);
  size_t skip = r.order == ORDER_SQL || raw.sample >= 0 ? 0 : (size_t)raw.offset;
  if (skip > r.n) skip = r.n;
  if (!st) st = sc_buffer_append_text(&a->body, "{\"chips\":[", err);
  if (!st) st = put_rows(f.table, r.top + skip, r.n - skip, &a->body, err);
  if (!st) st = sc_buffer_printf(&a->body, err, "],\"total\":%lld", (long long)r.total);
  if (!st) st = sc_browse_filter_put_partial(f.known, &a->body, err);
  if (!st) st = sc_buffer_append_text(&a->body, "}", err);
  sc_free(r.top);
  sc_browse_filter_free(b, &f);
  return st;
}

sc_status sc_browse_select(struct sc_browse *b, const struct sc_server_request *request,
                           struct sc_server_answer *a, struct sc_error *err) {
  struct sc_browse_filter f;
  struct ranking r = {.wanted = SELECT_MAX};
  sc_status st = sc_browse_filter_read_whole(b, request, NULL, &f, err);
  if (!st) st = rank_all(&f, &r, err);
  if (!st) st = sc_buffer_append_text(&a->body, "{\"ids\":", err);
  if (!st) st = sc_chips_put_ids(r.n ? &r.top[0].id : NULL, r.n, sizeof *r.top, &a->body, err);
  if (!st) st = sc_buffer_printf(&a->body, err, ",\"total\":%lld}", (long long)r.total);
  sc_free(r.top);
  sc_browse_filter_free(b, &f);
  return st;
}
