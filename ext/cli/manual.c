/* The manual page and bash's completion, from the same tables that read the arguments. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/systems.h"
#include "stacchip.h"

#define MANUAL_DATE "November 27, 2026"

int sc_cli_command(int i, struct sc_cli_option *options, struct sc_cli_command *out) {
  static const struct sc_cli_command *const last[] = {
      &sc_cli_merge_index, &sc_cli_mirror, &sc_cli_freeze, &sc_cli_prechip,
      &sc_cli_stats,       &sc_cli_browse, &sc_cli_preview};
  const struct sc_system *system = sc_system_at(i - 1);
  int n_systems = 0;
  while (sc_system_at(n_systems)) n_systems++;
  if (i == 0) {
    *out = sc_cli_index;
  } else if (system) {
    sc_cli_processor(system, options, out);
  } else {
    size_t at = (size_t)(i - 1 - n_systems);
    if (at >= sizeof last / sizeof *last) return 0;
    *out = *last[at];
  }
  return 1;
}

/* --- the manual page, in mdoc(7) --- */

/* Sentences, each on a line; what mdoc would take for a request or an escape is written out. */
static void print_text(const char *text) {
  if (*text == '.' || *text == '\'') fputs("\\&", stdout);
  for (; *text; text++) {
    if (*text == '\\') {
      fputs("\\e", stdout);
    } else if (text[0] == '.' && text[1] == ' ') {
      fputs(".\n", stdout);
      text++;
    } else {
      putchar(*text);
    }
  }
  putchar('\n');
}

static void print_option(const struct sc_cli_option *o) {
  printf(".It Fl \\-%s", o->flag + 2);
  if (o->value) printf(" Ar %s", o->value);
  putchar('\n');
  print_text(o->help);
  if (o->fallback) printf(".br\nDefault:\n.Li %s\n", o->fallback);
  for (int k = 0; k < 4 && o->variables[k]; k++) {
    printf("%s.Ev %s\n", k ? "or\n" : ".br\nVariable:\n", o->variables[k]);
  }
}

static void print_command(const struct sc_cli_command *c) {
  printf(".Ss stacchip %s [options]%s%s\n", c->name, c->rest[0] ? " " : "", c->rest);
  print_text(c->description);
  puts(".Bl -tag -width Ds");
  for (int i = 0; i < c->n_options; i++) {
    if (c->options[i].flag) print_option(&c->options[i]);
  }
  puts(".El");
}

void sc_cli_print_manual(void) {
  struct sc_cli_option options[SC_CLI_OPTIONS_MAX];
  struct sc_cli_command c;
  puts(".Dd " MANUAL_DATE "\n.Dt STACCHIP 1\n.Os stacchip " STACCHIP_VERSION
       "\n.Sh NAME\n.Nm stacchip\n.Nd index, copy, merge and cut satellite and aerial imagery"
       "\n.Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar options\n.Nm\n.Fl \\-help\n.Nm\n.Fl \\-version"
       "\n.Sh DESCRIPTION\nThe commands of\n.Nm\nuse the SQLite extension of the same name:");
  puts(".Bl -tag -width merge-index");
  for (int i = 0; sc_cli_command(i, options, &c); i++) {
    printf(".It Cm %s\n", c.name);
    print_text(c.summary);
  }
  puts(
      ".El\n.Pp\nEach also runs as\n.Nm stacchip- Ns Ar command .\nAn option goes before its "
      "variables, which go before its default."
      "\nOf the commands,\n.Fl \\-help\nprints the usage, and\n.Fl \\-version\nthe version."
      "\n.Sh COMMANDS");
  for (int i = 0; sc_cli_command(i, options, &c); i++) print_command(&c);
  puts(
      ".Sh ENVIRONMENT\nBeside the options' own variables, those of the extension hold, among them"
      "\n.Ev STACCHIP_LOCAL\nand\n.Ev STACCHIP_HOSTS ,\nwhich say what may be opened, and those "
      "of the object stores' own tools."
      "\n.Sh EXIT STATUS\n.Bl -tag -width Ds\n.It 0\ndone\n.It 1\nfailed\n.It 2\nwrong usage"
      "\n.It 75\nthrottled or timed out: the same call may succeed later\n.El"
      "\n.Sh EXAMPLES\nThe items of a folder into a database:"
      "\n.Pp\n.Dl stacchip index chips.db items/"
      "\n.Sh SEE ALSO\n.Xr sqlite3 1");
}

/* --- bash's completion --- */

static void print_case(const struct sc_cli_command *c) {
  printf("    %s) words='", c->name);
  for (int i = 0; i < c->n_options; i++) {
    if (c->options[i].flag) printf("%s ", c->options[i].flag);
  }
  puts("--help --version' ;;");
}

void sc_cli_print_completion(void) {
  struct sc_cli_option options[SC_CLI_OPTIONS_MAX];
  struct sc_cli_command c;
  puts("# bash completion of stacchip " STACCHIP_VERSION
       "\n_stacchip() {\n"
       "  local current=${COMP_WORDS[COMP_CWORD]} program=${COMP_WORDS[0]##*/} command= words=\n"
       "  if [[ $program == stacchip-* ]]; then command=${program#stacchip-}\n"
       "  elif ((COMP_CWORD > 1)); then command=${COMP_WORDS[1]}; fi\n"
       "  COMPREPLY=()\n"
       "  case $command in");
  printf("    '') words='");
  for (int i = 0; sc_cli_command(i, options, &c); i++) printf("%s ", c.name);
  puts("--help --version' ;;");
  for (int i = 0; sc_cli_command(i, options, &c); i++) print_case(&c);
  /* Values of options and names of files are left to bash's own way. */
  printf(
      "  esac\n"
      "  if [[ -z $command || $current == -* ]]; then\n"
      "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
      "  fi\n"
      "}\n"
      "complete -o default -F _stacchip stacchip");
  for (int i = 0; sc_cli_command(i, options, &c); i++) printf(" stacchip-%s", c.name);
  putchar('\n');
}
