/*
 * Rows of an export as bytes for the sorter; see export.h.
 *
 * What the sorter holds, writes and reads again decides how many runs there are: a million chips
 * are 199 MB as fetched and 161 MB as column values, but 104 MB packed and 64 MB in blocks, one run
 * of the sorter. A block is a chain of rows that arrive one after the other and lie near each other
 * (some eleven of a scene's row of chips), each as its difference from the row before; it is sorted
 * as one record, by its first row's place.
 */
#include <string.h>

#include "geoparquet/export.h"

/*
 * Layout: where the ring's points are (0: no ring), a bit for each null, a bit for each cell in its
 * short form, then the cells that are no nulls. Short forms: a text's number, a chipid that is not
 * there at all, a closed ring without its last point.
 */
#define HEAD_BYTES SC_EXPORT_ROW_HEAD_BYTES
#define TEXTS_MAX_BYTES ((size_t)32 << 20) /* beyond that texts are written out */
#define TEXTS_MAX_N (1u << 20)
#define RING_HEAD_BYTES SC_EXPORT_RING_HEAD_BYTES

void sc_export_packer_init(struct sc_export_packer *p, const struct sc_export_options *o) {
  memset(p, 0, sizeof *p);
  p->options = o;
}

/* Below 10^8. */
static char *put_number(char *p, int64_t v) {
  char digits[8];
  int n = 0;
  do {
    digits[n++] = (char)('0' + v % 10);
    v /= 10;
  } while (v);
  while (n) *p++ = digits[--n];
  return p;
}

size_t sc_export_make_chipid(const struct sc_export_cell *item, const struct sc_export_cell *x,
                             const struct sc_export_cell *y, char *out) {
  if (x->i < 0 || x->i > SC_EXPORT_MAX_POSITION || y->i < 0 || y->i > SC_EXPORT_MAX_POSITION) {
    return 0;
  }
  if (item->size) memcpy(out, item->bytes, item->size);
  char *end = out + item->size;
  *end++ = '-';
  end = put_number(end, x->i);
  *end++ = '-';
  end = put_number(end, y->i);
  return (size_t)(end - out);
}

/* The chipid of the row's item and position into `out` of 256 bytes; 0 where it has none. */
static size_t make_chipid(const struct sc_export_packer *p, const struct sc_export_row *row,
                          char *out) {
  const struct sc_export_options *o = p->options;
  if (!sc_export_has_chipid_parts(o)) return 0;
  const struct sc_export_cell *item = &row->cells[o->item];
  if (item->is_null || row->cells[o->x].is_null || row->cells[o->y].is_null) return 0;
  if (item->size > SC_EXPORT_CHIPID_ITEM_MAX) return 0;
  return sc_export_make_chipid(item, &row->cells[o->x], &row->cells[o->y], out);
}

static int is_made_chipid(const struct sc_export_packer *p, const struct sc_export_row *row,
                          int i) {
  char made[256];
  const struct sc_export_cell *cell = &row->cells[i];
  if (i != p->options->chipid) return 0;
  if (cell->bytes == row->chipid) return 1;
  size_t n = make_chipid(p, row, made);
  return n && n == cell->size && memcmp(made, cell->bytes, n) == 0;
}

/* The text's number; *is_known 0 where there are too many different ones. */
static sc_status text_number(struct sc_export_packer *p, int i, const struct sc_export_cell *cell,
                             int *is_known, struct sc_error *err) {
  size_t n;
  if (p->last[i].is_known) {
    const unsigned char *before = sc_interned_get(&p->texts, p->last[i].id, &n);
    *is_known = 1;
    if (cell->is_same || (n == cell->size && memcmp(before, cell->bytes, n) == 0)) return SC_OK;
  }
  *is_known = p->texts.n < TEXTS_MAX_N && p->texts.keys.size + cell->size < TEXTS_MAX_BYTES;
  p->last[i].is_known = *is_known;
  if (!*is_known) return SC_OK;
  return sc_interned_find(&p->texts, cell->bytes, cell->size, &p->last[i].id, err);
}

static int is_closed_ring(const struct sc_export_cell *cell) {
  const unsigned char *p = cell->bytes;
  return cell->size >= RING_HEAD_BYTES + 64 && sc_le32(p + 1) == 3 && sc_le32(p + 5) == 1 &&
         memcmp(p + RING_HEAD_BYTES, p + cell->size - 16, 16) == 0;
}

