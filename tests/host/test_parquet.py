"""GeoParquet: what stacchip_export() writes, stacchip_parquet reads back, and others agree."""
import glob
import json
import math
import os
import shutil
import sqlite3
import struct
import subprocess
import tempfile
import unittest

import host
import merge_rows

NODE = os.path.join(host.ROOT, "tests", "host", "node")
HAS_NODE = shutil.which("node") is not None and os.path.isdir(os.path.join(NODE, "node_modules", "@duckdb"))
needs_node = unittest.skipUnless(HAS_NODE, "make node-deps gives the independent readers")
COLUMNS = "chipid,platform,item,date,chip_index_x,chip_index_y,cloud_cover_percentage,nodata_percentage,geometry".split(",")
FIXTURES = os.path.join(host.SHARED, "fixtures", "geoparquet")


def f32(x):
    return None if x is None else struct.unpack("f", struct.pack("f", x))[0]


def node(script, path, columns):
    """What another reader says of a file."""
    env = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "ASAN_OPTIONS")}
    r = subprocess.run(["node", os.path.join(NODE, script), path, *columns], capture_output=True, text=True, env=env)
    if r.returncode:
        raise AssertionError(f"{script} {path}: {r.stderr.strip()[-500:]}")
    return json.loads(r.stdout)


def fill(db, n=5000):
    """A table of chips: several items, nulls, odd names, a chip across the antimeridian."""
    db.execute("CREATE TABLE chips(chipid TEXT, platform TEXT, item TEXT, date TEXT, chip_index_x INT, chip_index_y INT,"
               " cloud_cover_percentage REAL, nodata_percentage REAL, geometry BLOB, datetime TEXT, row TEXT)")
    db.execute(f"""WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n < {n - 1})
        INSERT INTO chips SELECT 'item ' || (n / 400) || '-' || (n % 20) || '-' || (n % 400 / 20),
          CASE n / 400 % 3 WHEN 0 THEN 'sentinel-2-l2a' WHEN 1 THEN 'naip' ELSE 'modis' END, 'item ' || (n / 400),
          CASE WHEN n / 400 % 5 < 4 THEN date('2019-12-30', '+' || (n / 400) || ' days') END, n % 20, n % 400 / 20,
          CASE WHEN n % 11 THEN (n % 65537) / 65536.0 END, (n % 4) / 3.0,
          CASE WHEN n % 13 THEN BuildMbr(-120 + n / 400 * 0.5 + n % 20 * 0.02, 30 + n % 400 / 20 * 0.02,
                                         -119.98 + n / 400 * 0.5 + n % 20 * 0.02, 30.02 + n % 400 / 20 * 0.02, 4326) END,
          '2020-01-01T10:00:00Z', 'h' || n FROM i""")
    multi = db.execute("SELECT GeomFromText('MULTIPOLYGON(((179.9 0, 180 0, 180 1, 179.9 1, 179.9 0)),"
                       "((-180 0, -179.9 0, -179.9 1, -180 1, -180 0)))', 4326)").fetchone()[0]
    db.execute("INSERT INTO chips VALUES ('\u00e9/..\"''-0-0', 'none', '../\u00e9 %41', '2024-02-29', 0, 65535, 1, 0, ?, NULL, NULL)", (multi,))


def rows_of(db, source="chips", where="1"):
    rows = db.execute(f"SELECT {','.join(COLUMNS)} FROM {source} WHERE {where}").fetchall()
    rows = [r[:6] + (f32(r[6]), f32(r[7]), r[8]) for r in rows]
    return sorted(rows, key=lambda r: (r[0], r[2] or ""))


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)
        self.db = host.connect()
        self.addCleanup(self.db.close)

    def path(self, name="i.parquet"):
        return os.path.join(self.dir, name)

    def export(self, options=None, name="i.parquet", table="chips"):
        n = self.db.execute("SELECT stacchip_export(?, ?, ?)", (table, self.path(name), options and json.dumps(options))).fetchone()[0]
        return n

    def read(self, name="i.parquet", where="1"):
        rows = self.db.execute(f"SELECT * FROM stacchip_parquet(?) WHERE {where}", (self.path(name),)).fetchall()
        return sorted(rows, key=lambda r: (r[0], r[2]))

    def fails(self, pattern, sql, *args):
        with self.assertRaisesRegex(sqlite3.Error, pattern):
            self.db.execute(sql, args).fetchall()


