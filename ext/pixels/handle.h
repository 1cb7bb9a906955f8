/*
 * Handles: the text that names one chip and survives sorting, subqueries and CREATE TABLE AS.
 *
 *   {"item":"/data/item.json","chip_index_x":3,"chip_index_y":7,"chip_size":256,...}
 *       of stacchip_index(), and what people write; item is a path, a URL or an item object
 *   ["chips",4711,"S2A_...",3,7]
 *       of a merged index: table, rowid, item id, position; a sixth member is the schema
 *   {"bucket":"s3://...","platform":"...","item":"S2A_...","chip_index_x":3,...}
 *       the archive layout of the Python package
 *   an integer, together with the option "table"
 */
#ifndef SC_PIXELS_HANDLE_H
#define SC_PIXELS_HANDLE_H

#include "base/buffer.h"
#include "base/status.h"
#include "index/index.h"
#include "index/scene.h"

/*
 * The part of a handle of stacchip_index() that is the same for all chips of an item: the
 * item and the options that are no defaults, without the closing brace.
 */
sc_status sc_handle_prefix(const struct sc_index *index, const struct sc_index_options *options,
                           struct sc_buffer *out, struct sc_error *err);
/* The whole handle of a chip: prefix, position, "}". Appended to out. */
sc_status sc_handle_format(const struct sc_buffer *prefix, int x, int y, struct sc_buffer *out,
                           struct sc_error *err);

struct sc_chip;

/* A self-contained handle of an open chip: hrefs and projection fields instead of a path. */
sc_status sc_handle_export(const struct sc_chip *chip, struct sc_buffer *out, struct sc_error *err);

#endif
