SELECT 1 FROM "{db}"."{name}_item" WHERE location = ?1
