/* raster/file.c: when the rest of a block is expected to be wanted. */
#include "raster/file.h"

#include "check.h"

/* A file of 10980 x 10980 in 1024 blocks takes more than its share of the cache. */
static struct sc_file large_file(void) {
  return (struct sc_file){.tiff = {.width = 10980,
                                   .height = 10980,
                                   .block_width = 1024,
                                   .block_height = 1024,
                                   .n_bands = 1,
                                   .dtype = SC_DTYPE_U16,
                                   .n_blocks = 121}};
}

static int read_at(struct sc_file *f, double x, double y) {
  return sc_file_expects_more(f, (struct sc_file_window){x, y, 256, 256});
}

static void test_order(void) {
  struct sc_file f = large_file();
  check_case("a_window_beside_the_last_one_expects_more");
  CHECK(!read_at(&f, 0, 0));
  CHECK(read_at(&f, 256, 0));
  CHECK(read_at(&f, 256, 0)); /* another band */
  CHECK(read_at(&f, 512, 0));
  check_case("the_next_row_of_windows_expects_more");
  CHECK(read_at(&f, 0, 256));
  check_case("windows_here_and_there_expect_nothing");
  CHECK(!read_at(&f, 5120, 2048));
  CHECK(!read_at(&f, 256, 768));
  CHECK(!read_at(&f, 1024, 768));
}

static void test_small(void) {
  struct sc_file f = large_file();
  f.tiff.n_blocks = 4;
  check_case("a_small_file_expects_more_from_its_second_window_on");
  CHECK(!read_at(&f, 512, 512));
  CHECK(!read_at(&f, 512, 512)); /* another band */
  CHECK(read_at(&f, 0, 1024));
  CHECK(read_at(&f, 1024, 0));
}

int main(void) {
  test_order();
  test_small();
  return check_report();
}
