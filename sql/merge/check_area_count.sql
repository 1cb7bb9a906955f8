SELECT count(*) FROM "{db}"."{name}_area"
