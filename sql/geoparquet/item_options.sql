-- The distinct options that the items of a merged index were indexed with: JSON. Those of items that came as rows are the table's own.
SELECT DISTINCT iif(json_valid(i.options), json(i.options), json_object('chip_size', i.chip_size_px, 'stride', i.stride_px, 'edge', i.edge)) FROM "{db}"."{name}_item" AS i ORDER BY 1 LIMIT 1000
