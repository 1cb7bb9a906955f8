"""Chips of a merged index by rowid, handle and chipid: looked up, and what a scan gives."""
import json
import os
import tempfile
import unittest

import host

KEYS = ("rowid", "row", "chipid")
FILL = ("WITH RECURSIVE k(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM k WHERE i < %d) INSERT INTO %s(platform, item, chip_index_x, chip_index_y, geometry)"
        " SELECT 's2', 'I' || (i / 100), i %% 10, i / 10 %% 10, BuildMbr(i / 100 %% 170, 0, i / 100 %% 170 + 1, 1, 4326) FROM k")


class Keys(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.db = host.connect()
        cls.make("c", 29999)
        cls.db.execute("CREATE TABLE plain(id INTEGER PRIMARY KEY, row TEXT, chipid TEXT)")
        cls.db.execute("INSERT INTO plain SELECT rowid, row, chipid FROM c")
        cls.db.execute("CREATE TABLE list AS SELECT id AS rowid_, row, chipid FROM plain WHERE id % 300 = 7")

    @classmethod
    def make(cls, name, n, db=None):
        (db or cls.db).execute("CREATE VIRTUAL TABLE %s USING stacchip_merge()" % name)
        (db or cls.db).execute(FILL % (n, name))

    def steps(self, sql, *values):
        """Rows, and hundreds of SQLite's steps."""
        n = [0]

        def count():
            n[0] += 1
        self.db.set_progress_handler(count, 100)
        rows = self.db.execute(sql, values).fetchall()
        self.db.set_progress_handler(None, 0)
        return rows, n[0]

    def plan(self, sql):
        return "\n".join(r[3] for r in self.db.execute("EXPLAIN QUERY PLAN " + sql))

    def test_the_plan_says_so(self):
        for sql, words in (("row = '[]'", "rowid: row ="), ("'[]' = row", "rowid: row ="), ("row IN ('a', 'b')", "rowid: row in"),
                           ("row IN (SELECT row FROM list)", "rowid: row in"), ("row = 'a' OR row = 'b'", "rowid: row ="),
                           ("rowid IN (1, 2)", "rowid: rowid in"), ("rowid = 3", "rowid: rowid ="), ("chipid = 'a'", "chipid: chipid ="),
                           ("chipid IN (SELECT chipid FROM list)", "chipid: chipid in"),
                           ("row IN (SELECT row FROM list) AND cloud_cover_percentage < .5", "rowid: row in, cloud_cover_percentage <"),
                           ("row = 'a' COLLATE NOCASE", "all items"), ("row LIKE 'a%'", "all items"), ("row > 'a'", "all items"), ("row || '' = 'a'", "all items")):
            self.assertIn("INDEX", self.plan("SELECT 1 FROM c WHERE " + sql))
            self.assertIn(":%s" % words, self.plan("SELECT 1 FROM c WHERE " + sql), sql)
        self.assertIn("rowid: row =", self.plan("SELECT count(*) FROM list JOIN c ON c.row = list.row"))
        self.assertIn("rowid: row =", self.plan("SELECT count(c.rowid) FROM list LEFT JOIN c ON list.row = c.row"))

    def test_a_list_is_looked_up(self):
        for key in KEYS:
            column = "rowid_" if key == "rowid" else key
            for sql in ("SELECT count(*) FROM c WHERE %s IN (SELECT %s FROM list)" % (key, column), "SELECT count(*) FROM list JOIN c ON c.%s = list.%s" % (key, column),
                        "SELECT count(c.rowid) FROM list LEFT JOIN c ON list.%s = c.%s" % (column, key),
                        "SELECT count(*) FROM list WHERE EXISTS (SELECT 1 FROM c WHERE c.%s = list.%s)" % (key, column),
                        "SELECT count(*) FROM c WHERE item <> 'none' AND %s IN (SELECT %s FROM list)" % (key, column)):
                rows, steps = self.steps(sql)
                self.assertEqual([(100,)], rows, sql)
                self.assertLess(steps, 150, sql)  # 30 000 rows take 900 at least
        rows, steps = self.steps("SELECT sum(rowid = ?2) FROM c WHERE row = ?1", *self.db.execute("SELECT row, id FROM plain WHERE id = 4711").fetchone())
        self.assertEqual([(1,)], rows)
        self.assertLess(steps, 3)

    def test_a_list_as_long_as_the_table(self):
        for key in KEYS:
            self.assertEqual((30000, 30000), self.db.execute("SELECT count(*), count(DISTINCT rowid) FROM c WHERE %s IN (SELECT %s FROM plain)" % (
                key, "id" if key == "rowid" else key)).fetchone())

    def test_other_conditions_beside_it(self):
        self.db.execute("CREATE TABLE IF NOT EXISTS full AS SELECT rowid AS id, *, row, grid FROM c")
        for where in ("%s AND item = 'I3'", "%s AND item IN ('I3', 'I4', 'none')", "%s AND chip_index_x < 5", "%s AND cloud_cover_percentage IS NULL", "NOT %s AND item = 'I3'",
                      "%s AND date IS NULL AND platform = 's2'", "(%s OR chipid = 'I3-0-0')", "%s AND ST_Intersects(geometry, BuildMbr(3.5, 0, 8.5, 1, 4326))",
                      "%s AND 1 = 0", "%s AND rowid > 4000", "%s AND rowid = 607", "%s AND row <> 'x' AND chipid IN ('I6-6-0', 'I6-6-1', NULL)"):
            for key in KEYS:
                for list_ in ("(SELECT %s FROM list)" % ("rowid_" if key == "rowid" else key), "(SELECT %s FROM plain WHERE id BETWEEN 300 AND 620)" % ("id" if key == "rowid" else key)):
                    sql = "SELECT count(*), sum({id}) FROM {c} WHERE " + where % ("%s IN %s" % ("{id}" if key == "rowid" else key, list_))
                    self.assertEqual(self.db.execute(sql.format(id="id", c="full").replace("rowid ", "id ")).fetchall(), self.db.execute(sql.format(id="rowid", c="c")).fetchall(), sql)
        self.assertEqual(self.db.execute("SELECT id FROM plain WHERE id % 300 = 7 ORDER BY chipid LIMIT 3 OFFSET 2").fetchall(),
                         self.db.execute("SELECT rowid FROM c WHERE row IN (SELECT row FROM list) ORDER BY chipid LIMIT 3 OFFSET 2").fetchall())

    def test_values_that_name_no_chip(self):
        self.make("other", 500)
        one = self.db.execute("SELECT row FROM plain WHERE id = 5").fetchone()[0]
        for value in (None, 5, 5.0, b"x", one.encode(), "", "[", "[]", "{}", one + " ", one + "\0", " " + one, one[:-1], one.replace('"c"', '"C"'), one.replace('"c"', '"other"'), one.replace("5", "+5"),
                      one.replace("5", "05"), one.replace(",5,", ",99999999999999999999,"), one.replace(",5,", ",6,"), one.replace("]", ',"main"]'), '["c",5', '{"item":"I0","chip_index_x":4,"chip_index_y":0}', "5"):
            for sql in ("row = ?", "row IN (?)", "row IN (?, NULL)", "row IN (SELECT ?)", "? = row"):
                self.assertEqual([], self.db.execute("SELECT rowid FROM c WHERE " + sql, (value,)).fetchall(), (sql, value))
        for value in (None, 5, -5.5, b"I0-4-0", "", "-", "--", "I0-4", "I0-4-0 ", "I0-04-0", "I0-4-+0", "I0--4-0", "I0-4-0\0", "I0-4-99999999999", "I0-4-4294967296", "4-0", "-4-0", "i0-4-0", "I0-10-0"):
            for sql in ("chipid = ?", "chipid IN (?)", "chipid IN (?, NULL)", "chipid IN (SELECT ?)"):
                self.assertEqual([], self.db.execute("SELECT rowid FROM c WHERE " + sql, (value,)).fetchall(), (sql, value))
        for value, want in ((5, [(5,)]), (5.0, [(5,)]), ("5", [(5,)]), (" 5 ", [(5,)]), ("5e0", [(5,)]), (5.5, []), (1e300, []), (9.3e18, []), (-9.3e18, []), ("x", []), (None, []), (b"5", []), (0, [])):
            for sql in ("rowid = ?", "rowid IN (?)", "rowid IN (?, NULL)", "rowid IN (?, '5.5')"):
                self.assertEqual(want, self.db.execute("SELECT rowid FROM c WHERE " + sql, (value,)).fetchall(), (sql, value))

    def test_stale_handles_are_no_error(self):
        self.make("gone", 299)
        rows = [r[0] for r in self.db.execute("SELECT row FROM gone")]
        self.db.execute("DELETE FROM gone WHERE item = 'I1'")
        find = "SELECT count(*) FROM gone WHERE row IN (SELECT value FROM json_each(?))"
        self.assertEqual((200,), self.db.execute(find, (json.dumps(rows),)).fetchone())
        self.db.execute("DELETE FROM gone")
        self.db.execute(FILL % (99, "gone"))  # rowids anew, of the same item or another
        name = '"a [na\\\\me], é"'
        self.db.execute("ALTER TABLE gone RENAME TO " + name)
        self.assertEqual((0,), self.db.execute(find.replace("gone", name), (json.dumps(rows),)).fetchone())
        rows = [r[0] for r in self.db.execute("SELECT row FROM " + name)]
        self.assertEqual((100,), self.db.execute(find.replace("gone", name), (json.dumps(rows),)).fetchone())

    def test_the_same_name_in_another_database(self):
        with tempfile.TemporaryDirectory() as folder:
            other = host.connect(os.path.join(folder, "o.db"))
            self.make("c", 499, other)
            other.close()
            self.db.execute("ATTACH ? AS o", (os.path.join(folder, "o.db"),))
            try:
                self.assertEqual((0,), self.db.execute("SELECT count(*) FROM o.c WHERE row IN (SELECT row FROM plain)").fetchone())
                self.assertEqual((0,), self.db.execute("SELECT count(*) FROM c WHERE row IN (SELECT row FROM o.c)").fetchone())
                self.assertEqual((500,), self.db.execute("SELECT count(*) FROM o.c a JOIN o.c b ON a.row = b.row").fetchone())
            finally:
                self.db.execute("DETACH o")

    def test_items_of_one_id(self):
        self.db.execute("CREATE VIRTUAL TABLE twins USING stacchip_merge()")
        for platform, collection in (("s2", None), ("s2", "a"), ("l8", "a")):
            self.db.execute("INSERT INTO twins(platform, item, collection, chip_index_x, chip_index_y, geometry) SELECT ?, item, ?, chip_index_x, chip_index_y, geometry FROM c"
                            " WHERE item = 'I7'", (platform, collection))
        self.assertEqual([(1,)] * 3, self.db.execute("SELECT count(*) FROM twins WHERE chipid = 'I7-3-4' GROUP BY rowid").fetchall())
        self.assertEqual([(6, 6)], self.db.execute("SELECT count(*), count(DISTINCT rowid) FROM twins WHERE chipid IN ('I7-3-4', 'I7-9-9', 'I7-10-0')").fetchall())
        self.assertEqual([(2,)], self.db.execute("SELECT count(*) FROM twins WHERE chipid IN ('I7-3-4') AND collection = 'a'").fetchall())

    def test_a_rowid_beyond_doubles(self):
        self.make("far", 99)
        far = (1 << 53) + 1
        self.db.execute("UPDATE far_chip SET id = ? WHERE id = 100", (far,))
        self.db.execute("INSERT INTO far(far) VALUES ('rebuild')")
        row = self.db.execute("SELECT row FROM far WHERE rowid = ?", (far,)).fetchone()[0]
        self.assertIn(str(far), row)
        for sql in ("row = ?", "row IN (?, 'x')"):
            self.assertEqual([(far,)], self.db.execute("SELECT rowid FROM far WHERE " + sql, (row,)).fetchall())


if __name__ == "__main__":
    host.main()
