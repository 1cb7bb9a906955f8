/* Growing a mask; see dilate.h. */
#include "base/dilate.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/interrupt.h"

#define MARKED 1
#define NODATA 2
#define FAR 255 /* farther than any radius, or as far as the largest: see reach() */

/* How far each pixel is from the nearest marked one of its row, FAR at most. */
static void measure_row(const uint8_t *bits, int width, uint8_t *distance) {
  int since = FAR;
  for (int x = 0; x < width; x++) {
    since = bits[x] & MARKED ? 0 : since < FAR ? since + 1 : FAR;
    distance[x] = (uint8_t)since;
  }
  since = FAR;
  for (int x = width - 1; x >= 0; x--) {
    since = bits[x] & MARKED ? 0 : since < FAR ? since + 1 : FAR;
    if (since < distance[x]) distance[x] = (uint8_t)since;
  }
}

/* Half the disk's width at a row dy from its middle; below FAR. */
static int reach(int radius, int dy) {
  int w = (int)sqrt((double)(radius * radius - dy * dy));
  while ((w + 1) * (w + 1) + dy * dy <= radius * radius) w++;
  while (w * w + dy * dy > radius * radius) w--;
  return w < FAR ? w : FAR - 1;
}

sc_status sc_dilate(const struct sc_mask_bits *mask, int first, int n, int radius, uint8_t *out,
                    struct sc_error *err) {
  const uint8_t *bits = mask->bits;
  int width = mask->width, height = mask->height;
  size_t row = (size_t)width;
  uint8_t *distance = sc_alloc(row * (size_t)height);
  if (!distance) return sc_fail_nomem(err);
  for (int y = 0; y < height; y++)
    measure_row(bits + (size_t)y * row, width, distance + (size_t)y * row);
  sc_status st = SC_OK;
  for (int y = first; y < first + n && !st; y++) {
    uint8_t *to = out + (size_t)(y - first) * row;
    const uint8_t *own = bits + (size_t)y * row;
    st = sc_interrupt_check(err);
    memset(to, 0, row);
    for (int dy = -radius; dy <= radius && !st; dy++) {
      if (y + dy < 0 || y + dy >= height) continue;
      const uint8_t *d = distance + (size_t)(y + dy) * row;
      uint8_t w = (uint8_t)reach(radius, dy);
      for (int x = 0; x < width; x++) to[x] |= d[x] <= w;
    }
    for (int x = 0; x < width; x++) {
      to[x] = (uint8_t)(own[x] | (own[x] & NODATA ? 0 : to[x]));
    }
  }
  sc_free(distance);
  return st;
}
