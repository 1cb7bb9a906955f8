-- Pairs of a place: each clear chip with the clear one before it, one to twelve months earlier.
-- A window looks back along each place's dates; no chip is compared with all others.
WITH clear AS (
  SELECT row, chipid, grid, chip_index_x, chip_index_y, date FROM chips
  WHERE platform = 'sentinel-2-l2a' AND cloud_cover_percentage < 0.1),
pairs AS (
  SELECT lag(chipid) OVER place AS before, chipid AS after,
         lag(row) OVER place AS row_before, row AS row_after,
         julianday(date) - julianday(lag(date) OVER place) AS days
  FROM clear WINDOW place AS (PARTITION BY grid, chip_index_x, chip_index_y ORDER BY date, chipid))
SELECT before, after, days FROM pairs
WHERE days BETWEEN 30 AND 365 ORDER BY after, before LIMIT 4;
