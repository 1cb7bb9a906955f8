/*
 * Worker threads that index items for stacchip_merge_items(). They compute; reading the query
 * and writing the database is the caller's, on the connection's own thread.
 */
#ifndef SC_MERGE_ITEM_POOL_H
#define SC_MERGE_ITEM_POOL_H

#include "index/index.h"
#include "merge/args.h"
#include "merge/shadow.h"

#define SC_POOL_MAX_THREADS 64

/* One item on its way. */
struct pool_task {
  enum { TASK_FREE = 0, TASK_WAITING, TASK_RUNNING, TASK_DONE } state;
  char *item; /* owned text, path or URL */
  size_t size;
  struct sc_index index;
  struct sc_merge_header *headers; /* one for each asset, or NULL */
  struct sc_error err;             /* err.status is SC_OK or why it failed */
};

struct item_pool;

/* Start n threads. args and rules are borrowed until the pool is stopped. */
sc_status sc_pool_start(int n_threads, struct sc_rules *rules, const struct sc_merge_args *args,
                        struct item_pool **out, struct sc_error *err);
/* Let running work break off, wait for it, free everything. */
void sc_pool_stop(struct item_pool *pool);

/* A free place for an item, or NULL when all are taken. */
struct pool_task *sc_pool_free_task(struct item_pool *pool);
/* Hand over task->item. */
void sc_pool_submit(struct item_pool *pool, struct pool_task *task);
/* Tasks handed over and not yet released. */
int sc_pool_count(const struct item_pool *pool);
/* A task that is done, or NULL after wait_ms without one. */
struct pool_task *sc_pool_wait(struct item_pool *pool, int wait_ms);
/* Free what the task holds, and its place. */
void sc_pool_release(struct item_pool *pool, struct pool_task *task);

#endif
