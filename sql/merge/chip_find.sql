SELECT item_id, chip_index_x, chip_index_y FROM "{db}"."{name}_chip" WHERE id = ?1
