/* The index tree of a bucket as something stacchip_parquet() reads. */
#ifndef SC_CLI_TREE_H
#define SC_CLI_TREE_H

#include "base/status.h"

/*
 * A local path of the index files below `prefix` ("index/") of a bucket: the folder itself
 * where it is local, else a temporary copy, whose folder *temporary names (NULL for none);
 * take that away with sc_tree_remove().
 */
sc_status sc_tree_fetch(const char *root, const char *prefix, char **path, char **temporary,
                        struct sc_error *err);
/* Delete a folder with all in it, and free its name; NULL is fine. */
void sc_tree_remove(char *temporary);

#endif
