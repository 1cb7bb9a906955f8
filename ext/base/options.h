/*
 * Options arguments: a JSON object checked against a table, and the words of the errors. An
 * unknown key, a wrong type or a value out of range is an error that says what is allowed:
 *   F: unknown option 'foo'; options: a, b, c
 *   F: option 'edge': 'cut' is not one of drop, pad, shift
 *   F: option 'n': expected a whole number from 1 to 8192, found 'x'
 *
 * How to use it: a struct for what the options say, filled with the defaults; a table with a row
 * for each key; one call. What one table cannot say (a number or an object, [least, most]) is read
 * as SC_OPTION_JSON, and refused with sc_option_fail(), so that its errors read like the others:
 *
 *   struct raw { int64_t n; int edge; const cJSON *shape; } raw = {.n = 256};
 *   static const struct sc_option table[] = {
 *       {"n", SC_OPTION_INT, offsetof(struct raw, n), 1, 8192, NULL, "256", "how many"},
 *       {"edge", SC_OPTION_CHOICE, offsetof(struct raw, edge), 0, 0, "drop|pad|shift", "\"drop\"",
 *        "what becomes of chips that leave the grid"},
 *       {"shape", SC_OPTION_JSON, offsetof(struct raw, shape), 0, 0, "[rows, columns]", NULL,
 *        "size of the grid"}};
 *   struct sc_option_set set = {table, sizeof table / sizeof *table, &raw, NULL};
 *   struct sc_options json = {0};
 *   sc_status st = sc_options_parse(text, "stacchip_f", &set, &json, err);
 *   if (!st && raw.shape && !is_shape(raw.shape))
 *     st = sc_option_fail(err, "stacchip_f", "shape", raw.shape, "[rows, columns] up to %d", MAX);
 *   ... texts, names and JSON of `raw` live as long as `json` ...
 *   sc_options_free(&json);
 *
 * The table is also what stacchip_help() and the reference show (base/help.h): each row says its
 * default and, in one sentence, what it is for.
 *
 * A function that takes the options of another one beside its own chains the sets by `next`: keys
 * of both are accepted and listed. To give such options on to the other function, give it the set.
 */
#ifndef SC_BASE_OPTIONS_H
#define SC_BASE_OPTIONS_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/status.h"

struct cJSON;

enum sc_option_type {
  SC_OPTION_INT,    /* int64_t */
  SC_OPTION_REAL,   /* double */
  SC_OPTION_BOOL,   /* int: 0 or 1; in JSON also as a number */
  SC_OPTION_TEXT,   /* const char *, borrowed from the sc_options */
  SC_OPTION_CHOICE, /* int: position of the word in `choices` */
  SC_OPTION_NAMES,  /* const struct cJSON *, borrowed: one name, or an array of one or more;
                     * see sc_names_count() */
  SC_OPTION_JSON    /* const struct cJSON *, borrowed: the caller checks it further */
};

struct sc_option {
  const char *key;
  enum sc_option_type type;
  size_t offset;       /* of the member in the struct that is filled */
  double least, most;  /* SC_OPTION_INT, SC_OPTION_REAL */
  const char *choices; /* SC_OPTION_CHOICE: "a|b|c", found in any case; "jpeg=jpg":
                          jpg is another spelling, which messages do not list.
                          SC_OPTION_JSON: how it is written, for help */
  const char *initial; /* what holds without it, as help shows it; NULL: nothing */
  const char *about;   /* for help: what it is for, without a full stop */
};

/* The rows of a function, where others see them. */
struct sc_option_table {
  const struct sc_option *rows;
  size_t n;
};
#define SC_OPTION_TABLE(rows) \
  { (rows), sizeof(rows) / sizeof *(rows) }

/* What a value of the option is, in words: "a whole number from 1 to 8192". */
sc_status sc_option_format_type(const struct sc_option *option, struct sc_buffer *out,
                                struct sc_error *err);

/* A table, the struct that it fills, and where the search for a key goes on. */
struct sc_option_set {
  const struct sc_option *table;
  size_t n;
  void *target;
  const struct sc_option_set *next; /* or NULL */
};

/* The parsed JSON, which the texts, names and JSON members borrow from. Zeroed is empty. */
struct sc_options {
  struct cJSON *json;
};

/*
 * Fill the members that the JSON object `text` names (NULL or "" names none, and so does a key
 * whose value is null); the others stay as they are.
 *
 * what  Names the function in messages: "stacchip_index".
 */
sc_status sc_options_parse(const char *text, const char *what, const struct sc_option_set *sets,
                           struct sc_options *options, struct sc_error *err);
/* The same for an object that is parsed already; it stays the caller's. */
sc_status sc_options_read(const struct cJSON *object, const char *what,
                          const struct sc_option_set *sets, struct sc_error *err);
void sc_options_free(struct sc_options *options);

/* How many names a SC_OPTION_NAMES member has (NULL: 0), and one of them. */
int sc_names_count(const struct cJSON *names);
const char *sc_names_at(const struct cJSON *names, int i);

/* SC_BAD_ARG: "what: option 'key': expected ..., found ...". found: NULL for what may be secret. */
sc_status sc_option_fail(struct sc_error *err, const char *what, const char *key,
                         const struct cJSON *found, const char *expected, ...)
    __attribute__((format(printf, 5, 6)));
/* SC_BAD_ARG for a text that is not one of the words "a|b|c": "what: option 'key': ... is not one
 * of a, b, c". */
sc_status sc_option_fail_choice(struct sc_error *err, const char *what, const char *key,
                                const struct cJSON *found, const char *choices);

#endif
