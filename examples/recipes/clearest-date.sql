-- The least cloudy date of each place: chips of one grid and position lie on the same pixels.
SELECT chip_index_x, chip_index_y, date, round(cloud_cover_percentage, 3) AS cloud FROM (
  SELECT *, row_number() OVER (PARTITION BY grid, chip_index_x, chip_index_y
                               ORDER BY cloud_cover_percentage, date) AS n
  FROM (SELECT grid, chip_index_x, chip_index_y, date, cloud_cover_percentage FROM chips
        WHERE platform = 'sentinel-2-l2a'))
WHERE n = 1 AND chip_index_y = 0 ORDER BY chip_index_x;
