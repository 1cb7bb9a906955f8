/* merge/lookup.c: chips by rowid, through the statically registered extension. */
#include "merge/lookup.h"

#include <string.h>

#include "check.h"
#include "stacchip.h"

static void run(sqlite3 *db, const char *sql) {
  char *message = NULL;
  sqlite3_exec(db, sql, NULL, NULL, &message);
  CHECK_TEXT("", message ? message : "");
  sqlite3_free(message);
}

static void test_rows(sqlite3 *db) {
  struct sc_merge_row row;
  struct sc_error err = {0};
  struct sc_buffer header = {0};
  run(db, "CREATE VIRTUAL TABLE chips USING stacchip_merge(chip_size=100, bucket='s3://b')");
  run(db,
      "WITH n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 19) INSERT INTO "
      "chips(item, platform, date, chip_index_x, chip_index_y, geometry) SELECT 'I' || (i / 10), "
      "'p', '2024-01-02', i % 10, 3, BuildMbr(i, 0, i + 1, 1, 4326) FROM n");
  check_case("a_chip_and_its_item");
  CHECK_INT(SC_OK, sc_merge_lookup(db, "main", "chips", 15, &row, &err));
  CHECK_TEXT("I1", row.item);
  CHECK_INT(4, row.x);
  CHECK_INT(3, row.y);
  CHECK_TEXT("p", row.platform);
  CHECK_TEXT("s3://b", row.bucket);
  CHECK_INT(100, row.tiling.chip_size_px);
  CHECK(row.item_json == NULL && row.grid.crs == NULL && row.collection == NULL);
  check_case("the_item_is_remembered_until_something_changes");
  uint64_t version = row.version;
  const char *item = row.item;
  CHECK_INT(SC_OK, sc_merge_lookup(db, NULL, "CHIPS", 16, &row, &err));
  CHECK(row.item == item && row.version == version);
  run(db, "DELETE FROM chips WHERE chipid = 'I1-9-3'");
  CHECK_INT(SC_OK, sc_merge_lookup(db, "main", "chips", 16, &row, &err));
  CHECK(row.version != version);
  check_case("what_is_not_there");
  CHECK_INT(SC_NOT_FOUND, sc_merge_lookup(db, "main", "chips", 20, &row, &err));
  CHECK_HAS("no chip with rowid 20", err.text);
  CHECK_INT(SC_NOT_FOUND, sc_merge_lookup(db, "main", "nope", 1, &row, &err));
  CHECK_INT(SC_NOT_FOUND, sc_merge_lookup(db, "main", "sqlite_master", 1, &row, &err));
  check_case("stored_headers");
  run(db, "INSERT INTO chips_asset(item_id, key, href, header) VALUES (2, 'red', 'x', x'0102')");
  CHECK_INT(SC_OK, sc_merge_asset_header(db, "main", "chips", 2, "red", &header, &err));
  CHECK_INT(2, header.size);
  CHECK_INT(SC_OK, sc_merge_asset_header(db, "main", "chips", 2, "blue", &header, &err));
  CHECK_INT(2, header.size);
  sc_buffer_free(&header);
  check_case("damaged_items_are_bad_data");
  run(db, "UPDATE chips_item SET chip_size_px = -1 WHERE id = 2");
  CHECK_INT(SC_BAD_DATA, sc_merge_lookup(db, "main", "chips", 16, &row, &err));
  run(db, "DELETE FROM chips_item WHERE id = 1");
  CHECK_INT(SC_BAD_DATA, sc_merge_lookup(db, "main", "chips", 1, &row, &err));
  check_case("reopened_after_being_closed_by_a_rename");
  run(db, "ALTER TABLE chips RENAME TO other");
  CHECK_INT(SC_NOT_FOUND, sc_merge_lookup(db, "main", "chips", 11, &row, &err));
  run(db, "UPDATE other_item SET chip_size_px = 100");
  CHECK_INT(SC_OK, sc_merge_lookup(db, "main", "other", 11, &row, &err));
}

int main(void) {
  sqlite3 *db;
  char *message = NULL;
  sqlite3_open(":memory:", &db);
  CHECK_INT(SQLITE_OK, sqlite3_stacchip_init(db, &message, NULL));
  CHECK_TEXT("", message ? message : "");
  test_rows(db);
  check_case("nothing_keeps_the_connection_open");
  CHECK_INT(SQLITE_OK, sqlite3_close(db));
  return check_report();
}
