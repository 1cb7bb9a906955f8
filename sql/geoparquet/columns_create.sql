-- What a table of a Parquet file is made of, as JSON: to know it the file need not be opened.
CREATE TABLE "{db}"."{name}_columns" (id INTEGER PRIMARY KEY, columns BLOB NOT NULL)
