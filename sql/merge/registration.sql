-- The registration of the chip table and the layer with SpatiaLite, by SQL: see schema.c for why not by its functions.

-- name: has_spatial_metadata
SELECT count(*) FROM "{db}".sqlite_master WHERE type = 'table' AND name IN ('spatial_ref_sys', 'geometry_columns')

-- name: init_spatial_metadata
SELECT InitSpatialMetaData('NONE')

-- name: has_srid
SELECT count(*) FROM "{db}".spatial_ref_sys WHERE srid = 4326

-- name: insert_srid
SELECT InsertEpsgSrid(4326)

-- name: register_chip
INSERT INTO "{db}".geometry_columns(f_table_name, f_geometry_column, geometry_type, coord_dimension, srid, spatial_index_enabled)
  VALUES (lower('{name}_chip'), 'geometry', 6, 2, 4326, 1);
INSERT INTO "{db}".geometry_columns_auth(f_table_name, f_geometry_column, read_only, hidden)
  VALUES (lower('{name}_chip'), 'geometry', 1, 0);
INSERT INTO "{db}".geometry_columns_statistics(f_table_name, f_geometry_column)
  VALUES (lower('{name}_chip'), 'geometry');
CREATE VIRTUAL TABLE "{db}"."idx_{name}_chip_geometry" USING rtree(pkid, xmin, xmax, ymin, ymax);

-- name: register_layer
INSERT OR REPLACE INTO "{db}".views_geometry_columns(view_name, view_geometry, view_rowid, f_table_name, f_geometry_column, read_only)
  VALUES (lower(?1), 'geometry', 'id', lower(?2), 'geometry', 1)

-- name: copy_registration
INSERT INTO "{db}".geometry_columns SELECT lower(?2), f_geometry_column, geometry_type, coord_dimension, srid, spatial_index_enabled
  FROM "{db}".geometry_columns WHERE f_table_name = lower(?1)

-- name: move_registration
UPDATE "{db}"."{name}" SET f_table_name = lower(?2) WHERE f_table_name = lower(?1)

-- name: unregister
DELETE FROM "{db}"."{name}" WHERE f_table_name = lower(?1)

-- name: unregister_view
DELETE FROM "{db}"."{name}" WHERE view_name = lower(?1)
