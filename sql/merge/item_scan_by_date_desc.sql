SELECT collection, platform, item, date, datetime, grid, width_px, height_px, chip_size_px, stride_px, edge, id FROM "{db}"."{name}_item" ORDER BY date DESC
