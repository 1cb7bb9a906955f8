SELECT max(id) FROM "{db}"."{name}_block"
