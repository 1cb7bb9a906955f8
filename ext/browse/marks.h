/*
 * Something about chips by their ids: a bit (a condition holds), or a number (of an expression).
 * In pages of 65536 ids, so that ids may have gaps. One thread at a time writes, under the lock;
 * who reads holds it too.
 */
#ifndef SC_BROWSE_MARKS_H
#define SC_BROWSE_MARKS_H

#include <pthread.h>
#include <stdint.h>

#include "base/status.h"

#define SC_MARKS_PAGE 65536

struct sc_marks_page {
  int64_t key;    /* id >> 16 */
  uint64_t *bits; /* [1024]; or NULL */
  float *values;  /* [65536], NaN: none; or NULL */
};

struct sc_marks {
  pthread_rwlock_t lock;
  struct sc_marks_page *pages; /* by key */
  size_t n, capacity;
};

void sc_marks_init(struct sc_marks *m);
void sc_marks_free(struct sc_marks *m);

/* The page of an id, or NULL. */
const struct sc_marks_page *sc_marks_find(const struct sc_marks *m, int64_t id);
/* Make one where there is none. with_values: of numbers. SC_TOO_BIG: ids are too far apart. */
sc_status sc_marks_make(struct sc_marks *m, int64_t id, int with_values,
                        const struct sc_marks_page **out, struct sc_error *err);

static inline int sc_marks_page_has(const struct sc_marks_page *p, int64_t id) {
  return p && (p->bits[(id & (SC_MARKS_PAGE - 1)) >> 6] >> (id & 63) & 1);
}

#endif
