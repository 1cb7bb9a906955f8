/*
 * NumPy's file formats: .npy version 1.0 (numpy/lib/format.py describes it) and .npz, a ZIP
 * archive of stored .npy members (PKWARE APPNOTE 6.3).
 */
#ifndef SC_PIXELS_NPY_H
#define SC_PIXELS_NPY_H

#include "base/buffer.h"
#include "base/status.h"
#include "raster/raster_api.h"

#define SC_NPY_BOOL "|b1"
#define SC_NPY_HEADER_MAX 256 /* bytes; of any shape that fits into memory */

/* NumPy's name of a type, "<u2"; little-endian. */
const char *sc_npy_descr(enum sc_dtype dtype);

/* The type and shape of an array in C order. */
struct sc_npy_array {
  const char *descr; /* as NumPy names it */
  int n_dims;        /* 1 to 4 */
  size_t shape[4];
};

/* Append the header of an array; its data follow. */
sc_status sc_npy_header(const struct sc_npy_array *array, struct sc_buffer *out,
                        struct sc_error *err);

/* An array that somebody else wrote. */
struct sc_npy_view {
  enum sc_dtype dtype; /* a boolean is SC_DTYPE_U8, of 0 and 1 */
  int n_dims;          /* 1 to 4 */
  size_t shape[4];
  size_t n_values;
  const unsigned char *data; /* borrowed from the BLOB, C order, little-endian; may be unaligned */
};

/*
 * Read a .npy of format 1 to 3 in C order, of any type that a raster may have. SC_BAD_DATA, with
 * what to call in NumPy instead, for others: big-endian, Fortran order, float16, more dimensions,
 * data of another length than the shape says.
 */
sc_status sc_npy_read(const void *blob, size_t n, struct sc_npy_view *out, struct sc_error *err);

/* A ZIP archive in the making. Zeroed is empty; free with sc_buffer_free on both. */
struct sc_npz {
  struct sc_buffer archive;   /* members so far */
  struct sc_buffer directory; /* central directory so far */
  int n_members;
};

/* Add "name.npy" with an array of n bytes: header and data. SC_TOO_BIG beyond 4 GB. */
sc_status sc_npz_add(struct sc_npz *npz, const char *name, const struct sc_npy_array *array,
                     const void *data, size_t n, struct sc_error *err);
/* Begin the archive with an array whose data are in a buffer, which becomes the archive: no copy
 * where its capacity suffices. npz is empty. */
sc_status sc_npz_take(struct sc_npz *npz, const char *name, const struct sc_npy_array *array,
                      struct sc_buffer *data, struct sc_error *err);
/* Texts as an array of fixed-width strings ("<U24"). */
sc_status sc_npz_add_texts(struct sc_npz *npz, const char *name, const char *const *texts, size_t n,
                           struct sc_error *err);
/* Go on with an archive that sc_npz_finish() ended, which npz takes over. SC_BAD_DATA: another. */
sc_status sc_npz_open(struct sc_npz *npz, struct sc_buffer *archive, struct sc_error *err);
/* End the archive: it is then in npz->archive. */
sc_status sc_npz_finish(struct sc_npz *npz, struct sc_error *err);
void sc_npz_free(struct sc_npz *npz);

#endif
