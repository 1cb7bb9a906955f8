DELETE FROM "{db}"."{name}_asset" WHERE item_id = ?1
