/*
 * A row of mask pixels -> a byte per pixel with its bits (1 cloud, 2 nodata), and sums of
 * such bytes. Pure arithmetic.
 */
#ifndef SC_RASTER_CLASSIFY_ROW_H
#define SC_RASTER_CLASSIFY_ROW_H

#include <stddef.h>
#include <stdint.h>

/* 8-bit pixels by a table of 256. */
void sc_classify_u8(const uint8_t *pixels, size_t n, const uint8_t *table, uint8_t *bits);

/* 16-bit pixels by a table of 65536. With `differences` the row is still in the horizontal
 * predictor's form and is summed on the way. */
void sc_classify_u16(const uint16_t *pixels, size_t n, const uint8_t *table, int differences,
                     uint8_t *bits);

/* Number of pixels with bit 1, and with bit 2, among n. */
void sc_count_bits(const uint8_t *bits, size_t n, uint32_t *cloud, uint32_t *nodata);

#endif
