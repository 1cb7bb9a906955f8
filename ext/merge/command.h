/* Commands: INSERT INTO chips(chips) VALUES ('integrity-check'), in the manner of FTS5. */
#ifndef SC_MERGE_COMMAND_H
#define SC_MERGE_COMMAND_H

#include "merge/table.h"

/* 'integrity-check', 'rebuild', 'optimize'; 'on_error' with its value in argument, else NULL. */
sc_status sc_merge_command(struct sc_merge *t, const char *command, const char *argument,
                           struct sc_error *err);

#endif
