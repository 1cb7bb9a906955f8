-- Six chips without replacement, each with a chance that grows with its weight: here its clear share.
-- The least of -ln(u) / weight win (Efraimidis and Spirakis 2006).
SELECT chipid, round(weight, 2) AS weight
FROM (SELECT chipid, 1 - cloud_cover_percentage AS weight FROM chips)
WHERE weight > 0
ORDER BY -ln(stacchip_hash(7, chipid)) / weight LIMIT 6;
