/* The format of chip blocks; see chip_block.h. */
#include "merge/chip_block.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"

enum {
  BLOCK_VERSION = 2,
  BLOCK_ROUNDED = 1, /* the version of rounded boxes */
  BLOCK_EXPLICIT_IDS = 1,
  BLOCK_ONE_CLOUD = 2,
  BLOCK_ONE_NODATA = 4,
  BLOCK_WEST_BOXES = 8, /* version 1: all boxes are 4 float */
  BLOCK_ALL_FLAGS = 15
};
#define BLOCK_HEAD_BYTES 28
#define ROUNDED_HEAD_BYTES 36
/* Every optional part is there, and each coordinate takes four bytes. */
#define BLOCK_MAX_BYTES (BLOCK_HEAD_BYTES + 8 + SC_CHIP_BLOCK_CHIPS * (8 + 4 + 4 + 32))

static float float_below(double v) {
  float f = (float)v;
  return (double)f > v ? nextafterf(f, -INFINITY) : f;
}

static float float_above(double v) {
  float f = (float)v;
  return (double)f < v ? nextafterf(f, INFINITY) : f;
}

static const struct sc_box32 empty_box = {INFINITY, -INFINITY, INFINITY, -INFINITY};

static void box_join(struct sc_box32 *to, const struct sc_box32 *from) {
  if (from->min_x < to->min_x) to->min_x = from->min_x;
  if (from->max_x > to->max_x) to->max_x = from->max_x;
  if (from->min_y < to->min_y) to->min_y = from->min_y;
  if (from->max_y > to->max_y) to->max_y = from->max_y;
}

struct sc_box32 sc_box32_of(const struct sc_box *box) {
  struct sc_box32 b = {float_below(box->min_x), float_above(box->max_x), float_below(box->min_y),
                       float_above(box->max_y)};
  return b;
}

void sc_chip_block_boxes(const struct sc_footprint *f, struct sc_box32 *box,
                         struct sc_box32 *west) {
  *box = *west = empty_box;
  for (int part = 0; part < f->n_parts; part++) {
    struct sc_box exact = sc_footprint_part_box(f, part);
    struct sc_box32 one = sc_box32_of(&exact);
    /* One box over both parts of a chip across the antimeridian would span the globe. */
    int is_west = f->n_parts > 1 && exact.min_x + exact.max_x < 0;
    box_join(is_west ? west : box, &one);
  }
  if (sc_box32_is_empty(box)) {
    *box = *west;
    *west = empty_box;
  }
}

void sc_chip_block_init(struct sc_chip_block *b) {
  b->mask = 0;
  b->n = b->n_west = 0;
  b->is_exact = 1;
  b->slack_x = b->slack_y = SC_BOX32_SLACK;
}

void sc_chip_block_put(struct sc_chip_block *b, int bit, const struct sc_chip_entry *chip) {
  int at = sc_chip_block_rank(b, bit);
  if (!sc_chip_block_has(b, bit)) {
    memmove(&b->chips[at + 1], &b->chips[at], (size_t)(b->n - at) * sizeof *b->chips);
    b->mask |= UINT64_C(1) << bit;
    b->n++;
  } else if (!sc_box32_is_empty(&b->chips[at].west)) {
    b->n_west--;
  }
  b->chips[at] = *chip;
  b->n_west += !sc_box32_is_empty(&chip->west);
}

void sc_chip_block_remove(struct sc_chip_block *b, int bit) {
  int at = sc_chip_block_rank(b, bit);
  b->n_west -= !sc_box32_is_empty(&b->chips[at].west);
  b->n--;
  memmove(&b->chips[at], &b->chips[at + 1], (size_t)(b->n - at) * sizeof *b->chips);
  b->mask &= ~(UINT64_C(1) << bit);
}

struct sc_chip_block_range sc_chip_block_range(const struct sc_chip_block *b) {
  struct sc_chip_block_range r = {empty_box, empty_box, INFINITY, -INFINITY};
  for (int i = 0; i < b->n; i++) {
    const struct sc_chip_entry *c = &b->chips[i];
    /* Beside a chip across the antimeridian others lie wholly on one side of it. */
    int is_west = b->n_west > 0 && c->box.min_x + c->box.max_x < 0;
    box_join(is_west ? &r.west : &r.box, &c->box);
    box_join(&r.west, &c->west);
    if (c->cloud < r.min_cloud) r.min_cloud = c->cloud;
    if (c->cloud > r.max_cloud) r.max_cloud = c->cloud;
  }
  if (sc_box32_is_empty(&r.box)) {
    r.box = r.west;
    r.west = empty_box;
  }
  if (r.min_cloud > r.max_cloud) r.min_cloud = r.max_cloud = -1;
  return r;
}

