/*
 * Worker threads that index items for stacchip_merge_items(). They compute; reading the query
 * and writing the database is the caller's, on the connection's own thread.
 */
#ifndef SC_MERGE_ITEM_POOL_H
#define SC_MERGE_ITEM_POOL_H

#include "index/index.h"
#include "merge/args.h"
#include "merge/shadow.h"

#define SC_ITEM_POOL_MAX_THREADS 64

/* One item on its way. */
struct sc_item_task {
  enum { SC_TASK_FREE = 0, SC_TASK_WAITING, SC_TASK_RUNNING, SC_TASK_DONE } state;
  char *item; /* owned text, path or URL */
  size_t size;
  struct sc_index index;
  struct sc_merge_header *headers; /* one for each asset, or NULL */
  struct sc_error err;             /* err.status is SC_OK or why it failed */
};

struct sc_item_pool;

/* Start n threads. args and rules are borrowed until the pool is stopped. */
sc_status sc_item_pool_start(int n_threads, struct sc_rules *rules,
                             const struct sc_merge_args *args, struct sc_item_pool **out,
                             struct sc_error *err);
/* Let running work break off, wait for it, free everything. */
void sc_item_pool_stop(struct sc_item_pool *pool);

/* A free place for an item, or NULL when all are taken. */
struct sc_item_task *sc_item_pool_free_task(struct sc_item_pool *pool);
/* Hand over task->item. */
void sc_item_pool_submit(struct sc_item_pool *pool, struct sc_item_task *task);
/* Tasks handed over and not yet released. */
int sc_item_pool_count(const struct sc_item_pool *pool);
/* A task that is done, or NULL after wait_ms without one. */
struct sc_item_task *sc_item_pool_wait(struct sc_item_pool *pool, int wait_ms);
/* Free what the task holds, and its place. */
void sc_item_pool_release(struct sc_item_pool *pool, struct sc_item_task *task);

#endif
