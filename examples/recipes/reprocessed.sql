-- A scene that was processed twice is there twice. Of each place and time the newest item stays.
CREATE TEMP TABLE newest AS
SELECT item FROM (
  SELECT item, row_number() OVER (PARTITION BY platform, grid, datetime
                                  ORDER BY json_extract(item_json, '$.properties.created') DESC) AS n
  FROM (SELECT DISTINCT item, platform, grid, datetime, item_json FROM chips))
WHERE n = 1;

SELECT DISTINCT item AS left_out FROM chips WHERE item NOT IN (SELECT item FROM newest);
SELECT count(*) AS chips FROM chips WHERE item IN (SELECT item FROM newest);
