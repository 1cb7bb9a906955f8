/* Regions of equal pixels as polygons; see regions.h. */
#include "pixels/regions.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/interrupt.h"

#define HELD_MAX_BYTES ((size_t)2 << 30)
#define NONE 0 /* no number of anything: a pixel that says nothing, the end of a list */

/* --- pools --- */

/* Things of one type by their numbers, from 1 on; numbers given back are used again. */
struct pool {
  unsigned char *items;
  size_t item_bytes;
  uint32_t n, capacity, free; /* a free one begins with the number of the next */
};

#define AT(type, pool, number) ((type *)(void *)((pool).items + (size_t)(number) * sizeof(type)))

static sc_status pool_take(struct pool *p, uint32_t *out, struct sc_error *err) {
  if (p->free) {
    *out = p->free;
    memcpy(&p->free, p->items + (size_t)*out * p->item_bytes, sizeof p->free);
  } else {
    if (p->n + 1 >= p->capacity) {
      size_t capacity = p->capacity ? (size_t)p->capacity + p->capacity / 2 : 64;
      if (capacity * p->item_bytes > HELD_MAX_BYTES) {
        return sc_fail(err, SC_TOO_BIG,
                       "borders of polygons that are not complete take more than %zu bytes; the "
                       "map is too ragged: smooth it, or make polygons of parts of it",
                       HELD_MAX_BYTES);
      }
      unsigned char *items = sc_realloc(p->items, capacity * p->item_bytes);
      if (!items) return sc_fail_nomem(err);
      p->items = items;
      p->capacity = (uint32_t)capacity;
    }
    *out = ++p->n;
  }
  memset(p->items + (size_t)*out * p->item_bytes, 0, p->item_bytes);
  return SC_OK;
}

static void pool_give(struct pool *p, uint32_t number) {
  memcpy(p->items + (size_t)number * p->item_bytes, &p->free, sizeof p->free);
  p->free = number;
}

/* --- what is held --- */

struct node {
  uint32_t next;
  int32_t x, y;
  uint32_t is_saddle; /* two pixels of one value share this corner alone, and may be of one part */
};

/* A border that is not closed. Who knows it by its ends is told when its number changes. */
struct chain {
  uint32_t first, last; /* nodes */
  uint32_t *head_at, *tail_at;
};

struct ring {
  uint32_t next;
  uint32_t first; /* node; the last one's next is NONE */
};

/* Pixels that hang together by their sides. */
struct part {
  uint32_t next;   /* of its group, once it is complete */
  uint32_t parent; /* itself, or the part that it was found to belong to */
  uint32_t group;
  uint32_t first_ring, last_ring;
  int32_t last_row;
  int64_t n_pixels;
  double value;
};

/* Parts that hang together by corners. */
struct group {
  uint32_t parent;
  uint32_t n_open; /* parts that are not complete */
  uint32_t first_part, last_part;
  uint32_t absorbed, last_absorbed, next_absorbed; /* groups whose parent it is */
};

/* Where the borders wait that cross a line: the chain that goes there next, or that came from
 * there, seen by the region on either side. */
struct crossing {
  uint32_t head, tail;
};

struct growing {
  unsigned char *items;
  size_t n, capacity;
};

struct sc_regions {
  struct sc_regions_options o;
  struct pool nodes, chains, rings, parts, groups;
  int32_t row;             /* the next one's number */
  uint32_t *above, *below; /* parts of the last row and of this one, from 1 to width, NONE around */
  double *values;          /* of the last row */
  uint32_t *runs;          /* parts that were found to be others in this row */
  size_t n_runs;
  struct crossing *down; /* of each vertical line between two pixels: head of the left, tail of the
                            right region's */
  struct growing corners, out_rings, out_parts, stack; /* of the region that is given */
  uint32_t *table;                                     /* of corners on the stack */
  size_t table_size;
};

static sc_status grow(struct growing *g, size_t item_bytes, size_t extra, struct sc_error *err) {
  size_t wanted = g->n + extra;
  if (wanted <= g->capacity) return SC_OK;
  size_t capacity = wanted + wanted / 2 + 16;
  unsigned char *items = sc_realloc(g->items, capacity * item_bytes);
  if (!items) return sc_fail_nomem(err);
  g->items = items;
  g->capacity = capacity;
  return SC_OK;
}

