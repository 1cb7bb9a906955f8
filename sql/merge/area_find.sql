SELECT id FROM "{db}"."{name}_area"
WHERE min_lon <= ?2 AND max_lon >= ?1 AND min_lat <= ?4 AND max_lat >= ?3
  AND min_day <= ?6 AND max_day >= ?5 AND min_cloud <= ?8 AND max_cloud >= ?7
