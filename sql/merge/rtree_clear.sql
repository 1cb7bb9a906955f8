DELETE FROM "{db}"."{name}_rowid";
DELETE FROM "{db}"."{name}_parent";
DELETE FROM "{db}"."{name}_node" WHERE nodeno <> 1;