static void put_float(unsigned char *p, float v) {
  uint32_t u;
  memcpy(&u, &v, sizeof u);
  sc_put_le32(p, u);
}

static float get_float(const unsigned char *p) {
  uint32_t u = sc_le32(p);
  float v;
  memcpy(&v, &u, sizeof v);
  return v;
}

static unsigned char *put_box(unsigned char *p, const struct sc_box32 *b) {
  put_float(p, b->min_x);
  put_float(p + 4, b->max_x);
  put_float(p + 8, b->min_y);
  put_float(p + 12, b->max_y);
  return p + 16;
}

static struct sc_box32 get_box(const unsigned char *p) {
  struct sc_box32 b = {get_float(p), get_float(p + 4), get_float(p + 8), get_float(p + 12)};
  return b;
}

/*
 * The rank of a float among all floats, and back: neighbours in value are neighbours in rank. The
 * bits of floats count up with their values, but down below zero. A block of 20 km spans some
 * 50 000 floats at 60 degrees: two bytes a coordinate, and nothing is rounded, where fractions of
 * the block's box lost a little at each rewrite.
 */
static uint32_t rank_of(float v) {
  uint32_t u;
  memcpy(&u, &v, sizeof u);
  return u >> 31 ? ~u : u | UINT32_C(1) << 31;
}

static float of_rank(uint32_t rank) {
  uint32_t u = rank >> 31 ? rank ^ UINT32_C(1) << 31 : ~rank;
  float v;
  memcpy(&v, &u, sizeof v);
  return v;
}

/* Ranks from a base on, in so many bytes each. */
struct axis {
  uint32_t base;
  int n_bytes;
};

/* The axis that holds every box's coordinates: by rank, in which -0 and 0 differ. */
static struct axis axis_of(const struct sc_chip_block *b, int is_y) {
  uint32_t least = UINT32_MAX, greatest = 0;
  for (int i = 0; i < b->n; i++) {
    const struct sc_box32 *box = &b->chips[i].box;
    uint32_t ranks[2] = {rank_of(is_y ? box->min_y : box->min_x),
                         rank_of(is_y ? box->max_y : box->max_x)};
    for (int k = 0; k < 2; k++) {
      if (ranks[k] < least) least = ranks[k];
      if (ranks[k] > greatest) greatest = ranks[k];
    }
  }
  struct axis a = {least, 1};
  uint32_t span = b->n ? greatest - least : 0;
  while (a.n_bytes < 4 && span >> 8 * a.n_bytes) a.n_bytes++;
  return a;
}

static unsigned char *put_step(unsigned char *p, const struct axis *a, float v) {
  uint32_t step = rank_of(v) - a->base;
  for (int i = 0; i < a->n_bytes; i++) *p++ = (unsigned char)(step >> 8 * i);
  return p;
}

static float get_step(const unsigned char *p, const struct axis *a) {
  uint32_t step = 0;
  for (int i = a->n_bytes; i-- > 0;) step = step << 8 | p[i];
  return of_rank(a->base + step);
}

/* What the block can leave out. Fractions are compared as bits: unknown ones, NaN, are equal. */
static int flags_of(const struct sc_chip_block *b) {
  int flags = BLOCK_ONE_CLOUD | BLOCK_ONE_NODATA;
  for (int i = 1; i < b->n; i++) {
    uint64_t in_order = (uint64_t)b->chips[0].id + (uint64_t)i;
    if ((uint64_t)b->chips[i].id != in_order) flags |= BLOCK_EXPLICIT_IDS;
    if (memcmp(&b->chips[i].cloud, &b->chips[0].cloud, 4) != 0) flags &= ~BLOCK_ONE_CLOUD;
    if (memcmp(&b->chips[i].nodata, &b->chips[0].nodata, 4) != 0) flags &= ~BLOCK_ONE_NODATA;
  }
  return b->n_west > 0 ? flags | BLOCK_WEST_BOXES : flags;
}

static unsigned char *put_boxes(unsigned char *p, const struct sc_chip_block *b,
                                const struct axis *x, const struct axis *y) {
  for (int i = 0; i < b->n; i++) {
    const struct sc_box32 *box = &b->chips[i].box;
    p = put_step(put_step(p, x, box->min_x), x, box->max_x);
    p = put_step(put_step(p, y, box->min_y), y, box->max_y);
  }
  return p;
}

