/* The chips that a query names; see samples.h. */
#include "pixels/samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "index/handle.h"
#include "merge/lookup.h"
#include "pixels/frozen.h"
#include "pixels/superblock.h"

/* --- sources --- */

static int is_source(const struct sc_samples *s, const struct sc_samples_source *a,
                     const struct sc_samples_source *b, const char *text) {
  return a->hash == b->hash && a->kind == b->kind && a->text_bytes == b->text_bytes &&
         (a->text_bytes == 0 || memcmp(s->texts.data + a->text, text, a->text_bytes) == 0);
}

static uint32_t *find_place(struct sc_samples *s, const struct sc_samples_source *wanted,
                            const char *text) {
  size_t mask = s->table_size - 1, at = (size_t)wanted->hash & mask;
  while (s->table[at] && !is_source(s, &s->sources[s->table[at] - 1], wanted, text))
    at = (at + 1) & mask;
  return &s->table[at];
}

/* Twice as many places as there can be sources before the next call. */
static sc_status grow_sources(struct sc_samples *s, struct sc_error *err) {
  if (s->n_sources < s->sources_capacity) return SC_OK;
  size_t capacity = s->sources_capacity ? 2 * s->sources_capacity : 64;
  struct sc_samples_source *sources = sc_realloc(s->sources, capacity * sizeof *sources);
  if (!sources) return sc_fail_nomem(err);
  s->sources = sources;
  s->sources_capacity = capacity;
  uint32_t *table = sc_alloc_zero(2 * capacity, sizeof *table);
  if (!table) return sc_fail_nomem(err);
  sc_free(s->table);
  s->table = table;
  s->table_size = 2 * capacity;
  for (size_t i = 0; i < s->n_sources; i++) {
    size_t at = (size_t)s->sources[i].hash & (s->table_size - 1);
    while (table[at]) at = (at + 1) & (s->table_size - 1);
    table[at] = (uint32_t)i + 1;
  }
  return SC_OK;
}

/* The number of a source, a new one if it is not there. */
static sc_status find_source(struct sc_samples *s, enum sc_samples_of kind, const char *text,
                             size_t n, uint32_t *out, struct sc_error *err) {
  struct sc_samples_source wanted = {
      .kind = kind, .text = s->texts.size, .text_bytes = n, .first = (uint32_t)s->n};
  wanted.hash = sc_hash_mix(sc_hash_bytes(SC_HASH_START + (uint64_t)kind, text, n));
  sc_status st = grow_sources(s, err);
  if (st) return st;
  uint32_t *place = find_place(s, &wanted, text);
  if (!*place) {
    st = sc_buffer_append(&s->texts, text, n, err);
    if (st) return st;
    s->sources[s->n_sources++] = wanted;
    *place = (uint32_t)s->n_sources;
  }
  *out = *place - 1;
  return SC_OK;
}

/* --- rows --- */

static int fits(int64_t v) { return v >= INT32_MIN && v <= INT32_MAX; }

/* The handle of a merged index, taken apart. */
static sc_status take_row(struct sc_samples *s, const struct sc_handle_row *h,
                          struct sc_sample *out, struct sc_error *err) {
  struct sc_buffer *b = &s->scratch;
  b->size = 0;
  const char *texts[] = {h->schema ? h->schema : "main", h->table, h->item};
  sc_status st = SC_OK;
  for (int i = 0; i < 3 && !st; i++) st = sc_buffer_append(b, texts[i], strlen(texts[i]) + 1, err);
  out->rowid = h->rowid;
  out->chip.x = (int32_t)h->x;
  out->chip.y = (int32_t)h->y;
  return st ? st : find_source(s, SC_SAMPLES_ROW, (char *)b->data, b->size, &out->chip.item, err);
}