class RoundTrip(Case):
    def test_every_codec_and_sort_gives_the_rows_back(self):
        fill(self.db)
        expected = rows_of(self.db)
        for options in (None, {"compression": "snappy"}, {"compression": "gzip"}, {"compression": "none"}, {"sort": "none"},
                        {"sort": ["date", "chipid DESC"]}, {"sort": "item, chip_index_y"}, {"row_group_size": 7},
                        {"geoparquet": "2.0"}):
            with self.subTest(options=options):
                self.assertEqual(self.export(options), len(expected))
                self.assertEqual(self.read(), expected)

    def test_many_row_groups_and_batches_give_the_rows_back(self):
        fill(self.db, 30000)
        expected = rows_of(self.db)
        for options in ({"row_group_size": 4001}, {"sort": "none", "row_group_size": 4001}, {"sort": "none"}):
            with self.subTest(options=options):
                self.assertEqual(self.export(options), len(expected))
                self.assertEqual(self.read(), expected)

    def test_export_of_an_import_is_equal(self):
        fill(self.db)
        self.export()
        self.db.execute(f"CREATE TABLE again AS SELECT * FROM stacchip_parquet('{self.path()}')")
        self.export(name="again.parquet", table="again")
        self.assertEqual(self.read("again.parquet"), self.read())

    def test_trees_of_both_styles_give_the_rows_back(self):
        fill(self.db)
        expected = rows_of(self.db)
        for style in ("directory", "hive"):
            with self.subTest(style=style):
                n = self.export({"partition_by": ["platform", "item"], "partition_style": style}, name=style)
                self.assertEqual(n, len(expected))
                self.assertEqual(self.read(style), expected)
                self.assertEqual(self.read(style + "/**/*.parquet"), expected)
                self.assertEqual(self.read(style, "item = 'item 3' AND chip_index_x < 4"),
                                 rows_of(self.db, where="item = 'item 3' AND chip_index_x < 4"))
        self.export({"partition_by": ["platform", "date"], "partition_style": "hive"}, name="days")
        self.assertEqual(self.read("days"), expected)
        day = expected[0][3]
        self.assertEqual(self.read("days", f"date = '{day}'"), rows_of(self.db, where=f"date = '{day}'"))
        self.assertTrue(os.path.exists(self.path("directory/index/naip/item%201/index_item%201.parquet")))
        self.assertTrue(os.path.exists(self.path("hive/platform=naip/item=item%201/index_item%201.parquet")))

    def test_trees_keep_rows_without_a_partition_value(self):
        fill(self.db, 2000)
        self.db.execute("UPDATE chips SET platform = NULL WHERE rowid % 3 = 0")
        self.db.execute("UPDATE chips SET platform = '' WHERE rowid % 3 = 1")
        self.db.execute("UPDATE chips SET item = iif(rowid % 2, NULL, '') WHERE rowid % 5 = 0")
        self.db.execute("UPDATE chips SET item = '_x', platform = '__HIVE_DEFAULT_PARTITION__' WHERE rowid % 5 = 1")
        key = lambda r: (r[0], str(r[2]))
        for style in ("directory", "hive"):
            for columns in (["platform", "item"], ["item"], ["platform", "date"]):
                with self.subTest(style=style, columns=columns):
                    name = style + "-".join(columns)
                    self.export({"partition_by": columns, "partition_style": style}, name=name)
                    # Hive knows no empty text: it is NULL there
                    wanted = lambda r, i, c: None if style == "hive" and c in columns and r[i] == "" else r[i]
                    expected = [r[:1] + (wanted(r, 1, "platform"), wanted(r, 2, "item")) + r[3:] for r in rows_of(self.db)]
                    got = self.db.execute("SELECT * FROM stacchip_parquet(?)", (self.path(name),)).fetchall()
                    self.assertEqual(sorted(got, key=key), sorted(expected, key=key))

    def test_platform_and_item_come_from_folders(self):
        fill(self.db)
        self.db.execute("DELETE FROM chips WHERE item LIKE '..%'")
        keep = [c for c in COLUMNS if c not in ("platform", "item")]
        for item in (1, 2):
            self.export({"columns": keep, "where": f"item = 'item {item}'"}, name=f"index/naip/it{item}/index_it{item}.parquet")
        got = self.db.execute("SELECT DISTINCT platform, item FROM stacchip_parquet(?)", (self.path("index"),)).fetchall()
        self.assertEqual(got, [("naip", "it1"), ("naip", "it2")])
        got = self.db.execute("SELECT count(*) FROM stacchip_parquet(?) WHERE item = 'it2' AND platform = 'naip'", (self.path("index"),)).fetchone()
        self.assertEqual(got, (400,))

    def test_empty_tables_give_files_without_rows(self):
        fill(self.db)
        self.assertEqual(self.export({"where": "0"}), 0)
        self.assertEqual(self.read(), [])
        self.assertEqual(self.export({"where": "0", "partition_by": ["item"]}, name="tree"), 0)

    def test_hidden_columns_come_when_asked_for(self):
        fill(self.db, 10)
        self.export({"columns": ["chipid", "datetime", "row"]})
        self.db.execute(f"CREATE VIRTUAL TABLE t USING stacchip_parquet('{self.path()}')")
        self.assertEqual(sorted(self.db.execute("SELECT * FROM t").fetchall(), key=str),
                         sorted(self.db.execute("SELECT chipid, datetime, row FROM chips").fetchall(), key=str))

    def test_views_and_schemas_are_exported(self):
        fill(self.db, 50)
        self.db.execute("CREATE TEMP VIEW v AS SELECT * FROM main.chips WHERE chip_index_x = 1")
        self.assertEqual(self.export(table="v"), 3)
        self.assertEqual(self.export(table="temp.v"), 3)
        self.db.execute("ALTER TABLE chips RENAME TO \"odd.na\"\"me\"")
        self.assertEqual(self.export(table='odd.na"me'), 51)


