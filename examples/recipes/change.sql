-- Change between two models, or two dates: the polygons of both, cut with each other. Two scenes stand in for two models.
CREATE TABLE predictions(chip INTEGER, model TEXT, array BLOB, PRIMARY KEY (chip, model));
INSERT INTO predictions
SELECT rowid, iif(date < '2024-09-01', 'before', 'after'), stacchip_chip(row, '{"assets": ["scl"]}')
FROM chips WHERE item IN ('S2A_T20HNJ_20240617T140638', 'S2B_T20HNJ_20240921T140702');

CREATE TABLE polygons(model TEXT, class INTEGER, geometry);
INSERT INTO polygons
SELECT model, value, geometry FROM (SELECT DISTINCT model FROM predictions), stacchip_polygons(
  format('SELECT chip, array FROM predictions WHERE model = %Q', model), '{"table": "chips", "nodata": 0}');

-- What a place was and what it is. Where polygons only touch, in lines or points, they have no area in common: 3 takes what has.
CREATE TABLE changes AS
SELECT b.class AS was, a.class AS becomes, CastToMultiPolygon(CollectionExtract(ST_Intersection(b.geometry, a.geometry), 3)) AS geometry
FROM polygons AS b, polygons AS a
WHERE b.model = 'before' AND a.model = 'after' AND b.class <> a.class AND ST_Intersects(b.geometry, a.geometry);

SELECT was, becomes, sum(ST_Area(geometry)) / 10000 AS hectares FROM changes GROUP BY was, becomes HAVING hectares > 0;