#define ITEMS(type, growing) ((type *)(void *)(growing).items)

/* --- parts and groups --- */

#define PART(r, number) AT(struct part, (r)->parts, number)
#define GROUP(r, number) AT(struct group, (r)->groups, number)

static uint32_t find_part(struct sc_regions *r, uint32_t p) {
  while (PART(r, p)->parent != p) {
    PART(r, p)->parent = PART(r, PART(r, p)->parent)->parent;
    p = PART(r, p)->parent;
  }
  return p;
}

static uint32_t find_group(struct sc_regions *r, uint32_t g) {
  while (GROUP(r, g)->parent != g) {
    GROUP(r, g)->parent = GROUP(r, GROUP(r, g)->parent)->parent;
    g = GROUP(r, g)->parent;
  }
  return g;
}

static sc_status new_part(struct sc_regions *r, double value, uint32_t *out, struct sc_error *err) {
  uint32_t group = NONE;
  sc_status st = pool_take(&r->parts, out, err);
  if (!st && r->o.is_eight) st = pool_take(&r->groups, &group, err);
  if (st) return st;
  PART(r, *out)->parent = *out;
  PART(r, *out)->value = value;
  PART(r, *out)->group = group;
  if (group) {
    GROUP(r, group)->parent = group;
    GROUP(r, group)->n_open = 1;
  }
  return SC_OK;
}

/* Append the list of numbers [first, last] to another one; `next` of each is in its first member.
 */
static void join_groups(struct sc_regions *r, uint32_t a, uint32_t b) {
  a = find_group(r, a);
  b = find_group(r, b);
  if (a == b) return;
  struct group *to = GROUP(r, a), *from = GROUP(r, b);
  from->parent = a;
  to->n_open += from->n_open;
  if (from->first_part) {
    if (to->last_part) PART(r, to->last_part)->next = from->first_part;
    if (!to->first_part) to->first_part = from->first_part;
    to->last_part = from->last_part;
  }
  from->next_absorbed = from->absorbed; /* b itself, and then its own */
  uint32_t end = from->last_absorbed ? from->last_absorbed : b;
  GROUP(r, end)->next_absorbed = to->absorbed;
  if (!to->absorbed) to->last_absorbed = end;
  to->absorbed = b;
}

/* Two runs of one part: b becomes a. Its number is free once the row is done. */
static void join_parts(struct sc_regions *r, uint32_t a, uint32_t b) {
  struct part *to = PART(r, a), *from = PART(r, b);
  from->parent = a;
  to->n_pixels += from->n_pixels;
  if (to->last_row < from->last_row) to->last_row = from->last_row;
  if (from->first_ring) {
    if (to->last_ring) AT(struct ring, r->rings, to->last_ring)->next = from->first_ring;
    if (!to->first_ring) to->first_ring = from->first_ring;
    to->last_ring = from->last_ring;
  }
  if (r->o.is_eight) {
    join_groups(r, to->group, from->group);
    GROUP(r, find_group(r, to->group))->n_open--;
  }
  r->runs[r->n_runs++] = b;
}

/* --- giving a region --- */

static uint64_t corner_hash(const struct sc_corner *c) {
  return sc_hash_mix((uint64_t)(uint32_t)c->x << 32 | (uint32_t)c->y);
}

/* Where a corner lies on the stack, by its place in the table, or NONE. The table keeps what was
 * taken off: it counts only where the stack says the same. */
static uint32_t *look_up(struct sc_regions *r, const struct sc_corner *c, size_t *at) {
  const struct sc_corner *stack = ITEMS(struct sc_corner, r->stack);
  size_t mask = r->table_size - 1, i = (size_t)corner_hash(c) & mask;
  for (; r->table[i]; i = (i + 1) & mask) {
    size_t k = r->table[i] - 1;
    *at = k;
    if (k < r->stack.n && memcmp(&stack[k], c, sizeof *c) == 0) return &r->table[i];
  }
  return &r->table[i];
}

