-- The main job: load, index, merge, select, read pixels. Run by `make demo`.
.load ./stacchip

-- Every chip of a STAC item, with its cloud and nodata fractions (0.1 means 10 %).
SELECT chipid, date, cloud_cover_percentage, nodata_percentage
FROM stacchip_index('{ITEM}') LIMIT 3;

-- Merge items into one index, kept as SpatiaLite tables.
CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=0.5);
INSERT INTO chips(item_json) VALUES ('{ITEM}');
SELECT count(*) AS chips, round(avg(cloud_cover_percentage), 3) AS mean_cloud FROM chips;

-- Chips under 10 % cloud around a place: answered by the spatial index.
SELECT chipid, round(cloud_cover_percentage, 4) AS cloud FROM chips
WHERE cloud_cover_percentage < 0.1
  AND ST_Intersects(geometry, (SELECT ST_Buffer(ST_Centroid(Extent(geometry)), 0.05) FROM chips))
ORDER BY cloud_cover_percentage, chipid LIMIT 3;

-- The pixels of the clearest chip: a NumPy array, and a picture for people.
SELECT writefile('{OUT}/chip.npy', stacchip_chip(row)) AS npy_bytes,
       writefile('{OUT}/chip.png', stacchip_chip(row, '{"format": "png"}')) AS png_bytes
FROM (SELECT row FROM chips ORDER BY cloud_cover_percentage, nodata_percentage, chipid LIMIT 1);
