-- The texts of an item of a merged index, in the order of export_source.c.
SELECT "platform", "item", "date", "datetime", "collection", "grid" FROM "{db}"."{name}_item" WHERE "id" = ?1
