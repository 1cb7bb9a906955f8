/*
 * Where a new file's bytes go. Nothing is seen under the final name before it is complete:
 * a local file is written under a temporary name, synced and renamed; an object of a store
 * goes there in parts, which become an object by the commit.
 */
#ifndef SC_STORE_SINK_H
#define SC_STORE_SINK_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

/* One kind of place. */
struct sc_sink_methods {
  sc_status (*write)(void *file, const void *data, size_t n, struct sc_error *err);
  /* Everything is written: make it durable, still under the temporary name. */
  sc_status (*finish)(void *file, struct sc_error *err);
  /* Give it its name. */
  sc_status (*commit)(void *file, struct sc_error *err);
  /* Free the object; what was not committed is removed. */
  void (*close)(void *file);
};

struct sc_sink {
  const struct sc_sink_methods *methods; /* NULL: closed */
  void *file;
  uint64_t n_written;
};

/*
 * A local file that is written ALONE holds a lock of its temporary file (flock()) until it has
 * its name. So the next writer of the same name can tell what a killed one left, which it removes,
 * from what another is writing; of two writers the last to finish wins. Files of one tree get their
 * names together, and may be more than a process can hold open: they are not locked.
 */
enum sc_sink_kind { SC_SINK_ALONE, SC_SINK_IN_TREE };

/* Create the folders that a local path lies in. */
sc_status sc_make_folders(const char *path, struct sc_error *err);

/* Give a local file that is closed another name in its folder, once all of it is on disk. */
sc_status sc_rename_durably(const char *from, const char *to, struct sc_error *err);

/* Create a file at a local path, folders included, or of a store (store/objects.h). SC_UNSUPPORTED
 * for other URLs. */
sc_status sc_sink_open(const char *path, enum sc_sink_kind kind, struct sc_sink *out,
                       struct sc_error *err);
sc_status sc_sink_write(struct sc_sink *s, const void *data, size_t n, struct sc_error *err);
sc_status sc_sink_finish(struct sc_sink *s, struct sc_error *err);
sc_status sc_sink_commit(struct sc_sink *s, struct sc_error *err);
void sc_sink_close(struct sc_sink *s);

#endif
