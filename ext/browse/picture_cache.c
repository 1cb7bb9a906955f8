/* Kept pictures; see picture_cache.h. */
#include "browse/picture_cache.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

void sc_pictures_init(struct sc_pictures *p) { pthread_mutex_init(&p->lock, NULL); }

static void drop(struct sc_pictures *p, struct sc_picture *one) {
  p->n_bytes -= one->bytes.size;
  sc_buffer_free(&one->bytes);
  sc_free(one->key);
  *one = (struct sc_picture){0};
}

void sc_pictures_free(struct sc_pictures *p) {
  for (int i = 0; i < SC_PICTURE_SETS; i++) drop(p, &p->sets[i]);
  pthread_mutex_destroy(&p->lock);
}

static struct sc_picture *place_of(struct sc_pictures *p, const char *key) {
  return &p->sets[sc_hash_bytes(SC_HASH_START, key, strlen(key)) % SC_PICTURE_SETS];
}

int sc_pictures_find(struct sc_pictures *p, const char *key, struct sc_buffer *out) {
  struct sc_error ignored = {0};
  pthread_mutex_lock(&p->lock);
  struct sc_picture *one = place_of(p, key);
  int found = one->key && strcmp(one->key, key) == 0 &&
              sc_buffer_append(out, one->bytes.data, one->bytes.size, &ignored) == SC_OK;
  if (found) one->used = ++p->uses;
  pthread_mutex_unlock(&p->lock);
  return found;
}

/* The oldest go until there is room. */
static void make_room(struct sc_pictures *p, size_t n) {
  while (p->n_bytes + n > SC_PICTURES_BYTES) {
    struct sc_picture *oldest = NULL;
    for (struct sc_picture *one = p->sets; one < p->sets + SC_PICTURE_SETS; one++) {
      if (one->key && (!oldest || one->used < oldest->used)) oldest = one;
    }
    if (!oldest) return;
    drop(p, oldest);
  }
}

void sc_pictures_keep(struct sc_pictures *p, const char *key, const struct sc_buffer *bytes) {
  struct sc_error ignored = {0};
  struct sc_picture made = {0};
  if (bytes->size > SC_PICTURES_BYTES / 4) return;
  if (sc_strdup(key, &made.key, &ignored) ||
      sc_buffer_append(&made.bytes, bytes->data, bytes->size, &ignored)) {
    sc_free(made.key);
    return;
  }
  pthread_mutex_lock(&p->lock);
  struct sc_picture *one = place_of(p, key);
  if (one->key) drop(p, one);
  make_room(p, made.bytes.size);
  made.used = ++p->uses;
  *one = made;
  p->n_bytes += made.bytes.size;
  pthread_mutex_unlock(&p->lock);
}
