/* Bits and numbers by id; see marks.h. */
#include "browse/marks.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

/* 268 million ids; with values 1 GB, which a table of so many chips needs anyway. */
#define PAGES_MAX 4096

void sc_marks_init(struct sc_marks *m) {
  *m = (struct sc_marks){0};
  pthread_rwlock_init(&m->lock, NULL);
}

void sc_marks_free(struct sc_marks *m) {
  for (size_t i = 0; i < m->n; i++) {
    sc_free(m->pages[i].bits);
    sc_free(m->pages[i].values);
  }
  sc_free(m->pages);
  pthread_rwlock_destroy(&m->lock);
}

/* Where the page of a key is, or would be. */
static size_t find_place(const struct sc_marks *m, int64_t key) {
  size_t low = 0, high = m->n;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (m->pages[middle].key < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

const struct sc_marks_page *sc_marks_find(const struct sc_marks *m, int64_t id) {
  size_t at = find_place(m, id >> 16);
  return at < m->n && m->pages[at].key == id >> 16 ? &m->pages[at] : NULL;
}

static sc_status make_room(struct sc_marks *m, struct sc_error *err) {
  if (m->n < m->capacity) return SC_OK;
  if (m->n == PAGES_MAX)
    return sc_fail(err, SC_TOO_BIG, "the numbers of the chips are too far apart");
  size_t capacity = 2 * m->capacity + 16;
  struct sc_marks_page *grown = sc_realloc(m->pages, capacity * sizeof *grown);
  if (!grown) return sc_fail_nomem(err);
  m->pages = grown;
  m->capacity = capacity;
  return SC_OK;
}

sc_status sc_marks_make(struct sc_marks *m, int64_t id, int with_values,
                        const struct sc_marks_page **out, struct sc_error *err) {
  struct sc_marks_page page = {.key = id >> 16};
  size_t at = find_place(m, page.key);
  if (at == m->n || m->pages[at].key != page.key) {
    sc_status st = make_room(m, err);
    if (st) return st;
    if (with_values) {
      page.values = sc_alloc_zero(SC_MARKS_PAGE, sizeof *page.values);
      for (int i = 0; page.values && i < SC_MARKS_PAGE; i++) page.values[i] = NAN;
    } else {
      page.bits = sc_alloc_zero(SC_MARKS_PAGE / 64, sizeof *page.bits);
    }
    if (!page.values && !page.bits) return sc_fail_nomem(err);
    memmove(&m->pages[at + 1], &m->pages[at], (m->n - at) * sizeof *m->pages);
    m->pages[at] = page;
    m->n++;
  }
  *out = &m->pages[at];
  return SC_OK;
}