class MergedIndex(Case):
    """A merged index is read by its own tables: the rows must be those of the virtual table."""

    def setUp(self):
        super().setUp()
        self.db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)")
        merge_rows.fill_source(self.db, 7)
        self.db.execute("INSERT INTO chips SELECT * FROM src")
        more = "INSERT INTO chips(item, platform, collection, date, datetime, grid, chip_index_x, chip_index_y, cloud_cover_percentage, geometry) VALUES"
        rows = [("a" * 300, "s2", "c", "2024-02-29", "2024-02-29T01:02:03.5Z", "g", 65535, 0, None, merge_rows.polygon(1, 1)),
                ("B", None, None, None, None, None, 0, 65535, .25, merge_rows.belt(3)), ("B", "x", "c", None, None, None, 1, 2, None, merge_rows.belt(-3))]
        for r in rows:
            self.db.execute(f"{more}({','.join('?' * len(r))})", r)

    def compare(self, columns, table="chips"):
        list_ = ", ".join(columns)
        self.db.execute("DROP TABLE IF EXISTS temp.copy")
        self.db.execute(f"CREATE TEMP TABLE copy AS SELECT {list_} FROM {table}")
        files = []
        for source in (table, "temp.copy"):
            self.export({"columns": columns, "sort": "hilbert" if "geometry" in columns else "none"}, name="m.parquet", table=source)
            self.db.execute("DROP TABLE IF EXISTS m")
            self.db.execute(f"CREATE VIRTUAL TABLE m USING stacchip_parquet('{self.path('m.parquet')}')")
            files.append(sorted(self.db.execute(f"SELECT {list_} FROM m").fetchall(), key=repr))
        self.assertEqual(files[0], files[1])
        self.assertEqual(len(files[0]), self.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def test_each_choice_of_columns_is_that_of_the_virtual_table(self):
        hidden = ["datetime", "collection", "grid"]
        for columns in (COLUMNS, COLUMNS + hidden, ["chipid"], ["chipid", "item"], ["geometry", "chipid", "chip_index_y", "chip_index_x", "item"],
                        ["chip_index_x", "chip_index_y", "date"], COLUMNS + ["row", "col_off", "row_off"]):
            with self.subTest(columns=columns):
                self.compare(list(columns))

    def test_rows_of_an_open_transaction_are_there(self):
        self.db.execute("BEGIN")
        self.db.execute("DELETE FROM chips WHERE item = 'I3'")
        self.db.execute("UPDATE src SET item = 'new' WHERE item = 'I4'")
        self.db.execute("INSERT INTO chips SELECT * FROM src WHERE item = 'new'")
        self.compare(list(COLUMNS))
        self.db.execute("ROLLBACK")
        self.compare(list(COLUMNS))

    def test_names_mean_what_they_mean_elsewhere(self):
        self.db.execute("CREATE TEMP TABLE chips AS SELECT * FROM src LIMIT 5")
        self.assertEqual(5, self.export())
        self.assertEqual(703, self.export(table="main.chips"))
        self.assertEqual(703, self.export(table="main.CHIPS"))
        self.db.execute("DROP TABLE temp.chips")
        self.db.execute("VACUUM INTO ?", (self.path("other.db"),))
        self.db.execute("ATTACH ? AS other", (self.path("other.db"),))
        self.db.execute("DELETE FROM chips WHERE item = 'I0'")
        self.assertEqual((603, 703), (self.export(), self.export(table="other.chips")))

    def test_damaged_tables_are_errors(self):
        for damage, message in (("UPDATE chips_chip SET item_id = 99 WHERE id = 5", "item 99 of a chip is missing"),
                                ("UPDATE chips_chip SET chip_index_x = 70000 WHERE id = 5", "0 to 65535"), ("UPDATE chips_chip SET chip_index_y = -1 WHERE id = 5", "0 to 65535"),
                                ("UPDATE chips_chip SET geometry = x'00' WHERE id = 5", "geometry"), ("UPDATE chips_item SET date = 'soon' WHERE id = 2", "soon"),
                                ("UPDATE chips_item SET item = x'00' WHERE id = 2", "expected text")):
            with self.subTest(damage=damage):
                self.db.execute("SAVEPOINT s")
                self.db.execute(damage)
                self.fails(message, "SELECT stacchip_export('chips', ?)", self.path("x.parquet"))
                self.db.execute("ROLLBACK TO s")
                self.assertFalse(os.path.exists(self.path("x.parquet")))

    def test_the_function_that_takes_rows_is_for_nobody_else(self):
        self.fails("is for stacchip_export", "SELECT stacchip_export_row(1, 2)")
        self.fails("is for stacchip_export", "SELECT stacchip_export_row()")


class Pruning(Case):
    WHERES = ["date = '2020-01-01'", "date >= '2020-01-03'", "date < '2020'", "date IS NULL", "item = 'item 3'", "item > 'item 5'",
              "platform = 'naip'", "cloud_cover_percentage < 0.01", "cloud_cover_percentage > 0.5", "nodata_percentage = 0", "chipid = 'item 3-1-1'",
              "chip_index_x = 3", "chip_index_x > 18.5", "chip_index_y BETWEEN 2 AND '3'", "chipid COLLATE NOCASE = 'ITEM 3-1-1'",
              "item IN ('item 1', 'item 2')", "ST_Intersects(geometry, BuildMbr(-118.9, 30.1, -118.8, 30.15, 4326))",
              "MbrIntersects(geometry, BuildMbr(-118.9, 30.1, -118.8, 30.15, 4326))", "ST_Within(geometry, BuildMbr(-119, 30, -118, 31, 4326))",
              "ST_Intersects(geometry, BuildMbr(179.95, 0, 179.96, 1, 4326))", "ST_Intersects(geometry, BuildMbr(100, 0, 110, 1, 4326))",
              "ST_Intersects(geometry, NULL)", "chip_index_x < 'a'", "date > 5"]

    def test_each_filter_gives_what_the_table_gives(self):
        fill(self.db)
        for options in ({"row_group_size": 300}, {"row_group_size": 300, "geoparquet": "2.0", "sort": "item"}, {"partition_by": ["platform", "item"]}):
            name = "tree" if "partition_by" in options else "i.parquet"
            self.export(options, name=name)
            for where in self.WHERES:
                with self.subTest(options=options, where=where):
                    # SpatiaLite's predicates give -1, which is true, for NULL; ours do not find those rows
                    plain = "0" if "NULL)" in where else where + " AND geometry IS NOT NULL" if "geometry" in where else where
                    self.assertEqual(self.read(name, where), rows_of(self.db, where=plain))

    def test_a_box_reads_little_of_the_file(self):
        fill(self.db, 100000)
        self.export({"row_group_size": 20000})
        before = bytes_read()
        n = self.db.execute("SELECT count(*) FROM (SELECT * FROM stacchip_parquet(?) WHERE ST_Intersects(geometry, BuildMbr(-100, 30, -99.9, 30.1, 4326)))",
                            (self.path(),)).fetchone()[0]
        used = bytes_read() - before
        self.assertEqual(n, self.db.execute("SELECT count(*) FROM chips WHERE geometry IS NOT NULL AND ST_Intersects(geometry, BuildMbr(-100, 30, -99.9, 30.1, 4326))").fetchone()[0])
        self.assertLess(used, os.path.getsize(self.path()) / 3)

    def test_folder_names_keep_files_shut(self):
        fill(self.db)
        for style in ("directory", "hive"):
            self.export({"partition_by": ["platform", "item"], "partition_style": style}, name=style)
            damaged = glob.glob(self.path(style) + "/**/index_item%205.parquet", recursive=True)
            self.assertEqual(len(damaged), 1)
            with open(damaged[0], "wb") as f:
                f.write(b"damaged")
            for where in ("item = 'item 3'", "item < 'item 2'", "platform = 'naip'"):
                with self.subTest(style=style, where=where):
                    self.assertEqual(self.read(style, where), rows_of(self.db, where=where))
            for where in ("1", "item = 'item 5'", "platform = 'modis'", "chip_index_x = 1"):
                with self.subTest(style=style, where=where):
                    self.fails("not a Parquet file", f"SELECT * FROM stacchip_parquet(?) WHERE {where}", self.path(style))
            self.fails("not a Parquet file", "SELECT * FROM stacchip_parquet(?) WHERE item = 'item 3'", damaged[0])

    def test_however_a_tree_is_cut_each_filter_gives_what_the_table_gives(self):
        fill(self.db, 3000)
        cuts = (["date"], ["platform"], ["item"], ["platform", "item"], ["item", "platform"], ["item", "date"], ["date", "item"], ["platform", "date"])
        for by in cuts:
            for style in ("directory", "hive"):
                name = "-".join(by) + style
                self.export({"partition_by": by, "partition_style": style}, name=name)
                for where in ("1", "item = 'item 3'", "item >= 'item 2' AND item < 'item 5'", "platform = 'naip'", "item = 'item 1' AND platform = 'naip'",
                              "platform > 'm' AND item <> 'item 1'", "date = '2020-01-01'", "item = '2020-01-01'", "platform = 'item 1'"):
                    with self.subTest(by=by, style=style, where=where):
                        self.assertEqual(self.read(name, where), rows_of(self.db, where=where))

    def test_a_files_name_does_not_outweigh_its_rows(self):
        fill(self.db, 2000)
        self.export({"partition_by": ["platform", "item"]}, name="tree")
        paths = sorted(glob.glob(self.path("tree") + "/**/index_item*.parquet", recursive=True))
        a, b = paths[1], paths[2]
        os.rename(a, a + ".aside"), os.rename(b, a), os.rename(a + ".aside", b)  # each under the other's name
        for where in ("item = 'item 0'", "item = 'item 1'", "item = 'item 3'", "platform = 'modis'", "item > 'item 1'"):
            with self.subTest(where=where):
                self.assertEqual(self.read("tree", where), rows_of(self.db, where=where))

    def test_names_are_no_columns_of_a_tree_cut_by_others(self):
        fill(self.db, 1000)
        for style in ("directory", "hive"):
            self.export({"partition_by": ["date"], "partition_style": style, "columns": ["chip_index_x", "chip_index_y"]}, name=style)
            rows = self.db.execute("SELECT DISTINCT platform, item FROM stacchip_parquet(?)", (self.path(style),)).fetchall()
            self.assertEqual(rows, [(None, None)])

    def test_joins_and_several_scans_work(self):
        fill(self.db)
        self.export()
        sql = "SELECT count(*) FROM stacchip_parquet(?1) a JOIN stacchip_parquet(?1) b ON a.chipid = b.chipid WHERE a.item = 'item 1'"
        self.assertEqual(self.db.execute(sql, (self.path(),)).fetchone()[0], 400)
        sql = "SELECT count(*) FROM (SELECT ? AS p) f JOIN stacchip_parquet(f.p)"
        self.assertEqual(self.db.execute(sql, (self.path(),)).fetchone()[0], 5001)


    def test_the_path_is_found_in_every_form_of_condition_and_join(self):
        fill(self.db, 800)
        self.export()
        either = "chip_index_x = 1 OR chip_index_y = 2"
        n = self.db.execute(f"SELECT count(*) FROM chips WHERE {either}").fetchone()[0]
        self.db.execute("CREATE TEMP TABLE p AS SELECT ?1 AS path UNION ALL SELECT ?1", (self.path(),))
        source = f"stacchip_parquet('{self.path()}')"
        for tables, times in ((source, 1), ("p, stacchip_parquet(p.path)", 2), ("stacchip_parquet(p.path), p", 2), ("p CROSS JOIN stacchip_parquet(p.path)", 2),
                              ("p LEFT JOIN stacchip_parquet(p.path)", 2), (f"{source} RIGHT JOIN p", 2), (f"{source} CROSS JOIN p", 2)):
            with self.subTest(tables=tables):
                self.assertEqual(self.db.execute(f"SELECT count(*) FROM {tables} WHERE {either}").fetchone()[0], n * times)
        for tables in ("stacchip_parquet", "stacchip_parquet(p.path) x CROSS JOIN p"):
            self.fails("needs a path|no query solution", f"SELECT * FROM {tables} WHERE {either}")


def bytes_read():
    with open("/proc/self/io") as f:
        return int(f.readline().split()[1])


class Errors(Case):
    def test_arguments_are_checked(self):
        fill(self.db, 10)
        os.mkfifo(self.path("fifo"))
        for pattern, args in (("no such table", ("nothing", "x.parquet")), ("expected a text", ("chips", None)), ("expected a text", ("chips", 5)),
                              ("not a JSON object", ("chips", "x.parquet", "[]")), ("unknown option 'sorted'; options: .*sort", ("chips", "x.parquet", '{"sorted":1}')),
                              ("zstd", ("chips", "x.parquet", '{"compression":"lzma"}')), ("whole number", ("chips", "x.parquet", '{"row_group_size":0}')),
                              ("'nope' is not one of chipid", ("chips", "x.parquet", '{"columns":["nope"]}')), ("'columns'", ("chips", "x.parquet", '{"columns":[]}')),
                              ("no such column", ("chips", "x.parquet", '{"columns":["grid"]}')), ("no such column", ("chips", "x.parquet", '{"sort":"nope"}')),
                              ("where|syntax", ("chips", "x.parquet", '{"where":"1) ; DELETE FROM chips; --"}')), ("1.1", ("chips", "x.parquet", '{"geoparquet":"3"}')),
                              ("not one condition", ("chips", "x.parquet", '{"where":"1) OR (1"}')), ("not one condition", ("chips", "x.parquet", '{"where":"1) ORDER BY (1"}')),
                              ("syntax error", ("chips", "x.parquet", '{"where":"1 ORDER BY 1"}')), ("'path' has a NUL", ("chips", self.path("x") + "\0.parquet")),
                              ("together with partition_by", ("chips", "x.parquet", '{"partition_style":"hive"}')), ("GDAL /vsi prefix", ("chips", "/vsimem/x.parquet")),
                              ("GDAL /vsi prefix", ("chips", "/vsis3/b/x", '{"partition_by":["item"]}')), ("exists and is not a regular file", ("chips", self.path("fifo"))),
                              ("is a folder", ("chips", self.dir)), ("x.csv: Parquet is what is written; end the path in .parquet", ("chips", self.path("x.csv"))), ("cannot be written to", ("chips", "https://host/x.parquet")),
                              ("cannot create", ("chips", "/proc/x.parquet")), ("partition_by", ("chips", "x", '{"partition_by":["geometry"]}'))):
            with self.subTest(args=args):
                self.fails(pattern, f"SELECT stacchip_export({','.join('?' * len(args))})", *args)
        self.assertEqual(self.db.execute("SELECT count(*) FROM chips").fetchone()[0], 11)
        self.assertEqual(os.listdir(self.dir), ["fifo"])
        self.assertEqual(self.export({"where": "chip_index_x >= 0 -- all\n"}, table="chips"), 11)

    def test_a_failed_export_leaves_nothing(self):
        fill(self.db, 3000)
        self.db.execute("UPDATE chips SET date = 'yesterday' WHERE rowid = 2000")
        for options in ('{}', '{"sort":"none","row_group_size":100}', '{"partition_by":["item"]}'):
            self.fails("column 'date': expected a date YYYY-MM-DD, found yesterday", "SELECT stacchip_export('chips', ?, ?)", self.path("sub/x"), options)
            left = [f for _, _, files in os.walk(self.dir) for f in files]
            self.assertEqual(left, [])

    def test_values_that_do_not_fit_are_errors(self):
        for column, value, pattern in (("chip_index_x", "65536", "0 to 65535"), ("chip_index_x", "-1", "0 to 65535"), ("chip_index_y", "'a'", "whole number"),
                                       ("cloud_cover_percentage", "'much'", "number"), ("geometry", "'POINT(1 1)'", "SpatiaLite"), ("geometry", "x'00'", "SpatiaLite"),
                                       ("geometry", "BuildMbr(0,0,1,1,3857)", "SRID 3857"), ("geometry", "MakePoint(1,1,4326)", "POLYGON"), ("date", "'2023-02-30'", "date")):
            with self.subTest(column=column, value=value):
                self.db.execute("DROP TABLE IF EXISTS chips")
                fill(self.db, 10)
                self.db.execute(f"UPDATE chips SET {column} = {value} WHERE rowid = 5")
                self.fails(pattern, "SELECT stacchip_export('chips', ?)", self.path())

    def test_paths_that_are_not_there_are_errors(self):
        self.fails("No such file", "SELECT * FROM stacchip_parquet('/nowhere/x.parquet')")
        self.fails("no Parquet file", "SELECT * FROM stacchip_parquet(?)", self.dir)
        self.fails("no Parquet file", "SELECT * FROM stacchip_parquet(?)", self.dir + "/*.parquet")
        self.fails("needs a path", "SELECT * FROM stacchip_parquet")
        self.fails("argument .path.: expected a text", "SELECT * FROM stacchip_parquet(5)")
        self.fails("expected CREATE VIRTUAL TABLE", "CREATE VIRTUAL TABLE t USING stacchip_parquet")
        with open(self.path("x.parquet"), "wb") as f:
            f.write(b"PAR1 no such thing, and more")
        self.fails("x.parquet: not a Parquet file", "SELECT * FROM stacchip_parquet(?)", self.path("x.parquet"))
        with open(self.path("e.parquet"), "wb") as f:
            f.write(b"PARE" + b"\0" * 20 + b"PARE")
        self.fails("encrypted", "SELECT * FROM stacchip_parquet(?)", self.path("e.parquet"))

    def test_the_process_says_which_folders_are_open(self):
        fill(self.db, 10)
        self.export(name="in/i.parquet")
        shutil.copy(self.path("in/i.parquet"), self.path("out.parquet"))
        self.addCleanup(self.db.execute, "SELECT stacchip_config('local_roots', NULL)")
        for rule, may in ((self.path("in"), True), ("deny", False)):
            self.db.execute("SELECT stacchip_config('local_roots', ?)", (rule,))
            if may:
                self.assertEqual(len(self.read("in/i.parquet")), 11)
                self.assertEqual(self.export(name="in/new/i.parquet"), 11)
            else:
                self.fails("denied", "SELECT * FROM stacchip_parquet(?)", self.path("in/i.parquet"))
            self.fails("local files are", "SELECT * FROM stacchip_parquet(?)", self.path("out.parquet"))
            self.fails("local files are", f"CREATE VIRTUAL TABLE t USING stacchip_parquet('{self.path('out.parquet')}')")
            for path in ("x.parquet", "in/fresh/../../x.parquet"):
                self.fails("local files are", "SELECT stacchip_export('chips', ?)", self.path(path))
            self.assertFalse(os.path.exists(self.path("x.parquet")))

    def test_views_in_a_database_may_not_open_files(self):
        fill(self.db, 10)
        self.export()
        self.db.execute(f"CREATE VIEW v AS SELECT * FROM stacchip_parquet('{self.path()}')")
        self.fails("unsafe", "SELECT * FROM v")
        self.db.execute(f"CREATE VIEW w AS SELECT stacchip_export('chips', '{self.path('y')}')")
        self.fails("unsafe", "SELECT * FROM w")

    def rewrite_geo(self, **column):
        """Put other members into the geo key of the exported file, whose length it keeps."""
        with open(self.path(), "rb") as f:
            data = f.read()
        begin = data.rindex(b'{"version":"1.1.0","primary_column"')
        geo, size = json.JSONDecoder().raw_decode(data[begin:].decode("latin-1"))
        del geo["columns"]["geometry"]["covering"], geo["columns"]["geometry"]["geometry_types"]
        geo["columns"]["geometry"].update(column)
        with open(self.path(), "wb") as f:
            f.write(data[:begin] + json.dumps(geo).encode().ljust(size) + data[begin + size:])

    def test_geometry_in_another_crs_or_encoding_is_an_error(self):
        fill(self.db, 10)
        mercator = {"type": "ProjectedCRS", "id": {"authority": "EPSG", "code": 3857}}
        for column, pattern in (({"crs": mercator}, "i.parquet: column 'geometry' is in EPSG:3857"), ({"encoding": "polygon"}, "column 'geometry' has the encoding 'polygon'")):
            self.export()
            self.rewrite_geo(**column)
            self.fails(pattern, "SELECT * FROM stacchip_parquet(?)", self.path())
            self.fails(pattern, "SELECT chipid FROM stacchip_parquet(?) WHERE ST_Intersects(geometry, BuildMbr(0, 0, 1, 1, 4326))", self.path())
            self.assertEqual(self.db.execute("SELECT count(chipid) FROM stacchip_parquet(?)", (self.path(),)).fetchone()[0], 11)

    def test_an_unknown_crs_is_not_taken_for_4326(self):
        fill(self.db, 10)
        self.export({"where": "geometry IS NOT NULL"})
        self.rewrite_geo(crs=None)
        self.assertEqual(self.db.execute("SELECT DISTINCT SRID(geometry) FROM stacchip_parquet(?)", (self.path(),)).fetchall(), [(0,)])
        self.db.execute("CREATE VIRTUAL TABLE m USING stacchip_merge(max_nodata=1)")
        self.fails(r"SetSRID\(geometry, 4326\)", "INSERT INTO m SELECT * FROM stacchip_parquet(?)", self.path())
        columns = ",".join(COLUMNS)
        self.db.execute(f"INSERT INTO m({columns}) SELECT {columns.replace('geometry', 'SetSRID(geometry, 4326)')} FROM stacchip_parquet(?)", (self.path(),))
        self.assertEqual(self.db.execute("SELECT count(*) FROM m").fetchone()[0], self.db.execute("SELECT count(*) FROM chips WHERE geometry IS NOT NULL").fetchone()[0])

    def test_other_srids_are_errors(self):
        fill(self.db, 10)
        self.export()
        self.fails("ST_Transform", "SELECT * FROM stacchip_parquet(?) WHERE ST_Intersects(geometry, BuildMbr(0,0,1,1,3857))", self.path())


@needs_node
class OtherReaders(Case):
    def group_rows(self):
        script = ("const {DuckDBInstance} = require('@duckdb/node-api'); (async () => {"
                  "const c = await (await DuckDBInstance.create(':memory:')).connect();"
                  "const r = await c.runAndReadAll(`SELECT DISTINCT row_group_id, row_group_num_rows FROM parquet_metadata('${process.argv[1]}') ORDER BY 1`);"
                  "console.log(JSON.stringify(r.getRows().map(g => Number(g[1]))))})()")
        env = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "ASAN_OPTIONS")}
        return json.loads(subprocess.run(["node", "-e", script, self.path()], cwd=NODE, env=env, capture_output=True, text=True, check=True).stdout)

    def test_row_groups_have_the_rows_asked_for(self):
        fill(self.db)
        for options in ({"row_group_size": 1001}, {"row_group_size": 1001, "sort": "none"}):
            self.export(options)
            self.assertEqual(self.group_rows(), [1001] * 4 + [997])

    def test_long_texts_end_a_row_group(self):
        fill(self.db, 200)  # one item, whose name of a megabyte is kept once until it is written
        self.db.execute("UPDATE chips SET item = (SELECT replace(hex(zeroblob(500000)), '0', 'i')), chipid = 'c' || rowid")
        self.export()
        first, second = self.group_rows()
        self.assertTrue(100 < first < 140 and first + second == 201)
        self.assertEqual(self.db.execute("SELECT count(*), min(length(item)) FROM stacchip_parquet(?)", (self.path(),)).fetchone(), (201, 1000000))

    def compare(self, options):
        n = self.export(options)
        mine = sorted(rows_of(self.db), key=lambda r: (r[0], r[2]))
        wkb = [None if r[8] is None else self.db.execute("SELECT hex(AsBinary(?))", (r[8],)).fetchone()[0] for r in mine]
        for script in ("duck.js", "hyparquet.mjs"):
            got = sorted(node(script, self.path(), COLUMNS), key=lambda r: (r[0], r[2]))
            self.assertEqual(len(got), n)
            for a, b, w in zip(got, mine, wkb):
                self.assertEqual(a[:4], list(b[:4]))
                self.assertEqual([int(v) for v in a[4:6]], list(b[4:6]))
                self.assertEqual([None if v is None else float(v) for v in a[6:8]], list(b[6:8]))
                if script == "duck.js" or options is None:
                    self.assertEqual(a[8], w) if script == "duck.js" else None
        return n

    def test_duckdb_and_hyparquet_read_our_files(self):
        fill(self.db)
        for options in (None, {"compression": "snappy", "row_group_size": 1000}, {"compression": "gzip"}, {"compression": "none"}, {"sort": "none"},
                        {"geoparquet": "2.0"}):
            with self.subTest(options=options):
                self.compare(options)

    def test_bbox_covers_each_geometry(self):
        fill(self.db)
        self.export()
        boxes = {r[0]: r[1:] for r in node("duck.js", self.path(), ["chipid", "bbox.xmin", "bbox.ymin", "bbox.xmax", "bbox.ymax"])}
        for chipid, *box in self.db.execute("SELECT chipid, MbrMinX(geometry), MbrMinY(geometry), MbrMaxX(geometry), MbrMaxY(geometry) FROM chips"):
            got = boxes[chipid]
            if box[0] is None:
                self.assertEqual(got, [None] * 4)
                continue
            got = [float(v) for v in got]
            self.assertTrue(got[0] <= box[0] and got[1] <= box[1] and got[2] >= box[2] and got[3] >= box[3])
            self.assertTrue(all(abs(a - b) < 2e-5 for a, b in zip(got, box)))


