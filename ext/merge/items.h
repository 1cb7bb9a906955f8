/* stacchip_merge_items(table, query [, options]): many items, in parallel. */
#ifndef SC_MERGE_ITEMS_H
#define SC_MERGE_ITEMS_H

#include "connection.h"

int sc_merge_items_register(struct sc_connection *c);

#endif
