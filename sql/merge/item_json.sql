-- Of a URL, also before schema version 3, the text says that the item came over the network.
SELECT CASE WHEN location GLOB '[a-zA-Z]*://*' AND item_json LIKE '{%' AND item_json NOT LIKE '{"stacchip:origin":%'
  THEN '{"stacchip:origin":"network",' || substr(item_json, instr(item_json, '{') + 1) ELSE item_json END
FROM "{db}"."{name}_item" WHERE id = ?1