class Metadata(Case):
    def keys(self):
        """Key-values of the footer, found without a Parquet reader."""
        with open(self.path(), "rb") as f:
            data = f.read()
        size = struct.unpack("<I", data[-8:-4])[0]
        return data[-8 - size:-8]

    def geo(self):
        footer = self.keys()
        begin = footer.index(b'{"version"', footer.index(b"geo\x18"))
        return json.JSONDecoder().raw_decode(footer[begin:].decode("utf-8", "replace"))[0]

    def test_geo_key_follows_the_specification(self):
        fill(self.db)
        for version, options in (("1.1.0", None), ("2.0-dev", {"geoparquet": "2.0"})):
            self.export(options)
            geo = self.geo()
            column = geo["columns"]["geometry"]
            self.assertEqual((geo["version"], geo["primary_column"], column["encoding"]), (version, "geometry", "WKB"))
            self.assertEqual(column["geometry_types"], ["Polygon", "MultiPolygon"])
            self.assertEqual(column["bbox"], [-180, 0, 180, 30.4])
            self.assertEqual(column["covering"]["bbox"]["ymax"], ["bbox", "ymax"])

    @host.needs_shared
    def test_geo_key_has_what_the_schema_requires(self):
        fill(self.db, 20)
        self.export({"geoparquet": "2.0"})
        with open(os.path.join(FIXTURES, "opengeospatial-geoparquet__schema.json"), encoding="utf-8") as f:
            schema = json.load(f)
        geo = self.geo()
        self.assertTrue(set(schema["required"]) <= set(geo))
        self.assertIn(geo["version"], [schema["properties"]["version"].get("const", geo["version"])])
        column_schema = list(schema["properties"]["columns"]["patternProperties"].values())[0]
        self.assertTrue(set(column_schema["required"]) <= set(geo["columns"]["geometry"]))
        for name, rule in column_schema["properties"].items():
            if name in geo["columns"]["geometry"] and "const" in rule:
                self.assertEqual(geo["columns"]["geometry"][name], rule["const"])

    def test_a_merged_index_leaves_its_options(self):
        fill(self.db, 20)
        self.db.execute("CREATE TABLE chips_item(options TEXT, rule TEXT, chip_size_px INT, stride_px INT, edge TEXT)")
        self.db.execute("""INSERT INTO chips_item VALUES ('{"chip_size":256,"stride":128}', '{"name":"naip"}', 256, 128, 'drop'), (NULL, NULL, 512, 256, 'pad')""")
        self.export()
        options = b'[{"chip_size":256,"stride":128},{"chip_size":512,"stride":256,"edge":"pad"}]'
        self.assertIn(b'"options":' + options + b',"rules":[{"name":"naip"}]', self.keys())


