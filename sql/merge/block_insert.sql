INSERT INTO "{db}"."{name}_block"(id, item_id, tile_y, tile_x, n_chips, chips) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
