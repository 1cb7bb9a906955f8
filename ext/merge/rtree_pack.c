/* Cells, nodes and their order; see rtree_pack.h. */
#include "merge/rtree_pack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/hilbert.h"

struct keyed {
  uint64_t key;
  uint32_t index;
};

/* One pass of a stable radix sort over 10 bits of the key. */
static void radix_pass(const struct keyed *from, struct keyed *to, size_t n, int shift) {
  size_t start[1024] = {0}, sum = 0;
  for (size_t i = 0; i < n; i++) start[from[i].key >> shift & 1023]++;
  for (size_t b = 0; b < 1024; b++) {
    size_t count = start[b];
    start[b] = sum;
    sum += count;
  }
  for (size_t i = 0; i < n; i++) to[start[from[i].key >> shift & 1023]++] = from[i];
}

sc_status sc_rtree_order(const struct sc_rtree_cell *cells, size_t n, uint32_t **order,
                         struct sc_error *err) {
  *order = NULL;
  if (n > UINT32_MAX) return sc_fail(err, SC_TOO_BIG, "%zu entries at once for an R*Tree", n);
  struct keyed *a = sc_alloc(n * sizeof *a), *b = sc_alloc(n * sizeof *b);
  uint32_t *out = sc_alloc(n * sizeof *out);
  if (a && b && out) {
    for (size_t i = 0; i < n; i++) {
      const float *c = cells[i].c; /* its centre; day and cloud have no part in the order */
      a[i].key =
          sc_hilbert_lonlat(((double)c[0] + (double)c[1]) / 2, ((double)c[2] + (double)c[3]) / 2);
      a[i].index = (uint32_t)i;
    }
    for (int shift = 0; shift < 2 * SC_HILBERT_BITS; shift += 20) {
      radix_pass(a, b, n, shift);
      radix_pass(b, a, n, shift + 10);
    }
    for (size_t i = 0; i < n; i++) out[i] = a[i].index;
    *order = out;
  } else {
    sc_free(out);
  }
  sc_free(a);
  sc_free(b);
  return *order ? SC_OK : sc_fail_nomem(err);
}

void sc_rtree_cell_join(struct sc_rtree_cell *to, const struct sc_rtree_cell *from, int n_coords) {
  for (int i = 0; i < n_coords; i += 2) {
    if (from->c[i] < to->c[i]) to->c[i] = from->c[i];
    if (from->c[i + 1] > to->c[i + 1]) to->c[i + 1] = from->c[i + 1];
  }
}

/* The first two dimensions decide: degrees, while days and fractions are of other units. */
double sc_rtree_cell_area(const struct sc_rtree_cell *cell, int n_coords) {
  (void)n_coords;
  return ((double)cell->c[1] - (double)cell->c[0]) * ((double)cell->c[3] - (double)cell->c[2]);
}

int sc_rtree_cell_holds(const struct sc_rtree_cell *outer, const struct sc_rtree_cell *inner,
                        int n_coords) {
  for (int i = 0; i < n_coords; i += 2) {
    if (inner->c[i] < outer->c[i] || inner->c[i + 1] > outer->c[i + 1]) return 0;
  }
  return 1;
}

struct sc_rtree_cell sc_rtree_node_cell(const struct sc_rtree_node *node, int n_coords) {
  struct sc_rtree_cell cell = node->cells[0];
  for (int i = 1; i < node->n; i++) sc_rtree_cell_join(&cell, &node->cells[i], n_coords);
  cell.id = node->number;
  return cell;
}

int sc_rtree_choose(const struct sc_rtree_node *node, const struct sc_rtree_cell *cell,
                    int n_coords) {
  int best = 0;
  double best_growth = HUGE_VAL, best_area = HUGE_VAL;
  for (int i = 0; i < node->n; i++) {
    struct sc_rtree_cell grown = node->cells[i];
    double area = sc_rtree_cell_area(&grown, n_coords);
    sc_rtree_cell_join(&grown, cell, n_coords);
    double growth = sc_rtree_cell_area(&grown, n_coords) - area;
    if (growth < best_growth || (growth == best_growth && area < best_area)) {
      best = i;
      best_growth = growth;
      best_area = area;
    }
  }
  return best;
}

static int compare_x(const void *a, const void *b) {
  const float *p = ((const struct sc_rtree_cell *)a)->c, *q = ((const struct sc_rtree_cell *)b)->c;
  float x = p[0] + p[1], y = q[0] + q[1];
  return (x > y) - (x < y);
}

static int compare_y(const void *a, const void *b) {
  const float *p = ((const struct sc_rtree_cell *)a)->c, *q = ((const struct sc_rtree_cell *)b)->c;
  float x = p[2] + p[3], y = q[2] + q[3];
  return (x > y) - (x < y);
}

/*
 * Two halves at the median, not the R* split of least overlap: only single entries and the subtrees
 * of a batch ever split a node, and 'optimize' packs all of them.
 */
void sc_rtree_split(struct sc_rtree_node *node, struct sc_rtree_node *right, int n_coords) {
  struct sc_rtree_cell all = sc_rtree_node_cell(node, n_coords);
  int wide = all.c[1] - all.c[0] >= all.c[3] - all.c[2];
  qsort(node->cells, (size_t)node->n, sizeof *node->cells, wide ? compare_x : compare_y);
  right->depth = 0;
  right->n = node->n / 2;
  node->n -= right->n;
  memcpy(right->cells, node->cells + node->n, (size_t)right->n * sizeof *right->cells);
}

void sc_rtree_node_encode(const struct sc_rtree_node *node, int n_coords, unsigned char *out,
                          size_t node_bytes) {
  memset(out, 0, node_bytes);
  out[0] = (unsigned char)(node->depth >> 8);
  out[1] = (unsigned char)node->depth;
  out[2] = (unsigned char)(node->n >> 8);
  out[3] = (unsigned char)node->n;
  unsigned char *p = out + 4;
  for (int i = 0; i < node->n; i++) {
    sc_put_be32(p, (uint32_t)((uint64_t)node->cells[i].id >> 32));
    sc_put_be32(p + 4, (uint32_t)node->cells[i].id);
    p += 8;
    for (int k = 0; k < n_coords; k++, p += 4) {
      uint32_t bits;
      memcpy(&bits, &node->cells[i].c[k], sizeof bits);
      sc_put_be32(p, bits);
    }
  }
}

sc_status sc_rtree_node_decode(const void *bytes, size_t size, int64_t number, int n_coords,
                               struct sc_rtree_node *out, struct sc_error *err) {
  const unsigned char *p = bytes;
  size_t cell_bytes = 8 + 4 * (size_t)n_coords;
  out->number = number;
  out->bytes = size;
  out->n = 0;
  int n = size >= 4 ? p[2] << 8 | p[3] : 0;
  if (size < 4 || n > SC_RTREE_MAX_CELLS || 4 + (size_t)n * cell_bytes > size) {
    return sc_fail(err, SC_BAD_DATA, "R*Tree node %lld: %d cells do not fit its %zu bytes",
                   (long long)number, n, size);
  }
  out->depth = p[0] << 8 | p[1];
  out->n = n;
  p += 4;
  for (int i = 0; i < n; i++) {
    out->cells[i].id = (int64_t)sc_be64(p);
    p += 8;
    for (int k = 0; k < n_coords; k++, p += 4) {
      uint32_t bits = sc_be32(p);
      memcpy(&out->cells[i].c[k], &bits, sizeof bits);
    }
    for (int k = n_coords; k < SC_RTREE_MAX_COORDS; k++) out->cells[i].c[k] = 0;
  }
  return SC_OK;
}
