"""Every statement gives the rows of a plain table with the same rows: random statements, a fixed seed.

QUERIES=n SEED=s runs n statements of another seed (make check-queries).
"""
import itertools
import os
import random
import re
import sqlite3
import struct
import tempfile
import unittest

import host
import random_queries
from merge_rows import belt, polygon

N = int(os.environ.get("QUERIES", "2000"))
SEED = os.environ.get("SEED", "1")
COLUMNS = ("chipid", "platform", "item", "date", "chip_index_x", "chip_index_y", "cloud_cover_percentage", "nodata_percentage", "geometry")
HIDDEN = ("datetime", "collection", "grid", "row")
TYPES = dict.fromkeys(COLUMNS + HIDDEN, "TEXT")
TYPES.update(chip_index_x="INTEGER", chip_index_y="INTEGER", cloud_cover_percentage="REAL", nodata_percentage="REAL", geometry="BLOB")
ITEMS = ("A", "I1", "I2", "i1", "7", "007", "I1-2", "\u00c9t\u00e9", "a_b%", "x 1")


def float32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def chips():
    """(platform, item, date, x, y, cloud, nodata, geometry, datetime, collection) of ten items."""
    rnd = random.Random(4)
    for k, item in enumerate(ITEMS):
        platform = ("s2", "s2", "l8", "7")[k % 4]
        date = None if k == 8 else "2024-01-%02d" % (k % 5 + 1)
        instant = None if k in (3, 8) else "2024-01-%02dT1%d:06:36Z" % (k % 5 + 1, k)
        for y, x in itertools.product(range(4 + k % 3 * 3), range(5)):
            cloud, nodata = float32(rnd.random()), rnd.choice((0.0, 0.5, float32(rnd.random())))
            g = belt(y * .1, .1, .1) if k == 9 else polygon(k // 3 * 5 + x * .1, y * .1, .1, .1, .02 if k == 6 else 0)
            yield (platform, item, date, x, y, None if k == 4 and x == 1 else cloud, None if rnd.random() < .05 else nodata, g,
                   instant, ("c", None, "d")[k % 3])


class Table:
    """A table under test: what stands for {c}, the plain table beside it, a maker of statements for both."""

    def __init__(self, db, source, name, columns, seed, **options):
        self.db, self.source, self.name, self.n_run = db, source, name, 0
        types = ", ".join('%s %s' % (c, TYPES[c]) for c in columns)
        db.execute("CREATE TABLE %s(id INTEGER PRIMARY KEY, %s)" % (name, types))
        db.execute("INSERT INTO %s SELECT a.rowid, %s FROM %s a" % (name, ", ".join("a." + c for c in columns), source))
        db.execute("CREATE TABLE %s_indexed(id INTEGER PRIMARY KEY, %s)" % (name, types))
        db.execute("INSERT INTO %s_indexed SELECT * FROM %s" % (name, name))
        for c in columns[:-1]:
            db.execute("CREATE INDEX %s_%s ON %s_indexed(%s)" % (name, c, name, c))
        values = {c: sorted({r[0] for r in db.execute("SELECT %s FROM %s" % (c, name))}, key=lambda v: (v is None, str(v)))
                  for c in columns + ("rowid",) if c != "geometry"}
        self.maker = random_queries.Maker(random.Random("%s %s" % (seed, name)), columns + ("rowid",), values.__getitem__,
                                          sqlite3.sqlite_version_info, **options)

    def rows(self, text, in_order):
        """Rows, or the message of the failure."""
        try:
            if not text.startswith("DELETE"):
                got = self.db.execute(text).fetchall()
                return got if in_order else sorted(got, key=repr)
            self.db.execute("BEGIN")
            try:
                self.db.execute(text)
                return self.db.execute("SELECT chipid FROM %s ORDER BY 1" % text.split()[2]).fetchall()
            finally:
                self.db.execute("ROLLBACK")
        except sqlite3.Error as e:
            return str(e)

    @staticmethod
    def may_refuse(text, message):
        """search_area in places where it is none; date = datetime = '...Z', of which SQLite makes date = '...Z'; RIGHT JOIN forgets the arguments of a table-valued function."""
        return ("search_area" in text and "search_area" in message or
                "datetime" in text and message.startswith("date is a day") or
                re.search("(RIGHT|FULL) JOIN stacchip_", text) and re.search("needs an? (path|item)", message))

    def check(self):
        """The difference in words, or None."""
        text, in_order = self.maker.statement()
        ours, plain = random_queries.ours(text, self.source), random_queries.plain(text, self.name)
        want = self.rows(plain, in_order)
        if isinstance(want, str) or text.startswith("SELECT DISTINCT") and len(set(want)) < len(want):
            # no statement that SQLite takes, or a fault of its own: 3.40 keeps rows twice where a text column equals a number
            return None
        self.n_run += 1
        got = self.rows(ours, in_order)
        if got == want or isinstance(got, str) and self.may_refuse(ours, got):
            return None
        if want != self.rows(random_queries.plain(text, self.name + "_indexed"), in_order):
            return None  # a fault of this SQLite's own: 3.40 has some in FULL JOIN
        short = lambda r: r if isinstance(r, str) else "%d rows %s" % (len(r), r[:6])
        return "%s\n    expected  %s\n    got       %s" % (ours, short(want), short(got))


class Queries(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.db = host.connect()
        cls.folder = tempfile.TemporaryDirectory()
        cls.db.executescript(random_queries.HELPERS)
        cls.db.execute("CREATE VIRTUAL TABLE c USING stacchip_merge(max_nodata=1)")
        cls.db.executemany("INSERT INTO c(platform, item, date, chip_index_x, chip_index_y, cloud_cover_percentage, nodata_percentage,"
                           " geometry, datetime, collection) VALUES(?,?,?,?,?,?,?,?,?,?)", list(chips()))

    @classmethod
    def tearDownClass(cls):
        cls.db.close()
        cls.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def run_statements(self, table, share):
        n = max(1, int(N * share))
        wrong = [w for w in (table.check() for _ in range(n)) if w]
        self.assertGreater(table.n_run, n * .9, "statements that SQLite takes")
        if wrong:
            self.fail("seed %s, table %s: %d differ\n%s" % (SEED, table.name, len(wrong), "\n".join(wrong[:20])))

    def test_the_plain_table_holds_what_went_in(self):
        want = sorted((r[1], r[3], r[4]) + r[:1] + r[2:3] + r[5:7] + r[8:] for r in chips())
        got = self.db.execute("SELECT item, chip_index_x, chip_index_y, platform, date, cloud_cover_percentage, nodata_percentage,"
                              " datetime, collection FROM c ORDER BY 1, 2, 3").fetchall()
        self.assertEqual(want, got)

    def test_merged_index(self):
        self.run_statements(Table(self.db, "c", "p", COLUMNS + HIDDEN, SEED, has_area=True, can_delete=True), .6)

    def test_parquet_file(self):
        self.db.execute("SELECT stacchip_export('c', ?, '{\"row_group_size\": 100}')", (self.path("one.parquet"),))
        self.run_statements(Table(self.db, "stacchip_parquet('%s')" % self.path("one.parquet"), "p_file", COLUMNS, SEED), .12)

    def test_parquet_created_table(self):
        self.db.execute("SELECT stacchip_export('c', ?, '{\"row_group_size\": 50}')", (self.path("two.parquet"),))
        self.db.execute("CREATE VIRTUAL TABLE made USING stacchip_parquet('%s')" % self.path("two.parquet"))
        self.run_statements(Table(self.db, "made", "p_made", COLUMNS[:-1], SEED, is_spatial=False), .1)

    def test_parquet_trees(self):
        for name, by in (("t_item", '["platform","item"]'), ("t_date", '["date"]'), ("t_platform", '["platform"]')):
            for style in ("directory", "hive"):
                path = self.path("%s_%s" % (name, style))
                with self.subTest(by=by, style=style):
                    self.db.execute("SELECT stacchip_export('c', ?, json_object('partition_by', json(?), 'partition_style', ?))", (path, by, style))
                    self.run_statements(Table(self.db, "stacchip_parquet('%s/')" % path, name + "_" + style, COLUMNS, SEED), .02)

    def test_index_of_an_item(self):
        item = os.path.join(host.ROOT, "build", "scenes", "sentinel-2", "item.json")
        self.run_statements(Table(self.db, "stacchip_index('%s')" % item, "p_index", COLUMNS + HIDDEN, SEED), .06)


BOX = "BuildMbr(0, 0, .25, .25, 4326)"
OUTER_ON_IS_MENDED = sqlite3.sqlite_version_info >= (3, 51)  # SQLite's own fault; since then it no longer hands such calls down


class Fixed(unittest.TestCase):
    """What random statements do not look for: errors, and work."""

    @classmethod
    def setUpClass(cls):
        cls.db = host.connect()
        cls.db.executescript(random_queries.HELPERS)
        cls.db.execute("CREATE VIRTUAL TABLE c USING stacchip_merge(max_nodata=1)")
        cls.db.executemany("INSERT INTO c(platform, item, date, chip_index_x, chip_index_y, cloud_cover_percentage, nodata_percentage,"
                           " geometry, datetime, collection) VALUES(?,?,?,?,?,?,?,?,?,?)", list(chips()))

    def one(self, sql):
        return self.db.execute(sql).fetchone()[0]

    def refused(self, sql, message):
        with self.assertRaisesRegex(sqlite3.Error, message, msg=sql):
            self.db.execute(sql).fetchall()

    def test_search_area_is_a_filter_where_sqlite_hands_it_down(self):
        within = self.one("SELECT count(*) FROM c WHERE ST_Intersects(geometry, %s) = 1" % BOX)
        self.assertGreater(within, 3)
        for sql in ("c WHERE search_area = %s", "c WHERE %s = search_area", "t JOIN c ON search_area = g WHERE k = 1", "c, t WHERE k = 1 AND search_area = g",
                    "t LEFT JOIN c ON search_area = g WHERE k = 1", "(SELECT %s AS g) LEFT JOIN c ON c.search_area = g",
                    "t JOIN c ON search_area = g AND k = 1 WHERE c.item <> 'none' OR c.chip_index_x = 0"):
            self.assertEqual(within, self.one("SELECT count(*) FROM " + sql.replace("%s", BOX)), sql)
        self.assertEqual(0, self.one("SELECT count(*) FROM c WHERE search_area = NULL"))

    def test_search_area_elsewhere_is_refused(self):
        for sql in ("c CROSS JOIN t ON c.search_area = t.g", "c LEFT JOIN t ON c.search_area = t.g", "c WHERE NOT (search_area = %s)",
                    "c WHERE EXISTS (SELECT 1 FROM t WHERE c.search_area = t.g)", "c WHERE search_area = %s OR item = 'none'",
                    "c WHERE search_area IN (%s, MakePoint(0, 0, 4326))", "c WHERE search_area IS %s", "c WHERE search_area <> %s",
                    "(SELECT *, search_area FROM c) WHERE coalesce(search_area, 1) = 1"):
            self.refused("SELECT count(*) FROM " + sql.replace("%s", BOX), "search_area.*ST_Intersects")
        self.refused("UPDATE c SET item = 'x' WHERE item = 'A'", "DELETE|INSERT")

    def test_a_date_is_compared_with_days(self):
        item = os.path.join(host.ROOT, "build", "scenes", "sentinel-2", "item.json")
        with tempfile.TemporaryDirectory() as folder:
            self.db.execute("SELECT stacchip_export('c', ?)", (os.path.join(folder, "f.parquet"),))
            for table in ("c", "stacchip_parquet('%s/f.parquet')" % folder, "stacchip_index('%s')" % item):
                for term in ("date BETWEEN '2024-01-02T00:00:00Z' AND '2024-03-31T23:59:59Z'", "date = '2024-01-02T00:00:00Z'", "date >= '2024-01-02 00:00'",
                             "'2024-01-02t00:00:00+02:00' < date", "date IN ('2024-01-02', '2024-01-03T00:00:00Z')", "date <= (SELECT '2024-03-30T10Z')"):
                    self.refused("SELECT count(*) FROM %s WHERE %s" % (table, term), "date is a day, YYYY-MM-DD, compared with '2024-0.*did you mean '2024-0")
                for term in ("date BETWEEN '2024-01' AND '2024-04'", "date >= '2024'", "date > '2023-12-31' AND date < '2024-12-31x'"):
                    self.assertGreater(self.one("SELECT count(*) FROM %s WHERE %s" % (table, term)), 20)
            for table in ("c", "stacchip_index('%s')" % item):
                for term in ("datetime >= '2024-01-02T00:00:00+02:00'", "datetime < '2024-03-31 00:00:00'", "datetime = '2024-01-02T11:06:36.00Z'"):
                    self.refused("SELECT count(*) FROM %s WHERE %s" % (table, term), "datetime is in UTC.*did you mean '2024-0")
                self.assertGreater(self.one("SELECT count(*) FROM %s WHERE datetime BETWEEN '2024-01-02T00:00:00Z' AND '2024-04'" % table), 20)

    def test_a_spatial_call_in_the_on_of_a_left_join_is_no_filter_of_the_left_table(self):
        self.db.execute("CREATE TABLE plain AS SELECT rowid AS id, * FROM c")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "f.parquet")
            self.db.execute("SELECT stacchip_export('c', ?)", (path,))
            for sql, is_refused in (
                    ("{c} a LEFT JOIN t ON ST_Intersects(a.geometry, {b})", True), ("t z JOIN {c} a LEFT JOIN t ON t.k = 1 AND Within(a.geometry, z.g)", True),
                    ("{c} a LEFT JOIN t ON ST_Intersects(a.geometry, {b}) = 1", False), ("{c} a LEFT JOIN t ON ST_Intersects(a.geometry, t.g)", False),
                    ("t LEFT JOIN {c} a ON ST_Intersects(a.geometry, {b})", False), ("t LEFT JOIN {c} a ON ST_Intersects(geometry, g)", False),
                    ("{c} a LEFT JOIN t ON t.k = a.chip_index_x WHERE ST_Intersects(a.geometry, {b})", False)):
                sql = "SELECT count(*), count(t.k), count(a.item) FROM " + sql.replace("{b}", BOX)
                want = self.db.execute(sql.replace("{c}", "plain")).fetchall()
                self.assertEqual(want, self.db.execute(sql.replace("{c}", "stacchip_parquet('%s')" % path)).fetchall(), sql)
                if is_refused and not OUTER_ON_IS_MENDED:
                    self.refused(sql.replace("{c}", "c"), "ON of a LEFT JOIN.*= 1")
                else:
                    self.assertEqual(want, self.db.execute(sql.replace("{c}", "c")).fetchall(), sql)
        self.db.execute("CREATE VIEW joined AS SELECT 1 FROM c a LEFT JOIN t ON ST_Intersects(a.geometry, %s)" % BOX)
        if OUTER_ON_IS_MENDED:
            self.assertEqual(self.one("SELECT count(*) FROM joined"), self.one("SELECT count(*) FROM plain a LEFT JOIN t ON ST_Intersects(a.geometry, %s)" % BOX))
        else:
            self.refused("SELECT count(*) FROM joined", "ON of a LEFT JOIN")

    def test_arguments_are_columns_with_their_values(self):
        """SQLite compares them again in the branches of an OR (3.51 and 3.53 do)."""
        item = os.path.join(host.ROOT, "build", "scenes", "sentinel-2", "item.json")
        with tempfile.TemporaryDirectory() as folder:
            self.db.execute("SELECT stacchip_export('c', ?, '{\"partition_by\": [\"platform\"]}')", (folder,))
            for call, columns in (("stacchip_parquet('%s/')" % folder, {"path": folder + "/"}), ("stacchip_index('%s', '{}')" % item, {"item_json": item, "options": "{}"}),
                                  ("stacchip_items('%s', '{}')" % item, {"source": item, "options": "{}"})):
                for name, value in columns.items():
                    self.assertEqual(self.db.execute("SELECT DISTINCT a.%s FROM %s a" % (name, call)).fetchall(), [(value,)])
                if "items" not in call:
                    for where in ("chip_index_x = 3 OR chip_index_y = 1", "chipid = 'I2-2-9' OR platform = '7' OR chip_index_x > 3", "(item = 'I2' AND date > '2024') OR chip_index_y BETWEEN 1 AND 2"):
                        self.db.execute("CREATE TEMP TABLE whole AS SELECT * FROM " + call)
                        self.assertEqual(self.db.execute("SELECT chipid FROM %s a WHERE %s ORDER BY 1" % (call, where)).fetchall(), self.db.execute("SELECT chipid FROM whole WHERE %s ORDER BY 1" % where).fetchall())
                        self.db.execute("DROP TABLE whole")
        self.assertEqual(self.one("SELECT count(*) FROM stacchip_items('%s') WHERE id = (SELECT id FROM stacchip_items('%s')) OR collection = 'x'" % (item, item)), 1)

    def test_texts_that_are_numbers_on_a_numeric_side(self):
        self.db.execute("CREATE TABLE q(id INTEGER PRIMARY KEY, item TEXT, platform TEXT)")
        self.db.execute("INSERT INTO q SELECT rowid, item, platform FROM c")
        self.assertGreater(self.one("SELECT count(*) FROM q WHERE item IN ('7', '007')"), 0)
        with tempfile.TemporaryDirectory() as folder:
            for name, options in (("one.parquet", "{}"), ("tree", '{"partition_by": ["item"]}'), ("hive", '{"partition_by": ["platform"], "partition_style": "hive"}')):
                path = os.path.join(folder, name)
                self.db.execute("SELECT stacchip_export('c', ?, ?)", (path, options))
                for on in ("b.m >= a.item", "a.item < b.m", "a.platform <= b.m", "a.item > b.m", "a.item = b.m", "a.platform = b.k", "a.item < b.k"):
                    sql = "SELECT count(*) FROM t b CROSS JOIN %s a ON " + on
                    want = self.one(sql % "q")
                    self.assertEqual(want, self.one(sql % "c"), on)
                    self.assertEqual(want, self.one(sql % ("stacchip_parquet('%s')" % path)), (on, name))

    def test_two_equalities_on_a_column_are_no_product(self):
        self.db.execute("CREATE VIRTUAL TABLE big USING stacchip_merge()")
        self.db.execute("WITH RECURSIVE k(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM k WHERE i < 2999) INSERT INTO big(platform, item, chip_index_x,"
                        " chip_index_y, geometry) SELECT 's2', 'I' || (i / 100), i % 10, i / 10 % 10, BuildMbr(i % 170, 0, i % 170 + 1, 1, 4326) FROM k")
        w = ("WITH w AS MATERIALIZED (SELECT rowid AS r, chipid, item, chip_index_x AS x, chip_index_y AS y FROM big)"
             " SELECT count(*) FROM w JOIN big t ON %s WHERE %s")
        by_item = "t.item = w.item AND t.chip_index_x = w.x AND t.chip_index_y = w.y"
        pairs = "(t.rowid, t.item) IN (SELECT rowid, item FROM big)"
        for on, where in (("w.r = t.rowid AND " + pairs, "1"), (pairs + " AND t.chipid = w.chipid", "1"), (by_item + " AND " + pairs, "1"),
                          ("w.chipid = t.chipid AND (t.item, t.chipid) IN (SELECT item, chipid FROM big)", "1"),
                          ("t.rowid = w.r AND t.item = w.item AND " + pairs, "1"), ("t.rowid = w.r", "t.rowid IN (SELECT rowid FROM big)"), ("t.rowid = w.r", "(t.rowid, t.item) IN (SELECT rowid, item FROM big)"),
                          ("t.chipid = w.chipid", "t.chipid IN (SELECT chipid FROM big)"), (by_item, "t.item IN (SELECT item FROM big)"),
                          (by_item, "t.rowid IN (SELECT rowid FROM big)"), (by_item, "t.chip_index_x IN (SELECT k FROM t UNION SELECT x FROM w)"),
                          ("t.rowid = w.r", "t.platform IN ('s2', 'l8') AND t.grid IS NULL")):
            steps = [0]

            def count():
                steps[0] += 1
            self.db.set_progress_handler(count, 1000)
            self.assertEqual(3000, self.one(w % (on, where)))
            self.db.set_progress_handler(None, 0)
            self.assertLess(steps[0], 1000, (on, where))  # thousands of SQLite's steps; a product of 3000 and 3000 needs 9000 at least


if __name__ == "__main__":
    host.main()
