-- A frozen data set (docs/freeze.md). The query's further columns are added to chips, the layers to
-- pixels. Chips of 0.5 to 1.3 MB fill pages of 16 KB with a hundredth to spare.
PRAGMA page_size = 16384;
PRAGMA journal_mode = DELETE;
PRAGMA synchronous = NORMAL;
PRAGMA locking_mode = EXCLUSIVE;
BEGIN EXCLUSIVE;
PRAGMA application_id = 1396917840;
PRAGMA user_version = 1;
CREATE TABLE dataset(
  key TEXT PRIMARY KEY,
  value
) WITHOUT ROWID;
CREATE TABLE items(
  id TEXT PRIMARY KEY,
  item TEXT NOT NULL,
  collection TEXT,
  item_id TEXT NOT NULL,
  platform TEXT NOT NULL,
  datetime TEXT,
  version TEXT NOT NULL,
  pixel_options TEXT NOT NULL,
  array TEXT NOT NULL,
  stac TEXT NOT NULL
);
CREATE TABLE assets(
  item TEXT NOT NULL,
  layer TEXT NOT NULL,
  asset TEXT NOT NULL,
  href TEXT NOT NULL,
  stamp TEXT NOT NULL,
  size INTEGER,
  modified INTEGER,
  PRIMARY KEY(item, layer, asset, href)
) WITHOUT ROWID;
CREATE VIEW exported_items AS SELECT id, item FROM items;
CREATE TABLE chips(
  position INTEGER PRIMARY KEY,
  handle TEXT NOT NULL,
  item TEXT NOT NULL,
  chip_index_x INTEGER NOT NULL,
  chip_index_y INTEGER NOT NULL,
  x INTEGER NOT NULL,
  y INTEGER NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  crs TEXT,
  transform TEXT,
  west REAL,
  south REAL,
  east REAL,
  north REAL,
  geometry BLOB,
  layers TEXT,
  shard INTEGER
);
