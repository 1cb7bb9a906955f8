-- Chips, and SpatiaLite's index of their geometries.

-- name: chip_insert
INSERT OR REPLACE INTO "{db}"."{name}_chip"(id, item_id, chip_index_x, chip_index_y, cloud, nodata, geometry)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)

-- name: chip_insert_16
INSERT OR REPLACE INTO "{db}"."{name}_chip"(id, item_id, chip_index_x, chip_index_y, cloud, nodata, geometry) VALUES
(?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?),
(?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?),
(?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?),
(?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?)

-- name: chip_last
SELECT max(id) FROM "{db}"."{name}_chip"

-- name: chip_find
SELECT item_id, chip_index_x, chip_index_y FROM "{db}"."{name}_chip" WHERE id = ?1

-- name: chip_read
SELECT id, item_id, chip_index_x, chip_index_y, cloud, nodata, geometry FROM "{db}"."{name}_chip" WHERE id = ?1

-- name: chip_geometry
SELECT geometry FROM "{db}"."{name}_chip" WHERE id = ?1

-- name: chip_scan
SELECT id, item_id, chip_index_x, chip_index_y, cloud, nodata, geometry
  FROM "{db}"."{name}_chip" WHERE id BETWEEN ?1 AND ?2 ORDER BY id

-- name: chip_delete
DELETE FROM "{db}"."{name}_chip" WHERE id = ?1

-- name: index_probe
-- No box: the module passes over it, unless a cursor is open on the index, and touches no node in either case.
INSERT OR IGNORE INTO "{db}"."idx_{name}_chip_geometry"(pkid, xmin, xmax, ymin, ymax) VALUES (1, 1, 0, 1, 0)
