/* The batches of an epoch; see feed.h. */
#include "pixels/feed.h"

#include <string.h>

#include "base/alloc.h"
#include "base/interrupt.h"

#define SINGLE_MAX 4 /* superblocks of one chip that are held, for batches that are to come */

/* A superblock that is open: its chips, in the order that batches want them. */
struct sc_live {
  struct sc_chip *chips;    /* without bands where it could not be opened */
  struct sc_error **errors; /* why; NULL for those that were */
  size_t n, next;
  size_t nth;            /* that was opened */
  int is_single;         /* of one chip, and held */
  struct sc_read *reads; /* of all its chips, for the thread that holds their blocks */
  size_t n_reads;
  struct sc_held *held;
};

static void live_free(struct sc_live *live) {
  if (!live) return;
  struct sc_error ignored = {0};
  const struct sc_raster_api *raster = live->held ? sc_raster(&ignored) : NULL;
  if (raster) raster->let_go(live->held);
  for (size_t i = 0; i < live->n; i++) {
    if (live->chips) sc_chip_close(&live->chips[i]);
    if (live->errors) sc_free(live->errors[i]);
  }
  sc_free(live->chips);
  sc_free(live->errors);
  sc_free(live->reads);
  sc_free(live);
}

/* Where the members of each superblock lie in the order: a counting sort. */
static sc_status find_members(struct sc_feed *f, struct sc_error *err) {
  const struct sc_order *o = f->order;
  size_t n = o->n_superblocks;
  f->live = sc_alloc_zero(n + 1, sizeof(struct sc_live *));
  f->opened = sc_alloc_zero(n + 1, sizeof(struct sc_live *));
  f->members = sc_alloc((o->n_chips + 1) * sizeof *f->members);
  f->member_begin = sc_alloc_zero(n + 2, sizeof *f->member_begin);
  if (!f->live || !f->opened || !f->members || !f->member_begin) return sc_fail_nomem(err);
  size_t *begin = f->member_begin; /* shifted by one while it is filled */
  for (size_t i = 0; i < o->n_chips; i++) begin[o->superblocks[i] + 2]++;
  for (size_t s = 2; s < n + 2; s++) begin[s] += begin[s - 1];
  for (size_t i = 0; i < o->n_chips; i++) f->members[begin[o->superblocks[i] + 1]++] = (uint32_t)i;
  size_t unused;
  sc_order_batch(o, f->first, &f->n_seen, &unused);
  return SC_OK;
}

/* Open the chip at a place of the order. What `on_error` may be about is returned, not raised. */
static sc_status open_chip(struct sc_feed *f, size_t place, struct sc_chip *out,
                           struct sc_error *err) {
  struct sc_chip_name name;
  sc_status st = sc_interrupt_check(err);
  if (!st) st = sc_samples_name(f->samples, f->order->chips[place], &name, err);
  out->is_absent = !st && !name.text && !name.is_rowid;
  return st || out->is_absent ? st : sc_chip_open_named(f->c, &name, f->options, out, err);
}

static sc_status keep_error(struct sc_live *live, size_t i, const struct sc_error *why,
                            struct sc_error *err) {
  live->errors[i] = sc_alloc(sizeof *why);
  if (!live->errors[i]) return sc_fail_nomem(err);
  *live->errors[i] = *why;
  return SC_OK;
}

/*
 * What the thread reads of a superblock: planned here, since its chips move into their batches.
 * They stay open until these have run. Of single chips only a few are held at a time: a batch of
 * nothing else reads them at once, where held ones would take 15 MB each.
 */
static sc_status plan_reads(struct sc_feed *f, struct sc_live *live, struct sc_error *err) {
  size_t n = 0;
  for (size_t i = 0; i < live->n; i++) {
    if (live->chips[i].frozen) return SC_OK; /* it shares no blocks */
    n += (size_t)live->chips[i].n_bands;
  }
  if (n == 0 || (live->n == 1 && f->n_single == SINGLE_MAX)) return SC_OK;
  live->is_single = live->n == 1;
  f->n_single += (size_t)live->is_single;
  live->reads = sc_alloc_zero(n, sizeof *live->reads);
  if (!live->reads) return sc_fail_nomem(err);
  for (size_t i = 0; i < live->n; i++) {
    const struct sc_chip *chip = &live->chips[i];
    if (chip->n_bands) sc_chip_plan(chip, NULL, chip->dtype, live->reads + live->n_reads);
    live->n_reads += (size_t)chip->n_bands;
  }
  return SC_OK;
}

