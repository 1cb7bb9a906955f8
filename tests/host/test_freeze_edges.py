"""Frozen data sets where something else happens beside: layers of several types, folders with shards of something else, two processes of one
path, files that change, labels that are many or infinite. Judged by NumPy and tarfile."""
import glob
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time

import numpy

import host
import tiff
from test_freeze import INDEX, SIDE, VICTIM, Case, files_of, load, rows_of, scene

SMALL = json.dumps({"chip_size": 16, "platform": "none", "max_nodata": 1})
FROZEN_DEM = json.dumps({"format": "npz", "layers": {"dem": {"source": "frozen"}}})


class Layers(Case):
    def table(self, name, rasters):
        self.db.execute(f"CREATE VIRTUAL TABLE {name} USING stacchip_merge(max_nodata=1, platform=none, chip_size=64)")
        for k, (array, left) in enumerate(rasters):
            path = tiff.write(f"{self.scenes}/{name}{k}.tif", array, nodata=-1, transform=(10, 0, 500000 + 10 * left, 0, -10, 6400000))
            item = {"type": "Feature", "stac_version": "1.0.0", "id": f"{name}{k}", "collection": "cover", "geometry": None, "links": [],
                    "properties": {"datetime": None}, "assets": {"map": {"href": path, "type": "image/tiff"}}}
            self.db.execute(f"INSERT INTO {name}(item_json) VALUES (?)", (json.dumps(item),))

    def test_types_that_differ_from_batch_to_batch(self):
        """int16 on the left, nothing in the middle, float32 on the right: one type for all chips, whatever batch they are of."""
        left = numpy.arange(SIDE * 64).reshape(SIDE, 64).astype("i2") % 3000
        right = (numpy.arange(SIDE * 64).reshape(SIDE, 64) / 3).astype("f4")
        self.table("dem", [(left, 0), (right, 192)])
        whole = numpy.full((SIDE, SIDE), -5, "f4")
        whole[:, :64], whole[:, 192:] = left, right
        query = f"SELECT * FROM (SELECT row, chip_index_x AS ix, chip_index_y AS iy FROM stacchip_index('{self.a}', '{SMALL}')) ORDER BY ix"
        for shuffle in (False, 0):
            options = {"layers": {"dem": {"source": "dem", "fill": -5}}, "shuffle": shuffle}
            for codec in ("raw", "lz4", "zstd"):
                self.freeze(f"{codec}{shuffle}", query, codec=codec, **options)
                db = self.open(f"{codec}{shuffle}")
                self.assertEqual(json.loads(db.execute("SELECT value FROM dataset WHERE key = 'layers'").fetchone()[0]),
                                 [{"name": "dem", "dtype": "float32", "shape": [1, 16, 16]}])
                rows = db.execute("SELECT ix, iy, stacchip_chip(handle, ?) FROM chips", (FROZEN_DEM,)).fetchall()
                self.assertEqual(len(rows), 256)
                for x, y, blob in rows:
                    with load(blob) as arrays:
                        numpy.testing.assert_array_equal(arrays["dem"][0], whole[16 * y:16 * y + 16, 16 * x:16 * x + 16])
            self.freeze(f"npy{shuffle}", query, format="npy", **options)
            with open(f"{self.at}/npy{shuffle}/index.json") as f:
                index = json.load(f)["shards"][0]
            array = numpy.load(f"{self.at}/npy{shuffle}/000000.dem.npy")
            self.assertEqual(array.nbytes + 128, os.path.getsize(f"{self.at}/npy{shuffle}/000000.dem.npy"))
            for got, x, y in zip(array[:, 0], index["ix"], index["iy"], strict=True):
                numpy.testing.assert_array_equal(got, whole[16 * y:16 * y + 16, 16 * x:16 * x + 16])
            self.freeze(f"tar{shuffle}", query, format="webdataset", **options)
            with tarfile.open(f"{self.at}/tar{shuffle}/000000.tar") as tar:
                types = {load(tar.extractfile(m).read()).dtype.str for m in tar if m.name.endswith(".dem.npy")}
            self.assertEqual(types, {"<f4"})

    def test_bands_that_differ(self):
        array = numpy.ones((SIDE, 64), "i2")
        self.table("dem", [(array, 0), (numpy.stack([array, array]), 192)])
        with self.assertRaisesRegex(sqlite3.Error, "layer dem: item dem1 has 2 bands, others have 1"):
            self.freeze("x.db", f"SELECT * FROM ({rows_of(self.a)}) ORDER BY ix", layers={"dem": {"source": "dem"}})

    def test_a_layer_that_changes_is_another_data_set(self):
        dem = numpy.zeros((SIDE, SIDE), "i2")
        tiff.write(f"{self.scenes}/dem.tif", dem, nodata=-1)
        layers = {"dem": {"source": f"{self.scenes}/dem.tif"}}
        one = self.freeze("x.db", layers=layers)
        self.assertEqual(self.freeze("x.db", layers=layers), one)
        tiff.write(f"{self.scenes}/dem.tif", dem + 1, nodata=-1)
        with self.assertRaisesRegex(sqlite3.Error, "is there already, and is not this data set"):
            self.freeze("x.db", layers=layers)
        self.freeze("y.db", layers=layers)
        again = [self.freeze(f"{n}-again.db", "SELECT handle FROM chips", db=self.open(f"{n}.db"), layers={"dem": {"source": "frozen"}}) for n in "xxy"]
        self.assertEqual(again[0], again[1])
        self.assertNotEqual(again[0]["hash"], again[2]["hash"])


