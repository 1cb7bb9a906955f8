SELECT header FROM "{db}"."{name}_asset" WHERE item_id = ?1 AND key = ?2
