DELETE FROM "{db}"."idx_{name}_chip_geometry" WHERE pkid = ?1
