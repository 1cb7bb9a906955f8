SELECT value FROM "{db}"."{name}_config" WHERE key = ?1
