"""STAC GeoParquet: the items of a file are those that their JSON gives.

stac_geoparquet/NAME.json are items of the Planetary Computer (test data of stac-geoparquet, MIT); NAME-struct.parquet (1.0: assets as
a struct, data pages v1, dictionaries) and NAME-map.parquet (1.1: assets as a map, data pages v2 of some 200 bytes, row groups of three
rows, no dictionaries) are the same items as pyarrow wrote them. The other files are DuckDB's, and their items as DuckDB reads them."""
import datetime
import glob
import json
import os
import re
import shutil
import subprocess
import sqlite3
import tempfile
import unittest

import host
import web

HERE = os.path.join(host.ROOT, "tests", "host", "stac_geoparquet")
NODE = os.path.join(host.ROOT, "tests", "host", "node")
HAS_NODE = shutil.which("node") is not None and os.path.isdir(os.path.join(NODE, "node_modules", "@duckdb"))
TIME = re.compile(r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d+)?)(?:Z|\+00(?::?00)?)$")
MEMBERS = ("type", "stac_version", "stac_extensions", "id", "geometry", "bbox", "links", "assets", "collection")


def plain(v):
    """JSON to compare: what is null is not there, times are instants."""
    if isinstance(v, dict):
        return {k: plain(x) for k, x in v.items() if x is not None}
    if isinstance(v, list):
        return [plain(x) for x in v]
    if isinstance(v, (int, float)) and not isinstance(v, bool):
        short = float(f"{v:.15g}")  # as JSON texts of ours have it
        return short if abs(short - v) <= 2.3e-16 * max(abs(short), abs(v)) else float(v)
    if isinstance(v, str) and TIME.match(v):
        return datetime.datetime.fromisoformat("T".join(TIME.match(v).groups())[:26]).timestamp()
    return v


def duckdb(sql):
    env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    script = ("const {DuckDBInstance} = require('@duckdb/node-api'); (async () => { const c = await (await DuckDBInstance.create(':memory:')).connect();"
              "await c.run(\"SET TimeZone='UTC'\").catch(() => {}); await c.run('SET enable_geoparquet_conversion=false').catch(() => {});"
              f"console.log(JSON.stringify((await c.runAndReadAll({json.dumps(sql)})).getRowsJson())); }})().catch((e) => {{ console.error(String(e)); process.exit(1); }});")
    r = subprocess.run(["node", "-e", script], cwd=NODE, env=env, capture_output=True, text=True)
    if r.returncode:
        raise AssertionError(r.stderr)
    return json.loads(r.stdout)


def item_of_row(row):
    """An item of a row as DuckDB's to_json() gives it, by the specification; the geometry is left to others."""
    item = {"type": "Feature", "properties": {}}
    for name, value in row.items():
        if name == "geometry" or value is None:
            continue
        if name == "bbox" and isinstance(value, dict):
            value = [value[k] for k in ("xmin", "ymin", "zmin", "xmax", "ymax", "zmax") if k in value]
        (item if name in MEMBERS else item["properties"])[name] = value
    return item


class Case(unittest.TestCase):
    def setUp(self):
        self.db = host.connect()
        self.folder = tempfile.TemporaryDirectory()
        self.maxDiff = 3000

    def tearDown(self):
        self.db.close()
        self.folder.cleanup()

    def items(self, source):
        return [json.loads(r[0]) for r in self.db.execute("SELECT item_json FROM stacchip_items(?)", (source,))]

    def copy(self, name, to):
        path = os.path.join(self.folder.name, to)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return shutil.copy(os.path.join(HERE, name), path)


