/*
 * stacchip_batches(query, n [, options]): the chips that a query names, n at a time, as arrays.
 *
 *   CREATE TABLE stacchip_batches(
 *     position, n, batch, extra,
 *     query HIDDEN, size HIDDEN, options HIDDEN,             -- the arguments
 *     mixing HIDDEN);
 *
 *   SELECT batch, extra FROM stacchip_batches('SELECT row, label FROM train', 128, '{"shuffle":
 * 1}'); SELECT batch FROM stacchip_batches('SELECT row FROM train', 64, '{"shuffle": 1, "start":
 * 700}'); SELECT mixing FROM stacchip_batches('SELECT row FROM train', 128, '{"shuffle": 1}');
 *
 * HOW IT WORKS  xFilter runs the query (samples.h), finds the superblocks of the chips and their
 * order (order.h). Each row is a job of the feed (feed.h), whose chips are opened here, on the
 * connection's thread. Where no column asks for pixels, none are read.
 *
 * PLAN  idxNum: PLAN_PIXELS says that `batch` is shown, PLAN_CHIPS that `n` or `extra` is,
 * PLAN_MIXING that `mixing` is.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "pixels/reader.h"
#include "pixels/shuffle.h"
#include "table_function.h"

#define WHAT "stacchip_batches"
#define BATCH_MAX_CHIPS 1000000
#define AHEAD_DEFAULT 2
#define AHEAD_MAX 64

enum { POSITION, N, BATCH, EXTRA, QUERY, SIZE, OPTIONS, MIXING };

enum {
  PLAN_PIXELS = SC_TABLE_PLAN_FIRST,
  PLAN_CHIPS = 2 * SC_TABLE_PLAN_FIRST,
  PLAN_MIXING = 4 * SC_TABLE_PLAN_FIRST
};

struct batches_options {
  struct sc_chip_options chip;
  struct sc_order_options order;
  int64_t start, ahead;
  const cJSON *into;
};

struct batches_cursor {
  struct sc_table_cursor base;
  struct batches_options options;
  struct sc_samples samples;
  struct sc_order_item *items; /* NULL where superblocks were not asked for */
  struct sc_order_chip *chips; /* of the samples, in their order */
  struct sc_order order;
  struct sc_feed feed;
  struct sc_slots slots;
  struct sc_reader *reader;
  const struct sc_job *job; /* of the row; NULL where no pixels are read */
  unsigned char *result;    /* its array, with a struct result_head before it; or NULL */
  size_t result_bytes;
  size_t k;        /* batch of the epoch: base.position */
  double distance; /* see sc_order_distance() */
};

/* --- results --- */

/* SQLite may show a row's array longer than the cursor stands there (min() and max() keep the row
 * of theirs), and ask for it twice: it and the cursor hold the memory together. */
struct result_head {
  atomic_int n_holders;
  void (*give)(void *memory);
};
_Static_assert(sizeof(struct result_head) <= SC_JOB_HEAD, "room before the array");

static struct result_head *head_of(void *data) {
  return (struct result_head *)(void *)((unsigned char *)data - SC_JOB_HEAD);
}

static void release_result(void *data) {
  if (data && atomic_fetch_sub(&head_of(data)->n_holders, 1) == 1)
    head_of(data)->give(head_of(data));
}

static void take_result(struct batches_cursor *c, struct sc_buffer *out) {
  release_result(c->result);
  c->result = NULL;
  if (!out->data) return;
  c->result = out->data + SC_JOB_HEAD;
  c->result_bytes = out->size - SC_JOB_HEAD;
  atomic_init(&head_of(c->result)->n_holders, 1);
  head_of(c->result)->give = out->give ? out->give : sc_free;
  memset(out, 0, sizeof *out);
}

/* Where the array lies in the caller's memory. */
static void show_slot(const struct batches_cursor *c, sqlite3_context *context) {
  const struct sc_batch *b = &c->job->batch;
  if (b->n == 0 || c->job->status) return;
  char *text = sqlite3_mprintf(
      "{\"offset\":%lld,\"shape\":[%lld,%d,%d,%d],\"dtype\":\"%s\"}",
      (sqlite3_int64)sc_slots_offset(&c->slots, sc_feed_slot(&c->feed, c->k)), (sqlite3_int64)b->n,
      b->chips[0].n_bands, b->chips[0].height, b->chips[0].width, sc_dtype_name(b->dtype));
  if (!text) sqlite3_result_error_nomem(context);
  if (text) sqlite3_result_text(context, text, -1, sqlite3_free);
}

static void show_result(struct batches_cursor *c, sqlite3_context *context) {
  if (c->slots.is_open) show_slot(c, context);
  if (!c->result) return;
  atomic_fetch_add(&head_of(c->result)->n_holders, 1);
  sqlite3_result_blob64(context, c->result, c->result_bytes, release_result);
}