static sc_status make_table(struct sc_regions *r, size_t n_saddles, struct sc_error *err) {
  size_t size = 16;
  while (size < 4 * n_saddles) size *= 2;
  if (size > r->table_size) {
    sc_free(r->table);
    r->table = sc_alloc(size * sizeof *r->table);
    if (!r->table) return sc_fail_nomem(err);
    r->table_size = size;
  }
  memset(r->table, 0, r->table_size * sizeof *r->table);
  return SC_OK;
}

/* The corners of the stack from `from` on are a ring. */
static sc_status give_ring(struct sc_regions *r, size_t from, struct sc_error *err) {
  size_t n = r->stack.n - from;
  sc_status st = grow(&r->corners, sizeof(struct sc_corner), n, err);
  if (!st) st = grow(&r->out_rings, sizeof(struct sc_region_ring), 1, err);
  if (st) return st;
  memcpy(ITEMS(struct sc_corner, r->corners) + r->corners.n,
         ITEMS(struct sc_corner, r->stack) + from, n * sizeof(struct sc_corner));
  ITEMS(struct sc_region_ring, r->out_rings)
  [r->out_rings.n++] = (struct sc_region_ring){r->corners.n, n};
  r->corners.n += n;
  return SC_OK;
}

/*
 * A ring as it was traced may meet a corner twice, where two of its pixels share no more than that:
 * it is taken apart there, into a shell and holes that touch it, or into holes that touch.
 */
static sc_status split_ring(struct sc_regions *r, uint32_t first, struct sc_error *err) {
  size_t n = 0, n_saddles = 0, at = 0;
  for (uint32_t i = first; i; i = AT(struct node, r->nodes, i)->next) {
    n++;
    n_saddles += AT(struct node, r->nodes, i)->is_saddle;
  }
  r->stack.n = 0;
  sc_status st = grow(&r->stack, sizeof(struct sc_corner), n, err);
  if (!st && n_saddles) st = make_table(r, n_saddles, err);
  for (uint32_t i = first, next; i && !st; i = next) {
    const struct node *node = AT(struct node, r->nodes, i);
    const struct sc_corner corner = {node->x, node->y};
    uint32_t *place = node->is_saddle ? look_up(r, &corner, &at) : NULL;
    if (place && *place) {
      st = give_ring(r, at, err);
      r->stack.n = at;
    }
    ITEMS(struct sc_corner, r->stack)[r->stack.n++] = corner;
    if (place) *place = (uint32_t)r->stack.n;
    next = node->next;
    pool_give(&r->nodes, i);
  }
  return st ? st : give_ring(r, 0, err);
}

/* Positive of shells. By the horizontal edges alone: no sum is larger than height times length. */
static int64_t ring_area(const struct sc_corner *c, size_t n) {
  int64_t area = 0;
  for (size_t i = 0; i < n; i++) {
    const struct sc_corner *next = &c[i + 1 < n ? i + 1 : 0];
    area += (int64_t)c[i].y * (next->x - c[i].x);
  }
  return area;
}

/* The rings of a part, the shell first. */
static sc_status add_part(struct sc_regions *r, uint32_t number, struct sc_error *err) {
  size_t first = r->out_rings.n;
  sc_status st = grow(&r->out_parts, sizeof(struct sc_region_part), 1, err);
  for (uint32_t i = PART(r, number)->first_ring, next; i && !st; i = next) {
    next = AT(struct ring, r->rings, i)->next;
    st = split_ring(r, AT(struct ring, r->rings, i)->first, err);
    pool_give(&r->rings, i);
  }
  if (st) return st;
  struct sc_region_ring *rings = ITEMS(struct sc_region_ring, r->out_rings) + first;
  size_t n = r->out_rings.n - first;
  for (size_t i = 1; i < n; i++) {
    if (ring_area(ITEMS(struct sc_corner, r->corners) + rings[i].first, rings[i].n) <= 0) continue;
    const struct sc_region_ring shell = rings[i];
    rings[i] = rings[0];
    rings[0] = shell;
    break;
  }
  ITEMS(struct sc_region_part, r->out_parts)
  [r->out_parts.n++] = (struct sc_region_part){first, n};
  return SC_OK;
}

