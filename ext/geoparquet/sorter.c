/* External sorting; see sorter.h. */
#include "geoparquet/sorter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "store/open.h"

#define HEAD_BYTES 12                   /* key and size before each record in a run */
#define WRITE_BYTES ((size_t)256 << 10) /* fits the cache */
#define MERGE_BYTES ((size_t)32 << 20)
#define CURSOR_MIN_BYTES ((size_t)64 << 10)
#define CURSOR_MAX_BYTES ((size_t)1 << 20)

/* Reads one run while merging. */
struct cursor {
  uint64_t at, end;        /* bytes of the run still in the file; entries of the one in memory */
  struct sc_buffer window; /* of the file */
  size_t next;             /* of the current record, in the window */
  uint64_t key;
  uint32_t size;
  const unsigned char *data; /* the current record */
  int is_in_memory;
};

void sc_sorter_init(struct sc_sorter *s, size_t run_bytes) {
  memset(s, 0, sizeof *s);
  s->fd = -1;
  s->run_bytes = run_bytes;
  s->runs[0].sorter = s->runs[1].sorter = s;
}

static const struct sc_sort_entry *entries_of(const struct sc_sorter_run *run) {
  return (const struct sc_sort_entry *)(const void *)run->entries.data;
}

static size_t n_entries(const struct sc_sorter_run *run) {
  return run->entries.size / sizeof(struct sc_sort_entry);
}

/* One pass of the radix sort; 0 where all have the same digit. */
static int sort_digit(const struct sc_sort_entry *from, struct sc_sort_entry *to, size_t n,
                      unsigned shift) {
  size_t starts[257] = {0};
  for (size_t i = 0; i < n; i++) starts[(from[i].key >> shift & 255) + 1]++;
  if (starts[(from[0].key >> shift & 255) + 1] == n) return 0;
  for (int d = 0; d < 256; d++) starts[d + 1] += starts[d];
  for (size_t i = 0; i < n; i++) to[starts[from[i].key >> shift & 255]++] = from[i];
  return 1;
}

sc_status sc_sort_entries(struct sc_buffer *entries, struct sc_buffer *scratch,
                          struct sc_error *err) {
  size_t n = entries->size / sizeof(struct sc_sort_entry);
  if (n == 0) return SC_OK;
  sc_status st = sc_buffer_resize(scratch, entries->size, err);
  if (st) return st;
  for (unsigned shift = 0; shift < 64; shift += 8) {
    const struct sc_sort_entry *from = (const struct sc_sort_entry *)(const void *)entries->data;
    if (!sort_digit(from, (struct sc_sort_entry *)(void *)scratch->data, n, shift)) continue;
    struct sc_buffer swap = *entries;
    *entries = *scratch;
    *scratch = swap;
  }
  return SC_OK;
}

static sc_status write_out(struct sc_sorter_run *run, struct sc_error *err) {
  uint64_t at = run->sorter->file_bytes + run->n_written;
  sc_status st = sc_write_at(run->sorter->fd, at, run->out.data, run->out.size, err);
  run->n_written += run->out.size;
  run->out.size = 0;
  return st;
}

/* Write the records in the order of the entries, each with its head. */
static sc_status write_run(struct sc_sorter_run *run, struct sc_error *err) {
  size_t n = n_entries(run);
  const struct sc_sort_entry *e = entries_of(run);
  sc_status st = SC_OK;
  run->out.size = 0;
  run->n_written = 0;
  for (size_t i = 0; i < n && !st; i++, e++) {
    if (run->out.size > WRITE_BYTES) st = write_out(run, err);
    if (!st) st = sc_buffer_reserve(&run->out, HEAD_BYTES + e->size, err);
    if (st) return st;
    unsigned char *p = run->out.data + run->out.size;
    sc_put_le64(p, e->key);
    sc_put_le32(p + 8, e->size);
    memcpy(p + HEAD_BYTES, run->bytes.data + e->offset, e->size);
    run->out.size += HEAD_BYTES + e->size;
  }
  return st ? st : write_out(run, err);
}

static void sort_run(void *argument) {
  struct sc_sorter_run *run = argument;
  run->err.status = SC_OK;
  sc_status st = sc_sort_entries(&run->entries, &run->scratch, &run->err);
  if (!st) st = write_run(run, &run->err);
  sc_settle(&run->err, st);
}

