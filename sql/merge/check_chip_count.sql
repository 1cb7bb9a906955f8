SELECT count(*) FROM "{db}"."{name}_chip"