static unsigned char *put_bytes(unsigned char *p, const void *data, size_t n) {
  sc_put_le32(p, (uint32_t)n);
  if (n) memcpy(p + 4, data, n);
  return p + 4 + n;
}

/* One cell; sets *is_short. There is room for 4 bytes and its own. */
static sc_status pack_cell(struct sc_export_packer *p, const struct sc_export_row *row, int i,
                           unsigned char **at, int *is_short, struct sc_error *err) {
  const struct sc_export_column *c = p->options->columns[i];
  const struct sc_export_cell *cell = &row->cells[i];
  float f = (float)cell->r;
  sc_status st = SC_OK;
  *is_short = 0;
  if (c->kind == SC_EXPORT_FRACTION) {
    memcpy(*at, &f, 4);
    *at += 4;
  } else if (c->kind == SC_EXPORT_GEOMETRY && is_closed_ring(cell)) {
    *is_short = 1;
    const unsigned char *wkb = cell->bytes;
    p->ring_at = *at + 4;
    *at = put_bytes(*at, wkb + RING_HEAD_BYTES, cell->size - RING_HEAD_BYTES - 16);
  } else if (c->kind == SC_EXPORT_GEOMETRY) {
    *at = put_bytes(*at, cell->bytes, cell->size);
  } else if (c->kind != SC_EXPORT_TEXT) {
    sc_put_le32(*at, (uint32_t)cell->i);
    *at += 4;
  } else if (is_made_chipid(p, row, i)) {
    *is_short = 1;
  } else {
    if (!c->is_unique) st = text_number(p, i, cell, is_short, err);
    if (*is_short) {
      sc_put_le32(*at, p->last[i].id);
      *at += 4;
    } else {
      *at = put_bytes(*at, cell->bytes, cell->size);
    }
  }
  return st;
}

sc_status sc_export_row_pack(struct sc_export_packer *p, const struct sc_export_row *row,
                             struct sc_buffer *out, struct sc_error *err) {
  const struct sc_export_options *o = p->options;
  size_t n = HEAD_BYTES;
  uint32_t nulls = 0, shorts = 0;
  for (int i = 0; i < o->n_columns; i++) {
    enum sc_export_kind kind = o->columns[i]->kind;
    int has_bytes = kind == SC_EXPORT_TEXT || kind == SC_EXPORT_GEOMETRY;
    n += 4 + (has_bytes && !row->cells[i].is_null ? row->cells[i].size : 0);
  }
  out->size = 0;
  sc_status st = n > UINT32_MAX / 2 ? sc_fail(err, SC_TOO_BIG, "a row of %zu bytes", n)
                                    : sc_buffer_reserve(out, n, err);
  if (st) return st;
  unsigned char *at = out->data + HEAD_BYTES;
  p->row_bytes = n;
  p->ring_at = NULL;
  for (int i = 0; i < o->n_columns && !st; i++) {
    int is_short = 0;
    nulls |= (uint32_t)row->cells[i].is_null << i;
    if (!row->cells[i].is_null) st = pack_cell(p, row, i, &at, &is_short, err);
    shorts |= (uint32_t)is_short << i;
  }
  sc_put_le32(out->data,
              (uint32_t)(p->ring_at ? p->ring_at - out->data : 0)); /* below 2^31: see n */
  sc_put_le32(out->data + 4, nulls | shorts << 16);
  out->size = (size_t)(at - out->data);
  return st;
}

void sc_export_put_ring_head(unsigned char *p, size_t n_points) {
  p[0] = 1;
  sc_put_le32(p + 1, 3);
  sc_put_le32(p + 5, 1);
  sc_put_le32(p + 9, (uint32_t)n_points);
}

/* The WKB of a ring whose last point was left out. */
static sc_status unpack_ring(const unsigned char *points, size_t n, struct sc_export_row *row,
                             struct sc_export_cell *cell, struct sc_error *err) {
  sc_status st = sc_buffer_resize(&row->wkb, RING_HEAD_BYTES + n + 16, err);
  if (st) return st;
  unsigned char *p = row->wkb.data;
  sc_export_put_ring_head(p, n / 16 + 1);
  memcpy(p + RING_HEAD_BYTES, points, n);
  memcpy(p + RING_HEAD_BYTES + n, points, 16);
  cell->bytes = p;
  cell->size = row->wkb.size;
  return SC_OK;
}

