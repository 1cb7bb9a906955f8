-- A random sample that is the same in every run and on every machine: seed 7.
SELECT chipid FROM chips
ORDER BY stacchip_hash(7, chipid) LIMIT 5;

-- The pixels of exactly these: the sample is drawn in a subquery first.
SELECT length(stacchip_stack(row)) AS bytes
FROM (SELECT row FROM chips ORDER BY stacchip_hash(7, chipid) LIMIT 5);