static sc_status take_text(struct sc_samples *s, const char *text, size_t n, struct sc_sample *out,
                           struct sc_error *err) {
  int64_t x, y;
  size_t common = sc_handle_common_part(text, n, &x, &y);
  if (common && fits(x) && fits(y)) {
    out->chip.x = (int32_t)x;
    out->chip.y = (int32_t)y;
    return find_source(s, SC_SAMPLES_OBJECT, text, common, &out->chip.item, err);
  }
  char item[SC_HANDLE_ITEM_NAME + 1];
  if (sc_handle_short_read(text, n, item, &x, &y) && fits(x) && fits(y)) {
    out->chip.x = (int32_t)x;
    out->chip.y = (int32_t)y;
    return find_source(s, SC_SAMPLES_SHORT, item, sizeof item, &out->chip.item, err);
  }
  struct sc_handle h = {0};
  struct sc_error later = {0}; /* a text that is no handle fails when its batch is made */
  sc_status st = text[0] == '[' ? sc_handle_read(text, &h, &later) : SC_BAD_ARG;
  if (!st && h.is_row && fits(h.row.x) && fits(h.row.y)) {
    st = take_row(s, &h.row, out, err);
  } else {
    st = find_source(s, SC_SAMPLES_TEXT, text, n, &out->chip.item, err);
  }
  sc_handle_free(&h);
  return st;
}

static sc_status grow_rows(struct sc_samples *s, struct sc_error *err) {
  if (s->n < s->capacity) return SC_OK;
  if (s->n >= SC_ORDER_MAX_CHIPS)
    return sc_fail(err, SC_TOO_BIG, "%s: the query names more than %u chips", s->what,
                   SC_ORDER_MAX_CHIPS);
  size_t capacity = s->capacity ? s->capacity + s->capacity / 2 : 256;
  struct sc_sample *rows = sc_realloc(s->rows, capacity * sizeof *rows);
  if (!rows) return sc_fail_nomem(err);
  s->rows = rows;
  s->capacity = capacity;
  return SC_OK;
}

/* A value as JSON. What JSON has no number for is written as SQLite does. */
static sc_status append_value(const struct sc_samples *s, sqlite3_stmt *query, int column,
                              struct sc_buffer *out, struct sc_error *err) {
  char text[64];
  double v;
  switch (sqlite3_column_type(query, column)) {
    case SQLITE_NULL: return sc_buffer_append_text(out, "null", err);
    case SQLITE_INTEGER:
      return sc_buffer_printf(out, err, "%lld", (long long)sqlite3_column_int64(query, column));
    case SQLITE_FLOAT:
      v = sqlite3_column_double(query, column);
      sqlite3_snprintf(sizeof text, text, isinf(v) ? "%s9e999" : "%s%!.17g", v < 0 ? "-" : "",
                       fabs(v));
      return sc_buffer_append_text(out, text, err);
    case SQLITE_BLOB:
      return sc_fail(err, SC_BAD_ARG,
                     "%s: the query's column '%s' is a BLOB, which JSON has no form for; say hex() "
                     "of it",
                     s->what, s->columns[column - 1]);
    default:
      return sc_buffer_append_json(out, (const char *)sqlite3_column_text(query, column), err);
  }
}

/* A rowid of the chips of a frozen data set is as good as the handle that stands there; one that is
 * not there fails when its batch is made. */
static sc_status take_rowid(struct sc_connection *c, struct sc_samples *s, const char *table,
                            struct sc_sample *row, struct sc_error *err) {
  struct sc_buffer handle = {0};
  sc_status st = s->is_frozen ? sc_frozen_row(c, table, row->rowid, &handle, err) : SC_RANGE;
  if (st == SC_RANGE) {
    st = sc_settle(err, find_source(s, SC_SAMPLES_ROWID, "", 0, &row->chip.item, err));
  } else if (!st) {
    st = sc_buffer_terminate(&handle, err);
    if (!st) st = take_text(s, (char *)handle.data, handle.size, row, err);
  }
  sc_buffer_free(&handle);
  return st;
}

static int is_frozen_table(struct sc_connection *c, const char *table) {
  const char *schema, *name;
  struct sc_buffer handle = {0};
  struct sc_error other = {0};
  if (sc_merge_resolve(c->db, table, &schema, &name, &other) != SC_NOT_FOUND) return 0;
  sc_status st = sc_frozen_row(c, table, 0, &handle, &other);
  sc_buffer_free(&handle);
  return st == SC_OK || st == SC_RANGE;
}

