/*
 * Headers of remote assets, read when an item is merged and stored beside it, so that reading a
 * chip later asks the server for pixels alone.
 */
#ifndef SC_MERGE_HEADERS_H
#define SC_MERGE_HEADERS_H

#include "base/buffer.h"
#include "index/index.h"
#include "merge/args.h"

/* A stored header of an asset. */
struct sc_merge_header {
  struct sc_buffer bytes; /* empty: none */
};

/*
 * The headers of an item's remote assets, as the argument headers= asks for, read in parallel.
 *
 * *out is an array of index->n_assets, freed by sc_merge_headers_free(); NULL where nothing is
 * asked for. An asset whose header cannot be had is left empty: no error. SC_INTERRUPT, SC_NOMEM.
 */
sc_status sc_merge_make_headers(const struct sc_merge_args *args, const struct sc_index *index,
                                struct sc_merge_header **out, struct sc_error *err);
void sc_merge_headers_free(struct sc_merge_header *headers, size_t n);

#endif