/* One cell that is no null and no made chipid; returns the byte after. */
static const unsigned char *unpack_cell(const struct sc_export_packer *p, int i, int is_short,
                                        const unsigned char *at, struct sc_export_row *row,
                                        struct sc_error *err) {
  struct sc_export_cell *cell = &row->cells[i];
  enum sc_export_kind kind = p->options->columns[i]->kind;
  float f;
  if (kind == SC_EXPORT_FRACTION) {
    memcpy(&f, at, 4);
    cell->r = (double)f;
    return at + 4;
  }
  uint32_t n = sc_le32(at);
  cell->i = (int32_t)n;
  if (kind != SC_EXPORT_TEXT && kind != SC_EXPORT_GEOMETRY) return at + 4;
  if (kind == SC_EXPORT_TEXT && is_short) {
    cell->bytes = sc_interned_get(&p->texts, n, &cell->size);
    return at + 4;
  }
  cell->bytes = at + 4;
  cell->size = n;
  if (is_short && unpack_ring(at + 4, n, row, cell, err)) return NULL;
  return at + 4 + n;
}

sc_status sc_export_row_unpack(const struct sc_export_packer *p, const unsigned char *at,
                               struct sc_export_row *row, struct sc_error *err) {
  const struct sc_export_options *o = p->options;
  uint32_t bits = sc_le32(at + 4);
  int chipid = -1;
  at += HEAD_BYTES;
  for (int i = 0; i < o->n_columns; i++) {
    struct sc_export_cell *cell = &row->cells[i];
    int is_short = bits >> (16 + i) & 1;
    cell->is_null = bits >> i & 1;
    if (cell->is_null) continue;
    if (is_short && o->columns[i]->is_unique && o->columns[i]->kind == SC_EXPORT_TEXT) {
      chipid = i;
      continue;
    }
    at = unpack_cell(p, i, is_short, at, row, err);
    if (!at) return err->status;
  }
  if (chipid >= 0) { /* after the cells that it is made of */
    row->cells[chipid].size = make_chipid(p, row, row->chipid);
    row->cells[chipid].bytes = row->chipid;
  }
  return SC_OK;
}

/*
 * Rows of one item that come one after the other go through the sorter as one block: the
 * first as it is, the others as what differs. That is a third of the bytes, and a tenth of the
 * records. A block's rows are near each other: within one cell of the curve of eight chips.
 *
 * Layout: number of the first row, number of rows, bytes of all rows in columns, bytes of the first
 * row, it, then for each other one a mask of the words that differ, these words, a code for each of
 * the ring's points (which point of the row before it is, or none), and the points without one.
 */
#define BLOCK_HEAD_BYTES 20
/* In columns: a long text may be a number in many rows. */
#define BLOCK_MAX_BYTES ((size_t)1 << 20)
#define RING_BYTES SC_EXPORT_RING_BYTES
#define MAX_WORDS 32
#define NO_POINT 7

/* May the packed row be told by its difference to b->last? */
static int has_same_layout(const struct sc_export_block *b, const struct sc_buffer *row) {
  uint32_t ring = sc_le32(row->data);
  return ring && row->size == b->last.size && row->size % 4 == 0 &&
         memcmp(row->data, b->last.data, HEAD_BYTES) == 0 && ring % 4 == 0 &&
         ring + RING_BYTES <= row->size && sc_le32(row->data + ring - 4) == RING_BYTES &&
         (row->size - RING_BYTES) / 4 <= MAX_WORDS;
}

/* The words of a row are numbered without its ring. */
static size_t word_at(uint32_t ring, size_t word) {
  size_t at = word * 4;
  return at < ring ? at : at + RING_BYTES;
}

static unsigned char *put_words(unsigned char *p, const unsigned char *row,
                                const unsigned char *last, size_t n_words, uint32_t ring) {
  unsigned char *mask_at = p;
  uint32_t mask = 0;
  p += 4;
  for (size_t i = 0; i < n_words; i++) {
    size_t at = word_at(ring, i);
    if (memcmp(row + at, last + at, 4) == 0) continue;
    mask |= 1u << i;
    memcpy(p, row + at, 4);
    p += 4;
  }
  sc_put_le32(mask_at, mask);
  return p;
}

