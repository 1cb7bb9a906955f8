-- Blocks of 64 chips (chip_block.h), and the R*Tree over them.

-- name: block_insert
INSERT INTO "{db}"."{name}_block"(id, item_id, tile_y, tile_x, n_chips, chips) VALUES (?1, ?2, ?3, ?4, ?5, ?6)

-- name: block_update
UPDATE "{db}"."{name}_block" SET n_chips = ?2, chips = ?3 WHERE id = ?1

-- name: block_last
SELECT max(id) FROM "{db}"."{name}_block"

-- name: block_find
SELECT id, chips FROM "{db}"."{name}_block" WHERE item_id = ?1 AND tile_y = ?2 AND tile_x = ?3

-- name: block_at
-- Of all items of an id.
SELECT b.id, b.chips FROM "{db}"."{name}_item" AS i CROSS JOIN "{db}"."{name}_block" AS b
  ON b.item_id = i.id AND b.tile_y = ?2 AND b.tile_x = ?3 WHERE i.item = ?1

-- name: block_read
SELECT id, item_id, tile_y, tile_x, chips FROM "{db}"."{name}_block" WHERE id = ?1

-- name: block_of_item
SELECT id, item_id, tile_y, tile_x, chips FROM "{db}"."{name}_block" WHERE item_id = ?1

-- name: block_scan
SELECT id, item_id, tile_y, tile_x, chips FROM "{db}"."{name}_block" ORDER BY id

-- name: block_delete
DELETE FROM "{db}"."{name}_block" WHERE id = ?1

-- name: block_clear
DELETE FROM "{db}"."{name}_block"

-- name: area_find
SELECT id FROM "{db}"."{name}_area"
WHERE min_lon <= ?2 AND max_lon >= ?1 AND min_lat <= ?4 AND max_lat >= ?3
  AND min_day <= ?6 AND max_day >= ?5 AND min_cloud <= ?8 AND max_cloud >= ?7

-- name: area_entry
SELECT min_lon, max_lon, min_lat, max_lat, min_cloud, max_cloud, min_day, max_day
  FROM "{db}"."{name}_area" WHERE id = ?1
