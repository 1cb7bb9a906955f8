INSERT INTO "{db}"."{name}_columns" (id, columns) VALUES (1, ?1)
