"""stacchip_parquet called with several paths in one statement: rows as one table of all the files would give them."""
import os
import shutil
import sqlite3
import tempfile
import unittest

import host

COLUMNS = "chipid, platform, item, date, chip_index_x, chip_index_y, cloud_cover_percentage, nodata_percentage, geometry"


class Calls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.db = host.connect()
        cls.db.execute("CREATE TABLE plain(path TEXT, %s)" % COLUMNS)
        for k, name in enumerate("abc"):
            path = os.path.join(cls.folder, name + ".parquet")
            cls.db.execute("""CREATE TABLE %s AS WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n < 39)
                SELECT '%s-' || (n %% 8) || '-' || (n / 8) AS chipid, 's2' AS platform, '%s' AS item, '2024-01-0%d' AS date, n %% 8 AS chip_index_x, n / 8 AS chip_index_y,
                0.25 AS cloud_cover_percentage, 0.0 AS nodata_percentage, BuildMbr(n %% 8, n / 8 + %d, n %% 8 + 1, n / 8 + %d, 4326) AS geometry FROM i"""
                           % (name, name, name, k + 1, k, k + 1))
            cls.db.execute("SELECT stacchip_export(?, ?)", (name, path)).fetchone()
            cls.db.execute("INSERT INTO plain SELECT path, %s FROM stacchip_parquet(?)" % COLUMNS, (path,))
        cls.values = {k: os.path.join(cls.folder, k + ".parquet") for k in "abc"}

    @classmethod
    def tearDownClass(cls):
        cls.db.close()
        shutil.rmtree(cls.folder)

    def same(self, sql):
        want = sorted(self.db.execute(sql.replace("{t}", "plain"), self.values).fetchall())
        self.assertGreater(len(want), 2, sql)
        self.assertEqual(want, sorted(self.db.execute(sql.replace("{t}", "stacchip_parquet"), self.values).fetchall()), sql)

    def test_branches_of_an_or_have_rows_of_their_own(self):
        for where in ("path = :a OR path = :b", "path IN (:a, :b, :c)", "(path = :a AND chip_index_x < 3) OR path = :b",
                      "(path = :a AND chip_index_x < 3) OR (path = :b AND date = '2024-01-02') OR (path = :c AND chip_index_y > 2)",
                      "(path = :a AND ST_Intersects(geometry, BuildMbr(0, 0, 3.5, 3.5, 4326))) OR (path = :c AND chip_index_x = 7)",
                      "(path = :a AND chip_index_x < 4) OR (path = :a AND chip_index_x > 2)",
                      "(path = :a AND chip_index_x < 4) OR (path = :a AND chip_index_x > 2) OR (path = :b AND NOT chip_index_x)"):
            with self.subTest(where=where):
                self.same("SELECT chipid, path FROM {t} WHERE " + where)
                self.same("SELECT x.chipid, y.chipid FROM {t} x, {t} y WHERE y.path = :b AND x.chip_index_x = y.chip_index_y AND (%s)"
                          % where.replace("path", "x.path").replace("chip_", "x.chip_").replace("date", "x.date").replace("geometry", "x.geometry"))

    def test_joins_of_calls(self):
        self.same("SELECT x.chipid, y.chipid FROM {t} x, {t} y WHERE x.chip_index_x = y.chip_index_x AND x.chip_index_y = 1 AND y.chip_index_y = 2"
                  " AND ((x.path = :a AND y.path = :b) OR (x.path = :b AND y.path = :a))")
        self.same("SELECT x.chipid, y.chipid FROM {t} x LEFT JOIN {t} y ON y.path = :b AND y.chip_index_x = x.chip_index_x AND (y.chip_index_y = 1 OR x.chip_index_y = 0) WHERE x.path = :a")
        self.same("SELECT x.chipid, y.chipid FROM {t} x JOIN {t} y ON y.path = x.path AND y.rowid = x.rowid WHERE x.path = :a OR x.path = :c"
                  .replace("y.rowid = x.rowid", "y.chipid = x.chipid"))
        self.same("SELECT count(*), p.path FROM (SELECT DISTINCT path FROM plain) p, {t} t WHERE t.path = p.path GROUP BY p.path")
        self.same("SELECT chipid, row_number() OVER (PARTITION BY path ORDER BY chipid) FROM {t} WHERE path = :a OR path = :b")

    def test_rowids_are_of_the_call_and_find_their_rows(self):
        for path in (self.values["a"], self.folder, os.path.join(self.folder, "*.parquet")):
            first = self.db.execute("SELECT rowid, chipid FROM stacchip_parquet(?)", (path,)).fetchall()
            ids = [r[0] for r in first]
            self.assertEqual(sorted(set(ids)), ids)
            self.assertGreater(ids[0], 0)
            self.assertEqual(first, self.db.execute("SELECT rowid, chipid FROM stacchip_parquet(?)", (path,)).fetchall())
            for rowid, chipid in first[::7]:
                self.assertEqual([(chipid,)], self.db.execute("SELECT chipid FROM stacchip_parquet(?) WHERE rowid = ?", (path, rowid)).fetchall())
            again = self.db.execute("SELECT x.rowid, y.chipid FROM stacchip_parquet(?1) x JOIN stacchip_parquet(?1) y ON x.rowid = y.rowid ORDER BY 1", (path,)).fetchall()
            self.assertEqual(first, again)
        a, b = ({r[0] for r in self.db.execute("SELECT rowid FROM stacchip_parquet(?)", (self.values[k],))} for k in "ab")
        self.assertFalse(a & b)

    def test_a_created_table_counts_its_rows(self):
        self.db.execute("CREATE VIRTUAL TABLE counted USING stacchip_parquet('%s')" % self.values["a"])
        self.assertEqual(list(range(1, 41)), [r[0] for r in self.db.execute("SELECT rowid FROM counted")])


if __name__ == "__main__":
    host.main()
