INSERT INTO "{db}".geometry_columns(f_table_name, f_geometry_column, geometry_type, coord_dimension, srid, spatial_index_enabled) VALUES (lower('{name}_chip'), 'geometry', 6, 2, 4326, 1);
INSERT INTO "{db}".geometry_columns_auth(f_table_name, f_geometry_column, read_only, hidden) VALUES (lower('{name}_chip'), 'geometry', 1, 0);
INSERT INTO "{db}".geometry_columns_statistics(f_table_name, f_geometry_column) VALUES (lower('{name}_chip'), 'geometry');
CREATE VIRTUAL TABLE "{db}"."idx_{name}_chip_geometry" USING rtree(pkid, xmin, xmax, ymin, ymax);
