/*
 * Rows into the columns of row groups: one by one as they come, or sorted blocks, which are
 * gathered here and put into columns together, in the thread that then encodes them; see export.h.
 */
#include <string.h>

#include "geoparquet/export.h"

/* ---- boxes ---- */

static void widen(struct sc_pq_box *box, const struct sc_pq_box *more) {
  if (!box->present || more->min_x < box->min_x) box->min_x = more->min_x;
  if (!box->present || more->min_y < box->min_y) box->min_y = more->min_y;
  if (!box->present || more->max_x > box->max_x) box->max_x = more->max_x;
  if (!box->present || more->max_y > box->max_y) box->max_y = more->max_y;
  box->present = 1;
}

/*
 * The box column is FLOAT: rounded outwards, so that it covers the geometry. Every other value
 * needs the next float, which is the next integer but at 0: a branch would be a guess.
 */
static float box_side(const struct sc_pq_box *box, int side) {
  double v = side == 0 ? box->min_x : side == 1 ? box->min_y : side == 2 ? box->max_x : box->max_y;
  float f = (float)v;
  int is_up = side >= 2, is_inside = is_up ? (double)f < v : (double)f > v;
  int32_t bits;
  if (f == 0 && is_inside) return is_up ? 1e-45f : -1e-45f; /* the least there are */
  memcpy(&bits, &f, sizeof bits);
  bits += is_inside * (is_up == (f > 0) ? 1 : -1);
  memcpy(&f, &bits, sizeof f);
  return f;
}

/* ---- one row ---- */

static sc_status put_cell(struct sc_pq_rows *rows, size_t c, const struct sc_export_cell *cell,
                          enum sc_export_kind kind, struct sc_error *err) {
  if (cell->is_null) return sc_pq_rows_put_null(rows, c, err);
  switch (kind) {
    case SC_EXPORT_TEXT:
    case SC_EXPORT_GEOMETRY: return sc_pq_rows_put_bytes(rows, c, cell->bytes, cell->size, err);
    case SC_EXPORT_FRACTION: return sc_pq_rows_put_real(rows, c, cell->r, err);
    default: return sc_pq_rows_put_int(rows, c, cell->i, err);
  }
}

sc_status sc_export_put_row(const struct sc_export_files *f, const struct sc_export_row *row,
                            struct sc_pq_rows *rows, struct sc_geo_info *geo,
                            struct sc_error *err) {
  struct sc_pq_box box;
  int is_multi = 0;
  sc_status st = SC_OK;
  if (sc_export_row_box(f->options, row, &box, &is_multi)) {
    widen(&geo->box, &box);
    geo->has_multipolygons |= is_multi;
    geo->has_polygons |= !is_multi;
  }
  for (size_t i = 0; i < f->n_specs && !st; i++) {
    int cell = f->spec_cells[i];
    if (cell >= 0) {
      st = put_cell(rows, i, &row->cells[cell], f->options->columns[cell]->kind, err);
    } else if (box.present) {
      st = sc_pq_rows_put_real(rows, i, (double)box_side(&box, -1 - cell), err);
    } else {
      st = sc_pq_rows_put_null(rows, i, err);
    }
  }
  return st;
}

/* ---- the rows of a block, column by column ---- */

/* Packed rows of one layout. */
struct table {
  const struct sc_export_group *group;
  struct sc_pq_rows *rows;
  const unsigned char *data;
  size_t n, stride;
  size_t at[SC_EXPORT_MAX_COLUMNS]; /* of each cell in a packed row; 0: all are null */
  struct sc_pq_box boxes[SC_EXPORT_BLOCK_ROWS];
};

static const unsigned char *cell_of(const struct table *t, int cell, size_t row) {
  return t->data + row * t->stride + t->at[cell];
}

static sc_status put_words(const struct table *t, size_t c, int cell, struct sc_error *err) {
  unsigned char *p = sc_pq_rows_add_fixed(t->rows, c, t->n, err);
  if (!p) return err->status;
  for (size_t i = 0; i < t->n; i++) memcpy(p + 4 * i, cell_of(t, cell, i), 4);
  return SC_OK;
}