static unsigned char *put_west_boxes(unsigned char *p, const struct sc_chip_block *b) {
  uint64_t west = 0;
  unsigned char *mask = p;
  p += 8;
  for (int i = 0; i < b->n; i++) {
    if (sc_box32_is_empty(&b->chips[i].west)) continue;
    west |= UINT64_C(1) << i;
    p = put_box(p, &b->chips[i].west);
  }
  sc_put_le64(mask, west);
  return p;
}

static unsigned char *put_head(unsigned char *p, const struct sc_chip_block *b, int flags,
                               const struct axis *x, const struct axis *y) {
  p[0] = BLOCK_VERSION;
  p[1] = (unsigned char)flags;
  p[2] = (unsigned char)x->n_bytes;
  p[3] = (unsigned char)y->n_bytes;
  sc_put_le32(p + 4, x->base);
  sc_put_le32(p + 8, y->base);
  sc_put_le64(p + 12, b->mask);
  sc_put_le64(p + 20, b->n ? (uint64_t)b->chips[0].id : 0);
  return p + BLOCK_HEAD_BYTES;
}

sc_status sc_chip_block_encode(const struct sc_chip_block *b, struct sc_buffer *out,
                               struct sc_error *err) {
  sc_status st = sc_buffer_reserve(out, BLOCK_MAX_BYTES, err);
  if (st) return st;
  int flags = flags_of(b);
  struct axis x = axis_of(b, 0), y = axis_of(b, 1);
  unsigned char *p = put_head(out->data + out->size, b, flags, &x, &y);
  if (flags & BLOCK_EXPLICIT_IDS) {
    for (int i = 0; i < b->n; i++, p += 8) sc_put_le64(p, (uint64_t)b->chips[i].id);
  }
  for (int i = 0; i < (flags & BLOCK_ONE_CLOUD ? 1 : b->n); i++, p += 4) {
    put_float(p, b->chips[i].cloud);
  }
  for (int i = 0; i < (flags & BLOCK_ONE_NODATA ? 1 : b->n); i++, p += 4) {
    put_float(p, b->chips[i].nodata);
  }
  p = put_boxes(p, b, &x, &y);
  if (flags & BLOCK_WEST_BOXES) p = put_west_boxes(p, b);
  out->size = (size_t)(p - out->data);
  return SC_OK;
}

static void decode_ids(struct sc_bytes *in, int flags, int64_t first, struct sc_chip_block *out) {
  if (!(flags & BLOCK_EXPLICIT_IDS)) {
    for (int i = 0; i < out->n; i++) out->chips[i].id = (int64_t)((uint64_t)first + (uint64_t)i);
    return;
  }
  const unsigned char *p = sc_bytes_take(in, 8 * (size_t)out->n);
  for (int i = 0; p && i < out->n; i++) out->chips[i].id = (int64_t)sc_le64(p + 8 * i);
}

static void decode_fractions(struct sc_bytes *in, int flags, struct sc_chip_block *out) {
  int one_cloud = flags & BLOCK_ONE_CLOUD, one_nodata = flags & BLOCK_ONE_NODATA;
  const unsigned char *p = sc_bytes_take(in, one_cloud ? 4 : 4 * (size_t)out->n);
  for (int i = 0; p && i < out->n; i++) {
    out->chips[i].cloud = get_float(p + (one_cloud ? 0 : 4 * i));
  }
  p = sc_bytes_take(in, one_nodata ? 4 : 4 * (size_t)out->n);
  for (int i = 0; p && i < out->n; i++) {
    out->chips[i].nodata = get_float(p + (one_nodata ? 0 : 4 * i));
  }
}

static void decode_boxes(struct sc_bytes *in, const struct axis *x, const struct axis *y,
                         struct sc_chip_block *out) {
  size_t step = 2 * (size_t)(x->n_bytes + y->n_bytes);
  const unsigned char *p = sc_bytes_take(in, step * (size_t)out->n);
  for (int i = 0; p && i < out->n; i++, p += step) {
    const unsigned char *q = p + 2 * x->n_bytes;
    struct sc_box32 box = {get_step(p, x), get_step(p + x->n_bytes, x), get_step(q, y),
                           get_step(q + y->n_bytes, y)};
    out->chips[i].box = box;
    out->chips[i].west = empty_box;
  }
}

static void decode_west_boxes(struct sc_bytes *in, uint64_t west, struct sc_chip_block *out) {
  for (int i = 0; i < out->n; i++) {
    const unsigned char *q = west >> i & 1 ? sc_bytes_take(in, 16) : NULL;
    if (!q) continue;
    out->chips[i].west = get_box(q);
    out->n_west += !sc_box32_is_empty(&out->chips[i].west);
  }
}

