"""Frozen data sets: read without their scenes, by every function and by others; versions; kills. Pixels are compared with the NumPy arrays
that the scenes were written from.

KILLS (2): how often a freeze of each format is killed at random points.
"""
import ctypes.util
import hashlib
import io
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest

import numpy

import host
import tiff
import web

os.environ.setdefault("STACCHIP_HOSTS", "127.0.0.1")

VICTIM = os.path.join(host.ROOT, "tests", "support", "freeze_victim.py")
INDEX = json.dumps({"chip_size": 64, "platform": "none", "max_nodata": 1})
SIDE = 256
BANDS = ["red", "nir"]


def scene(folder, name, seed=0, side=SIDE, more=None):
    """A scene of two bands in blocks of 128 pixels: (path of its item, its array)."""
    rng = numpy.random.default_rng(seed)
    ramp = numpy.add.outer(numpy.arange(side), numpy.arange(side))
    pixels = (ramp * 7 + rng.integers(1, 900, (2, side, side))).astype("u2")
    pixels[:, :10, :10] = 0
    os.makedirs(folder, exist_ok=True)
    assets = {}
    for i, band in enumerate(BANDS):
        tiff.write(f"{folder}/{name}_{band}.tif", pixels[i], block=(128, 128), deflate=True, nodata=0)
        assets[band] = {"href": f"./{name}_{band}.tif", "type": "image/tiff; application=geotiff", "roles": ["data"],
                        "raster:bands": [{"nodata": 0, "scale": 0.5, "offset": 1}]}
    item = {"type": "Feature", "stac_version": "1.0.0", "id": name, "collection": "made", "geometry": None, "links": [],
            "properties": {"datetime": "2024-03-11T00:00:00Z", "eo:cloud_cover": 12.5}, "assets": assets}
    (more or (lambda item: None))(item)
    with open(f"{folder}/{name}.json", "w") as f:
        json.dump(item, f)
    return f"{folder}/{name}.json", pixels


def rows_of(*items, columns=""):
    return " UNION ALL ".join(f"SELECT row, item AS of_item, chip_index_x AS ix, chip_index_y AS iy{columns} FROM stacchip_index('{i}', '{INDEX}')" for i in items)


def load(blob):
    return numpy.load(io.BytesIO(blob))


def files_of(path):
    """{name: digest} of a file, or of all files of a folder."""
    def digest(p):
        with open(p, "rb") as f:
            return hashlib.sha256(f.read()).hexdigest()
    if os.path.isfile(path):
        return {"": digest(path)}
    return {n: digest(os.path.join(path, n)) for n in sorted(os.listdir(path))}


def unpack_zstd(blob, n):
    lib = ctypes.CDLL(ctypes.util.find_library("zstd"))
    lib.ZSTD_decompress.restype = ctypes.c_size_t
    out = ctypes.create_string_buffer(n)
    size = lib.ZSTD_decompress(out, ctypes.c_size_t(n), blob, ctypes.c_size_t(len(blob)))
    assert size == n, size
    return out.raw


def unpack_lz4(blob, n):
    out = ctypes.create_string_buffer(n)
    assert ctypes.CDLL(ctypes.util.find_library("lz4")).LZ4_decompress_safe(blob, out, len(blob), n) == n
    return out.raw


def array_of(frame, shape, dtype):
    """As docs/freeze.md has it."""
    bands, rows, columns = shape
    dtype = numpy.dtype(dtype)
    values = numpy.frombuffer(frame, "u1").reshape(bands, dtype.itemsize, rows, columns)
    values = numpy.ascontiguousarray(numpy.moveaxis(values, 1, -1)).view(dtype)[..., 0]
    return numpy.cumsum(values, axis=-1, dtype=dtype) if dtype.kind in "iu" else values


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.at = self.folder.name
        self.db = host.connect()
        self.scenes = f"{self.at}/scenes"
        self.a, self.pixels_a = scene(self.scenes, "A", 1)
        self.b, self.pixels_b = scene(self.scenes, "B", 2)
        self.pixels = {"A": self.pixels_a, "B": self.pixels_b}
        self.query = rows_of(self.a, self.b)

    def tearDown(self):
        self.db.close()
        self.folder.cleanup()

    def freeze(self, name, query=None, db=None, **options):
        text, = (db or self.db).execute("SELECT stacchip_freeze(?, ?, ?)", (f"{self.at}/{name}", query or self.query, json.dumps(options))).fetchone()
        return json.loads(text)

    def open(self, name):
        db = host.connect(f"{self.at}/{name}")
        self.addCleanup(db.close)
        return db

    def refused(self, message, sql, *values, db=None):
        with self.assertRaisesRegex(sqlite3.Error, message):
            (db or self.db).execute(sql, values).fetchall()

    def part(self, item, x, y, size=64):
        return self.pixels[item][:, y * 64:y * 64 + size, x * 64:x * 64 + size]


