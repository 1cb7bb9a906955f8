"""Chips on a grid of their own equal gdalwarp -et 0: CRSs, kernels, types, nodata, masks, alpha, overviews, poles, antimeridian."""
import functools
import io
import json
import math
import os
import subprocess
import tempfile
import unittest

import host
import numpy
import tiff

KERNELS = ("nearest", "bilinear", "cubic")
CLEAN = dict({k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}, GDAL_PAM_ENABLED="NO")
GDAL = subprocess.run(["gdalwarp", "--version"], capture_output=True, text=True, env=CLEAN).stdout
GDAL = tuple(int(n) for n in GDAL.split()[1].rstrip(",").split(".")[:2])
HAS_OTHER_SCALE = GDAL >= (3, 13)  # than scale_of()
# Share of pixels that may differ. mode of 3.11 on weighs pixels by how much of them a cell covers (its NEWS), and the last bits of sums decide ties.
TIES = {"mode": 0.005} if GDAL >= (3, 11) else {}


def asked(program, *arguments, **more):
    r = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, env=CLEAN, **more)
    if r.returncode:
        raise RuntimeError(r.stderr)
    return r.stdout


def gdal(program, *arguments):
    asked(program, "-q", *arguments)


@functools.cache
def scale_of(path, crs, t, shape):
    """
    How GDAL up to 3.12 measured the width of kernels, as we do: the pixels of the output to those of the box that it has in the file, along
    x and y. 3.13 takes the mean over some of the output's pixels, and widens bilinear and cubic from 1 : 2 on only, not from 0.95 (its pull
    request 13806; "improve XSCALE/YSCALE computation logic" in its NEWS).
    """
    about, (_, rows, columns) = json.loads(asked("gdalinfo", "-json", path)), shape
    along = numpy.linspace(0, 1, 21)
    edge = numpy.concatenate([[(a, 0), (a, 1), (0, a), (1, a)] for a in along]) * (columns, rows)
    there = numpy.stack([t[2] + t[0] * edge[:, 0] + t[1] * edge[:, 1], t[5] + t[3] * edge[:, 0] + t[4] * edge[:, 1]], 1)
    lines = "".join(f"{x!r} {y!r}\n" for x, y in there.tolist())
    here = asked("gdaltransform", "-output_xy", "-s_srs", crs, "-t_srs", about["coordinateSystem"]["wkt"], input=lines)
    here = numpy.array([line.split() for line in here.splitlines()], "f8")
    g = about["geoTransform"]
    if about["coordinateSystem"]["wkt"].startswith("GEOG"):  # on the file's own turn of the globe
        middle = g[0] + g[1] * about["size"][0] / 2
        here[:, 0] += 360 * numpy.round((middle - here[:, 0]) / 360)
    places = numpy.linalg.solve([[g[1], g[2]], [g[4], g[5]]], (here - (g[0], g[3])).T)
    (a, b), (c, d) = places[:, -1] - places[:, 0], places[:, -2] - places[:, -4]  # diagonals
    ratio, scale = math.sqrt(abs(a * d - b * c) / 2 / columns / rows), []
    for axis, (size, out, at) in enumerate(zip(about["size"], (columns, rows), places)):
        shrinks = [1] + [size / o["size"][axis] for o in about["bands"][0].get("overviews", [])]
        shrink = max(s for s in shrinks if s < max(1, ratio) + 0.1)  # as gdalwarp chooses overviews
        wider = min(size - max(numpy.floor(at.min()), 0), numpy.ptp(at)) / shrink / out
        scale.append(float(1 / (round(wider) if wider > 1 and abs(wider - round(wider)) < 0.05 else wider)))
    return scale


def handle(path, x=0, y=0, size=128, **more):
    return json.dumps(dict({"item": path, "chip_index_x": x, "chip_index_y": y, "chip_size": size}, **more))


