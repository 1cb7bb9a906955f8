INSERT OR REPLACE INTO "{db}"."{name}_parent"(nodeno, parentnode) VALUES (?1, ?2)
