DELETE FROM "{db}"."{name}_node" WHERE nodeno = ?1
