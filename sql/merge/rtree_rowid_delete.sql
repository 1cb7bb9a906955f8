DELETE FROM "{db}"."{name}_rowid" WHERE rowid = ?1