class Reading(Case):
    def test_another_data_set_in_the_place_of_one(self):
        """The same items in a file of the same name: bands, types and codecs are those of the file that is there."""
        live = host.connect()
        self.addCleanup(live.close)
        live.isolation_level = None
        read = "SELECT item, stacchip_chip(handle) FROM %schips ORDER BY 1, chip_index_x, chip_index_y"
        for options in ({"assets": "red"}, {"assets": "nir"}, {"assets": "red", "dtype": "int32"}, {"assets": "red", "codec": "raw"}):
            self.freeze("f.db", **options)
            live.execute("ATTACH ? AS f", (f"{self.at}/f.db",))
            self.assertEqual(self.open("f.db").execute(read % "").fetchall(), live.execute(read % "f.").fetchall())
            live.execute("DETACH f")
            os.unlink(f"{self.at}/f.db")

    def test_rowids_read_the_data_set_of_their_table(self):
        """Whatever others that are attached have of the same items."""
        part = f"SELECT row FROM ({self.query}) WHERE of_item = 'A' AND "
        self.freeze("first.db", query=part + "ix < 3", assets="red")
        self.freeze("second.db", query=part + "ix > 0", assets="nir")
        db = host.connect()
        self.addCleanup(db.close)
        for name in ("first", "second"):
            db.execute(f"ATTACH '{self.at}/{name}.db' AS {name}")
        for name, band, n in (("first", 0, 12), ("second", 1, 12)):
            rows = db.execute(f"SELECT position, chip_index_x, chip_index_y FROM {name}.chips").fetchall()
            self.assertEqual(n, len(rows))
            for position, x, y in rows:
                chip, = db.execute("SELECT stacchip_chip(?, ?)", (position, json.dumps({"table": f"{name}.chips"}))).fetchone()
                self.assertTrue((load(chip)[0] == self.part("A", x, y)[band]).all())
            for shuffle in (None, 1):
                query, options = f"SELECT position, chip_index_x, chip_index_y FROM {name}.chips", json.dumps({"table": f"{name}.chips", "shuffle": shuffle})
                (batch, extra), = db.execute("SELECT batch, extra FROM stacchip_batches(?, 99, ?)", (query, options)).fetchall()
                extra = json.loads(extra)
                for pixels, x, y in zip(load(batch), extra["chip_index_x"], extra["chip_index_y"]):
                    self.assertTrue((pixels[0] == self.part("A", x, y)[band]).all())

    def test_batches_of_rowids_and_none(self):
        """A row of NULL, or a rowid that is not there, says nothing of what the table is."""
        self.freeze("f.db")
        db = self.open("f.db")
        for first in ("NULL", "777", "-1"):
            query = f"SELECT {first} UNION ALL SELECT position FROM chips"
            for shuffle in ("null", "1", '{"mix": 0}'):
                options = '{"table": "chips", "null": "skip", "on_error": "skip", "shuffle": %s}' % shuffle
                for null in ("skip", "fill"):
                    rows = db.execute("SELECT n FROM stacchip_batches(?, 50, ?)", (query, options.replace('"null": "skip"', f'"null": "{null}"'))).fetchall()
                    self.assertEqual([(33 if (first, null) == ("NULL", "fill") else 32,)], rows)

    def test_every_chip_reads_without_its_scene(self):
        for codec in ("raw", "lz4", "zstd"):
            self.assertEqual(self.freeze(f"{codec}.db", codec=codec)["chips"], 32)
        shutil.rmtree(self.scenes)
        for codec in ("raw", "lz4", "zstd"):
            db = self.open(f"{codec}.db")
            rows = db.execute("SELECT handle, of_item, ix, iy, stacchip_chip(handle), position FROM chips").fetchall()
            self.assertEqual(len(rows), 32)
            for handle, item, x, y, blob, position in rows:
                self.assertLessEqual(len(handle), 40)
                numpy.testing.assert_array_equal(load(blob), self.part(item, x, y))
                by_rowid, = db.execute("SELECT stacchip_chip(?, '{\"table\": \"chips\"}')", (position,)).fetchone()
                self.assertEqual(by_rowid, blob)

    def test_plain_readers_undo_the_packing(self):
        unpack = {"raw": lambda blob, n: blob, "lz4": unpack_lz4, "zstd": unpack_zstd}
        for codec in unpack:
            self.freeze("data.db", codec=codec)
            db = sqlite3.connect(f"{self.at}/data.db")
            told = dict(db.execute("SELECT key, value FROM dataset"))
            shape, dtype = json.loads(told["shape"]), numpy.dtype(told["dtype"])
            self.assertEqual((shape, told["codec"], json.loads(told["bands"])), ([2, 64, 64], codec, BANDS))
            for item, x, y, blob in db.execute("SELECT of_item, ix, iy, pixels FROM chips JOIN pixels USING(position)"):
                raw = unpack[codec](blob, 2 * 64 * 64 * 2)
                got = array_of(raw, shape, dtype) if codec == "zstd" else numpy.frombuffer(raw, dtype).reshape(shape)
                numpy.testing.assert_array_equal(got, self.part(item, x, y))
            db.close()
            os.unlink(f"{self.at}/data.db")

    def test_types_of_pixels_come_back(self):
        rng = numpy.random.default_rng(3)
        for dtype in ("u1", "i1", "i2", "u4", "i4", "f4", "f8"):
            a = rng.integers(0, 250, (70, 90)).astype("f8") - (100 if dtype != "u1" and dtype != "u4" else 0)
            a = (a / 3 if dtype[0] == "f" else numpy.clip(a, -100, 120) if dtype == "i1" else a).astype(dtype)
            path = tiff.write(f"{self.at}/{dtype}.tif", a)
            for codec in ("raw", "zstd"):
                name = f"{dtype}_{codec}.db"
                self.freeze(name, f"SELECT row FROM stacchip_index('{path}', '{{\"chip_size\": 32, \"max_nodata\": 1}}')", codec=codec)
                blobs = dict(self.open(name).execute("SELECT chip_index_y * 100 + chip_index_x, stacchip_chip(handle) FROM chips"))
                self.assertEqual(len(blobs), 4)
                for at, blob in blobs.items():
                    y, x = divmod(at, 100)
                    got = load(blob)[0]
                    self.assertEqual(got.dtype, a.dtype)
                    numpy.testing.assert_array_equal(got, a[32 * y:32 * y + 32, 32 * x:32 * x + 32])

    def test_functions_give_what_they_give_of_the_scene(self):
        self.freeze("data.db")
        db = self.open("data.db")
        calls = ["stacchip_chip_info({row})", "stacchip_chip({row}, 'npz')", "stacchip_chip({row}, '{{\"assets\": \"nir\", \"dtype\": \"float32\"}}')",
                 "stacchip_chip({row}, '{{\"scale\": true}}')", "stacchip_chip({row}, '{{\"format\": \"npz\", \"valid\": true}}')",
                 "stacchip_chip({row}, '{{\"format\": \"png\", \"assets\": [\"red\", \"nir\", \"red\"]}}')", "stacchip_chip({row}, 'geotiff')",
                 "stacchip_chip({row}, '{{\"format\": \"png\", \"size\": 32, \"assets\": \"red\"}}')"]
        rows = [(self.db.execute(f"SELECT row FROM stacchip_index('{p}', ?) WHERE chip_index_x = ? AND chip_index_y = ?", (INDEX, x, y)).fetchone()[0],
                 db.execute("SELECT handle FROM chips WHERE of_item = ? AND ix = ? AND iy = ?", (n, x, y)).fetchone()[0])
                for n, p, x, y in (("A", self.a, 0, 0), ("B", self.b, 3, 2))]
        for call in calls:
            for source, frozen in rows:
                want, = self.db.execute("SELECT " + call.format(row="?"), (source,)).fetchone()
                got, = db.execute("SELECT " + call.format(row="?"), (frozen,)).fetchone()
                self.assertEqual(want, got, call)
        for call in ("stacchip_stack({row}, 'npz')", "stacchip_band_stats({row})"):
            want, = self.db.execute(f"SELECT {call.format(row='value')} FROM json_each(?)", (json.dumps([r[0] for r in rows]),)).fetchone()
            got, = db.execute(f"SELECT {call.format(row='value')} FROM json_each(?)", (json.dumps([r[1] for r in rows]),)).fetchone()
            self.assertEqual(want, got, call)
        want, = self.db.execute("SELECT stacchip_composite(?)", (rows[0][0],)).fetchone()
        self.assertEqual(db.execute("SELECT stacchip_composite(?)", (rows[0][1],)).fetchone()[0], want)
        point = "GeomFromText('POINT(' || (west + east) / 2 || ' ' || (south + north) / 2 || ')', 4326)"
        for function in ("stacchip_sample", "stacchip_zonal"):
            got, geometry = db.execute(f"SELECT {function}(handle, {point}), {point} FROM chips WHERE handle = ?", (rows[1][1],)).fetchone()
            self.assertEqual(self.db.execute(f"SELECT {function}(?, ?)", (rows[1][0], geometry)).fetchone()[0], got)

    def test_batches_stacks_and_attached_databases(self):
        self.freeze("data.db")
        shutil.rmtree(self.scenes)
        self.db.execute("ATTACH ? AS d", (f"{self.at}/data.db",))
        wanted = {tuple(r) for r in self.db.execute("SELECT of_item, ix, iy FROM d.chips")}
        for query, options in (("SELECT handle, of_item, ix, iy FROM d.chips", {}), ("SELECT position, of_item, ix, iy FROM d.chips", {"table": "d.chips"}),
                               ("SELECT handle, of_item, ix, iy FROM d.chips", {"items": "d.exported_items"})):
            seen = []
            for batch, extra in self.db.execute("SELECT batch, extra FROM stacchip_batches(?, 5, ?)", (query, json.dumps({"shuffle": 3, **options}))):
                e = json.loads(extra)
                for pixels, item, x, y in zip(load(batch), e["of_item"], e["ix"], e["iy"]):
                    numpy.testing.assert_array_equal(pixels, self.part(item, x, y))
                    seen.append((item, x, y))
            self.assertEqual((len(seen), set(seen)), (32, wanted))
        self.db.execute("DETACH d")
        self.refused("exported item", "SELECT stacchip_chip('[\"AAAAAAAAAAAAAAAA\",0,0]')")

    def test_two_data_sets_of_one_item_are_kept_apart(self):
        self.freeze("red.db", assets="red")
        self.freeze("nir.db", assets="nir", dtype="float32")
        for name in ("red", "nir"):
            self.db.execute(f"ATTACH ? AS {name}", (f"{self.at}/{name}.db",))
        handle, = self.db.execute("SELECT handle FROM red.chips WHERE of_item = 'A' AND ix = 1 AND iy = 1").fetchone()
        got = {n: load(self.db.execute("SELECT stacchip_chip(?, ?)", (handle, json.dumps({"items": f"{n}.exported_items"}))).fetchone()[0]) for n in ("nir", "red", "nir")}
        numpy.testing.assert_array_equal(got["red"], self.part("A", 1, 1)[:1])
        numpy.testing.assert_array_equal(got["nir"], self.part("A", 1, 1)[1:].astype("f4"))
        self.db.execute("DETACH red")
        self.db.execute("DETACH nir")
        self.db.execute("ATTACH ? AS red", (f"{self.at}/nir.db",))
        other = load(self.db.execute("SELECT stacchip_chip(?, '{\"items\": \"red.exported_items\"}')", (handle,)).fetchone()[0])
        numpy.testing.assert_array_equal(other, got["nir"])

    def test_what_was_not_frozen_is_an_error(self):
        self.freeze("data.db", f"SELECT * FROM ({self.query}) WHERE ix < 2", assets="red")
        db = self.open("data.db")
        handle, = db.execute("SELECT handle FROM chips WHERE of_item = 'A' AND ix = 1 AND iy = 1").fetchone()
        self.refused("no asset 'nir' in the frozen data set; frozen: red", "SELECT stacchip_chip(?, '{\"assets\": [\"red\", \"nir\"]}')", handle, db=db)
        self.refused(r"chip \(3, 1\) is not in the frozen data set", "SELECT stacchip_chip(?)", handle.replace(",1,1]", ",3,1]"), db=db)
        self.refused("frozen without it", "SELECT stacchip_chip(?, '{\"harmonize\": true}')", handle, db=db)
        self.refused("no layer of that name|layer", "SELECT stacchip_chip(?, '{\"format\": \"npz\", \"layers\": {\"dem\": {\"source\": \"frozen\"}}}')", handle, db=db)
        self.refused("is for chips of a frozen data set", f"SELECT stacchip_chip(row, '{{\"format\": \"npz\", \"layers\": {{\"dem\": {{\"source\": \"frozen\"}}}}}}') FROM ({self.query})")
        self.refused("has no row 99", "SELECT stacchip_chip(99, '{\"table\": \"chips\"}')", db=db)

    def test_windows_and_grids_of_frozen_chips(self):
        self.freeze("data.db")
        db = self.open("data.db")
        handle, = db.execute("SELECT handle FROM chips WHERE of_item = 'A' AND ix = 1 AND iy = 2").fetchone()
        source, = self.db.execute(f"SELECT row FROM stacchip_index('{self.a}', ?) WHERE chip_index_x = 1 AND chip_index_y = 2", (INDEX,)).fetchone()
        inner = self.part("A", 1, 2)
        wide = load(db.execute("SELECT stacchip_chip(?, '{\"buffer\": 3, \"fill\": 7}')", (handle,)).fetchone()[0])
        numpy.testing.assert_array_equal(wide, numpy.pad(inner, ((0, 0), (3, 3), (3, 3)), constant_values=7))
        box = json.loads(db.execute("SELECT stacchip_chip_info(?)", (handle,)).fetchone()[0])
        x, y, x1, y1 = box["bbox"]
        own = json.dumps({"bounds": [x + 100, y + 100, x1 - 100, y1 - 100], "resolution": 20, "resampling": "average"})
        got, want = (load(d.execute("SELECT stacchip_chip(?, ?)", (row, own)).fetchone()[0]) for d, row in ((db, handle), (self.db, source)))
        numpy.testing.assert_array_equal(got, want)

    def test_chips_frozen_with_other_options(self):
        """Buffers, grids of one's own, scaled values, casts: read back as they were made."""
        for i, options in enumerate(({"buffer": 5}, {"scale": True}, {"dtype": "float64"}, {"jitter": 9, "seed": 4}, {"resolution": 15, "resampling": "bilinear"},
                                     {"crs": "EPSG:3857", "resolution": 12, "size": 48}, {"fill": 3, "buffer": 70})):
            self.freeze(f"{i}.db", **options)
            db = self.open(f"{i}.db")
            for row, item, x, y in self.db.execute(self.query + " LIMIT 20"):
                want, = self.db.execute("SELECT stacchip_chip(?, ?)", (row, json.dumps(options))).fetchone()
                got, handle = db.execute("SELECT stacchip_chip(handle), handle FROM chips WHERE of_item = ? AND ix = ? AND iy = ?", (item, x, y)).fetchone()
                self.assertEqual(want, got, options)
            told = [json.loads(d.execute("SELECT stacchip_chip_info(?, ?)", (r, o)).fetchone()[0]) for d, r, o in ((self.db, row, json.dumps(options)), (db, handle, "{}"))]
            for key in ("crs", "transform", "bbox", "shape", "dtype", "scale", "offset", "nodata"):
                numpy.testing.assert_equal(told[1][key], told[0][key], f"{key} {options}")
            got, = db.execute("SELECT stacchip_stack(handle) FROM (SELECT handle FROM chips LIMIT 4)").fetchone()
            self.assertEqual(load(got).shape[0], 4)

    def test_layers_are_frozen_and_come_back(self):
        dem = numpy.random.default_rng(5).integers(0, 3000, (SIDE, SIDE)).astype("i2")
        tiff.write(f"{self.scenes}/dem.tif", dem, nodata=-1)
        layers = {"dem": {"source": f"{self.scenes}/dem.tif"}}
        one = self.freeze("data.db", layers=layers)
        self.freeze("tars", layers=layers, format="webdataset")
        self.freeze("arrays", layers=layers, format="npy")
        dem[0, 0] += 1
        tiff.write(f"{self.scenes}/dem.tif", dem, nodata=-1)
        self.assertNotEqual(self.freeze("other.db", layers=layers)["hash"], one["hash"])
        dem[0, 0] -= 1
        shutil.rmtree(self.scenes)
        db = self.open("data.db")
        self.assertEqual(db.execute("SELECT value FROM dataset WHERE key = 'layers'").fetchone()[0], '[{"name":"dem","dtype":"int16","shape":[1,64,64]}]')
        for x, y, blob in db.execute("SELECT ix, iy, stacchip_chip(handle, '{\"format\": \"npz\", \"layers\": {\"dem\": {\"source\": \"frozen\"}}}') FROM chips"):
            with load(blob) as arrays:
                numpy.testing.assert_array_equal(arrays["dem"][0], dem[64 * y:64 * y + 64, 64 * x:64 * x + 64])
        with tarfile.open(f"{self.at}/tars/000000.tar") as tar:
            about = json.load(tar.extractfile("000000003.json"))
            layer = load(tar.extractfile("000000003.dem.npy").read())
        numpy.testing.assert_array_equal(layer[0], dem[64 * about["iy"]:64 * about["iy"] + 64, 64 * about["ix"]:64 * about["ix"] + 64])
        self.assertEqual(numpy.load(f"{self.at}/arrays/000000.dem.npy").shape, (32, 1, 64, 64))

    def test_frozen_again(self):
        one = self.freeze("data.db")
        db = self.open("data.db")
        part = "SELECT handle, of_item, ix, iy FROM chips WHERE ix < 2"
        same = self.freeze("again.db", "SELECT handle FROM chips", db=db)
        direct = self.freeze("direct.db", f"SELECT * FROM ({self.query}) WHERE ix < 2")
        fewer = self.freeze("fewer.db", part, db=db)
        red = self.freeze("red.db", part, db=db, assets="red")
        self.assertEqual(same["hash"], one["hash"])
        self.assertEqual(fewer["hash"], direct["hash"])
        self.assertNotEqual(red["hash"], fewer["hash"])
        shutil.rmtree(self.scenes)
        for item, x, y, blob in self.open("red.db").execute("SELECT of_item, ix, iy, stacchip_chip(handle) FROM chips"):
            numpy.testing.assert_array_equal(load(blob), self.part(item, x, y)[:1])

    def test_damaged_files_are_errors(self):
        self.freeze("data.db", codec="lz4")
        handle, = self.open("data.db").execute("SELECT handle FROM chips WHERE position = 0").fetchone()
        damages = ["UPDATE pixels SET pixels = substr(pixels, 1, 100)", "UPDATE pixels SET pixels = x''", "UPDATE pixels SET pixels = zeroblob(70000)",
                   "UPDATE dataset SET value = '[2,64,65]' WHERE key = 'shape'", "UPDATE dataset SET value = '[2,1e9,1e9]' WHERE key = 'shape'",
                   "UPDATE dataset SET value = 'x' WHERE key = 'codec'", "UPDATE dataset SET value = 'zstd' WHERE key = 'codec'", "UPDATE dataset SET value = 'text' WHERE key = 'dtype'",
                   "UPDATE items SET array = '{}'", "UPDATE items SET array = json_set(array, '$.grid', json('[]'))", "UPDATE items SET array = json_set(array, '$.bands[1]', 7)",
                   "UPDATE chips SET width = -5", "UPDATE chips SET x = 1e300", "UPDATE chips SET crs = 'EPSG:4326', transform = '[0,0,0,0,0,0]'", "DELETE FROM pixels", "DROP TABLE pixels",
                   "UPDATE dataset SET value = '[{\"name\": 3}]' WHERE key = 'layers'"]
        for sql in damages:
            shutil.copy(f"{self.at}/data.db", f"{self.at}/bad.db")
            db = host.connect(f"{self.at}/bad.db")
            db.execute(sql)
            self.refused(".", "SELECT stacchip_chip(?)", handle, db=db)
            db.close()