/* --- options --- */

static int is_whole(const cJSON *v, double least, double most) {
  return cJSON_IsNumber(v) && v->valuedouble == floor(v->valuedouble) && v->valuedouble >= least &&
         v->valuedouble <= most;
}

static sc_status take_shard(const cJSON *shard, struct sc_order_options *out,
                            struct sc_error *err) {
  const cJSON *rank = cJSON_GetArrayItem(shard, 0), *world = cJSON_GetArrayItem(shard, 1);
  out->world = 1;
  if (!shard) return SC_OK;
  if (!cJSON_IsArray(shard) || cJSON_GetArraySize(shard) != 2 || !is_whole(world, 1, 1e6) ||
      !is_whole(rank, 0, world->valuedouble - 1)) {
    return sc_option_fail(err, WHAT, "shard", shard,
                          "[rank, world], whole numbers with 0 <= rank < world");
  }
  out->rank = (size_t)rank->valuedouble;
  out->world = (size_t)world->valuedouble;
  return SC_OK;
}

struct raw_own {
  const cJSON *shuffle, *shard, *into;
  int64_t start, ahead;
  int drop_last;
};
static const struct sc_option own_table[] = {
    {"shuffle", SC_OPTION_JSON, offsetof(struct raw_own, shuffle), 0, 0, "a seed, or an object",
     NULL, "the order: null is the query's, else shuffled in blocks of the files"},
    {"drop_last", SC_OPTION_BOOL, offsetof(struct raw_own, drop_last), 0, 0, NULL, "false",
     "leave out chips that make no full batch"},
    {"start", SC_OPTION_INT, offsetof(struct raw_own, start), 0, SC_ORDER_MAX_CHIPS, NULL, "0",
     "the first batch: goes on with an epoch that was left"},
    {"shard", SC_OPTION_JSON, offsetof(struct raw_own, shard), 0, 0, "[rank, world]", "[0, 1]",
     "this part of the epoch, of how many"},
    {"ahead", SC_OPTION_INT, offsetof(struct raw_own, ahead), 0, AHEAD_MAX, NULL, "2",
     "batches that are read while you work with one"},
    {"into", SC_OPTION_JSON, offsetof(struct raw_own, into), 0, 0, "an object", NULL,
     "shared memory of yours that pixels are written into"},
};

static sc_status parse_options(const char *text, struct batches_options *out,
                               struct sc_error *err) {
  struct raw_own raw = {.ahead = AHEAD_DEFAULT};
  const struct sc_option_set own = {own_table, sizeof own_table / sizeof *own_table, &raw, NULL};
  sc_status st = sc_chip_options_parse_with(text, SC_OPTIONS_BATCHES, &own, &out->chip, err);
  if (!st) st = sc_shuffle_read(raw.shuffle, WHAT, &out->order, err);
  if (!st) st = take_shard(raw.shard, &out->order, err);
  out->order.drop_last = raw.drop_last;
  out->start = raw.start;
  out->ahead = raw.ahead;
  out->into = raw.into;
  if (!st && raw.into && cJSON_GetObjectItemCaseSensitive(out->chip.json.json, "format")) {
    st = sc_fail(err, SC_BAD_ARG,
                 WHAT ": option 'format' has no use with 'into': what is written there are pixels");
  }
  if (raw.into) out->chip.format = SC_FORMAT_RAW;
  return st;
}

/* --- the cursor --- */

static sc_status plan_batches(sqlite3_index_info *info, struct sc_error *err) {
  const sqlite3_uint64 used = info->colUsed, one = 1;
  (void)err;
  if (used & one << BATCH) info->idxNum |= PLAN_PIXELS;
  if (used & (one << N | one << EXTRA)) info->idxNum |= PLAN_CHIPS;
  if (used & one << MIXING) info->idxNum |= PLAN_MIXING;
  return SC_OK;
}

/* A child of fork() has a copy of a cursor whose reader it has not: it touches none of it. */
static int is_inherited(const struct batches_cursor *c) {
  return c->feed.c && c->feed.c->process_id != (long)getpid();
}

static void clear_batches(void *cursor) {
  struct batches_cursor *c = cursor;
  if (is_inherited(c)) return;
  sc_reader_stop(c->reader);
  sc_slots_close(&c->slots);
  sc_feed_free(&c->feed);
  sc_order_free(&c->order);
  sc_samples_items_free(c->items, c->samples.n_sources);
  sc_samples_free(&c->samples);
  sc_free(c->chips);
  sc_chip_options_free(&c->options.chip);
  release_result(c->result);
}

/* --- an epoch --- */

