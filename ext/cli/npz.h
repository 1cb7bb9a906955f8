/* Reading arrays out of .npz archives, ours and NumPy's own (stored or deflated members). */
#ifndef SC_CLI_NPZ_H
#define SC_CLI_NPZ_H

#include "base/buffer.h"
#include "base/status.h"

/* An array in C order. data may be unaligned; borrowed of the archive, or of `own`. Free with
 * sc_npz_array_free(). */
struct sc_npz_array {
  char descr[16]; /* NumPy's name of the type, "<f4" */
  size_t shape[4];
  int n_dims;
  const unsigned char *data; /* of the shape's product and `width`: it is all there */
  size_t n_values, width;    /* width: bytes of a value */
  struct sc_buffer own;      /* of a deflated member */
};

/*
 * Find the array "name.npy". *found 0 where the archive has none.
 *
 * Returns  SC_BAD_DATA: no ZIP archive, a damaged one, no .npy array, one in Fortran's order, or
 *          of more than four dimensions.
 * Source   PKWARE APPNOTE 6.3; numpy/lib/format.py.
 */
sc_status sc_npz_find(const struct sc_buffer *archive, const char *name, struct sc_npz_array *out,
                      int *found, struct sc_error *err);
void sc_npz_array_free(struct sc_npz_array *array);

/* Value i of an array of texts ("<U24") as ASCII; other letters are '?'. */
void sc_npz_text(const struct sc_npz_array *array, size_t i, char *out, size_t n);

#endif
