-- A table of predictions, and what becomes of it: a map, and a layer of polygons. The scene classification stands in for a model; in its
-- place a .npy of classes is written, from Python or by a function of the application.
CREATE TABLE predictions(chip INTEGER, model TEXT, array BLOB, PRIMARY KEY (chip, model));
INSERT INTO predictions
SELECT rowid, 'first', stacchip_chip(row, '{"assets": ["scl"]}') FROM chips WHERE item = 'S2B_T20HNJ_20240921T140702';

-- The map: a Cloud Optimized GeoTIFF on the grid of the scene.
SELECT stacchip_mosaic(chip, array, '{"table": "chips", "path": "map.tif", "blend": "trim", "nodata": 0}') AS map
FROM predictions WHERE model = 'first';

-- The layer: one polygon for all pixels of a class that hang together, whatever chips they are of.
PRAGMA trusted_schema = ON; -- SpatiaLite's triggers check each geometry, which newer shells forbid otherwise
SELECT InsertEpsgSrid(32720) AS srid;
CREATE TABLE classes(id INTEGER PRIMARY KEY, class INTEGER);
SELECT AddGeometryColumn('classes', 'geometry', 32720, 'POLYGON', 'XY') AS added;
INSERT INTO classes(class, geometry)
SELECT value, geometry FROM stacchip_polygons(
  'SELECT chip, array FROM predictions WHERE model = ''first''', '{"table": "chips", "nodata": 0}');
SELECT CreateSpatialIndex('classes', 'geometry') AS indexed;

SELECT class, count(*) AS polygons, sum(ST_Area(geometry)) / 10000 AS hectares, min(ST_IsValid(geometry)) AS valid
FROM classes GROUP BY class;