static sc_status take_sample(struct sc_connection *c, struct sc_samples *s, sqlite3_stmt *query,
                             const struct sc_chip_options *options, struct sc_error *err) {
  int type = sqlite3_column_type(query, 0);
  struct sc_sample row = {.extra = s->extras.size};
  if (type == SQLITE_NULL && options->null == SC_NULL_SKIP) return SC_OK;
  if (type == SQLITE_INTEGER && !options->table) {
    return sc_fail(err, SC_BAD_ARG,
                   "%s: the query's first column is an INTEGER: a rowid needs the option 'table'",
                   s->what);
  }
  sc_status st = grow_rows(s, err);
  if (!st && type == SQLITE_INTEGER) {
    row.rowid = sqlite3_column_int64(query, 0);
    st = take_rowid(c, s, options->table, &row, err);
  } else if (!st && type == SQLITE_NULL) {
    row.chip.x = row.chip.middle[0] = (int32_t)(s->n & INT32_MAX); /* a superblock of its own */
    st = find_source(s, SC_SAMPLES_NULL, "", 0, &row.chip.item, err);
  } else if (!st) {
    const char *text = (const char *)sqlite3_column_text(query, 0);
    if (!text) return sc_fail_nomem(err);
    st = take_text(s, text, (size_t)sqlite3_column_bytes(query, 0), &row, err);
  }
  for (int i = 1; i <= s->n_columns && !st; i++) {
    st = append_value(s, query, i, &s->extras, err);
    if (!st) st = sc_buffer_append(&s->extras, "\n", 1, err);
  }
  if (!st) s->rows[s->n++] = row;
  return st;
}

static sc_status take_columns(struct sc_samples *s, sqlite3_stmt *query, struct sc_error *err) {
  int n = sqlite3_column_count(query) - 1;
  s->columns = sc_alloc_zero((size_t)n + 1, sizeof *s->columns);
  if (!s->columns) return sc_fail_nomem(err);
  for (int i = 0; i < n; i++) {
    const char *name = sqlite3_column_name(query, i + 1);
    if (!name) return sc_fail_nomem(err);
    for (int j = 0; j < i; j++) {
      if (strcmp(s->columns[j], name) != 0) continue;
      return sc_fail(err, SC_BAD_ARG, "%s: two columns of the query are named '%s'", s->what, name);
    }
    sc_status st = sc_strdup(name, &s->columns[s->n_columns++], err);
    if (st) return st;
  }
  return SC_OK;
}

sc_status sc_samples_prepare(sqlite3 *db, const char *what, const char *sql, sqlite3_stmt **out,
                             struct sc_error *err) {
  sc_status st = sc_db_prepare(db, sql, NULL, NULL, out, err);
  if (st) return sc_fail_within(err, "%s: the query", what);
  if (!*out || !sqlite3_stmt_readonly(*out) || sqlite3_column_count(*out) < 1) {
    return sc_fail(err, SC_BAD_ARG,
                   "%s: the query: expected one whose first column is a chip's handle, such as "
                   "SELECT row FROM chips",
                   what);
  }
  return SC_OK;
}

sc_status sc_samples_read(struct sc_connection *c, const char *query,
                          const struct sc_chip_options *options, enum sc_options_of function,
                          struct sc_samples *out, struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  int is_row = 1;
  out->what = sc_options_function(function);
  sc_connection_begin_query(c);
  sc_status st = sc_samples_prepare(c->db, out->what, query, &stmt, err);
  if (!st) st = take_columns(out, stmt, err);
  out->is_frozen = !st && options->table && is_frozen_table(c, options->table);
  if (out->is_frozen && !options->items) st = sc_frozen_items(options->table, &out->items, err);
  while (!st && is_row) {
    st = sc_db_next(stmt, &is_row, err);
    if (st) sc_fail_within(err, "%s: the query", out->what);
    if (!st && is_row) st = take_sample(c, out, stmt, options, err);
  }
  sqlite3_finalize(stmt);
  sc_connection_end_query(c);
  return st;
}

void sc_samples_free(struct sc_samples *s) {
  for (int i = 0; i < s->n_columns; i++) sc_free(s->columns[i]);
  sc_free(s->columns);
  sc_free(s->items);
  sc_free(s->rows);
  sc_free(s->sources);
  sc_free(s->table);
  sc_buffer_free(&s->texts);
  sc_buffer_free(&s->extras);
  sc_buffer_free(&s->scratch);
  memset(s, 0, sizeof *s);
}

/* --- giving them back --- */

