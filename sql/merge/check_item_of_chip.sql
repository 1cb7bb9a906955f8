SELECT 'chip ' || id || ' is of item ' || CAST(item_id AS INTEGER) || ', which is missing' FROM "{db}"."{name}_chip" WHERE item_id NOT IN (SELECT id FROM "{db}"."{name}_item") LIMIT 1
