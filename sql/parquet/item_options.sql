-- The distinct options that the items of a merged index were indexed with: JSON, or NULL.
SELECT DISTINCT json("options") FROM "{db}"."{name}_item" WHERE json_valid("options") LIMIT 1000
