/* Some chips of a table by their ids: what SQL says of each. */
#ifndef SC_BROWSE_CHIPS_H
#define SC_BROWSE_CHIPS_H

#include "base/buffer.h"
#include "browse/state.h"
#include "index/geometry.h"

/* Append "[1,2,3]". */
sc_status sc_chips_put_ids(const int64_t *ids, size_t n, size_t stride_bytes, struct sc_buffer *out,
                           struct sc_error *err);

/* Append a value of a row: a number as JSON, null where it is none or infinite, which JSON has no
 * word for. */
sc_status sc_chips_put_number(sqlite3_stmt *row, int column, struct sc_buffer *out,
                              struct sc_error *err);

/* The SQL of a chip's label, or "NULL" where there is no table of labels. */
const char *sc_chips_label_sql(const struct sc_browse_table *t, struct sc_session *s);

/*
 * Append the rings of a geometry as JSON, [[[lon,lat],...]], with six decimals (0.1 m): one ring
 * for each part, two across the antimeridian; [] of what is no polygon. *box, where it is not NULL,
 * gets west, south, east, north; west > east across the antimeridian.
 */
sc_status sc_chips_put_rings(const void *blob, size_t size, struct sc_buffer *out, double box[4],
                             struct sc_error *err);
/* Append the rings of all its parts in the same way. */
sc_status sc_chips_put_footprint(const struct sc_footprint *f, struct sc_buffer *out,
                                 struct sc_error *err);

#endif
