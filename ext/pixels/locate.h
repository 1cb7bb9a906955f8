/* From a handle (see index/handle.h) to the scene, window and position that it names. */
#ifndef SC_PIXELS_LOCATE_H
#define SC_PIXELS_LOCATE_H

#include "pixels/chip.h"

/* The first part of sc_chip_open(): the chip has no bands yet. Close with sc_chip_close(). */
sc_status sc_chip_locate(struct sc_connection *c, const struct sc_chip_name *name,
                         const struct sc_chip_options *options, struct sc_chip *out,
                         struct sc_error *err);

/* The same for sc_chip_open_source(). */
sc_status sc_chip_locate_source(struct sc_connection *c, sqlite3_value *source,
                                const struct sc_chip_options *options, struct sc_chip *out,
                                struct sc_error *err);

#endif