/* Texts by their numbers; they come in runs. */
static sc_status put_texts(const struct table *t, size_t c, int cell, struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t i = 0, end; i < t->n && !st; i = end) {
    uint32_t id = sc_le32(cell_of(t, cell, i));
    size_t size;
    const unsigned char *text = sc_interned_get(&t->group->packer->texts, id, &size);
    for (end = i + 1; end < t->n && sc_le32(cell_of(t, cell, end)) == id;) end++;
    unsigned char *p = sc_pq_rows_add_bytes(t->rows, c, end - i, size, err);
    if (!p) return err->status;
    for (size_t k = i; k < end; k++, p += size) {
      sc_put_le32(p, (uint32_t)size);
      p += 4;
      if (size) memcpy(p, text, size);
    }
  }
  return st;
}

static sc_status put_chipids(const struct table *t, size_t c, struct sc_error *err) {
  const struct sc_export_options *o = t->group->files->options;
  char chipid[SC_EXPORT_CHIPID_ITEM_MAX + SC_EXPORT_CHIPID_EXTRA];
  sc_status st = SC_OK;
  for (size_t i = 0; i < t->n && !st; i++) {
    struct sc_export_cell item = {0}, x = {0}, y = {0};
    item.bytes =
        sc_interned_get(&t->group->packer->texts, sc_le32(cell_of(t, o->item, i)), &item.size);
    x.i = sc_le32(cell_of(t, o->x, i));
    y.i = sc_le32(cell_of(t, o->y, i));
    size_t n = sc_export_make_chipid(&item, &x, &y, chipid);
    st = sc_pq_rows_put_bytes(t->rows, c, chipid, n, err);
  }
  return st;
}

static sc_status put_rings(const struct table *t, size_t c, int cell, struct sc_error *err) {
  enum { SIZE = SC_EXPORT_RING_HEAD_BYTES + SC_EXPORT_RING_BYTES + 16 };
  unsigned char head[4 + SC_EXPORT_RING_HEAD_BYTES];
  unsigned char *p = sc_pq_rows_add_bytes(t->rows, c, t->n, SIZE, err);
  if (!p) return err->status;
  sc_put_le32(head, SIZE);
  sc_export_put_ring_head(head + 4, SC_EXPORT_RING_BYTES / 16 + 1);
  for (size_t i = 0; i < t->n; i++, p += 4 + SIZE) {
    const unsigned char *ring = cell_of(t, cell, i) + 4;
    memcpy(p, head, sizeof head);
    memcpy(p + sizeof head, ring, SC_EXPORT_RING_BYTES);
    memcpy(p + sizeof head + SC_EXPORT_RING_BYTES, ring, 16);
  }
  return SC_OK;
}

static sc_status put_sides(const struct table *t, size_t c, int side, struct sc_error *err) {
  unsigned char *p = sc_pq_rows_add_fixed(t->rows, c, t->n, err);
  if (!p) return err->status;
  for (size_t i = 0; i < t->n; i++) {
    float f = box_side(&t->boxes[i], side);
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    sc_put_le32(p + 4 * i, bits);
  }
  return SC_OK;
}

static sc_status put_nulls(const struct table *t, size_t c, struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t i = 0; i < t->n && !st; i++) st = sc_pq_rows_put_null(t->rows, c, err);
  return st;
}

static void find_boxes(struct table *t, int cell, struct sc_geo_info *geo) {
  for (size_t i = 0; i < t->n; i++) {
    const unsigned char *p = cell_of(t, cell, i) + 4;
    struct sc_pq_box b = {1, sc_le_double(p), sc_le_double(p + 8), sc_le_double(p),
                          sc_le_double(p + 8)};
    for (size_t k = 16; k < SC_EXPORT_RING_BYTES; k += 16) {
      double x = sc_le_double(p + k), y = sc_le_double(p + k + 8);
      b.min_x = x < b.min_x ? x : b.min_x;
      b.max_x = x > b.max_x ? x : b.max_x;
      b.min_y = y < b.min_y ? y : b.min_y;
      b.max_y = y > b.max_y ? y : b.max_y;
    }
    t->boxes[i] = b;
    widen(&geo->box, &b);
  }
  geo->has_polygons = 1;
}

