"""The merged index: identity, transactions, queries, commands, life cycle."""
import json
import os
import random
import sqlite3
import subprocess
import tempfile
import unittest

import host
from merge_rows import belt, check, fill_source, item_rows, polygon


def make(path=":memory:", items=12, side=10):
    db = host.connect(path)
    db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)")
    fill_source(db, items, side)
    db.execute("INSERT INTO chips SELECT * FROM src")
    return db


def one(db, sql, *values):
    return db.execute(sql, values).fetchone()[0]


def content(db):
    """Everything that belongs to the merged index, to compare before and after."""
    return [db.execute(f"SELECT * FROM {t} ORDER BY 1").fetchall()
            for t in ("chips_chip", "chips_item", "idx_chips_chip_geometry_rowid")] + [
            db.execute("SELECT item, chip_index_x, chip_index_y FROM chips ORDER BY 1, 2, 3").fetchall()]


class Rows(unittest.TestCase):
    def test_rows_come_back_as_they_went_in(self):
        db = make()
        order = "ORDER BY item, chip_index_y, chip_index_x"
        got = db.execute(f"SELECT * FROM chips {order}").fetchall()
        want = [("%s-%d-%d" % (r[2], r[4], r[5]),) + r[1:] for r in db.execute(f"SELECT * FROM src {order}")]
        self.assertEqual(want, got)
        check(db)

    def test_rows_of_more_blocks_than_are_kept_in_memory(self):
        db = make(items=0)
        n = 25000  # SC_BLOCK_CACHE_MAX is 24576; each row is a block of its own
        db.create_function("polygon", 2, polygon)
        db.execute("WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < ? - 1)"
                   " INSERT INTO chips(item, chip_index_x, chip_index_y, geometry)"
                   " SELECT 'A', 8 * (i % 200), 8 * (i / 200), polygon(i % 200 * .5, i / 200 * .5) FROM c", (n,))
        wrong = db.execute("SELECT count(*) FROM chips WHERE abs(MbrMinX(geometry) - chip_index_x / 16.0) > 1e-9"
                           " OR abs(MbrMinY(geometry) - chip_index_y / 16.0) > 1e-9 OR geometry IS NULL"
                           " OR MbrMinX(geometry) IS NULL").fetchone()[0]
        self.assertEqual(0, wrong)
        check(db)

    def test_identity_is_item_and_position(self):
        db = make()
        row = next(item_rows(0))
        marks = ",".join("?" * 9)
        with self.assertRaisesRegex(sqlite3.IntegrityError, "is there already"):
            db.execute(f"INSERT INTO chips VALUES({marks})", row)
        db.execute(f"INSERT INTO chips VALUES({marks})", row[:1] + ("other",) + row[2:])  # another platform
        db.execute(f"INSERT INTO chips(platform,item,date,chip_index_x,chip_index_y,geometry,collection) VALUES(?,?,?,?,?,?,'c')",
                   row[1:6] + (row[8],))
        self.assertEqual(1202, one(db, "SELECT count(*) FROM chips"))
        check(db)

    def test_or_ignore_and_or_replace_act_per_chip(self):
        db = make()
        before = content(db)
        changes = db.execute("INSERT OR IGNORE INTO chips SELECT * FROM src").rowcount
        self.assertEqual(0, changes)
        self.assertEqual(before, content(db))
        db.execute("UPDATE src SET cloud_cover_percentage = 0.25, geometry = ? WHERE item = 'I3' AND chip_index_x = 4 AND chip_index_y = 5",
                   (polygon(100, 50),))
        rowid = one(db, "SELECT rowid FROM chips WHERE chipid = 'I3-4-5'")
        db.execute("INSERT OR REPLACE INTO chips SELECT * FROM src WHERE item = 'I3'")
        self.assertEqual((rowid, 0.25), db.execute("SELECT rowid, cloud_cover_percentage FROM chips WHERE chipid = 'I3-4-5'").fetchone())
        self.assertEqual("I3-4-5", one(db, "SELECT chipid FROM chips WHERE ST_Intersects(geometry, BuildMbr(99, 49, 101, 51, 4326))"))
        self.assertEqual(1200, one(db, "SELECT count(*) FROM chips"))
        check(db)

    def test_bad_rows_say_what_is_wrong(self):
        db = make(items=1)
        good = dict(item="X", chip_index_x=0, chip_index_y=0, cloud_cover_percentage=0.5,
                    nodata_percentage=0, geometry=polygon(1, 1), date="2024-01-01")
        cases = [({"item": None}, "item is NULL"), ({"item": ""}, "item is empty"),
                 ({"chip_index_x": -1}, "chip_index_x: expected an integer"),
                 ({"chip_index_y": "a"}, "chip_index_y: expected an integer"),
                 ({"chip_index_y": 1 << 40}, "chip_index_y: expected an integer"),
                 ({"cloud_cover_percentage": 12}, r"fraction 0..1, found 12 \(per cent"),
                 ({"nodata_percentage": "x"}, "fraction 0..1, found x"),
                 ({"date": "2024-13-01"}, "expected YYYY-MM-DD, found 2024-13-01"),
                 ({"geometry": None}, "expected a SpatiaLite BLOB"),
                 ({"geometry": b"abc"}, "not a SpatiaLite geometry"),
                 ({"geometry": polygon(1, 1).replace(b"\xe6\x10\0\0", b"\x11\x0f\0\0")}, "ST_Transform")]
        before = content(db)
        for change, text in cases:
            row = {**good, **change}
            with self.subTest(change), self.assertRaisesRegex(sqlite3.OperationalError, text):
                db.execute("INSERT INTO chips(%s) VALUES(%s)" % (",".join(row), ",".join("?" * len(row))), list(row.values()))
        self.assertEqual(before, content(db))
        with self.assertRaisesRegex(sqlite3.OperationalError, "INSERT OR REPLACE"):
            db.execute("UPDATE chips SET date = '2020-01-01'")
        with self.assertRaisesRegex(sqlite3.OperationalError, "rowids are given"):
            db.execute("INSERT INTO chips(rowid, item) VALUES(5, 'a')")

    def test_unknown_fractions_are_null(self):
        db = make(items=1)
        db.execute("INSERT INTO chips(item,chip_index_x,chip_index_y,geometry) VALUES('N',3,4,?)", (polygon(5, 5),))
        self.assertEqual([("N-3-4", "none", None, None, None)],
                         db.execute("SELECT chipid, platform, date, cloud_cover_percentage, nodata_percentage FROM chips WHERE item='N'").fetchall())
        self.assertEqual(0, one(db, "SELECT count(*) FROM chips WHERE item='N' AND cloud_cover_percentage <= 1"))
        self.assertEqual(0, one(db, "SELECT count(*) FROM chips WHERE item='N' AND date > ''"))
        self.assertEqual(1, one(db, "SELECT count(*) FROM chips WHERE item='N' AND cloud_cover_percentage IS NULL"))
        check(db)


