"""stacchip_help() names what is registered, with the columns, options and defaults that hold, examples that run, and is the page of reference."""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

import host
import reference
import test_docs
import test_options

INSIDE = {"stacchip_export_row"}  # for stacchip_export() alone


class Help(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="stacchip_help_")
        test_docs.sandbox(cls.folder)
        with open(os.path.join(cls.folder, "item.json"), encoding="utf-8") as f:
            cls.search = test_docs.Search(cls.folder, {"item": json.load(f)})
        cls.before = os.getcwd()
        os.chdir(cls.folder)

    @classmethod
    def tearDownClass(cls):
        os.chdir(cls.before)
        cls.search.close()
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.db = host.connect()

    def rows(self, where, *values):
        return self.db.execute(f"SELECT function, name, type, default_value, about, example FROM stacchip_help WHERE {where}", values).fetchall()

    def test_names_what_is_registered(self):
        there = {n for n, in self.db.execute("SELECT name FROM pragma_function_list WHERE name LIKE 'stacchip%' "
                                             "UNION SELECT name FROM pragma_module_list WHERE name LIKE 'stacchip%'")}
        self.assertEqual({r[0] for r in self.rows("part = 'function'")}, there - INSIDE)

    def test_calls_have_as_many_arguments_as_are_registered(self):
        counts = {}
        for name, n in self.db.execute("SELECT name, narg FROM pragma_function_list WHERE name LIKE 'stacchip%'"):
            counts.setdefault(name, set()).add(n)
        for name in sorted(set(counts) - INSIDE):
            arguments = self.rows("function = ? AND part = 'argument'", name)
            required = sum(a[3] is None for a in arguments)
            if counts[name] != {-1}:
                self.assertEqual(set(range(required, len(arguments) + 1)), counts[name], name)

    def test_columns_are_those_of_the_table(self):
        for name, kind in [(r[0], r[2]) for r in self.rows("part = 'function' AND type IN ('table', 'virtual table')")]:
            if kind == "virtual table":
                self.db.execute(f"CREATE VIRTUAL TABLE asked USING {name}()")
            elif name == "stacchip_parquet":
                continue  # its own as a function of a path, the file's as a module
            table = "asked" if kind == "virtual table" else name
            arguments = {r[1] for r in self.rows("function = ? AND part = 'argument'", name)}
            has = [(n, hidden) for n, hidden in self.db.execute("SELECT name, hidden FROM pragma_table_xinfo(?)", (table,))]
            said = {(n, int(t.endswith("hidden"))) for _, n, t, *_ in self.rows("function = ? AND part = 'column'", name)}
            of_arguments = {"query", "size", "options"} if name == "stacchip_batches" else arguments | {"asked", "item_json" if name == "stacchip_index" else ""}
            self.assertEqual({c for c in has if c[0] not in of_arguments or c in said}, said, name)

    def test_options_are_those_that_errors_list(self):
        code = test_options.Options.lists_of_the_code()
        code.pop("chip handle")
        for name in sorted(code):
            said = {r[1] for r in self.rows("function = ? AND part IN ('option', 'argument', 'key', 'setting') AND name NOT LIKE '%.%' "
                                            "AND (part <> 'argument' OR type <> 'see the arguments')", name)}
            arguments = {r[1] for r in self.rows("function = ? AND part = 'argument'", name)} if name != "stacchip_merge" else set()
            self.assertEqual(said - arguments | (set(code[name]) & arguments), set(code[name]), name)

    def test_everything_is_said(self):
        for function, name, kind, initial, about, example in self.rows("1"):
            self.assertTrue(kind and about and not about.endswith("."), (function, name))
        self.assertFalse(self.rows("part = 'function' AND example IS NULL"))

    def test_examples_run(self):
        for function, *_, example in self.rows("part = 'function'"):
            with self.subTest(function=function):
                db = host.connect()
                statements = list(test_docs.statements(example.replace(test_docs.SEARCHED, self.search.url).replace("; ", ";\n") + ";\n"))
                self.assertIn(function, statements[-1] + statements[0])
                last = [db.execute(s).fetchall() for s in statements][-1]
                self.assertTrue(last and last[-1][-1] is not None, function)

    def test_defaults_change_nothing(self):
        """An option with the default that help shows gives what the call without it gives."""
        calls = {
            "stacchip_index": "SELECT group_concat(chipid), sum(nodata_percentage) FROM stacchip_index('item.json', ?)",
            "stacchip_chip": "SELECT stacchip_chip(row, ?) FROM (SELECT row FROM stacchip_index('item.json') LIMIT 1)",
            "stacchip_stack": "SELECT stacchip_stack(row, ?) FROM (SELECT row FROM stacchip_index('item.json') LIMIT 2)",
            "stacchip_composite": "SELECT stacchip_composite(row, ?) FROM (SELECT row FROM stacchip_index('item.json') LIMIT 1)",
            "stacchip_band_stats": "SELECT stacchip_band_stats(row, ?) FROM (SELECT row FROM stacchip_index('item.json') LIMIT 1)",
            "stacchip_batches": "SELECT group_concat(length(batch)) FROM stacchip_batches('SELECT row FROM stacchip_index(''item.json'')', 7, ?)",
            "stacchip_zonal": "SELECT stacchip_zonal('item.json', BuildMbr(-62.90, -32.62, -62.89, -32.61, 4326), ?)",
            "stacchip_sample": "SELECT stacchip_sample('item.json', MakePoint(-62.89, -32.61, 4326), ?)",
            "stacchip_mosaic": "SELECT stacchip_mosaic(row, stacchip_chip(row, '{\"assets\": \"red\"}'), ?) FROM stacchip_index('item.json')",
            "stacchip_split": "SELECT group_concat(stacchip_split(geometry, ?)) FROM stacchip_index('item.json')",
            "stacchip_rasterize": "SELECT stacchip_rasterize(row, Buffer(Centroid(geometry), 0.005), 7, ?) FROM (SELECT row, geometry FROM stacchip_index('item.json') LIMIT 1)",
            "stacchip_classes": "SELECT stacchip_classes(stacchip_chip(row, '{\"assets\": \"scl\"}'), ?) FROM (SELECT row FROM stacchip_index('item.json') LIMIT 1)",
            "stacchip_row_export": "SELECT stacchip_row_export(row, ?) FROM (SELECT row FROM stacchip_index('item.json') LIMIT 1)",
        }
        tried = 0
        for function, call in calls.items():
            without = self.db.execute(call, ("{}",)).fetchall()
            for _, name, _, initial, *_ in self.rows("function = ? AND part = 'option' AND json_valid(default_value)", function):
                if name in ("items", "seed", "on_duplicate"):  # of no use without a short handle, jitter, slots
                    continue
                options = "{%s: %s%s}" % (json.dumps(name), initial, ', "format": "npz"' if name == "valid" else "")
                if name in ("stretch", "valid"):  # of pictures and archives
                    continue
                with self.subTest(function=function, options=options):
                    self.assertEqual(self.db.execute(call, (options,)).fetchall(), without)
                    tried += 1
        self.assertGreater(tried, 40)

    def test_settings_have_the_defaults_shown(self):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("STACCHIP_") or k == "STACCHIP_EXT"}
        code = ("import host, json; db = host.connect(); print(json.dumps([(n, d, db.execute('SELECT stacchip_config(?)', (n,)).fetchone()[0]) "
                "for n, d in db.execute(\"SELECT name, default_value FROM stacchip_help('config') WHERE part = 'setting' AND json_valid(default_value)\")]))")
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**clean, "PYTHONPATH": ":".join(sys.path)}, check=True)
        settings = json.loads(run.stdout)
        self.assertGreaterEqual(len(settings), 6)
        for name, shown, holds in settings:
            self.assertEqual(shown, holds, name)

    def test_topics(self):
        count = lambda topic: self.db.execute("SELECT count(*) FROM stacchip_help(?)", (topic,)).fetchone()[0]
        self.assertEqual(count("stacchip_chip"), count("CHIP"))
        self.assertEqual({r[0] for r in self.db.execute("SELECT function FROM stacchip_help('all_touched')")}, {"stacchip_zonal", "stacchip_rasterize"})
        self.assertEqual(count(None), 0)
        both = self.db.execute("SELECT count(*) FROM stacchip_help WHERE topic = 'hash' OR topic = 'cell'").fetchone()[0]
        self.assertEqual(both, count("hash") + count("cell"))
        with self.assertRaisesRegex(sqlite3.OperationalError, "stacchip_help: 'nothing' is no function, table or option; functions and tables: index, "):
            count("nothing")

    def test_help_is_usable_in_views(self):
        self.db.execute("CREATE VIEW v AS SELECT count(*) AS n FROM stacchip_help")
        self.db.execute("PRAGMA trusted_schema = OFF")
        self.assertGreater(self.db.execute("SELECT n FROM v").fetchone()[0], 300)

    def test_page_of_reference_is_what_help_says(self):
        page = test_docs.read(os.path.join(host.ROOT, "docs", "reference.md"))
        self.assertTrue(page == reference.reference(self.db), "docs/reference.md is old: `make reference` writes it anew")


if __name__ == "__main__":
    host.main()
