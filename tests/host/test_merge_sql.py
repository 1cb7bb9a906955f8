"""The statements in sql/merge: each can be prepared, is found by its name, and reads by an index where it must."""
import glob
import os
import re
import sqlite3
import unittest

import host

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPTS = ("create", "create_layer", "register_chip", "migrate_1", "migrate_2", "rename", "drop_layer", "drop", "rtree_clear")
# What reads a whole table on purpose; every other statement goes by a key.
SCANS = ("item_scan", "item_scan_by_date", "item_scan_by_date_desc", "block_scan", "check_chip_count", "check_index_count",
         "check_area_count", "check_item_of_chip", "index_scan", "rtree_counts", "strange", "has_spatial_metadata", "has_srid", "copy_registration",
         "move_registration", "unregister", "unregister_view", "error_delete", "pin", "block_clear",
         "source_find", "source_chips", "source_options", "source_rules")


def statements():
    """By name: file and text, as sql/embed.awk takes them."""
    found = {}
    for path in sorted(glob.glob(os.path.join(ROOT, "sql", "merge", "*.sql"))):
        for name, text in re.findall(r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)", open(path).read(), re.S | re.M):
            assert name not in found, name
            found[name] = (os.path.basename(path), text)
    return found


def expand(name, text):
    table = {"rtree": "c_area", "move_registration": "geometry_columns_auth", "unregister": "geometry_columns",
             "unregister_view": "views_geometry_columns"}
    return text.replace("{db}", "main").replace("{to}", "d").replace("{name}", table.get(name, table.get(name.split("_")[0], "c")))


class Statements(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.db = host.connect()
        cls.db.execute("CREATE VIRTUAL TABLE c USING stacchip_merge()")

    def plan(self, name, text):
        text = re.sub(r"(?m)^--.*\n", "", text)
        n = max([text.count("?") if not re.search(r"\?\d", text) else 0] + [int(k) for k in re.findall(r"\?(\d+)", text)])
        return [row[3] for row in self.db.execute("EXPLAIN QUERY PLAN " + expand(name, text), [None] * n)]

    def test_every_statement_can_be_prepared(self):
        found = statements()
        self.assertGreater(len(found), 80)
        for name, (_, text) in found.items():
            with self.subTest(name):
                if name in SCRIPTS:
                    self.assertTrue(sqlite3.complete_statement(expand(name, text)))
                else:
                    self.plan(name, text)

    def test_statements_go_by_keys(self):
        for name, (_, text) in statements().items():
            if name in SCRIPTS or name in SCANS:
                continue
            with self.subTest(name):
                for step in self.plan(name, text):
                    self.assertFalse(re.match(r"SCAN (?!.*(VIRTUAL TABLE INDEX [1-9]|CONSTANT ROW|ROW VALUES CLAUSE))", step), step)
                    self.assertNotIn("USE TEMP B-TREE", step)

    def test_a_trace_names_file_and_statement(self):
        seen = set()
        self.db.set_trace_callback(lambda sql: seen.update(re.findall(r"/\* sql/merge/(\w+\.sql): (\w+) \*/", sql)))
        self.db.execute("SELECT chipid FROM c WHERE item = 'a'").fetchall()
        self.db.execute("INSERT INTO c(c) VALUES ('integrity-check')")
        self.db.set_trace_callback(None)
        texts = statements()
        self.assertTrue({name for _, name in seen} >= {"item_scan_item", "block_scan", "config_get"}, seen)
        for path, name in seen:
            self.assertEqual(texts[name][0], path)


if __name__ == "__main__":
    host.main()
