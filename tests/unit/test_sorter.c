/* ext/geoparquet/sorter.c, texts.c, hilbert.h */
#include "geoparquet/sorter.h"

#include <stdio.h>
#include <string.h>

#include "base/hilbert.h"
#include "check.h"
#include "geoparquet/interned.h"

static void sort_many(size_t run_bytes, int n) {
  struct sc_sorter s;
  struct sc_error err = {0};
  const unsigned char *data;
  uint64_t key, last = 0;
  size_t size;
  int seen = 0, bad = 0, last_number = -1;
  sc_sorter_init(&s, run_bytes);
  for (int i = 0; i < n; i++) {
    char record[300];
    uint64_t k = (uint64_t)i * 2654435761u % 1000 << 50; /* many are equal */
    memset(record, i, sizeof record);
    memcpy(record, &i, sizeof i);
    CHECK_INT(SC_OK, sc_sorter_add(&s, k, record, 4 + (size_t)(i % 290), &err));
  }
  CHECK_INT(SC_OK, sc_sorter_finish(&s, &err));
  for (;;) {
    int i;
    CHECK_INT(SC_OK, sc_sorter_next(&s, &key, &data, &size, &err));
    if (!data) break;
    memcpy(&i, data, sizeof i);
    bad += key < last || (key == last && i < last_number) || size != 4 + (size_t)(i % 290);
    bad += size > 4 && data[size - 1] != (unsigned char)i;
    last = key;
    last_number = i;
    seen++;
  }
  CHECK_INT(n, seen);
  CHECK_INT(0, bad);
  CHECK_TEXT("", err.text);
  sc_sorter_free(&s);
}

static void records_come_in_order_of_key_then_arrival(void) {
  check_case("records_come_in_order_of_key_then_arrival");
  sort_many(1 << 20, 1000);  /* in memory */
  sort_many(10000, 20000);   /* hundreds of runs */
  sort_many(1 << 20, 20000); /* a few */
  sort_many(100, 0);
}

static void texts_get_numbers(void) {
  struct sc_interned t = {0};
  struct sc_error err = {0};
  char text[16];
  uint32_t id;
  size_t n;
  check_case("texts_get_numbers");
  for (uint32_t round = 0; round < 2; round++) {
    for (uint32_t i = 0; i < 5000; i++) {
      int size = snprintf(text, sizeof text, "%u", i);
      CHECK_INT(SC_OK, sc_interned_find(&t, text, (size_t)size, &id, &err));
      CHECK_INT(i, id);
    }
  }
  CHECK(memcmp(sc_interned_get(&t, 4999, &n), "4999", 4) == 0 && n == 4);
  CHECK_INT(SC_OK, sc_interned_find(&t, "", 0, &id, &err));
  CHECK_INT(5000, id);
  sc_interned_free(&t);
}

static void neighbours_on_the_curve_touch(void) {
  check_case("neighbours_on_the_curve_touch");
  CHECK_INT(0, sc_hilbert(0, 0));
  /* each cell of a 16 x 16 corner has its number once, and steps go to a neighbour */
  int x_of[256], y_of[256], n_bad = 0;
  memset(x_of, -1, sizeof x_of);
  for (uint32_t x = 0; x < 16; x++) {
    for (uint32_t y = 0; y < 16; y++) {
      uint64_t d = sc_hilbert(x, y);
      if (d >= 256 || x_of[d] >= 0) {
        n_bad++;
        continue;
      }
      x_of[d] = (int)x;
      y_of[d] = (int)y;
    }
  }
  CHECK_INT(0, n_bad);
  for (int d = 1; d < 256 && !n_bad; d++) {
    int dx = x_of[d] - x_of[d - 1], dy = y_of[d] - y_of[d - 1];
    CHECK_INT(1, dx * dx + dy * dy);
  }
  CHECK_INT((1 << SC_HILBERT_BITS) - 1, sc_hilbert_axis(180, -180, 360));
  CHECK_INT(0, sc_hilbert_axis(-181, -180, 360));
}

int main(void) {
  records_come_in_order_of_key_then_arrival();
  texts_get_numbers();
  neighbours_on_the_curve_touch();
  return check_report();
}
