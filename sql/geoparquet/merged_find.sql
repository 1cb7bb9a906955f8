-- Is that name a merged index of the database, and no other table's in temp?
SELECT 1 FROM "{db}".sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE AND sql LIKE 'CREATE VIRTUAL TABLE%USING%stacchip_merge%'
  AND (?2 OR NOT EXISTS (SELECT 1 FROM temp.sqlite_schema WHERE name = ?1 COLLATE NOCASE))