/* Give the region of a list of parts, and forget them. */
static sc_status give(struct sc_regions *r, uint32_t part, struct sc_error *err) {
  struct sc_region region = {.value = PART(r, part)->value};
  r->corners.n = r->out_rings.n = r->out_parts.n = 0;
  sc_status st = SC_OK;
  for (uint32_t next; part && !st; part = next) {
    next = PART(r, part)->next;
    region.n_pixels += PART(r, part)->n_pixels;
    st = add_part(r, part, err);
    pool_give(&r->parts, part);
  }
  if (st) return st;
  region.corners = ITEMS(struct sc_corner, r->corners);
  region.rings = ITEMS(struct sc_region_ring, r->out_rings);
  region.parts = ITEMS(struct sc_region_part, r->out_parts);
  region.n_corners = r->corners.n;
  region.n_rings = r->out_rings.n;
  region.n_parts = r->out_parts.n;
  return r->o.take(r->o.context, &region, err);
}

static sc_status complete(struct sc_regions *r, uint32_t part, struct sc_error *err) {
  if (!r->o.is_eight) return give(r, part, err);
  uint32_t number = find_group(r, PART(r, part)->group);
  struct group *g = GROUP(r, number);
  if (g->last_part) PART(r, g->last_part)->next = part;
  if (!g->first_part) g->first_part = part;
  g->last_part = part;
  if (--g->n_open) return SC_OK;
  uint32_t first = g->first_part;
  for (uint32_t i = g->absorbed, next; i; i = next) {
    next = GROUP(r, i)->next_absorbed;
    pool_give(&r->groups, i);
  }
  pool_give(&r->groups, number);
  return give(r, first, err);
}

/* --- borders --- */

#define CHAIN(r, number) AT(struct chain, (r)->chains, number)

static void set_head(struct sc_regions *r, uint32_t chain, uint32_t *place) {
  CHAIN(r, chain)->head_at = place;
  *place = chain;
}
static void set_tail(struct sc_regions *r, uint32_t chain, uint32_t *place) {
  CHAIN(r, chain)->tail_at = place;
  *place = chain;
}

/* The two chains that end and begin at a corner become one, or where they are one already a ring
 * of the part. */
static sc_status join_chains(struct sc_regions *r, uint32_t a, uint32_t b, uint32_t part,
                             struct sc_error *err) {
  struct chain *first = CHAIN(r, a), *second = CHAIN(r, b);
  if (a != b) {
    AT(struct node, r->nodes, first->last)->next = second->first;
    first->last = second->last;
    set_tail(r, a, second->tail_at);
    pool_give(&r->chains, b);
    return SC_OK;
  }
  uint32_t number;
  sc_status st = pool_take(&r->rings, &number, err);
  if (st) return st;
  struct part *p = PART(r, part);
  AT(struct ring, r->rings, number)->first = first->first;
  if (p->last_ring) AT(struct ring, r->rings, p->last_ring)->next = number;
  if (!p->first_ring) p->first_ring = number;
  p->last_ring = number;
  pool_give(&r->chains, a);
  return SC_OK;
}

/* A corner of four pixels: what meets there. Edges and quadrants are numbered counter-clockwise
 * from the east, with y upwards: quadrant k lies between the edges k and k + 1. */
enum { EAST, NORTH, WEST, SOUTH };

struct corner {
  int x;
  uint32_t part[4];
  int n_edges;                   /* that are borders */
  struct crossing north, west;   /* chains that came here */
  struct crossing *south, *east; /* where they go on */
};

/* The chains that a region's border comes by and goes on with; NONE: not known yet. The region is
 * on its left, so that it comes in by the edge that ends its sector, and leaves by the first. */
static uint32_t coming(const struct corner *c, int edge) {
  return edge == NORTH ? c->north.tail : edge == WEST ? c->west.tail : NONE;
}
static uint32_t leaving(const struct corner *c, int edge) {
  return edge == NORTH ? c->north.head : edge == WEST ? c->west.head : NONE;
}

static int has_vertex(const struct sc_regions *r, const struct corner *c, int out, int in) {
  int is_straight = ((in - out) & 3) == 2;
  if (!is_straight) return 1;
  if (!r->o.dense_px) return 0;
  int along = out == EAST || out == WEST ? c->x : r->row;
  return c->n_edges > 2 || along % r->o.dense_px == 0;
}

