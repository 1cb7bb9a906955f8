SELECT xmin, xmax, ymin, ymax FROM "{db}"."idx_{name}_chip_geometry" WHERE pkid = ?1
