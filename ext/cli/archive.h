/*
 * The archive, the Python package's layout of a bucket, as the program writes it:
 *   {platform}/{item}/<assets>, {platform}/{item}/stac_item.json,
 *   index/{platform}/{item}/index_{item}.parquet
 * The index comes last: that it is there says that the rest is complete.
 */
#ifndef SC_CLI_ARCHIVE_H
#define SC_CLI_ARCHIVE_H

#include <sqlite3.h>
#include <stddef.h>

#include "base/status.h"

struct cJSON;

#define SC_ARCHIVE_FILE_INFO "https://stac-extensions.github.io/file/v2.1.0/schema.json"

/* The name that the path of an href ends in; "" where it ends in '/'. */
void sc_archive_file_name(const char *href, char *out, size_t n);

/* Keys of an item below the root: its folder and its index, freed with sc_free(). SC_BAD_DATA for a
 * platform that names no folder. */
sc_status sc_archive_keys(const char *platform, const char *id, char **folder, char **index,
                          struct sc_error *err);

/* Declare an extension in an item unless some version of it is declared. word: what its URI has in
 * all versions, as "/file/". */
void sc_archive_declare(struct cJSON *item, const char *word, const char *uri);

/* A statement that reads every column of the index at ?1 (count(*) alone would read its footer
 * only) and gives the number of its rows. */
#define SC_ARCHIVE_READ_ALL                                                             \
  "SELECT count(*) FROM stacchip_parquet(?1) HAVING count(chipid) + count(platform) + " \
  "count(item) + count(date) + total(chip_index_x) + total(chip_index_y) + "            \
  "total(cloud_cover_percentage) + total(nodata_percentage) + total(length(geometry)) >= 0 "

/* Export a table of chips (options: those of stacchip_export) to a key, and read back what was
 * written: as many rows must be there. */
sc_status sc_archive_export(sqlite3 *db, const char *table, const char *options, const char *root,
                            const char *key, struct sc_error *err);

#endif
