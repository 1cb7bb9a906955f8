/*
 * The batches of an epoch, one job each: from the chips of an order (order.h) to an array.
 *
 *   sc_feed_prepare()   on the connection's thread: opens the batch's chips
 *   sc_feed_hold()      on any thread: decodes the blocks of a superblock
 *   sc_feed_run()       on any thread: reads the batch's pixels
 *   sc_feed_settle()    on the connection's thread: names what failed, lets go of the chips
 *
 * Jobs are prepared, run and settled in the order of their batches.
 *
 * MEMORY  Chips are opened superblock by superblock, those of `look` superblocks before the first
 * of them is wanted, and wait for their batch. Their blocks are decoded then, and held until the
 * batch of the last chip has run: so each is decoded once, whatever cache_bytes. Pixels do not
 * wait: they are copied when their batch is made. Held are the blocks of `mix` superblocks and of
 * those ahead, at most 2 GB in the process (sc_raster_api.hold): ten bands of Sentinel-2 in blocks
 * of 1024 pixels take 44 MB a superblock, 0.7 GB for a mix of 16.
 */
#ifndef SC_PIXELS_FEED_H
#define SC_PIXELS_FEED_H

#include "pixels/batch.h"
#include "pixels/order.h"
#include "pixels/samples.h"
#include "pixels/slots.h"

struct sc_live;

/* Zeroed but for the first members is as it should begin; sc_feed_free(). */
struct sc_feed {
  struct sc_connection *c; /* borrowed, as the next four */
  struct sc_samples *samples;
  const struct sc_order *order;
  const struct sc_chip_options *options;
  const struct sc_slots *slots; /* NULL: each batch has memory of its own */
  int by_superblock;            /* the order keeps superblocks together */
  size_t first;                 /* batch that the caller begins with */
  size_t limit;                 /* SQLITE_LIMIT_LENGTH */
  uint64_t run;                 /* of the statement: see scenes.h; 0 until it is needed */
  size_t look;                  /* superblocks that are opened ahead of their use */
  struct sc_live **live;        /* of each superblock that is open */
  struct sc_live **opened;      /* all that were opened, in the order in which batches want them */
  size_t n_opened, n_seen;      /* places of the order before n_seen have theirs opened */
  size_t n_single;              /* of them: of one chip, held, and its batch is to come */
  uint32_t *members; /* places in the order, superblock by superblock; NULL until it is needed */
  size_t *member_begin;
};

/* The slot of batch k. */
static inline size_t sc_feed_slot(const struct sc_feed *feed, size_t k) {
  return k % feed->slots->n;
}

/* One batch. Zeroed is empty; sc_job_free(). */
struct sc_job {
  size_t k;              /* batch of the epoch */
  struct sc_batch batch; /* its positions are places in the order */
  struct sc_buffer out;  /* the array, behind SC_JOB_HEAD bytes; empty: NULL, or in its slot */
  sc_status status;
  struct sc_error err;
  size_t n_needed;        /* so many of feed->opened are to be held before it runs */
  struct sc_live **ended; /* superblocks whose last chip it has; owned */
  size_t n_ended;
  size_t failed_at; /* place in the order + 1 of the chip that failed; 0: none of them */
};

#define SC_JOB_HEAD 64

void sc_feed_prepare(struct sc_feed *feed, size_t k, struct sc_job *job);
void sc_feed_hold(struct sc_live *superblock);
void sc_feed_run(const struct sc_feed *feed, struct sc_job *job);
void sc_feed_settle(struct sc_feed *feed, struct sc_job *job);
void sc_job_free(struct sc_job *job);
void sc_feed_free(struct sc_feed *feed);

#endif
