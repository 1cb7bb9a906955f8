INSERT INTO "{db}"."{name}_error"(item, href, reason, time, item_json) VALUES (?1, ?2, ?3, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), ?4)
