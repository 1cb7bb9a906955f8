/*
 * What the sub-commands of the program `stacchip` share: exit codes, options, messages,
 * a database with the extension, running SQL.
 */
#ifndef SC_CLI_CLI_H
#define SC_CLI_CLI_H

#include <sqlite3.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

enum sc_exit {
  SC_EXIT_DONE = 0,
  SC_EXIT_FAILED = 1,
  SC_EXIT_USAGE = 2,
  SC_EXIT_AGAIN = 75 /* EX_TEMPFAIL of sysexits.h: throttled or timed out */
};

/* The exit code that stands for an error. */
int sc_exit_code(const struct sc_error *err);

/* The network has answered: a name that does not resolve from now on is a failure that may pass. */
void sc_cli_reached(void);

/* An option of a sub-command: a flag, and the variables that set it too. */
struct sc_cli_option {
  const char *flag;         /* "--bucket"; NULL: the sub-command does not have it */
  const char *variables[4]; /* tried in order; NULL-terminated unless full */
  const char *value;        /* name of its value in the usage text; NULL: a switch */
  const char *help;
  int needed;
  const char *fallback; /* default, or NULL */
};

/* A sub-command, as its usage text, the manual page and the shell's completion show it. */
struct sc_cli_command {
  const char *name;
  int (*run)(const struct sc_cli_command *c, int argc, char **argv); /* returns an exit code */
  const char *summary;                                               /* in a list of commands */
  const char *description;                                           /* sentences */
  const char *rest; /* its other arguments in the usage text; "": none */
  int max_rest;
  const struct sc_cli_option *options;
  int n_options; /* at most SC_CLI_OPTIONS_MAX */
};

#define SC_CLI_OPTIONS_MAX 16
#define SC_CLI_REST_MAX 256

/* What a sub-command was called with; all borrowed from argv, environment and options. */
struct sc_cli_args {
  const char *values[SC_CLI_OPTIONS_MAX]; /* of options[i]: from argv, else a variable, else the
                                             fallback; NULL: not given */
  const char *rest[SC_CLI_REST_MAX];
  int n_rest;
};

/*
 * Read the arguments. Prints usage and returns an exit code for --help, unknown options and
 * needed ones that are missing; -1 to go on.
 */
int sc_cli_options(const struct sc_cli_command *c, int argc, char **argv, struct sc_cli_args *out);

/* The whole number, at least `least`, that an option's text is; SC_BAD_ARG. */
sc_status sc_cli_number(const struct sc_cli_option *o, const char *text, int64_t least,
                        int64_t *out, struct sc_error *err);
/* Is the text a number from 0 to 1? SC_BAD_ARG. */
sc_status sc_cli_fraction(const struct sc_cli_option *o, const char *text, struct sc_error *err);

/* Print "stacchip: message" on stderr. */
void sc_cli_message(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A line of progress on stderr: with --dry-run and without a terminal too. */
void sc_cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Open a database with the extension; close with sqlite3_close(). */
sc_status sc_cli_open(const char *path, sqlite3 **out, struct sc_error *err);

/* The same of one that is there: SC_NOT_FOUND, and none is made. */
sc_status sc_cli_open_old(const char *path, sqlite3 **out, struct sc_error *err);

/* Is there no file of a database yet? 0 for ":memory:". */
int sc_cli_is_new(const char *path);
/* Take away the file of a database that this run made, where it has neither merged an item into
 * the table nor recorded a failure; db stays open. */
void sc_cli_discard_if_empty(sqlite3 *db, const char *table, const char *path);

/* Run one statement with text parameters (NULL-terminated list); no rows. */
sc_status sc_cli_run(sqlite3 *db, struct sc_error *err, const char *sql, ...);
/* One text of the first row, appended to out; *found 0 where there is none. */
sc_status sc_cli_text(sqlite3 *db, struct sc_buffer *out, int *found, struct sc_error *err,
                      const char *sql, ...);

/*
 * Have each row of a statement taken, in the order that the statement states. What is put
 * together from rows goes through here, by its key or in an ORDER BY: not through an aggregate,
 * whose order nothing states.
 */
typedef sc_status (*sc_cli_row)(void *context, sqlite3_stmt *row, struct sc_error *err);
sc_status sc_cli_rows(sqlite3 *db, sc_cli_row take, void *context, struct sc_error *err,
                      const char *sql, ...);

/* A bar with the sub-command's name, count, rate and time left, on a terminal only. total 0:
 * unknown; seconds: since the work began. */
void sc_cli_bar(const char *units, int64_t done, int64_t total, double seconds);
void sc_cli_bar_end(void);
double sc_cli_seconds(void); /* monotonic */

/* --- the sub-commands --- */

extern const struct sc_cli_command sc_cli_browse, sc_cli_freeze, sc_cli_index, sc_cli_merge_index,
    sc_cli_mirror, sc_cli_prechip, sc_cli_preview, sc_cli_stats;

/*
 * Sub-command number i, or 0 where there are no more. A processor's options differ by system:
 * they are made in options[SC_CLI_OPTIONS_MAX], which *out then points to.
 */
int sc_cli_command(int i, struct sc_cli_option *options, struct sc_cli_command *out);

/* Print the manual page (mdoc), and the completion for bash. */
void sc_cli_print_manual(void);
void sc_cli_print_completion(void);

#endif
