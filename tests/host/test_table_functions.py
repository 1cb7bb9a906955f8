"""Table-valued functions called with several arguments in one statement: rows as plain tables would give them."""
import json
import os
import sqlite3
import tempfile
import unittest

import host

SCENE = os.path.join(host.ROOT, "build", "scenes", "sentinel-2")


def another(path):
    """The demo scene's item under another id, as a file elsewhere."""
    with open(os.path.join(SCENE, "item.json")) as f:
        item = json.load(f)
    item["id"] = "another"
    for asset in item["assets"].values():
        asset["href"] = os.path.join(SCENE, asset["href"])
    with open(path, "w") as f:
        json.dump(item, f)
    return path


class Arguments(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.db = host.connect()
        cls.folder = tempfile.TemporaryDirectory()
        cls.items = [os.path.join(SCENE, "item.json"), another(os.path.join(cls.folder.name, "another.json"))]
        cls.db.execute("CREATE TABLE a(k INTEGER, item_json TEXT, options TEXT)")
        cls.db.executemany("INSERT INTO a VALUES(?, ?, ?)", [(k, item, options) for k, item in enumerate(cls.items)
                                                             for options in ('{"chip_size": 256}', '{"chip_size": 512}')])
        cls.db.execute("CREATE TABLE plain AS SELECT a.k, a.item_json, a.options, i.* FROM a, stacchip_index(a.item_json, a.options) i")
        for name, ids in (("one", "abc"), ("two", "bcd")):
            os.mkdir(os.path.join(cls.folder.name, name))
            for id in ids:
                with open(os.path.join(cls.folder.name, name, id + ".json"), "w") as f:
                    json.dump({"type": "Feature", "stac_version": "1.0.0", "id": id, "properties": {"datetime": None}, "geometry": None, "links": [],
                               "assets": {"data": {"href": "/nowhere/%s.tif" % id}}}, f)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def rows(self, sql, *values):
        return sorted(self.db.execute(sql, values).fetchall())

    def same(self, where, columns="chipid, options"):
        """Of the function called by `where`, what the table of all its calls has."""
        values = {"a": self.items[0], "b": self.items[1], "s": '{"chip_size": 256}', "l": '{"chip_size": 512}'}
        sql = "SELECT %s FROM %%s WHERE %s" % (columns, where)
        want = sorted(self.db.execute(sql % "plain", values).fetchall())
        self.assertGreater(len(want), 2, where)
        self.assertEqual(want, sorted(self.db.execute(sql % "stacchip_index", values).fetchall()), where)

    def test_branches_of_an_or_have_rows_of_their_own(self):
        self.same("options = :s AND (item_json = :a OR item_json = :b)")
        self.same("(item_json = :a AND options = :s) OR (item_json = :b AND options = :l)")
        self.same("(item_json = :a AND options = :s) OR (item_json = :a AND options = :l)")
        self.same("(item_json = :a AND options = :s AND chip_index_x < 2) OR (item_json = :b AND options = :s AND chip_index_y > 0)")
        self.same("options = :s AND item_json IN (:a, :b)")

    def test_a_row_of_both_branches_comes_once(self):
        self.same("(item_json = :a AND options = :s AND chip_index_x < 3) OR (item_json = :a AND options = :s AND chip_index_x > 1)")
        self.same("(item_json = :a AND options = :s) OR (item_json = :b AND options = :s) OR (item_json = :a AND options = :s AND chip_index_x = 1)")

    def test_a_join_of_two_calls(self):
        sql = ("SELECT x.chipid, y.chipid FROM {0} x, {0} y WHERE x.options = ?3 AND y.options = ?3 AND x.chip_index_x = y.chip_index_x"
               " AND ((x.item_json = ?1 AND y.item_json = ?2) OR (x.item_json = ?2 AND y.item_json = ?1))")
        want = self.rows(sql.format("plain"), *self.items, '{"chip_size": 512}')
        self.assertGreater(len(want), 2)
        self.assertEqual(want, self.rows(sql.format("stacchip_index"), *self.items, '{"chip_size": 512}'))
        calls = "stacchip_index(?1, ?3) x, stacchip_index(?2, ?3) y WHERE x.chip_index_x = y.chip_index_x AND (x.chip_index_y = 0 OR y.chip_index_y = 1)"
        plain = ("plain x, plain y WHERE x.item_json = ?1 AND y.item_json = ?2 AND x.options = ?3 AND y.options = ?3"
                 " AND x.chip_index_x = y.chip_index_x AND (x.chip_index_y = 0 OR y.chip_index_y = 1)")
        want = self.rows("SELECT x.chipid, y.chipid FROM " + plain, *self.items, '{"chip_size": 512}')
        self.assertGreater(len(want), 2)
        self.assertEqual(want, self.rows("SELECT x.chipid, y.chipid FROM " + calls, *self.items, '{"chip_size": 512}'))

    def test_correlated_arguments(self):
        for join in ("a, {i} i WHERE i.item_json = a.item_json AND i.options = a.options", "a JOIN {i} i ON i.item_json = a.item_json AND i.options = a.options",
                     "a LEFT JOIN {i} i ON i.item_json = a.item_json AND i.options = a.options AND i.chip_index_x = a.k",
                     "a JOIN {i} i ON i.options = a.options AND (i.item_json = a.item_json OR i.item_json = :b)"):
            sql = "SELECT a.rowid, i.chipid FROM " + join
            want = sorted(self.db.execute(sql.replace("{i}", "plain"), {"b": self.items[1]}).fetchall())
            self.assertGreater(len(want), 3)
            self.assertEqual(want, sorted(self.db.execute(sql.replace("{i}", "stacchip_index"), {"b": self.items[1]}).fetchall()), join)

    def test_rowids_are_of_the_call_and_rise(self):
        sql = "SELECT rowid FROM stacchip_index(?, ?)"
        first = [r[0] for r in self.db.execute(sql, (self.items[0], '{"chip_size": 512}'))]
        self.assertEqual(list(range(first[0], first[0] + len(first))), first)
        self.assertGreater(first[0], 0)
        self.assertEqual(first, [r[0] for r in self.db.execute(sql, (self.items[0], '{"chip_size": 512}'))])
        other = {r[0] for r in self.db.execute(sql, (self.items[1], '{"chip_size": 512}'))}
        self.assertFalse(other & set(first))

    def test_the_right_of_an_outer_join(self):
        sql = "SELECT a.rowid, i.chipid FROM a %s JOIN %s i ON a.k = i.chip_index_x"
        plain = "(SELECT * FROM plain WHERE item_json = ? AND options = ?)"
        for kind in ("RIGHT", "FULL", "LEFT"):
            if kind != "LEFT" and sqlite3.sqlite_version_info < (3, 39):
                continue
            want = self.db.execute(sql % (kind, plain), (self.items[0], '{"chip_size": 256}')).fetchall()
            got = self.db.execute(sql % (kind, "(SELECT * FROM stacchip_index(?))"), self.items[:1]).fetchall()
            self.assertEqual(sorted(map(str, want)), sorted(map(str, got)))
            try:
                got = self.db.execute(sql % (kind, "stacchip_index(?)"), self.items[:1]).fetchall()
                self.assertEqual(sorted(map(str, want)), sorted(map(str, got)))
            except sqlite3.Error as e:
                self.assertNotEqual("LEFT", kind)
                self.assertIn("needs an item; on the right of a RIGHT JOIN write (SELECT", str(e))

    def test_what_is_missing_is_said(self):
        for call, words in (("stacchip_index", "stacchip_index(item_json [, options]) needs an item; on"), ("stacchip_index WHERE options = '{}'", "needs an item"),
                            ("stacchip_items", "stacchip_items(source [, options]) needs a source; on"), ("stacchip_search WHERE query = '{}'", "stacchip_search(url, query [, options]) needs a URL; on"),
                            ("stacchip_polygons", "stacchip_polygons(query [, options]) needs a query"), ("stacchip_freeze_check", "stacchip_freeze_check: needs the path of a data set; on"),
                            ("stacchip_batches('SELECT 1')", "stacchip_batches(query, n [, options]) needs a query and the number of chips in a batch"),
                            ("stacchip_freeze_diff WHERE b = 'b.db'", "stacchip_freeze_diff: needs the path of two data sets; on")):
            with self.assertRaises(sqlite3.Error) as caught:
                self.db.execute("SELECT * FROM " + call).fetchall()
            self.assertIn(words, str(caught.exception), call)

    def test_arguments_are_columns(self):
        one, two = (os.path.join(self.folder.name, name) for name in ("one", "two"))
        sql = "SELECT id, source, options FROM stacchip_items WHERE source = ? AND source = ?"
        self.assertEqual([(id, one, None) for id in "abc"], self.rows(sql, one, one))
        self.assertEqual([], self.rows(sql, one, two))
        self.assertEqual([("{}",)], self.rows("SELECT DISTINCT options FROM stacchip_items(?, '{}')", one))
        self.assertEqual([("index",)], self.rows("SELECT DISTINCT topic FROM stacchip_help('index')"))
        self.assertEqual([(None,)], self.rows("SELECT DISTINCT topic FROM stacchip_help"))

    def test_items_of_two_sources_under_one_or(self):
        one, two = (os.path.join(self.folder.name, name) for name in ("one", "two"))
        self.assertEqual([("a",), ("b",), ("b",), ("c",), ("c",), ("d",)], self.rows("SELECT id FROM stacchip_items WHERE source = ? OR source = ?", one, two))
        self.assertEqual([("a",), ("b",), ("c",)], self.rows("SELECT id FROM stacchip_items WHERE source = ?1 AND id < 'c' OR source = ?1 AND id > 'a'", one))
        self.assertEqual([("a",), ("d",)], self.rows("SELECT id FROM stacchip_items WHERE source = ? AND id = 'a' OR source = ? AND id = 'd'", one, two))
        self.assertEqual([("a", "d"), ("b", "d"), ("c", "d")], self.rows("SELECT x.id, y.id FROM stacchip_items(?) x, stacchip_items(?) y WHERE y.id = 'd'", one, two))


if __name__ == "__main__":
    host.main()
