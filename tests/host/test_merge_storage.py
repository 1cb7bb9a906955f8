"""What a merged index keeps in its tables: boxes, trees and their checks, whatever the history of writes."""
import json
import os
import random
import sqlite3
import struct
import subprocess
import sys
import tempfile
import unittest

import host

INSERT = ("INSERT INTO c(platform, item, date, chip_index_x, chip_index_y, cloud_cover_percentage, nodata_percentage,"
          " geometry) VALUES ('s2', ?, '2024-01-01', ?, ?, 0, 0, BuildMbr(?, ?, ?, ?, 4326))")


def make(path=":memory:"):
    db = host.connect(path)
    db.execute("CREATE VIRTUAL TABLE c USING stacchip_merge()")
    return db


def column(db, sql, *values):
    return [r[0] for r in db.execute(sql, values)]


def check(db):
    db.execute("INSERT INTO c(c) VALUES ('integrity-check')")


def grid(item, x0, y0, side, step=.1):
    return [(item, x, y, x0 + x * step, y0 + y * step, x0 + (x + 1) * step, y0 + (y + 1) * step)
            for y in range(side) for x in range(side)]


class Boxes(unittest.TestCase):
    """SpatiaLite, which looks at the stored geometries, says what is right."""

    def same(self, db, predicate, box):
        where = "%s(geometry, BuildMbr(%r, %r, %r, %r, 4326))" % ((predicate,) + box)
        order = " ORDER BY item, chip_index_x, chip_index_y"
        right = column(db, "SELECT i.item || chip_index_x || ',' || chip_index_y FROM c_chip JOIN c_item AS i"
                           " ON i.id = item_id WHERE " + where + " = 1" + order)
        self.assertEqual(right, column(db, "SELECT item || chip_index_x || ',' || chip_index_y FROM c WHERE " + where +
                                       order), (predicate, box))

    def all_same(self, db, x0=10, y0=20, side=8):
        """Boxes that end close to the edges between chips, on either side."""
        pick = random.Random(5)
        for predicate in ("ST_Intersects", "MbrIntersects", "ST_Within", "MbrWithin", "ST_EnvIntersects"):
            for _ in range(25):
                at = [edge + pick.randrange(side + 1) * .1 + pick.choice((-1, 1)) * 10 ** -pick.randrange(2, 8)
                      for edge in (x0, y0, x0, y0)]
                self.same(db, predicate, (min(at[0], at[2]), min(at[1], at[3]), max(at[0], at[2]), max(at[1], at[3])))

    def test_one_statement_for_each_chip_or_one_for_all(self):
        rows, blobs = grid("I", 10, 20, 8), []
        for shuffled in (0, 1, 2):
            db = make()
            order = random.Random(shuffled).sample(rows, len(rows)) if shuffled else rows
            if shuffled == 1:
                db.execute("BEGIN")
            for row in order:
                db.execute(INSERT, row)
            if shuffled == 1:
                db.execute("COMMIT")
            for x, y in ((0, 0), (7, 7), (3, 4)):  # deleted and put in again
                db.execute("DELETE FROM c WHERE chip_index_x = ? AND chip_index_y = ?", (x, y))
                db.execute(INSERT, rows[8 * y + x])
            self.all_same(db)
            check(db)
            areas = column(db, "SELECT min_lon || ' ' || max_lon || ' ' || min_lat || ' ' || max_lat FROM c_area")
            blobs.append(sorted(areas))
        self.assertEqual(blobs[0], blobs[1])
        self.assertEqual(blobs[0], blobs[2])

    def test_the_check_finds_boxes_too_large_and_too_small(self):
        for change in ("xmax = xmax + .001", "xmax = xmax - .001", "ymin = ymin - .001", "ymin = ymin + .001"):
            db = make()
            db.executemany(INSERT, grid("I", 10, 20, 8))
            db.execute("UPDATE idx_c_chip_geometry SET %s WHERE pkid = 9" % change)
            with self.assertRaisesRegex(sqlite3.DatabaseError, "box of chip 9 in the spatial index is not its geom"):
                check(db)
        for change in ("max_lon = max_lon + .001", "min_lat = min_lat + .001", "max_day = max_day + 1",
                       "min_cloud = -1"):
            db = make()
            db.executemany(INSERT, grid("I", 10, 20, 8))
            db.execute("UPDATE c_area SET " + change)
            with self.assertRaisesRegex(sqlite3.DatabaseError, "is not what the area index says"):
                check(db)
        for grow in (1, -1):
            db = make()
            db.executemany(INSERT, grid("I", 10, 20, 8))
            geometry = "BuildMbr(%r, 20, %r, 20.1, 4326)" % (10 - grow * 1e-4, 10.1 + grow * 1e-4)
            db.execute("UPDATE c_chip SET geometry = CastToMulti(%s) WHERE id = 1" % geometry)
            with self.assertRaisesRegex(sqlite3.DatabaseError, "chip 1 .* is not its geometry's"):
                check(db)


