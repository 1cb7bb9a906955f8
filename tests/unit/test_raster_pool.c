/* raster/pool.c: each task runs once, whoever calls; failures and interrupts end a call; no worker
 * is missed, and a forked child has its own. */
#include "raster/pool.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "raster/runtime.h"

enum { N_MOST = 400 };

struct count {
  atomic_int runs[N_MOST];
  atomic_int n_running, n_together; /* now; the most at one time */
  size_t fails_at;                  /* a task that fails; N_MOST: none */
  long sleeps_ns;
  int waits_for; /* so many tasks at one time, 5 s at most */
};

static void set_threads(int n) {
  struct sc_settings s = {
      .threads = n, .cache_bytes = 1 << 20, .max_connections = 1, .timeout_ms = 1000};
  sc_runtime_enter();
  sc_runtime_configure(&s);
}

static int task(void *context, size_t i) {
  struct count *c = context;
  int now = atomic_fetch_add(&c->n_running, 1) + 1, most = atomic_load(&c->n_together);
  while (now > most && !atomic_compare_exchange_weak(&c->n_together, &most, now)) continue;
  atomic_fetch_add(&c->runs[i], 1);
  for (int k = 0; k < 1000 && atomic_load(&c->n_together) < c->waits_for; k++)
    nanosleep(&(struct timespec){0, 5000000}, NULL);
  if (c->sleeps_ns) nanosleep(&(struct timespec){0, c->sleeps_ns}, NULL);
  atomic_fetch_sub(&c->n_running, 1);
  return i == c->fails_at;
}

static int n_wrong(const struct count *c, size_t n) {
  int wrong = 0;
  for (size_t i = 0; i < n; i++) wrong += atomic_load(&c->runs[i]) != 1;
  return wrong;
}

static int run(struct count *c, size_t n, int helpers) {
  return sc_pool_run(n, helpers, task, c, NULL, NULL);
}

static void test_tasks(void) {
  check_case("each_task_runs_once");
  for (size_t n = 0; n < N_MOST; n += 7) {
    struct count c = {.fails_at = N_MOST};
    CHECK_INT(0, run(&c, n, INT_MAX));
    CHECK_INT(0, n_wrong(&c, n));
    CHECK_INT(0, atomic_load(&c.n_running));
  }
  check_case("workers_help_as_many_as_are_wanted");
  struct count all = {.fails_at = N_MOST, .waits_for = 8};
  CHECK_INT(0, run(&all, 16, INT_MAX));
  CHECK_INT(8, atomic_load(&all.n_together));
  struct count two = {.fails_at = N_MOST, .waits_for = 2};
  CHECK_INT(0, run(&two, 16, 1));
  CHECK_INT(2, atomic_load(&two.n_together));
  struct count alone = {.fails_at = N_MOST, .sleeps_ns = 1000000};
  CHECK_INT(0, run(&alone, 16, 0));
  CHECK_INT(1, atomic_load(&alone.n_together));
}

static int always(void *unused) {
  (void)unused;
  return 1;
}

static void test_ends(void) {
  check_case("a_failure_stops_tasks_that_have_not_begun");
  struct count c = {.fails_at = 5, .sleeps_ns = 100000};
  CHECK_INT(1, run(&c, N_MOST, INT_MAX));
  CHECK(atomic_load(&c.runs[N_MOST - 1]) == 0);
  check_case("an_interrupt_does_too");
  struct count d = {.fails_at = N_MOST, .sleeps_ns = 10000000};
  CHECK_INT(2, sc_pool_run(N_MOST, INT_MAX, task, &d, always, NULL));
  CHECK(atomic_load(&d.runs[N_MOST - 1]) == 0);
}

/* Small calls, one after the other: an offer that nobody saw would be made up for by the caller,
 * and one that a worker still looked at when its job is gone is for the sanitizers. */
static void *call_often(void *wrong) {
  for (int k = 0; k < 2000; k++) {
    struct count c = {.fails_at = N_MOST};
    run(&c, 6, INT_MAX);
    atomic_fetch_add((atomic_int *)wrong, n_wrong(&c, 6));
  }
  return NULL;
}

static void test_callers(void) {
  atomic_int wrong = 0;
  pthread_t callers[4];
  check_case("callers_side_by_side");
  for (int i = 0; i < 4; i++) pthread_create(&callers[i], NULL, call_often, &wrong);
  for (int i = 0; i < 4; i++) pthread_join(callers[i], NULL);
  CHECK_INT(0, atomic_load(&wrong));
}

#ifdef __SANITIZE_THREAD__ /* it lets no child of several threads start any */
static void test_fork(void) {}
#else
static void test_fork(void) {
  int status = 1;
  if (getenv("SC_EMULATED")) return; /* qemu-user aborts in a child of several threads */
  check_case("a_child_starts_its_own_workers");
  pid_t child = fork();
  if (child == 0) {
    struct count c = {.fails_at = N_MOST, .waits_for = 8};
    sc_runtime_enter();
    run(&c, 16, INT_MAX);
    _exit(n_wrong(&c, 16) == 0 && atomic_load(&c.n_together) == 8 ? 0 : 1);
  }
  waitpid(child, &status, 0);
  CHECK_INT(0, status);
}
#endif

int main(void) {
  set_threads(8);
  test_tasks();
  test_ends();
  test_callers();
  test_fork();
  return check_report();
}
