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


if __name__ == "__main__":
    host.main()
