/*
 * Statistics of one band over one geometry, pixel by pixel with weights.
 *
 * The definitions are exactextract's, which without weights are NumPy's: std is that of the
 * population; a quantile lies between two values by where s_k = k w_k + (n - 1) (w_0 + ... +
 * w_(k-1)) of the values in order, k from 0, passes that part of (n - 1) times all weights
 * (https://stats.stackexchange.com/a/13223). Of equal values the lighter comes first there.
 */
#ifndef SC_PIXELS_ZONAL_STATS_H
#define SC_PIXELS_ZONAL_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "pixels/chip_options.h"

struct cJSON;

struct sc_zonal_value {
  double value, weight;
};

/* Zeroed is empty; sc_zonal_free(). */
struct sc_zonal {
  double count, sum, min, max;   /* count: of weights */
  double mean, m2;               /* running: West, "Updating Mean and Variance Estimates", 1979 */
  struct sc_zonal_value *values; /* for quantiles: every stride-th */
  size_t n_values, capacity;
  uint64_t stride, seen;
  struct sc_zonal_value *classes; /* an open hash of 2^n places; weight 0: free */
  size_t n_classes, places;
};

/*
 * Add n pixels.
 *
 * weight  Of each; 0: not there.
 * valid   1 where the value counts.
 * Returns SC_TOO_BIG for more than SC_ZONAL_MAX_CLASSES classes where those are wanted.
 */
sc_status sc_zonal_add(struct sc_zonal *z, const struct sc_chip_options *options,
                       const double *values, const double *weight, const uint8_t *valid, size_t n,
                       struct sc_error *err);

/*
 * The statistics that the options name, as an object, the caller's.
 *
 * total  Weight of the geometry, valid or not, of which `valid` is a share.
 */
sc_status sc_zonal_json(struct sc_zonal *z, const struct sc_chip_options *options, double total,
                        struct cJSON **out, struct sc_error *err);
void sc_zonal_free(struct sc_zonal *z);

#endif
