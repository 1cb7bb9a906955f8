SELECT id, date, location FROM "{db}"."{name}_item" WHERE item = ?1 AND platform = ?2 AND collection IS ?3
