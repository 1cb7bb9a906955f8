-- One chip of each place, any date: the place is a cell of 5 km.
SELECT place, chipid FROM (
  SELECT stacchip_cell(geometry, 5000) AS place, chipid,
         row_number() OVER (PARTITION BY stacchip_cell(geometry, 5000) ORDER BY stacchip_hash(7, chipid)) AS n
  FROM chips)
WHERE n = 1 ORDER BY place LIMIT 5;
