/*
 * Copies into a folder, several at a time: most of a copy's time is waiting for a server. Each is
 * complete and verified, or not there.
 *
 * THREADS  One thread submits and waits.
 */
#ifndef SC_CLI_TRANSFERS_H
#define SC_CLI_TRANSFERS_H

#include <stdint.h>

#include "base/status.h"
#include "cli/checksum.h"

#define SC_TRANSFERS_THREADS_MAX 64

/* One file. Texts are borrowed until it is done. */
struct sc_transfer {
  const char *href; /* path or URL that has passed the access rules; NULL: nobody knows */
  const char *root, *key;
  const char *checksum;  /* multihash, or NULL */
  uint64_t stated_bytes; /* by the item; SC_SIZE_UNKNOWN */
  int is_trusted;        /* an earlier run has verified what is there: its size is enough */
  void *owner;           /* the caller's */

  struct sc_error err;           /* out: SC_OK, or why there is no copy */
  uint64_t bytes;                /* out */
  char digest[SC_CHECKSUM_TEXT]; /* out: multihash of what has no checksum; "" of what is trusted */
  int is_new;                    /* out: 0 where what was there is whole */
  int is_unverified;             /* out: the checksum is none that is known here */
  struct sc_transfer *next;
};

struct sc_transfers;

sc_status sc_transfers_start(int n_threads, struct sc_transfers **out, struct sc_error *err);
void sc_transfers_submit(struct sc_transfers *pool, struct sc_transfer *transfer);
/* One that is done; NULL where none is under way. */
struct sc_transfer *sc_transfers_wait(struct sc_transfers *pool);
/* Wait for what is under way, and drop the rest. */
void sc_transfers_stop(struct sc_transfers *pool);

#endif
