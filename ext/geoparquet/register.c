/* Give a connection stacchip_export() and the stacchip_parquet module. */
#include "connection.h"
#include "geoparquet/export.h"
#include "geoparquet/import.h"

static const struct sc_help export_help = {
    .name = "stacchip_export",
    .kind = SC_HELP_SCALAR,
    .about =
        "writes GeoParquet, one file or a tree, local or into a bucket; gives the number of rows",
    .arguments =
        (const struct sc_help_name[]){
            {"table", "TEXT", NULL, "a merged index, or a table or view with its columns"},
            {"path", "TEXT", NULL, "a file; a folder, where partition_by cuts a tree"},
            SC_HELP_OPTIONS,
            {0}},
    .options = {{"option", "", &sc_export_option_table}},
    .example =
        "CREATE VIRTUAL TABLE chips USING stacchip_merge(); INSERT INTO chips(item_json) VALUES "
        "('item.json'); SELECT stacchip_export('chips', 'chips.parquet')",
};

static const struct sc_help parquet_help = {
    .name = "stacchip_parquet",
    .kind = SC_HELP_TABLE,
    .about = "reads index files; as a module of CREATE VIRTUAL TABLE, any flat Parquet file",
    .arguments =
        (const struct sc_help_name[]){
            {"path", "TEXT", NULL, "a file, a glob or a tree, local, in a bucket or on a server"},
            {0}},
    .columns = (const struct sc_help_name[]){SC_HELP_INDEX_COLUMNS, {0}},
    .example =
        "CREATE VIRTUAL TABLE chips USING stacchip_merge(); INSERT INTO chips(item_json) VALUES "
        "('item.json'); SELECT stacchip_export('chips', 'chips.parquet'); SELECT count(*) FROM "
        "stacchip_parquet('chips.parquet')",
};

int sc_parquet_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {"stacchip_export", -1, SQLITE_DIRECTONLY, sc_export_function, NULL, NULL},
      {"stacchip_export_row", -1, SQLITE_DIRECTONLY, NULL, sc_export_row_step, sc_export_row_final},
  };
  sc_connection_help(c, &export_help);
  sc_connection_help(c, &parquet_help);
  int code = sc_register_functions(c, functions, 2);
  if (code != SQLITE_OK) return code;
  return sc_register_module(c, "stacchip_parquet", &sc_parquet_module);
}
