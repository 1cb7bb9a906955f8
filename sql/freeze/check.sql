-- The files of a frozen data set, one after the other where several items have one.
SELECT i.collection, i.item_id, a.layer, a.asset, a.href, a.stamp, a.size, a.modified,
  a.layer = '' AND coalesce(json_extract(i.stac, '$."stacchip:origin"'), '') = 'network',
  CASE WHEN a.layer = '' THEN json_extract(i.stac, '$.assets."' || replace(a.asset, '"', '\"') || '"."file:size"') END,
  (SELECT count(*) FROM chips AS c WHERE c.item = i.id)
FROM assets AS a JOIN items AS i ON i.id = a.item
ORDER BY i.collection, i.item_id, a.layer, a.asset, a.href, a.stamp;
