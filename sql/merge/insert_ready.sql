INSERT INTO "{db}"."{name}"(item_json) VALUES (?1)
