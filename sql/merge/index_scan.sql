SELECT count(*) FROM "{db}"."idx_{name}_chip_geometry"
