SELECT (SELECT count(*) FROM "{db}"."{name}_rowid"), (SELECT count(*) FROM "{db}"."{name}_parent")
