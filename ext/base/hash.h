/*
 * FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/. Begin with SC_HASH_START and pass
 * on what comes back. Equal on all machines, so that it may be stored.
 *
 * Its high bits hardly depend on the last bytes: who takes a part of them, or compares with
 * others, mixes at the end (MurmurHash3's 64-bit finaliser, one to one).
 */
#ifndef SC_BASE_HASH_H
#define SC_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define SC_HASH_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t sc_hash_bytes(uint64_t h, const void *bytes, size_t n) {
  const unsigned char *p = bytes;
  for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * UINT64_C(0x100000001b3);
  return h;
}

static inline uint64_t sc_hash_mix(uint64_t h) {
  h = (h ^ (h >> 33)) * UINT64_C(0xff51afd7ed558ccd);
  h = (h ^ (h >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
  return h ^ (h >> 33);
}

#endif