class LeftOut(Case):
    def test_the_type_of_an_item_whose_first_chip_cannot_be_read(self):
        """It counts for all: its other chips were cast to the type of the others."""
        for name, value, dtype in (("u", 7, "u1"), ("f", 1000.5, "f4")):
            tiff.write(f"{self.scenes}/{name}.tif", numpy.full((128, 128), value, dtype))
        rows = []
        for name in "uf":
            rows += [(row, name) for row, in self.db.execute(f"SELECT row FROM stacchip_index('{self.scenes}/{name}.tif', ?)", (INDEX,))]
        self.assertIn('"chip_index_x":0', rows[4][0])
        rows[4] = (rows[4][0].replace('"chip_index_x":0', '"chip_index_x":99'), "f")
        self.db.execute("CREATE TABLE h(row, of_item)")
        self.db.executemany("INSERT INTO h VALUES (?, ?)", rows)
        self.assertEqual(self.freeze("x.db", "SELECT row, of_item FROM h", on_error="skip")["chips"], 7)
        for blob, name in self.open("x.db").execute("SELECT stacchip_chip(handle), of_item FROM chips"):
            numpy.testing.assert_array_equal(load(blob), numpy.full((1, 64, 64), {"u": 7, "f": 1000.5}[name], "f4"))


class Versions(Case):
    def test_frozen_chips_on_another_grid_are_another_version(self):
        """Beside its edge a frozen chip has nothing, and its kernel counts."""
        self.freeze("x.db")
        db = self.open("x.db")
        grid = {"crs": "EPSG:3857", "resolution": 12, "size": 48}
        for options in (grid, dict(grid, resampling="bilinear"), {"buffer": 3}, {"jitter": 9, "seed": 4}):
            direct = self.freeze(f"direct{len(os.listdir(self.at))}", **options)["hash"]
            again = self.freeze(f"again{len(os.listdir(self.at))}", "SELECT handle FROM chips", db=db, **options)["hash"]
            self.assertNotEqual(direct, again, options)
        kernels = {self.freeze(f"{k}.db", "SELECT handle FROM chips", db=db, resampling=k, **grid)["hash"] for k in ("nearest", "bilinear")}
        self.assertEqual(len(kernels), 2)

    def test_chips_that_are_there_twice_are_compared_with_their_likes(self):
        """Of several labels, or of an item of that name in another catalogue: the order does not matter."""
        other, _ = scene(f"{self.at}/catalogue", "A", 9)
        query = " UNION ALL ".join(rows_of(item, columns=f", {label} AS label") for item in (self.a, other) for label in (1, 2, "'x'", "NULL"))
        for seed in (0, 1, 2):
            self.freeze(f"{seed}.db", query, shuffle=seed, assets="red")
        compare = "SELECT change, count(*) FROM stacchip_freeze_diff(?, ?) GROUP BY change"
        for seed in (1, 2):
            self.assertEqual(self.db.execute(compare, (f"{self.at}/0.db", f"{self.at}/{seed}.db")).fetchall(), [])

    def test_rowids_that_are_of_other_chips_now(self):
        self.db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1, platform=none, chip_size=64)")
        def fill(*items):
            self.db.execute("DELETE FROM chips")
            for item in items:
                self.db.execute("INSERT INTO chips(item_json) SELECT item_json FROM stacchip_items(?)", (item,))
        query = "SELECT rowid FROM chips WHERE rowid <= (SELECT min(rowid) + 19 FROM chips)"
        fill(self.a, self.b)
        self.freeze("x.db", query, table="chips")
        first = self.db.execute("SELECT min(rowid) FROM chips").fetchone()
        fill(self.b, self.a)
        self.assertEqual(self.db.execute("SELECT min(rowid) FROM chips").fetchone(), first)
        with self.assertRaisesRegex(sqlite3.Error, "is there already, and is not this data set"):
            self.freeze("x.db", query, table="chips")


