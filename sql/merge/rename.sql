ALTER TABLE "{db}"."{name}_chip" RENAME TO "{to}_chip";
ALTER TABLE "{db}"."{name}_item" RENAME TO "{to}_item";
ALTER TABLE "{db}"."{name}_config" RENAME TO "{to}_config";
ALTER TABLE "{db}"."{name}_block" RENAME TO "{to}_block";
ALTER TABLE "{db}"."{name}_area" RENAME TO "{to}_area";
ALTER TABLE "{db}"."{name}_asset" RENAME TO "{to}_asset";
ALTER TABLE "{db}"."{name}_error" RENAME TO "{to}_error";
ALTER TABLE "{db}"."idx_{name}_chip_geometry" RENAME TO "idx_{to}_chip_geometry";
