/*
 * What the columns of a STAC GeoParquet file are: found from the JSON of all its items, as there is
 * no schema. A value is null, a boolean, a whole number, a number, a text, an object or an array;
 * objects have the members of all of them, whole numbers and others are numbers. What is of two
 * kinds, or nested too deep, is a text: JSON.
 */
#ifndef SC_GEOPARQUET_ITEMS_SHAPE_H
#define SC_GEOPARQUET_ITEMS_SHAPE_H

#include "base/status.h"
#include "parquet/nested_writer.h"

struct cJSON;

enum sc_items_shape_kind {
  SC_ITEMS_SHAPE_NONE = 0, /* null alone, or objects without members: no column */
  SC_ITEMS_SHAPE_BOOL,
  SC_ITEMS_SHAPE_INT,
  SC_ITEMS_SHAPE_REAL,
  SC_ITEMS_SHAPE_TEXT,
  SC_ITEMS_SHAPE_TIME,     /* texts that are all RFC 3339, of a property that is a time */
  SC_ITEMS_SHAPE_GEOMETRY, /* a GeoJSON geometry: WKB */
  SC_ITEMS_SHAPE_BOX,      /* bbox: a struct of four or six numbers */
  SC_ITEMS_SHAPE_STRUCT,
  SC_ITEMS_SHAPE_LIST,
  SC_ITEMS_SHAPE_JSON /* of two kinds */
};

/* Zeroed is empty; sc_items_shape_free(). */
struct sc_items_shape {
  char *name; /* owned; NULL of the root and of a list's element */
  enum sc_items_shape_kind kind;
  int has_z; /* of a box */
  struct sc_items_shape
      *children; /* owned: members in the order that they were met; or the element */
  size_t n_children, max_children;
};

/* Take an item in: members of `properties` are columns beside the others, those whose names are
 * taken stay in `properties`. SC_TOO_BIG beyond SC_ITEMS_SHAPE_MAX_FIELDS. */
#define SC_ITEMS_SHAPE_MAX_FIELDS 20000
sc_status sc_items_shape_add_item(struct sc_items_shape *root, const struct cJSON *item,
                                  size_t *n_fields, struct sc_error *err);
void sc_items_shape_free(struct sc_items_shape *shape);

/* The value of a column in an item, or NULL. */
const struct cJSON *sc_items_shape_value(const struct sc_items_shape *column,
                                         const struct cJSON *item);

/* The fields of a file; names are borrowed from the shape. Free with sc_items_shape_fields_free().
 */
sc_status sc_items_shape_fields(const struct sc_items_shape *root, struct sc_pq_field *out,
                                struct sc_error *err);
void sc_items_shape_fields_free(struct sc_pq_field *field);

/* Is there a column for it? */
int sc_items_shape_is_written(const struct sc_items_shape *shape);

/* Microseconds since 1970 of a text that has no more digits than these; 0 where it is none. */
int sc_items_shape_time(const char *text, int64_t *out);

#endif