class Labels(Case):
    def test_as_many_as_a_query_has(self):
        columns = ", ".join(f"{i} * chip_index_x AS c{i}" for i in range(300))
        query = rows_of(self.a, columns=", " + columns)
        self.freeze("tars", query, format="webdataset")
        self.freeze("arrays", query, format="npy")
        with tarfile.open(f"{self.at}/tars/000000.tar") as tar:
            about = [json.load(tar.extractfile(m)) for m in tar if m.name.endswith(".json")]
        with open(f"{self.at}/arrays/index.json") as f:
            index = json.load(f)["shards"][0]
        self.assertEqual(len(about), 16)
        for i in (0, 77, 299):
            self.assertEqual([a[f"c{i}"] for a in about], [i * a["ix"] for a in about])
            self.assertEqual(index[f"c{i}"], [i * x for x in index["ix"]])

    def test_values_of_every_kind(self):
        values = {"inf": float("inf"), "less": -float("inf"), "one": 1.0, "big": 9007199254740993, "text": '{"a": 1}', "line": 'x\n"\\', "nul": None,
                  "tenth": 0.1, "it's \"so\"": 7}
        sql = {float("inf"): "9e999", -float("inf"): "-9e999", 'x\n"\\': "'x' || char(10) || '\"\\'", None: "NULL"}
        columns = "".join(", {} AS \"{}\"".format(sql.get(v, repr(v)), k.replace('"', '""')) for k, v in values.items())
        query = rows_of(self.a, columns=columns)
        self.freeze("tars", query, format="webdataset")
        self.freeze("arrays", query, format="npy")
        self.freeze("x.db", query)
        with tarfile.open(f"{self.at}/tars/000000.tar") as tar:
            about = json.load(tar.extractfile("000000003.json"))
        with open(f"{self.at}/arrays/index.json") as f:
            index = json.load(f)["shards"][0]
        row = dict(zip(values, self.open("x.db").execute("SELECT {} FROM chips".format(", ".join('"%s"' % k.replace('"', '""') for k in values))).fetchone()))
        for key, value in values.items():
            self.assertEqual((about[key], index[key][5], row[key]), (value, value, value), key)