class AnyFile(Case):
    def table(self, path):
        self.db.execute("DROP TABLE IF EXISTS t")
        self.db.execute(f"CREATE VIRTUAL TABLE t USING stacchip_parquet('{path}')")
        return [r[1] for r in self.db.execute("PRAGMA table_xinfo(t)") if r[6] == 0]

    def agree(self, path):
        columns = self.table(path)
        ours = self.db.execute("SELECT * FROM t").fetchall()
        theirs = node("duck.js", path, columns)
        self.assertEqual(len(ours), len(theirs))
        for a, b in zip(ours, theirs):
            for name, x, y in zip(columns, a, b):
                self.assertTrue(self.same(x, y), f"{name}: ours {x!r:.80}, DuckDB {y!r:.80}")

    def same(self, ours, theirs):
        if ours is None or theirs is None:
            return ours is None and theirs is None or (ours is None and theirs == "NaN")
        if isinstance(ours, bytes):
            return ours.hex().upper() == theirs
        if isinstance(ours, (int, float)):
            return float(ours) == float(theirs)
        if len(ours) > 18 and ours[10] == "T" and len(theirs) == 26:  # timestamps of any precision
            return ours.rstrip("Z").ljust(26, "0")[:26] == theirs
        return ours == theirs


@needs_node
class DuckFiles(AnyFile):
    def test_every_type_codec_and_encoding_agrees(self):
        subprocess.run(["node", os.path.join(NODE, "make.js"), self.dir], check=True,
                       env={k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "ASAN_OPTIONS")})
        for path in sorted(glob.glob(self.dir + "/*.parquet")):
            with self.subTest(path=os.path.basename(path)):
                self.agree(path)
        for where in ("i64 = 9999", "t >= 'text 19990'", "d < '2000-01-05'", "ts_ms > '2020-01-01T05:33:10'", "f64 > 6660.5", "\"s.b.c\" = 'n77'", "dict = 'x3' AND u32 < 100"):
            self.table(self.path("v2.parquet"))
            n = self.db.execute(f"SELECT count(*) FROM t WHERE {where}").fetchone()
            self.db.execute("CREATE TEMP TABLE copy AS SELECT * FROM t")
            self.assertEqual(n, self.db.execute(f"SELECT count(*) FROM copy WHERE {where}").fetchone(), where)
            self.assertGreater(n[0], 0)
            self.db.execute("DROP TABLE temp.copy")


