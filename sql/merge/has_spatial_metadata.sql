SELECT count(*) FROM "{db}".sqlite_master WHERE type = 'table' AND name IN ('spatial_ref_sys', 'geometry_columns')
