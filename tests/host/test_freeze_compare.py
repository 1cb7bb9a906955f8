"""stacchip_freeze_check and stacchip_freeze_diff, on data sets written here table by table, and on what stacchip_freeze writes."""
import hashlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest

import host
import web

SCHEMA = """
PRAGMA application_id = 0x53434650; PRAGMA user_version = 1;
CREATE TABLE dataset(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE items(id TEXT PRIMARY KEY, item TEXT NOT NULL, collection TEXT, item_id TEXT NOT NULL, platform TEXT, datetime TEXT, version TEXT NOT NULL, pixel_options TEXT NOT NULL, array TEXT NOT NULL, stac TEXT NOT NULL);
CREATE TABLE assets(item TEXT NOT NULL, layer TEXT NOT NULL DEFAULT '', asset TEXT NOT NULL, href TEXT NOT NULL, stamp TEXT NOT NULL, size INTEGER, modified INTEGER, PRIMARY KEY(item, layer, asset, href)) WITHOUT ROWID;
CREATE TABLE chips(position INTEGER PRIMARY KEY, handle TEXT NOT NULL, item TEXT NOT NULL, chip_index_x INTEGER NOT NULL, chip_index_y INTEGER NOT NULL, x INTEGER NOT NULL, y INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,
  crs TEXT, transform TEXT, west REAL, south REAL, east REAL, north REAL, geometry BLOB, layers TEXT, shard INTEGER%s);
CREATE INDEX chips_by_item ON chips(item, chip_index_x, chip_index_y);
"""


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Work(unittest.TestCase):
    def setUp(self):
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="stacchip_"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.db = host.connect()

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, data):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def freeze(self, name, items, columns=(), options='{"assets":["red"]}'):
        """items: {(collection, id): {"assets": [(layer, asset, href, stamp, size, modified)], "stac": ..., "chips": [(x, y, width, crs, *further)]}}"""
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        db = sqlite3.connect(self.path(name))
        db.executescript(SCHEMA % "".join(f', "{c}"' for c in columns))
        db.executemany("INSERT INTO dataset VALUES (?, ?)", [("columns", json.dumps(columns)), ("hash", "0" * 64)])
        position = 0
        for (collection, item), what in items.items():
            key = digest(json.dumps([name, collection, item]))[:16]  # of another folder, another name
            version = digest(json.dumps([collection, item, options, sorted(a[:2] + (a[3],) for a in what["assets"])]))
            db.execute("INSERT INTO items VALUES (?, '{}', ?, ?, 'none', NULL, ?, ?, '{}', ?)", (key, collection, item, version, options, json.dumps(what.get("stac", {"assets": {}}))))
            db.executemany("INSERT INTO assets VALUES (?, ?, ?, ?, ?, ?, ?)", [(key, *a) for a in what["assets"]])
            for x, y, width, crs, *further in what["chips"]:
                db.execute("INSERT INTO chips VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, NULL, NULL, NULL" + ", ?" * len(columns) + ")",
                           (position, json.dumps([key, x // 256, y // 256]), key, x // 256, y // 256, x, y, width, width, crs, crs and "[1,0,0,0,-1,0]", *further))
                position += 1
        db.commit()
        db.close()
        return self.path(name)

    def refused(self, words, sql, *values):
        with self.assertRaisesRegex(sqlite3.Error, words):
            self.db.execute(sql, values).fetchall()


class Check(Work):
    COLUMNS = "change, item, layer, asset, was, now, reason, chips"

    def check(self, path, columns=COLUMNS):
        return self.db.execute(f"SELECT {columns} FROM stacchip_freeze_check(?)", (path,)).fetchall()

    def local(self, name, data):
        path = self.write(name, data)
        info = os.stat(path)
        return (path, "sha256:" + hashlib.sha256(data).hexdigest(), info.st_size, info.st_mtime_ns)

    def test_local_files(self):
        files = {k: self.local(f"{k}.tif", k.encode() * 100) for k in ("same", "touched", "changed", "longer", "gone")}
        path = self.freeze("d.db", {("c", "a"): {"assets": [("", k, *f) for k, f in files.items()], "chips": [(0, 0, 256, None), (256, 0, 256, None)]}})
        self.assertEqual(self.check(path), [])
        time.sleep(0.01)
        self.write("touched.tif", b"touched" * 100)
        self.write("changed.tif", b"CHANGED" * 100)
        self.write("longer.tif", b"longer" * 101)
        os.unlink(self.path("gone.tif"))
        rows = {r[3]: r for r in self.check(path)}
        self.assertEqual(sorted(rows), ["changed", "gone", "longer"])
        self.assertEqual(rows["changed"], ("changed", "a", "", "changed", files["changed"][1], "sha256:" + hashlib.sha256(b"CHANGED" * 100).hexdigest(), None, 2))
        self.assertEqual((rows["gone"][0], rows["gone"][5]), ("gone", None))
        self.assertIn("gone.tif", rows["gone"][6])
        # Of the same size and time nothing is read: what was written there is not noticed.
        self.write("same.tif", b"SAME" * 100)
        os.utime(self.path("same.tif"), ns=(files["same"][3], files["same"][3]))
        self.assertNotIn("same", {r[3] for r in self.check(path)})

    def test_remote_files(self):
        data = {f"/{k}.tif": k.encode() * 100 for k in ("same", "changed", "gone", "failing", "stated", "untold")}
        server = web.Scripted(dict(data), etag=lambda path, d: '"%s"' % digest(path + d.decode())[:8])
        self.addCleanup(server.close)
        href = {k: f"{server.url}{k}" for k in data}
        stamp = {k: 'etag:"%s" %d' % (digest(k + d.decode())[:8], len(d)) for k, d in data.items()}
        assets = [("", k[1:-4], href[k], stamp[k], len(data[k]), None) for k in ("/same.tif", "/changed.tif", "/gone.tif", "/failing.tif")]
        assets += [("", "stated", href["/stated.tif"], "sha256:" + "0" * 64, None, None), ("", "untold", href["/untold.tif"], "multihash:d510" + "0" * 32, None, None)]
        stac = {"assets": {"stated": {"file:size": len(data["/stated.tif"])}}}
        path = self.freeze("d.db", {("c", "a"): {"assets": assets, "stac": stac, "chips": [(0, 0, 256, None)]}})
        self.assertEqual([r[3] for r in self.check(path)], ["untold"])
        server.files["/changed.tif"] += b"x"
        server.files["/stated.tif"] += b"x"
        del server.files["/gone.tif"]
        server.fault = lambda h: (lambda h: h.answer(403)) if h.path == "/failing.tif" else None
        server.clear()
        rows = {r[3]: r for r in self.check(path)}
        self.assertEqual({k: r[0] for k, r in rows.items()}, {"changed": "changed", "gone": "gone", "failing": "unknown", "stated": "changed", "untold": "unknown"})
        self.assertEqual(rows["changed"][4:6], (stamp["/changed.tif"], 'etag:"%s" 701' % digest("/changed.tif" + server.files["/changed.tif"].decode())[:8]))
        self.assertEqual(rows["stated"][6], "601 bytes, and 600 when it was frozen")
        self.assertIn("checksum", rows["untold"][6])
        self.assertIn("403", rows["failing"][6])
        self.assertEqual(sorted(r[1] for r in server.requests), sorted(data))  # one request each
        self.assertTrue(all(r[2].get("Range") == "bytes=0-0" for r in server.requests))

    def test_an_interrupt_while_a_server_is_silent(self):
        server = web.Scripted({"/x.tif": b"x"}, fault=lambda h: (lambda h: time.sleep(5)))
        self.addCleanup(server.close)
        path = self.freeze("d.db", {("c", "a"): {"assets": [("", "red", f"{server.url}/x.tif", 'etag:"x" 1', 1, None)], "chips": [(0, 0, 256, None)]}})
        timer, begun = threading.Timer(0.3, self.db.interrupt), time.time()
        timer.start()
        self.refused("interrupted", "SELECT * FROM stacchip_freeze_check(?)", path)
        self.assertLess(time.time() - begun, 4)  # the server would answer after 5
        timer.join()

    def test_a_file_of_many_items_is_read_once(self):
        whole = self.local("all.tif", b"all" * 100)
        path = self.freeze("d.db", {("c", f"i{k}"): {"assets": [("land", "data", *whole)], "chips": [(0, 0, 256, None)] * k} for k in range(200)})
        self.assertEqual(self.check(path), [])
        self.write("all.tif", b"ALL" * 100)
        rows = self.check(path)
        self.assertEqual(sorted((r[1], r[2], r[7]) for r in rows), sorted((f"i{k}", "land", k) for k in range(200)))

    def test_what_a_data_set_may_not_name(self):
        secret = self.local("secret", b"secret")
        assets = [("", "red", secret[0], "sha256:" + "0" * 64, 1, 1), ("", "vsi", "/vsicurl/http://127.0.0.1/x", "sha256:" + "0" * 64, 1, 1), ("", "meta", "http://169.254.169.254/x", 'etag:"x" 1', 1, None)]
        path = self.freeze("d.db", {("c", "a"): {"assets": assets, "stac": {"stacchip:origin": "network", "assets": {}}, "chips": [(0, 0, 256, None)]}})
        rows = {r[3]: r for r in self.check(path)}
        self.assertEqual({k: (r[0], r[5]) for k, r in rows.items()}, {k: ("unknown", None) for k in ("red", "vsi", "meta")})
        self.assertIn("may not name a local file", rows["red"][6])

    def test_files_that_are_no_data_sets(self):
        ask = "SELECT * FROM stacchip_freeze_check(?)"
        self.refused("No such file", ask, self.path("none.db"))
        self.refused("no frozen data set", ask, self.write("text.db", b"text" * 1000))
        db = sqlite3.connect(self.path("other.db"))
        db.execute("CREATE TABLE t(a)")
        db.commit()
        self.refused("a database, but no frozen data set", ask, self.path("other.db"))
        path = self.freeze("later.db", {})
        db = sqlite3.connect(path)
        db.execute("PRAGMA user_version = 2")
        db.commit()
        self.refused("of version 2; this release reads up to 1", ask, path)
        self.refused("a frozen data set is read from a local file", ask, "https://example.org/d.db")
        os.makedirs(self.path("folder"))
        self.refused("folder/dataset.db: No such file", ask, self.path("folder"))
        shutil.copy(self.freeze("fine.db", {}), self.path("folder", "dataset.db"))
        self.assertEqual(self.check(self.path("folder")), [])
        self.assertEqual(self.check(None), [])
        self.refused("needs the path of a data set", "SELECT * FROM stacchip_freeze_check")
        self.db.execute("CREATE VIEW v AS SELECT * FROM stacchip_freeze_check('x')")
        self.refused("unsafe use of", "SELECT * FROM v")

    def test_a_schema_of_somebody_else(self):
        """It calls no function of ours, and does not run for ever."""
        path = self.freeze("d.db", {("c", "a"): {"assets": [], "chips": []}})
        db = sqlite3.connect(path)
        view = "CREATE VIEW assets AS WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT id AS item, '' AS layer, 'a' AS asset, 'h' AS href, 's' AS stamp, n AS size, 1 AS modified FROM t, items WHERE %s"
        for kind, where in (("TABLE", "stacchip_version() = ''"), ("VIEW", "1")):
            db.execute(f"DROP {kind} assets")
            db.execute(view % where)
            db.commit()
            if kind == "TABLE":
                self.refused("no such function: stacchip_version", "SELECT * FROM stacchip_freeze_check(?)", path)
        timer = threading.Timer(0.3, self.db.interrupt)
        timer.start()
        self.refused("interrupted", "SELECT * FROM stacchip_freeze_check(?)", path)
        timer.join()


class Diff(Work):
    def diff(self, a, b, columns="change, item, x, y, what"):
        return self.db.execute(f"SELECT {columns} FROM stacchip_freeze_diff(?, ?)", (a, b)).fetchall()

    def items(self, n=3, stamp="sha256:0", label=0):
        return {("c", f"i{k}"): {"assets": [("", "red", f"/x/{k}.tif", stamp, 1, 1)], "chips": [(256 * x, 0, 256, None, label) for x in range(4)]} for k in range(n)}

    def test_nothing_but_places_differs(self):
        a = self.freeze("a/a.db", self.items(), ["label"])
        moved = {k: dict(v, assets=[("", "red", "https://example.org/x.tif", "sha256:0", None, None)]) for k, v in reversed(self.items().items())}
        self.assertEqual(self.diff(a, self.freeze("b/b.db", moved, ["label"])), [])
        self.assertEqual(self.diff(a, a), [])

    def test_added_removed_changed(self):
        old, new = self.items(), self.items()
        old[("c", "i0")]["chips"].pop()                                            # added in new
        new[("c", "i1")]["chips"].pop(0)                                           # removed
        new[("c", "i2")]["assets"][0] = ("", "red", "/x/2.tif", "sha256:1", 1, 1)  # changed
        new[("c", "i9")] = self.items(1)[("c", "i0")]
        old[(None, "i0")] = self.items(1)[("c", "i0")]                             # another collection is another item
        new[("c", "i0")]["chips"][1] = (256, 0, 256, None, 7)
        a, b = self.freeze("a.db", old, ["label"]), self.freeze("b.db", new, ["label"])
        want = [("removed", "i0", 256 * x, 0, None) for x in range(4)] + [("changed", "i0", 256, 0, '["column label"]'), ("added", "i0", 768, 0, None), ("removed", "i1", 0, 0, None)]
        want += [("changed", "i2", 256 * x, 0, '["asset red"]') for x in range(4)] + [("added", "i9", 256 * x, 0, None) for x in range(4)]
        self.assertEqual(self.diff(a, b), want)
        swapped = {"added": "removed", "removed": "added", "changed": "changed"}
        self.assertEqual(self.diff(b, a), [(swapped[w[0]], *w[1:]) for w in want])
        places = self.diff(a, b, "change, position_a, position_b, collection, chip_index_x, width, height")
        self.assertEqual(places[0], ("removed", 11, None, None, 0, 256, 256))
        self.assertEqual(places[4], ("changed", 1, 1, "c", 1, 256, 256))
        self.assertEqual(places[5], ("added", None, 3, "c", 3, 256, 256))

    def test_windows_grids_and_options(self):
        old = {("c", "i"): {"assets": [("", "red", "/r", "sha256:0", 1, 1), ("land", "data", "/l", "sha256:5", 1, 1)], "chips": [(0, 0, 256, None), (0, 0, 512, None), (5, 7, 256, "EPSG:3857"), (5, 7, 256, "EPSG:4326")]}}
        new = {("c", "i"): {"assets": [("", "red", "/r", "sha256:0", 1, 1), ("land", "data", "/l", "sha256:6", 1, 1), ("", "nir", "/n", "sha256:0", 1, 1)], "chips": [(0, 0, 256, None), (9, 9, 256, "EPSG:3857"), (5, 7, 256, "EPSG:4258")]}}
        a, b = self.freeze("a.db", old), self.freeze("b.db", new, options='{"assets":["red","nir"]}')
        what = '["options","asset land.data","asset nir"]'
        self.assertEqual(self.diff(a, b, "change, width, x, what"), [("changed", 256, 0, what), ("removed", 512, 0, None), ("changed", 256, 9, what), ("added", 256, 5, None), ("removed", 256, 5, None)])

    def test_columns_of_one_alone_are_not_compared(self):
        a, b = self.freeze("a.db", self.items(), ["label"]), self.freeze("b.db", self.items(label="x"), ["class"])
        self.assertEqual(self.diff(a, b), [])

    def test_many_chips(self):
        """Against sets in Python."""
        rng = random.Random(4)
        def draw():
            return {("c", f"i{k}"): {"assets": [("", "red", "/r", f"sha256:{rng.randrange(2)}", 1, 1)], "chips": sorted({(256 * rng.randrange(20), 256 * rng.randrange(20), 256, None) for _ in range(150)})} for k in rng.sample(range(12), 9)}
        old, new = draw(), draw()
        flat = lambda d: {(i, *c): v["assets"][0][3] for (_, i), v in d.items() for c in v["chips"]}
        o, n = flat(old), flat(new)
        want = {("added", *k[:3]) for k in n.keys() - o.keys()} | {("removed", *k[:3]) for k in o.keys() - n.keys()} | {("changed", *k[:3]) for k in o.keys() & n.keys() if o[k] != n[k]}
        got = self.diff(self.freeze("a.db", old), self.freeze("b.db", new), "change, item, x, y")
        self.assertEqual((set(got), len(got)), (want, len(want)))
        self.assertEqual({c for c, *_ in want}, {"added", "removed", "changed"})

    def test_wrong_calls(self):
        a = self.freeze("a.db", self.items(), ["label"])
        self.refused("needs the path of two data sets", "SELECT * FROM stacchip_freeze_diff(?)", a)
        self.refused("none.db: .*No such file", "SELECT * FROM stacchip_freeze_diff(?, ?)", a, self.path("none.db"))
        self.assertEqual(self.diff(a, None), [])
        self.assertEqual(self.db.execute("SELECT * FROM stacchip_freeze_diff WHERE a = ?1 AND b = ?1 AND a = ?1", (a,)).fetchall(), [])


class Real(Work):
    """What stacchip_freeze writes."""

    def setUp(self):
        super().setUp()
        scene = os.path.join(host.ROOT, "build", "scenes", "sentinel-2")
        with open(os.path.join(scene, "item.json"), encoding="utf-8") as f:
            self.item = json.load(f)
        for key in ("red", "nir", "scl"):
            shutil.copy(os.path.join(scene, f"{key}.tif"), self.folder)
        self.item["assets"] = {k: dict(self.item["assets"][k], href=self.path(f"{k}.tif")) for k in ("red", "nir", "scl")}
        self.merge("chips")

    def merge(self, table):
        self.db.execute(f"CREATE VIRTUAL TABLE {table} USING stacchip_merge(platform='none')")
        self.db.execute(f"INSERT INTO {table}(item_json) VALUES (?)", (json.dumps(self.item),))

    def write_set(self, name, query="SELECT row, chip_index_x AS label FROM chips", **options):
        return json.loads(self.db.execute("SELECT stacchip_freeze(?, ?, ?)", (self.path(name), query, json.dumps({"assets": ["red", "nir"], **options}))).fetchone()[0])

    def changes(self, path):
        return self.db.execute("SELECT change, item, asset, chips FROM stacchip_freeze_check(?)", (self.path(path),)).fetchall()

    def test_files_that_change(self):
        sets = {"one.db": {}, "m.db": {"format": "manifest"}, "shards": {"format": "webdataset"}, "arrays": {"format": "npy"}}
        n = {name: self.write_set(name, **options) for name, options in sets.items()}
        self.assertEqual(len({v["hash"] for v in n.values()}), 1)
        for name in sets:
            self.assertEqual(self.changes(name), [], name)
        with open(self.path("red.tif"), "r+b") as f:
            f.seek(5000)
            f.write(b"changed")
        os.utime(self.path("nir.tif"))     # touched
        os.utime(self.path("scl.tif"))     # not of the data set
        for name in sets:
            self.assertEqual(self.changes(name), [("changed", self.item["id"], "red", n[name]["chips"])], name)
        os.unlink(self.path("nir.tif"))
        self.assertEqual(sorted(r[:3] for r in self.changes("one.db")), [("changed", self.item["id"], "red"), ("gone", self.item["id"], "nir")])

    def test_sets_that_differ(self):
        self.write_set("a.db")
        self.write_set("b", query="SELECT row, iif(chip_index_y = 1, 9, chip_index_x) AS label FROM chips WHERE chip_index_y > 0", format="npy")
        rows = self.db.execute("SELECT change, what, chip_index_x, chip_index_y FROM stacchip_freeze_diff(?, ?) ORDER BY 1, 4, 3", (self.path("a.db"), self.path("b"))).fetchall()
        places = self.db.execute("SELECT chip_index_x, chip_index_y FROM chips ORDER BY chip_index_y, chip_index_x").fetchall()
        self.assertEqual(rows, [("changed", '["column label"]', x, y) for x, y in places if y == 1] + [("removed", None, x, y) for x, y in places if y == 0])
        self.write_set("c.db", assets=["red"])
        self.assertEqual(self.db.execute("SELECT change, what, count(*) FROM stacchip_freeze_diff(?, ?) GROUP BY 1, 2", (self.path("a.db"), self.path("c.db"))).fetchall(), [("changed", '["options","asset nir"]', len(places))])
        with open(self.path("red.tif"), "r+b") as f:
            f.seek(5000)
            f.write(b"changed")
        self.write_set("d.db")
        self.assertEqual(self.db.execute("SELECT change, what, count(*) FROM stacchip_freeze_diff(?, ?) GROUP BY 1, 2", (self.path("a.db"), self.path("d.db"))).fetchall(), [("changed", '["asset red"]', len(places))])

    def test_a_mirror_has_the_same_version(self):
        """The same files in another folder, whose items state checksums."""
        path = self.path("m.sqlite")
        db = host.connect(path)
        db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(platform='none')")
        db.execute("INSERT INTO chips(item_json) VALUES (?)", (json.dumps(self.item),))
        db.close()
        before = self.write_set("a.db")["hash"]
        program = os.path.join(os.path.dirname(host.EXT), "stacchip")
        subprocess.run([program, "mirror", path, self.path("mirror")], check=True, capture_output=True, env={k: v for k, v in os.environ.items() if k != "LD_PRELOAD"})
        self.db.close()
        self.db = host.connect(path)
        for key in ("red", "nir", "scl"):
            os.unlink(self.path(f"{key}.tif"))
        self.assertEqual(self.write_set("b.db")["hash"], before)
        self.assertEqual(self.changes("b.db"), [])
        self.assertEqual(self.db.execute("SELECT count(*) FROM stacchip_freeze_diff(?, ?)", (self.path("a.db"), self.path("b.db"))).fetchone()[0], 0)
        self.assertEqual({r[:1] + r[2:3] for r in self.changes("a.db")}, {("gone", "red"), ("gone", "nir")})


if __name__ == "__main__":
    host.main()