class Places(Case):
    def start(self, path, query, options):
        p = subprocess.Popen([sys.executable, VICTIM, path, query, json.dumps(options)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env={**os.environ, "PYTHONPATH": os.path.join(host.ROOT, "tests", "support")})
        self.assertEqual(p.stdout.readline(), "ready\n")
        return p

    def wait_for(self, path):
        end = time.time() + 60
        while not glob.glob(path) and time.time() < end:
            time.sleep(0.002)
        self.assertTrue(glob.glob(path))

    def test_a_file_has_a_name(self):
        with self.assertRaisesRegex(sqlite3.Error, "new/' is a folder; format stacchip is a file"):
            self.freeze("new/")
        self.assertFalse(os.path.exists(f"{self.at}/new"))

    def test_shards_of_something_else(self):
        """Of a data set that was begun they go; of nobody knows what they are an error: readers take what lies there."""
        big = rows_of(*(scene(self.scenes, f"K{i}", i, side=1536)[0] for i in range(2)), columns=", 'a.b-c' AS split")
        options = {"format": "webdataset", "shard_bytes": 300000}
        self.freeze("whole", **options)
        p = self.start(f"{self.at}/w", big, dict(options, splits="split"))
        self.wait_for(f"{self.at}/w/*-000001.tar")
        p.kill()
        p.communicate()
        self.assertTrue(os.path.exists(f"{self.at}/w/dataset.db.part"))
        self.freeze("w", **options)
        self.assertEqual({n: d for n, d in files_of(f"{self.at}/w").items() if n[0] != "."}, files_of(f"{self.at}/whole"))
        os.makedirs(f"{self.at}/other")
        for name in ("readme.tar", "000001.txt", "12345.tar", "a000001.tar"):
            open(f"{self.at}/other/{name}", "w").close()
        self.freeze("other", **options)
        for name in ("000001.tar", "train-000001.tar", "000001.npy", "000001.dem.npy"):
            os.makedirs(f"{self.at}/at-{name}")
            open(f"{self.at}/at-{name}/{name}", "w").close()
            with self.assertRaisesRegex(sqlite3.Error, f"{name} is there already, and readers would take it for a shard"):
                self.freeze(f"at-{name}", **options)

    def test_two_processes_that_freeze_different_chips_there(self):
        """Whoever is first loses it to the other between two batches, and says so; what has the name is whole."""
        big = rows_of(*(scene(self.scenes, f"K{i}", i, side=2048)[0] for i in range(2)))
        for options in ({"codec": "lz4"}, {"format": "webdataset", "shard_bytes": 300000}):
            name = options.get("format", "file")
            want = self.freeze(f"want-{name}", **options)
            first = self.start(f"{self.at}/{name}", big, options)
            self.wait_for(f"{self.at}/{name}/dataset.db.part" if "format" in options else f"{self.at}/{name}.part")
            got, end = None, time.time() + 30
            while got is None and time.time() < end:
                os.kill(first.pid, signal.SIGSTOP)
                try:
                    got = self.freeze(name, **options)
                except sqlite3.Error as e:
                    self.assertRegex(str(e), "another process writes it")
                os.kill(first.pid, signal.SIGCONT)
                time.sleep(0.002)
            _, told = first.communicate()
            self.assertEqual(got, want)
            self.assertNotEqual(first.returncode, 0)
            self.assertRegex(told, "another process writes it|is there already")
            self.assertEqual({n: d for n, d in files_of(f"{self.at}/{name}").items() if n[:1] != "."}, files_of(f"{self.at}/want-{name}"))
            self.assertEqual(glob.glob(f"{self.at}/**/*.part*", recursive=True), [])

    def test_a_file_that_changes_meanwhile(self):
        """Its version is of the state before, so what was read later is no data set."""
        item, pixels = scene(self.scenes, "K", 3, side=2048)
        tiff.write(f"{self.at}/new.tif", pixels[0] + 1, block=(128, 128), nodata=0)
        p = self.start(f"{self.at}/x.db", rows_of(item), {"codec": "lz4"})
        self.wait_for(f"{self.at}/x.db.part")
        os.replace(f"{self.at}/new.tif", f"{self.scenes}/K_red.tif")
        _, told = p.communicate()
        self.assertRegex(told, "K_red.tif has changed since the data set was begun")
        self.assertFalse(os.path.exists(f"{self.at}/x.db"))
        self.query = rows_of(item)
        self.assertEqual(self.freeze("x.db", codec="lz4"), self.freeze("y.db", codec="lz4"))
        self.assertEqual(files_of(f"{self.at}/x.db"), files_of(f"{self.at}/y.db"))


if __name__ == "__main__":
    host.main()
