/*
 * A folder of entries that come again: bounded in bytes, shared by the processes of one user, the
 * entry that was used longest ago going first.
 *
 * WHERE     "<path>/stacchip-<user id>", mode 0700, of this user and no symbolic link: others can
 *           neither read entries nor plant them. An entry is a file "ab/<30 hexadecimal digits>",
 *           whose time of modification is that of its last use. Other names are not touched.
 * BOUND     The file "usage" has how many bytes there are, a writer adds to it before it writes.
 *           It may say too much (a writer was killed, an entry replaced), and never too little:
 *           who finds the bound reached counts what is there, while writers wait, and lets an
 *           eighth of the bound go. Writers share the lock of the file "lock".
 * KILLS     An entry appears by rename(), after all its bytes were written; it is not synced, so
 *           that after a power failure it may be damaged: who reads one checks it.
 * FAILURES  Nothing here is needed: after a write that failed (a full disk, a folder that is gone),
 *           nothing is written for some seconds. Only opening it says what is wrong.
 *
 * THREADS   Any, but close.
 */
#ifndef SC_STORE_DISK_CACHE_H
#define SC_STORE_DISK_CACHE_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

#define SC_DISK_NAME_BYTES 16 /* of each name below */

struct sc_disk_cache;

/*
 * path     An absolute path of a folder that is there; the one inside is made.
 * limit    Bytes of all entries, each rounded up to 4096.
 * Returns  SC_NOT_FOUND, SC_IO, or SC_DENIED: not this user's alone.
 */
sc_status sc_disk_cache_open(const char *path, int64_t limit, struct sc_disk_cache **out,
                             struct sc_error *err);
/* Can the folder that a value of setting disk_cache names be opened? None is fine. */
sc_status sc_disk_cache_check(const char *setting, struct sc_error *err);
void sc_disk_cache_close(struct sc_disk_cache *cache); /* NULL is fine */

/* The descriptor of an entry, closed by the caller, and its size; -1 where it is not there. The
 * entry counts as used now. */
int sc_disk_cache_find(const struct sc_disk_cache *cache, const unsigned char *name,
                       uint64_t *size);

/* Write an entry, in place of one of its name; 1 where it is there now. One that is larger than a
 * quarter of the bound is not kept. */
int sc_disk_cache_put(struct sc_disk_cache *cache, const unsigned char *name,
                      const struct sc_view *parts, size_t n_parts);

#endif
