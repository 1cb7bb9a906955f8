/*
 * The memory of results, which is used again (raster/memory.h): SQLite gives it back when the last
 * value that shows it has ended.
 */
#ifndef SC_PIXELS_RESULT_H
#define SC_PIXELS_RESULT_H

#include "base/buffer.h"
#include "base/sqlite.h"
#include "base/status.h"

/* Room for n bytes in an empty buffer. What it holds is not zeroed. */
sc_status sc_result_reserve(size_t n, struct sc_buffer *out, struct sc_error *err);
/* Make *bytes, which it takes over, the result of the function. */
void sc_result_give(sqlite3_context *context, struct sc_buffer *bytes);

#endif
