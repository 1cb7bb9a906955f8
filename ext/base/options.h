/*
 * Options arguments: a JSON object checked against a table. An unknown key, a wrong type or
 * a value out of range is an error that lists what is allowed.
 */
#ifndef SC_BASE_OPTIONS_H
#define SC_BASE_OPTIONS_H

#include <stddef.h>

#include "base/status.h"

struct cJSON;

enum sc_option_type {
  SC_OPTION_INT,    /* int64_t */
  SC_OPTION_REAL,   /* double */
  SC_OPTION_BOOL,   /* int: 0 or 1 */
  SC_OPTION_TEXT,   /* const char *, borrowed from the sc_options */
  SC_OPTION_CHOICE, /* int: position of the word in `choices` */
  SC_OPTION_JSON    /* const struct cJSON *, borrowed: the caller checks it further */
};

struct sc_option {
  const char *key;
  enum sc_option_type type;
  size_t offset;       /* of the member in the struct that is filled */
  double least, most;  /* SC_OPTION_INT, SC_OPTION_REAL */
  const char *choices; /* SC_OPTION_CHOICE: words separated by '|' */
};

/* The parsed JSON, which the text and JSON members borrow from. Zeroed is empty. */
struct sc_options {
  struct cJSON *json;
};

/*
 * Fill the members of *target that the JSON object `text` names (NULL or "" names none, and
 * so does a key whose value is null); the others stay as they are.
 *
 * what  Names the function in messages: "stacchip_index options".
 */
sc_status sc_options_parse(const char *text, const char *what, const struct sc_option *table,
                           size_t n, struct sc_options *options, void *target,
                           struct sc_error *err);
/* The same for an object that is parsed already; it stays the caller's. */
sc_status sc_options_read(const struct cJSON *object, const char *what,
                          const struct sc_option *table, size_t n, void *target,
                          struct sc_error *err);
void sc_options_free(struct sc_options *options);

#endif
