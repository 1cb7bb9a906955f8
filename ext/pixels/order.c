/* The order of an epoch; see order.h. */
#include "pixels/order.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "pixels/hash.h"

/* A chip on its way to its place. */
struct placed {
  uint64_t superblock_hash, hash; /* 53 bits each, as stacchip_hash() shows them */
  int32_t block[2];
  uint32_t item, index, superblock;
};

struct making {
  const struct sc_order_item *items;
  const struct sc_order_chip *chips;
  const struct sc_order_options *options;
  struct placed *placed;
  size_t n;
};

static int compare(uint64_t a, uint64_t b) { return (a > b) - (a < b); }

static int by_superblock(const void *pa, const void *pb) {
  const struct placed *a = pa, *b = pb;
  int c = compare(a->superblock_hash, b->superblock_hash);
  if (!c) c = compare(a->item, b->item);
  if (!c) c = (a->block[1] > b->block[1]) - (a->block[1] < b->block[1]);
  return c ? c : (a->block[0] > b->block[0]) - (a->block[0] < b->block[0]);
}

static int by_hash(const void *pa, const void *pb) {
  const struct placed *a = pa, *b = pb;
  int c = compare(a->hash, b->hash);
  return c ? c : compare(a->index, b->index);
}

static int by_superblock_and_hash(const void *pa, const void *pb) {
  int c = by_superblock(pa, pb);
  return c ? c : by_hash(pa, pb);
}

static int by_index(const void *pa, const void *pb) {
  return compare(((const struct placed *)pa)->index, ((const struct placed *)pb)->index);
}

static uint64_t hash_place(uint64_t h, const struct sc_order_item *item, int64_t x, int64_t y) {
  h = sc_stable_hash_text(h, item->id, strlen(item->id));
  h = sc_stable_hash_integer(h, x);
  return sc_stable_hash_integer(h, y) >> 11;
}

static void place_chips(const struct making *m) {
  const struct sc_order_options *o = m->options;
  uint64_t seeded = sc_stable_hash_integer(sc_stable_hash_start(), o->seed);
  for (size_t i = 0; i < m->n; i++) {
    const struct sc_order_chip *chip = &m->chips[i];
    const struct sc_order_item *item = &m->items[chip->item];
    struct placed *p = &m->placed[i];
    p->index = (uint32_t)i;
    p->item = chip->item;
    if (o->is_shuffled) p->hash = hash_place(seeded, item, chip->x, chip->y);
    if (!o->by_superblock && !(o->is_shuffled && o->mix)) continue;
    for (int axis = 0; axis < 2; axis++)
      p->block[axis] = (int32_t)floor(chip->middle[axis] / item->block_px[axis]);
    p->superblock_hash = hash_place(seeded, item, p->block[0], p->block[1]);
  }
}

/* Bring the chips into the order that shards are cut from; superblocks are numbered as they come.
 */
static size_t sort_chips(const struct making *m) {
  const struct sc_order_options *o = m->options;
  int needs = o->by_superblock || (o->is_shuffled && o->mix);
  size_t n_superblocks = 0;
  if (needs && m->n) {
    qsort(m->placed, m->n, sizeof *m->placed, by_superblock_and_hash);
    for (size_t i = 0; i < m->n; i++) {
      if (i == 0 || by_superblock(&m->placed[i - 1], &m->placed[i]) != 0) n_superblocks++;
      m->placed[i].superblock = (uint32_t)(n_superblocks - 1);
    }
  }
  if (o->is_shuffled && !o->mix && m->n) qsort(m->placed, m->n, sizeof *m->placed, by_hash);
  if (!o->is_shuffled && needs && m->n) qsort(m->placed, m->n, sizeof *m->placed, by_index);
  return n_superblocks;
}

/* --- mixing --- */

/* A superblock that is open: chips [next, end) are still to be drawn. The slot whose `pass` is the
 * least draws next, and goes `stride` further (stride scheduling, Waldspurger and Weihl, 1995): so
 * each batch draws from all slots by their rates. */
struct slot {
  uint64_t pass, stride;
  size_t next, end;
};

static int comes_before(const struct slot *a, const struct slot *b) {
  return a->pass < b->pass || (a->pass == b->pass && a->stride < b->stride);
}

