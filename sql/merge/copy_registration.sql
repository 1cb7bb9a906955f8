INSERT INTO "{db}".geometry_columns SELECT lower(?2), f_geometry_column, geometry_type, coord_dimension, srid, spatial_index_enabled FROM "{db}".geometry_columns WHERE f_table_name = lower(?1)
