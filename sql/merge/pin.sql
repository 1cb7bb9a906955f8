SELECT 1 FROM "{db}"."{name}"
