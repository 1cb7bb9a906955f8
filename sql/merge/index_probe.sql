-- No box: the module passes over it, unless a cursor is open on the index, and touches no node in either case.
INSERT OR IGNORE INTO "{db}"."idx_{name}_chip_geometry"(pkid, xmin, xmax, ymin, ymax) VALUES (1, 1, 0, 1, 0)
