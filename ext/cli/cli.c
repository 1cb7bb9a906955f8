/* What the sub-commands share; see cli.h. */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/db.h"
#include "base/progress.h"
#include "stacchip.h"

static int has_reached;

void sc_cli_reached(void) { has_reached = 1; }

int sc_exit_code(const struct sc_error *err) {
  /* At the first request a name that does not resolve is a wrong one. */
  if (err->status == SC_AGAIN && !has_reached && strstr(err->text, "resolve host")) {
    return SC_EXIT_FAILED;
  }
  switch (err->status) {
    case SC_OK: return SC_EXIT_DONE;
    case SC_AGAIN: return SC_EXIT_AGAIN;
    case SC_BAD_ARG: return SC_EXIT_USAGE;
    default: return SC_EXIT_FAILED;
  }
}

static const char *command_name = ""; /* of the sub-command that runs */
static int bar_is_drawn;

/* A line takes the bar's place; the next bar comes below it. */
static void bar_erase(void) {
  if (bar_is_drawn) fputs("\r\033[K", stderr);
  bar_is_drawn = 0;
}

void sc_cli_message(const char *format, ...) {
  va_list args;
  bar_erase();
  va_start(args, format);
  fputs("stacchip: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
}

void sc_cli_say(const char *format, ...) {
  va_list args;
  bar_erase();
  va_start(args, format);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
}

/* --- options --- */

static void print_usage(const struct sc_cli_command *c) {
  printf("usage: stacchip %s [options]%s%s\n\n%s\n\n", c->name, c->rest[0] ? " " : "", c->rest,
         c->description);
  for (const struct sc_cli_option *o = c->options; o < c->options + c->n_options; o++) {
    char flag[60];
    if (!o->flag) continue;
    snprintf(flag, sizeof flag, "%s%s%s", o->flag, o->value ? " " : "", o->value ? o->value : "");
    printf("  %-24s %s", flag, o->help);
    for (int k = 0; k < 4 && o->variables[k]; k++) {
      printf("%s%s", k ? ", " : " [", o->variables[k]);
    }
    printf("%s%s%s%s\n", o->variables[0] ? "]" : "", o->fallback ? " (default " : "",
           o->fallback ? o->fallback : "", o->fallback ? ")" : "");
  }
  printf(
      "  %-24s this text\n  %-24s the version\n\nExit: 0 done, 1 failed, 2 usage, 75 try again.\n",
      "--help", "--version");
}

static const char *from_environment(const struct sc_cli_option *o) {
  for (int k = 0; k < 4 && o->variables[k]; k++) {
    const char *value = getenv(o->variables[k]);
    if (value && *value) return value;
  }
  return NULL;
}

/* Which option a "--flag" or "--flag=value" names, or -1; *length is that of the flag. */
static int find_option(const struct sc_cli_command *c, const char *arg, size_t *length) {
  *length = strcspn(arg, "=");
  for (int i = 0; i < c->n_options; i++) {
    const char *flag = c->options[i].flag;
    if (flag && strlen(flag) == *length && strncmp(flag, arg, *length) == 0) return i;
  }
  return -1;
}

static int refuse_option(const struct sc_cli_command *c, const char *arg) {
  const char *before = "";
  fprintf(stderr, "stacchip %s: unknown option '%s'; options: ", c->name, arg);
  for (int i = 0; i < c->n_options; i++) {
    if (!c->options[i].flag) continue;
    fprintf(stderr, "%s%s", before, c->options[i].flag);
    before = ", ";
  }
  fputc('\n', stderr);
  return SC_EXIT_USAGE;
}

static int check_needed(const struct sc_cli_command *c, const struct sc_cli_args *args) {
  int missing = 0;
  for (int i = 0; i < c->n_options; i++) {
    const struct sc_cli_option *o = &c->options[i];
    if (!o->flag || !o->needed || args->values[i]) continue;
    fprintf(stderr, "stacchip %s: %s is not set (%s%s%s)\n", c->name,
            o->variables[0] ? o->variables[0] : o->flag, o->flag, o->value ? " " : "",
            o->value ? o->value : "");
    missing = 1;
  }
  return missing ? SC_EXIT_USAGE : -1;
}

int sc_cli_options(const struct sc_cli_command *c, int argc, char **argv, struct sc_cli_args *out) {
  *out = (struct sc_cli_args){0};
  command_name = c->name;
  for (int a = 0; a < argc; a++) {
    size_t length;
    int i = find_option(c, argv[a], &length);
    if (strcmp(argv[a], "--help") == 0 || strcmp(argv[a], "-h") == 0) {
      print_usage(c);
      return SC_EXIT_DONE;
    }
    if (strcmp(argv[a], "--version") == 0) {
      printf("stacchip %s\n", STACCHIP_VERSION);
      return SC_EXIT_DONE;
    }
    if (i < 0 && argv[a][0] == '-' && argv[a][1]) return refuse_option(c, argv[a]);
    if (i < 0) {
      if (out->n_rest == c->max_rest) {
        fprintf(stderr, "stacchip %s: too many arguments at '%s'\n", c->name, argv[a]);
        return SC_EXIT_USAGE;
      }
      out->rest[out->n_rest++] = argv[a];
    } else if (!c->options[i].value) {
      out->values[i] = "1";
    } else if (argv[a][length] == '=') {
      out->values[i] = argv[a] + length + 1;
    } else if (a + 1 < argc) {
      out->values[i] = argv[++a];
    } else {
      fprintf(stderr, "stacchip %s: %s needs a value\n", c->name, argv[a]);
      return SC_EXIT_USAGE;
    }
  }
  for (int i = 0; i < c->n_options; i++) {
    if (!c->options[i].flag) continue;
    if (!out->values[i]) out->values[i] = from_environment(&c->options[i]);
    if (!out->values[i]) out->values[i] = c->options[i].fallback;
  }
  return check_needed(c, out);
}

sc_status sc_cli_number(const struct sc_cli_option *o, const char *text, int64_t least,
                        int64_t *out, struct sc_error *err) {
  char *end = NULL;
  errno = 0;
  long long n = strtoll(text, &end, 10);
  if (end == text || *end || errno || n < least) {
    return sc_fail(err, SC_BAD_ARG, "%s: expected a whole number from %lld, found '%s'", o->flag,
                   (long long)least, text);
  }
  *out = n;
  return SC_OK;
}

sc_status sc_cli_fraction(const struct sc_cli_option *o, const char *text, struct sc_error *err) {
  char *end = NULL;
  double v = strtod(text, &end);
  if (end != text && !*end && v >= 0 && v <= 1) return SC_OK;
  return sc_fail(err, SC_BAD_ARG, "%s: expected a fraction from 0 to 1, found '%s'", o->flag, text);
}

/* --- SQL --- */

sc_status sc_cli_open(const char *path, sqlite3 **out, struct sc_error *err) {
  char *message = NULL;
  sc_status st = SC_OK;
  *out = NULL;
  if (sqlite3_open(path, out) != SQLITE_OK) {
    st = sc_fail(err, SC_IO, "%s: %s", path, *out ? sqlite3_errmsg(*out) : "out of memory");
  } else if (sqlite3_stacchip_init(*out, &message, NULL) != SQLITE_OK) {
    st = sc_fail(err, SC_UNSUPPORTED, "%s", message ? message : "the extension does not start");
  } else {
    sqlite3_busy_timeout(*out, 60000);
  }
  sqlite3_free(message);
  if (st) {
    sqlite3_close(*out);
    *out = NULL;
  }
  return st;
}

static sc_status fail_sql(sqlite3 *db, struct sc_error *err) {
  int again = sc_db_status(db) == SC_AGAIN;
  sc_fail_text(err, again ? SC_AGAIN : SC_DB, "%s", sqlite3_errmsg(db));
  if (!again) err->db_code = sqlite3_extended_errcode(db);
  return err->status;
}

static sc_status prepare(sqlite3 *db, const char *sql, va_list args, sqlite3_stmt **out,
                         struct sc_error *err) {
  if (sqlite3_prepare_v2(db, sql, -1, out, NULL) != SQLITE_OK) return fail_sql(db, err);
  int n = sqlite3_bind_parameter_count(*out);
  for (int i = 1; i <= n; i++)
    sqlite3_bind_text(*out, i, va_arg(args, const char *), -1, SQLITE_TRANSIENT);
  return SC_OK;
}

int sc_cli_is_new(const char *path) {
  return strcmp(path, ":memory:") != 0 && access(path, F_OK) != 0;
}

void sc_cli_discard_if_empty(sqlite3 *db, const char *table, const char *path) {
  static const char *const ends[] = {"", "-journal", "-wal", "-shm"};
  struct sc_buffer n = {0};
  struct sc_error err = {0};
  char name[PATH_MAX];
  int found = 0;
  char *sql = sqlite3_mprintf(
      "SELECT 1 WHERE EXISTS (SELECT 1 FROM \"%w_item\") OR EXISTS (SELECT 1 FROM \"%w_error\")",
      table, table);
  /* Where there is no such table, nothing has been merged either. */
  if (db && sql) sc_cli_text(db, &n, &found, &err, sql);
  for (size_t i = 0; i < sizeof ends / sizeof *ends && !found && sql; i++) {
    snprintf(name, sizeof name, "%s%s", path, ends[i]);
    unlink(name);
  }
  sc_buffer_free(&n);
  sqlite3_free(sql);
}

sc_status sc_cli_open_old(const char *path, sqlite3 **out, struct sc_error *err) {
  *out = NULL;
  if (sc_cli_is_new(path)) return sc_fail(err, SC_NOT_FOUND, "%s: no such database", path);
  return sc_cli_open(path, out, err);
}

/* Run a statement to its end and finalize it; rows go to `take`, or nowhere where it is NULL. */
static sc_status step_all(sqlite3 *db, sqlite3_stmt *stmt, sc_cli_row take, void *context,
                          struct sc_error *err) {
  sc_status st = SC_OK;
  int code = SQLITE_DONE;
  while (!st && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
    if (take) st = take(context, stmt, err);
  }
  if (!st && code != SQLITE_DONE) st = fail_sql(db, err);
  sqlite3_finalize(stmt);
  return st;
}

sc_status sc_cli_run(sqlite3 *db, struct sc_error *err, const char *sql, ...) {
  sqlite3_stmt *stmt = NULL;
  va_list args;
  va_start(args, sql);
  sc_status st = prepare(db, sql, args, &stmt, err);
  va_end(args);
  return st ? st : step_all(db, stmt, NULL, NULL, err);
}

sc_status sc_cli_text(sqlite3 *db, struct sc_buffer *out, int *found, struct sc_error *err,
                      const char *sql, ...) {
  sqlite3_stmt *stmt = NULL;
  va_list args;
  *found = 0;
  va_start(args, sql);
  sc_status st = prepare(db, sql, args, &stmt, err);
  va_end(args);
  int code = st ? SQLITE_DONE : sqlite3_step(stmt);
  if (code == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL) {
    *found = 1;
    st = sc_buffer_append(out, sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0),
                          err);
    if (!st) st = sc_buffer_terminate(out, err);
  } else if (!st && code != SQLITE_ROW && code != SQLITE_DONE) {
    st = fail_sql(db, err);
  }
  sqlite3_finalize(stmt);
  return st;
}

sc_status sc_cli_rows(sqlite3 *db, sc_cli_row take, void *context, struct sc_error *err,
                      const char *sql, ...) {
  sqlite3_stmt *stmt = NULL;
  va_list args;
  va_start(args, sql);
  sc_status st = prepare(db, sql, args, &stmt, err);
  va_end(args);
  return st ? st : step_all(db, stmt, take, context, err);
}

/* --- progress --- */

double sc_cli_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void sc_cli_bar(const char *units, int64_t done, int64_t total, double seconds) {
  char text[SC_PROGRESS_TEXT];
  if (!isatty(STDERR_FILENO)) return;
  bar_is_drawn = 1;
  sc_progress_text(units, done, total, seconds, text);
  fprintf(stderr, "\rstacchip %s ", command_name);
  if (total > 0) {
    int width = done < total ? (int)(30 * done / total) : 30;
    fprintf(stderr, "[%.*s%*s] ", width, "##############################", 30 - width, "");
  }
  fprintf(stderr, "%s\033[K", text);
  fflush(stderr);
}

void sc_cli_bar_end(void) {
  if (bar_is_drawn) fputc('\n', stderr);
  bar_is_drawn = 0;
}
