/*
 * Large memory that is used again; see memory.h.
 *
 * HOW IT WORKS  Pieces of up to 8 MB share arenas of units of 16 KB. The first and the last unit of
 * each run of units, free or used, say how long it is, so that a run that becomes free finds its
 * neighbours; the lowest run that is large enough is taken, so that high pages become idle. A
 * larger piece has an arena of its own, which fits again only what is about as large.
 */
#include "raster/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "base/alloc.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else /* an idle piece is poisoned, else nobody would notice who reads it */
#define ASAN_POISON_MEMORY_REGION(at, n) ((void)(at), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(at, n) ((void)(at), (void)(n))
#endif

#define UNIT ((size_t)16 << 10)
#define PAGE ((size_t)2 << 20)
#define PAGE_UNITS (PAGE / UNIT)
#define LARGE ((size_t)8 << 20)
#define ARENA_LEAST ((size_t)32 << 20)
#define ARENA_MOST ((size_t)1 << 30)
#define ARENAS_WANTED 64 /* for the whole cache: they are looked through one by one */

struct page {
  uint16_t n_used;   /* units in use */
  uint16_t is_there; /* the kernel has given it */
};

/* One allocation. Shared: `runs` and `pages` are there. Else one piece. */
struct arena {
  struct arena *next;
  void *allocation;
  unsigned char *base; /* aligned to PAGE */
  size_t bytes;        /* a multiple of PAGE */
  uint32_t *runs;      /* a unit each; valid at both ends of a run: its length * 2, and 1 if used */
  struct page *pages;
  size_t n_used;    /* units */
  size_t n_there;   /* pages */
  size_t most_free; /* no run of free units is longer */
  int is_used;      /* the one piece */
  uint64_t given;   /* when it was given back */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct arena *arenas, *abandoned;
static struct sc_memory_state state;
static size_t arena_bytes = ARENA_LEAST;
static atomic_uint_fast64_t ticks;

uint64_t sc_memory_tick(void) { return atomic_fetch_add(&ticks, 1); }

size_t sc_memory_rounded(size_t bytes) {
  return bytes < SC_MEMORY_LEAST ? bytes : (bytes + UNIT - 1) / UNIT * UNIT;
}

/* --- arenas --- */

static void arena_free(struct arena *a) {
  ASAN_UNPOISON_MEMORY_REGION(a->base, a->bytes);
  sc_free(a->allocation);
  sc_free(a->runs);
  sc_free(a->pages);
  sc_free(a);
}

static void set_run(struct arena *a, size_t first, size_t n, uint32_t is_used) {
  a->runs[first] = a->runs[first + n - 1] = (uint32_t)n * 2 + is_used;
}

static struct arena *arena_new(size_t bytes, int is_shared) {
  struct arena *a = sc_alloc_zero(1, sizeof *a);
  if (!a) return NULL;
  a->bytes = (bytes + PAGE - 1) / PAGE * PAGE;
  a->allocation = sc_alloc(a->bytes + PAGE);
  if (is_shared) a->runs = sc_alloc_zero(a->bytes / UNIT, sizeof *a->runs);
  if (is_shared) a->pages = sc_alloc_zero(a->bytes / PAGE, sizeof *a->pages);
  if (!a->allocation || (is_shared && (!a->runs || !a->pages))) {
    a->base = a->allocation;
    a->bytes = 0;
    arena_free(a);
    return NULL;
  }
  uintptr_t at = (uintptr_t)a->allocation, base = (at + PAGE - 1) / PAGE * PAGE;
  a->base = (unsigned char *)a->allocation + (base - at);
  madvise(a->base, a->bytes, MADV_HUGEPAGE); /* a kernel without them gives small ones */
  ASAN_POISON_MEMORY_REGION(a->base, a->bytes);
  if (is_shared) {
    a->most_free = a->bytes / UNIT;
    set_run(a, 0, a->most_free, 0);
  }
  return a;
}

/* At the end of the list: what is low there stays full. */
static void link_arena(struct arena *a) {
  struct arena **at = &arenas;
  while (*at) at = &(*at)->next;
  *at = a;
}

static void unlink_arena(struct arena *a) {
  struct arena **at = &arenas;
  while (*at != a) at = &(*at)->next;
  *at = a->next;
}

static struct arena *find_arena(struct arena *list, const unsigned char *memory) {
  while (list && (memory < list->base || memory >= list->base + list->bytes)) list = list->next;
  return list;
}

/* --- pieces of shared arenas --- */

/* Units [first, first + n) become used or free; 1 where the kernel had given all of them. */
static int count_units(struct arena *a, size_t first, size_t n, int is_used) {
  int were_there = 1;
  for (size_t i = first; i < first + n;) {
    struct page *p = &a->pages[i / PAGE_UNITS];
    size_t end = (i / PAGE_UNITS + 1) * PAGE_UNITS, units;
    if (end > first + n) end = first + n;
    units = end - i;
    if (!p->is_there) {
      were_there = 0;
      p->is_there = 1;
      a->n_there++;
      state.idle_pages += (int64_t)PAGE;
    }
    p->n_used = (uint16_t)(is_used ? p->n_used + units : p->n_used - units);
    i = end;
  }
  int64_t bytes = (int64_t)(n * UNIT);
  a->n_used = is_used ? a->n_used + n : a->n_used - n;
  state.in_use += is_used ? bytes : -bytes;
  state.idle_pages += is_used ? -bytes : bytes;
  return were_there;
}

/* The lowest n free units; NULL where no run is so long. */
static void *take_units(struct arena *a, size_t n) {
  size_t longest = 0, n_units = a->bytes / UNIT;
  for (size_t i = 0; i < n_units && a->most_free >= n; i += a->runs[i] / 2) {
    size_t length = a->runs[i] / 2;
    if (a->runs[i] & 1) continue;
    if (length > longest) longest = length;
    if (length < n) continue;
    set_run(a, i, n, 1);
    if (length > n) set_run(a, i + n, length - n, 0);
    state.n_reused += count_units(a, i, n, 1);
    return a->base + i * UNIT;
  }
  if (longest < a->most_free && a->most_free >= n) a->most_free = longest;
  return NULL;
}

static void give_units(struct arena *a, size_t first) {
  size_t n = a->runs[first] / 2, end = first + n;
  count_units(a, first, n, 0);
  ASAN_POISON_MEMORY_REGION(a->base + first * UNIT, n * UNIT);
  if (end < a->bytes / UNIT && !(a->runs[end] & 1)) end += a->runs[end] / 2;
  if (first > 0 && !(a->runs[first - 1] & 1)) first -= a->runs[first - 1] / 2;
  set_run(a, first, end - first, 0);
  if (end - first > a->most_free) a->most_free = end - first;
}

static void *take_shared(size_t bytes) {
  size_t n = (bytes + UNIT - 1) / UNIT;
  void *piece = NULL;
  for (struct arena *a = arenas; a && !piece; a = a->next) {
    if (a->runs) piece = take_units(a, n);
  }
  if (piece) return piece;
  struct arena *fresh = arena_new(arena_bytes, 1);
  if (!fresh) return NULL;
  link_arena(fresh);
  return take_units(fresh, n);
}

/* --- large pieces --- */

static void *take_large(size_t bytes) {
  struct arena *best = NULL;
  for (struct arena *a = arenas; a; a = a->next) {
    if (a->runs || a->is_used || a->bytes < bytes || a->bytes / 2 > bytes) continue;
    if (!best || a->bytes < best->bytes) best = a;
  }
  if (best) {
    state.idle_large -= (int64_t)best->bytes;
    state.n_reused++;
  } else {
    best = arena_new(bytes, 0);
    if (!best) return NULL;
    link_arena(best);
  }
  best->is_used = 1;
  state.in_use += (int64_t)best->bytes;
  return best->base;
}

static void give_large(struct arena *a) {
  a->is_used = 0;
  a->given = sc_memory_tick();
  ASAN_POISON_MEMORY_REGION(a->base, a->bytes);
  state.in_use -= (int64_t)a->bytes;
  state.idle_large += (int64_t)a->bytes;
}

/* --- what others see --- */

void *sc_memory_take(size_t bytes) {
  if (bytes < SC_MEMORY_LEAST || bytes > SIZE_MAX / 2) return sc_alloc(bytes);
  pthread_mutex_lock(&lock);
  int64_t reused = state.n_reused;
  void *piece = bytes < LARGE ? take_shared(bytes) : take_large(bytes);
  state.n_fresh += state.n_reused == reused;
  pthread_mutex_unlock(&lock);
  if (!piece) return sc_alloc(bytes);
  ASAN_UNPOISON_MEMORY_REGION(piece, bytes);
  return piece;
}

void sc_memory_give(void *memory) {
  if (!memory) return;
  pthread_mutex_lock(&lock);
  struct arena *a = find_arena(arenas, memory);
  int is_ours = a || find_arena(abandoned, memory);
  if (a && a->runs) {
    give_units(a, (size_t)((unsigned char *)memory - a->base) / UNIT);
  } else if (a) {
    give_large(a);
  }
  pthread_mutex_unlock(&lock);
  if (!is_ours) sc_free(memory);
}

sc_status sc_memory_buffer(size_t n, struct sc_buffer *out, struct sc_error *err) {
  out->data = sc_memory_take(n);
  if (!out->data) return sc_fail_nomem(err);
  out->capacity = n;
  out->give = sc_memory_give;
  return SC_OK;
}

void sc_memory_get_state(struct sc_memory_state *out) {
  pthread_mutex_lock(&lock);
  *out = state;
  pthread_mutex_unlock(&lock);
}

/* Lock held. */
static struct arena *oldest_large(void) {
  struct arena *oldest = NULL;
  for (struct arena *a = arenas; a; a = a->next) {
    if (!a->runs && !a->is_used && (!oldest || a->given < oldest->given)) oldest = a;
  }
  return oldest;
}

uint64_t sc_memory_oldest_large(void) {
  pthread_mutex_lock(&lock);
  const struct arena *a = oldest_large();
  uint64_t given = a ? a->given : UINT64_MAX;
  pthread_mutex_unlock(&lock);
  return given;
}

void sc_memory_free_large(void) {
  pthread_mutex_lock(&lock);
  struct arena *a = oldest_large();
  if (a) {
    unlink_arena(a);
    state.idle_large -= (int64_t)a->bytes;
  }
  pthread_mutex_unlock(&lock);
  if (a) arena_free(a);
}

/* From its end: what lies low is taken first. Lock held. */
static void free_pages_of(struct arena *a, int64_t most) {
  for (size_t i = a->bytes / PAGE; i-- > 0 && state.idle_pages > most;) {
    struct page *p = &a->pages[i];
    if (!p->is_there || p->n_used || madvise(a->base + i * PAGE, PAGE, MADV_DONTNEED) != 0)
      continue;
    p->is_there = 0;
    a->n_there--;
    state.idle_pages -= (int64_t)PAGE;
  }
}

/* From the last arena on, as within one: what is taken next, from the first, stays. */
void sc_memory_free_pages(int64_t most) {
  struct arena *empty = NULL, *end = NULL;
  pthread_mutex_lock(&lock);
  while (arenas != end && state.idle_pages > most) {
    struct arena *a = arenas;
    while (a->next != end) a = a->next;
    if (a->runs) free_pages_of(a, most);
    if (a->runs && !a->n_there) {
      unlink_arena(a);
      a->next = empty;
      empty = a;
    } else {
      end = a;
    }
  }
  pthread_mutex_unlock(&lock);
  while (empty) {
    struct arena *next = empty->next;
    arena_free(empty);
    empty = next;
  }
}

void sc_memory_configure(int64_t cache_bytes) {
  size_t wanted = (size_t)(cache_bytes / ARENAS_WANTED);
  pthread_mutex_lock(&lock);
  arena_bytes = wanted < ARENA_LEAST ? ARENA_LEAST : wanted > ARENA_MOST ? ARENA_MOST : wanted;
  pthread_mutex_unlock(&lock);
}

void sc_memory_abandon(void) {
  pthread_mutex_init(&lock, NULL);
  struct arena **end = &abandoned;
  while (*end) end = &(*end)->next;
  *end = arenas;
  arenas = NULL;
  state = (struct sc_memory_state){0, 0, 0, 0, 0};
}