class Queries(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.db = make(items=60)
        cls.db.execute("INSERT INTO chips(item,platform,date,chip_index_x,chip_index_y,cloud_cover_percentage,geometry) VALUES('Z','s2','2024-05-05',0,0,0.1,?)", (belt(10.0),))
        cls.db.execute("CREATE TEMP TABLE copy AS SELECT *, rowid AS id, collection, datetime FROM chips")

    def both(self, where, *values):
        """The same rows by the merged index and by a plain copy."""
        plain = self.db.execute(f"SELECT chipid FROM copy WHERE {where.replace('rowid', 'id')} ORDER BY 1", values).fetchall()
        ours = self.db.execute(f"SELECT chipid FROM chips WHERE {where} ORDER BY 1", values).fetchall()
        self.assertEqual(plain, ours, where)
        return len(ours)

    def plan(self, sql):
        return " ".join(r[3] for r in self.db.execute("EXPLAIN QUERY PLAN " + sql))

    def test_every_condition_gives_what_a_plain_table_gives(self):
        area = "BuildMbr(-120, -20, 10, 30, 4326)"
        for where in ("rowid = 7", "rowid > 5990", "rowid BETWEEN 5 AND 9", "rowid < 3.5", "rowid = '12'", "rowid = 'x'", "rowid >= -1e300",
                      "chipid = 'I7-3-4'", "chipid = 'I7-03-4'", "chipid = 'I7'", "chipid IN ('I1-0-0', 'I2-9-9', 'nope')",
                      "item = 'I9'", "item IN ('I9', 'I10', NULL)", "item = NULL", "item > 'I5'", "item LIKE 'I1%'", "platform = 'l8'",
                      "platform = 'l8' AND date >= '2024-06-01'", "date = '2024-02-02'", "date BETWEEN '2024-03-01' AND '2024-05-31'",
                      "date > '2024-06'", "date < 2025", "date < x'00'", "date >= x'00'", "date IS NULL", "collection IS NULL",
                      "cloud_cover_percentage < 0.1", "cloud_cover_percentage >= 0.5 AND nodata_percentage = 0", "cloud_cover_percentage < '0.2'",
                      "cloud_cover_percentage < 'a'", "cloud_cover_percentage > 'a'", "nodata_percentage = 0.5",
                      "chip_index_x = 3 AND chip_index_y < 2", "chip_index_x > 7.5", "chip_index_x = '4'",
                      f"ST_Intersects(geometry, {area})", f"MbrIntersects(geometry, {area}) AND cloud_cover_percentage < 0.3",
                      f"ST_Within(geometry, {area})", f"Within(geometry, {area})", f"MbrWithin(geometry, {area})", f"ST_CoveredBy(geometry, {area})",
                      f"ST_Overlaps(geometry, {area})", f"ST_Touches(geometry, {area})", f"ST_Crosses(geometry, {area})", f"MbrOverlaps(geometry, {area})",
                      f"ST_EnvIntersects(geometry, {area})", f"ST_EnvelopesIntersects(geometry, {area})",
                      "ST_Contains(geometry, MakePoint(-149.49, -49.49, 4326))", "MbrContains(geometry, MakePoint(-149.49, -49.49, 4326))",
                      "Covers(geometry, MakePoint(-149.49, -49.49, 4326))", "MbrEqual(geometry, BuildMbr(-149.5, -49.5, -149.48, -49.48, 4326))",
                      "ST_Equals(geometry, BuildMbr(-149.5, -49.5, -149.48, -49.48, 4326))",
                      "MbrIntersects(geometry, BuildMbr(0, 10, 1, 11, 4326))", "ST_Intersects(geometry, BuildMbr(0, 10, 1, 11, 4326))",
                      "ST_Intersects(geometry, MakePoint(-179.99, 10.01, 4326))", "MbrTouches(geometry, BuildMbr(0, 0, 1, 10, 4326))",
                      f"ST_Intersects({area}, geometry)", f"NOT ST_Intersects(geometry, {area})", f"ST_Intersects(geometry, {area}) = 1",
                      f"ST_Disjoint(geometry, {area}) AND item = 'I3'", f"item = 'I2' OR ST_Intersects(geometry, {area})",
                      f"ST_Intersects(geometry, {area}) AND ST_Intersects(geometry, BuildMbr(-50, -50, 0, 50, 4326)) AND platform = 's2'",
                      "ST_Intersects(geometry, GeomFromText('POLYGON((-150 -50, 150 -50, 0 50, -150 -50))', 4326)) AND date > '2024-04-01'",
                      "ST_Intersects(geometry, GeomFromText('LINESTRING(-150 -49.9, 150 49.9)', 4326))"):
            with self.subTest(where):
                self.both(where)

    def test_random_boxes(self):
        rnd = random.Random(5)
        total = 0
        for _ in range(60):
            x, y, w = rnd.uniform(-180, 170), rnd.uniform(-60, 55), rnd.choice((0.05, 1, 20))
            total += self.both("ST_Intersects(geometry, BuildMbr(?, ?, ?, ?, 4326)) AND cloud_cover_percentage < ?", x, y, x + w, y + w, rnd.random())
        for k in range(0, 60, 7):  # boxes a few chips wide, round the corners of slanted chips
            x0, y0 = (k * 37 % 300) - 150 + .5, (k * 21 % 100) - 50 + .5
            for predicate in ("ST_Intersects", "ST_Within", "CoveredBy", "MbrIntersects", "Within"):
                for _ in range(20):
                    x, y, w = x0 + rnd.uniform(0, .2), y0 + rnd.uniform(0, .2), rnd.choice((.0005, .003, .03))
                    total += self.both(predicate + "(geometry, BuildMbr(?, ?, ?, ?, 4326))", x, y, x + w, y + w)
        k = 17
        self.both("MbrWithin(geometry, BuildMbr(?, ?, ?, ?, 4326))", (k * 37 % 300) - 150 + .5, (k * 21 % 100) - 50 + .5, 100, 50)
        self.assertGreater(total, 0)

    def test_boxes_that_touch_or_nearly_touch(self):
        hits = []
        for gap in (-1e-9, -1e-10, 0, 1e-12, 1e-10, 1e-9, 1e-8):
            for chip in ("I0-9-0", "I1-9-0"):  # upright, slanted
                x, y = self.db.execute("SELECT MbrMaxX(geometry), MbrMinY(geometry) FROM copy WHERE chipid = ?", (chip,)).fetchone()
                for y0, y1 in ((y + .001, y + .019), (y + .0039, y + .0041), (y - 1, y + 1)):
                    hits.append(self.both("ST_Intersects(geometry, BuildMbr(?, ?, ?, ?, 4326))", x + gap, y0, x + 1, y1))
        self.assertLess(0, hits.count(0))
        self.assertLess(hits.count(0), len(hits))

    def test_search_area_works_in_a_join(self):
        self.db.execute("CREATE TEMP TABLE areas AS SELECT 1 AS k, BuildMbr(-150, -50, -148, -48, 4326) AS g UNION ALL SELECT 2, BuildMbr(-60, -60, 20, 20, 4326)")
        by_area = self.db.execute("SELECT k, count(*) FROM areas, chips WHERE search_area = g GROUP BY k").fetchall()
        by_call = self.db.execute("SELECT k, count(*) FROM areas, chips WHERE ST_Intersects(geometry, g) GROUP BY k").fetchall()
        plain = self.db.execute("SELECT k, count(*) FROM areas, copy WHERE ST_Intersects(geometry, g) GROUP BY k").fetchall()
        self.assertEqual(plain, by_area)
        self.assertEqual(plain, by_call)
        self.assertIn("area:", self.plan("SELECT k, count(*) FROM areas, chips WHERE search_area = g GROUP BY k"))

    def test_plans_say_what_they_use(self):
        for where, words in (("rowid = 1", "rowid: rowid ="), ("chipid = 'a-1-2'", "chipid: chipid ="), ("item = 'a'", "item: item ="),
                             ("ST_Within(geometry, MakePoint(1, 1, 4326))", "area: geometry ST_Within"),
                             ("platform = 'a' AND date > '2024'", "items by platform and date: platform =, date >"),
                             ("date > '2024'", "items by date: date >"), ("cloud_cover_percentage < 0.1", "all items: cloud_cover_percentage <")):
            self.assertIn(words, self.plan(f"SELECT rowid FROM chips WHERE {where}"))
        self.assertIn("chip table", self.plan("SELECT geometry FROM chips"))

    def test_order_by_is_given_by_the_scan(self):
        for order in ("cloud_cover_percentage", "cloud_cover_percentage DESC", "nodata_percentage DESC", "date", "date DESC", "rowid"):
            for where in ("platform = 's2'", "platform = 's2' AND date BETWEEN '2024-03-01' AND '2024-06-01'", "1", "date >= '2024-02-01' AND date <= '2024-09-01'"):
                key = order.split()[0].replace("rowid", "id")
                for limit in ("LIMIT 7", "LIMIT 5 OFFSET 3", "LIMIT -1", "LIMIT 0", ""):
                    ours = self.db.execute(f"SELECT {order.split()[0]} FROM chips WHERE {where} ORDER BY {order} {limit}").fetchall()
                    plain = self.db.execute(f"SELECT {key} FROM copy WHERE {where} ORDER BY {order.replace('rowid', 'id')} {limit}").fetchall()
                    self.assertEqual(plain, ours, (order, where, limit))
        self.assertNotIn("B-TREE", self.plan("SELECT chipid FROM chips WHERE platform = 's2' AND date BETWEEN '2024-03-01' AND '2024-06-01' ORDER BY cloud_cover_percentage LIMIT 10"))

    def test_a_fraction_above_one_is_an_error(self):
        with self.assertRaisesRegex(sqlite3.OperationalError, "fraction 0..1, compared with 10; did you mean 0.1"):
            self.db.execute("SELECT * FROM chips WHERE cloud_cover_percentage < 10").fetchall()

    def test_other_srid_and_no_geometry_are_errors(self):
        for sql in ("ST_Intersects(geometry, BuildMbr(0, 0, 1, 1, 32632))", "search_area = BuildMbr(0, 0, 1, 1, 32632)"):
            with self.assertRaisesRegex(sqlite3.OperationalError, "ST_Transform"):
                self.db.execute(f"SELECT count(*) FROM chips WHERE {sql}").fetchall()
        with self.assertRaisesRegex(sqlite3.OperationalError, "expected a geometry"):
            self.db.execute("SELECT count(*) FROM chips WHERE ST_Intersects(geometry, 'POINT(1 1)')").fetchall()
        self.assertEqual(0, one(self.db, "SELECT count(*) FROM chips WHERE ST_Intersects(geometry, NULL)"))

    def test_handle_and_origin(self):
        row, rowid, col, off = self.db.execute("SELECT row, rowid, col_off, row_off FROM chips WHERE chipid = 'I7-3-4'").fetchone()
        self.assertEqual(["chips", rowid, "I7", 3, 4], json.loads(row))
        self.assertEqual((768, 1024), (col, off))


class Transactions(unittest.TestCase):
    def test_rollback_and_savepoints(self):
        db = make()
        before = content(db)
        db.execute("BEGIN")
        db.execute("DELETE FROM chips WHERE item = 'I3'")
        db.execute("SAVEPOINT a")
        fill_source(db, 3, first=100)
        db.execute("INSERT INTO chips SELECT * FROM src")
        self.assertEqual(1400, one(db, "SELECT count(*) FROM chips"))
        db.execute("SAVEPOINT b")
        db.execute("DELETE FROM chips WHERE platform = 's2'")
        db.execute("ROLLBACK TO b")
        self.assertEqual(1400, one(db, "SELECT count(*) FROM chips"))
        check(db)
        db.execute("ROLLBACK TO a")
        self.assertEqual(1100, one(db, "SELECT count(*) FROM chips"))
        check(db)
        db.execute("ROLLBACK")
        self.assertEqual(before, content(db))
        check(db)

    def test_a_failing_statement_leaves_nothing(self):
        db = make()
        before = content(db)
        fill_source(db, 4, first=50)
        db.execute("INSERT INTO src SELECT * FROM src WHERE rowid = 77")  # the last row collides
        for begin in ("", "BEGIN"):
            if begin:
                db.execute(begin)
            with self.assertRaises(sqlite3.IntegrityError):
                db.execute("INSERT INTO chips SELECT * FROM src")
            self.assertEqual(1200, one(db, "SELECT count(*) FROM chips"))
            check(db)
            if begin:
                db.execute("COMMIT")
            self.assertEqual(before, content(db))

    def test_a_full_database_inside_begin(self):
        db = make(items=6)
        fill_source(db, 4, first=50)
        before = content(db)
        page_count = one(db, "PRAGMA page_count")
        failures = 0
        for extra in range(0, 60, 2):
            db.execute("BEGIN")
            db.execute(f"PRAGMA max_page_count = {page_count + extra}")
            try:
                db.execute("INSERT INTO chips SELECT * FROM src")
                db.execute("ROLLBACK")
            except sqlite3.OperationalError:
                failures += 1
                self.end(db)
            db.execute("PRAGMA max_page_count = 1000000")
            self.assertEqual(before, content(db), extra)
            check(db)
        self.assertGreater(failures, 5)

    def end(self, db):
        """COMMIT what a failed statement left, which must be whole, or be refused."""
        if db.in_transaction:
            try:
                db.execute("COMMIT")
            except sqlite3.OperationalError as e:
                self.assertIn("rolled back", str(e))
                self.assertFalse(db.in_transaction)  # SQLite does so when a commit is refused

    def fail_at_each(self, db, statement, tables):
        """Let the n-th write to the tables fail, for every n (in growing steps), inside BEGIN and outside."""
        fuse = [0]

        def burn():
            fuse[0] -= 1
            return fuse[0] == 0
        db.create_function("fuse", 0, burn)
        for table in tables:
            for event in ("INSERT", "UPDATE", "DELETE"):
                db.execute(f"CREATE TRIGGER \"t_{table}_{event}\" BEFORE {event} ON {table} WHEN fuse() BEGIN SELECT RAISE(ABORT, 'boom'); END")
        before, failures = content(db), 0
        for begin in ("BEGIN", ""):
            n = 0
            while True:
                n += 1 if n < 25 else n // 6
                fuse[0] = n
                if begin:
                    db.execute(begin)
                try:
                    db.execute(*statement)
                    fuse[0] = 0
                    db.execute("ROLLBACK") if begin else None
                    break
                except sqlite3.Error as e:
                    self.assertRegex(str(e), "boom|constraint failed")
                    failures += 1
                    fuse[0] = 0
                    self.end(db)
                    self.assertEqual(before, content(db), (statement, begin, n))
                    check(db)
        return failures

    TABLES = ["chips_item", "chips_asset", "chips_chip", "chips_block", "chips_area_node", "chips_area_rowid", "idx_chips_chip_geometry_node",
              "idx_chips_chip_geometry_rowid"]

    def test_any_write_of_rows_can_fail(self):
        for sql in ("INSERT INTO chips SELECT * FROM src", "INSERT OR REPLACE INTO chips SELECT * FROM src", "DELETE FROM chips WHERE item IN ('I1', 'I3')",
                    "INSERT INTO chips SELECT * FROM src LIMIT 1"):
            db = make(items=6, side=5)
            fill_source(db, 4, 5, first=3 if "REPLACE" in sql else 50)
            self.assertGreater(self.fail_at_each(db, (sql,), self.TABLES), 4, sql)

    @host.needs_shared
    def test_any_write_of_an_item_can_fail(self):
        item = os.path.join(host.SHARED, "golden", "small_scenes", "s2_small", "item.json")
        for verb in ("INSERT", "INSERT OR REPLACE"):
            db = make(items=6, side=5)
            if "REPLACE" in verb:
                db.execute("INSERT INTO chips(item_json) VALUES(?)", (item,))
            n = self.fail_at_each(db, (f"{verb} INTO chips(item_json) VALUES(?)", (item,)), self.TABLES)
            self.assertGreater(n, 20, verb)

    def test_an_interrupted_insert_leaves_nothing(self):
        db = make(items=6)
        before = content(db)
        fill_source(db, 10, first=50)
        for n in (50, 500, 5000, 20000):
            calls = [0]

            def stop():
                calls[0] += 1
                return calls[0] > n // 50
            db.set_progress_handler(stop, 50)
            try:
                db.execute("INSERT INTO chips SELECT * FROM src")
                db.set_progress_handler(None, 0)
                db.execute("DELETE FROM chips WHERE item IN (SELECT item FROM src)")
            except sqlite3.OperationalError as e:
                self.assertIn("interrupt", str(e))
            db.set_progress_handler(None, 0)
            self.assertEqual(1 * 600, one(db, "SELECT count(*) FROM chips"))
            check(db)
        self.assertEqual(before[1], content(db)[1])

    def test_an_open_index_cursor_is_an_error_not_damage(self):
        db = make()
        cursor = db.execute("SELECT pkid FROM idx_chips_chip_geometry")
        cursor.fetchone()
        fill_source(db, 2, first=50)
        with self.assertRaisesRegex(sqlite3.OperationalError, "locked"):
            db.execute("INSERT INTO chips SELECT * FROM src")
        cursor.fetchall()
        db.execute("INSERT INTO chips SELECT * FROM src")
        check(db)

    def test_reading_while_writing(self):
        db = make()
        cursor = db.execute("SELECT item FROM chips WHERE ST_Intersects(geometry, BuildMbr(-180, -90, 180, 90, 4326))")
        cursor.fetchone()
        fill_source(db, 2, first=50)
        db.execute("INSERT INTO chips SELECT * FROM src")
        self.assertGreaterEqual(len(cursor.fetchall()), 1199)
        db.execute("INSERT OR REPLACE INTO chips SELECT chipid, platform, item || 'b', date, chip_index_x, chip_index_y, 0.5, 0.5, geometry FROM chips")
        self.assertEqual(2800, one(db, "SELECT count(*) FROM chips"))
        check(db)


@host.needs_shared
class Items(unittest.TestCase):
    def setUp(self):
        folder = os.path.join(host.SHARED, "golden", "small_scenes")
        self.items = [os.path.join(folder, n + "_small", "item.json") for n in ("s2", "landsat", "naip")]
        self.db = host.connect()
        self.db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)")

    def test_an_item_merges_as_it_is_indexed(self):
        for path in self.items:
            self.db.execute("INSERT INTO chips(item_json) VALUES(?)", (path,))
            names = "chipid, platform, item, date, chip_index_x, chip_index_y, cloud_cover_percentage, nodata_percentage, geometry, datetime, collection, grid, col_off, row_off"
            want = self.db.execute(f"SELECT {names} FROM stacchip_index(?, '{{\"max_nodata\":1}}') ORDER BY chip_index_y, chip_index_x", (path,)).fetchall()
            got = self.db.execute(f"SELECT {names} FROM chips WHERE item = ? ORDER BY chip_index_y, chip_index_x", (want[0][2],)).fetchall()
            self.assertEqual(want, got)
        check(self.db)
        text = one(self.db, "SELECT item_json FROM chips WHERE item LIKE 'S2%' LIMIT 1")
        self.assertTrue(all(a["href"].startswith("/") for a in json.loads(text)["assets"].values()))
        self.assertLess(10, one(self.db, "SELECT count(*) FROM chips_asset"))

    def test_identity_replace_and_ignore(self):
        insert = "INTO chips(item_json) VALUES(?)"
        self.db.execute("INSERT " + insert, self.items[:1])
        n = one(self.db, "SELECT count(*) FROM chips")
        with self.assertRaisesRegex(sqlite3.IntegrityError, "INSERT OR REPLACE"):
            self.db.execute("INSERT " + insert, self.items[:1])
        self.assertEqual(0, self.db.execute("INSERT OR IGNORE " + insert, self.items[:1]).rowcount)
        self.db.execute("INSERT OR REPLACE " + insert, self.items[:1])
        self.assertEqual((n, 1), self.db.execute("SELECT count(*), (SELECT count(*) FROM chips_item) FROM chips").fetchone())
        check(self.db)

    def test_on_error(self):
        bad = ["/nowhere/item.json", '{"type":"Feature","id":"x","assets":{}}', "not json"]
        for item in bad:
            with self.assertRaises(sqlite3.OperationalError):
                self.db.execute("INSERT INTO chips(item_json) VALUES(?)", (item,))
        self.assertEqual(0, one(self.db, "SELECT count(*) FROM chips_error"))
        self.db.execute("INSERT INTO chips(chips, rank) VALUES('on_error', 'record')")
        self.db.execute("INSERT INTO chips(item_json) SELECT value FROM json_each(?)", (json.dumps(bad + self.items),))
        self.assertEqual((3, 3), self.db.execute("SELECT (SELECT count(*) FROM chips_error), (SELECT count(*) FROM chips_item)").fetchone())
        self.assertIn("No such file", one(self.db, "SELECT reason FROM chips_error WHERE href = ?", bad[0]))

    def test_failures_say_whose_they_are(self):
        with open(self.items[0]) as f:
            item = json.load(f)
        folder = os.path.dirname(self.items[0])
        for asset in item["assets"].values():
            asset["href"] = os.path.join(folder, asset["href"])
        mask = next(k for k in item["assets"] if k.lower() == "scl")
        item["assets"][mask]["href"] = "/nowhere/SCL.tif"
        other = dict(item, id="other")
        with tempfile.TemporaryDirectory() as tmp:
            path = os.path.join(tmp, "item.json")
            with open(path, "w") as f:
                json.dump(dict(item, id="third"), f)
            bare = '{"type": "Feature", "id": "bare", "assets": {}}'
            given = [json.dumps(item), json.dumps(other), path, "/nowhere/item.json", bare, '{"id": ']
            want = [(item["id"], "/nowhere/SCL.tif", 1), ("other", "/nowhere/SCL.tif", 1), ("third", path, 0), (None, "/nowhere/item.json", 0), ("bare", None, 1), (None, None, 1)]
            self.db.execute("CREATE TABLE todo(item_json)")
            self.db.executemany("INSERT INTO todo VALUES (?)", [(g,) for g in given])
            rows = "SELECT item, href, item_json IS NOT NULL FROM chips_error"
            self.db.execute("INSERT INTO chips(chips, rank) VALUES('on_error', 'record')")
            for sql in ("INSERT INTO chips(item_json) SELECT item_json FROM todo", "SELECT stacchip_merge_items('chips', 'SELECT item_json FROM todo', '{\"threads\":1}')"):
                self.db.execute("DELETE FROM chips_error")
                self.db.execute(sql)
                self.assertEqual(sorted(map(str, want)), sorted(map(str, self.db.execute(rows).fetchall())))  # workers end in any order
                self.db.execute(sql)  # failures of the same items take the place of the first ones
                self.assertEqual(sorted(map(str, want + want[-1:])), sorted(map(str, self.db.execute(rows).fetchall())))
            self.assertIn("SCL.tif", one(self.db, "SELECT reason FROM chips_error WHERE item = 'other'"))

    def test_a_failure_is_forgotten_when_the_item_is_merged(self):
        with open(self.items[0]) as f:
            item = json.load(f)
        folder = os.path.dirname(self.items[0])
        for asset in item["assets"].values():
            asset["href"] = os.path.join(folder, asset["href"])
        mask = next(k for k in item["assets"] if k.lower() == "scl")
        broken = json.loads(json.dumps(dict(item, id="again")))
        broken["assets"][mask]["href"] = "/nowhere/SCL.tif"
        reasons = "SELECT count(*) FROM chips_error"
        self.db.execute("INSERT INTO chips(chips, rank) VALUES('on_error', 'record')")
        with tempfile.TemporaryDirectory() as tmp:
            path = os.path.join(tmp, "item.json")
            for merge in ("INSERT INTO chips(item_json) VALUES (?)", "SELECT stacchip_merge_items('chips', printf('SELECT %Q', ?))"):
                for given in (lambda x: json.dumps(x), lambda x: path):
                    self.db.execute("DELETE FROM chips")
                    for content, left in ((broken, 2), (dict(item, id="again"), 1)):
                        with open(path, "w") as f:
                            json.dump(content, f)
                        self.db.execute(merge, (given(content),))
                        if left == 2:  # somebody else's failure stays
                            self.db.execute("INSERT INTO chips(item_json) VALUES ('/nowhere/other.json')")
                        self.assertEqual(left, one(self.db, reasons), merge)
                    self.assertEqual(1, one(self.db, "SELECT count(*) FROM chips_item"))
                    # All or nothing: a rollback brings back the failure with the rest.
                    self.db.execute("DELETE FROM chips_error")
                    self.db.execute("DELETE FROM chips")
                    for content in (broken, dict(item, id="again")):
                        with open(path, "w") as f:
                            json.dump(content, f)
                        self.db.execute("SAVEPOINT a")
                        self.db.execute(merge, (given(content),))
                        if content is broken:
                            self.db.execute("RELEASE a")
                    self.assertEqual(0, one(self.db, reasons))
                    self.db.execute("ROLLBACK TO a")
                    self.db.execute("RELEASE a")
                    self.assertEqual(1, one(self.db, reasons))
                    check(self.db)
                    self.db.execute("DELETE FROM chips_error")

    def test_merge_items_names_the_first_failures(self):
        merge = "SELECT stacchip_merge_items('chips', 'SELECT value FROM json_each(''[\"/nowhere/%s.json\"]'')')"
        said = json.loads(one(self.db, merge % '.json\", \"/nowhere/'.join("abcde")))
        self.assertEqual((said["failed"], len(said["failures"])), (5, 3))
        for reason in said["failures"]:
            self.assertRegex(reason, "/nowhere/[a-e].json: ")
        self.assertEqual(5, one(self.db, "SELECT count(*) FROM chips_error"))

    def test_merge_items(self):
        self.db.execute("CREATE TABLE todo(item_json)")
        self.db.executemany("INSERT INTO todo VALUES(?)", [(p,) for p in self.items + ["/nowhere/item.json", None]])
        merge = "SELECT stacchip_merge_items('chips', 'SELECT item_json FROM todo', ?)"
        self.assertEqual({"merged": 3, "skipped": 1, "failed": 1}, host.counts(one(self.db, merge, '{"threads":2}')))
        self.assertEqual({"merged": 0, "skipped": 4, "failed": 1}, host.counts(one(self.db, merge, None)))
        self.assertEqual(1, one(self.db, "SELECT count(*) FROM chips_error"))
        with self.assertRaisesRegex(sqlite3.OperationalError, "No such file"):
            self.db.execute(merge, ('{"on_error":"abort"}',))
        for sql, text in (("SELECT stacchip_merge_items('nope', 'SELECT 1')", "no merged index"), ("SELECT stacchip_merge_items('chips', 'DELETE FROM todo')", "is a query"),
                          ("SELECT stacchip_merge_items('chips', 'SELECT 1', '{\"a\":1}')", "unknown option"), ("SELECT stacchip_merge_items('todo', 'SELECT 1')", "not a stacchip_merge table"),
                          ("SELECT stacchip_merge_items('chips', NULL)", "query is NULL")):
            with self.assertRaisesRegex(sqlite3.OperationalError, text):
                self.db.execute(sql)
        self.db.execute("BEGIN")
        self.db.execute("DELETE FROM chips WHERE item LIKE 'S2%'")
        self.assertEqual(1, json.loads(one(self.db, merge, None))["merged"])
        self.db.execute("ROLLBACK")
        check(self.db)

    def test_merge_items_commits_each_item_and_can_be_interrupted(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "i.db")
            db = host.connect(path)
            db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)")
            other = host.connect(path)
            seen = []
            db.create_function("look", 1, lambda item: (seen.append(one(other, "SELECT count(*) FROM chips_item")), item)[1])
            db.execute("CREATE TEMP TABLE todo AS SELECT value AS item_json FROM json_each(?)", (json.dumps(self.items),))
            db.execute("SELECT stacchip_merge_items('chips', 'SELECT look(item_json) FROM todo', '{\"threads\":1}')").fetchall()
            self.assertEqual([0, 0], seen[:2])
            self.assertGreater(seen[2], 0)  # the first item is there for others before the third is read
            db.execute("DELETE FROM chips")
            db.create_function("stop", 1, lambda item: (db.interrupt() if item == self.items[2] else None, item)[1])
            with self.assertRaisesRegex(sqlite3.OperationalError, "interrupt"):
                db.execute("SELECT stacchip_merge_items('chips', 'SELECT stop(item_json) FROM todo', '{\"threads\":1}')").fetchall()
            self.assertLess(one(db, "SELECT count(*) FROM chips_item"), 3)
            db.execute("SELECT stacchip_merge_items('chips', 'SELECT item_json FROM todo')")
            self.assertEqual(3, one(db, "SELECT count(*) FROM chips_item"))
            check(db)


