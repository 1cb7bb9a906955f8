/* Give a connection stacchip_export() and the stacchip_parquet module. */
#include "connection.h"
#include "geoparquet/export.h"
#include "geoparquet/import.h"

int sc_parquet_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {"stacchip_export", -1, SQLITE_DIRECTONLY, sc_export_function, NULL, NULL},
      {"stacchip_export_row", -1, SQLITE_DIRECTONLY, NULL, sc_export_row_step, sc_export_row_final},
  };
  int code = sc_register_functions(c, functions, 2);
  if (code != SQLITE_OK) return code;
  return sc_register_module(c, "stacchip_parquet", &sc_parquet_module);
}
