-- Items, their assets, and the items that failed.

-- name: item_insert
INSERT INTO "{db}"."{name}_item"(collection, platform, item, date, datetime, grid, crs, transform,
  width_px, height_px, chip_size_px, stride_px, edge, rule, options, location, item_json)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)

-- name: item_find
SELECT id, date, location FROM "{db}"."{name}_item" WHERE item = ?1 AND platform = ?2 AND collection IS ?3

-- name: item_done
-- Is the item there? Of ?3 NULL: under whatever platform.
SELECT 1 FROM "{db}"."{name}_item" WHERE item = ?1 AND collection IS ?2 AND (?3 IS NULL OR platform = ?3)

-- name: item_at
SELECT 1 FROM "{db}"."{name}_item" WHERE location = ?1

-- name: item_name
UPDATE "{db}"."{name}_item" SET item = ?2 WHERE id = ?1

-- name: item_move
-- ?3 NULL: of rows merged from index files, whose text is at their location.
UPDATE "{db}"."{name}_item" SET location = ?2, item_json = ?3 WHERE id = ?1

-- name: item_mask_move
UPDATE "{db}"."{name}_item" SET rule = json_set(rule, '$.mask', ?2), options = json_set(options, '$.mask', ?2) WHERE id = ?1

-- name: item_left_out
UPDATE "{db}"."{name}_item" SET left_out = ?2 WHERE id = ?1

-- name: item_date
SELECT date FROM "{db}"."{name}_item" WHERE id = ?1

-- name: item_json
-- Of a URL, also before schema version 3, the text says that the item came over the network.
SELECT CASE WHEN location GLOB '[a-zA-Z]*://*' AND item_json LIKE '{%' AND item_json NOT LIKE '{"stacchip:origin":%'
  THEN '{"stacchip:origin":"network",' || substr(item_json, instr(item_json, '{') + 1) ELSE item_json END
FROM "{db}"."{name}_item" WHERE id = ?1

-- name: item_options
SELECT options FROM "{db}"."{name}_item" WHERE id = ?1

-- name: item_read
-- What a scan keeps of an item (cursor_item.c); the statements below give the same columns.
SELECT collection, platform, item, date, datetime, grid, width_px, height_px, chip_size_px, stride_px, edge, id
  FROM "{db}"."{name}_item" WHERE id = ?1

-- name: item_read_all
SELECT collection, platform, item, date, datetime, rule, options, location, item_json, crs, transform,
  width_px, height_px, chip_size_px, stride_px, edge
  FROM "{db}"."{name}_item" WHERE id = ?1

-- name: item_scan
-- Items in the order that the plan asks for: see choose_item_scan() in cursor.c. ?1 is the item or platform,
-- ?2 and ?3 the first and last date.
SELECT collection, platform, item, date, datetime, grid, width_px, height_px, chip_size_px, stride_px, edge, id
  FROM "{db}"."{name}_item" ORDER BY id

-- name: item_scan_by_date
SELECT collection, platform, item, date, datetime, grid, width_px, height_px, chip_size_px, stride_px, edge, id
  FROM "{db}"."{name}_item" ORDER BY date

-- name: item_scan_by_date_desc
SELECT collection, platform, item, date, datetime, grid, width_px, height_px, chip_size_px, stride_px, edge, id
  FROM "{db}"."{name}_item" ORDER BY date DESC

-- name: item_scan_date
SELECT collection, platform, item, date, datetime, grid, width_px, height_px, chip_size_px, stride_px, edge, id
  FROM "{db}"."{name}_item" WHERE date BETWEEN ?2 AND ?3 ORDER BY date

-- name: item_scan_date_desc
SELECT collection, platform, item, date, datetime, grid, width_px, height_px, chip_size_px, stride_px, edge, id
  FROM "{db}"."{name}_item" WHERE date BETWEEN ?2 AND ?3 ORDER BY date DESC

-- name: item_scan_platform
SELECT collection, platform, item, date, datetime, grid, width_px, height_px, chip_size_px, stride_px, edge, id
  FROM "{db}"."{name}_item" WHERE platform = ?1 ORDER BY date

-- name: item_scan_platform_desc
SELECT collection, platform, item, date, datetime, grid, width_px, height_px, chip_size_px, stride_px, edge, id
  FROM "{db}"."{name}_item" WHERE platform = ?1 ORDER BY date DESC

-- name: item_scan_platform_date
SELECT collection, platform, item, date, datetime, grid, width_px, height_px, chip_size_px, stride_px, edge, id
  FROM "{db}"."{name}_item" WHERE platform = ?1 AND date BETWEEN ?2 AND ?3 ORDER BY date

-- name: item_scan_platform_date_desc
SELECT collection, platform, item, date, datetime, grid, width_px, height_px, chip_size_px, stride_px, edge, id
  FROM "{db}"."{name}_item" WHERE platform = ?1 AND date BETWEEN ?2 AND ?3 ORDER BY date DESC

-- name: item_scan_item
SELECT collection, platform, item, date, datetime, grid, width_px, height_px, chip_size_px, stride_px, edge, id
  FROM "{db}"."{name}_item" WHERE item = ?1

-- name: item_delete
DELETE FROM "{db}"."{name}_item" WHERE id = ?1

-- name: item_delete_empty
-- An item goes with its last chip.
DELETE FROM "{db}"."{name}_item" WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM "{db}"."{name}_block" WHERE item_id = ?1)

-- name: asset_insert
INSERT OR REPLACE INTO "{db}"."{name}_asset"(item_id, key, href, header) VALUES (?1, ?2, ?3, ?4)

-- name: asset_header
SELECT header FROM "{db}"."{name}_asset" WHERE item_id = ?1 AND key = ?2

-- name: asset_move
-- A stored header is of the file that was.
UPDATE "{db}"."{name}_asset" SET href = ?3, header = NULL WHERE item_id = ?1 AND key = ?2

-- name: asset_delete
DELETE FROM "{db}"."{name}_asset" WHERE item_id = ?1

-- name: error_insert
INSERT INTO "{db}"."{name}_error"(item, href, reason, time, item_json)
  VALUES (?1, ?2, ?3, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), ?4)

-- name: error_delete
DELETE FROM "{db}"."{name}_error" WHERE item = ?1 OR href IN (?2, ?3)

-- name: insert_ready
-- Through the virtual table: ?1 is a pointer to what a worker has indexed (write.h).
INSERT INTO "{db}"."{name}"(item_json) VALUES (?1)

-- name: replace_ready
INSERT OR REPLACE INTO "{db}"."{name}"(item_json) VALUES (?1)

-- name: pin
-- While it is prepared, SQLite keeps the virtual table connected.
SELECT 1 FROM "{db}"."{name}"
