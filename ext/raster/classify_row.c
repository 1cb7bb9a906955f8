/* A row of mask pixels -> bits; see classify_row.h. */
#include "raster/classify_row.h"

#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__x86_64__)
/*
 * Class maps have few classes: while all of 16 pixels are below 16, one shuffle looks them
 * all up. Returns how many pixels it did; it stops at the first 16 with a larger value.
 */
__attribute__((target("ssse3"))) static size_t classify_small(const uint8_t *pixels, size_t n,
                                                              const uint8_t *table, uint8_t *bits) {
  const __m128i look_up = _mm_loadu_si128((const __m128i *)(const void *)table);
  const __m128i high = _mm_set1_epi8((char)0xF0);
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(pixels + i));
    __m128i is_small = _mm_cmpeq_epi8(_mm_and_si128(v, high), _mm_setzero_si128());
    if (_mm_movemask_epi8(is_small) != 0xFFFF) break;
    _mm_storeu_si128((__m128i *)(void *)(bits + i), _mm_shuffle_epi8(look_up, v));
  }
  return i;
}
#endif

void sc_classify_u8(const uint8_t *pixels, size_t n, const uint8_t *table, uint8_t *bits) {
  size_t i = 0;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("ssse3")) {
    while (i < n) {
      i += classify_small(pixels + i, n - i, table, bits + i);
      size_t end = i + 16 < n ? i + 16 : n;
      for (; i < end; i++) bits[i] = table[pixels[i]];
    }
    return;
  }
#endif
  for (; i < n; i++) bits[i] = table[pixels[i]];
}

/* Runs are the rule in quality masks: four equal pixels (four zero differences) at a time. */
static void classify_differences(const uint16_t *pixels, size_t n, const uint8_t *table,
                                 uint8_t *bits) {
  uint16_t sum = 0;
  size_t i = 0;
  while (i < n) {
    uint64_t four = 1;
    if (i + 4 <= n) memcpy(&four, pixels + i, 8);
    if (four == 0) {
      uint32_t same = table[sum] * UINT32_C(0x01010101);
      memcpy(bits + i, &same, 4);
      i += 4;
    } else {
      size_t end = i + 4 < n ? i + 4 : n;
      for (; i < end; i++) {
        sum = (uint16_t)(sum + pixels[i]);
        bits[i] = table[sum];
      }
    }
  }
}

void sc_classify_u16(const uint16_t *pixels, size_t n, const uint8_t *table, int differences,
                     uint8_t *bits) {
  if (differences) {
    classify_differences(pixels, n, table, bits);
    return;
  }
  for (size_t i = 0; i < n; i++) bits[i] = table[pixels[i]];
}

#define LANES UINT64_C(0x0101010101010101)

/* Sum of the eight bytes of a word, each at most 31. */
static uint32_t sum_bytes(uint64_t word) { return (uint32_t)((word * LANES) >> 56); }

void sc_count_bits(const uint8_t *bits, size_t n, uint32_t *cloud, uint32_t *nodata) {
  uint32_t c = 0, d = 0;
  size_t i = 0;
  while (i + 8 <= n) {
    uint64_t c8 = 0, d8 = 0, word;
    size_t end = i + 8 * 31 < n ? i + 8 * 31 : n; /* 31 bytes of ones sum to below 256 in all */
    for (; i + 8 <= end; i += 8) {
      memcpy(&word, bits + i, 8);
      c8 += word & LANES;
      d8 += (word >> 1) & LANES;
    }
    c += sum_bytes(c8);
    d += sum_bytes(d8);
  }
  for (; i < n; i++) {
    c += bits[i] & 1u;
    d += (bits[i] >> 1) & 1u;
  }
  *cloud = c;
  *nodata = d;
}