/* Wait until a run is in the file; its memory is then free again. */
static sc_status wait_run(struct sc_sorter *s, struct sc_sorter_run *run, struct sc_error *err) {
  if (!run->is_busy) return SC_OK;
  sc_task_wait(&run->task);
  run->is_busy = 0;
  if (run->err.status) {
    *err = run->err;
    return err->status;
  }
  s->file_bytes += run->n_written;
  run->bytes.size = run->entries.size = 0;
  return sc_buffer_append(&s->places, &s->file_bytes, sizeof s->file_bytes, err);
}

/* Write the current run beside us, when the one before is done. */
static sc_status spill(struct sc_sorter *s, struct sc_error *err) {
  struct sc_sorter_run *run = &s->runs[s->current], *other = &s->runs[!s->current];
  sc_status st = s->fd < 0 ? sc_open_scratch(&s->fd, err) : SC_OK;
  if (!st) st = wait_run(s, other, err);
  if (st) return st;
  run->is_busy = 1;
  sc_task_start(&run->task, sort_run, run);
  s->current = !s->current;
  return SC_OK;
}

sc_status sc_sorter_add(struct sc_sorter *s, uint64_t key, const void *data, size_t n,
                        struct sc_error *err) {
  struct sc_sorter_run *run = &s->runs[s->current];
  if (n > UINT32_MAX / 2) return sc_fail(err, SC_TOO_BIG, "a row of %zu bytes", n);
  if (run->bytes.size && run->bytes.size + n > s->run_bytes) {
    sc_status st = spill(s, err);
    if (st) return st;
    run = &s->runs[s->current];
    /* Its size is known by now: no growing in steps. */
    st = sc_buffer_reserve(&run->bytes, s->run_bytes, err);
    if (st) return st;
  }
  struct sc_sort_entry e = {key, (uint32_t)run->bytes.size, (uint32_t)n};
  sc_status st = sc_buffer_append(&run->bytes, data, n, err);
  return st ? st : sc_buffer_append(&run->entries, &e, sizeof e, err);
}

static struct cursor *cursor_of(const struct sc_sorter *s, size_t i) {
  return (struct cursor *)(void *)s->cursors.data + i;
}

/* Have n bytes of the record at c->next in the window. */
static sc_status fill(const struct sc_sorter *s, struct cursor *c, size_t n, struct sc_error *err) {
  size_t have = c->window.size - c->next;
  if (have >= n) return SC_OK;
  size_t n_runs = s->cursors.size / sizeof *c, share = MERGE_BYTES / n_runs;
  if (share < CURSOR_MIN_BYTES) share = CURSOR_MIN_BYTES;
  if (share > CURSOR_MAX_BYTES) share = CURSOR_MAX_BYTES;
  size_t want = share > n - have ? share : n - have;
  if (want > c->end - c->at) want = (size_t)(c->end - c->at);
  if (have) memmove(c->window.data, c->window.data + c->next, have);
  c->next = 0;
  sc_status st = sc_buffer_resize(&c->window, have + want, err);
  while (!st && want) {
    ssize_t done = pread(s->fd, c->window.data + c->window.size - want, want, (off_t)c->at);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return sc_fail(err, SC_IO, "the temporary file for sorting cannot be read");
    c->at += (uint64_t)done;
    want -= (size_t)done;
  }
  return st;
}

static void load_entry(const struct sc_sorter *s, struct cursor *c) {
  const struct sc_sorter_run *run = &s->runs[s->current];
  const struct sc_sort_entry *e = &entries_of(run)[c->at++];
  c->key = e->key;
  c->size = e->size;
  c->data = run->bytes.data + e->offset;
}

/* Have the record at c->next, head and all, in the window; or the next one in memory. */
static sc_status load(const struct sc_sorter *s, struct cursor *c, struct sc_error *err) {
  if (c->is_in_memory) {
    load_entry(s, c);
    return SC_OK;
  }
  sc_status st = fill(s, c, HEAD_BYTES, err);
  if (st) return st;
  c->key = sc_le64(c->window.data + c->next);
  c->size = sc_le32(c->window.data + c->next + 8);
  st = fill(s, c, HEAD_BYTES + c->size, err);
  c->data = c->window.data + c->next + HEAD_BYTES;
  return st;
}

static int cursor_is_empty(const struct cursor *c) {
  return c->next == c->window.size && c->at == c->end;
}

static int comes_before(const struct sc_sorter *s, uint32_t a, uint32_t b) {
  uint64_t x = cursor_of(s, a)->key, y = cursor_of(s, b)->key;
  return x < y || (x == y && a < b);
}

