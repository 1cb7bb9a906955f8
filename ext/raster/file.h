/*
 * Raster files that were opened: their block layout and their bytes. A bounded set, shared
 * by all threads of the process.
 */
#ifndef SC_RASTER_FILE_H
#define SC_RASTER_FILE_H

#include <stdint.h>

#include "base/status.h"
#include "raster/raster_api.h"
#include "raster/tiff.h"

struct sc_remote; /* raster/remote.h */

/* Pixels of a file. */
struct sc_file_window {
  double x, y, width, height;
};

struct sc_file {
  uint64_t serial; /* unique in the process: the key of its blocks in the cache */
  char *href;      /* owned */
  int is_remote;
  int is_plain; /* tiff is there; else only GDAL reads it */
  struct sc_tiff tiff;
  int descriptor; /* local files; -1 else */
  uint64_t size;
  struct sc_stamp stamp;    /* when it was opened */
  struct sc_remote *remote; /* remote files: held */
  /* of file.c: */
  int n_users;
  unsigned long used;
  struct sc_file_window last; /* the window read last */
  int has_last, in_sequence;
};

/* The file of a source, opened anew when it has changed. Give back with sc_file_release(). */
sc_status sc_file_acquire(const struct sc_source *source, struct sc_file **out,
                          struct sc_error *err);
void sc_file_release(struct sc_file *file);

/*
 * A window is about to be read: will the rest of its blocks be wanted soon, too? So it seems
 * when it is the neighbour of the window before, as when a scene is read in order; and when
 * the whole file takes little of the cache and it is not the first window. Decoding a block a
 * second time costs more than decoding it all at once.
 */
int sc_file_expects_more(struct sc_file *file, struct sc_file_window window);

struct stat;

/* Read n bytes at offset of a local file; SC_IO says how many were there. */
sc_status sc_file_read(const struct sc_file *file, uint64_t offset, void *out, size_t n,
                       struct sc_error *err);

/* In a forked child. */
void sc_file_abandon(void);

#endif
