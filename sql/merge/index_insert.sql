INSERT INTO "{db}"."idx_{name}_chip_geometry"(pkid, xmin, xmax, ymin, ymax) VALUES (?1, ?2, ?3, ?4, ?5)
