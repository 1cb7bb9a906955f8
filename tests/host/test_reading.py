"""Reading pixels where a layout, an option or an earlier error could decide silently: each right value is NumPy's or the file's own."""
import fractions
import io
import json
import math
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

import host
import numpy
import tiff


def deflated(path, array, **more):
    return tiff.write(path, array, **dict({"deflate": True, "transform": (10, 0, 500000, 0, -10, 5000000), "epsg": 32631}, **more))


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.db = host.connect()

    def tearDown(self):
        self.db.close()
        shutil.rmtree(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def ask(self, sql, *values):
        return self.db.execute(sql, values).fetchone()[0]

    def chip(self, item, x, y, size, options=None, **more):
        row = json.dumps(dict({"item": item, "chip_index_x": x, "chip_index_y": y, "chip_size": size}, **more))
        return numpy.load(io.BytesIO(self.ask("SELECT stacchip_chip(?, ?)", row, json.dumps(options or {}))))


class Layout(Case):
    def test_deflate_tiles_as_wide_as_the_image(self):
        """Only strips are short at the foot of an image: a tile as wide as it is whole."""
        for height, width, tile in ((700, 512, (512, 512)), (300, 256, (256, 256)), (70, 100, (64, 112)), (65, 16, (16, 16))):
            for planar in (True, False):
                a = numpy.random.default_rng(height).integers(0, 4, (2, height, width)).astype("u2")
                f = deflated(self.path("a.tif"), a, block=tile, planar=planar, nodata=0)
                got = self.chip(f, 0, (height - 1) // 50, 50, {}, edge="pad")
                rows = height - (height - 1) // 50 * 50
                numpy.testing.assert_array_equal(got[:, :rows, :min(50, width)], a[:, -rows:, :50])
                item = {"type": "Feature", "id": "i", "stac_version": "1.0.0", "collection": "cop-dem-x", "geometry": None, "links": [],
                        "properties": {"datetime": "2024-05-06T00:00:00Z"}, "assets": {"visual": {"href": f, "type": "image/tiff"}}}
                total = self.ask("SELECT round(sum(nodata_percentage) * 256) FROM stacchip_index(?, ?)", json.dumps(item),
                                 json.dumps({"platform": "linz", "chip_size": 16, "max_nodata": 1}))
                self.assertEqual(total, (a[0, :height // 16 * 16, :width // 16 * 16] == 0).sum())


class Grids(Case):
    def test_a_grid_by_a_file_follows_the_file(self):
        """The grid is of the fine asset, which no chip reads; it is another file later, and then gone."""
        fine, coarse = self.path("fine.tif"), self.path("coarse.tif")
        deflated(coarse, numpy.ones((64, 64), "u1"), transform=(20, 0, 500000, 0, -20, 5000000))
        item = {"type": "Feature", "stac_version": "1.0.0", "id": "i", "geometry": None, "links": [], "properties": {"datetime": "2024-05-06T00:00:00Z"},
                "assets": {k: {"href": p, "type": "image/tiff"} for k, p in (("fine", fine), ("coarse", coarse))}}
        shape = lambda x: self.chip(item, x, x, 32, {"assets": ["coarse"]}, platform="none").shape
        for side in (128, 64, 128):
            deflated(fine + ".new", numpy.ones((side, side), "u1"))
            os.replace(fine + ".new", fine)
            self.assertEqual(shape(0), (1, 32, 32))
            if side == 128:
                self.assertEqual(shape(3), (1, 32, 32))
            else:
                with self.assertRaisesRegex(Exception, "outside the grid of 2 x 2 chips"):
                    shape(3)
        os.remove(fine)
        with self.assertRaisesRegex(Exception, "asset fine.*No such file"):
            shape(0)


class OnError(Case):
    def test_every_function_of_chips_hears_on_error(self):
        f = deflated(self.path("a.tif"), numpy.full((64, 64), 7, "u1"))
        row = json.dumps({"item": f, "chip_index_x": 99, "chip_index_y": 4, "chip_size": 32})
        for function in ("stacchip_chip", "stacchip_chip_info", "stacchip_stack", "stacchip_band_stats"):
            self.assertIsNone(self.ask("SELECT %s(?, ?)" % function, row, '{"on_error":"null"}'), function)
            for options in ("{}", '{"on_error":"abort"}'):
                with self.assertRaisesRegex(Exception, "outside the grid", msg=function):
                    self.ask("SELECT %s(?, ?)" % function, row, options)
            with self.assertRaisesRegex(Exception, "unknown option 'nix'", msg=function):  # a wrong call is no failed chip
                self.ask("SELECT %s(?, ?)" % function, row, '{"on_error":"null","nix":1}')


def nearest(v, least, most):
    if v != v:
        return 0
    if v in (numpy.inf, -numpy.inf):
        return most if v > 0 else least
    whole = math.floor(abs(fractions.Fraction(v)) + fractions.Fraction(1, 2))
    return min(max(whole if v > 0 else -whole, least), most)


class Casts(Case):
    def test_reals_become_integers_alike(self):
        """The nearest integer, halves away from zero, NaN 0, saturated: by exact fractions, from both types, by both readers."""
        values = [0, .4, .5, .6, -.4, -.5, -1.5, 2.5, 127.5, 128, -128.5, 254.5, 255.5, 256, -1, 32767.5, 65535.5, -32769, 8388609, 16777215, 2**31 - 1, 2**31, 2**32, -2**31 - 1e3,
                  0.49999999999999994, 4503599627370497, 2**53 + 2, 2**63, 2**64, -2**63, -2**64, 1e20, -1e20, 1e38, numpy.inf, -numpy.inf, numpy.nan]
        values += list(numpy.random.default_rng(2).normal(0, 1e4, 219))
        for real in ("f4", "f8"):
            a = numpy.array(values, real).reshape(16, 16)
            for name, layout in (("plain", {"deflate": True}), ("gdal", {"deflate": False, "packbits": True, "block": 1})):
                f = deflated(self.path("%s-%s.tif" % (real, name)), a, **layout)
                for to in ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"):
                    info = numpy.iinfo(to)
                    want = [nearest(float(v), info.min, info.max) for v in a.ravel()]
                    got = self.chip(f, 0, 0, 16, {"dtype": to})[0].ravel()
                    self.assertEqual([int(v) for v in got], want, (real, name, to))


class Stats(Case):
    def ask_stats(self, *planes):
        rows = [json.dumps({"item": deflated(self.path("%d.tif" % i), p, nodata=0), "chip_index_x": 0, "chip_index_y": 0, "chip_size": 16}) for i, p in enumerate(planes)]
        return self.ask("SELECT stacchip_band_stats_merge(s) FROM (SELECT stacchip_band_stats(value) AS s FROM json_each(?) GROUP BY value)", json.dumps(rows))

    def test_merge_takes_what_band_stats_wrote(self):
        a = numpy.arange(1, 257, dtype="f4").reshape(16, 16)
        high, low, empty = a.copy(), a.copy(), numpy.zeros_like(a)
        high[0, :5], low[3, 3] = numpy.inf, -numpy.inf
        for planes in ([a, high], [high], [low, a], [high, low], [empty, high], [empty], [high, empty, low, a], [a, a + .5], [a.astype("f8") * 1e200, a], [a.astype("f8") * -7e305]):
            text = self.ask_stats(*planes)
            got, all_ = json.loads(text), numpy.concatenate([p.ravel() for p in planes]).astype("f8")
            all_ = all_[all_ != 0]
            self.assertEqual(got["count"], [len(all_)])
            with numpy.errstate(invalid="ignore", over="ignore"):
                for key, want in (("mean", all_.mean() if len(all_) else None), ("min", min(all_, default=None)), ("max", max(all_, default=None))):
                    if key == "mean" and want is not None and abs(want) > 1e305:
                        continue  # the sum may overflow, or not, by the order of the files
                    if want is None or not numpy.isfinite(want):
                        self.assertEqual(got[key], [None], (key, planes))
                    else:
                        numpy.testing.assert_allclose(got[key][0], want, rtol=1e-12, err_msg=key)
            again = json.loads(self.ask("SELECT stacchip_band_stats_merge(value) FROM json_each(?)", json.dumps([text, text])))
            self.assertEqual(again["count"], [2 * len(all_)])
            self.assertEqual((again["min"], again["max"]), (got["min"], got["max"]))
            if len(all_) and abs(numpy.median(all_)) < 1e6:
                self.assertAlmostEqual(got["percentiles"][0][2], numpy.median(all_), delta=2)


class Sentinel2(Case):
    def item(self, plane, stated=True, key="red", **properties):
        f = deflated(self.path("%s.tif" % key), plane, block=(64, 64))
        bands = [{"nodata": 0, "scale": .0001, "offset": -.1}] if stated else [{"nodata": 0, "scale": .0001}]
        return {"type": "Feature", "stac_version": "1.0.0", "id": "S2B_52SFA_20220126_0_L2A", "collection": "sentinel-2-l2a", "geometry": None, "links": [],
                "properties": dict({"datetime": "2022-01-26T00:00:00Z"}, **properties), "assets": {key: {"href": f, "type": "image/tiff", "raster:bands": bands}}}

    def test_the_offset_is_taken_off_once(self):
        bright = numpy.full((400, 1100), 5000, "u2")
        sea, corner, shade = bright.copy(), bright.copy(), bright.copy()
        sea[:128] = 300
        corner[-60:, -90:] = 400  # far from the middle
        shade[0, :9] = 900  # as negative reflectances of a product that carries the offset
        new, old = {"s2:processing_baseline": "05.09"}, {"s2:processing_baseline": "03.01"}
        on, off = {"earthsearch:boa_offset_applied": True}, {"earthsearch:boa_offset_applied": False}
        for plane, stated, properties, harmonized, scaled in (
                (sea, True, {**new, **on}, 5000, .5), (sea, True, {**new, **off}, 5000, .5), (sea, True, new, 5000, .5), (sea, True, {}, 5000, .5),
                (sea, True, {**old, **off}, 5000, .5), (sea, False, new, 5000, .5), (corner, True, new, 5000, .5),
                (bright, True, {**new, **on}, 5000, .5), (bright, True, {**new, **off}, 4000, .4), (bright, True, new, 4000, .4), (bright, True, {}, 4000, .4),
                (bright, True, old, 5000, .5), (bright, False, new, 4000, .5), (bright, False, {**new, **on}, 5000, .5), (shade, True, new, 4000, .4)):
            item = self.item(plane, stated, **properties)
            middle = lambda **o: self.chip(item, 2, 1, 160, o, platform="none")[0, 5, 5]
            self.assertEqual(middle(harmonize=True), harmonized, (stated, properties))
            self.assertAlmostEqual(middle(scale=True), scaled, 6, (stated, properties))
            # With both, what the item does not state is taken off, too.
            self.assertAlmostEqual(middle(scale=True, harmonize=True), harmonized / 10000, 6, (stated, properties))


KERNELS = ["nearest", "bilinear", "cubic", "cubicspline", "lanczos", "average", "mode", "gauss"]


class Places(Case):
    """One place has one value: each chip is a window of the one chip of everything."""

    def item(self, ratio, offset, side=240, **layout):
        n = int(side / ratio)
        b = numpy.random.default_rng(4).integers(0, 3000, (n, n)).astype("u2")
        fine, coarse = [10, 0, 500000, 0, -10, 5000000], [10 * ratio, 0, 500000 + 10 * offset, 0, -10 * ratio, 5000000 - 10 * offset]
        deflated(self.path("a.tif"), numpy.zeros((side, side), "u1"), transform=fine)
        deflated(self.path("b.tif"), b, transform=coarse, **layout)
        assets = {k: {"href": self.path(k + ".tif"), "type": "image/tiff", "proj:shape": [m, m], "proj:transform": t} for k, m, t in (("a", side, fine), ("b", n, coarse))}
        return {"type": "Feature", "stac_version": "1.0.0", "id": "s", "geometry": None, "links": [], "properties": {"datetime": "2024-05-06T00:00:00Z", "proj:epsg": 32631}, "assets": assets}

    def test_chips_are_windows_of_the_whole(self):
        rng = numpy.random.default_rng(6)
        for ratio, offset in ((6, 0), (6, .5), (3, .5), (2, .5), (1.5, 0), (1.5, .25), (2, 1), (1, .5), (.5, .5), (1 / 3, 0), (2.4, .3), (6, 1e-7)):
            for layout in ({"block": (32, 32)}, {"deflate": False, "packbits": True, "block": 1}):
                item = self.item(ratio, offset, **layout)
                for kernel in KERNELS if layout.get("packbits") or ratio in (6, 1.5) else ["nearest"]:
                    for dtype in ("native", "float32"):
                        options = {"assets": ["b"], "resampling": kernel, "dtype": dtype}
                        whole = self.chip(item, 0, 0, 240, options, platform="none")[0]
                        for _ in range(3):
                            size = int(rng.integers(3, 60))
                            x, y = (int(rng.integers(0, 240 // size)) for _ in range(2))
                            b = int(min(rng.integers(0, 9), x * size, y * size, 240 - x * size - size, 240 - y * size - size))
                            got = self.chip(item, x, y, size, dict(options, buffer=b), platform="none")[0]
                            want = whole[y * size - b:y * size + size + b, x * size - b:x * size + size + b]
                            what = str((ratio, offset, layout, kernel, dtype, x, y, size, b))
                            if kernel == "nearest" or abs(offset - round(offset)) < 1e-6:
                                # GDAL 3.13 adds up in another order at a window's edge: the last bit of a float may differ
                                last_bit = 2e-7 if kernel != "nearest" and dtype == "float32" else 0
                                numpy.testing.assert_allclose(got, want, rtol=last_bit, atol=0, err_msg=what)
                            else:  # GDAL's sums of shares of pixels differ in their last bit, by which an integer is rounded
                                numpy.testing.assert_allclose(got.astype("f8"), want.astype("f8"), rtol=1e-5, atol=1, err_msg=what)

    def test_a_tie_goes_right_and_down(self):
        item = self.item(2, .5)
        got, b = self.chip(item, 0, 0, 240, {"assets": ["b"], "fill": 9999}, platform="none")[0], numpy.random.default_rng(4).integers(0, 3000, (120, 120))
        # Grid column c has its middle at (c + .5 - .5) / 2 pixels of b: on an edge where c is even.
        numpy.testing.assert_array_equal(got, numpy.repeat(numpy.repeat(b, 2, 0), 2, 1))


class Limits(Case):
    def cost(self, statement, *values, stop=0):
        """The answer or error of a process of its own, its seconds of CPU, MB beyond what starting takes, and seconds to stop."""
        code = """import json, resource, sqlite3, sys, threading, time
db = sqlite3.connect(":memory:", check_same_thread=False); db.enable_load_extension(True); db.load_extension(sys.argv[1])
db.execute("SELECT stacchip_debug()"); statement, values, stop = json.loads(sys.argv[2]); at = []
before, t = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
def halt(): at.append(time.time()); db.interrupt()
if stop: threading.Timer(stop, halt).start()
try: r = db.execute(statement, values).fetchone()[0]
except sqlite3.Error as e: r = str(e)
print(json.dumps([r, time.process_time() - t, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, time.time() - at[0] if at else 0]))"""
        r = subprocess.run([sys.executable, "-c", code, host.EXT, json.dumps([statement, values, stop])], capture_output=True, text=True, timeout=100)
        self.assertEqual(r.returncode, 0, r.stderr[-500:])
        return json.loads(r.stdout)

    def bomb(self, name, bands, side, dtype="u1", **more):
        """One small block whose header says that it is a large one."""
        f = deflated(self.path(name), numpy.ones((bands, 1, 1), dtype), planar=False, block=(16, 16), **more)
        with open(f, "r+b") as out:
            raw = bytearray(out.read())
            for i in range(struct.unpack_from("<H", raw, 8)[0]):
                tag = struct.unpack_from("<H", raw, 10 + 12 * i)[0]
                if tag in (256, 257, 322, 323):
                    struct.pack_into("<I", raw, 18 + 12 * i, side)
            out.seek(0)
            out.write(raw)
        return f

    def test_a_block_of_all_bands_is_refused_before_it_is_decoded(self):
        for layout in ({}, {"deflate": False, "packbits": True}):
            for bands, side, dtype in ((8, 15008, "u1"), (3, 10000, "u2"), (64, 2112, "u1"), (1, 20000, "u1"), (4, 4112, "f8")):
                f = self.bomb("bomb.tif", bands, side, dtype, **layout)
                for statement in ("SELECT stacchip_chip(?)", "SELECT stacchip_chip_info(?)", "SELECT stacchip_stack(?)", "SELECT stacchip_band_stats(?)"):
                    row = json.dumps({"item": f, "chip_index_x": 0, "chip_index_y": 0, "chip_size": 16})
                    answer, cpu, grown, _ = self.cost(statement, row)
                    self.assertIn("bomb.tif: blocks of %d x %d pixels of %d bands take" % (side, side, bands), answer)
                    self.assertLess(cpu, 2)
                    if "asan" not in host.EXT:
                        self.assertLess(grown, 150)

    def test_many_bands_cost_about_the_same_in_each_format(self):
        f = deflated(self.path("many.tif"), numpy.random.default_rng(1).integers(0, 99, (511, 40, 40)).astype("f4"))
        row = json.dumps({"item": f, "chip_index_x": 0, "chip_index_y": 0, "chip_size": 40})
        for form in ("npy", "npz", "raw", "geotiff"):
            answer, cpu, grown, _ = self.cost("SELECT length(stacchip_chip(?, ?))", row, json.dumps({"format": form}))
            self.assertIsInstance(answer, int)
            self.assertLess(cpu, 3, form)
            if "asan" not in host.EXT:
                self.assertLess(grown, 200, form)

    def test_what_one_call_may_hold(self):
        f = deflated(self.path("bands.tif"), numpy.ones((600, 8, 8), "u1"))
        row = json.dumps({"item": f, "chip_index_x": 0, "chip_index_y": 0, "chip_size": 1200, "edge": "pad"})
        for statement, options in (("SELECT length(stacchip_chip(?, ?))", {"format": "geotiff"}), ("SELECT length(stacchip_chip(?, ?))", {"scale": True, "dtype": "uint8"}),
                                   ("SELECT stacchip_band_stats(?, ?)", {})):
            answer, cpu, grown, _ = self.cost(statement, row, json.dumps(options))
            self.assertRegex(str(answer), "chip of 600 bands of 1200 x 1200 pixels takes [0-9]+ bytes to make; the limit is 2147483648")
            self.assertLess(cpu, 2)


class Memory(Case):
    def test_gdals_blocks_stay_within_the_budget(self):
        """A file that only GDAL reads, of 100 MB, through a cache of 1 MB."""
        code = """import json, resource, sqlite3, sys
db = sqlite3.connect(":memory:"); db.enable_load_extension(True); db.load_extension(sys.argv[1])
db.execute("SELECT stacchip_config('cache_bytes', 1000000)"); db.execute("SELECT stacchip_config('threads', 1)")
ask = lambda: db.execute("SELECT count(*), sum(length(stacchip_chip(row))) FROM stacchip_index(?, ?)", (sys.argv[2], json.dumps({"chip_size": 512})) ).fetchone()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(ask(), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"""
        f = deflated(self.path("big.tif"), numpy.ones((10240, 10240), "u1"), nodata=7, deflate=False, packbits=True, block=64)
        env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"} if "asan" not in host.EXT else os.environ
        r = subprocess.run([sys.executable, "-c", code, host.EXT, f], capture_output=True, text=True, env=env)
        count, grown = r.stdout.rsplit(" ", 1)
        self.assertEqual(count, "(400, %d)" % (400 * (512 * 512 + 128)), r.stderr)
        if "asan" not in host.EXT:
            self.assertLess(int(grown), 80)


if __name__ == "__main__":
    host.main()
