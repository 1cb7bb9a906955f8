/*
 * Chips of one shape as one array: what stacchip_stack() makes of a group, and stacchip_batches()
 * of each of its rows.
 *
 *   sc_batch_init();
 *   sc_batch_put() for each chip;     on the connection's thread, which opened them
 *   sc_batch_plan();
 *   sc_batch_read();                  on any thread
 *   sc_batch_finish();                on any thread
 *   sc_batch_free();                  on the connection's thread
 */
#ifndef SC_PIXELS_BATCH_H
#define SC_PIXELS_BATCH_H

#include "base/buffer.h"
#include "pixels/chip.h"
#include "pixels/overlay.h"

/* Zeroed is empty; sc_batch_free(). */
struct sc_batch {
  struct sc_chip *chips; /* n of them, open */
  size_t *positions;     /* of each chip, as sc_batch_put() was told */
  sc_status *statuses;   /* of reading each chip */
  size_t n, n_max;
  size_t n_failed;     /* what failed is chip n_failed - 1; 0: none, or not for a chip */
  size_t n_open;       /* chips, with those that failed and were taken out behind the n others */
  enum sc_dtype dtype; /* of the array */
  size_t chip_values, chip_bytes; /* of the pixels of one chip */
  size_t head;                    /* unused bytes that the result begins with */
  struct sc_buffer memory;        /* of the result */
  unsigned char *pixels;          /* one chip after the other, in it */
  size_t front;                   /* bytes of memory before the pixels */
  struct sc_buffer valid_memory;  /* of what follows */
  uint8_t *valid;                 /* of each value; NULL where the format does not show it */
  struct sc_layer_array *layers;  /* of the options' layers; owned */
  int n_layers;
  struct sc_overlay overlay; /* of a picture; found by the caller, freed with the batch */
};

/* Room for n_max chips. */
sc_status sc_batch_init(struct sc_batch *b, size_t n_max, struct sc_error *err);
void sc_batch_free(struct sc_batch *b);

/* Add an open chip, which moves (also after an error). SC_BAD_DATA where it has another shape than
 * the first one. */
sc_status sc_batch_put(struct sc_batch *b, struct sc_chip *chip, size_t position,
                       struct sc_error *err);

/* Add a place for a NULL handle, or for a slot without a chip, which sc_batch_plan() makes a chip
 * of fill like the first one. */
void sc_batch_put_null(struct sc_batch *b, size_t position);

/* Choose the type, and test the size of the array against a limit in bytes: SC_TOO_BIG. */
sc_status sc_batch_plan(struct sc_batch *b, const struct sc_chip_options *options, size_t limit,
                        struct sc_error *err);

/*
 * Read the pixels, into memory of its own or where b->pixels points. With on_error "skip" chips
 * that fail are taken out, or (of slots) filled; otherwise the first failure is the result.
 */
sc_status sc_batch_read(struct sc_batch *b, const struct sc_chip_options *options,
                        struct sc_error *err);
/* On the connection's thread, once it is read: see sc_scenes_forget_failed(). */
void sc_batch_forget_failed(struct sc_connection *c, const struct sc_batch *b);

/*
 * The array in options->format, behind b->head bytes; *out takes the memory over. Of no chips it
 * stays empty in all formats but npz.
 */
sc_status sc_batch_finish(struct sc_batch *b, const struct sc_chip_options *options,
                          struct sc_buffer *out, struct sc_error *err);

/* The id of a chip as column chipid has it; of one round a centre, which has no position, "px-" and
 * the grid's pixels. *out is freed with sc_free(). */
sc_status sc_chip_id(const struct sc_chip *chip, char **out, struct sc_error *err);

#endif