class Versions(Case):
    def test_two_folders_have_one_hash(self):
        shutil.copytree(self.scenes, f"{self.at}/other/place")
        for root, _, names in os.walk(f"{self.at}/other"):
            for n in names:
                os.utime(os.path.join(root, n), (1, 1))
        other = rows_of(f"{self.at}/other/place/B.json", f"{self.at}/other/place/A.json")
        one, two = self.freeze("one.db"), self.freeze("two.db", f"SELECT * FROM ({other}) ORDER BY random()", codec="raw", shuffle=7)
        self.assertEqual((one["hash"], one["chips"]), (two["hash"], 32))
        for name, options in (("manifest", {}), ("webdataset", {"shard_bytes": 100000}), ("npy", {})):
            self.assertEqual(self.freeze(name, format=name, **options)["hash"], one["hash"])

    def test_what_changes_the_hash(self):
        hashes = {"as it is": self.freeze("0.db")["hash"]}
        hashes["a chip less"] = self.freeze("1.db", self.query + " LIMIT 31")["hash"]
        for i, options in enumerate(({"assets": "red"}, {"dtype": "float32"}, {"scale": True}, {"buffer": 1}, {"fill": 9}, {"jitter": 1, "seed": 2}, {"resolution": 5})):
            hashes[str(options)] = self.freeze(f"o{i}.db", **options)["hash"]
        self.pixels_a[0, 200, 100] ^= 1
        tiff.write(f"{self.scenes}/A_red.tif", self.pixels_a[0], block=(128, 128), deflate=True, nodata=0)
        hashes["a bit of a pixel"] = self.freeze("2.db", f"SELECT * FROM ({self.query})")["hash"]
        self.assertEqual(len(set(hashes.values())), len(hashes), hashes)

    def test_stated_checksums(self):
        plain = self.freeze("plain.db", rows_of(self.a))["hash"]
        stated, _ = scene(self.scenes, "A", 1, more=self.state)
        self.assertEqual(self.freeze("stated.db", rows_of(stated))["hash"], plain)
        stamps = {s for s, in self.open("stated.db").execute("SELECT stamp FROM assets")}
        with open(f"{self.scenes}/A_red.tif", "rb") as f:
            self.assertIn("sha256:" + hashlib.sha256(f.read()).hexdigest(), stamps)

    @unittest.skipUnless(web.NGINX, "nginx is not there")
    def test_remote_files_go_by_etag_and_frozen_chips_ask_no_server(self):
        server = web.Nginx(self.scenes)
        self.addCleanup(server.close)
        query = rows_of(f"{server.url}/A.json")
        for allowed in (None, "file:checksum"):
            one = self.freeze(f"{allowed}.db", query, db=self.fresh())
            server.clear()
            db = self.open(f"{allowed}.db")
            for item, x, y, blob in db.execute("SELECT of_item, ix, iy, stacchip_chip(handle) FROM chips"):
                numpy.testing.assert_array_equal(load(blob), self.part(item, x, y))
            self.assertEqual(server.log(), [])
            stamps = sorted({s.split(":")[0] for s, in db.execute("SELECT stamp FROM assets")})
            self.assertEqual(stamps, ["sha256" if allowed else "etag"])
            self.assertEqual(self.freeze("manifest.db", query, db=self.fresh(), format="manifest")["hash"], one["hash"])
            os.unlink(f"{self.at}/manifest.db")
            scene(self.scenes, "A", 1, more=self.state)
        self.assertEqual(self.freeze("local.db", rows_of(self.a), db=self.fresh())["hash"], one["hash"])

    def fresh(self):
        """A connection that knows no item yet: of a server one is fetched once."""
        db = host.connect()
        self.addCleanup(db.close)
        return db

    def state(self, item):
        """Checksums as the file extension has them."""
        for asset in item["assets"].values():
            with open(os.path.join(self.scenes, asset["href"]), "rb") as f:
                data = f.read()
            asset["file:checksum"], asset["file:size"] = "1220" + hashlib.sha256(data).hexdigest(), len(data)

    def test_the_hash_is_that_of_the_page(self):
        want = self.freeze("data.db")["hash"]
        db = sqlite3.connect(f"{self.at}/data.db")
        for version, collection, item, pixel_options, id in db.execute("SELECT version, collection, item_id, pixel_options, id FROM items"):
            files = ",".join(sorted(json.dumps(["", a, s], separators=(",", ":")) for a, s in db.execute("SELECT asset, stamp FROM assets WHERE item = ?", (id,))))
            text = f'["{collection}","{item}",{pixel_options},[{files}]]'
            self.assertEqual(hashlib.sha256(text.encode()).hexdigest(), version)
        chips = db.execute("SELECT version, x, y, width, height FROM chips JOIN items ON items.id = chips.item").fetchall()
        digests = sorted(hashlib.sha256(" ".join(map(str, c)).encode()).digest() for c in chips)
        self.assertEqual(hashlib.sha256(b"".join(digests)).hexdigest(), want)
        db.close()


