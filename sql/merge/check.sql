-- What 'integrity-check' and 'rebuild' compare: see rebuild.c.

-- name: check_item_of_chip
SELECT 'chip ' || id || ' is of item ' || CAST(item_id AS INTEGER) || ', which is missing'
  FROM "{db}"."{name}_chip" WHERE item_id NOT IN (SELECT id FROM "{db}"."{name}_item") LIMIT 1

-- name: check_chip_count
SELECT count(*) FROM "{db}"."{name}_chip"

-- name: check_index_count
SELECT count(*) FROM "{db}"."idx_{name}_chip_geometry_rowid"

-- name: check_area_count
SELECT count(*) FROM "{db}"."{name}_area"

-- name: index_entry
SELECT xmin, xmax, ymin, ymax FROM "{db}"."idx_{name}_chip_geometry" WHERE pkid = ?1

-- name: index_scan
SELECT count(*) FROM "{db}"."idx_{name}_chip_geometry"
