-- The same with sqlite-vec (https://github.com/asg017/sqlite-vec): vectors as float32, nearest by an index of its own.
.load ./vec0
CREATE VIRTUAL TABLE temp.embedding USING vec0(chipid TEXT PRIMARY KEY, vector float[4] distance_metric=cosine);
INSERT INTO embedding
SELECT chipid, mean FROM (
  SELECT chipid, json_extract(stacchip_band_stats(row, '{"assets": ["red", "nir", "swir16", "swir22"]}'), '$.mean') AS mean
  FROM chips WHERE date = '2024-09-21' AND platform = 'sentinel-2-l2a' GROUP BY chipid)
WHERE json_extract(mean, '$[0]') IS NOT NULL;  -- of chips without a valid pixel

SELECT chipid, round(1 - distance, 5) AS likeness FROM embedding
WHERE vector MATCH (SELECT vector FROM embedding WHERE chipid = 'S2B_T20HNJ_20240921T140702-3-3') AND k = 4
  AND chipid <> 'S2B_T20HNJ_20240921T140702-3-3'
ORDER BY distance;