class Shards(Case):
    def test_archives_are_read_by_tarfile_and_numpy(self):
        query = rows_of(self.a, self.b, columns=", CASE WHEN chip_index_x = 0 THEN 'val' WHEN chip_index_x < 3 THEN 'train' END AS split, 0.5 AS weight, NULL AS empty")
        r = self.freeze("tars", query, format="webdataset", splits="split", shard_bytes=100000)
        names = sorted(os.listdir(f"{self.at}/tars"))
        self.assertEqual(names, ["dataset.db", "train-000000.tar", "train-000001.tar", "train-000002.tar", "val-000003.tar", "val-000004.tar"])
        self.assertEqual((r["chips"], r["shards"], r["bytes"]), (24, 5, sum(os.path.getsize(f"{self.at}/tars/{n}") for n in names)))
        seen = set()
        for name in names[1:]:
            with tarfile.open(f"{self.at}/tars/{name}") as tar:
                members = tar.getmembers()
                for m in members:
                    self.assertEqual((m.uid, m.mtime, m.mode), (0, 0, 0o644))
                for key in sorted({m.name.split(".")[0] for m in members}):
                    about = json.load(tar.extractfile(f"{key}.json"))
                    pixels = numpy.load(io.BytesIO(tar.extractfile(f"{key}.npy").read()))
                    numpy.testing.assert_array_equal(pixels, self.part(about["of_item"], about["ix"], about["iy"]))
                    self.assertEqual((about["split"], about["weight"], about["empty"], about["collection"], int(key)), (name.split("-")[0], 0.5, None, "made", about["position"]))
                    seen.add((about["of_item"], about["ix"], about["iy"]))
        self.assertEqual(len(seen), 24)

    def test_arrays_and_their_index(self):
        self.freeze("arrays", format="npy", shard_bytes=200000)
        with open(f"{self.at}/arrays/index.json") as f:
            index = json.load(f)
        self.assertEqual((index["dtype"], index["shape"], index["chips"], index["bands"]), ("uint16", [2, 64, 64], 32, BANDS))
        n = 0
        for shard in index["shards"]:
            pixels = numpy.load(f"{self.at}/arrays/{shard['file']}")
            self.assertEqual(pixels.shape, (shard["chips"], 2, 64, 64))
            self.assertLessEqual(pixels.nbytes, 200000)
            for p, item, x, y in zip(pixels, shard["of_item"], shard["ix"], shard["iy"]):
                numpy.testing.assert_array_equal(p, self.part(item, x, y))
                n += 1
        self.assertEqual((n, len(index["shards"])), (32, 3))

    def test_a_manifest_reads_from_the_scenes(self):
        r = self.freeze("manifest.db", format="manifest", assets="nir", buffer=2)
        self.assertEqual(r["shards"], 0)
        db = self.open("manifest.db")
        for item, x, y, blob in db.execute("SELECT of_item, ix, iy, stacchip_chip(handle, (SELECT value FROM dataset WHERE key = 'options')) FROM chips"):
            numpy.testing.assert_array_equal(load(blob)[:, 2:-2, 2:-2], self.part(item, x, y)[1:])

    def test_order(self):
        """Shuffled by default, as batches come; the query's on request; splits one after the other."""
        query = rows_of(self.a, self.b, columns=", chip_index_x % 2 AS split")
        self.freeze("plain.db", f"SELECT * FROM ({query}) ORDER BY of_item DESC, ix, iy", shuffle=False)
        self.assertEqual(self.open("plain.db").execute("SELECT of_item, ix, iy FROM chips ORDER BY position").fetchall(),
                         sorted(self.open("plain.db").execute("SELECT of_item, ix, iy FROM chips").fetchall(), key=lambda r: (-ord(r[0]), r[1], r[2])))
        orders = []
        for i, shuffle in enumerate((0, 0, 1)):
            self.freeze(f"{i}.db", query, shuffle=shuffle, splits="split")
            orders.append(self.open(f"{i}.db").execute("SELECT of_item, ix, iy FROM chips ORDER BY position").fetchall())
        self.assertEqual(orders[0], orders[1])
        self.assertNotEqual(orders[0], orders[2])
        self.assertEqual([x % 2 for _, x, _ in orders[0]], [0] * 16 + [1] * 16)


