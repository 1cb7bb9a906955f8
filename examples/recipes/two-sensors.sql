-- Chips of two sensors that see the same ground within five days. The join goes through the spatial index.
SELECT a.chipid AS sentinel, b.chipid AS landsat,
       CAST(julianday(b.date) - julianday(a.date) AS INTEGER) AS days
FROM chips AS b JOIN chips AS a ON a.search_area = b.geometry
WHERE b.platform = 'landsat-c2l2-sr' AND b.cloud_cover_percentage < 0.1
  AND a.platform = 'sentinel-2-l2a' AND a.cloud_cover_percentage < 0.1
  AND a.date BETWEEN date(b.date, '-5 days') AND date(b.date, '+5 days')
ORDER BY abs(days), sentinel, landsat LIMIT 5;
