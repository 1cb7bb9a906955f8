DELETE FROM "{db}"."{name}_block" WHERE id = ?1
