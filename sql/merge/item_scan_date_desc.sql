SELECT collection, platform, item, date, datetime, grid, width_px, height_px, chip_size_px, stride_px, edge, id FROM "{db}"."{name}_item" WHERE date BETWEEN ?2 AND ?3 ORDER BY date DESC
