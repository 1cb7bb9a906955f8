-- A table of a merged index ?1 that is not what we made: a view, or a virtual table that is no
-- R*Tree, which reading the index would open. SQLite stores the words of CREATE as they are here.
SELECT name FROM "{db}".sqlite_master
WHERE CASE WHEN name COLLATE NOCASE IN (?1 || '_config', ?1 || '_item', ?1 || '_chip', ?1 || '_block', ?1 || '_asset', ?1 || '_error')
  THEN type <> 'table' OR sql NOT LIKE 'CREATE TABLE %'
  WHEN name COLLATE NOCASE IN (?1 || '_area', 'idx_' || ?1 || '_chip_geometry')
  THEN type <> 'table' OR instr(replace(lower(sql), lower(?1), ''), 'stacchip_') > 0
  OR replace(replace(replace(lower(sql), ' ', ''), '"', ''), char(10), '') NOT LIKE 'createvirtualtable%usingrtree(%' END
LIMIT 1
