INSERT OR REPLACE INTO "{db}"."{name}_asset"(item_id, key, href, header) VALUES (?1, ?2, ?3, ?4)
