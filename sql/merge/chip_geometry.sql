SELECT geometry FROM "{db}"."{name}_chip" WHERE id = ?1