class Calls(Case):
    def test_arguments_and_errors(self):
        call = "SELECT stacchip_freeze(?, ?, ?)"
        path = f"{self.at}/x.db"
        self.assertEqual(self.db.execute(call, (None, self.query, None)).fetchone(), (None,))
        for options, message in (({"codec": "lz4", "format": "npy"}, "option 'codec' is for the format stacchip"), ({"shard_bytes": 100000}, "option 'shard_bytes' is for the formats"),
                                 ({"format": "zip"}, "is not one of stacchip, manifest, webdataset, npy"), ({"splits": "split"}, "the query has no column 'split'"), ({"valid": True}, "unknown option 'valid'"),
                                 ({"on_error": "null"}, "on_error"), ({"on_error": "skip", "format": "npy"}, "skip"), ({"assets": "blue"}, "no asset 'blue'"), ({"shuffle": "x"}, "the seed")):
            self.refused(message, call, path, self.query, json.dumps(options))
        self.refused("cannot have a column 'item' of yours", call, path, f"SELECT row, of_item AS item FROM ({self.query})", None)
        self.refused("names no chip", call, path, f"SELECT * FROM ({self.query}) WHERE 0", None)
        self.refused("first column is", call, path, "CREATE TABLE t(x)", None)
        self.refused("local path", call, "s3://bucket/x.db", self.query, None)
        self.refused("the path is empty", call, "", self.query, None)
        self.refused("BLOB", call, path, f"SELECT row, x'00' AS b FROM ({self.query})", None)
        self.assertEqual([n for n in os.listdir(self.at) if n != "scenes" and not n.endswith(".part")], [])

    def test_what_is_there_is_kept(self):
        one = self.freeze("data.db")
        before = files_of(f"{self.at}/data.db")
        self.assertEqual(self.freeze("data.db"), one)
        self.refused("is there already", "SELECT stacchip_freeze(?, ?)", f"{self.at}/data.db", rows_of(self.a))
        with open(f"{self.at}/text", "w") as f:
            f.write("mine")
        self.refused("is there already", "SELECT stacchip_freeze(?, ?)", f"{self.at}/text", self.query)
        self.assertEqual(files_of(f"{self.at}/data.db"), before)

    def test_one_shape(self):
        tiff.write(f"{self.scenes}/x.tif", numpy.ones((64, 64), "u1"))
        self.refused("chips of a data set have one shape", "SELECT stacchip_freeze(?, ?)", f"{self.at}/x.db",
                     f"{rows_of(self.a)} UNION ALL SELECT row, item, 0, 0 FROM stacchip_index('{self.scenes}/x.tif', '{INDEX}')")

    def test_chips_that_cannot_be_read(self):
        self.db.execute(f"CREATE TABLE rows AS {self.query}")
        os.unlink(f"{self.scenes}/B_nir.tif")
        self.refused("B_nir", "SELECT stacchip_freeze(?, ?)", f"{self.at}/x.db", "SELECT * FROM rows")
        self.assertEqual(self.freeze("skipped.db", "SELECT * FROM rows", on_error="skip")["chips"], 16)
        rows = self.open("skipped.db").execute("SELECT position, of_item FROM chips ORDER BY position").fetchall()
        self.assertEqual(rows, [(i, "A") for i in range(16)])
        with open(f"{self.scenes}/A_red.tif", "r+b") as f:  # the last of four blocks, of four chips each
            f.seek(-9, 2)
            f.write(b"damaged!!")
        self.refused("reading pixels failed", "SELECT stacchip_freeze(?, ?)", f"{self.at}/y.db", "SELECT * FROM rows WHERE of_item = 'A'")
        self.assertIn(self.freeze("damaged.db", "SELECT * FROM rows WHERE of_item = 'A'", on_error="skip")["chips"], range(12, 16))
        rows = self.open("damaged.db").execute("SELECT ix, iy, stacchip_chip(handle) FROM chips").fetchall()
        for x, y, blob in rows:
            numpy.testing.assert_array_equal(load(blob), self.part("A", x, y))

    def test_access_rules_hold(self):
        os.makedirs(f"{self.at}/allowed")
        code = f"import host; db = host.connect(); print(db.execute('SELECT stacchip_freeze(?, ?)', ({self.at + '/denied/x.db'!r}, {self.query!r})).fetchone())"
        r = subprocess.run([sys.executable, "-c", code], env={**os.environ, "STACCHIP_LOCAL": f"{self.at}/allowed,{self.scenes}", "PYTHONPATH": os.path.join(host.ROOT, "tests", "support")}, capture_output=True, text=True)
        self.assertIn("STACCHIP_LOCAL", r.stderr)
        self.assertFalse(os.path.exists(f"{self.at}/denied"))

    def test_not_from_a_view(self):
        self.db.execute(f"CREATE VIEW v AS SELECT stacchip_freeze('{self.at}/v.db', 'SELECT 1')")
        self.refused("unsafe use", "SELECT * FROM v")

    def test_an_interrupt_ends_it_and_it_goes_on(self):
        big, _ = scene(self.scenes, "big", 9, side=2048)
        query = rows_of(big)
        whole = self.freeze("whole.db", query)
        interrupt = threading.Timer(0.1, self.db.interrupt)
        interrupt.start()
        try:
            self.freeze("cut.db", query)
        except sqlite3.OperationalError as e:
            self.assertIn("interrupted", str(e))
        interrupt.join()  # it may be done before
        self.assertEqual(self.freeze("cut.db", query), whole)
        self.assertEqual(files_of(f"{self.at}/cut.db"), files_of(f"{self.at}/whole.db"))


