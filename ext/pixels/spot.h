/* A source (item, raster or handle) and a geometry on its grid: what statistics of places and
 * values at points begin with. */
#ifndef SC_PIXELS_SPOT_H
#define SC_PIXELS_SPOT_H

#include "base/sqlite.h"
#include "index/shape.h"
#include "pixels/chip.h"

struct sc_spot {
  struct sc_chip chip; /* of all of the scene: its window is none; the names of its bands differ */
  struct sc_shape
      shape;      /* in pixels of the scene's grid; polygons lose what lies far outside of it */
  unsigned kinds; /* bits 1 << enum sc_shape_kind of the geometry as it was */
};

/* What a function makes of it: *out is text, freed with cJSON_free(), or stays NULL for NULL. */
typedef sc_status sc_spot_function(struct sc_connection *c, const struct sc_spot *spot,
                                   const struct sc_chip_options *options, char **out,
                                   struct sc_error *err);

/* An SQL function f(source, geometry [, options]); NULL gives NULL. */
void sc_spot_call(sqlite3_context *context, int n, sqlite3_value **values, sc_spot_function *make,
                  enum sc_options_of function);

/* One after another of the runs of bands [begin, end) that lie on the same pixels: the end of the
 * one that begins at `begin`. */
int sc_spot_bands_end(const struct sc_chip *chip, int begin);

/* The chip of some of the bands, [begin, end), on their own pixels: a window of them. It borrows.
 */
struct sc_chip sc_spot_window(const struct sc_chip *chip, int begin, int end,
                              const struct sc_window *window);

/* One window's pixels of n_bands bands, as float64. Zeroed is empty; keeps its memory from one read
 * to the next. */
struct sc_spot_pixels {
  double *values;  /* [band][row][column] */
  uint8_t *valid;  /* the same; with the option exclude_cloud 0 of cloudy pixels, too */
  uint8_t *clouds; /* [row][column] */
  size_t capacity; /* values */
};
sc_status sc_spot_read(struct sc_connection *c, const struct sc_chip *window,
                       const struct sc_chip_options *options, struct sc_spot_pixels *pixels,
                       struct sc_error *err);
void sc_spot_pixels_free(struct sc_spot_pixels *pixels);

#endif
