INSERT OR REPLACE INTO "{db}"."{name}_rowid"(rowid, nodeno) VALUES (?1, ?2)
