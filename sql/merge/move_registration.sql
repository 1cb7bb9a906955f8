UPDATE "{db}"."{name}" SET f_table_name = lower(?2) WHERE f_table_name = lower(?1)