class Grid(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.db, cls.rng, cls.n = host.connect(), numpy.random.default_rng(7), 0

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def path(self, suffix=".tif"):
        type(self).n += 1
        return os.path.join(self.folder.name, f"f{self.n}{suffix}")

    def noise(self, shape=(400, 420), dtype="u2", most=60000):
        a = self.rng.random(shape) * min(most, numpy.iinfo(dtype).max if dtype[0] in "ui" else most)
        return a.astype(dtype)

    def raster(self, dtype="u2", **options):
        return tiff.write(self.path(), self.noise(dtype=dtype), block=(128, 128), deflate=True, **options)

    def info(self, row, **options):
        return json.loads(self.db.execute("SELECT stacchip_chip_info(?, ?)", (row, json.dumps(options))).fetchone()[0])

    def chip(self, row, **options):
        return numpy.load(io.BytesIO(self.db.execute("SELECT stacchip_chip(?, ?)", (row, json.dumps(options))).fetchone()[0]))

    def scale(self, path, info):
        return scale_of(path, info["crs"], tuple(info["transform"]), tuple(info["shape"]))

    def warped(self, path, info, kernel, *options):
        """What gdalwarp makes of a file on the grid of a chip."""
        t, (bands, rows, columns) = info["transform"], info["shape"]
        to, raw = self.path(), self.path(".bin")
        te = t[2], t[5] + t[4] * rows, t[2] + t[0] * columns, t[5]
        if HAS_OTHER_SCALE and kernel != "nearest" and "-wo" not in options:
            across, along = self.scale(path, info)
            options += ("-wo", f"XSCALE={across!r}", "-wo", f"YSCALE={along!r}")
        gdal("gdalwarp", "-et", 0, "-r", kernel, "-t_srs", info["crs"], "-te", *map(repr, te), "-ts", columns, rows, *options, path, to)
        gdal("gdal_translate", "-of", "ENVI", "-ot", "Float64", to, raw)
        return numpy.fromfile(raw, "f8").reshape(-1, rows, columns)

    def compare(self, path, kernel, row=None, gdal_options=(), some=0.02, **options):
        """some: the least share of pixels that must not be fill."""
        row = row or handle(path)
        got = self.chip(row, resampling=kernel, **options)
        info = self.info(row, resampling=kernel, **options)
        want = self.warped(path, info, kernel, *gdal_options)[:len(got)]
        self.assertEqual(got.shape, want.shape)
        a, b = got.astype("f8"), want
        both_nan = numpy.isnan(a) & numpy.isnan(b)
        bound = 1 if got.dtype.kind in "ui" and got.dtype.itemsize < 8 else numpy.maximum(abs(b), 1) * 2e-3
        with self.subTest(kernel=kernel, **options):
            if kernel == "nearest":
                self.assertLess(numpy.mean((a != b) & ~both_nan), 0.001)
            elif not (HAS_OTHER_SCALE and kernel in KERNELS and not gdal_options and 0.5 < min(self.scale(path, info)) < 0.95):
                self.assertLessEqual(numpy.mean(~((abs(a - b) <= bound) | both_nan)), TIES.get(kernel, 0), f"most {numpy.nanmax(abs(a - b))}")
            self.assertGreater(numpy.mean((b != b.flat[0]) | (abs(b) > 0)), some)
        return got


class EqualToGdalwarp(Grid):
    UNSCALED = ("-wo", "XSCALE=1", "-wo", "YSCALE=1")  # where GDAL takes a box round the globe for the size of pixels

    def test_neighbour_zone_degrees_mercator_polar(self):
        path = self.raster()
        for kernel in KERNELS:
            for crs, resolution in (("EPSG:32719", 10), ("EPSG:32721", 10), ("EPSG:4326", 0.0001), ("EPSG:3857", 12),
                                    ("EPSG:3031", 12), ("EPSG:3857", 5)):
                self.compare(path, kernel, handle(path, 1, 1), crs=crs, resolution=resolution)
            self.compare(path, kernel, handle(path, 1, 1), crs="EPSG:4326", size=[150, 120])
            self.compare(path, kernel, handle(path, 1, 1), resolution=7)
            self.compare(path, kernel, handle(path, 1, 1), resolution=[20, 15])

    def test_sinusoidal(self):
        """A MODIS tile to a zone, and back."""
        sinusoidal = "+proj=sinu +R=6371007.181"
        wkt = subprocess.run(["gdalsrsinfo", "-o", "wkt2", sinusoidal], capture_output=True, text=True, env=CLEAN).stdout.strip()
        plain, modis = self.raster("i2", nodata=-28672), self.path()
        gdal("gdal_translate", "-a_srs", sinusoidal, "-a_ullr", -5559752.6, 5559752.6, -5559752.6 + 420 * 463.3127, 5559752.6 - 400 * 463.3127, plain, modis)
        for kernel in KERNELS:
            self.compare(modis, kernel, handle(modis, 1, 1), crs="EPSG:32619", resolution=500)
            self.compare(plain, kernel, handle(plain, 1, 1), crs=wkt, resolution=10)

    def test_every_type(self):
        for dtype in ("u1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"):
            path = self.raster(dtype)
            for kernel in KERNELS:
                self.compare(path, kernel, handle(path, 1, 1), crs="EPSG:32721", resolution=11)

    def test_nodata(self):
        for dtype, nodata in (("u2", 0), ("i2", -5), ("u1", 255), ("f4", -9999), ("f8", float("nan"))):
            a = self.noise(dtype=dtype, most=200)
            a[self.rng.random(a.shape) < 0.2] = nodata
            a[100:150, 100:160] = nodata
            path = tiff.write(self.path(), a, nodata=nodata)
            for kernel in KERNELS:
                self.compare(path, kernel, crs="EPSG:32721", resolution=10)
                self.compare(path, kernel, handle(path, 1, 1), crs="EPSG:32721", resolution=26)

    def test_masks_and_alpha(self):
        a = self.noise((2, 400, 420), "u1")
        a[1] = numpy.where(self.rng.random(a[1].shape) < 0.3, 0, 255)
        both = tiff.write(self.path(), a, tags={338: ("H", [2])}.items())
        masked = self.path()
        gdal("gdal_translate", "-b", 1, "-mask", 2, "--config", "GDAL_TIFF_INTERNAL_MASK", "YES", both, masked)
        for kernel in KERNELS:
            self.compare(masked, kernel, crs="EPSG:32721", resolution=10)
            got = self.chip(handle(both), crs="EPSG:32721", resolution=10, resampling=kernel, assets="data:1")
            numpy.testing.assert_array_equal(got, self.chip(handle(masked), crs="EPSG:32721", resolution=10, resampling=kernel))

    def test_nan_that_no_nodata_declares(self):
        a = self.noise(dtype="f4", most=100)
        a[200, 200] = numpy.nan
        path = tiff.write(self.path(), a)
        for kernel in KERNELS:
            self.compare(path, kernel, handle(path, 1, 1), crs="EPSG:32721", resolution=8)

    def test_south_up_and_rotated(self):
        plain = self.raster()
        for transform in ([5e5, 10, 0, 6.3e6, 0, 10], [5e5, 9, 3, 6.4e6, 3, -9]):
            path = self.path()
            gdal("gdal_translate", plain, path)
            vrt = self.path(".vrt")
            gdal("gdal_translate", "-of", "VRT", path, vrt)
            text = open(vrt).read()
            begin, end = text.index("<GeoTransform>"), text.index("</GeoTransform>")
            open(vrt, "w").write(text[:begin] + "<GeoTransform>" + ", ".join(map(str, transform)) + text[end:])
            placed = self.path()
            gdal("gdal_translate", vrt, placed)
            for kernel in KERNELS:
                self.compare(placed, kernel, handle(placed, 1, 1), crs="EPSG:32721", resolution=10)

    def test_overviews(self):
        path = self.path()
        a = self.noise((1024, 1100))
        tiff.write(path, a, block=(128, 128))
        gdal("gdaladdo", "-r", "average", path, 2, 4)
        for kernel in KERNELS:
            for resolution in (20, 40):
                self.compare(path, kernel, handle(path, 2, 2, 64), crs="EPSG:32720", resolution=resolution, center=[-62.95, -32.58])
                self.compare(path, kernel, handle(path, 2, 2, 64), crs="EPSG:3857", resolution=1.19 * resolution, center=[-62.95, -32.58])

    def test_poles_and_antimeridian(self):
        for epsg, place, target in ((4326, (0.01, 0, 178, 0, -0.01, 66), ("EPSG:32601", 1000)), (4326, (0.25, 0, -50, 0, -0.25, 90), ("EPSG:3413", 20000)),
                                    (3031, (5000, 0, -1e6, 0, -5000, 1e6), ("EPSG:3031", 7000)), (32601, (400, 0, 3e5, 0, -400, 7.3e6), ("EPSG:32660", 500))):
            path = tiff.write(self.path(), self.noise(), transform=place, epsg=epsg)
            for kernel in KERNELS:
                self.compare(path, kernel, handle(path, 1, 1), crs=target[0], resolution=target[1])

    def test_across_the_seam_of_a_globe(self):
        path = tiff.write(self.path(), self.noise((180, 360)), transform=(1, 0, -180, 0, -1, 90), epsg=4326)
        for kernel in KERNELS:
            self.compare(path, kernel, crs="EPSG:32601", resolution=20000, center=[-179.5, 40], size=100, gdal_options=self.UNSCALED)
            self.compare(path, kernel, crs="EPSG:3413", resolution=[60000, 50000], center=[170, 89.9], size=128, gdal_options=self.UNSCALED)


class Grids(Grid):
    def test_what_each_combination_means(self):
        path = self.raster()
        row = handle(path, 1, 2)
        own = self.info(row)
        self.assertEqual(self.info(row, resolution=10)["transform"], own["transform"])
        a = self.info(row, resolution=20)
        self.assertEqual((a["shape"], a["transform"][0], a["window"]), ([1, 128, 128], 20, None))
        self.assertEqual([a["bbox"][0] + a["bbox"][2], a["bbox"][1] + a["bbox"][3]], [own["bbox"][0] + own["bbox"][2], own["bbox"][1] + own["bbox"][3]])
        a = self.info(row, bounds=[500105, 6398000, 500905, 6398404], resolution=10)
        self.assertEqual((a["shape"], a["transform"]), ([1, 40, 80], [10, 0, 500105, 0, -10, 6398404]))
        a = self.info(row, bounds=[500100, 6398000, 500900, 6398400], size=[8, 2])
        self.assertEqual((a["shape"], a["transform"]), ([1, 2, 8], [100, 0, 500100, 0, -200, 6398400]))
        a = self.info(row, center=[-62.99, -32.53], size=[10, 20], crs="EPSG:32719", resolution=30)
        self.assertEqual(a["shape"], [1, 20, 10])
        self.assertTrue(all(v % 30 == 0 for v in a["bbox"]))
        a = self.info(row, resolution=20, buffer=3)
        self.assertEqual((a["shape"], a["transform"][2] % 20), ([1, 134, 134], 0))

    def test_like(self):
        first, second = self.raster(), self.raster(transform=(20, 0, 499000, 0, -20, 6401000))
        other = handle(second, 0, 0, 100)
        for like in (other, json.loads(other)):
            a, b = self.info(handle(first), like=like), self.info(other)
            self.assertEqual([a[k] for k in ("crs", "transform", "shape", "bbox")], [b[k] for k in ("crs", "transform", "shape", "bbox")])
        for kernel in KERNELS:
            self.compare(first, kernel, like=other)

    def test_a_stack_crosses_zones(self):
        paths = [self.raster(), tiff.write(self.path(), self.noise(), transform=(10, 0, -64500, 0, -10, 6384500), epsg=32721)]
        rows = [handle(p, i % 3, i // 3) for p in paths for i in range(9)]
        options = {"crs": "EPSG:32720", "resolution": 10, "resampling": "bilinear"}
        blob = self.db.execute("SELECT stacchip_stack(value, ?) FROM json_each(?)", (json.dumps(dict(options, format="npz")), json.dumps(rows))).fetchone()[0]
        npz = numpy.load(io.BytesIO(blob))
        self.assertEqual(npz["pixels"].shape, (18, 1, 128, 128))
        for i, row in enumerate(rows):
            numpy.testing.assert_array_equal(npz["pixels"][i], self.chip(row, **options))
        valid = npz["valid"][4]
        self.assertTrue(valid.all())
        self.assertTrue(npz["valid"][9:].any())
        bands = self.db.execute("SELECT stacchip_stack(value, ?) FROM json_each(?)", (json.dumps(options), json.dumps(rows))).fetchone()[0]
        numpy.testing.assert_array_equal(numpy.load(io.BytesIO(bands)), npz["pixels"])

    def test_the_grid_is_in_the_geotiff(self):
        path, to = self.raster(nodata=0), self.path()
        options = {"crs": "EPSG:3857", "resolution": 15, "resampling": "cubic"}
        blob = self.db.execute("SELECT stacchip_chip(?, ?)", (handle(path, 1, 1), json.dumps(dict(options, format="geotiff")))).fetchone()[0]
        with open(to, "wb") as f:
            f.write(blob)
        self.assertEqual(self.info(handle(to, 0, 0))["transform"], self.info(handle(path, 1, 1), **options)["transform"])
        self.assertEqual(self.info(handle(to, 0, 0))["crs"], "EPSG:3857")
        numpy.testing.assert_array_equal(self.chip(handle(to)), self.chip(handle(path, 1, 1), **options))

    def test_bands_of_other_resolutions_are_resampled_once(self):
        fine, coarse = self.noise(), self.noise((200, 210))
        paths = {"fine": tiff.write(self.path(), fine), "coarse": tiff.write(self.path(), coarse, transform=(20, 0, 500000, 0, -20, 6400000))}
        item = {"type": "Feature", "stac_version": "1.0.0", "id": "two", "geometry": None, "links": [], "properties": {"datetime": None},
                "assets": {k: {"href": p, "type": "image/tiff"} for k, p in paths.items()}}
        options = {"crs": "EPSG:32721", "resolution": 10, "resampling": "bilinear"}
        row = json.dumps({"item": item, "chip_index_x": 1, "chip_index_y": 1, "chip_size": 128, "platform": "none"})
        both, info = self.chip(row, assets=["fine", "coarse"], **options), self.info(row, assets=["fine", "coarse"], **options)
        for k, name in enumerate(("fine", "coarse")):
            want = self.warped(paths[name], dict(info, shape=[1, 128, 128]), "bilinear")
            self.assertLessEqual(abs(both[k].astype(int) - want[0]).max(), 1)

    def test_results_do_not_depend_on_threads_or_buffer(self):
        path = self.raster()
        options = {"crs": "EPSG:32721", "resolution": 10, "resampling": "cubic"}
        one = self.chip(handle(path, 1, 1), **options)
        self.db.execute("SELECT stacchip_config('threads', 4)")
        numpy.testing.assert_array_equal(self.chip(handle(path, 1, 1), **options), one)
        self.db.execute("SELECT stacchip_config('threads', 1)")
        wide = self.chip(handle(path, 1, 1), buffer=5, **options)
        self.assertLess(numpy.mean(wide[:, 5:-5, 5:-5] != one), 0.02)

    def test_jitter(self):
        path = self.raster()
        whole, seen = self.chip(handle(path, 0, 0, 400)), set()
        for seed in range(20):
            for x in range(3):
                info = self.info(handle(path, x, 1), jitter=9, seed=seed)
                dx, dy = info["window"][0] - 128 * x, info["window"][1] - 128
                seen.add((dx, dy))
                left, top = 128 * x + dx, 128 + dy
                if 0 <= left <= 272 and top <= 272:
                    numpy.testing.assert_array_equal(self.chip(handle(path, x, 1), jitter=9, seed=seed), whole[:, top:top + 128, left:left + 128])
        self.assertGreater(len(seen), 50)
        self.assertEqual((max(max(abs(a), abs(b)) for a, b in seen) <= 9, self.info(handle(path, 1, 1), jitter=9) == self.info(handle(path, 1, 1), jitter=9, seed=0)), (True, True))
        want = self.db.execute("SELECT floor(stacchip_hash(5, ?, 128, 128, 0) * 7) - 3, floor(stacchip_hash(5, ?, 128, 128, 1) * 7) - 3",
                               (os.path.basename(path)[:-4],) * 2).fetchone()
        for options, pixel in (({}, 10), ({"crs": "EPSG:32721", "resolution": 20}, 20)):
            a, b = self.info(handle(path, 1, 1), **options), self.info(handle(path, 1, 1), jitter=3, seed=5, **options)
            self.assertEqual([(b["transform"][2] - a["transform"][2]) / pixel, (a["transform"][5] - b["transform"][5]) / pixel], list(want))

    def test_what_is_refused(self):
        row = handle(self.raster())
        for options, words in (({"crs": "EPSG:3857"}, "give 'resolution'"), ({"crs": "EPSG:3857", "bounds": [0, 0, 1, 1]}, "give 'resolution'"),
                               ({"bounds": [0, 0, 1, 1], "center": [0, 0]}, "exclude each other"), ({"bounds": [0, 0, 1, 1], "size": 1, "resolution": 1}, "exclude each other"),
                               ({"like": row, "size": 3}, "exclude each other"), ({"resolution": 0}, "expected a number above 0"), ({"bounds": [1, 1, 0, 0]}, "least x"),
                               ({"center": [0, 91]}, "longitude, latitude"), ({"size": [0, 1], "resolution": 1}, "whole number of pixels"), ({"size": 3}, "'size' alone"),
                               ({"bounds": [0, 0, 1e9, 1], "resolution": 1}, "expected 1 to"), ({"crs": "EPSG:1", "resolution": 1}, "unknown CRS"), ({"like": 5}, "handle of a chip"), ({"seed": 1}, "'seed' is for 'jitter'"),
                               ({"like": "x"}, "option 'like'"), ({"resolution": 20, "resampling": "gauss"}, "resampling")):
            with self.subTest(options), self.assertRaisesRegex(Exception, words):
                self.chip(row, **options)
        with self.assertRaisesRegex(Exception, "unknown option 'crs'"):
            self.db.execute("SELECT stacchip_band_stats(?, '{\"crs\": \"EPSG:3857\"}')", (row,)).fetchone()


if __name__ == "__main__":
    host.main()
