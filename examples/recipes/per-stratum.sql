-- Two chips of each month and platform, at random.
WITH ranked AS (
  SELECT chipid, platform, strftime('%Y-%m', date) AS month,
         row_number() OVER (PARTITION BY platform, strftime('%Y-%m', date) ORDER BY stacchip_hash(7, chipid)) AS n
  FROM chips)
SELECT platform, month, chipid FROM ranked WHERE n <= 2
ORDER BY platform, month, n;
