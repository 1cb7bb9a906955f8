-- Items of a merged index that lie at a place, each by one of its chips, in the order of the mosaic.
-- ?1 geometry; ?2 datetime of the chip, or NULL; ?3 0 of the same date, 1 nearest in time, 2 any.
SELECT min(rowid) FROM "{db}"."{name}"
WHERE search_area = ?1 AND (?3 <> 0 OR date = substr(?2, 1, 10))
GROUP BY collection, platform, item
ORDER BY CASE WHEN ?3 = 1 THEN abs(julianday(min(datetime)) - julianday(?2)) END NULLS LAST,
  min(datetime) DESC NULLS LAST, collection, platform, item
LIMIT 64;