sc_status sc_samples_name(struct sc_samples *s, size_t i, struct sc_chip_name *out,
                          struct sc_error *err) {
  const struct sc_sample *row = &s->rows[i];
  const struct sc_samples_source *from = &s->sources[row->chip.item];
  const char *text = (const char *)s->texts.data + from->text;
  struct sc_buffer *b = &s->scratch;
  sc_status st = SC_OK;
  memset(out, 0, sizeof *out);
  b->size = 0;
  if (from->kind == SC_SAMPLES_ROWID) {
    out->is_rowid = 1;
    out->rowid = row->rowid;
    return SC_OK;
  }
  if (from->kind == SC_SAMPLES_NULL) return SC_OK;
  if (from->kind == SC_SAMPLES_TEXT) {
    st = sc_buffer_append(b, text, from->text_bytes, err);
  } else if (from->kind == SC_SAMPLES_SHORT) {
    st = sc_handle_short_format(text, row->chip.x, row->chip.y, b, err);
  } else if (from->kind == SC_SAMPLES_OBJECT) {
    const struct sc_buffer prefix = {.data = (unsigned char *)(size_t)text,
                                     .size = from->text_bytes};
    st = sc_handle_format(&prefix, row->chip.x, row->chip.y, b, err);
  } else {
    const char *table = text + strlen(text) + 1, *item = table + strlen(table) + 1;
    st = sc_handle_row_format(
        &(struct sc_handle_row){text, table, item, row->rowid, row->chip.x, row->chip.y}, b, err);
  }
  if (!st) st = sc_buffer_terminate(b, err);
  out->text = (const char *)b->data;
  out->text_bytes = b->size;
  out->items = s->items;
  return st;
}

sc_status sc_samples_extra(const struct sc_samples *s, const uint32_t *chips, size_t n,
                           struct sc_buffer *out, struct sc_error *err) {
  const char **at = sc_alloc((n + 1) * sizeof *at); /* the next value of each chip */
  sc_status st = at ? sc_buffer_append(out, "{", 1, err) : sc_fail_nomem(err);
  for (size_t i = 0; i < n && !st; i++)
    at[i] = (const char *)s->extras.data + s->rows[chips[i]].extra;
  for (int k = 0; k < s->n_columns && !st; k++) {
    if (k) st = sc_buffer_append(out, ",", 1, err);
    if (!st) st = sc_buffer_append_json(out, s->columns[k], err);
    if (!st) st = sc_buffer_append_text(out, ":[", err);
    for (size_t i = 0; i < n && !st; i++) {
      size_t length = strcspn(at[i], "\n");
      if (i) st = sc_buffer_append(out, ",", 1, err);
      if (!st) st = sc_buffer_append(out, at[i], length, err);
      at[i] += length + 1;
    }
    if (!st) st = sc_buffer_append_text(out, "]", err);
  }
  if (!st) st = sc_buffer_append(out, "}", 1, err);
  sc_free(at);
  return st;
}

/* --- where they lie --- */

/* Rowids one after the other, so that each item is looked up once. */
static int by_rowid(const void *pa, const void *pb) {
  const struct sc_sample *const *a = pa, *const *b = pb;
  return ((*a)->rowid > (*b)->rowid) - ((*a)->rowid < (*b)->rowid);
}

static sc_status look_up(struct sc_connection *c, struct sc_samples *s, const char *table,
                         struct sc_sample *row, struct sc_error *err) {
  struct sc_merge_row found = {0};
  struct sc_error later = {0}; /* a row that is not there fails when its batch is made */
  const char *schema, *name;
  sc_status st = sc_merge_resolve(c->db, table, &schema, &name, err);
  if (st) return st;
  st = sc_merge_lookup(c->db, schema, name, row->rowid, &found, &later);
  if (st == SC_NOMEM || st == SC_DB || st == SC_INTERRUPT) {
    *err = later;
    return st;
  }
  if (st) return SC_OK;
  row->chip.x = found.x;
  row->chip.y = found.y;
  sc_status added = find_source(s, SC_SAMPLES_ROWID, (char *)&found.item_row, sizeof found.item_row,
                                &row->chip.item, err);
  if (!added) s->sources[row->chip.item].first = (uint32_t)(row - s->rows);
  return added;
}

