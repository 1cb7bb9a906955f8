SELECT min_lon, max_lon, min_lat, max_lat, min_cloud, max_cloud, min_day, max_day FROM "{db}"."{name}_area" WHERE id = ?1
