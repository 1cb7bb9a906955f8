UPDATE "{db}"."{name}_item" SET left_out = ?2 WHERE id = ?1
