DELETE FROM "{db}"."{name}" WHERE f_table_name = lower(?1)
