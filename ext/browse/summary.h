/*
 * All chips of a table in memory, some 13 bytes each: where, how cloudy, of which item. Filters on
 * these are one pass over it, and so are counts and histograms: 10 million chips take some 50 ms,
 * where SQL takes seconds.
 *
 * Chips come in blocks of one item (those of a merged index, chip_block.h), blocks in chunks that
 * do not change once they are there. Threads read the chunks in the background; what is there so
 * far can be looked at.
 */
#ifndef SC_BROWSE_SUMMARY_H
#define SC_BROWSE_SUMMARY_H

#include <pthread.h>
#include <stdint.h>

#include "browse/marks.h"
#include "browse/table.h"

#define SC_NO_DAY INT32_MIN
#define SC_NO_STEPS UINT32_MAX
#define SC_SUMMARY_PLATFORMS 256
#define SC_SUMMARY_CHUNKS 16384
#define SC_SUMMARY_THREADS 2

struct sc_summary_block {
  int64_t id;     /* of the first chip; the others' count up from it, unless there are steps */
  uint32_t first; /* position of that in its chunk */
  uint32_t n;
  uint32_t steps; /* where those of its chips begin in chunk.steps; SC_NO_STEPS */
  uint32_t item;  /* position in sc_summary.items */
  float min_x, min_y, size_x, size_y; /* box of the chips' centres, degrees */
  float half_x, half_y;               /* half a chip: the largest */
};

struct sc_summary_chunk {
  int64_t key; /* chunks are in this order once all are there */
  uint32_t n_blocks, n_chips;
  struct sc_summary_block *blocks; /* owned: one piece of memory with all that follows */
  uint16_t *steps;                 /* id of a chip minus that of its block */
  float *cloud, *nodata;           /* NaN: unknown */
  uint16_t *x, *y;                 /* centre, in 65535ths of the block's box */
};

struct sc_summary_item {
  int64_t id;
  int32_t day; /* since 1970-01-01, or SC_NO_DAY */
  uint16_t platform;
};

struct sc_summary {
  const struct sc_browse_table *table;
  struct sc_summary_item *items; /* by id */
  size_t n_items;
  char *platforms[SC_SUMMARY_PLATFORMS];
  int n_platforms;
  int64_t signature;           /* of the table when it was read */
  int32_t first_day, last_day; /* SC_NO_DAY where there is none */
  pthread_mutex_t lock;        /* of what follows */
  pthread_cond_t changed;
  struct sc_summary_chunk *chunks[SC_SUMMARY_CHUNKS];
  int n_chunks;
  int64_t n_ranges, next_range, ranges_done, last_id; /* of chip blocks that threads read */
  int n_threads;
  sc_status status;
  struct sc_error err; /* why it is not complete */
  const int *give_up;  /* borrowed */
  pthread_t threads[SC_SUMMARY_THREADS];
};

/* Read the items, and have threads read the chips. give_up: they end once it is not 0. */
sc_status sc_summary_start(struct sc_summary *s, const struct sc_browse_table *t,
                           const int *give_up, struct sc_error *err);
void sc_summary_free(struct sc_summary *s);

/* Wait up to so many seconds for all chips. Returns the fraction that is there, or an error that
 * stopped reading. */
sc_status sc_summary_wait(struct sc_summary *s, double seconds, double *fraction,
                          struct sc_error *err);

/* Has the table got or lost items or blocks since it was read? Only a new start shows them. */
int sc_summary_is_stale(const struct sc_summary *s, struct sc_session *session);

/* How many chips there are so far, and their box: west, south, east, north (of none: 0). */
int64_t sc_summary_extent(struct sc_summary *s, double box[4]);

/* ---- looking ---- */

enum sc_test {
  SC_TEST_DATE = 1,
  SC_TEST_CLOUD = 2,
  SC_TEST_NODATA = 4,
  SC_TEST_PLATFORM = 8,
  SC_TEST_PLACE = 16,
  SC_TEST_WHERE = 32
};

/* What chips are looked for. Zeroed finds all. */
struct sc_match {
  unsigned tests; /* of enum sc_test: those that are made */
  int32_t days[2];
  double cloud[2], nodata[2];                    /* inclusive; unknown ones pass no range */
  uint64_t platforms[SC_SUMMARY_PLATFORMS / 64]; /* bits */
  double box[4];                                 /* west, south, east, north: boxes that meet it;
                                                    west > east across the antimeridian */
  const double *polygon; /* NULL, or n_points * (lon, lat): centres inside it, in the box, which is
                            that of the polygon */
  int n_points;
  double polygon_west;    /* the polygon's own longitudes begin here, maybe a turn off */
  struct sc_marks *where; /* SC_TEST_WHERE: held by the caller */
};

/* A chip that is found. */
struct sc_hit {
  const struct sc_summary_chunk *chunk;
  const struct sc_summary_block *block;
  uint32_t at;     /* in the chunk */
  unsigned failed; /* tests that it did not pass: none, or where `near` was asked for, one */
};

static inline int64_t sc_hit_id(const struct sc_hit *h) {
  const struct sc_summary_block *b = h->block;
  uint32_t i = h->at - b->first;
  return b->id + (b->steps == SC_NO_STEPS ? (int64_t)i : h->chunk->steps[b->steps + i]);
}
static inline double sc_hit_lon(const struct sc_hit *h) {
  return (double)h->block->min_x + (double)h->block->size_x * h->chunk->x[h->at] / 65535;
}
static inline double sc_hit_lat(const struct sc_hit *h) {
  return (double)h->block->min_y + (double)h->block->size_y * h->chunk->y[h->at] / 65535;
}

/* Anything but 0 ends the scan. */
typedef int sc_summary_visit(void *context, const struct sc_hit *hit);

/* Visit the chips that pass all tests; with `near` those too that fail one of them. */
sc_status sc_summary_scan(struct sc_summary *s, const struct sc_match *match, int near,
                          sc_summary_visit *visit, void *context, struct sc_error *err);

#endif