class Reading(Case):
    def test_what_pyarrow_wrote_gives_what_the_json_gives(self):
        for name in ("naip", "sentinel-1-rtc"):
            want = json.load(open(os.path.join(HERE, name + ".json")))
            self.assertEqual(plain(self.items(os.path.join(HERE, name + ".json"))), plain(want))
            for kind in ("struct", "map"):
                with self.subTest(name, kind=kind):
                    self.assertEqual(plain(self.items(os.path.join(HERE, f"{name}-{kind}.parquet"))), plain(want))

    def test_the_columns_beside_the_text(self):
        rows = self.db.execute("SELECT id, collection, datetime, ST_AsText(geometry) LIKE 'POLYGON%' FROM stacchip_items(?)", (os.path.join(HERE, "naip-map.parquet"),)).fetchall()
        want = [(i["id"], "naip", i["properties"]["datetime"], 1) for i in json.load(open(os.path.join(HERE, "naip.json")))]
        self.assertEqual(rows, want)

    @host.needs_shared
    @unittest.skipUnless(HAS_NODE, "make node-deps gives the independent readers")
    def test_the_files_of_others_as_duckdb_reads_them(self):
        for path in sorted(glob.glob(os.path.join(host.SHARED, "fixtures", "geoparquet", "stac-utils-*.parquet"))):
            with self.subTest(os.path.basename(path)):
                want = [item_of_row(json.loads(r[0])) for r in duckdb(f"SELECT to_json(t) FROM read_parquet('{path}') t")]
                got = self.items(path)
                for item in got:
                    self.assertIn(item.pop("geometry")["type"], ("Polygon", "MultiPolygon"))
                base = os.path.dirname(path) + "/"
                for item in want:  # hrefs of assets are made absolute, as of other items
                    for asset in item["assets"].values():
                        if asset and asset.get("href") and "://" not in asset["href"]:
                            asset["href"] = os.path.normpath(base + asset["href"])
                self.assertEqual(plain(got), plain(want))

    @unittest.skipUnless(HAS_NODE, "make node-deps gives the independent readers")
    def test_every_nesting_that_duckdb_writes(self):
        path = os.path.join(self.folder.name, "n.parquet")
        for version in ("V1", "V2"):
            for compression in ("zstd", "uncompressed", "snappy", "gzip"):
                duckdb("COPY (SELECT 'i' || i AS id, struct_pack(a := struct_pack(href := 'https://e.org/' || i)) AS assets, "
                       "CASE WHEN i % 3 = 0 THEN NULL WHEN i % 3 = 1 THEN [] ELSE [i, NULL, i + 1] END AS \"x:list\", "
                       "[[struct_pack(a := [i, i % 7], b := CASE WHEN i % 2 = 0 THEN 'even' END)], [], NULL] AS \"x:deep\", "
                       "CASE WHEN i % 5 > 0 THEN map(['k' || i, 'l'], [[i * 0.5], NULL]) END AS \"x:map\", i % 2 = 1 AS \"x:odd\", DATE '2024-01-01' + i::INTEGER AS \"x:day\" "
                       f"FROM range(3000) t(i)) TO '{path}' (FORMAT parquet, PARQUET_VERSION {version}, COMPRESSION {compression}, ROW_GROUP_SIZE 2048)")
                got = {i["id"]: i["properties"] for i in self.items(path)}
                self.assertEqual(len(got), 3000)
                for i in (0, 1, 2, 5, 2046, 2047, 2048, 2049, 2999):
                    deep = {"a": [i, i % 7], **({"b": "even"} if i % 2 == 0 else {})}
                    want = {"x:deep": [[deep], [], None], "x:odd": i % 2 == 1, "x:day": str(datetime.date(2024, 1, 1) + datetime.timedelta(i))}
                    if i % 3:
                        want["x:list"] = [] if i % 3 == 1 else [i, None, i + 1]
                    if i % 5:
                        want["x:map"] = {f"k{i}": [i * 0.5], "l": None}
                    self.assertEqual(got[f"i{i}"], want, (version, compression, i))

    def test_folders_globs_and_trees(self):
        self.copy("naip-struct.parquet", "a.parquet")
        self.copy("sentinel-1-rtc-map.parquet", "below/b.geoparquet")
        self.copy("naip.json", "c.json")
        ids = lambda source: [i["id"] for i in self.items(source)]
        naip, s1 = ([i["id"] for i in json.load(open(os.path.join(HERE, n)))] for n in ("naip.json", "sentinel-1-rtc.json"))
        self.assertEqual(ids(self.folder.name), naip + s1 + naip)
        self.assertEqual(ids(self.folder.name + "/*.parquet"), naip)
        self.assertEqual(ids(self.folder.name + "/**/*.geoparquet"), s1)
        named = os.path.join(self.folder.name, "no-suffix")
        shutil.copy(os.path.join(HERE, "naip-map.parquet"), named)
        self.assertEqual(ids(named), naip)

    def test_an_index_file_is_passed_over_in_a_folder_and_refused_by_name(self):
        path = os.path.join(self.folder.name, "index.parquet")
        self.db.execute("CREATE TABLE t AS SELECT 'i-0-0' AS chipid, 'p' AS platform, 'i' AS item, '2024-01-01' AS date, 0 AS chip_index_x, 0 AS chip_index_y, "
                        "0.0 AS cloud_cover_percentage, 0.0 AS nodata_percentage, BuildMbr(0, 0, 1, 1, 4326) AS geometry")
        self.db.execute("SELECT stacchip_export('t', ?)", (path,))
        self.assertEqual(self.items(self.folder.name), [])
        told = self.db.execute("SELECT error FROM stacchip_items(?, '{\"passed_over\": true}')", (self.folder.name,)).fetchall()
        self.assertRegex(told[0][0], "index.parquet: passed over: no STAC GeoParquet")
        with self.assertRaisesRegex(sqlite3.Error, "no STAC GeoParquet: it has no columns 'id' and 'assets'"):
            self.items(path)

    def test_a_file_of_the_network_names_no_local_file(self):
        data = open(os.path.join(HERE, "naip-struct.parquet"), "rb").read()
        server = web.Scripted({"/n.parquet": data})
        self.addCleanup(server.close)
        got = self.items(server.url + "/n.parquet")
        self.assertEqual([i["id"] for i in got], [i["id"] for i in json.load(open(os.path.join(HERE, "naip.json")))])
        self.assertTrue(all(i["stacchip:origin"] == "network" for i in got))

    @unittest.skipUnless(HAS_NODE, "make node-deps gives the independent readers")
    def test_relative_hrefs_and_the_collection_of_a_tree(self):
        folder = os.path.join(self.folder.name, "collection=my%20set")
        os.makedirs(folder)
        path = os.path.join(folder, "p.parquet")
        duckdb("COPY (SELECT 'i' AS id, struct_pack(a := struct_pack(href := './x.tif'), b := struct_pack(href := '/etc/passwd')) AS assets, "
               f"TIMESTAMP '2024-05-06 07:08:09.5' AS datetime) TO '{path}' (FORMAT parquet)")
        self.assertEqual(self.items(self.folder.name), [{"id": "i", "type": "Feature", "collection": "my set", "properties": {"datetime": "2024-05-06T07:08:09.5Z"},
                         "assets": {"a": {"href": os.path.join(folder, "x.tif")}, "b": {"href": "/etc/passwd"}}}])
        server = web.Scripted({"/d/p.parquet": open(path, "rb").read()})
        self.addCleanup(server.close)
        item, = self.items(server.url + "/d/p.parquet")
        self.assertEqual(item["assets"], {"a": {"href": server.url + "/d/x.tif"}, "b": {"href": server.url + "/etc/passwd"}})

    def test_damage_is_an_error_and_never_a_fault(self):
        data = bytearray(open(os.path.join(HERE, "naip-map.parquet"), "rb").read())
        path = os.path.join(self.folder.name, "d.parquet")
        refused = 0
        for at in range(4, len(data) - 8, 97):
            changed = bytearray(data)
            changed[at] ^= 0xFF
            with open(path, "wb") as f:
                f.write(changed)
            try:
                self.items(path)
            except sqlite3.Error as e:
                self.assertIn("d.parquet", str(e))
                refused += 1
        self.assertGreater(refused, 50)
        with open(path, "wb") as f:
            f.write(data[:len(data) // 2])
        with self.assertRaisesRegex(sqlite3.Error, "not a Parquet file"):
            self.items(path)


TIMES = ("datetime", "start_datetime", "end_datetime", "created", "updated")


def instant(text):
    """A date, or a time of any zone or none, in UTC."""
    t = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (t if t.tzinfo else t.replace(tzinfo=datetime.timezone.utc)).timestamp()


def written(v):
    """What a file of columns keeps of JSON: times are times; no nulls but in lists, no objects without members, no bbox of a geometry."""
    if isinstance(v, dict):
        members = {k: instant(x) if k in TIMES and isinstance(x, str) else written(x) for k, x in v.items() if x is not None and (k, "coordinates" in v) != ("bbox", True)}
        return {k: x for k, x in members.items() if x != {}}
    return [written(x) for x in v] if isinstance(v, list) else v


def kinds(v, at="", out=None):
    """The kinds of value at each place of some JSON."""
    out = {} if out is None else out
    if v is not None:
        out.setdefault(at, set()).add("number" if isinstance(v, (int, float)) and not isinstance(v, bool) else type(v).__name__)
    for k, x in v.items() if isinstance(v, dict) else [("", x) for x in v] if isinstance(v, list) and at not in ("/geometry", "/properties/proj:geometry") else []:
        if k not in ("geometry", "proj:geometry"):
            kinds(x, f"{at}/{k}", out)
    return out


class Writing(Case):
    OPTIONS = '{"format": "stac-geoparquet"}'

    def export(self, items, options=OPTIONS):
        """The items as a file; what our own reader gives of it."""
        path = os.path.join(self.folder.name, "out.parquet")
        self.db.execute("DROP TABLE IF EXISTS t")
        self.db.execute("CREATE TABLE t(item_json)")
        self.db.executemany("INSERT INTO t VALUES (?)", [(json.dumps(i),) for i in items])
        self.assertEqual(self.db.execute("SELECT stacchip_export('t', ?, ?)", (path, options)).fetchone()[0], len(items))
        return path, self.items(path)

    def item(self, name, properties=None, **more):
        return {"type": "Feature", "stac_version": "1.1.0", "id": name, "geometry": {"type": "Point", "coordinates": [1.5, 2.5]}, "bbox": [1.5, 2.5, 1.5, 2.5], "links": [],
                "properties": {"datetime": "2024-01-02T03:04:05.678901Z", **(properties or {})}, "assets": {"a": {"href": "https://e.org/a.tif"}}, **more}

    def test_items_come_back_as_they_were(self):
        for name in ("naip", "sentinel-1-rtc"):
            want = json.load(open(os.path.join(HERE, name + ".json")))
            for options in (self.OPTIONS, '{"format": "stac-geoparquet", "compression": "none", "row_group_size": 1}', '{"format": "stac-geoparquet", "compression": "snappy"}'):
                self.assertEqual(plain(self.export(want, options)[1]), plain(want))

    @host.needs_shared
    def test_every_item_of_many_catalogues_comes_back(self):
        rows = self.db.execute("SELECT item_json FROM stacchip_items(?) WHERE id IS NOT NULL", (os.path.join(host.SHARED, "fixtures", "items"),)).fetchall()
        want, seen = [], set()
        for text, in rows:
            if text not in seen:
                want.append(json.loads(text))
            seen.add(text)
        self.assertGreater(len(want), 100)
        n_compared, groups = 0, {}
        for item in want:
            groups.setdefault(item.get("collection"), []).append({k: v for k, v in item.items() if k in MEMBERS + ("properties", "stacchip:origin")})
        for name, items in groups.items():
            if not all(len(k) == 1 for k in kinds(items).values()):
                continue  # of two kinds: written as JSON
            with self.subTest(name):
                self.assertEqual(plain(self.export(items)[1]), plain(written(items)))
                n_compared += len(items)
        self.assertGreater(n_compared, 80)
        self.assertEqual(len(self.export(want, '{"format": "stac-geoparquet", "row_group_size": 40}')[1]), len(want))

    def test_numbers_lists_and_what_is_of_two_kinds(self):
        items = [self.item("a", {"n": 1, "m": 1, "l": [], "e": {}, "two": 1, "b": True, "deep": [[{"x": [1, None]}], []]}),
                 self.item("b", {"n": 2.5, "m": 900719925474099, "l": [], "e": {}, "two": "1", "id": "own", "none": None}),
                 self.item("c", {"title": "\u00e4\U0001f600", "created": "no time", "updated": "2024-05-06 07:08:09+02:00"}, bbox=[1, 2, 3, 4, 5, 6])]
        got = self.export(items)[1]
        self.assertEqual(got[0]["properties"], {"datetime": "2024-01-02T03:04:05.678901Z", "n": 1, "m": 1, "l": [], "two": "1", "b": True, "deep": [[{"x": [1, None]}], []]})
        self.assertEqual(got[1]["properties"], {"datetime": "2024-01-02T03:04:05.678901Z", "n": 2.5, "m": 900719925474099, "l": [], "two": '"1"', "id": "own"})
        self.assertEqual(got[2]["properties"], {"datetime": "2024-01-02T03:04:05.678901Z", "title": "\u00e4\U0001f600", "created": "no time", "updated": "2024-05-06T05:08:09Z"})
        self.assertEqual([i["bbox"] for i in got], [[1.5, 2.5, 1.5, 2.5]] * 2 + [[1, 2, 3, 4, 5, 6]])

    def test_every_type_of_geometry(self):
        shapes = [{"type": "Point", "coordinates": [1, 2]}, {"type": "Point", "coordinates": [1, 2, 3]}, {"type": "LineString", "coordinates": [[0, 0], [1, 1]]},
                  {"type": "Polygon", "coordinates": [[[0, 0], [3, 0], [3, 3], [0, 0]], [[1, 1], [2, 1], [2, 2], [1, 1]]]}, {"type": "MultiPoint", "coordinates": [[0, 0, 5], [1, 1, 6]]},
                  {"type": "MultiLineString", "coordinates": [[[0, 0], [1, 1]], [[2, 2], [3, 3]]]}, {"type": "MultiPolygon", "coordinates": [[[[0, 0], [1, 0], [1, 1], [0, 0]]]]},
                  {"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [1, 2]}, {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}]}, None]
        got = self.export([self.item(f"i{i}", geometry=g) for i, g in enumerate(shapes)])[1]
        self.assertEqual([i.get("geometry") for i in got], shapes)

    @unittest.skipUnless(HAS_NODE, "make node-deps gives the independent readers")
    def test_duckdb_reads_it(self):
        want = json.load(open(os.path.join(HERE, "sentinel-1-rtc.json")))
        path, _ = self.export(want)
        rows = [item_of_row(json.loads(r[0])) for r in duckdb(f"SELECT to_json(t) FROM read_parquet('{path}') t")]
        for item in want:
            del item["geometry"]
        self.assertEqual(plain(rows), plain(want))
        types = dict(r[:2] for r in duckdb(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet('{path}'))"))
        self.assertEqual((types["datetime"], types["bbox"], types["geometry"], types["proj:shape"], types["assets"][:6]),
                         ("TIMESTAMP WITH TIME ZONE", "STRUCT(xmin DOUBLE, ymin DOUBLE, xmax DOUBLE, ymax DOUBLE)", "BLOB", "BIGINT[]", "STRUCT"))
        keys = dict(duckdb(f"SELECT decode(key), decode(value) FROM parquet_kv_metadata('{path}')"))
        self.assertEqual(json.loads(keys["stac-geoparquet"]), {"version": "1.1.0"})
        geo = json.loads(keys["geo"])["columns"]["geometry"]
        self.assertEqual((geo["encoding"], geo["geometry_types"], geo["covering"]["bbox"]["ymax"]), ("WKB", ["Polygon"], ["bbox", "ymax"]))

    def test_a_merged_index_gives_each_item_of_the_selection_once(self):
        self.db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)")
        subprocess.run(["gdal_create", "-q", "-of", "GTiff", "-outsize", "512", "512", "-bands", "1", "-burn", "1", "-ot", "Byte", "-a_srs", "EPSG:32720",
                        "-a_ullr", "600000", "6400000", "605120", "6394880", os.path.join(self.folder.name, "a.tif")], check=True)
        for i in range(3):
            item = self.item(f"i{i}", {"proj:code": "EPSG:32720"}, collection="naip", assets={"image": {"href": os.path.join(self.folder.name, "a.tif"), "type": "image/tiff; application=geotiff"}})
            self.db.execute("INSERT INTO chips(item_json) VALUES (?)", (json.dumps(item),))
        self.assertEqual(self.db.execute("SELECT count(*) FROM chips").fetchone()[0], 12)
        path = os.path.join(self.folder.name, "sub", "m.parquet")
        for where, n in (("", 3), (", \"where\": \"item <> 'i1' AND chip_index_x = 1\"", 2)):
            self.assertEqual(self.db.execute("SELECT stacchip_export('chips', ?, ?)", (path, '{"format": "stac-geoparquet"%s}' % where)).fetchone()[0], n)
            self.assertEqual(len(self.items(path)), n)
        self.db.execute("CREATE VIRTUAL TABLE again USING stacchip_merge(max_nodata=1)")
        self.db.execute("INSERT INTO again(item_json) SELECT item_json FROM stacchip_items(?)", (path,))
        self.assertEqual(self.db.execute("SELECT count(*), min(item), max(item) FROM again").fetchone(), (8, "i0", "i2"))

    def test_what_is_refused(self):
        path = os.path.join(self.folder.name, "r.parquet")
        self.db.execute("CREATE TABLE e(item_json)")
        for table, options, words in (("e", self.OPTIONS, "has no items to write"), ("e", '{"format": "x"}', "not one of index, stac-geoparquet"),
                                      ("e", '{"format": "stac-geoparquet", "sort": "none"}', "'sort' is of no use with format"),
                                      ("e", '{"format": "stac-geoparquet", "columns": ["item"]}', "'columns' is of no use"), ("e", '{"format": "stac-geoparquet", "geoparquet": "1.1"}', "'geoparquet' is of no use"),
                                      ("e", '{"format": "stac-geoparquet", "partition_by": ["item"]}', "'partition_by' is of no use"),
                                      ("e", '{"format": "stac-geoparquet", "where": "1) OR (1"}', "not one condition"), ("absent", self.OPTIONS, "no such table")):
            with self.assertRaisesRegex(sqlite3.Error, words):
                self.db.execute("SELECT stacchip_export(?, ?, ?)", (table, path, options))
        for value, words in (("NULL", "an item has no text"), ("'{'", "not JSON|cut short"), ("'{\"id\": \"x\", \"geometry\": {\"type\": \"Polygon\", \"coordinates\": 3}}'", "item x: member 'geometry': the geometry is no GeoJSON")):
            self.db.execute("DELETE FROM e")
            self.db.execute(f"INSERT INTO e VALUES ({value})")
            with self.assertRaisesRegex(sqlite3.Error, words):
                self.db.execute("SELECT stacchip_export('e', ?, ?)", (path, self.OPTIONS))
        self.assertEqual(os.listdir(self.folder.name), [])


if __name__ == "__main__":
    host.main()
