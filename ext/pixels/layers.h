/*
 * Layers: other rasters on the grid of a chip (option "layers", docs/grids.md#layers). Land cover,
 * elevation, own masks: of another merged index, an item or a raster, mosaicked first-valid.
 *
 * Candidates, the items that may have pixels there, are found and opened with the chip, on the
 * connection's thread; reading them needs no connection.
 */
#ifndef SC_PIXELS_LAYERS_H
#define SC_PIXELS_LAYERS_H

#include "base/status.h"
#include "pixels/chip.h"
#include "pixels/chip_options.h"

#define SC_LAYERS_MAX 32

enum sc_layer_when { SC_LAYER_SAME = 0, SC_LAYER_NEAREST, SC_LAYER_ANY };

/* What the option says of one layer. Its source "frozen" is the layer of that name that was frozen
 * with the chip (frozen.h). */
struct sc_layer {
  const char *name; /* borrowed from the options' JSON */
  char *source;     /* a merged index, or a path, URL or text of an item or raster; owned */
  int when;         /* enum sc_layer_when */
  int n_bands;      /* of each chip, where none of its items lies there; 0: as many as assets */
  struct sc_chip_options
      options; /* of its chips: assets, resampling, fill; borrows the same JSON */
};

/* The candidates of one layer of a chip, in the order of the mosaic. */
struct sc_layer_chips {
  struct sc_chip *chips;
  size_t n;
};

/* The keys of one layer, for help. */
extern const struct sc_option_table sc_layer_option_table;

/* Take the option in: *out is `n` layers, freed with sc_layers_free(). */
sc_status sc_layers_read_option(const struct cJSON *value, const char *what, struct sc_layer **out,
                                int *n, struct sc_error *err);
void sc_layers_free(struct sc_layer *layers, int n);

/* Find and open the candidates of all layers for a chip that is open: chip->layers. */
sc_status sc_layers_open(struct sc_connection *c, const struct sc_chip_options *options,
                         struct sc_chip *chip, struct sc_error *err);
void sc_layers_close(struct sc_chip *chip);
/* Forget the candidates' scenes after a failure of the chip. */
void sc_layers_forget(struct sc_connection *c, const struct sc_chip *chip, sc_status status);

/* One layer of n chips of one shape: (n, bands, rows, columns). */
struct sc_layer_array {
  enum sc_dtype dtype;
  int n_bands;
  size_t chip_bytes;
  unsigned char *pixels; /* owned; sc_free() */
};

/* Type and bands of layer k, wide enough for all candidates; SC_BAD_DATA where they have not the
 * same number of bands. */
sc_status sc_layer_plan(const struct sc_chip_options *options, int k, const struct sc_chip *chips,
                        size_t n, struct sc_layer_array *out, struct sc_error *err);
/* Read it. errors: one a chip, where a failure of its layer goes, unless it has failed already. */
sc_status sc_layer_read(const struct sc_chip_options *options, int k, const struct sc_chip *chips,
                        size_t n, struct sc_layer_array *out, struct sc_error *errors,
                        struct sc_error *err);

#endif
