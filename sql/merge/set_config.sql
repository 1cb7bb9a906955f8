INSERT OR REPLACE INTO "{db}"."{name}_config"(key, value) VALUES (?1, ?2)
