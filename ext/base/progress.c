/* How far long work is; see progress.h. */
#include "base/progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/settings.h"

#define LINE_SECONDS 1.0
#define SHOW_SECONDS 0.1

static _Thread_local void (*follower)(void *context, int64_t done, int64_t total);
static _Thread_local void *follower_context;

void sc_progress_follow(void (*show)(void *context, int64_t done, int64_t total), void *context) {
  follower = show;
  follower_context = context;
}

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void sc_progress_begin(struct sc_progress *p, const char *what, const char *units) {
  double now = now_s();
  *p = (struct sc_progress){what, units, now, now};
}

void sc_progress_text(const char *units, int64_t done, int64_t total, double seconds,
                      char out[SC_PROGRESS_TEXT]) {
  double rate = seconds > 0 ? (double)done / seconds : 0;
  char of[24] = "", left[40] = "";
  if (total > 0) snprintf(of, sizeof of, "/%lld", (long long)total);
  if (total > done && rate > 0 && seconds >= 1) {
    long long s = (long long)((double)(total - done) / rate + 0.5);
    if (s >= 3600)
      snprintf(left, sizeof left, ", %lld:%02lld:%02lld left", s / 3600, s / 60 % 60, s % 60);
    else
      snprintf(left, sizeof left, ", %lld:%02lld left", s / 60, s % 60);
  }
  snprintf(out, SC_PROGRESS_TEXT, "%lld%s %.20s, %.1f/s%s", (long long)done, of, units, rate, left);
}

/* On a terminal one line that changes, else a line each time. */
static void print_line(const struct sc_progress *p, int64_t done, int64_t total, const char *note,
                       int is_last) {
  int rewrites = isatty(STDERR_FILENO);
  char text[SC_PROGRESS_TEXT];
  sc_progress_text(p->units, done, total, p->told_s - p->began_s, text);
  fprintf(stderr, "%s%s: %s%s%s%s", rewrites ? "\r" : "", p->what, text, *note ? "; " : "", note,
          is_last || !rewrites ? "\n" : "\033[K");
}

static void tell(struct sc_progress *p, int64_t done, int64_t total, const char *note,
                 int is_last) {
  double now = now_s(), pause = follower ? SHOW_SECONDS : LINE_SECONDS;
  if (!is_last && now - p->told_s < pause) return;
  if (!follower && sc_settings_int("progress") != 1) return;
  p->told_s = now;
  if (follower)
    follower(follower_context, done, total);
  else
    print_line(p, done, total, note, is_last);
}

void sc_progress_tell(struct sc_progress *p, int64_t done, int64_t total, const char *note) {
  tell(p, done, total, note, 0);
}

void sc_progress_end(struct sc_progress *p, int64_t done, int64_t total, const char *note) {
  tell(p, done, total, note, 1);
}
