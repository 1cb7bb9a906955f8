INSERT OR REPLACE INTO "{db}".views_geometry_columns(view_name, view_geometry, view_rowid, f_table_name, f_geometry_column, read_only) VALUES (lower(?1), 'geometry', 'id', lower(?2), 'geometry', 1)