class Trees(unittest.TestCase):
    """After each delete SQLite's own module must be able to go on; its deletes are the judge."""

    def test_emptied_and_refilled_in_random_order(self):
        pick = random.Random(11)
        db = make()
        wheres = ["item = 'A%d'", "chip_index_y > %d", "chip_index_x <> %d", "rowid %% 7 = %d", "rowid %% 7 <> %d",
                  "item <> 'A%d'"]
        for _ in range(40):
            db.execute("BEGIN")
            for k in pick.sample(range(7), 3):
                db.executemany(INSERT.replace("INSERT", "INSERT OR REPLACE"), grid("A%d" % k, k * 20, 0, 16))
            db.execute("COMMIT")
            for _ in range(4):
                db.execute("DELETE FROM c WHERE " + pick.choice(wheres) % pick.randrange(7))
                check(db)
            db.execute("SAVEPOINT aside")
            db.execute("DELETE FROM idx_c_chip_geometry")
            db.execute("DELETE FROM c_area")
            db.execute("ROLLBACK TO aside")
            db.execute("RELEASE aside")
        db.execute("DELETE FROM c")
        check(db)
        self.assertEqual([0], column(db, "SELECT count(*) FROM c_item"))


class History(unittest.TestCase):
    def test_a_statement_that_failed_leaves_no_lock_and_no_snapshot(self):
        for mode in ("delete", "wal"):
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "a.db")
                db = make(path)
                db.execute("PRAGMA journal_mode = " + mode)
                db.executemany(INSERT, grid("A", 0, 0, 2))
                other = host.connect(path)
                other.execute("PRAGMA busy_timeout = 0")
                self.assertEqual([4], column(other, "SELECT count(*) FROM c"))
                rows = grid("A", 0, 0, 3)[::-1]  # the last ones are there already
                with self.assertRaises(sqlite3.IntegrityError):
                    db.execute(INSERT + ", ('s2', ?, '2024-01-01', ?, ?, 0, 0, BuildMbr(?, ?, ?, ?, 4326))" * 8,
                               [v for row in rows for v in row])
                other.execute(INSERT, grid("B", 0, 0, 1)[0])
                self.assertEqual([5], column(db, "SELECT count(*) FROM c"))
                db.close()
                other.close()

    def test_an_item_that_went_lends_its_date_to_nobody(self):
        db = make()
        db.execute("BEGIN")
        db.execute(INSERT, grid("A", 0, 0, 1)[0])
        db.execute("DELETE FROM c")
        db.execute(INSERT.replace("2024-01-01", "2025-05-05"), grid("A", 0, 0, 1)[0])
        db.execute("COMMIT")
        self.assertEqual(["2025-05-05"], column(db, "SELECT date FROM c"))

    def test_on_error_is_rolled_back_with_its_transaction(self):
        db = make()
        db.execute("BEGIN")
        db.execute("INSERT INTO c(c, rank) VALUES ('on_error', 'record')")
        db.execute("INSERT INTO c(item_json) VALUES ('/nowhere/item.json')")
        self.assertEqual([1], column(db, "SELECT count(*) FROM c_error"))
        db.execute("ROLLBACK")
        with self.assertRaises(sqlite3.Error):
            db.execute("INSERT INTO c(item_json) VALUES ('/nowhere/item.json')")


