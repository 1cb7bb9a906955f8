/*
 * Bytes that came in one answer, shared by the blocks that they hold, in memory that is used
 * again: fresh memory for each answer would cost a fault for each of its pages, and a copy of
 * each block one more.
 */
#ifndef SC_HTTP_ANSWER_H
#define SC_HTTP_ANSWER_H

#include <pthread.h>

#include "base/buffer.h"
#include "base/status.h"

#define SC_N_SPARE_ANSWERS 32

/* Where the memory of answers goes back to; for the time of one call that fetches. */
struct sc_answers {
  pthread_mutex_t lock; /* guards what is below, and n_users of its answers */
  struct sc_buffer spare[SC_N_SPARE_ANSWERS];
  size_t n_spare;
};
void sc_answers_init(struct sc_answers *home);
/* All its answers have been let go. */
void sc_answers_free(struct sc_answers *home);

struct sc_answer {
  struct sc_buffer bytes;
  struct sc_answers *home;
  int n_users;
};

/* Some of an answer's bytes. Zeroed is none; whoever has it holds the answer. */
struct sc_shared {
  struct sc_view view;
  struct sc_answer *answer;
};

/* A new empty answer, held, with room for n bytes. */
sc_status sc_answer_new(struct sc_answers *home, size_t n, struct sc_answer **out,
                        struct sc_error *err);
/* Bytes [at, at + n) of an answer that the caller holds. */
struct sc_shared sc_answer_share(struct sc_answer *answer, size_t at, size_t n);
void sc_answer_release(struct sc_answer *answer); /* NULL is fine */
void sc_shared_release(struct sc_shared *shared);

#endif