/* ---- version 1 ---- */

/* What step q of 0..65535 along [low, high] means; rounded outwards by the caller. */
static double step_value(float low, float high, unsigned q) {
  return (double)low + ((double)high - (double)low) * q / 65535;
}

static struct sc_box32 get_rounded_box(const unsigned char *p, const struct sc_box32 *base) {
  struct sc_box32 b = {float_below(step_value(base->min_x, base->max_x, sc_le16(p))),
                       float_above(step_value(base->min_x, base->max_x, sc_le16(p + 2))),
                       float_below(step_value(base->min_y, base->max_y, sc_le16(p + 4))),
                       float_above(step_value(base->min_y, base->max_y, sc_le16(p + 6)))};
  return b;
}

static void decode_rounded_boxes(struct sc_bytes *in, const struct sc_box32 *base,
                                 struct sc_chip_block *out) {
  const unsigned char *p = sc_bytes_take(in, 8 * (size_t)out->n);
  for (int i = 0; p && i < out->n; i++) {
    out->chips[i].box = get_rounded_box(p + 8 * i, base);
    out->chips[i].west = empty_box;
  }
}

static void decode_float_boxes(struct sc_bytes *in, struct sc_chip_block *out) {
  uint64_t west = sc_bytes_le64(in);
  const unsigned char *p = sc_bytes_take(in, 16 * (size_t)out->n);
  for (int i = 0; p && i < out->n; i++) {
    out->chips[i].box = get_box(p + 16 * i);
    out->chips[i].west = empty_box;
  }
  decode_west_boxes(in, west, out);
}

/* As version 2, but for the head (4: base box, 20: mask, 28: first rowid) and the boxes. */
static void decode_rounded(const unsigned char *p, struct sc_bytes *in, struct sc_chip_block *out) {
  struct sc_box32 base = get_box(p + 4);
  int flags = p[1];
  sc_bytes_take(in, ROUNDED_HEAD_BYTES);
  out->is_exact = 0;
  out->slack_x += (base.max_x - base.min_x) / 65535;
  out->slack_y += (base.max_y - base.min_y) / 65535;
  out->mask = sc_le64(p + 20);
  out->n = __builtin_popcountll(out->mask);
  decode_ids(in, flags, (int64_t)sc_le64(p + 28), out);
  decode_fractions(in, flags, out);
  if (flags & BLOCK_WEST_BOXES) {
    decode_float_boxes(in, out);
  } else {
    decode_rounded_boxes(in, &base, out);
  }
}

/* ---- both ---- */

static void decode_exact(const unsigned char *p, struct sc_bytes *in, struct sc_chip_block *out) {
  struct axis x = {sc_le32(p + 4), p[2]}, y = {sc_le32(p + 8), p[3]};
  int flags = p[1];
  sc_bytes_take(in, BLOCK_HEAD_BYTES);
  out->mask = sc_le64(p + 12);
  out->n = __builtin_popcountll(out->mask);
  decode_ids(in, flags, (int64_t)sc_le64(p + 20), out);
  decode_fractions(in, flags, out);
  decode_boxes(in, &x, &y, out);
  if (flags & BLOCK_WEST_BOXES) decode_west_boxes(in, sc_bytes_le64(in), out);
}

static int is_head(const unsigned char *p, size_t size) {
  if (size < BLOCK_HEAD_BYTES || p[1] > BLOCK_ALL_FLAGS) return 0;
  if (p[0] == BLOCK_ROUNDED) return size >= ROUNDED_HEAD_BYTES;
  return p[0] == BLOCK_VERSION && p[2] >= 1 && p[2] <= 4 && p[3] >= 1 && p[3] <= 4;
}

sc_status sc_chip_block_decode(const void *bytes, size_t size, struct sc_chip_block *out,
                               struct sc_error *err) {
  const unsigned char *p = bytes;
  sc_chip_block_init(out);
  if (!is_head(p, size)) {
    return sc_fail(err, SC_BAD_DATA, "block of %zu bytes: expected version %d, found %d", size,
                   BLOCK_VERSION, size ? p[0] : -1);
  }
  struct sc_bytes in = sc_bytes_of(p, size);
  if (p[0] == BLOCK_ROUNDED) {
    decode_rounded(p, &in, out);
  } else {
    decode_exact(p, &in, out);
  }
  if (!in.overrun && !sc_bytes_left(&in)) return SC_OK;
  return sc_fail(err, SC_BAD_DATA, "block of %d chips: %zu bytes do not fit its head", out->n,
                 size);
}
