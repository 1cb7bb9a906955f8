-- Labels from a GeoJSON file, read by the shell (readfile) into a table.
CREATE TEMP TABLE feature AS
SELECT json_extract(value, '$.properties.crop') AS crop,
       SetSRID(GeomFromGeoJSON(json_extract(value, '$.geometry')), 4326) AS geometry
FROM json_each(readfile('fields.geojson'), '$.features');

SELECT c.chipid, count(f.crop) AS fields, stacchip_classes(stacchip_rasterize(c.row, f.geometry, f.crop)) AS classes
FROM chips AS c LEFT JOIN feature AS f ON MbrIntersects(c.geometry, f.geometry)
WHERE c.date = '2024-09-21' AND c.chip_index_x = 2
GROUP BY c.row ORDER BY c.chipid;
