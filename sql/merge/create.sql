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