static sc_status take_size(struct batches_cursor *c, struct sc_error *err) {
  sqlite3_value *size = c->base.arguments[1];
  sqlite3_int64 n = sqlite3_value_int64(size);
  if (sqlite3_value_type(size) != SQLITE_INTEGER || n < 1 || n > BATCH_MAX_CHIPS) {
    const char *found = sc_table_text(&c->base, 1);
    return sc_fail(err, SC_BAD_ARG, WHAT ": n: expected a whole number from 1 to %d, found %.40s",
                   BATCH_MAX_CHIPS, found ? found : "NULL");
  }
  c->options.order.n = (size_t)n;
  return SC_OK;
}

/* The samples in the order that batches want them. */
static sc_status make_order(struct batches_cursor *c, struct sc_error *err) {
  struct sc_samples *s = &c->samples;
  struct sc_order_options *o = &c->options.order;
  o->by_superblock = (c->base.plan & PLAN_MIXING) != 0;
  sc_status st = SC_OK;
  if (o->is_shuffled || o->by_superblock)
    st = sc_samples_place(c->base.connection, s, &c->options.chip, &c->items, err);
  c->chips = st ? NULL : sc_alloc((s->n + 1) * sizeof *c->chips);
  if (!st && !c->chips) st = sc_fail_nomem(err);
  for (size_t i = 0; i < s->n && !st; i++) c->chips[i] = s->rows[i].chip;
  if (!st) st = sc_order_make(c->items, c->chips, s->n, o, &c->order, err);
  if (!st && o->by_superblock) st = sc_order_distance(&c->order, &c->distance, err);
  return st;
}

/* Batches ahead that slots allow: the row's and the one before it keep theirs. */
static size_t count_ahead(const struct batches_cursor *c) {
  size_t ahead = (size_t)c->options.ahead, most = c->slots.n - 2;
  return c->slots.is_open && ahead > most ? most : ahead;
}

static sc_status begin_feed(struct batches_cursor *c, struct sc_error *err) {
  struct sc_connection *connection = c->base.connection;
  c->base.position = c->options.start;
  c->feed =
      (struct sc_feed){.c = connection,
                       .samples = &c->samples,
                       .order = &c->order,
                       .options = &c->options.chip,
                       .by_superblock = c->options.order.is_shuffled && c->options.order.mix > 0,
                       .first = (size_t)c->options.start,
                       .limit = (size_t)sqlite3_limit(connection->db, SQLITE_LIMIT_LENGTH, -1)};
  sc_status st = SC_OK;
  if (c->options.into) {
    st = sc_slots_open(c->options.into, &c->slots, err);
    c->feed.slots = &c->slots;
    c->feed.limit = SIZE_MAX; /* it is no value of SQL */
  }
  return st ? st : sc_reader_start(&c->feed, count_ahead(c), &c->reader, err);
}

/* Which chips are in a row depends on the pixels where failed ones may be left out, and where all
 * may be NULL. */
static int reads_pixels(const struct batches_cursor *c) {
  return c->base.plan & PLAN_PIXELS ||
         (c->base.plan & PLAN_CHIPS &&
          (c->options.chip.on_error != SC_ON_ERROR_ABORT || c->options.chip.null != SC_NULL_SKIP));
}

static sc_status make_row(void *cursor, struct sc_error *err) {
  struct batches_cursor *c = cursor;
  struct sc_job *job = NULL;
  c->k = (size_t)c->base.position;
  c->base.is_row = c->k < c->order.n_batches;
  if (!c->base.is_row || !reads_pixels(c)) return SC_OK;
  sc_status st = sc_connection_check(c->feed.c, err);
  if (!st) st = sc_reader_next(c->reader, &job, err);
  if (st) return st;
  take_result(c, &job->out);
  c->job = job;
  return SC_OK;
}

static sc_status begin_batches(void *cursor, struct sc_error *err) {
  struct batches_cursor *c = cursor;
  sc_status st = take_size(c, err);
  if (st || sc_table_is_null(&c->base, 0)) return st;
  const char *query = sc_table_text(&c->base, 0);
  if (!query) return sc_fail_nomem(err);
  st = parse_options(sc_table_text(&c->base, 2), &c->options, err);
  if (!st) {
    st = sc_samples_read(c->base.connection, query, &c->options.chip, SC_OPTIONS_BATCHES,
                         &c->samples, err);
  }
  if (!st) st = make_order(c, err);
  if (!st) st = begin_feed(c, err);
  return st ? st : make_row(c, err);
}

/* --- columns --- */

/* How many chips the row's array has; 0 where it is NULL. */
static size_t count_chips(const struct batches_cursor *c) {
  size_t begin, end;
  sc_order_batch(&c->order, c->k, &begin, &end);
  if (!reads_pixels(c)) return end - begin;
  return c->result || c->slots.is_open ? c->job->batch.n : 0;
}

