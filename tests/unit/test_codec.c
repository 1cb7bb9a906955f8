/* ext/parquet/codec.c */
#include "parquet/codec.h"

#include <lz4.h>

#include "base/bytes.h"
#include "check.h"

static unsigned char text[5000], back[5000];

static void packed_bytes_unpack(void) {
  static const int codecs[] = {SC_PQ_UNCOMPRESSED, SC_PQ_SNAPPY, SC_PQ_GZIP, SC_PQ_ZSTD};
  struct sc_pq_codecs c = {0};
  struct sc_error err = {0};
  check_case("packed_bytes_unpack");
  for (size_t i = 0; i < 4; i++) {
    struct sc_buffer b = {0};
    CHECK_INT(SC_OK, sc_pq_pack(&c, codecs[i], 0, text, sizeof text, &b, &err));
    CHECK_INT(SC_OK, sc_pq_unpack(&c, codecs[i], b.data, b.size, back, sizeof back, &err));
    CHECK_BYTES(text, sizeof text, back, sizeof back);
    /* another size than it says, and half of it */
    CHECK(sc_pq_unpack(&c, codecs[i], b.data, b.size, back, sizeof back - 1, &err) != SC_OK);
    CHECK(sc_pq_unpack(&c, codecs[i], b.data, b.size / 2, back, sizeof back, &err) != SC_OK);
    sc_buffer_free(&b);
  }
  CHECK_INT(SC_UNSUPPORTED, sc_pq_unpack(&c, SC_PQ_LZO, text, 10, back, 10, &err));
  CHECK_HAS("LZO", err.text);
  CHECK_INT(SC_UNSUPPORTED, sc_pq_unpack(&c, 99, text, 10, back, 10, &err));
  sc_pq_codecs_free(&c);
}

static void lz4_has_two_forms(void) {
  struct sc_pq_codecs c = {0};
  struct sc_error err = {0};
  unsigned char packed[6000];
  check_case("lz4_has_two_forms");
  int n = LZ4_compress_default((const char *)text, (char *)packed + 8, sizeof text, 5000);
  CHECK(n > 0);
  CHECK_INT(SC_OK, sc_pq_unpack(&c, SC_PQ_LZ4_RAW, packed + 8, (size_t)n, back, sizeof back, &err));
  CHECK_INT(SC_OK, sc_pq_unpack(&c, SC_PQ_LZ4, packed + 8, (size_t)n, back, sizeof back, &err));
  sc_put_be32(packed, sizeof text);
  sc_put_be32(packed + 4, (uint32_t)n);
  memset(back, 0, sizeof back);
  CHECK_INT(SC_OK, sc_pq_unpack(&c, SC_PQ_LZ4, packed, (size_t)n + 8, back, sizeof back, &err));
  CHECK_BYTES(text, sizeof text, back, sizeof back);
  sc_pq_codecs_free(&c);
}

static void impossible_sizes_are_refused_before_they_are_allocated(void) {
  struct sc_error err = {0};
  check_case("impossible_sizes_are_refused_before_they_are_allocated");
  CHECK(sc_pq_unpack_check(SC_PQ_GZIP, text, 10, 1 << 20, &err) != SC_OK);
  CHECK(sc_pq_unpack_check(SC_PQ_LZ4_RAW, text, 10, 1 << 20, &err) != SC_OK);
  CHECK(sc_pq_unpack_check(SC_PQ_SNAPPY, text, 10, 1 << 20, &err) != SC_OK);
  CHECK_INT(SC_TOO_BIG, sc_pq_unpack_check(SC_PQ_BROTLI, text, 10, (size_t)1 << 31, &err));
}

int main(void) {
  for (size_t i = 0; i < sizeof text; i++) text[i] = (unsigned char)("chips"[i % 5] + i / 1000);
  packed_bytes_unpack();
  lz4_has_two_forms();
  impossible_sizes_are_refused_before_they_are_allocated();
  return check_report();
}
