SELECT id, item_id, chip_index_x, chip_index_y, cloud, nodata, geometry FROM "{db}"."{name}_chip" WHERE id BETWEEN ?1 AND ?2 ORDER BY id
