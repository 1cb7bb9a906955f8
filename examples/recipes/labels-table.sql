-- Labels from a table of SpatiaLite, found by its spatial index: a crop's number on each pixel of a field, 0 elsewhere.
SELECT c.chipid, count(f.id) AS fields, stacchip_classes(stacchip_rasterize(c.row, f.geometry, f.crop)) AS classes
FROM chips AS c LEFT JOIN fields AS f
  ON f.id IN (SELECT rowid FROM SpatialIndex WHERE f_table_name = 'fields' AND search_frame = c.geometry)
WHERE c.date = '2024-09-21' AND c.chip_index_x = 2
GROUP BY c.row ORDER BY c.chipid;