class LeftOut(unittest.TestCase):
    """A grid of latitudes that passes the pole: one of its two rows of chips has no place."""

    def item(self, name, top):
        asset = {"href": "/nowhere/a.tif", "type": "image/tiff", "proj:shape": [512, 512],
                 "proj:transform": [.01, 0, 10, 0, -.01, top]}
        return json.dumps({"type": "Feature", "stac_version": "1.0.0", "id": name, "geometry": None, "links": [],
                           "assets": {"a": asset}, "properties": {"datetime": "2024-01-01T00:00:00Z", "proj:epsg": 4326}})

    def test_chips_without_a_place_are_counted(self):
        db = host.connect()
        db.execute("CREATE VIRTUAL TABLE c USING stacchip_merge(platform=none)")
        db.execute("INSERT INTO c(item_json) VALUES (?)", (self.item("pole", 92),))
        db.execute("INSERT INTO c(item_json) VALUES (?)", (self.item("whole", 50),))
        self.assertEqual([("pole", 2), ("whole", 0)], db.execute("SELECT item, left_out FROM c_item ORDER BY 1").fetchall())
        self.assertEqual([2], column(db, "SELECT count(*) FROM c WHERE item = 'pole'"))
        query = "SELECT %s UNION ALL SELECT %s" % tuple(
            column(db, "SELECT quote(?)", self.item(n, top))[0] for n, top in (("a", 92), ("b", 91)))
        self.assertEqual({"merged": 2, "skipped": 0, "failed": 0, "left_out": 4},
                         json.loads(column(db, "SELECT stacchip_merge_items('c', ?)", query)[0]))
        self.assertEqual({"merged": 0, "skipped": 2, "failed": 0},
                         json.loads(column(db, "SELECT stacchip_merge_items('c', ?)", query)[0]))

    def test_older_tables_go_on_without_the_column(self):
        db = host.connect()
        db.execute("CREATE VIRTUAL TABLE c USING stacchip_merge(platform=none)")
        db.execute("ALTER TABLE c_item DROP COLUMN left_out")
        db.execute("INSERT INTO c(item_json) VALUES (?)", (self.item("pole", 92),))
        self.assertEqual([2], column(db, "SELECT count(*) FROM c"))


HEAP = """
import ctypes, host, sys, threading
sqlite = ctypes.CDLL("libsqlite3.so.0")
sqlite.sqlite3_memory_used.restype = ctypes.c_int64
limit = sqlite.sqlite3_hard_heap_limit64
limit.argtypes, limit.restype = [ctypes.c_int64], ctypes.c_int64
seen = {}

def index(more):
    db = host.connect()
    count = lambda: db.execute("SELECT count(*) FROM stacchip_index(?)", sys.argv[1:]).fetchone()[0]
    limit(sqlite.sqlite3_memory_used() + more)
    try:
        seen[count()] = more
    except Exception as e:
        if "memory" not in str(e) and not isinstance(e, MemoryError):
            seen[str(e)] = more
    limit(0)
    if count() != 30:
        seen["afterwards"] = more
    db.close()

for more in range(20000, 2400000, 70000):  # in threads, since PROJ's memory is a thread's
    t = threading.Thread(target=index, args=(more,))
    t.start()
    t.join()
print(seen.keys())
"""


class Memory(unittest.TestCase):
    def test_a_heap_limit_is_told_as_such_and_leaves_nothing_behind(self):
        env = dict(os.environ, PYTHONPATH=os.path.join(host.ROOT, "tests", "support"))
        item = os.path.join(host.ROOT, "build", "scenes", "sentinel-2", "item.json")
        r = subprocess.run([sys.executable, "-c", HEAP, item], capture_output=True, text=True, env=env, timeout=120)
        self.assertEqual("dict_keys([30])\n", r.stdout, r.stderr)


