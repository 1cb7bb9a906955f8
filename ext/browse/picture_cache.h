/* Pictures that were made lately, by what they show. */
#ifndef SC_BROWSE_PICTURE_CACHE_H
#define SC_BROWSE_PICTURE_CACHE_H

#include <pthread.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

#define SC_PICTURES_BYTES ((size_t)12 << 20)
#define SC_PICTURE_SETS                                                     \
  4096 /* a picture goes where its key belongs; another one there gives way \
        */

struct sc_picture {
  char *key; /* NULL: nothing is here */
  struct sc_buffer bytes;
  uint64_t used; /* when, counted in uses */
};

struct sc_pictures {
  pthread_mutex_t lock;
  struct sc_picture sets[SC_PICTURE_SETS];
  size_t n_bytes;
  uint64_t uses;
};

void sc_pictures_init(struct sc_pictures *p);
void sc_pictures_free(struct sc_pictures *p);

/* Append the picture of that key; 0 where it is not there. */
int sc_pictures_find(struct sc_pictures *p, const char *key, struct sc_buffer *out);
/* Keep a copy, unless memory is short. */
void sc_pictures_keep(struct sc_pictures *p, const char *key, const struct sc_buffer *bytes);

#endif