static void sift_down(struct sc_sorter *s, size_t i) {
  uint32_t *heap = (uint32_t *)(void *)s->heap.data, moved = heap[i];
  for (size_t child = 2 * i + 1; child < s->n_heap; child = 2 * i + 1) {
    if (child + 1 < s->n_heap && comes_before(s, heap[child + 1], heap[child])) child++;
    if (!comes_before(s, heap[child], moved)) break;
    heap[i] = heap[child];
    i = child;
  }
  heap[i] = moved;
}

/* The runs of the file in the order of their records, then the one in memory. */
static sc_status start_merge(struct sc_sorter *s, struct sc_error *err) {
  size_t n_runs = s->places.size / sizeof(uint64_t), n_last = n_entries(&s->runs[s->current]);
  size_t n = n_runs + (n_last > 0);
  const uint64_t *ends = (const uint64_t *)(const void *)s->places.data;
  sc_status st = sc_buffer_resize(&s->cursors, n * sizeof(struct cursor), err);
  if (!st) memset(s->cursors.data, 0, s->cursors.size);
  if (!st) st = sc_buffer_resize(&s->heap, n * sizeof(uint32_t), err);
  for (uint32_t i = 0; i < n && !st; i++) {
    struct cursor *c = cursor_of(s, i);
    c->is_in_memory = i == n_runs;
    c->at = i && !c->is_in_memory ? ends[i - 1] : 0;
    c->end = c->is_in_memory ? n_last : ends[i];
    st = load(s, c, err);
    memcpy(s->heap.data + i * sizeof i, &i, sizeof i);
  }
  s->n_heap = n;
  for (size_t i = n / 2; i-- > 0 && !st;) sift_down(s, i);
  s->is_merging = 1;
  return st;
}

static void free_run(struct sc_sorter_run *run) {
  sc_task_wait(&run->task);
  sc_buffer_free(&run->bytes);
  sc_buffer_free(&run->entries);
  sc_buffer_free(&run->scratch);
  sc_buffer_free(&run->out);
}

sc_status sc_sorter_finish(struct sc_sorter *s, struct sc_error *err) {
  struct sc_sorter_run *last = &s->runs[s->current];
  sc_status st = sc_sort_entries(&last->entries, &last->scratch, err);
  if (s->fd < 0) return st;
  if (!st) st = wait_run(s, &s->runs[!s->current], err);
  if (st) return st;
  free_run(&s->runs[!s->current]);
  return start_merge(s, err);
}

static sc_status next_merged(struct sc_sorter *s, uint64_t *key, const unsigned char **data,
                             size_t *n, struct sc_error *err) {
  uint32_t *heap = (uint32_t *)(void *)s->heap.data;
  sc_status st = SC_OK;
  if (s->at && s->n_heap) { /* the record given last is done with */
    struct cursor *c = cursor_of(s, heap[0]);
    if (!c->is_in_memory) c->next += HEAD_BYTES + c->size;
    if (cursor_is_empty(c)) {
      heap[0] = heap[--s->n_heap];
    } else {
      st = load(s, c, err);
    }
    if (s->n_heap && !st) sift_down(s, 0);
  }
  if (st || s->n_heap == 0) return st;
  s->at = 1;
  struct cursor *c = cursor_of(s, heap[0]);
  *key = c->key;
  *data = c->data;
  *n = c->size;
  return SC_OK;
}

sc_status sc_sorter_next(struct sc_sorter *s, uint64_t *key, const unsigned char **data, size_t *n,
                         struct sc_error *err) {
  struct sc_sorter_run *run = &s->runs[s->current];
  *data = NULL;
  if (s->is_merging) return next_merged(s, key, data, n, err);
  if (s->at < n_entries(run)) {
    const struct sc_sort_entry *e = &entries_of(run)[s->at++];
    *key = e->key;
    *data = run->bytes.data + e->offset;
    *n = e->size;
  }
  return SC_OK;
}

void sc_sorter_free(struct sc_sorter *s) {
  for (size_t i = 0; s->is_merging && i < s->cursors.size / sizeof(struct cursor); i++) {
    sc_buffer_free(&cursor_of(s, i)->window);
  }
  free_run(&s->runs[0]);
  free_run(&s->runs[1]);
  sc_buffer_free(&s->places);
  sc_buffer_free(&s->cursors);
  sc_buffer_free(&s->heap);
  if (s->fd >= 0) close(s->fd);
  s->fd = -1;
}
