/* Percentiles of values; see percentile.h. */
#include "pixels/percentile.h"

#include <stdlib.h>

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

void sc_sort_values(double *values, size_t n) { qsort(values, n, sizeof *values, by_value); }

double sc_percentile(const double *sorted, size_t n, double percent) {
  double at = percent / 100 * (double)(n - 1);
  size_t low = (size_t)at;
  double part = at - (double)low, a = sorted[low], b = low + 1 < n ? sorted[low + 1] : a;
  return part == 0 || a == b ? a : a + part * (b - a); /* no difference of infinities */
}
