DELETE FROM "{db}"."{name}_item" WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM "{db}"."{name}_block" WHERE item_id = ?1)