/* Open the chips of a superblock that batches from the first one on want. */
static sc_status open_superblock(struct sc_feed *f, uint32_t number, struct sc_error *err) {
  size_t begin = f->member_begin[number], end = f->member_begin[number + 1], first, unused;
  sc_order_batch(f->order, f->first, &first, &unused);
  while (begin < end && f->members[begin] < first) begin++;
  struct sc_live *live = f->live[number] = sc_alloc_zero(1, sizeof *live);
  if (!live) return sc_fail_nomem(err);
  live->n = end - begin;
  live->chips = sc_alloc_zero(live->n, sizeof *live->chips);
  live->errors = sc_alloc_zero(live->n, sizeof(struct sc_error *));
  if (!live->chips || !live->errors) return sc_fail_nomem(err);
  sc_status st = SC_OK;
  for (size_t i = 0; i < live->n && !st; i++) {
    struct sc_error own = {0};
    st = open_chip(f, f->members[begin + i], &live->chips[i], &own);
    if (sc_on_error_applies(st) || st == SC_BAD_ARG) {
      st = keep_error(live, i, &own, err);
    } else if (st) {
      *err = own;
    }
  }
  return st ? st : plan_reads(f, live, err);
}

/* Open the superblock of the next place of the order, unless it is open. */
static sc_status open_next(struct sc_feed *f, struct sc_error *err) {
  uint32_t number = f->order->superblocks[f->n_seen];
  if (!f->live[number]) {
    sc_status st = open_superblock(f, number, err);
    if (st) {
      live_free(f->live[number]);
      f->live[number] = NULL;
      return st;
    }
    f->live[number]->nth = f->n_opened;
    f->opened[f->n_opened++] = f->live[number];
  }
  f->n_seen++;
  return SC_OK;
}

/* Open the superblocks of places [begin, end). */
static sc_status open_wanted(struct sc_feed *f, struct sc_job *job, size_t begin, size_t end,
                             struct sc_error *err) {
  sc_status st = SC_OK;
  while (f->n_seen < end && !st) st = open_next(f, err);
  for (size_t i = begin; i < end && !st; i++) {
    size_t nth = f->live[f->order->superblocks[i]]->nth;
    if (nth >= job->n_needed) job->n_needed = nth + 1;
  }
  return st;
}

/* Open some of those that come then. The batch that wants one finds what fails. */
static void open_ahead(struct sc_feed *f, size_t n_needed) {
  struct sc_error ignored = {0};
  while (f->n_opened < n_needed + f->look && f->n_seen < f->order->n_chips) {
    if (open_next(f, &ignored)) return;
  }
}

/* The chip of a place, out of its superblock. */
static sc_status take_chip(struct sc_feed *f, struct sc_job *job, size_t place, struct sc_chip *out,
                           struct sc_error *err) {
  uint32_t number = f->order->superblocks[place];
  sc_status st = SC_OK;
  struct sc_live *live = f->live[number];
  size_t i = live->next++;
  *out = live->chips[i];
  memset(&live->chips[i], 0, sizeof live->chips[i]);
  if (live->errors[i]) {
    *err = *live->errors[i];
    st = err->status;
  }
  if (live->next == live->n) {
    f->n_single -= (size_t)live->is_single;
    job->ended[job->n_ended++] = live;
    f->live[number] = NULL;
  }
  return st;
}

/* Of a batch that is NULL: later batches take their chips behind them. They stay open with it,
 * since threads may hold the blocks of their superblocks. */
static void drop_chips(struct sc_feed *f, struct sc_job *job, size_t begin, size_t end) {
  for (size_t i = begin; i < end; i++) {
    struct sc_error ignored = {0};
    take_chip(f, job, i, &job->batch.chips[job->batch.n_open++], &ignored);
  }
}

static sc_status open_batch(struct sc_feed *f, struct sc_job *job, size_t begin, size_t end,
                            struct sc_error *err) {
  sc_status st = sc_batch_init(&job->batch, end - begin, err);
  job->ended = sc_alloc_zero(end - begin, sizeof(struct sc_live *));
  if (!job->ended) st = sc_fail_nomem(err);
  if (!st && f->by_superblock && !f->live) st = find_members(f, err);
  if (!st && f->by_superblock) st = open_wanted(f, job, begin, end, err);
  if (!st && f->by_superblock) open_ahead(f, job->n_needed);
  for (size_t i = begin; i < end && !st; i++) {
    struct sc_chip chip = {0};
    st = f->by_superblock ? take_chip(f, job, i, &chip, err) : open_chip(f, i, &chip, err);
    if (!st && chip.is_absent) {
      sc_batch_put_null(&job->batch, i);
    } else if (!st) {
      st = sc_batch_put(&job->batch, &chip, i, err);
    }
    if (st) job->failed_at = i + 1;
    if (sc_on_error_applies(st) && f->options->on_error == SC_ON_ERROR_SKIP && !job->batch.n_failed)
      st = SC_OK;
    if (sc_on_error_applies(st) && f->by_superblock) drop_chips(f, job, i + 1, end);
  }
  return st;
}

