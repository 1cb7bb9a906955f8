/*
 * Is a pixel valid? The one place that says so, for whole rows (docs/validity.md). Pure
 * arithmetic, part of both shared objects. What counts for a band is found out, from its item
 * and its file, by stac/validity.h; masks and alpha bands are read as SC_BAND_VALIDITY.
 */
#ifndef SC_RASTER_VALID_H
#define SC_RASTER_VALID_H

#include "raster/raster_api.h"

/* Make nodata of a value; unset where `dtype` cannot hold it. */
struct sc_nodata sc_nodata_make(enum sc_dtype dtype, double value);

/* Can a pixel be invalid by its value? */
int sc_valid_by_value(const struct sc_validity *v);
/* Can a pixel be invalid by the file's mask or alpha? */
static inline int sc_valid_by_mask(const struct sc_validity *v) { return v->mask || v->alpha; }

/* Do pixels of that type show whether the band's are valid by value? Its own does, and float64
 * where it holds each value. */
int sc_valid_shows(const struct sc_validity *v, enum sc_dtype type);

/*
 * Clear valid[i] where pixel i is invalid by its value; the others stay as they are.
 *
 * type    Of the pixels: one that shows it (sc_valid_shows).
 * stride  Bytes from pixel to pixel.
 */
void sc_valid_pixels(const struct sc_validity *v, const void *pixels, enum sc_dtype type,
                     size_t stride, size_t n, uint8_t *valid);

#endif
