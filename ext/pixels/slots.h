/*
 * Memory of the caller's that batches are written into: a memfd, or a file on a tmpfs, cut into
 * slots of one batch each.
 *
 * SAFETY  The descriptor must answer F_GET_SEALS, which ordinary files do not: so SQL that names a
 * number can overwrite none. Mapped memory whose file shrinks ends the process by SIGBUS. So it is
 * mapped, and pixels are written straight into it, only where the file is sealed against shrinking,
 * or can be (F_SEAL_SHRINK is then set: a memfd made with MFD_ALLOW_SEALING), and its pages are
 * allocated first. Into others (files on a tmpfs cannot be sealed) batches are copied by pwrite().
 */
#ifndef SC_PIXELS_SLOTS_H
#define SC_PIXELS_SLOTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/options.h"
#include "base/status.h"

struct cJSON;

/* Zeroed is none; sc_slots_close(). */
struct sc_slots {
  int is_open;
  int descriptor;     /* our own duplicate */
  unsigned char *map; /* the whole file; NULL: by pwrite() */
  size_t map_bytes;
  uint64_t offset; /* of the first slot in the file */
  size_t slot_bytes;
  size_t n;
};

/* The keys of option 'into', for help. */
extern const struct sc_option_table sc_slots_option_table;

/* From {"fd": ..., "offset": ..., "bytes": ..., "slots": ...}. SC_BAD_ARG for a descriptor of
 * something else, too small a file, and one that must not be written. */
sc_status sc_slots_open(const struct cJSON *into, struct sc_slots *out, struct sc_error *err);
void sc_slots_close(struct sc_slots *slots);

/* SC_TOO_BIG where a batch of so many bytes does not fit; the text says what would. */
sc_status sc_slots_check(const struct sc_slots *slots, size_t bytes, struct sc_error *err);
/* Where slot i begins in the file, and in memory (NULL: not mapped). */
uint64_t sc_slots_offset(const struct sc_slots *slots, size_t i);
unsigned char *sc_slots_memory(const struct sc_slots *slots, size_t i);
/* Copy into slot i of a file that is not mapped. Any thread. */
sc_status sc_slots_write(const struct sc_slots *slots, size_t i, const unsigned char *bytes,
                         size_t n, struct sc_error *err);

#endif
