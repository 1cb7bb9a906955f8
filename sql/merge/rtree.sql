-- The shadow tables of an R*Tree, whose name is {name}: see rtree_write.h. Node 1 is the root.

-- name: rtree_node_read
SELECT data FROM "{db}"."{name}_node" WHERE nodeno = ?1

-- name: rtree_node_write
INSERT OR REPLACE INTO "{db}"."{name}_node"(nodeno, data) VALUES (?1, ?2)

-- name: rtree_node_last
SELECT max(nodeno) FROM "{db}"."{name}_node"

-- name: rtree_node_delete
DELETE FROM "{db}"."{name}_node" WHERE nodeno = ?1

-- name: rtree_parent_read
SELECT parentnode FROM "{db}"."{name}_parent" WHERE nodeno = ?1

-- name: rtree_parent_write
INSERT OR REPLACE INTO "{db}"."{name}_parent"(nodeno, parentnode) VALUES (?1, ?2)

-- name: rtree_parent_delete
DELETE FROM "{db}"."{name}_parent" WHERE nodeno = ?1

-- name: rtree_rowid_read
SELECT nodeno FROM "{db}"."{name}_rowid" WHERE rowid = ?1

-- name: rtree_rowid_write
INSERT OR REPLACE INTO "{db}"."{name}_rowid"(rowid, nodeno) VALUES (?1, ?2)

-- name: rtree_rowid_write_32
INSERT OR REPLACE INTO "{db}"."{name}_rowid"(rowid, nodeno) VALUES
(?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?),
(?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?),
(?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?),
(?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?)

-- name: rtree_rowid_delete
DELETE FROM "{db}"."{name}_rowid" WHERE rowid = ?1

-- name: rtree_counts
SELECT (SELECT count(*) FROM "{db}"."{name}_rowid"), (SELECT count(*) FROM "{db}"."{name}_parent")

-- name: rtree_clear
DELETE FROM "{db}"."{name}_rowid";
DELETE FROM "{db}"."{name}_parent";
DELETE FROM "{db}"."{name}_node" WHERE nodeno <> 1;
