SELECT item_json FROM "{db}"."{name}_item" WHERE id = ?1
