DROP TABLE IF EXISTS "{db}"."{name}_config";
DROP TABLE IF EXISTS "{db}"."{name}_item";
DROP TABLE IF EXISTS "{db}"."{name}_chip";
DROP TABLE IF EXISTS "{db}"."{name}_block";
DROP TABLE IF EXISTS "{db}"."{name}_area";
DROP TABLE IF EXISTS "{db}"."{name}_asset";
DROP TABLE IF EXISTS "{db}"."{name}_error";
DROP TABLE IF EXISTS "{db}"."idx_{name}_chip_geometry";