static sc_status new_node(struct sc_regions *r, const struct corner *c, int out, uint32_t *node,
                          struct sc_error *err) {
  uint32_t part = c->part[out], opposite = c->part[(out + 2) & 3];
  sc_status st = pool_take(&r->nodes, node, err);
  if (st) return st;
  int is_saddle = c->n_edges == 4 && opposite && PART(r, part)->value == PART(r, opposite)->value;
  *AT(struct node, r->nodes, *node) =
      (struct node){.x = c->x, .y = r->row, .is_saddle = (uint32_t)is_saddle};
  return SC_OK;
}

/* The border of the region in the sector from edge `out` to edge `in` goes through the corner. */
static sc_status pass(struct sc_regions *r, const struct corner *c, int out, int in,
                      struct sc_error *err) {
  uint32_t before = coming(c, in), after = leaving(c, out), node = NONE, chain = before;
  sc_status st = SC_OK;
  if (has_vertex(r, c, out, in)) st = new_node(r, c, out, &node, err);
  if (!st && !before && !after) {
    st = pool_take(&r->chains, &chain, err);
    if (!st) CHAIN(r, chain)->first = CHAIN(r, chain)->last = node;
  } else if (!st && node && before) {
    AT(struct node, r->nodes, CHAIN(r, before)->last)->next = node;
    CHAIN(r, before)->last = node;
  } else if (!st && node) {
    AT(struct node, r->nodes, node)->next = CHAIN(r, after)->first;
    CHAIN(r, after)->first = node;
  }
  if (st) return st;
  if (before && after) return join_chains(r, before, after, c->part[out], err);
  if (!before) set_head(r, chain ? chain : after, in == EAST ? &c->east->head : &c->south->head);
  if (!after) set_tail(r, chain, out == EAST ? &c->east->tail : &c->south->tail);
  return SC_OK;
}

/* Parts of one value that share this corner alone. */
static void join_diagonals(struct sc_regions *r, const struct corner *c) {
  for (int k = 0; k < 2; k++) {
    uint32_t a = c->part[k], b = c->part[k + 2];
    if (a && b && PART(r, a)->value == PART(r, b)->value)
      join_groups(r, PART(r, a)->group, PART(r, b)->group);
  }
}

static sc_status take_corner(struct sc_regions *r, struct corner *c, struct sc_error *err) {
  int edges[4];
  sc_status st = SC_OK;
  c->n_edges = 0;
  for (int k = 0; k < 4; k++)
    if (c->part[k] != c->part[(k + 3) & 3]) edges[c->n_edges++] = k;
  for (int i = 0; i < c->n_edges && !st; i++) {
    int out = edges[i], in = edges[(i + 1) % c->n_edges];
    if (c->part[out]) st = pass(r, c, out, in, err);
  }
  if (!st && r->o.is_eight && c->n_edges == 4) join_diagonals(r, c);
  return st;
}

/* All corners between the last row and this one. */
static sc_status take_line(struct sc_regions *r, struct sc_error *err) {
  struct crossing sides[2] = {{NONE, NONE},
                              {NONE, NONE}}; /* to the west and to the east, in turn */
  const uint32_t *above = r->above, *below = r->below;
  sc_status st = SC_OK;
  for (int x = 0; x <= r->o.width && !st; x++) {
    struct corner c = {.x = x, .part = {above[x + 1], above[x], below[x], below[x + 1]}};
    if (c.part[0] == c.part[1] && c.part[1] == c.part[2] && c.part[2] == c.part[3]) continue;
    c.north = r->down[x];
    c.west = sides[x & 1];
    c.south = &r->down[x];
    c.east = &sides[~x & 1];
    st = take_corner(r, &c, err);
  }
  return st;
}

/* --- rows --- */