@host.needs_shared
class Fixtures(AnyFile):
    @needs_node
    def test_good_files_agree_with_duckdb(self):
        for path in sorted(glob.glob(FIXTURES + "/*.parquet")):
            if "__bad__" in path:
                continue
            with self.subTest(path=os.path.basename(path)):
                self.agree(path)

    def test_packed_values_without_bits_are_zeros(self):
        """Legal, though filed among bad data: fastparquet and DuckDB read 21186 rows of 0."""
        self.table(FIXTURES + "/apache-parquet-testing__bad__ARROW-GH-43605.parquet")
        self.assertEqual(self.db.execute("SELECT count(*), sum(min_fl), count(min_fl) FROM t").fetchone(), (21186, 0, 21186))

    def test_bad_files_are_errors(self):
        for path in glob.glob(FIXTURES + "/*__bad__*.parquet"):
            if path.endswith("GH-43605.parquet"):
                continue
            with self.subTest(path=os.path.basename(path)):
                with self.assertRaisesRegex(sqlite3.Error, os.path.basename(path)):
                    self.table(path)
                    self.db.execute("SELECT * FROM t").fetchall()

    def test_lists_are_hidden_columns_that_say_so(self):
        self.table(FIXTURES + "/stac-utils-stac-geoparquet__naip.parquet")
        hidden = [r[1] for r in self.db.execute("PRAGMA table_xinfo(t)") if r[6] == 1]
        self.assertTrue(hidden)
        with self.assertRaisesRegex(sqlite3.Error, "is a list or map"):
            self.db.execute(f'SELECT "{hidden[0]}" FROM t').fetchall()

    def test_files_of_something_else_are_no_index(self):
        with self.assertRaisesRegex(sqlite3.Error, "not a chip index.*CREATE VIRTUAL TABLE"):
            self.db.execute("SELECT * FROM stacchip_parquet(?)", (FIXTURES + "/opengeospatial-geoparquet__example.parquet",)).fetchall()


if __name__ == "__main__":
    host.main()
