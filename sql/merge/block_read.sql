SELECT id, item_id, tile_y, tile_x, chips FROM "{db}"."{name}_block" WHERE id = ?1