static void sift_down(struct slot *heap, size_t n, size_t i) {
  for (size_t least = i;; i = least) {
    for (size_t child = 2 * i + 1; child < n && child <= 2 * i + 2; child++) {
      if (comes_before(&heap[child], &heap[least])) least = child;
    }
    if (least == i) return;
    struct slot s = heap[i];
    heap[i] = heap[least];
    heap[least] = s;
  }
}

static size_t end_of_superblock(const struct placed *p, size_t begin, size_t n) {
  size_t end = begin;
  while (end < n && p[end].superblock == p[begin].superblock) end++;
  return end;
}

#define PASS_UNIT ((uint64_t)1 << 32)

/* Chips [0, n), which lie superblock by superblock, into the order that slots draw them. */
static sc_status mix_chips(const struct placed *from, size_t n, size_t mix, struct placed *to,
                           struct sc_error *err) {
  struct slot *heap = sc_alloc((mix + 1) * sizeof *heap);
  size_t n_slots = 0, at = 0;
  if (!heap) return sc_fail_nomem(err);
  while (n_slots < mix && at < n) {
    struct slot *s = &heap[n_slots];
    s->stride = PASS_UNIT / (mix + n_slots + 1); /* rates from mix + 1 to 2 mix */
    s->pass = s->stride;
    s->next = at;
    s->end = at = end_of_superblock(from, at, n);
    n_slots++;
  }
  for (size_t i = n_slots; i-- > 0;) sift_down(heap, n_slots, i);
  for (size_t i = 0; i < n; i++) {
    struct slot *s = &heap[0];
    to[i] = from[s->next++];
    s->pass += s->stride;
    if (s->next == s->end && at < n) {
      s->next = at;
      s->end = at = end_of_superblock(from, at, n);
    } else if (s->next == s->end) {
      heap[0] = heap[--n_slots];
    }
    sift_down(heap, n_slots, 0);
  }
  sc_free(heap);
  return SC_OK;
}

/* --- shards --- */

/* The piece of shard `rank`: chips [begin, end). No overflow: at most 2^32 chips and a million
 * shards. */
static void cut_shard(const struct sc_order_options *o, size_t n, size_t *begin, size_t *end) {
  *begin = (size_t)((uint64_t)n * o->rank / o->world);
  *end = (size_t)((uint64_t)n * (o->rank + 1) / o->world);
}

/* How many batches each shard has, and the chips of this one that are in them. */
static sc_status count_batches(const struct sc_order_options *o, size_t n_all, size_t n_shard,
                               struct sc_order *out, struct sc_error *err) {
  size_t least = n_all / o->world, most = (n_all + o->world - 1) / o->world;
  out->n = o->n;
  out->n_batches = o->drop_last ? least / o->n : most / o->n + (most % o->n > 0);
  out->n_chips = o->drop_last ? out->n_batches * o->n : n_shard;
  if (least >= out->n_batches) return SC_OK;
  return sc_fail(err, SC_BAD_ARG,
                 "stacchip_batches: option 'shard': %zu chips in batches of %zu make no equal "
                 "numbers of batches for %zu shards; use fewer shards, or 'drop_last'",
                 n_all, o->n, o->world);
}

void sc_order_batch(const struct sc_order *order, size_t k, size_t *begin, size_t *end) {
  size_t to_come = order->n_batches - k - 1; /* each of them has a chip */
  *begin = k * order->n;
  *end = *begin + order->n;
  if (*begin > order->n_chips - (to_come + 1)) *begin = order->n_chips - (to_come + 1);
  if (*end > order->n_chips - to_come) *end = order->n_chips - to_come;
}

/* --- making --- */

static sc_status allocate(struct making *m, struct sc_order *out, struct placed **mixed,
                          struct sc_error *err) {
  m->placed = sc_alloc_zero(m->n + 1, sizeof *m->placed);
  *mixed = sc_alloc_zero(out->n_chips + 1, sizeof **mixed);
  out->chips = sc_alloc((out->n_chips + 1) * sizeof *out->chips);
  out->superblocks = sc_alloc((out->n_chips + 1) * sizeof *out->superblocks);
  if (m->placed && *mixed && out->chips && out->superblocks) return SC_OK;
  return sc_fail_nomem(err);
}

