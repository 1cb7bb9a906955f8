"""stacchip_mosaic: what was cut comes together again, judged by GDAL's reading of the file and NumPy's arithmetic."""
import io
import itertools
import json
import os
import sqlite3
import subprocess
import tempfile
import unittest

import gdal_judge
import host
import numpy
import tiff

TRANSFORM = (10, 0, 500000, 0, -10, 6400000)


def npy(array):
    out = io.BytesIO()
    numpy.save(out, array)
    return out.getvalue()


class Mosaic(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.db = host.connect()
        self.addCleanup(self.db.close)
        self.scratch = os.path.join(self.folder.name, "scratch")
        os.mkdir(self.scratch)
        os.environ["SQLITE_TMPDIR"] = self.scratch
        self.addCleanup(os.environ.pop, "SQLITE_TMPDIR")
        self.addCleanup(lambda: self.assertEqual(os.listdir(self.scratch), []))

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def scene(self, array, name="scene", res=10, **assets):
        """An item of one asset and of others: {key: (array, metres)}."""
        listed = {}
        for key, (a, m) in dict({"data": (array, res)}, **assets).items():
            path = self.path(f"{name}-{key}.tif")
            tiff.write(path, a, (m, 0, 500000, 0, -m, 6400000))
            listed[key] = {"href": path, "type": "image/tiff", "proj:transform": [m, 0, 500000, 0, -m, 6400000], "proj:shape": list(a.shape[-2:])}
        item = {"type": "Feature", "stac_version": "1.0.0", "id": name, "geometry": None, "links": [], "assets": listed,
                "properties": {"datetime": "2024-05-06T07:08:09Z", "proj:epsg": 32720}}
        with open(self.path(name + ".json"), "w") as f:
            json.dump(item, f)
        return self.path(name + ".json")

    def index(self, item, **options):
        options = dict({"platform": "none", "max_nodata": 1, "chip_size": 64}, **options)
        self.db.execute("DROP TABLE IF EXISTS p")
        self.db.execute("CREATE TABLE p AS SELECT row, chip_index_x x, chip_index_y y, col_off, row_off FROM stacchip_index(?, ?)", (item, json.dumps(options)))
        return options

    def mosaic(self, sql="SELECT stacchip_mosaic(row, stacchip_chip(row, ?), ?) FROM p", chip=None, **options):
        path = self.path("map.tif")
        options["path"] = path
        self.assertEqual(self.db.execute(sql, (json.dumps(chip or {}), json.dumps(options))).fetchone()[0], path)
        return self.look(path)

    def look(self, path):
        with open(path, "rb") as f:
            head = f.read(4096)
        w, h = (int.from_bytes(head[at + 8:at + 12], "little") for at in (head.index(tag) for tag in (b"\x00\x01\x03\x00", b"\x01\x01\x03\x00")))
        got = gdal_judge.ask([{"path": path, "windows": [[0, 0, w & 65535, h & 65535, w & 65535, h & 65535]]}])[0]
        self.assertNotIn("error", got)
        got["arrays"] = [numpy.array(a) for a in got["arrays"]]
        return got

    def fails(self, message, sql, *args):
        with self.assertRaises(Exception) as caught:
            self.db.execute(sql, args).fetchall()
        self.assertIn(message, str(caught.exception))

    def test_cut_and_stitched_is_the_scene(self):
        rng = numpy.random.default_rng(5)
        dtypes = itertools.cycle(("uint8", "uint16", "int16", "float32", "float64", "int32", "uint32"))  # 7 and 24 have no common factor
        for stride in (24, 64):
            for edge in ("pad", "shift", "drop"):
                for blend in ("feather", "mean", "first", "trim"):
                    dtype = next(dtypes)
                    array = (rng.random((1, 300, 410)) * 200).astype(dtype)
                    item = self.scene(array)
                    with self.subTest(dtype=dtype, stride=stride, edge=edge, blend=blend):
                        self.index(item, stride=stride, edge=edge)
                        order = "" if blend == "first" else "ORDER BY stacchip_hash(3, x, y)"
                        got = self.mosaic(f"SELECT stacchip_mosaic(row, stacchip_chip(row, ?), ?) FROM (SELECT * FROM p {order})", blend=blend)
                        self.assertEqual(got["transform"], [10, 0, 500000, 0, -10, 6400000])
                        expected, (x, y) = array, (410, 300)
                        if edge == "drop":
                            x, y = ((n - 64) // stride * stride + 64 for n in (410, 300))
                            expected = numpy.full_like(array, numpy.nan if array.dtype.kind == "f" else 0)
                            expected[:, :y, :x] = array[:, :y, :x]
                        numpy.testing.assert_array_equal(got["arrays"][0], expected)

    def test_assets_of_three_resolutions(self):
        rng = numpy.random.default_rng(6)
        ten, twenty, sixty = (rng.integers(1, 60000, (1, 360 // k, 480 // k), dtype="uint16") for k in (1, 2, 6))
        item = self.scene(ten, b20=(twenty, 20), b60=(sixty, 60))
        self.index(item, stride=48, edge="shift")
        got = self.mosaic(chip={"assets": ["data", "b20", "b60"]}, blend="mean")["arrays"][0]
        for band, (a, k) in enumerate(((ten, 1), (twenty, 2), (sixty, 6))):
            numpy.testing.assert_array_equal(got[band], a[0].repeat(k, 0).repeat(k, 1))

    def test_strides_of_a_chip_of_256_with_assets_of_three_resolutions(self):
        """Cut and stitched unchanged: for strides from 64 to 256 and all edges the map is the scene, bit for bit."""
        rng = numpy.random.default_rng(16)
        ten, twenty, sixty = (rng.integers(1, 60000, (1, 600 // k, 840 // k), dtype="uint16") for k in (1, 2, 6))
        item = self.scene(ten, b20=(twenty, 20), b60=(sixty, 60))
        whole = numpy.stack([a[0].repeat(k, 0).repeat(k, 1) for a, k in ((ten, 1), (twenty, 2), (sixty, 6))])
        blends = itertools.cycle(("feather", "trim", "mean", "first"))
        for stride in (64, 100, 128, 192, 256):
            for edge in ("pad", "shift", "drop"):
                with self.subTest(stride=stride, edge=edge):
                    self.index(item, chip_size=256, stride=stride, edge=edge)
                    got = self.mosaic(chip={"assets": ["data", "b20", "b60"]}, blend=next(blends))["arrays"][0]
                    x, y = ((n - 256) // stride * stride + 256 for n in (840, 600)) if edge == "drop" else (840, 600)
                    want = numpy.zeros_like(whole)
                    want[:, :y, :x] = whole[:, :y, :x]
                    numpy.testing.assert_array_equal(got, want)

    def test_constant_input_has_no_seam(self):
        item = self.scene(numpy.zeros((1, 300, 410), "uint8"))
        values = itertools.cycle((numpy.float32(0.1), numpy.float64(1 / 3), numpy.float32(1e-30), numpy.float64(-12345.678), numpy.float32(7e8)))
        for stride in (24, 40):
            self.index(item, stride=stride, edge="shift")
            for blend in ("feather", "feather", "mean", "first", "trim"):
                value = next(values)
                sql = "SELECT stacchip_mosaic(row, x'%s', ?2) FROM p WHERE ?1 = ?1" % npy(numpy.full((2, 64, 64), value)).hex()
                got = self.mosaic(sql, blend=blend)["arrays"][0]
                self.assertLessEqual(abs(got - value).max(), 1e-6 * abs(value))
                self.assertEqual(got.shape, (2, 300, 410))

    def test_arrays_of_another_resolution_than_the_grid(self):
        item = self.scene(numpy.zeros((1, 256, 320), "uint8"))
        self.index(item)
        for up, down in ((1, 4), (2, 1)):
            height, width = 256 * up // down, 320 * up // down
            truth = numpy.arange(height * width, dtype="float32").reshape(height, width)
            side = 64 * up // down
            for row, col, line in self.db.execute("SELECT row, col_off, row_off FROM p").fetchall():
                c, r = col * up // down, line * up // down
                self.db.execute("CREATE TABLE IF NOT EXISTS a(row, a)")
                self.db.execute("INSERT INTO a VALUES (?, ?)", (row, npy(truth[r:r + side, c:c + side])))
            got = self.mosaic("SELECT stacchip_mosaic(row, a, ?2) FROM a WHERE ?1 = ?1")
            numpy.testing.assert_array_equal(got["arrays"][0][0], truth)
            self.assertEqual(got["transform"], [10 * down / up, 0, 500000, 0, -10 * down / up, 6400000])
            self.db.execute("DROP TABLE a")

    def scores(self, item, n_classes, rng, **options):
        """Random scores for each chip, in a table, and as (col, row, array)."""
        self.index(item, **options)
        self.db.execute("DROP TABLE IF EXISTS a")
        self.db.execute("CREATE TABLE a(row, x, y, a)")
        out = []
        for row, x, y, col, line in self.db.execute("SELECT * FROM p").fetchall():
            a = rng.random((n_classes, 64, 64), dtype="float32")
            out.append((col, line, a))
            self.db.execute("INSERT INTO a VALUES (?, ?, ?, ?)", (row, x, y, npy(a)))
        return out

    def test_blends_are_what_their_definition_says(self):
        rng = numpy.random.default_rng(7)
        item = self.scene(numpy.zeros((1, 200, 300), "uint8"))
        chips = self.scores(item, 3, rng, stride=24, edge="shift")
        ramp = numpy.minimum(numpy.arange(64), numpy.arange(64)[::-1]) + 1.0
        for blend, w in (("feather", numpy.outer(ramp, ramp)), ("mean", numpy.ones((64, 64)))):
            total, weights = numpy.zeros((3, 200, 300)), numpy.zeros((200, 300))
            for col, line, a in chips:
                total[:, line:line + 64, col:col + 64] += a * w
                weights[line:line + 64, col:col + 64] += w
            for order in ("rowid", "-rowid", "stacchip_hash(1, rowid)"):
                sql = f"SELECT stacchip_mosaic(row, a, ?2) FROM (SELECT * FROM a WHERE ?1 = ?1 ORDER BY {order})"
                numpy.testing.assert_allclose(self.mosaic(sql, blend=blend)["arrays"][0], total / weights, rtol=2e-6)
                classes = self.mosaic(sql, blend=blend, reduce="argmax")
                best = numpy.sort(total / weights, axis=0)
                sure = best[-1] - best[-2] > 1e-5
                numpy.testing.assert_array_equal(classes["arrays"][0][0][sure], (total / weights).argmax(0)[sure])
                self.assertEqual((classes["dtypes"], classes["nodata"]), (["u1"], [255]))
        first = numpy.full((3, 200, 300), numpy.nan, "float32")
        trim, best = first.copy(), numpy.zeros((200, 300))
        for col, line, a in chips:
            window = (slice(None), slice(line, line + 64), slice(col, col + 64))
            first[window] = numpy.where(numpy.isnan(first[window]), a, first[window])
            far = ramp - 0.5 * (numpy.arange(64) > 31)  # the right and lower edge count as a little nearer
            nearer = numpy.add.outer(far * (1 + 1 / 1024), far)
            wins = nearer > best[window[1:]]
            trim[window] = numpy.where(wins, a, trim[window])
            best[window[1:]] = numpy.maximum(best[window[1:]], nearer)
        sql = "SELECT stacchip_mosaic(row, a, ?2) FROM (SELECT * FROM a WHERE ?1 = ?1 ORDER BY %s)"
        numpy.testing.assert_array_equal(self.mosaic(sql % "rowid", blend="first")["arrays"][0], first)
        for order in ("rowid", "stacchip_hash(2, rowid)"):
            numpy.testing.assert_array_equal(self.mosaic(sql % order, blend="trim")["arrays"][0], trim)

    def test_what_says_nothing_is_left_open(self):
        item = self.scene(numpy.zeros((1, 128, 128), "uint8"))
        self.index(item)
        a = numpy.ones((2, 64, 64), "float32")
        a[1, 3, 4] = numpy.nan
        got = self.mosaic("SELECT stacchip_mosaic(row, ?3, ?2) FROM p WHERE x = 0 AND y = 0 AND ?1 = ?1".replace("?3", "x'%s'" % npy(a).hex()))
        self.assertTrue(numpy.isnan(got["arrays"][0][:, 3, 4]).all())
        self.assertEqual(numpy.isnan(got["arrays"][0][0]).sum(), 128 * 128 - 64 * 64 + 1)
        b = numpy.full((64, 64), 7, "int16")
        b[0, :5] = -9
        got = self.mosaic("SELECT stacchip_mosaic(row, CASE WHEN x = 0 THEN x'%s' END, ?2) FROM p WHERE ?1 = ?1" % npy(b).hex(), nodata=-9)
        self.assertEqual(got["nodata"], [-9])
        self.assertEqual((got["arrays"][0] == 7).sum(), 2 * (64 * 64 - 5))
        self.assertEqual((got["arrays"][0] == -9).sum(), 128 * 128 - 2 * (64 * 64 - 5))
        self.assertIsNone(self.db.execute("SELECT stacchip_mosaic(row, NULL) FROM p").fetchone()[0])
        self.assertIsNone(self.db.execute("SELECT stacchip_mosaic(row, NULL) FROM p WHERE 0").fetchone()[0])

    def test_a_blob_is_a_cloud_optimized_geotiff(self):
        array = numpy.random.default_rng(8).integers(0, 255, (1, 1300, 1100), dtype="uint8")
        item = self.scene(array)
        self.index(item, chip_size=256, edge="pad")
        blob = self.db.execute("SELECT stacchip_mosaic(row, stacchip_chip(row)) FROM p").fetchone()[0]
        with open(self.path("b.tif"), "wb") as f:
            f.write(blob)
        numpy.testing.assert_array_equal(self.look(self.path("b.tif"))["arrays"][0], array)
        self.assertIn(b"LAYOUT=IFDS_BEFORE_DATA", blob[:1000])
        text = subprocess.run(["gdalinfo", self.path("b.tif")], capture_output=True, text=True).stdout
        for words in ("Overviews: 550x650", "LAYOUT=COG", "COMPRESSION=DEFLATE", 'ID["EPSG",32720]', "Block=512x512"):
            self.assertIn(words, text)
        self.db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 500000)
        self.fails("write it to a file by the option 'path'", "SELECT stacchip_mosaic(row, stacchip_chip(row)) FROM p")

    def test_the_layout_is_that_of_a_cog(self):
        """The rules of `rio cogeo validate`, by a reading of the file written here, and by GDAL's own judge where it is installed."""
        rng = numpy.random.default_rng(9)
        for dtype, shape, chip, options in (("uint8", (1, 1300, 1100), 256, {}), ("float32", (3, 700, 2100), 128, {"nodata": -1}), ("int16", (1, 300, 400), 64, {}),
                                            ("float32", (5, 900, 600), 100, {"reduce": "argmax"})):
            with self.subTest(dtype=dtype, shape=shape, options=options):
                item = self.scene(numpy.zeros((1,) + shape[1:], "uint8"))
                self.index(item, chip_size=chip, edge="pad")
                self.db.create_function("noise", 0, lambda: npy((rng.random((shape[0], chip, chip)) * 200).astype(dtype)))
                self.mosaic("SELECT stacchip_mosaic(row, noise(), ?2) FROM p WHERE ?1 = ?1", **options)
                self.check_layout(self.path("map.tif"), shape[2], shape[1])
                judge = "import sys; from osgeo_utils.samples.validate_cloud_optimized_geotiff import validate; print(validate(sys.argv[1], full_check=True)[:2])"
                r = subprocess.run(["/usr/bin/python3", "-c", judge, self.path("map.tif")], capture_output=True, text=True,
                                   env={k: v for k, v in os.environ.items() if k != "LD_PRELOAD"})
                if "ModuleNotFoundError" not in r.stderr:
                    self.assertEqual(r.stdout.splitlines()[-1:], ["([], [])"], r.stderr)

    def directories(self, data):
        """Of a little-endian TIFF or BigTIFF: {"at", tag: values} of each directory, in their order."""
        sizes = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 12: 8, 13: 4, 16: 8, 18: 8}
        self.assertEqual(data[:2], b"II")
        big = data[2] == 43
        word, entry, count = (8, 20, 8) if big else (4, 12, 2)
        number = lambda at, n: int.from_bytes(data[at:at + n], "little")
        at, out = number(8 if big else 4, word), []
        while at:
            n, found = number(at, count), {"at": at}
            for e in range(at + count, at + count + n * entry, entry):
                size, values = sizes[number(e + 2, 2)], number(e + 4, word)
                place = e + 4 + word if size * values <= word else number(e + 4 + word, word)
                found[number(e, 2)] = [number(place + i * size, size) for i in range(values)]
            out.append(found)
            at = number(at + count + n * entry, word)
        return out

    def check_layout(self, path, width, height):
        with open(path, "rb") as f:
            data = f.read()
        files = self.directories(data)
        self.assertEqual((files[0][256], files[0][257]), ([width], [height]))
        self.assertIn(b"LAYOUT=IFDS_BEFORE_DATA", data[:files[0]["at"]])
        levels, begins = [d[256][0] for d in files], []
        for d in files:
            self.assertIn(322, d)  # tiled
            self.assertEqual(d[322], d[323])
            begins.append(min(o for o in d[324] if o))
            self.assertGreater(min(o for o in d[324] if o), max(x["at"] for x in files))  # all directories before all pixels
        self.assertEqual([d["at"] for d in files], sorted(d["at"] for d in files))
        self.assertEqual(levels, sorted(levels, reverse=True))  # the main image, then overviews from fine to coarse
        self.assertEqual(begins, sorted(begins, reverse=True))  # and their pixels the other way round
        for finer, coarser in zip(files, files[1:]):
            self.assertEqual(coarser[254][0] & 1, 1)
            self.assertLessEqual(finer[256][0] / coarser[256][0], 2.01)
        if max(width, height) > 512:
            self.assertGreater(len(files), 1)
            self.assertLessEqual(max(files[-1][256] + files[-1][257]), 512)

    def test_nodata_that_the_map_cannot_have(self):
        """Where no chip says anything there would be valid pixels of another value."""
        path = tiff.write(self.path("nodata.tif"), numpy.zeros((64, 64), "u1"))
        rows = self.db.execute("SELECT row, chip_index_x FROM stacchip_index(?, ?)", (path, json.dumps({"platform": "none", "chip_size": 32, "max_nodata": 1}))).fetchall()
        for dtype, nodata, fits in (("u1", -9999, 0), ("u1", 0.5, 0), ("u1", 255, 1), ("u2", 65536, 0), ("i1", -128, 1), ("i2", -9999, 1), ("i4", 2**40, 0), ("u8", 2**64, 0),
                                    ("u8", 2**63, 1), ("i8", -2**63, 1), ("i8", 2**63, 0), ("f4", 1e300, 0), ("f4", -9999.5, 1), ("f8", 1e300, 1)):
            values = [(row, npy(numpy.full((32, 32), 7, dtype)) if x == 0 else None) for row, x in rows]
            sql = f"WITH p(row, array) AS (VALUES {', '.join(['(?, ?)'] * len(rows))}) SELECT stacchip_mosaic(row, array, ?) FROM p"
            arguments = [v for pair in values for v in pair] + [json.dumps({"nodata": nodata})]
            if fits:
                self.db.execute(sql, arguments).fetchone()
            else:
                with self.assertRaisesRegex(sqlite3.Error, "option 'nodata': .* is no value of the arrays' type"):
                    self.db.execute(sql, arguments).fetchone()

    def test_bad_input(self):
        item = self.scene(numpy.zeros((1, 128, 192), "uint8"))
        other = self.scene(numpy.zeros((1, 128, 128), "uint8"), "other")
        self.index(item)
        ok = npy(numpy.zeros((64, 64), "uint8"))
        one = "SELECT stacchip_mosaic(row, ?) FROM p WHERE x = 0 AND y = 0"
        for message, array in (("item scene: chip (0, 0): not a .npy array", b"PK"), ("array is no BLOB", "x"), ("64 x 64 pixels", npy(numpy.zeros((60, 64), "uint8"))),
                               ("4 dimensions", npy(numpy.zeros((1, 1, 64, 64), "uint8"))), ("1 dimensions", npy(numpy.zeros(64, "uint8"))),
                               ("complex", npy(numpy.zeros((64, 64), "complex64"))), ("a map of 0 bands", npy(numpy.zeros((0, 64, 64), "uint8"))),
                               ("type <f2", npy(numpy.zeros((64, 64), "float16"))), ("a map of 4097 bands", npy(numpy.zeros((4097, 64, 64), "uint8")))):
            with self.subTest(message=message):
                self.fails(message, one, array)
        self.fails("this chip came before; GROUP BY item, date or model", "SELECT stacchip_mosaic(row, ?) FROM (SELECT row FROM p UNION ALL SELECT row FROM p)", ok)
        self.fails("another type, resolution or number of bands", "SELECT stacchip_mosaic(row, CASE x WHEN 0 THEN ?1 ELSE ?2 END) FROM p", ok, npy(numpy.zeros((2, 64, 64), "uint8")))
        self.fails("another grid than the first row's; GROUP BY grid",
                   "SELECT stacchip_mosaic(row, ?) FROM (SELECT row FROM p UNION ALL SELECT row FROM stacchip_index(?, '{\"platform\":\"none\",\"chip_size\":64,\"max_nodata\":1}'))", ok, other)
        self.fails("another size, stride or edge",
                   "SELECT stacchip_mosaic(row, ?) FROM (SELECT row FROM p UNION ALL SELECT row FROM stacchip_index(?, '{\"platform\":\"none\",\"chip_size\":64,\"stride\":32,\"max_nodata\":1}'))", ok, item)
        self.fails("argmax of 1 bands; expected 2 to 255", "SELECT stacchip_mosaic(row, ?, '{\"reduce\":\"argmax\"}') FROM p", ok)
        lon, lat = self.db.execute("SELECT ST_X(ST_Centroid(geometry)), ST_Y(ST_Centroid(geometry)) FROM stacchip_index(?, '{\"platform\":\"none\",\"chip_size\":64}')", (item,)).fetchone()
        self.fails("a chip round a center", "SELECT stacchip_mosaic(json_object('item', ?, 'center', json_array(?, ?), 'chip_size', 64, 'platform', 'none'), ?)", item, lon, lat, ok)
        self.fails("unknown option 'pth'; options: path, blend, reduce, nodata, table", "SELECT stacchip_mosaic(row, ?, '{\"pth\":1}') FROM p", ok)
        self.fails("'most' is not one of feather, mean, first, trim", "SELECT stacchip_mosaic(row, ?, '{\"blend\":\"most\"}') FROM p", ok)
        self.fails("options that differ from the first row's", "SELECT stacchip_mosaic(row, ?, json_object('nodata', x)) FROM p", ok)
        self.fails("cannot create", "SELECT stacchip_mosaic(row, ?, '{\"path\":\"/proc/x/m.tif\"}') FROM p", ok)
        self.db.execute("SELECT stacchip_config('local_roots', ?)", (self.folder.name,))
        self.addCleanup(self.db.execute, "SELECT stacchip_config('local_roots', NULL)")
        self.fails("local files are", "SELECT stacchip_mosaic(row, ?, '{\"path\":\"/var/tmp/m.tif\"}') FROM p", ok)
        self.db.execute("CREATE VIEW w AS SELECT stacchip_mosaic(row, '') FROM p")
        self.fails("unsafe use", "SELECT * FROM w")
        self.assertFalse(os.path.exists(self.path("map.tif")))

    def test_the_example(self):
        scene = os.path.join(host.ROOT, "build", "scenes", "sentinel-2", "item.json")
        r = subprocess.run(["/usr/bin/python3", "examples/scene_to_map.py", scene, self.path("map.tif"), self.path("look.png")], cwd=host.ROOT,
                           env={k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}, capture_output=True, text=True)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        self.assertRegex(r.stdout, r"^bare \d+\.\d%, sparse \d+\.\d%, green \d+\.\d%\n$")
        classes = self.look(self.path("map.tif"))["arrays"][0][0]
        # the model of the whole scene at once; at the scene's edge chips see no neighbours, either
        red, nir = (self.look(os.path.join(os.path.dirname(scene), name + ".tif"))["arrays"][0][0].astype("float32") for name in ("red", "nir"))
        index = (nir - red) / numpy.maximum(nir + red, 1)
        wide = numpy.pad(index, 2, mode="edge")
        smooth = sum(wide[y:y + index.shape[0], x:x + index.shape[1]] for y in range(5) for x in range(5)) / 25
        truth = numpy.stack([-abs(smooth - middle) for middle in (0.05, 0.12, 0.2)])
        best = numpy.sort(truth, axis=0)
        # two pixels at the edges of chips smooth otherwise, blended with a weight of at most a quarter
        same = (truth.argmax(0) == classes)[best[-1] - best[-2] > 0.02]
        self.assertGreater(same.mean(), 0.999)
        with open(self.path("look.png"), "rb") as f:
            self.assertEqual(f.read(8), b"\x89PNG\r\n\x1a\n")


if __name__ == "__main__":
    host.main()
