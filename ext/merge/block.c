/* The format of blocks; see block.h. */
#include "merge/block.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"

enum {
  BLOCK_VERSION = 1,
  BLOCK_EXPLICIT_IDS = 1,
  BLOCK_ONE_CLOUD = 2,
  BLOCK_ONE_NODATA = 4,
  BLOCK_EXPLICIT_BOXES = 8,
  BLOCK_ALL_FLAGS = 15
};
#define FLOAT_SLACK 4e-5f /* degrees: two steps of single precision at 180, and to spare */
#define BLOCK_HEAD_BYTES 36
#define BLOCK_MAX_BYTES (BLOCK_HEAD_BYTES + 8 + SC_BLOCK_CHIPS * (8 + 4 + 4 + 32))

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

void sc_block_boxes(const struct sc_footprint *f, struct sc_box32 *box, struct sc_box32 *west) {
  *box = *west = empty_box;
  for (int part = 0; part < f->n_parts; part++) {
    struct sc_box exact = sc_footprint_part_box(f, part);
    struct sc_box32 one = sc_box32_of(&exact);
    int is_west = f->n_parts > 1 && exact.min_x + exact.max_x < 0;
    box_join(is_west ? west : box, &one);
  }
  if (sc_box32_is_empty(box)) {
    *box = *west;
    *west = empty_box;
  }
}

void sc_block_put(struct sc_block *b, int bit, const struct sc_block_chip *chip) {
  int at = sc_block_rank(b, bit);
  if (!sc_block_has(b, bit)) {
    memmove(&b->chips[at + 1], &b->chips[at], (size_t)(b->n - at) * sizeof *b->chips);
    b->mask |= UINT64_C(1) << bit;
    b->n++;
  } else if (!sc_box32_is_empty(&b->chips[at].west)) {
    b->n_west--;
  }
  b->chips[at] = *chip;
  b->n_west += !sc_box32_is_empty(&chip->west);
}

void sc_block_remove(struct sc_block *b, int bit) {
  int at = sc_block_rank(b, bit);
  b->n_west -= !sc_box32_is_empty(&b->chips[at].west);
  b->n--;
  memmove(&b->chips[at], &b->chips[at + 1], (size_t)(b->n - at) * sizeof *b->chips);
  b->mask &= ~(UINT64_C(1) << bit);
}

