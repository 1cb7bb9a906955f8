SELECT collection, platform, item, date, datetime, rule, options, location, item_json, crs, transform, width_px, height_px, chip_size_px, stride_px, edge FROM "{db}"."{name}_item" WHERE id = ?1