static unsigned char *put_points(unsigned char *p, const unsigned char *ring,
                                 const unsigned char *last) {
  unsigned codes = 0;
  unsigned char *codes_at = p;
  p += 2;
  for (unsigned i = 0; i < 4; i++) {
    unsigned code = 0;
    while (code < 4 && memcmp(ring + 16 * i, last + 16 * code, 16) != 0) code++;
    if (code == 4) {
      code = NO_POINT;
      memcpy(p, ring + 16 * i, 16);
      p += 16;
    }
    codes |= code << (3 * i);
  }
  codes_at[0] = (unsigned char)codes;
  codes_at[1] = (unsigned char)(codes >> 8);
  return p;
}

static int is_near(const struct sc_export_block *b, const struct sc_export_place *p) {
  const struct sc_export_place *first = &b->place;
  return p->partition == first->partition && p->is_known == first->is_known &&
         p->x >> b->cell_shift == first->x >> b->cell_shift &&
         p->y >> b->cell_shift == first->y >> b->cell_shift;
}

int sc_export_block_takes(const struct sc_export_block *b, const struct sc_buffer *row,
                          const struct sc_export_place *place) {
  return b->n_rows > 0 && b->n_rows < SC_EXPORT_BLOCK_ROWS && b->n_bytes < BLOCK_MAX_BYTES &&
         is_near(b, place) && has_same_layout(b, row);
}

sc_status sc_export_block_add(struct sc_export_block *b, const struct sc_buffer *row,
                              size_t row_bytes, struct sc_error *err) {
  sc_status st = sc_buffer_reserve(&b->bytes, row->size + BLOCK_HEAD_BYTES + 8, err);
  if (st) return st;
  unsigned char *p = b->bytes.data + b->bytes.size;
  if (b->n_rows == 0) {
    p = b->bytes.data + BLOCK_HEAD_BYTES;
    memcpy(p, row->data, row->size);
    p += row->size;
    sc_put_le32(b->bytes.data + 16, (uint32_t)row->size);
    st = sc_buffer_resize(&b->last, row->size, err);
    if (st) return st;
  } else {
    uint32_t ring = sc_le32(row->data);
    p = put_words(p, row->data, b->last.data, (row->size - RING_BYTES) / 4, ring);
    p = put_points(p, row->data + ring, b->last.data + ring);
  }
  b->bytes.size = (size_t)(p - b->bytes.data);
  memcpy(b->last.data, row->data, row->size);
  b->n_rows++;
  b->n_bytes += row_bytes;
  return SC_OK;
}

void sc_export_block_end(struct sc_export_block *b) {
  sc_put_le32(b->bytes.data, b->first_number);
  sc_put_le32(b->bytes.data + 4, b->n_rows);
  sc_put_le64(b->bytes.data + 8, b->n_bytes);
}

void sc_export_block_start(struct sc_export_block *b) {
  b->first_number += b->n_rows;
  b->n_rows = 0;
  b->n_bytes = b->bytes.size = 0;
}

sc_status sc_export_block_open(struct sc_export_block *b, const unsigned char *data,
                               struct sc_error *err) {
  size_t n = sc_le32(data + 16);
  b->n_rows = sc_le32(data + 4);
  b->next = data + BLOCK_HEAD_BYTES + n;
  b->last.size = 0;
  return sc_buffer_append(&b->last, data + BLOCK_HEAD_BYTES, n, err);
}

void sc_export_block_next(struct sc_export_block *b) {
  unsigned char *last = b->last.data, before[RING_BYTES];
  const unsigned char *p = b->next + 4;
  uint32_t ring = sc_le32(last);
  for (uint32_t mask = sc_le32(b->next); mask; mask &= mask - 1, p += 4) {
    memcpy(last + word_at(ring, (size_t)__builtin_ctz(mask)), p, 4);
  }
  unsigned codes = p[0] | (unsigned)p[1] << 8;
  p += 2;
  memcpy(before, last + ring, RING_BYTES);
  for (unsigned i = 0; i < 4; i++) {
    unsigned code = codes >> (3 * i) & 7;
    memcpy(last + ring + 16 * i, code == NO_POINT ? p : before + 16 * code, 16);
    if (code == NO_POINT) p += 16;
  }
  b->next = p;
}
