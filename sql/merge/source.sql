-- All of a merged index for who takes it all, as an export does (source.h).

-- name: source_find
-- Is that name a merged index of the database, and no other table's in temp?
SELECT 1 FROM "{db}".sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE AND sql LIKE 'CREATE VIRTUAL TABLE%USING%stacchip_merge%'
  AND (?2 OR NOT EXISTS (SELECT 1 FROM temp.sqlite_schema WHERE name = ?1 COLLATE NOCASE))

-- name: source_chips
-- ?1 is who takes the chips; the others in the order of enum sc_merge_source_value.
SELECT stacchip_export_row(?1, "item_id", "chip_index_x", "chip_index_y", "cloud", "nodata", "geometry") FROM "{db}"."{name}_chip"

-- name: source_item
-- In the order of enum sc_merge_source_text.
SELECT "platform", "item", "date", "datetime", "collection", "grid" FROM "{db}"."{name}_item" WHERE "id" = ?1

-- name: source_options
-- The distinct options that items were indexed with, as JSON. Those of items that came as rows are the table's own.
SELECT DISTINCT iif(json_valid(i.options), json(i.options), json_object('chip_size', i.chip_size_px, 'stride', i.stride_px, 'edge', i.edge))
  FROM "{db}"."{name}_item" AS i ORDER BY 1 LIMIT 1000

-- name: source_rules
-- The distinct platform rules of the items: JSON, or NULL.
SELECT DISTINCT json("rule") FROM "{db}"."{name}_item" WHERE json_valid("rule") ORDER BY 1 LIMIT 1000
