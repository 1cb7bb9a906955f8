/* Reading arrays out of .npz archives, ours and NumPy's own (stored or deflated members). */
#ifndef SC_CLI_NPZ_H
#define SC_CLI_NPZ_H

#include "base/buffer.h"
#include "base/status.h"

/* An array in C order. data may be unaligned; borrowed from the archive or from `own`. Free with
 * sc_npz_array_free(). */
struct sc_npz_array {
  char descr[16]; /* NumPy's name of the type, "<f4" */
  size_t shape[4];
  int n_dims;
  const unsigned char *data; /* n_values * width bytes, all within the archive */
  size_t n_values, width;    /* width: bytes of a value */
  struct sc_buffer own;      /* the inflated bytes of a deflated member */
};

/*
 * Find the array "name.npy". *found 0 where the archive has none.
 *
 * Returns  SC_BAD_DATA: not a ZIP archive, a damaged one, not a .npy array, one in Fortran's order,
 *          of another type or of more than four dimensions. SC_UNSUPPORTED: another ZIP method.
 * Source   PKWARE APPNOTE 6.3; numpy/lib/format.py.
 */
sc_status sc_npz_find(const struct sc_buffer *archive, const char *name, struct sc_npz_array *out,
                      int *found, struct sc_error *err);
void sc_npz_array_free(struct sc_npz_array *array);

/* Value i of an array of texts ("<U24") as ASCII, cut to n bytes; other characters become '?'. */
void sc_npz_text(const struct sc_npz_array *array, size_t i, char *out, size_t n);

#endif
