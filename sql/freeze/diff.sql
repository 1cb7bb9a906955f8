-- The chips of a frozen data set in the order of what a chip is: its item and window, or of a chip on a grid of its own
-- its grid. Behind them comes a column for each further one that both data sets have.
SELECT coalesce(i.collection, ''), i.item_id, coalesce(c.crs, ''), coalesce(c.transform, ''), iif(c.crs IS NULL, c.x, 0),
  iif(c.crs IS NULL, c.y, 0), c.width, c.height, i.collection, c.chip_index_x, c.chip_index_y, c.x, c.y, c.position, i.version, i.id,
  i.pixel_options, coalesce(c.layers, '')
