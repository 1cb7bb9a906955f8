/* stacchip browse: a page that shows databases, on this machine. */
#include <malloc.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "browse/browse.h"
#include "browse/server.h"
#include "cli/cli.h"

enum { OPT_HOST, OPT_PORT, OPT_OPEN, OPT_READ_WRITE, OPT_LABELS, N_OPTIONS };

extern char **environ;

/* The desktop's way to open an address; what it says is its own matter. */
static void open_in_browser(const char *address) {
  char *const argv[] = {(char *)"xdg-open", (char *)address, NULL};
  pid_t ignored;
  if (posix_spawnp(&ignored, argv[0], NULL, NULL, argv, environ) != 0)
    sc_cli_message("--open: xdg-open cannot be started; open the address yourself");
}

static sigset_t ending_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  return set;
}

/* Until a signal ends it. Meanwhile statements that take too long are stopped. */
static void serve(struct sc_browse *browse, const sigset_t *ending) {
  const struct timespec tick = {.tv_nsec = 100000000};
  while (sigtimedwait(ending, NULL, &tick) < 0) sc_browse_watch(browse);
}

static sc_status browse_databases(const struct sc_cli_command *c, const struct sc_cli_args *args,
                                  struct sc_error *err) {
  struct sc_browse_options options = {.paths = args->rest,
                                      .n_paths = args->n_rest,
                                      .is_writable = args->values[OPT_READ_WRITE] != NULL,
                                      .labels = args->values[OPT_LABELS]};
  struct sc_server_options where = {.host = args->values[OPT_HOST], .handler = sc_browse_answer};
  struct sc_browse *browse = NULL;
  struct sc_server *server = NULL;
  sigset_t ending = ending_signals();
  int64_t port;
  sc_status st = sc_cli_number(&c->options[OPT_PORT], args->values[OPT_PORT], 0, &port, err);
  if (!st && port > 65535) st = sc_fail(err, SC_BAD_ARG, "--port: 65535 is the highest");
  if (st) return st;
  where.port = (int)port;
#ifdef M_ARENA_MAX
  /* Else each of the threads keeps some MB to itself: 18 MB less with 10 million chips. */
  mallopt(M_ARENA_MAX, 2);
#endif
  /* Before any thread begins: they inherit it, and the signals come to sigtimedwait(). */
  sigprocmask(SIG_BLOCK, &ending, NULL);
  st = sc_browse_open(&options, &browse, err);
  where.context = browse;
  if (!st) st = sc_server_start(&where, &server, err);
  if (!st) {
    printf("%s\n", sc_server_address(server));
    fflush(stdout);
    if (!sc_browse_has_page())
      sc_cli_message("browse: built without its page: only its API answers");
    if (args->values[OPT_OPEN]) open_in_browser(sc_server_address(server));
    serve(browse, &ending);
  }
  sc_browse_stop(browse);
  sc_server_stop(server);
  sc_browse_close(browse);
  return st;
}

static int run(const struct sc_cli_command *c, int argc, char **argv) {
  struct sc_cli_args args;
  struct sc_error err = {0};
  int code = sc_cli_options(c, argc, argv, &args);
  if (code >= 0) return code;
  if (!args.n_rest) {
    fprintf(stderr, "stacchip browse: no database is named\n");
    return SC_EXIT_USAGE;
  }
  if (browse_databases(c, &args, &err)) sc_cli_message("%s", err.text);
  return sc_exit_code(&err);
}

static const struct sc_cli_option options[N_OPTIONS] = {
    {"--host", {NULL}, "NAME", "address or name of this machine to listen on", 0, "127.0.0.1"},
    {"--port", {NULL}, "N", "port to listen on; 0: a free one", 0, "0"},
    {"--open", {NULL}, NULL, "open the page in the desktop's browser", 0, NULL},
    {"--read-write",
     {NULL},
     NULL,
     "let the page write labels and selections into tables of the database",
     0,
     NULL},
    {"--labels",
     {NULL},
     "TABLE",
     "table of labels, instead of that named <table>_labels",
     0,
     NULL}};

const struct sc_cli_command sc_cli_browse = {
    .name = "browse",
    .run = run,
    .summary = "show a merged index or a frozen dataset in the web browser",
    .description =
        "Serve a page that shows databases: a map of chips, filters, pixels, labels. The address "
        "is printed; it has a token without which nothing is answered. A signal ends it.",
    .rest = "DB...",
    .max_rest = 16,
    .options = options,
    .n_options = N_OPTIONS};