class Deletes(unittest.TestCase):
    def test_any_condition(self):
        db = make(items=40)
        db.execute("CREATE TEMP TABLE copy AS SELECT *, rowid AS id FROM chips")
        for where in ("item = 'I5'", "cloud_cover_percentage > 0.9", "chip_index_x % 3 = 1", "ST_Intersects(geometry, BuildMbr(-100, -50, -50, 50, 4326))",
                      "date < '2024-03-01'", "platform LIKE 'l%'", "rowid % 7 = 0"):
            db.execute(f"DELETE FROM chips WHERE {where}")
            db.execute(f"DELETE FROM copy WHERE {where.replace('rowid', 'id')}")
            self.assertEqual(db.execute("SELECT id, chipid FROM copy ORDER BY id").fetchall(),
                             db.execute("SELECT rowid, chipid FROM chips ORDER BY rowid").fetchall(), where)
            self.assertEqual(one(db, "SELECT count(DISTINCT item) FROM copy"), one(db, "SELECT count(*) FROM chips_item"))
            check(db)
        db.execute("DELETE FROM chips")
        self.assertEqual(0, one(db, "SELECT count(*) FROM chips"))
        check(db)
        db.execute("INSERT INTO chips SELECT * FROM src")
        self.assertEqual(4000, one(db, "SELECT count(*) FROM chips"))
        check(db)

    def test_many_small_changes_keep_the_trees_right(self):
        db = make(items=8)
        rnd = random.Random(3)
        there = set(range(8))
        for step in range(60):
            k = rnd.randrange(60)
            if k in there:
                db.execute("DELETE FROM chips WHERE item = ?", (f"I{k}",))
                there.discard(k)
            else:
                db.executemany("INSERT INTO chips VALUES(?,?,?,?,?,?,?,?,?)", list(item_rows(k, 5)))
                there.add(k)
        self.assertEqual(len(there), one(db, "SELECT count(DISTINCT item) FROM chips"))
        check(db)
        self.assertEqual(1, one(db, "SELECT CheckSpatialIndex('chips_chip', 'geometry')"))


