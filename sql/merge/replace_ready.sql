INSERT OR REPLACE INTO "{db}"."{name}"(item_json) VALUES (?1)