/* They, as positions among the samples. */
static sc_status list_chips(const struct batches_cursor *c, size_t n, uint32_t **out,
                            struct sc_error *err) {
  size_t begin, end;
  sc_order_batch(&c->order, c->k, &begin, &end);
  *out = sc_alloc((n + 1) * sizeof **out);
  if (!*out) return sc_fail_nomem(err);
  for (size_t i = 0; i < n; i++)
    (*out)[i] = c->order.chips[reads_pixels(c) ? c->job->batch.positions[i] : begin + i];
  return SC_OK;
}

static sc_status make_extra(struct batches_cursor *c, struct sc_buffer *out, struct sc_error *err) {
  uint32_t *chips = NULL;
  size_t n = count_chips(c);
  sc_status st = list_chips(c, n, &chips, err);
  if (!st) st = sc_samples_extra(&c->samples, chips, n, out, err);
  sc_free(chips);
  return st;
}

static sc_status make_mixing(struct batches_cursor *c, struct sc_buffer *out,
                             struct sc_error *err) {
  struct sc_order_mixing m;
  char distance[40] = "null";
  sc_status st = sc_order_mixing(&c->order, c->chips, c->k, &m, err);
  if (!isnan(c->distance)) sqlite3_snprintf(sizeof distance, distance, "%.1f", c->distance);
  return st ? st
            : sc_buffer_printf(out, err, "{\"superblocks\":%zu,\"scenes\":%zu,\"distance\":%s}",
                               m.superblocks, m.items, distance);
}

static sc_status show_text(struct batches_cursor *c, int column, sqlite3_context *context,
                           struct sc_error *err) {
  struct sc_buffer text = {0};
  sc_status st = column == EXTRA ? make_extra(c, &text, err) : make_mixing(c, &text, err);
  if (st) {
    sc_buffer_free(&text);
    return st;
  }
  sqlite3_result_text64(context, (char *)text.data, text.size, sc_free, SQLITE_UTF8);
  return SC_OK;
}

static sc_status show_batch(void *cursor, int column, sqlite3_context *context,
                            struct sc_error *err) {
  struct batches_cursor *c = cursor;
  switch (column) {
    case POSITION: sqlite3_result_int64(context, (sqlite3_int64)c->k); break;
    case N: sqlite3_result_int64(context, (sqlite3_int64)count_chips(c)); break;
    case BATCH: show_result(c, context); break;
    default: return show_text(c, column, context, err);
  }
  return SC_OK;
}

static const struct sc_help batches_help = {
    .name = "stacchip_batches",
    .kind = SC_HELP_TABLE,
    .about =
        "the chips that a query names, n at a time, in an order that mixes widely and decodes each "
        "block once",
    .arguments =
        (const struct sc_help_name[]){
            {"query", "TEXT", NULL, "SQL whose first column is a handle; the others come as extra"},
            {"n", "INTEGER", NULL, "chips of a batch"},
            SC_HELP_OPTIONS,
            {0}},
    .columns =
        (const struct sc_help_name[]){
            {"position", "INTEGER", NULL, "number of the batch in the epoch, from 0"},
            {"n", "INTEGER", NULL, "chips in it"},
            {"batch", "BLOB", NULL,
             "their pixels, as stacchip_stack() gives them; with into JSON that says where they "
             "are"},
            {"extra", "TEXT", NULL, "the query's further columns, as a JSON object of arrays"},
            {"mixing", "TEXT, hidden", NULL, "how well the order mixes"},
            {0}},
    .options = {{"option", "", &(const struct sc_option_table)SC_OPTION_TABLE(own_table)},
                {"option", "", &sc_chip_option_tables[SC_OPTIONS_BATCHES]},
                {"key", "shuffle.", &sc_shuffle_option_table},
                {"key", "into.", &sc_slots_option_table}},
    .example =
        "SELECT position, n, length(batch) FROM stacchip_batches('SELECT row FROM "
        "stacchip_index(''item.json'')', 8, '{\"assets\": \"red\", \"shuffle\": 1}')",
};

static const struct sc_table_function batches_table = {
    .help = &batches_help,
    .declaration =
        "CREATE TABLE x(position INTEGER, n INTEGER, batch BLOB, extra TEXT, query HIDDEN, "
        "size HIDDEN, options HIDDEN, mixing TEXT HIDDEN)",
    .risk = SQLITE_VTAB_DIRECTONLY, /* it runs SQL, and opens files and URLs */
    .first_argument = QUERY,
    .n_arguments = 3,
    .n_needed = 2,
    .missing = WHAT "(query, n [, options]) needs a query and the number of chips in a batch",
    .cost = 1e9,
    .rows = 1000,
    .cursor_bytes = sizeof(struct batches_cursor),
    .plan = plan_batches,
    .begin = begin_batches,
    .next = make_row,
    .column = show_batch,
    .clear = clear_batches,
};

int sc_batches_register(struct sc_connection *c) { return sc_register_table(c, &batches_table); }
