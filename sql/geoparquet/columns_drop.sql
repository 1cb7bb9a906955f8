DROP TABLE IF EXISTS "{db}"."{name}_columns"
