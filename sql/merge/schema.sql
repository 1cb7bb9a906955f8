-- The tables behind a merged index: made, brought forward, renamed, dropped.

-- name: create
-- Indexes are UNIQUE constraints: unlike named ones they follow ALTER TABLE ... RENAME.
CREATE TABLE "{db}"."{name}_config" (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO "{db}"."{name}_config" VALUES ('version', 3);
CREATE TABLE "{db}"."{name}_item" (
  id INTEGER PRIMARY KEY,
  collection TEXT,
  platform TEXT,
  item TEXT,
  date TEXT,
  datetime TEXT,
  grid TEXT,
  crs TEXT,
  transform BLOB,
  width_px INTEGER,
  height_px INTEGER,
  chip_size_px INTEGER,
  stride_px INTEGER,
  edge TEXT,
  rule TEXT,
  options TEXT,
  location TEXT,
  item_json TEXT,
  left_out INTEGER, -- chips without a place on the globe; NULL for rows merged from files
  UNIQUE (item, platform, collection),
  UNIQUE (platform, date, id),
  UNIQUE (date, id),
  UNIQUE (location, id)
);
CREATE TABLE "{db}"."{name}_chip" (
  id INTEGER PRIMARY KEY,
  item_id INTEGER NOT NULL,
  chip_index_x INTEGER NOT NULL,
  chip_index_y INTEGER NOT NULL,
  cloud REAL,
  nodata REAL,
  geometry MULTIPOLYGON NOT NULL
);
CREATE TABLE "{db}"."{name}_block" (
  id INTEGER PRIMARY KEY,
  item_id INTEGER NOT NULL,
  tile_y INTEGER NOT NULL,
  tile_x INTEGER NOT NULL,
  n_chips INTEGER NOT NULL,
  chips BLOB NOT NULL,
  UNIQUE (item_id, tile_y, tile_x)
);
CREATE VIRTUAL TABLE "{db}"."{name}_area" USING rtree(id, min_lon, max_lon, min_lat, max_lat, min_day, max_day, min_cloud, max_cloud);
CREATE TABLE "{db}"."{name}_asset" (
  id INTEGER PRIMARY KEY,
  item_id INTEGER NOT NULL,
  key TEXT NOT NULL,
  href TEXT NOT NULL,
  header BLOB,
  UNIQUE (item_id, key)
);
CREATE TABLE "{db}"."{name}_error" (item TEXT, href TEXT, reason TEXT, time TEXT, item_json TEXT);

-- name: create_layer
CREATE VIEW "{db}"."{name}_layer" AS
SELECT c.id AS id, i.item || '-' || c.chip_index_x || '-' || c.chip_index_y AS chipid, i.platform AS platform,
  i.item AS item, i.date AS date, c.chip_index_x AS chip_index_x, c.chip_index_y AS chip_index_y,
  c.cloud AS cloud_cover_percentage, c.nodata AS nodata_percentage, c.geometry AS geometry
FROM "{name}_chip" AS c JOIN "{name}_item" AS i ON i.id = c.item_id;

-- name: migrate_1
-- From version 1 to 2: programs that ask geometry_columns_auth learn that only we write the chips.
INSERT OR REPLACE INTO "{db}".geometry_columns_auth(f_table_name, f_geometry_column, read_only, hidden)
  VALUES (lower('{name}_chip'), 'geometry', 1, 0);
INSERT OR REPLACE INTO "{db}"."{name}_config"(key, value) VALUES ('version', 2);

-- name: migrate_2
-- From version 2 to 3: blocks have boxes that earlier programs cannot read; those that are there are written in
-- the new form when they change. An item's text says that it came over the network: see ext/stac/item.h.
UPDATE "{db}"."{name}_item" SET item_json = '{"stacchip:origin":"network",' || substr(item_json, instr(item_json, '{') + 1)
  WHERE location GLOB '[a-zA-Z]*://*' AND item_json LIKE '{%' AND item_json NOT LIKE '{"stacchip:origin":%';
INSERT OR REPLACE INTO "{db}"."{name}_config"(key, value) VALUES ('version', 3);

-- name: strange
-- A table of a merged index ?1 that is not what we made: a view, or a virtual table that is no
-- R*Tree, which reading the index would open. SQLite stores the words of CREATE as they are here.
SELECT name FROM "{db}".sqlite_master
WHERE CASE WHEN name COLLATE NOCASE IN (?1 || '_config', ?1 || '_item', ?1 || '_chip', ?1 || '_block', ?1 || '_asset', ?1 || '_error')
  THEN type <> 'table' OR sql NOT LIKE 'CREATE TABLE %'
  WHEN name COLLATE NOCASE IN (?1 || '_area', 'idx_' || ?1 || '_chip_geometry')
  THEN type <> 'table' OR instr(replace(lower(sql), lower(?1), ''), 'stacchip_') > 0
  OR replace(replace(replace(lower(sql), ' ', ''), '"', ''), char(10), '') NOT LIKE 'createvirtualtable%usingrtree(%' END
LIMIT 1

-- name: config_get
SELECT value FROM "{db}"."{name}_config" WHERE key = ?1

-- name: config_set
INSERT OR REPLACE INTO "{db}"."{name}_config"(key, value) VALUES (?1, ?2)

-- name: rename
ALTER TABLE "{db}"."{name}_chip" RENAME TO "{to}_chip";
ALTER TABLE "{db}"."{name}_item" RENAME TO "{to}_item";
ALTER TABLE "{db}"."{name}_config" RENAME TO "{to}_config";
ALTER TABLE "{db}"."{name}_block" RENAME TO "{to}_block";
ALTER TABLE "{db}"."{name}_area" RENAME TO "{to}_area";
ALTER TABLE "{db}"."{name}_asset" RENAME TO "{to}_asset";
ALTER TABLE "{db}"."{name}_error" RENAME TO "{to}_error";
ALTER TABLE "{db}"."idx_{name}_chip_geometry" RENAME TO "idx_{to}_chip_geometry";

-- name: drop_layer
DROP VIEW IF EXISTS "{db}"."{name}_layer";

-- name: drop
DROP TABLE IF EXISTS "{db}"."{name}_config";
DROP TABLE IF EXISTS "{db}"."{name}_item";
DROP TABLE IF EXISTS "{db}"."{name}_chip";
DROP TABLE IF EXISTS "{db}"."{name}_block";
DROP TABLE IF EXISTS "{db}"."{name}_area";
DROP TABLE IF EXISTS "{db}"."{name}_asset";
DROP TABLE IF EXISTS "{db}"."{name}_error";
DROP TABLE IF EXISTS "{db}"."idx_{name}_chip_geometry";