static sc_status look_up_rowids(struct sc_connection *c, struct sc_samples *s, const char *table,
                                struct sc_error *err) {
  struct sc_sample **rows = sc_alloc((s->n + 1) * sizeof(struct sc_sample *));
  size_t n = 0;
  sc_status st = rows ? SC_OK : sc_fail_nomem(err);
  for (size_t i = 0; i < s->n && !st; i++) {
    if (s->sources[s->rows[i].chip.item].kind == SC_SAMPLES_ROWID) rows[n++] = &s->rows[i];
  }
  if (n) qsort(rows, n, sizeof(struct sc_sample *), by_rowid);
  for (size_t i = 0; i < n && !st; i++) {
    st = look_up(c, s, table, rows[i], err);
    if (!st) st = sc_interrupt_check(err);
  }
  sc_free(rows);
  return st;
}

/* What the chips of one source have in common. */
struct place {
  struct sc_tiling tiling;
  int64_t grid_px[2];
  int is_alone; /* one chip, whose handle did not say its position */
  int64_t x, y, middle[2];
};

static int32_t clamp(int64_t v) {
  return (int32_t)(v < INT32_MIN ? INT32_MIN : v > INT32_MAX ? INT32_MAX : v);
}

/* An item that cannot be read goes by its handle; its chips fail in their batches. */
static sc_status place_source(struct sc_connection *c, struct sc_samples *s, size_t i,
                              const struct sc_chip_options *options, struct sc_order_item *item,
                              struct place *place, struct sc_error *err) {
  const struct sc_samples_source *from = &s->sources[i];
  struct sc_chip_name name;
  struct sc_superblock found = {0};
  if (from->kind == SC_SAMPLES_NULL) {
    item->block_px[0] = item->block_px[1] = 1;
    place->tiling.stride_px = 1;
    return sc_strdup("", (char **)(size_t)&item->id, err);
  }
  sc_status st = sc_samples_name(s, from->first, &name, err);
  if (!st) st = sc_superblock_find(c, &name, options, &found, err);
  if (!st && !found.item) { /* of rowids that are not there no text is known */
    const char *text = from->text_bytes ? (char *)s->texts.data + from->text : "";
    st = sc_strndup(text, from->text_bytes, &found.item, err);
  }
  if (st) {
    sc_free(found.item);
    return st;
  }
  item->id = found.item;
  memcpy(item->block_px, found.size_px, sizeof item->block_px);
  place->tiling = found.tiling;
  memcpy(place->grid_px, found.grid_px, sizeof place->grid_px);
  place->is_alone = from->kind == SC_SAMPLES_TEXT;
  place->x = found.x;
  place->y = found.y;
  memcpy(place->middle, found.middle, sizeof place->middle);
  return SC_OK;
}

static void place_row(struct sc_order_chip *chip, const struct place *p) {
  if (p->is_alone) {
    chip->x = clamp(p->x);
    chip->y = clamp(p->y);
  }
  const int32_t position[2] = {chip->x, chip->y};
  for (int axis = 0; axis < 2; axis++) {
    int64_t origin = sc_tiling_origin(&p->tiling, p->grid_px[axis], position[axis]);
    chip->middle[axis] = clamp(p->is_alone ? p->middle[axis] : origin + p->tiling.chip_size_px / 2);
  }
}

sc_status sc_samples_place(struct sc_connection *c, struct sc_samples *s,
                           const struct sc_chip_options *options, struct sc_order_item **items,
                           struct sc_error *err) {
  sc_status st =
      options->table && !s->is_frozen ? look_up_rowids(c, s, options->table, err) : SC_OK;
  struct place *places = st ? NULL : sc_alloc_zero(s->n_sources + 1, sizeof *places);
  *items = sc_alloc_zero(s->n_sources + 1, sizeof **items);
  if (!st && (!places || !*items)) st = sc_fail_nomem(err);
  for (size_t i = 0; i < s->n_sources && !st; i++) {
    st = place_source(c, s, i, options, &(*items)[i], &places[i], err);
    if (!st) st = sc_interrupt_check(err);
  }
  for (size_t i = 0; i < s->n && !st; i++)
    place_row(&s->rows[i].chip, &places[s->rows[i].chip.item]);
  sc_free(places);
  return st;
}

void sc_samples_items_free(struct sc_order_item *items, size_t n) {
  for (size_t i = 0; items && i < n; i++) sc_free((void *)(size_t)items[i].id);
  sc_free(items);
}
