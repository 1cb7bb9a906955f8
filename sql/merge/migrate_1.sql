-- From version 1 to 2: programs that ask geometry_columns_auth learn that only we write the chips.
INSERT OR REPLACE INTO "{db}".geometry_columns_auth(f_table_name, f_geometry_column, read_only, hidden) VALUES (lower('{name}_chip'), 'geometry', 1, 0);
INSERT OR REPLACE INTO "{db}"."{name}_config"(key, value) VALUES ('version', 2);
