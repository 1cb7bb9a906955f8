DELETE FROM "{db}"."{name}_block"
