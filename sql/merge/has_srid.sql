SELECT count(*) FROM "{db}".spatial_ref_sys WHERE srid = 4326
