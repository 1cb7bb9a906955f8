/*
 * SpatiaLite's predicates as the virtual tables know them: which functions there are, what two
 * bounding boxes say of each, and SpatiaLite's own answer where the boxes leave it open. The
 * tables overload the names (xFindFunction), which makes SQLite offer the calls as constraints.
 *
 * One treatment for all tables: NULL and what is no geometry give NULL, where SpatiaLite says -1,
 * which WHERE takes for true. Two SRIDs that are known (above 0) and differ are an error. A damaged
 * BLOB is an error too: GEOS faults on what SpatiaLite makes of one.
 */
#ifndef SC_INDEX_PREDICATES_H
#define SC_INDEX_PREDICATES_H

#include "base/buffer.h"
#include "base/sqlite.h"
#include "base/status.h"
#include "index/geometry.h"

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

/* The number of a predicate, or -1; the predicate of a number, or NULL. */
int sc_predicate_find(const char *name);
const struct sc_predicate *sc_predicate_at(int number);
/* Is a name of n bytes one of them? */
int sc_predicate_is_name(const char *name, size_t n);

/* SC_BAD_ARG where both SRIDs are known and differ. */
sc_status sc_predicate_check_srids(int number, int a, int b, struct sc_error *err);
/* SC_BAD_DATA for a damaged SpatiaLite BLOB; other BLOBs are SpatiaLite's own affair. */
sc_status sc_predicate_check_blob(int number, struct sc_view blob, struct sc_error *err);

/* Statements for calling SpatiaLite, of one virtual table. */
struct sc_predicates;
sc_status sc_predicates_new(sqlite3 *db, struct sc_predicates **out, struct sc_error *err);
void sc_predicates_free(struct sc_predicates *p);

/* SpatiaLite's answer for two BLOBs: 1, 0, or -1 where one is no geometry. */
sc_status sc_predicates_call(struct sc_predicates *p, int number, struct sc_view a,
                             struct sc_view b, int *out, struct sc_error *err);
/* MBR and SRID of a geometry that sc_blob_box() does not know (TinyPoint, GeoPackage). */
sc_status sc_predicates_box(struct sc_predicates *p, struct sc_view blob, struct sc_box *box,
                            int *srid, int *is_geometry, struct sc_error *err);

/*
 * xFindFunction: our implementation of a predicate, which answers as SpatiaLite's does, but
 * faster. Gives the constraint number, or 0 for other functions. p must outlive the statement: it
 * belongs to the virtual table.
 */
int sc_predicates_overload(struct sc_predicates *p, const char *name, int n_arguments,
                           void (**function)(sqlite3_context *, int, sqlite3_value **),
                           void **argument);

#endif