static void take_order(const struct placed *placed, struct sc_order *out) {
  for (size_t i = 0; i < out->n_chips; i++) {
    out->chips[i] = placed[i].index;
    out->superblocks[i] = placed[i].superblock;
  }
}

/* Within a batch the slots' turns would show. */
static void shuffle_batches(struct placed *placed, const struct sc_order *order) {
  for (size_t k = 0; k < order->n_batches; k++) {
    size_t begin, end;
    sc_order_batch(order, k, &begin, &end);
    qsort(placed + begin, end - begin, sizeof *placed, by_hash);
  }
}

sc_status sc_order_make(const struct sc_order_item *items, const struct sc_order_chip *chips,
                        size_t n_chips, const struct sc_order_options *options,
                        struct sc_order *out, struct sc_error *err) {
  struct making m = {items, chips, options, NULL, n_chips};
  struct placed *mixed = NULL;
  size_t begin, end;
  memset(out, 0, sizeof *out);
  if (n_chips > SC_ORDER_MAX_CHIPS)
    return sc_fail(err, SC_TOO_BIG, "%zu chips; the limit is %u", n_chips, SC_ORDER_MAX_CHIPS);
  cut_shard(options, n_chips, &begin, &end);
  sc_status st = count_batches(options, n_chips, end - begin, out, err);
  if (!st) st = allocate(&m, out, &mixed, err);
  if (!st) {
    place_chips(&m);
    out->n_superblocks = sort_chips(&m);
    int is_mixed = options->is_shuffled && options->mix;
    if (is_mixed) st = mix_chips(m.placed + begin, out->n_chips, options->mix, mixed, err);
    if (is_mixed && !st) shuffle_batches(mixed, out);
    if (!st) take_order(is_mixed ? mixed : m.placed + begin, out);
  }
  sc_free(m.placed);
  sc_free(mixed);
  if (st) sc_order_free(out);
  return st;
}

void sc_order_free(struct sc_order *order) {
  sc_free(order->chips);
  sc_free(order->superblocks);
  memset(order, 0, sizeof *order);
}

/* --- how well it is mixed --- */

static int by_number(const void *pa, const void *pb) {
  return compare(*(const uint32_t *)pa, *(const uint32_t *)pb);
}

static size_t count_distinct(uint32_t *numbers, size_t n) {
  size_t distinct = 0;
  qsort(numbers, n, sizeof *numbers, by_number);
  for (size_t i = 0; i < n; i++) distinct += i == 0 || numbers[i] != numbers[i - 1];
  return distinct;
}

sc_status sc_order_mixing(const struct sc_order *order, const struct sc_order_chip *chips, size_t k,
                          struct sc_order_mixing *out, struct sc_error *err) {
  size_t begin, end;
  sc_order_batch(order, k, &begin, &end);
  uint32_t *numbers = sc_alloc((end - begin) * sizeof *numbers);
  if (!numbers) return sc_fail_nomem(err);
  memcpy(numbers, order->superblocks + begin, (end - begin) * sizeof *numbers);
  out->superblocks = count_distinct(numbers, end - begin);
  for (size_t i = begin; i < end; i++) numbers[i - begin] = chips[order->chips[i]].item;
  out->items = count_distinct(numbers, end - begin);
  sc_free(numbers);
  return SC_OK;
}

/* The sum over pairs of a rising list is that of each member times those before less those behind:
 * the members come in order, so one pass keeps count and sum of each superblock. */
sc_status sc_order_distance(const struct sc_order *order, double *out, struct sc_error *err) {
  struct seen {
    double n, sum;
  } *seen = sc_alloc_zero(order->n_superblocks + 1, sizeof *seen);
  double total = 0, pairs = 0;
  if (!seen) return sc_fail_nomem(err);
  for (size_t i = 0; i < order->n_chips; i++) {
    struct seen *s = &seen[order->superblocks[i]];
    total += (double)i * s->n - s->sum;
    pairs += s->n;
    s->n++;
    s->sum += (double)i;
  }
  *out = pairs > 0 ? total / pairs : (double)NAN;
  sc_free(seen);
  return SC_OK;
}
