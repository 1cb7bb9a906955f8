DELETE FROM "{db}"."{name}_error" WHERE item IS ?1 OR href IS ?2