static sc_status put_column(const struct table *t, size_t c, int geometry, struct sc_error *err) {
  const struct sc_export_files *f = t->group->files;
  int cell = f->spec_cells[c];
  if (cell < 0) {
    return t->at[geometry] ? put_sides(t, c, -1 - cell, err) : put_nulls(t, c, err);
  }
  const struct sc_export_column *column = f->options->columns[cell];
  if (!t->at[cell]) return put_nulls(t, c, err);
  if (column->kind == SC_EXPORT_GEOMETRY) return put_rings(t, c, cell, err);
  if (column->kind != SC_EXPORT_TEXT) return put_words(t, c, cell, err);
  return column->is_unique ? put_chipids(t, c, err) : put_texts(t, c, cell, err);
}

/* Where the cells of a packed row are; 0 where the block's other rows may have them elsewhere. */
static int find_layout(const struct sc_export_options *o, const unsigned char *row, size_t *at,
                       int *geometry) {
  uint32_t bits = sc_le32(row + 4);
  size_t next = SC_EXPORT_ROW_HEAD_BYTES;
  for (int i = 0; i < o->n_columns; i++) {
    const struct sc_export_column *c = o->columns[i];
    int is_short = bits >> (16 + i) & 1, is_text = c->kind == SC_EXPORT_TEXT;
    if (c->kind == SC_EXPORT_GEOMETRY) *geometry = i;
    at[i] = bits >> i & 1 ? 0 : next;
    if (!at[i]) continue;
    if ((is_text || c->kind == SC_EXPORT_GEOMETRY) && !is_short) return 0;
    if (c->kind == SC_EXPORT_GEOMETRY && sc_le32(row + next) != SC_EXPORT_RING_BYTES) return 0;
    next += c->kind == SC_EXPORT_GEOMETRY ? 4 + SC_EXPORT_RING_BYTES
            : is_text && c->is_unique     ? 0
                                          : 4;
  }
  return 1;
}

/* Some rows of g->block, of which the first is open, as a table. */
static sc_status unpack_rows(struct sc_export_group *g, uint32_t first, uint32_t n,
                             struct sc_error *err) {
  size_t stride = g->block.last.size;
  sc_status st = sc_buffer_resize(&g->table, n * stride, err);
  for (uint32_t i = 0; i < first + n && !st; i++) {
    if (i) sc_export_block_next(&g->block);
    if (i >= first) memcpy(g->table.data + (i - first) * stride, g->block.last.data, stride);
  }
  return st;
}

static sc_status put_table(struct sc_export_group *g, uint32_t first, uint32_t n, struct table *t,
                           int geometry, struct sc_error *err) {
  sc_status st = unpack_rows(g, first, n, err);
  if (st) return st;
  t->data = g->table.data;
  t->n = n;
  t->stride = g->block.last.size;
  if (geometry >= 0 && t->at[geometry]) find_boxes(t, geometry, &g->geo);
  for (size_t c = 0; c < g->files->n_specs && !st; c++) st = put_column(t, c, geometry, err);
  t->rows->n_rows += n;
  return st;
}

/* Some rows of a block. */
static sc_status put_span(struct sc_export_group *g, const struct sc_sort_entry *e,
                          struct sc_pq_rows *rows, struct sc_error *err) {
  uint32_t first = e->size >> 16, n = e->size & 0xFFFF;
  struct table t;
  int geometry = -1;
  sc_status st = sc_export_block_open(&g->block, g->blocks.data + e->offset, err);
  if (st) return st;
  t.group = g;
  t.rows = rows;
  if (find_layout(g->files->options, g->block.last.data, t.at, &geometry)) {
    return put_table(g, first, n, &t, geometry, err);
  }
  for (uint32_t i = 0; i < first + n && !st; i++) {
    if (i) sc_export_block_next(&g->block);
    if (i < first) continue;
    st = sc_export_row_unpack(g->packer, g->block.last.data, &g->row, err);
    if (!st) st = sc_export_put_row(g->files, &g->row, rows, &g->geo, err);
    rows->n_rows++;
  }
  return st;
}

