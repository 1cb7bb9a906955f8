-- Leave one region out: what lies in it is for testing, what is well away from it for training, the rest for neither.
CREATE TEMP TABLE region AS SELECT 'north-west' AS name, BuildMbr(-63.1, -32.58, -62.94, -32.50, 4326) AS geometry;

SELECT CASE WHEN ST_Within(chips.geometry, region.geometry) THEN 'test'
            WHEN NOT ST_Intersects(chips.geometry, ST_Buffer(region.geometry, 0.02)) THEN 'train' END AS part,
       count(*) AS chips
FROM chips, region WHERE region.name = 'north-west' GROUP BY part ORDER BY part;
