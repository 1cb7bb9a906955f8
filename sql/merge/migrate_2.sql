-- From version 2 to 3: blocks have boxes that earlier programs cannot read; those that are there are written anew as they
-- change. An item's text says that it came over the network: see ext/stac/item.h.
UPDATE "{db}"."{name}_item" SET item_json = '{"stacchip:origin":"network",' || substr(item_json, instr(item_json, '{') + 1)
  WHERE location GLOB '[a-zA-Z]*://*' AND item_json LIKE '{%' AND item_json NOT LIKE '{"stacchip:origin":%';
INSERT OR REPLACE INTO "{db}"."{name}_config"(key, value) VALUES ('version', 3);
