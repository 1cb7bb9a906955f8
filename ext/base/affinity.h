/*
 * What SQLite's affinities do to a comparison that we take over without knowing them.
 *
 * A text column is compared with a column of numeric affinity as numbers, and a text that is
 * no number is greater than every number: '7' <= '2024-01-02' is false of two texts, and true
 * where the right side is such a text in a NUMERIC column.
 */
#ifndef SC_BASE_AFFINITY_H
#define SC_BASE_AFFINITY_H

#include <stddef.h>

/* Might SQLite read the whole text as a number? Blanks around it are passed over. */
int sc_looks_numeric(const char *text, size_t n);

#endif
