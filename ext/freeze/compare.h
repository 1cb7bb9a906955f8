/* What is listed of frozen data sets, row by row (docs/freeze.md). */
#ifndef SC_FREEZE_COMPARE_H
#define SC_FREEZE_COMPARE_H

#include "table_function.h"

/* Files that are not what they were when the data set was frozen. */
extern const struct sc_table_function sc_freeze_check;
/* Chips of which one data set has what the other has not. */
extern const struct sc_table_function sc_freeze_diff;

#endif
