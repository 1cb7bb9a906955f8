/*
 * The arguments of CREATE VIRTUAL TABLE ... USING stacchip_merge(chip_size=256, ...): the
 * options of stacchip_index, and those of the table itself. Read again at each connect.
 */
#ifndef SC_MERGE_ARGS_H
#define SC_MERGE_ARGS_H

#include "base/status.h"
#include "index/index.h"

enum sc_headers { SC_HEADERS_EAGER = 0, SC_HEADERS_LAZY, SC_HEADERS_NONE };
#define SC_MERGE_ON_ERROR_CHOICES "abort|record"
enum sc_merge_on_error { SC_MERGE_ON_ERROR_ABORT = 0, SC_MERGE_ON_ERROR_RECORD };

/* Zeroed is empty; sc_merge_args_free(). */
struct sc_merge_args {
  struct sc_index_options index;
  char *bucket;            /* where items of rows merged from files are found; NULL: nowhere */
  enum sc_headers headers; /* of remote assets: at the merge, at the first read, never */
  enum sc_merge_on_error on_error; /* an item that fails: an error, or a row of <name>_error */
};

/* Those that stacchip_index() has not, for help. */
extern const struct sc_option_table sc_merge_option_table;

/* n arguments, each "key = value"; a value may be quoted. */
sc_status sc_merge_args_parse(int n, const char *const *arguments, struct sc_merge_args *out,
                              struct sc_error *err);
void sc_merge_args_free(struct sc_merge_args *args);

/* "abort" or "record", as the command 'on_error' has it; SC_BAD_ARG otherwise. */
sc_status sc_merge_on_error_parse(const char *text, enum sc_merge_on_error *out,
                                  struct sc_error *err);

#endif
