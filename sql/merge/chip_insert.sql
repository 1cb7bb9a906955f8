INSERT OR REPLACE INTO "{db}"."{name}_chip"(id, item_id, chip_index_x, chip_index_y, cloud, nodata, geometry) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
