UPDATE "{db}"."{name}_item" SET item = ?2 WHERE id = ?1