class Kills(Case):
    FORMATS = ({"codec": "lz4"}, {"format": "manifest"}, {"format": "webdataset", "shard_bytes": 1500000, "splits": "split"}, {"format": "npy", "shard_bytes": 3000000})

    def start(self, path, options):
        p = subprocess.Popen([sys.executable, VICTIM, path, self.query, json.dumps(options)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env={**os.environ, "PYTHONPATH": os.path.join(host.ROOT, "tests", "support")})
        self.assertEqual(p.stdout.readline(), "ready\n")
        return p

    def finish(self, path, options):
        p = self.start(path, options)
        began = time.time()
        out, err = p.communicate()
        self.assertEqual(p.returncode, 0, err)
        return json.loads(out), time.time() - began

    def test_killed_and_started_again_it_is_equal(self):
        rnd = random.Random(int(os.environ.get("SEED", "1")))
        items = [scene(self.scenes, f"K{i}", i, side=1536)[0] for i in range(2)]
        self.query = rows_of(*items, columns=", CASE WHEN chip_index_x < 9 THEN 'train' ELSE 'val' END AS split")
        for k, options in enumerate(self.FORMATS):
            whole, seconds = self.finish(f"{self.at}/whole{k}", options)
            killed = 0
            for _ in range(int(os.environ.get("KILLS", "2"))):
                p = self.start(f"{self.at}/killed{k}", options)
                time.sleep(rnd.random() * seconds)
                p.kill()
                killed += p.wait() == -9
                p.stdout.close()
                p.stderr.close()
            again, _ = self.finish(f"{self.at}/killed{k}", options)
            self.assertEqual(again, whole, options)
            self.assertEqual(files_of(f"{self.at}/killed{k}"), files_of(f"{self.at}/whole{k}"), options)
            self.assertEqual([n for n in os.listdir(self.at) if ".part" in n], [])
            print(f"{options}: killed {killed} times")

    def test_what_was_begun_for_other_chips_is_begun_anew(self):
        items = [scene(self.scenes, f"K{i}", i, side=1024)[0] for i in range(2)]
        self.query = rows_of(*items)
        p = self.start(f"{self.at}/x.db", {"codec": "lz4"})
        end = time.time() + 60
        while not os.path.exists(f"{self.at}/x.db.part") and not os.path.exists(f"{self.at}/x.db") and time.time() < end:
            time.sleep(0.002)
        p.kill()
        p.communicate()
        self.query = rows_of(items[0])
        want, _ = self.finish(f"{self.at}/y.db", {"codec": "lz4"})
        if os.path.exists(f"{self.at}/x.db"):
            os.unlink(f"{self.at}/x.db")
        got, _ = self.finish(f"{self.at}/x.db", {"codec": "lz4"})
        self.assertEqual(got, want)
        self.assertEqual(files_of(f"{self.at}/x.db"), files_of(f"{self.at}/y.db"))


if __name__ == "__main__":
    host.main()
