-- Labels from a GeoPackage that QGIS or ogr2ogr wrote, found by its R*Tree. Its geometries are taken as they are.
ATTACH 'fields.gpkg' AS gpkg;

SELECT c.chipid, count(f.fid) AS fields, stacchip_classes(stacchip_rasterize(c.row, f.geom, f.crop)) AS classes
FROM chips AS c
LEFT JOIN gpkg.rtree_fields_geom AS r
  ON r.minx <= MbrMaxX(c.geometry) AND r.maxx >= MbrMinX(c.geometry)
 AND r.miny <= MbrMaxY(c.geometry) AND r.maxy >= MbrMinY(c.geometry)
LEFT JOIN gpkg.fields AS f ON f.fid = r.id
WHERE c.date = '2024-09-21' AND c.chip_index_x = 2
GROUP BY c.row ORDER BY c.chipid;