/* The part of each pixel of the row. values NULL: a row that says nothing. */
static sc_status find_parts(struct sc_regions *r, const double *values, const uint8_t *said,
                            struct sc_error *err) {
  sc_status st = SC_OK;
  for (int x = 0; x < r->o.width && !st; x++) {
    uint32_t *part = &r->below[x + 1], left = r->below[x], up = r->above[x + 1];
    *part = NONE;
    if (!values || !said[x]) continue;
    if (left && values[x] == values[x - 1]) *part = left;
    if (up && values[x] == r->values[x]) {
      up = find_part(r, up);
      if (*part && *part != up) join_parts(r, up, *part);
      *part = up;
    }
    if (!*part) st = new_part(r, values[x], part, err);
    if (st) break;
    PART(r, *part)->n_pixels++;
    PART(r, *part)->last_row = r->row;
  }
  return st;
}

/* Numbers of parts that were found to be others are replaced by these, and free. */
static void settle(struct sc_regions *r) {
  if (r->n_runs == 0) return;
  for (int x = 1; x <= r->o.width; x++) {
    if (r->above[x]) r->above[x] = find_part(r, r->above[x]);
    if (r->below[x]) r->below[x] = find_part(r, r->below[x]);
  }
  while (r->n_runs) pool_give(&r->parts, r->runs[--r->n_runs]);
}

/* Parts of the last row that this one has no pixel of. */
static sc_status complete_row(struct sc_regions *r, struct sc_error *err) {
  sc_status st = SC_OK;
  for (int x = 1; x <= r->o.width && !st; x++) {
    uint32_t part = r->above[x];
    if (!part || part == r->above[x - 1] || PART(r, part)->last_row != r->row - 1) continue;
    PART(r, part)->last_row = r->row; /* it may have further runs */
    r->runs[r->n_runs++] = part;
  }
  for (size_t i = 0; i < r->n_runs && !st; i++) st = complete(r, r->runs[i], err);
  r->n_runs = 0;
  return st;
}

static sc_status take_row(struct sc_regions *r, const double *values, const uint8_t *said,
                          struct sc_error *err) {
  sc_status st = sc_interrupt_check(err);
  if (!st) st = find_parts(r, values, said, err);
  settle(r);
  if (!st) st = take_line(r, err);
  if (!st) st = complete_row(r, err);
  uint32_t *swap = r->above;
  r->above = r->below;
  r->below = swap;
  r->row++;
  return st;
}

sc_status sc_regions_row(struct sc_regions *r, const double *values, const uint8_t *said,
                         struct sc_error *err) {
  sc_status st = take_row(r, values, said, err);
  memcpy(r->values, values, (size_t)r->o.width * sizeof *values);
  return st;
}

sc_status sc_regions_end(struct sc_regions *r, struct sc_error *err) {
  return take_row(r, NULL, NULL, err);
}

sc_status sc_regions_new(const struct sc_regions_options *options, struct sc_regions **out,
                         struct sc_error *err) {
  size_t n = (size_t)options->width + 2;
  struct sc_regions *r = sc_alloc_zero(1, sizeof *r);
  *out = r;
  if (!r) return sc_fail_nomem(err);
  r->o = *options;
  r->nodes.item_bytes = sizeof(struct node);
  r->chains.item_bytes = sizeof(struct chain);
  r->rings.item_bytes = sizeof(struct ring);
  r->parts.item_bytes = sizeof(struct part);
  r->groups.item_bytes = sizeof(struct group);
  r->above = sc_alloc_zero(n, sizeof *r->above);
  r->below = sc_alloc_zero(n, sizeof *r->below);
  r->runs = sc_alloc_zero(n, sizeof *r->runs);
  r->values = sc_alloc_zero(n, sizeof *r->values);
  r->down = sc_alloc_zero(n, sizeof *r->down);
  if (r->above && r->below && r->runs && r->values && r->down) return SC_OK;
  sc_regions_free(r);
  *out = NULL;
  return sc_fail_nomem(err);
}

void sc_regions_free(struct sc_regions *r) {
  if (!r) return;
  sc_free(r->nodes.items);
  sc_free(r->chains.items);
  sc_free(r->rings.items);
  sc_free(r->parts.items);
  sc_free(r->groups.items);
  sc_free(r->above);
  sc_free(r->below);
  sc_free(r->runs);
  sc_free(r->values);
  sc_free(r->down);
  sc_free(r->corners.items);
  sc_free(r->out_rings.items);
  sc_free(r->out_parts.items);
  sc_free(r->stack.items);
  sc_free(r->table);
  sc_free(r);
}
