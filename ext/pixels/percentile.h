/* Percentiles of values: linear between the two nearest, as NumPy's default has them. */
#ifndef SC_PIXELS_PERCENTILE_H
#define SC_PIXELS_PERCENTILE_H

#include <stddef.h>

#include "base/status.h"

/* Ascending; without NaN. Takes memory for as many values; SC_INTERRUPT leaves them in any order.
 */
sc_status sc_sort_values(double *values, size_t n, struct sc_error *err);

/* percent 0..100 of n >= 1 sorted values, which may be infinite. */
double sc_percentile(const double *sorted, size_t n, double percent);

#endif
