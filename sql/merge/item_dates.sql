SELECT date FROM "{db}"."{name}_item" WHERE id = ?1
