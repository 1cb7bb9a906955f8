SELECT name FROM "{db}".sqlite_master WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE
