SELECT 1 FROM "{db}"."{name}_item" WHERE item = ?1 AND collection IS ?2 AND (?3 IS NULL OR platform = ?3)
