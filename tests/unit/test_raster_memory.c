/* raster/memory.c and raster/cache.c: pieces that do not overlap, memory that is used again, what
 * is kept within the budget, and what a forked child sees. */
#include "raster/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "check.h"
#include "raster/cache.h"
#include "raster/runtime.h"

#define MB ((size_t)1 << 20)

static struct sc_memory_state state_now(void) {
  struct sc_memory_state s;
  sc_memory_get_state(&s);
  return s;
}

static int64_t kept_now(void) {
  struct sc_memory_state s = state_now();
  struct sc_kept k;
  sc_cache_count(&k);
  return k.block_bytes + s.idle_pages + s.idle_large;
}

static void set_budget(int64_t bytes) {
  struct sc_settings s = {
      .threads = 1, .cache_bytes = bytes, .max_connections = 1, .timeout_ms = 1000, .retries = 0};
  sc_runtime_enter();
  sc_runtime_configure(&s);
}

static long page_faults(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_minflt;
}

/* Pieces of random sizes in random order: each keeps the bytes that were written to it. */
static void test_pieces(void) {
  enum { N = 200, STEPS = 20000 };
  static unsigned char *piece[N];
  static size_t size[N];
  unsigned h = 7;
  int n_wrong = 0;
  check_case("pieces_do_not_overlap");
  for (int step = 0; step < STEPS; step++) {
    h = h * 1664525u + 1013904223u;
    size_t i = (h >> 8) % N;
    if (piece[i]) {
      n_wrong += piece[i][0] != (unsigned char)i || piece[i][size[i] - 1] != (unsigned char)(i + 1);
      sc_memory_give(piece[i]);
      piece[i] = NULL;
    } else {
      size[i] = 2 + (h >> 16) % 48 * (h % 97) * 97; /* up to 450 KB */
      piece[i] = sc_memory_take(size[i]);
      if (!piece[i]) exit(9);
      piece[i][0] = (unsigned char)i;
      piece[i][size[i] - 1] = (unsigned char)(i + 1);
    }
    if (step % 1000 == 0) sc_memory_free_pages(0);
  }
  for (size_t i = 0; i < N; i++) sc_memory_give(piece[i]);
  CHECK_INT(0, n_wrong);
  CHECK_INT(0, (int)state_now().in_use);
  sc_memory_free_pages(0);
  CHECK_INT(0, (int)state_now().idle_pages);
}

static void test_reuse(void) {
  const size_t sizes[] = {SC_MEMORY_LEAST, MB + 128, 8 * MB, 80 * MB};
  check_case("memory_that_was_given_back_is_taken_again");
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    unsigned char *first = sc_memory_take(sizes[i]);
    memset(first, 1, sizes[i]);
    sc_memory_give(first);
    long before = page_faults();
    int64_t reused = state_now().n_reused;
    unsigned char *again = sc_memory_take(sizes[i]);
    memset(again, 2, sizes[i]);
    CHECK(again == first && state_now().n_reused == reused + 1);
    CHECK(page_faults() - before < 10);
    sc_memory_give(again);
  }
  check_case("large_pieces_are_aligned_and_not_taken_for_much_smaller_ones");
  unsigned char *small = sc_memory_take(9 * MB), *large = sc_memory_take(70 * MB);
  CHECK_INT(0, (int)((uintptr_t)large % (2 * MB)));
  CHECK(small < large || small >= large + 70 * MB);
  sc_memory_give(small);
  sc_memory_give(large);
}

static void test_budget(void) {
  check_case("idle_memory_stays_within_the_budget");
  set_budget(64 << 20);
  CHECK(kept_now() <= 64 << 20);
  void *pieces[4];
  for (int i = 0; i < 4; i++) pieces[i] = sc_memory_take(24 * MB);
  for (int i = 0; i < 4; i++) {
    sc_memory_give(pieces[i]);
    sc_cache_trim();
    CHECK(kept_now() <= 64 << 20);
  }
  CHECK(kept_now() >= 24 << 20); /* and is used */
  check_case("a_lower_budget_is_kept_at_once");
  set_budget(8 << 20);
  CHECK(kept_now() <= 8 << 20);
  set_budget(0);
  CHECK_INT(0, (int)kept_now());
}

/* As a read makes a block. */
static void make_block(uint64_t i) {
  struct sc_error err = {0};
  struct sc_block *b;
  CHECK_INT(SC_OK, sc_cache_acquire(1, i, &b, &err));
  b->data = sc_memory_take(MB);
  b->capacity = MB;
  sc_cache_charge(b);
  sc_cache_release(b, 1);
}

/* Blocks of 1 MB, one after the other: the cache is full, and new ones take the memory of old ones.
 */
static void test_blocks(void) {
  check_case("blocks_and_idle_memory_share_the_budget");
  set_budget(32 << 20);
  for (uint64_t i = 0; i < 100; i++) {
    make_block(i);
    CHECK(kept_now() <= 32 << 20);
  }
  struct sc_kept k;
  sc_cache_count(&k);
  CHECK(k.n_blocks >= 28 && k.n_blocks <= 32);
  check_case("a_result_that_is_used_again_and_again_stays_and_old_blocks_go");
  for (uint64_t i = 100; i < 200; i++) {
    void *result = sc_memory_take(12 * MB);
    make_block(i);
    sc_memory_give(result);
    sc_cache_trim();
    CHECK(kept_now() <= 32 << 20);
  }
  CHECK_INT(12 << 20, (int)state_now().idle_large);
  check_case("one_that_is_not_used_any_more_goes_before_younger_blocks");
  for (uint64_t i = 200; i < 300; i++) {
    make_block(i);
  }
  CHECK_INT(0, (int)state_now().idle_large);
  check_case("a_piece_of_more_than_half_of_the_budget_drives_out_no_blocks");
  sc_memory_give(sc_memory_take(20 * MB));
  sc_cache_trim();
  CHECK_INT(0, (int)state_now().idle_large);
  sc_cache_count(&k);
  CHECK(k.n_blocks >= 24);
}

static void test_fork(void) {
  int status = 1;
  check_case("a_child_leaves_the_parents_memory_and_takes_its_own");
  unsigned char *kept = sc_memory_take(MB), *large = sc_memory_take(9 * MB);
  kept[0] = 5;
  pid_t child = fork();
  if (child == 0) {
    sc_runtime_enter();
    unsigned char *own = sc_memory_take(MB);
    memset(own, 9, MB);
    sc_memory_give(kept);
    sc_memory_give(large);
    int is_good = own != kept && kept[0] == 5 && state_now().in_use == (int64_t)MB;
    sc_memory_give(own);
    _exit(is_good ? 0 : 1);
  }
  waitpid(child, &status, 0);
  CHECK_INT(0, status);
  sc_memory_give(kept);
  sc_memory_give(large);
}

int main(void) {
  set_budget(256 << 20);
  test_pieces();
  test_reuse();
  test_budget();
  test_blocks();
  test_fork();
  set_budget(0);
  CHECK_INT(0, (int)state_now().in_use);
  return check_report();
}
