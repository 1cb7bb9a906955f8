SELECT id, chips FROM "{db}"."{name}_block" WHERE item_id = ?1 AND tile_y = ?2 AND tile_x = ?3
