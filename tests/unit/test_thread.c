/* base/thread.c: threads take no signals of the host, and the caller's own mask stays as it was. */
#include "base/thread.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>

#include "check.h"

struct seen {
  sigset_t blocked;
  sem_t is_over;
};

static void *look(void *context) {
  struct seen *s = context;
  pthread_sigmask(SIG_SETMASK, NULL, &s->blocked);
  sem_post(&s->is_over);
  return NULL;
}

static int blocks_the_hosts(const sigset_t *set) {
  static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGCHLD, SIGUSR1, SIGPROF};
  int all = 1;
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    all &= sigismember(set, signals[i]) == 1;
  }
  return all;
}

static void wait_for(struct seen *s) {
  while (sem_wait(&s->is_over) != 0 && errno == EINTR) {
  }
}

int main(void) {
  struct seen s;
  sigset_t mask;
  pthread_t thread;
  sem_init(&s.is_over, 0, 0);

  check_case("a_joined_thread_blocks_all_signals");
  sigemptyset(&s.blocked);
  CHECK(sc_thread_start(&thread, look, &s));
  pthread_join(thread, NULL);
  wait_for(&s);
  CHECK(blocks_the_hosts(&s.blocked));

  check_case("a_detached_thread_blocks_all_signals");
  sigemptyset(&s.blocked);
  CHECK(sc_thread_start(NULL, look, &s));
  wait_for(&s);
  CHECK(blocks_the_hosts(&s.blocked));

  check_case("the_callers_mask_is_restored");
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR2);
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  CHECK(sc_thread_start(&thread, look, &s));
  pthread_join(thread, NULL);
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  CHECK(sigismember(&mask, SIGUSR2) == 1);
  CHECK(sigismember(&mask, SIGINT) == 0);
  sem_destroy(&s.is_over);
  return check_report();
}
