/* Give a connection stacchip_export() and the stacchip_parquet module. */
#include "connection.h"
#include "parquet/export.h"

int sc_parquet_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {"stacchip_export", -1, SQLITE_DIRECTONLY, sc_export_function, NULL, NULL},
  };
  return sc_register_functions(c, functions, 1);
}