def version_1(chips, base):
    """A block as schema version 2 had it. chips: {bit: box}, rowids from 1 on, all clouds and nodatas 0."""
    mask, boxes = 0, b""
    for bit in sorted(chips):
        mask |= 1 << bit
        low, span = (base[0], base[0], base[2], base[2]), (base[1] - base[0],) * 2 + (base[3] - base[2],) * 2
        for k, v in enumerate(chips[bit]):
            step = (v - low[k]) / span[k] * 65535
            step = int(step) if k % 2 == 0 else -int(-step)
            boxes += struct.pack("<H", min(65535, max(0, step + (k % 2))))
    return (struct.pack("<BBH4fQq", 1, 6, 0, *base, mask, 1) + struct.pack("<ff", 0, 0) + boxes)


class OlderBlocks(unittest.TestCase):
    def make(self, drift):
        db = make()
        db.execute("BEGIN")
        db.executemany(INSERT, grid("I", 10, 20, 8))
        db.execute("COMMIT")
        boxes = {8 * y + x: (x0 - drift, x1 + drift, y0 - drift, y1 + drift)
                 for _, x, y, x0, y0, x1, y1 in grid("I", 10, 20, 8)}
        f = lambda v, up: struct.unpack("<f", struct.pack("<f", v + (1e-6 if up else -1e-6)))[0]
        base = (f(10 - drift, 0), f(10.8 + drift, 1), f(20 - drift, 0), f(20.8 + drift, 1))
        db.execute("UPDATE c_block SET chips = ?", (version_1(boxes, base),))
        db.execute("UPDATE c_area SET min_lon = ?, max_lon = ?, min_lat = ?, max_lat = ?", base)
        db.execute("UPDATE c_config SET value = 2 WHERE key = 'version'")
        return db

    def test_answers_are_right_and_rebuild_mends_the_boxes(self):
        db = self.make(.003)
        Boxes.all_same(self, db)
        with self.assertRaisesRegex(sqlite3.DatabaseError, "the box of chip 1 in its block is not its geometry's"):
            check(db)
        db.execute("INSERT INTO c(c) VALUES ('rebuild')")
        check(db)
        Boxes.all_same(self, db)
        self.assertEqual([2], column(db, "SELECT DISTINCT unicode(substr(CAST(chips AS TEXT), 1, 1)) FROM c_block"))

    def test_a_block_that_changes_is_written_anew_from_the_geometries(self):
        db = self.make(.003)
        db.execute("DELETE FROM c WHERE chip_index_x = 3 AND chip_index_y = 3")
        check(db)
        Boxes.all_same(self, db)

    def test_blocks_that_did_not_drift_pass(self):
        db = self.make(0)
        check(db)
        Boxes.all_same(self, db)

    same = Boxes.same


class LostItems(unittest.TestCase):
    def test_a_chip_whose_item_is_missing_is_told_whatever_its_number(self):
        for lost in (-1, 0, 7, -2 ** 63, 2 ** 63 - 1):
            db = make()
            db.executemany(INSERT, grid("I", 10, 20, 2))
            db.execute("UPDATE c_chip SET item_id = ? WHERE chip_index_x = 0 AND chip_index_y = 0", (lost,))
            for command in ("rebuild", "integrity-check"):
                with self.assertRaisesRegex(sqlite3.DatabaseError, "item %d" % lost):
                    db.execute("INSERT INTO c(c) VALUES (?)", (command,))


class Edges(unittest.TestCase):
    def test_a_word_that_is_no_edge_is_not_taken_for_one(self):
        """For some readers it was "pad", for others "drop"."""
        db = make()
        db.executemany(INSERT, grid("I", 10, 20, 2))
        self.assertEqual([0, 256], column(db, "SELECT DISTINCT col_off FROM c ORDER BY 1"))
        db.execute("UPDATE c_item SET edge = 'cut'")
        self.assertEqual([None], column(db, "SELECT DISTINCT col_off FROM c"))
        self.assertEqual([4], column(db, "SELECT count(*) FROM c WHERE item = 'I'"))
        with self.assertRaisesRegex(sqlite3.Error, "c_item, row 1: edge: 'cut' is not one of drop, pad, shift"):
            db.execute("SELECT stacchip_chip_info(row) FROM c").fetchone()
        check(db)


if __name__ == "__main__":
    host.main()