struct sc_block_range sc_block_range(const struct sc_block *b) {
  struct sc_block_range r = {empty_box, empty_box, INFINITY, -INFINITY};
  for (int i = 0; i < b->n; i++) {
    const struct sc_block_chip *c = &b->chips[i];
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

/* What step q of 0..65535 along [low, high] means; rounded outwards by the caller. */
static double step_value(float low, float high, unsigned q) {
  return (double)low + ((double)high - (double)low) * q / 65535;
}

static unsigned quantize(float low, float high, float v, int up) {
  double span = (double)high - (double)low;
  if (span <= 0) return up ? 65535 : 0;
  double q = ((double)v - (double)low) / span * 65535;
  q = up ? ceil(q) : floor(q);
  unsigned step = q <= 0 ? 0 : q >= 65535 ? 65535 : (unsigned)q;
  if (up) {
    while (step < 65535 && float_above(step_value(low, high, step)) < v) step++;
  } else {
    while (step > 0 && float_below(step_value(low, high, step)) > v) step--;
  }
  return step;
}

static unsigned char *put_u16(unsigned char *p, unsigned v) {
  p[0] = (unsigned char)v;
  p[1] = (unsigned char)(v >> 8);
  return p + 2;
}

static unsigned char *put_small_box(unsigned char *p, const struct sc_box32 *base,
                                    const struct sc_box32 *b) {
  p = put_u16(p, quantize(base->min_x, base->max_x, b->min_x, 0));
  p = put_u16(p, quantize(base->min_x, base->max_x, b->max_x, 1));
  p = put_u16(p, quantize(base->min_y, base->max_y, b->min_y, 0));
  return put_u16(p, quantize(base->min_y, base->max_y, b->max_y, 1));
}

static struct sc_box32 get_small_box(const unsigned char *p, const struct sc_box32 *base) {
  struct sc_box32 b = {float_below(step_value(base->min_x, base->max_x, sc_le16(p))),
                       float_above(step_value(base->min_x, base->max_x, sc_le16(p + 2))),
                       float_below(step_value(base->min_y, base->max_y, sc_le16(p + 4))),
                       float_above(step_value(base->min_y, base->max_y, sc_le16(p + 6)))};
  return b;
}

static int flags_of(const struct sc_block *b) {
  int flags = BLOCK_ONE_CLOUD | BLOCK_ONE_NODATA;
  for (int i = 1; i < b->n; i++) {
    if (b->chips[i].id != b->chips[0].id + i) flags |= BLOCK_EXPLICIT_IDS;
    if (memcmp(&b->chips[i].cloud, &b->chips[0].cloud, 4) != 0) flags &= ~BLOCK_ONE_CLOUD;
    if (memcmp(&b->chips[i].nodata, &b->chips[0].nodata, 4) != 0) flags &= ~BLOCK_ONE_NODATA;
  }
  return b->n_west > 0 ? flags | BLOCK_EXPLICIT_BOXES : flags;
}

static unsigned char *put_explicit_boxes(unsigned char *p, const struct sc_block *b) {
  uint64_t west = 0;
  for (int i = 0; i < b->n; i++) {
    if (!sc_box32_is_empty(&b->chips[i].west)) west |= UINT64_C(1) << i;
  }
  sc_put_le64(p, west);
  p += 8;
  for (int i = 0; i < b->n; i++) p = put_box(p, &b->chips[i].box);
  for (int i = 0; i < b->n; i++) {
    if (west >> i & 1) p = put_box(p, &b->chips[i].west);
  }
  return p;
}

static unsigned char *put_head(unsigned char *p, const struct sc_block *b, int flags,
                               const struct sc_box32 *base) {
  memset(p, 0, BLOCK_HEAD_BYTES);
  p[0] = BLOCK_VERSION;
  p[1] = (unsigned char)flags;
  if (!(flags & BLOCK_EXPLICIT_BOXES)) put_box(p + 4, base);
  sc_put_le64(p + 20, b->mask);
  sc_put_le64(p + 28, b->n ? (uint64_t)b->chips[0].id : 0);
  return p + BLOCK_HEAD_BYTES;
}

sc_status sc_block_encode(const struct sc_block *b, struct sc_buffer *out, struct sc_error *err) {
  sc_status st = sc_buffer_reserve(out, BLOCK_MAX_BYTES, err);
  if (st) return st;
  int flags = flags_of(b);
  struct sc_box32 base = sc_block_range(b).box;
  unsigned char *p = put_head(out->data + out->size, b, flags, &base);
  if (flags & BLOCK_EXPLICIT_IDS) {
    for (int i = 0; i < b->n; i++, p += 8) sc_put_le64(p, (uint64_t)b->chips[i].id);
  }
  for (int i = 0; i < (flags & BLOCK_ONE_CLOUD ? 1 : b->n); i++, p += 4) {
    put_float(p, b->chips[i].cloud);
  }
  for (int i = 0; i < (flags & BLOCK_ONE_NODATA ? 1 : b->n); i++, p += 4) {
    put_float(p, b->chips[i].nodata);
  }
  if (flags & BLOCK_EXPLICIT_BOXES) {
    p = put_explicit_boxes(p, b);
  } else {
    for (int i = 0; i < b->n; i++) p = put_small_box(p, &base, &b->chips[i].box);
  }
  out->size = (size_t)(p - out->data);
  return SC_OK;
}

static void decode_ids(struct sc_bytes *in, int flags, int64_t first, struct sc_block *out) {
  if (!(flags & BLOCK_EXPLICIT_IDS)) {
    for (int i = 0; i < out->n; i++) out->chips[i].id = (int64_t)((uint64_t)first + (uint64_t)i);
    return;
  }
  const unsigned char *p = sc_bytes_take(in, 8 * (size_t)out->n);
  for (int i = 0; p && i < out->n; i++) out->chips[i].id = (int64_t)sc_le64(p + 8 * i);
}

static void decode_fractions(struct sc_bytes *in, int flags, struct sc_block *out) {
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

static void decode_small_boxes(struct sc_bytes *in, const struct sc_box32 *base,
                               struct sc_block *out) {
  const unsigned char *p = sc_bytes_take(in, 8 * (size_t)out->n);
  for (int i = 0; p && i < out->n; i++) {
    out->chips[i].box = get_small_box(p + 8 * i, base);
    out->chips[i].west = empty_box;
  }
}

static void decode_explicit_boxes(struct sc_bytes *in, struct sc_block *out) {
  uint64_t west = sc_bytes_le64(in);
  const unsigned char *p = sc_bytes_take(in, 16 * (size_t)out->n);
  for (int i = 0; p && i < out->n; i++) {
    out->chips[i].box = get_box(p + 16 * i);
    out->chips[i].west = empty_box;
  }
  for (int i = 0; p && i < out->n; i++) {
    const unsigned char *q = west >> i & 1 ? sc_bytes_take(in, 16) : NULL;
    if (!q) continue;
    out->chips[i].west = get_box(q);
    out->n_west += !sc_box32_is_empty(&out->chips[i].west);
  }
}

sc_status sc_block_decode(const void *bytes, size_t size, struct sc_block *out,
                          struct sc_error *err) {
  const unsigned char *p = bytes;
  out->n = out->n_west = 0;
  out->mask = 0;
  if (size < BLOCK_HEAD_BYTES || p[0] != BLOCK_VERSION || p[1] > BLOCK_ALL_FLAGS) {
    return sc_fail(err, SC_BAD_DATA, "block of %zu bytes: expected version %d, found %d", size,
                   BLOCK_VERSION, size ? p[0] : -1);
  }
  struct sc_bytes in = sc_bytes_of(p + BLOCK_HEAD_BYTES, size - BLOCK_HEAD_BYTES);
  struct sc_box32 base = get_box(p + 4);
  int flags = p[1];
  out->slack_x = FLOAT_SLACK + (base.max_x - base.min_x) / 65535;
  out->slack_y = FLOAT_SLACK + (base.max_y - base.min_y) / 65535;
  out->mask = sc_le64(p + 20);
  out->n = __builtin_popcountll(out->mask);
  decode_ids(&in, flags, (int64_t)sc_le64(p + 28), out);
  decode_fractions(&in, flags, out);
  if (flags & BLOCK_EXPLICIT_BOXES) {
    decode_explicit_boxes(&in, out);
  } else {
    decode_small_boxes(&in, &base, out);
  }
  if (!in.overrun && !sc_bytes_left(&in)) return SC_OK;
  return sc_fail(err, SC_BAD_DATA, "block of %d chips: %zu bytes do not fit its head", out->n,
                 size);
}
