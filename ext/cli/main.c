/*
 * The program `stacchip`: sub-commands over the extension's SQL. Installed also under the
 * Python package's names (stacchip-sentinel-2 is `stacchip sentinel-2`).
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "stacchip.h"

static const struct {
  const char *name;
  int (*run)(int argc, char **argv); /* NULL: a processor */
  const char *help;
} commands[] = {
    {"index", sc_cmd_index, "index folders, files, catalogues and searches into a database"},
    {"sentinel-2", NULL, "processor: Sentinel-2 L2A by MGRS tile"},
    {"landsat", NULL, "processor: Landsat Collection 2 L1 and L2 by sample point"},
    {"naip", NULL, "processor: NAIP by sample point"},
    {"linz", NULL, "processor: LINZ aerial imagery by region"},
    {"modis", NULL, "processor: MODIS 09A1 by sinusoidal tile"},
    {"sentinel-1", NULL, "processor: Sentinel-1 RTC by MGRS tile"},
    {"merge-index", sc_cmd_merge_index,
     "merge an index tree into one GeoParquet file, or a database"},
    {"prechip", sc_cmd_prechip, "write cubes of random chips as .npz"},
    {"stats", sc_cmd_stats, "mean and standard deviation per band"},
};
#define N_COMMANDS (sizeof commands / sizeof *commands)

static void usage(FILE *to) {
  fprintf(to, "usage: stacchip COMMAND [options]\n\n");
  for (size_t i = 0; i < N_COMMANDS; i++)
    fprintf(to, "  %-12s %s\n", commands[i].name, commands[i].help);
  fprintf(to, "\n`stacchip COMMAND --help` has more.\n");
}

static int run(const char *name, int argc, char **argv) {
  for (size_t i = 0; i < N_COMMANDS; i++) {
    if (strcmp(commands[i].name, name) != 0) continue;
    return commands[i].run ? commands[i].run(argc, argv) : sc_cmd_processor(name, argc, argv);
  }
  fprintf(stderr, "stacchip: no command '%s'\n", name);
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
    return SC_EXIT_DONE;
  }
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
    usage(stdout);
    return SC_EXIT_DONE;
  }
  return run(argv[1], argc - 2, argv + 2);
}
