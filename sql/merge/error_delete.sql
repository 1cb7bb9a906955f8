DELETE FROM "{db}"."{name}_error" WHERE item = ?1 OR href = ?2
