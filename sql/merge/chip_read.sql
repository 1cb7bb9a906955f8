SELECT id, item_id, chip_index_x, chip_index_y, cloud, nodata, geometry FROM "{db}"."{name}_chip" WHERE id = ?1
