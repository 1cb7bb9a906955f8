DROP VIEW IF EXISTS "{db}"."{name}_layer";
