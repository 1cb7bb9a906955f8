-- Parts that keep a kilometre between them, whatever date, sensor or stride their chips are of. Stored with an index.
CREATE TEMP TABLE sample AS
SELECT chipid, row, stacchip_split(geometry, '{"cell": 5000, "guard": 1000, "parts": {"train": 0.6, "test": 0.4}}') AS part FROM chips;
CREATE INDEX temp.sample_part ON sample(part);

SELECT part, count(*) AS chips FROM sample GROUP BY part ORDER BY part;