class LifeCycle(unittest.TestCase):
    def test_reopen_rename_drop(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.db")
            make(path).close()
            db = host.connect(path)
            before = db.execute("SELECT * FROM chips ORDER BY rowid").fetchall()
            db.execute("ALTER TABLE chips RENAME TO \"Other Chips\"")
            self.assertEqual(before, db.execute('SELECT * FROM "Other Chips" ORDER BY rowid').fetchall())
            db.execute('INSERT INTO "Other Chips"("Other Chips") VALUES(\'integrity-check\')')
            self.assertEqual([("other chips_chip",)], db.execute("SELECT f_table_name FROM geometry_columns").fetchall())
            self.assertEqual([("other chips_layer",)], db.execute("SELECT view_name FROM views_geometry_columns").fetchall())
            db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)")
            fill_source(db, 1)
            db.execute("INSERT INTO chips SELECT * FROM src")
            db.execute('DROP TABLE "Other Chips"')
            db.execute("DROP TABLE chips")
            self.assertEqual([], db.execute("SELECT name FROM sqlite_master WHERE name LIKE '%chip%'").fetchall())
            for t in ("geometry_columns", "geometry_columns_auth", "geometry_columns_statistics", "geometry_columns_time",
                      "geometry_columns_field_infos", "views_geometry_columns", "views_geometry_columns_auth"):
                self.assertEqual(0, one(db, f"SELECT count(*) FROM {t}"), t)
            self.assertEqual("ok", one(db, "PRAGMA integrity_check"))

    def test_an_older_schema_is_read_and_brought_forward_by_the_first_write(self):
        version = "SELECT value FROM chips_config WHERE key = 'version'"
        read_only = "SELECT read_only FROM geometry_columns_auth WHERE f_table_name = 'chips_chip'"
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.db")
            db = make(path)
            newest, before = one(db, version), content(db)
            self.assertEqual(1, one(db, read_only))
            db.execute("UPDATE chips_config SET value = 1 WHERE key = 'version'")
            db.execute("UPDATE geometry_columns_auth SET read_only = 0")
            db.commit()
            db.close()
            db = host.connect(path)
            db.execute("PRAGMA query_only = 1")
            self.assertEqual(before, content(db))
            db.close()
            db = host.connect(path)
            db.execute("BEGIN")
            db.execute("DELETE FROM chips WHERE chip_index_x = 0")
            self.assertEqual((newest, 1), (one(db, version), one(db, read_only)))
            db.execute("ROLLBACK")
            self.assertEqual((1, 0), (one(db, version), one(db, read_only)))
            db.execute("DELETE FROM chips WHERE chip_index_x = 0")
            self.assertEqual((newest, 1), (one(db, version), one(db, read_only)))
            check(db)
            db.execute("UPDATE chips_config SET value = ? WHERE key = 'version'", (newest + 1,))
            db.commit()
            db.close()
            db = host.connect(path)
            with self.assertRaisesRegex(sqlite3.OperationalError, "use a newer stacchip"):
                db.execute("SELECT * FROM chips")

    def test_a_failing_drop_or_rename_leaves_the_table_in_use(self):
        db = make(items=3)
        before = content(db)
        denied = []

        def deny(action, first, second, schema, trigger):
            bad = first == "chips_error" if action == sqlite3.SQLITE_DROP_TABLE else action == sqlite3.SQLITE_ALTER_TABLE and second == "chips_error"
            denied.extend([action] * bad)
            return sqlite3.SQLITE_DENY if bad else sqlite3.SQLITE_OK
        for sql in ("DROP TABLE chips", "ALTER TABLE chips RENAME TO other"):
            db.set_authorizer(deny)
            with self.assertRaises(sqlite3.DatabaseError):
                db.execute(sql)
            db.set_authorizer(None)
            self.assertEqual(before, content(db))
            db.execute("BEGIN")
            fill_source(db, 2, first=50)
            db.execute("INSERT INTO chips SELECT * FROM src")
            check(db)
            db.execute("ROLLBACK")
        self.assertEqual(2, len(denied))

    def test_create_can_be_rolled_back(self):
        db = host.connect()
        db.execute("BEGIN")
        db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge()")
        fill_source(db, 2)
        db.execute("INSERT INTO chips SELECT * FROM src")
        db.execute("ROLLBACK")
        self.assertEqual([], db.execute("SELECT name FROM sqlite_master").fetchall())
        db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge()")
        self.assertEqual(0, one(db, "SELECT count(*) FROM chips"))

    def test_bad_arguments(self):
        for arguments, text in (("chip_size", "expected key=value"), ("chip_sice=3", "chip_size"), ("chip_size=0", "chip_size"),
                                ("on_error=maybe", "is not one of abort, record"), ("headers=x", "is not one of eager, lazy, none"), ("max_nodata=2", "max_nodata")):
            db = host.connect()
            with self.subTest(arguments), self.assertRaisesRegex(sqlite3.OperationalError, text):
                db.execute(f"CREATE VIRTUAL TABLE chips USING stacchip_merge({arguments})")
            self.assertEqual([], db.execute("SELECT name FROM sqlite_master WHERE name LIKE 'chips%'").fetchall())
        db = host.connect()
        for name, text in (("item", "choose another table name"), ("\"a'b\"", "quote"), ("temp.x", "main")):
            with self.assertRaisesRegex(sqlite3.OperationalError, text):
                db.execute(f"CREATE VIRTUAL TABLE {name} USING stacchip_merge()")

    def test_several_in_one_database_and_attached(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.db")
            db = make(path)
            db.execute("CREATE VIRTUAL TABLE b USING stacchip_merge(chip_size=100)")
            db.execute("INSERT INTO b SELECT * FROM chips WHERE item = 'I3'")
            self.assertEqual((100, 1200), (one(db, "SELECT count(*) FROM b"), one(db, "SELECT count(*) FROM chips")))
            self.assertEqual([100], json.loads("[%d]" % one(db, "SELECT col_off FROM b WHERE chip_index_x = 1 LIMIT 1")))
            check(db), check(db, "b")
            db.close()
            db = host.connect()
            db.execute("ATTACH ? AS other", (path,))
            self.assertEqual(1200, one(db, "SELECT count(*) FROM other.chips"))
            self.assertEqual("other", json.loads(one(db, "SELECT row FROM other.chips LIMIT 1"))[5])
            self.assertLess(0, one(db, "SELECT count(*) FROM other.chips WHERE ST_Intersects(geometry, BuildMbr(-150, -50, -100, 50, 4326))"))

    def test_vacuum_dump_and_restore(self):
        with tempfile.TemporaryDirectory() as folder:
            path, copy = os.path.join(folder, "a.db"), os.path.join(folder, "b.db")
            db = make(path)
            db.execute("DELETE FROM chips WHERE item = 'I2'")
            db.execute("VACUUM")
            check(db)
            want = db.execute("SELECT * FROM chips ORDER BY rowid").fetchall()
            db.close()
            dump = subprocess.run(["sqlite3", path, ".dump"], capture_output=True, check=True).stdout
            load = f".load {host.EXT}\n".encode()
            done = subprocess.run(["sqlite3", copy], input=load + dump, capture_output=True, env={**os.environ, "LD_PRELOAD": os.environ.get("LD_PRELOAD", "")})
            db = host.connect(copy)
            self.assertEqual(want, db.execute("SELECT * FROM chips ORDER BY rowid").fetchall(), done.stderr[:500])
            check(db)

    def test_untrusted_schema_and_defensive_mode(self):
        db = make(items=3)
        db.execute("PRAGMA trusted_schema = OFF")
        self.assertEqual(300, one(db, "SELECT count(*) FROM chips"))
        self.assertEqual(300, one(db, "SELECT count(*) FROM chips_layer"))
        script = (f".load {host.EXT}\n.dbconfig defensive on\nCREATE VIRTUAL TABLE c USING stacchip_merge();\n"
                  "INSERT INTO c(item,chip_index_x,chip_index_y,geometry) SELECT 'a', value % 40, value / 40, BuildMbr(1, 1, 2, 2, 4326) FROM generate_series(0, 1599);\n"
                  "DELETE FROM c WHERE chip_index_x = 3;\nINSERT INTO c(c) VALUES('integrity-check');\nSELECT count(*) FROM c;\nDELETE FROM c_chip;\n")
        done = subprocess.run(["sqlite3", ":memory:"], input=script, capture_output=True, text=True)
        self.assertIn("1560", done.stdout)
        self.assertIn("may not be modified", done.stderr)

    def test_commands(self):
        db = make()
        for command in ("integrity-check", "rebuild", "optimize"):
            db.execute("INSERT INTO chips(chips) VALUES(?)", (command,))
            check(db)
        with self.assertRaisesRegex(sqlite3.OperationalError, "unknown command 'what'"):
            db.execute("INSERT INTO chips(chips) VALUES('what')")
        with self.assertRaisesRegex(sqlite3.OperationalError, "is not one of abort, record"):
            db.execute("INSERT INTO chips(chips, rank) VALUES('on_error', 'x')")
        for damage in ("DELETE FROM chips_chip WHERE id = 5", "UPDATE chips_chip SET cloud = 0.5 WHERE id = 5", "DELETE FROM idx_chips_chip_geometry WHERE pkid = 9",
                       "DELETE FROM chips_area WHERE id = (SELECT min(id) FROM chips_area)", "DELETE FROM chips_item WHERE id = 2",
                       "DELETE FROM chips_block WHERE id = 3", "UPDATE chips_block SET chips = x'00' WHERE id = 3", "UPDATE chips_chip SET geometry = BuildMbr(1,1,2,2,4326) WHERE id = 7"):
            db.execute("SAVEPOINT s")
            db.execute(damage)
            with self.subTest(damage), self.assertRaises(sqlite3.DatabaseError):
                db.execute("INSERT INTO chips(chips) VALUES('integrity-check')")
            if "item" not in damage and "DELETE FROM chips_chip" not in damage:
                db.execute("INSERT INTO chips(chips) VALUES('rebuild')") if "geometry" not in damage or "idx" in damage else None
            db.execute("ROLLBACK TO s")
            db.execute("RELEASE s")
        check(db)


if __name__ == "__main__":
    host.main()
