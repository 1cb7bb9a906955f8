SELECT nodeno FROM "{db}"."{name}_rowid" WHERE rowid = ?1
