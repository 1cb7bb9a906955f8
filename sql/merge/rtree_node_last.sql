SELECT max(nodeno) FROM "{db}"."{name}_node"
