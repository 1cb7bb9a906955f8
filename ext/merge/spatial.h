/*
 * Spatial predicates over chips: which functions we know, what their bounding boxes say, and
 * SpatiaLite's own answer where the boxes leave it open.
 */
#ifndef SC_MERGE_SPATIAL_H
#define SC_MERGE_SPATIAL_H

#include "base/sqlite.h"
#include "base/status.h"
#include "merge/chip_block.h"

#define SC_PREDICATE_FIRST 150 /* SQLITE_INDEX_CONSTRAINT_FUNCTION */

/* What a predicate gives for a chip that lies inside a rectangle. */
enum sc_inside { SC_INSIDE_OPEN = 0, SC_INSIDE_TRUE, SC_INSIDE_FALSE };

/* What can be said of a convex polygon and a rectangle from coordinates alone. */
enum sc_native { SC_NATIVE_NONE = 0, SC_NATIVE_MEETS, SC_NATIVE_LIES_IN, SC_NATIVE_BOXES_MEET };

struct sc_predicate {
  const char *name;
  int is_mbr;            /* looks at bounding boxes only, also of chips in two parts */
  enum sc_native native; /* how rectangles are answered without asking SpatiaLite */
  enum sc_inside inside;
};

/* Statements of one table for calling SpatiaLite; zero it, then _init(). */
struct sc_predicates;
sc_status sc_predicates_new(sqlite3 *db, struct sc_predicates **out, struct sc_error *err);
void sc_predicates_free(struct sc_predicates *p);

/* The number of a predicate, or -1; the predicate of a number. */
int sc_predicate_find(const char *name);
const struct sc_predicate *sc_predicate_at(int number);

/*
 * xFindFunction: our implementation of a predicate, which answers as SpatiaLite's does (NULL
 * where that says -1), but faster. Gives the constraint number, or 0 for other functions.
 * p must outlive the statement: it belongs to the virtual table.
 */
int sc_predicate_overload(struct sc_predicates *p, const char *name, int n_arguments,
                          void (**function)(sqlite3_context *, int, sqlite3_value **),
                          void **argument);

/* An area that chips are compared with. Zeroed is empty; sc_area_free(). */
struct sc_area {
  int predicate;
  unsigned char *blob; /* owned */
  size_t size;
  struct sc_box box;
  int is_rectangle; /* its polygon is its bounding box */
};

enum sc_match { SC_MATCH_NO = 0, SC_MATCH_YES, SC_MATCH_MAYBE };

/*
 * Take over a query geometry: not NULL. SC_BAD_ARG when it is no geometry, or of another
 * SRID than 4326 (0 and -1 pass).
 */
sc_status sc_area_init(struct sc_predicates *p, int predicate, sqlite3_value *value,
                       struct sc_area *out, struct sc_error *err);
void sc_area_free(struct sc_area *area);

/* What the boxes of a chip of the block say. */
enum sc_match sc_area_test(const struct sc_area *area, const struct sc_chip_block *block,
                           const struct sc_chip_entry *chip);

/* What the predicate says of a chip's geometry. */
sc_status sc_area_evaluate(struct sc_predicates *p, const struct sc_area *area, const void *blob,
                           size_t size, int *out, struct sc_error *err);

#endif
