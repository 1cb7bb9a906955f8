/*
 * The program `stacchip`: sub-commands over the extension's SQL. Installed also under the
 * Python package's names (stacchip-sentinel-2 is `stacchip sentinel-2`).
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "stacchip.h"

static void usage(FILE *to) {
  struct sc_cli_option options[SC_CLI_OPTIONS_MAX];
  struct sc_cli_command c;
  fprintf(to, "usage: stacchip COMMAND [options]\n\n");
  for (int i = 0; sc_cli_command(i, options, &c); i++) {
    fprintf(to, "  %-12s %s\n", c.name, c.summary);
  }
  fprintf(to, "\n`stacchip COMMAND --help` has more.\n");
}

static int run(const char *name, int argc, char **argv) {
  struct sc_cli_option options[SC_CLI_OPTIONS_MAX];
  struct sc_cli_command c;
  for (int i = 0; sc_cli_command(i, options, &c); i++) {
    if (strcmp(c.name, name) == 0) return c.run(&c, argc, argv);
  }
  fprintf(stderr, "stacchip: unknown command '%s'\n", name);
  usage(stderr);
  return SC_EXIT_USAGE;
}

int main(int argc, char **argv) {
  const char *slash = strrchr(argv[0], '/'), *program = slash ? slash + 1 : argv[0];
  signal(SIGPIPE, SIG_IGN);
  if (strncmp(program, "stacchip-", 9) == 0) return run(program + 9, argc - 1, argv + 1);
  if (argc < 2) {
    usage(stderr);
    return SC_EXIT_USAGE;
  }
  if (strcmp(argv[1], "--version") == 0) {
    printf("stacchip %s\n", STACCHIP_VERSION);
  } else if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
    usage(stdout);
  } else if (strcmp(argv[1], "--manual") == 0) { /* for the build: Makefile */
    sc_cli_print_manual();
  } else if (strcmp(argv[1], "--completion") == 0) {
    sc_cli_print_completion();
  } else {
    return run(argv[1], argc - 2, argv + 2);
  }
  return SC_EXIT_DONE;
}
