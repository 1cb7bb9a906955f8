CREATE VIEW "{db}"."{name}_layer" AS
SELECT c.id AS id, i.item || '-' || c.chip_index_x || '-' || c.chip_index_y AS chipid, i.platform AS platform,
  i.item AS item, i.date AS date, c.chip_index_x AS chip_index_x, c.chip_index_y AS chip_index_y,
  c.cloud AS cloud_cover_percentage, c.nodata AS nodata_percentage, c.geometry AS geometry
FROM "{name}_chip" AS c JOIN "{name}_item" AS i ON i.id = c.item_id;
