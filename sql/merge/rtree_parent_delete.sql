DELETE FROM "{db}"."{name}_parent" WHERE nodeno = ?1
