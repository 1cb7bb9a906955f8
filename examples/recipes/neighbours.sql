-- Embeddings kept beside the chips, and the chips most like a given one, in plain SQL: vectors as JSON, cosine similarity.
-- Here a vector is the means of four bands; yours come from a model.
CREATE TEMP TABLE embedding AS
SELECT chipid, json_extract(stacchip_band_stats(row, '{"assets": ["red", "nir", "swir16", "swir22"]}'), '$.mean') AS vector
FROM chips WHERE date = '2024-09-21' AND platform = 'sentinel-2-l2a' GROUP BY chipid;

CREATE TEMP TABLE unit AS
SELECT chipid, v.key AS i, v.value / sqrt(sum(v.value * v.value) OVER (PARTITION BY chipid)) AS x
FROM embedding, json_each(vector) AS v WHERE v.value IS NOT NULL;  -- of chips without a valid pixel

SELECT b.chipid, round(sum(a.x * b.x), 5) AS likeness
FROM unit AS a JOIN unit AS b USING (i)
WHERE a.chipid = 'S2B_T20HNJ_20240921T140702-3-3' AND b.chipid <> a.chipid
GROUP BY b.chipid ORDER BY sum(a.x * b.x) DESC, b.chipid LIMIT 3;
