/* The distinct values of a column of a row group, where a dictionary pays. */
#ifndef SC_PARQUET_DICTIONARY_H
#define SC_PARQUET_DICTIONARY_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"
#include "parquet/rows.h"

/* Reused from column to column; zeroed before the first. */
struct sc_pq_dictionary_out {
  struct sc_buffer table;   /* uint32_t: entry + 1, or 0 */
  struct sc_buffer entries; /* PLAIN values, one after the other */
  struct sc_buffer starts;  /* uint32_t: where each entry begins in entries */
  struct sc_buffer indexes; /* uint32_t for each row that is no null */
  uint32_t n;               /* entries */
};

/*
 * Build the dictionary of a column. *pays is 0 where PLAIN is better: too many distinct
 * values; the result is then not to be used.
 */
sc_status sc_pq_dictionary_build(struct sc_pq_dictionary_out *d, const struct sc_pq_rows *rows,
                                 size_t c, int *pays, struct sc_error *err);
/* The PLAIN bytes of an entry. */
const unsigned char *sc_pq_dictionary_entry(const struct sc_pq_dictionary_out *d, uint32_t entry,
                                            size_t *size);
void sc_pq_dictionary_out_free(struct sc_pq_dictionary_out *d);

#endif
