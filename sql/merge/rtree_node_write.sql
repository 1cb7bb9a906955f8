INSERT OR REPLACE INTO "{db}"."{name}_node"(nodeno, data) VALUES (?1, ?2)
