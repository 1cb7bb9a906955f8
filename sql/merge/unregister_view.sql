DELETE FROM "{db}"."{name}" WHERE view_name = lower(?1)