/* ---- row groups ---- */

/*
 * Within a page the order makes no difference to who looks for a place, but rows of one item in
 * their own order pack better by a fifth.
 */
static sc_status put_page(struct sc_export_group *g, size_t begin, size_t end,
                          struct sc_pq_rows *rows, struct sc_error *err) {
  size_t size = sizeof(struct sc_sort_entry);
  g->page.size = 0;
  sc_status st =
      sc_buffer_append(&g->page, g->spans.data + begin * size, (end - begin) * size, err);
  if (!st) st = sc_sort_entries(&g->page, &g->scratch, err);
  const struct sc_sort_entry *e = (const struct sc_sort_entry *)(const void *)g->page.data;
  for (size_t i = 0; i < end - begin && !st; i++) st = put_span(g, &e[i], rows, err);
  return st;
}

sc_status sc_export_group_fill(void *group, struct sc_pq_rows *rows, struct sc_pq_box *box,
                               struct sc_error *err) {
  struct sc_export_group *g = group;
  size_t n = g->spans.size / sizeof(struct sc_sort_entry), begin = 0;
  const uint32_t *ends = (const uint32_t *)(const void *)g->page_ends.data;
  size_t n_pages = g->page_ends.size / sizeof *ends;
  sc_status st = SC_OK;
  for (size_t i = 0; i <= n_pages && !st; i++) {
    size_t end = i < n_pages ? ends[i] : n;
    if (end > begin) st = put_page(g, begin, end, rows, err);
    begin = end;
  }
  *box = g->geo.box;
  return st;
}

sc_status sc_export_group_add(struct sc_export_group *g, const unsigned char *block, size_t size,
                              uint32_t first, uint32_t *n, struct sc_error *err) {
  size_t most = (size_t)g->files->options->row_group_rows - g->n_rows;
  uint32_t rows = sc_export_block_rows(block);
  *n = rows - first;
  if (*n > most) *n = (uint32_t)most;
  if (*n > SC_PQ_PAGE_ROWS - g->page_rows) *n = (uint32_t)(SC_PQ_PAGE_ROWS - g->page_rows);
  struct sc_sort_entry e = {sc_export_block_number(block), (uint32_t)g->blocks.size,
                            first << 16 | *n};
  sc_status st = sc_buffer_append(&g->blocks, block, size, err);
  if (!st) st = sc_buffer_append(&g->spans, &e, sizeof e, err);
  if (st) return st;
  g->n_rows += *n;
  g->n_bytes += size + sc_export_block_bytes(block) / rows * *n;
  g->page_rows += *n;
  if (g->page_rows < SC_PQ_PAGE_ROWS) return SC_OK;
  uint32_t end = (uint32_t)(g->spans.size / sizeof e);
  g->page_rows = 0;
  return sc_buffer_append(&g->page_ends, &end, sizeof end, err);
}

int sc_export_group_is_full(const struct sc_export_group *g) {
  return g->n_rows >= (size_t)g->files->options->row_group_rows ||
         g->n_bytes >= SC_PQ_ROW_GROUP_MAX_BYTES;
}

void sc_export_group_take(struct sc_export_group *g, struct sc_geo_info *geo) {
  if (g->geo.box.present) widen(&geo->box, &g->geo.box);
  geo->has_polygons |= g->geo.has_polygons;
  geo->has_multipolygons |= g->geo.has_multipolygons;
  memset(&g->geo, 0, sizeof g->geo);
  g->blocks.size = g->spans.size = g->page_ends.size = 0;
  g->n_rows = g->n_bytes = g->page_rows = 0;
}

void sc_export_group_free(struct sc_export_group *g) {
  sc_buffer_free(&g->blocks);
  sc_buffer_free(&g->spans);
  sc_buffer_free(&g->page_ends);
  sc_buffer_free(&g->page);
  sc_buffer_free(&g->scratch);
  sc_buffer_free(&g->table);
  sc_buffer_free(&g->block.bytes);
  sc_buffer_free(&g->block.last);
  sc_buffer_free(&g->row.wkb);
}
