-- The distinct platform rules of the items of a merged index: JSON, or NULL.
SELECT DISTINCT json("rule") FROM "{db}"."{name}_item" WHERE json_valid("rule") ORDER BY 1 LIMIT 1000