static sc_status plan_batch(const struct sc_feed *f, struct sc_job *job) {
  struct sc_batch *b = &job->batch;
  sc_status st = sc_batch_plan(b, f->options, f->limit, &job->err);
  if (st || !f->slots) return st;
  b->pixels = sc_slots_memory(f->slots, sc_feed_slot(f, job->k));
  return sc_slots_check(f->slots, b->n * b->chip_bytes, &job->err);
}

void sc_feed_prepare(struct sc_feed *f, size_t k, struct sc_job *job) {
  size_t begin, end;
  job->k = k;
  sc_order_batch(f->order, k, &begin, &end);
  job->batch.head = SC_JOB_HEAD;
  f->c->run = f->run ? f->run : (f->run = ++f->c->n_runs); /* see scenes.h */
  job->status = open_batch(f, job, begin, end, &job->err);
  f->c->run = 0;
  if (job->status) return;
  job->failed_at = 0;
  job->status = plan_batch(f, job);
}

void sc_feed_hold(struct sc_live *live) {
  struct sc_error ignored = {0}; /* who reads a chip finds what is wrong with it, again */
  const struct sc_raster_api *raster = live->n_reads ? sc_raster(&ignored) : NULL;
  if (raster) raster->hold(live->reads, live->n_reads, sc_interrupted, NULL, &live->held, &ignored);
  sc_free(live->reads);
  live->reads = NULL;
  live->n_reads = 0;
}

void sc_feed_run(const struct sc_feed *f, struct sc_job *job) {
  struct sc_batch *b = &job->batch;
  if (job->status) return;
  job->status = sc_batch_read(b, f->options, &job->err);
  if (job->status && b->n_failed) job->failed_at = b->positions[b->n_failed - 1] + 1;
  if (job->status) return;
  if (!f->slots) {
    job->status = sc_batch_finish(b, f->options, &job->out, &job->err);
  } else if (b->n && !f->slots->map) {
    job->status = sc_slots_write(f->slots, sc_feed_slot(f, job->k), b->pixels, b->n * b->chip_bytes,
                                 &job->err);
  }
}

/* Say which batch and which chip it was. */
static void name_failure(const struct sc_feed *f, struct sc_job *job) {
  if (job->status == SC_NOMEM || job->status == SC_INTERRUPT) return;
  if (job->failed_at) {
    size_t begin, end, place = job->failed_at - 1;
    sc_order_batch(f->order, job->k, &begin, &end);
    const struct sc_sample *row = &f->samples->rows[f->order->chips[place]];
    int by_rowid = f->samples->sources[row->chip.item].kind == SC_SAMPLES_ROWID;
    if (by_rowid) {
      sc_fail_within(&job->err, "rowid %lld", (long long)row->rowid);
    } else {
      sc_fail_within(&job->err, "chip (%d, %d)", row->chip.x, row->chip.y);
    }
    sc_fail_within(&job->err, "position %zu", place - begin);
  }
  sc_fail_within(&job->err, "batch %zu", job->k);
}

void sc_feed_settle(struct sc_feed *f, struct sc_job *job) {
  sc_batch_forget_failed(f->c, &job->batch);
  if (sc_on_error_applies(job->status) && f->options->on_error == SC_ON_ERROR_NULL) {
    job->status = SC_OK;
    job->batch.n = 0;
    sc_buffer_free(&job->out);
  } else if (job->status) {
    name_failure(f, job);
  }
}

void sc_job_free(struct sc_job *job) {
  sc_batch_free(&job->batch);
  sc_buffer_free(&job->out);
  for (size_t i = 0; i < job->n_ended; i++) live_free(job->ended[i]);
  sc_free(job->ended);
  memset(job, 0, sizeof *job);
}

void sc_feed_free(struct sc_feed *f) {
  for (size_t i = 0; f->live && i < f->order->n_superblocks; i++) live_free(f->live[i]);
  sc_free(f->live);
  sc_free(f->opened);
  sc_free(f->members);
  sc_free(f->member_begin);
  memset(f, 0, sizeof *f);
}
