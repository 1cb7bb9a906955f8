-- As many chips of each class as of the others: the class that a chip has most of, of its scene classification.
CREATE TEMP TABLE share AS
SELECT chipid, class.key AS class, class.value AS share
FROM (SELECT chipid, stacchip_chip(row, '{"assets": "scl"}') AS scl FROM chips
      WHERE date = '2024-09-21' AND platform = 'sentinel-2-l2a'),
     json_each(stacchip_classes(scl, '{"ignore": [0, 9], "map": {"4": "green", "5": "bare", "6": "water"}}')) AS class;

WITH main AS (
  SELECT chipid, class, max(share) AS share FROM share GROUP BY chipid),
ranked AS (
  SELECT *, row_number() OVER (PARTITION BY class ORDER BY stacchip_hash(7, chipid)) AS n FROM main)
SELECT class, chipid, round(share, 2) AS share FROM ranked
WHERE n <= (SELECT min(chips) FROM (SELECT count(*) AS chips FROM main GROUP BY class))
ORDER BY class, n;
