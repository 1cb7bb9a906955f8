/* What the benchmarks share. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/*
 * Touch as much memory as a measurement may need, in a process of its own. The host of a virtual
 * machine takes back what lies idle, and whoever touches it next pays up to 3 ms for 2 MB: three
 * times what is measured, by turns on either side.
 */
static inline void settle_memory(void) {
  const size_t bytes = (size_t)1 << 30;
  pid_t child = fork();
  if (child == 0) {
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) _exit(1);
    madvise(memory, bytes, MADV_HUGEPAGE);
    for (size_t i = 0; i < bytes; i += 4096) memory[i] = 1;
    _exit(0);
  }
  if (child > 0) waitpid(child, NULL, 0);
}

/*
 * Run measure(job, result) in a process of its own, so that no measurement finds what another
 * has left in memory; the result's bytes come back. 0 where that failed.
 */
static inline int measure_apart(void (*measure)(const void *job, void *result), const void *job,
                                void *result, size_t n) {
  int ends[2], status = 1;
  if (pipe(ends) != 0) return 0;
  fflush(stdout);
  settle_memory();
  pid_t child = fork();
  if (child == 0) {
    measure(job, result);
    _exit(write(ends[1], result, n) == (ssize_t)n ? 0 : 1);
  }
  close(ends[1]);
  int ok = child > 0 && read(ends[0], result, n) == (ssize_t)n;
  close(ends[0]);
  if (child > 0) waitpid(child, &status, 0);
  return ok;
}

#endif
