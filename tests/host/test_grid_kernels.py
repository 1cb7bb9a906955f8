"""GDAL's kernels on a grid of its own equal gdalwarp -et 0: types, nodata, masks, overviews, poles; layers; interrupts."""
import io
import json
import sqlite3
import threading
import unittest

import host
import numpy
import tiff
from test_grids import GDAL, TIES, Grid, gdal, handle
from test_layers import Layers

KERNELS = ("cubicspline", "lanczos", "average", "mode")


class EqualToGdalwarp(Grid):
    def test_neighbour_zone_degrees_mercator_polar(self):
        path = self.raster()
        for kernel in KERNELS:
            for crs, resolution in (("EPSG:32719", 10), ("EPSG:4326", 0.0001), ("EPSG:3857", 12), ("EPSG:3031", 40), ("EPSG:3857", 5)):
                self.compare(path, kernel, handle(path, 1, 1), crs=crs, resolution=resolution)
            self.compare(path, kernel, handle(path, 1, 1), crs="EPSG:4326", size=[150, 120])
            self.compare(path, kernel, handle(path, 1, 1), resolution=[20, 15])
            self.compare(path, kernel, handle(path, 1, 1), crs="EPSG:32721", resolution=73, size=40)

    def test_every_type(self):
        for dtype in ("u1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"):
            path = tiff.write(self.path(), self.noise(dtype=dtype, most=100))
            for kernel in KERNELS:
                self.compare(path, kernel, handle(path, 1, 1), crs="EPSG:32721", resolution=21)

    def test_nodata(self):
        for dtype, nodata in (("u2", 0), ("i2", -5), ("u1", 255), ("f4", -9999), ("f8", float("nan"))):
            a = self.noise(dtype=dtype, most=200)
            a[self.rng.random(a.shape) < 0.2] = nodata
            a[100:150, 100:160] = nodata
            path = tiff.write(self.path(), a, nodata=nodata)
            for kernel in KERNELS:
                got = self.compare(path, kernel, crs="EPSG:32721", resolution=10)
                self.assertGreater(numpy.mean(numpy.isnan(got) if nodata != nodata else got == nodata), 0.05)
                self.compare(path, kernel, handle(path, 1, 1), crs="EPSG:32721", resolution=26)

    def test_masks_and_alpha(self):
        a = self.noise((2, 400, 420), "u1")
        a[1] = numpy.where(self.rng.random(a[1].shape) < 0.3, 0, 255)
        both = tiff.write(self.path(), a, tags={338: ("H", [2])}.items())
        masked = self.path()
        gdal("gdal_translate", "-b", 1, "-mask", 2, "--config", "GDAL_TIFF_INTERNAL_MASK", "YES", both, masked)
        for kernel in KERNELS:
            options = {"crs": "EPSG:32721", "resolution": 17, "resampling": kernel}
            self.compare(masked, kernel, crs="EPSG:32721", resolution=17)
            numpy.testing.assert_array_equal(self.chip(handle(both), assets="data:1", **options), self.chip(handle(masked), **options))

    def test_signed_bytes(self):
        """As the same numbers of 16 bits."""
        a = self.rng.integers(-100, 100, (300, 300))
        a[50:90, 40:120] = -100
        paths = [tiff.write(self.path(), a.astype(t), nodata=-100) for t in ("i1", "i2")]
        for kernel in KERNELS:
            narrow, wide = (self.chip(handle(p, 0, 0), crs="EPSG:32721", resolution=25, resampling=kernel) for p in paths)
            self.assertEqual((narrow.dtype, wide.dtype), (numpy.dtype("i1"), numpy.dtype("i2")))
            numpy.testing.assert_array_equal(narrow, wide)
            self.assertLess(narrow.min(), narrow.max())

    def test_overviews(self):
        path = self.path()
        tiff.write(path, self.noise((1024, 1100)), block=(128, 128))
        gdal("gdaladdo", "-r", "average", path, 2, 4)
        for kernel in KERNELS:
            for resolution in (20, 47):
                self.compare(path, kernel, handle(path, 2, 2, 64), crs="EPSG:32721", resolution=resolution, center=[-62.95, -32.58])

    def test_much_coarser_without_overviews(self):
        """Windows that are cut into halves, and averages by NumPy on the file's own grid."""
        a = self.noise((2600, 2600), "u1")
        path = tiff.write(self.path(), a, block=(256, 256), nodata=0)
        for kernel in ("average", "mode"):
            self.compare(path, kernel, handle(path), crs="EPSG:32721", resolution=400, size=60, center=[-62.87, -32.66])
        got = self.chip(handle(path), bounds=[500000, 6374000, 526000, 6400000], resolution=200, resampling="average")[0]
        blocks = numpy.ma.masked_equal(a, 0).reshape(130, 20, 130, 20)
        self.assertLessEqual(abs(got.astype(int) - blocks.mean((1, 3)).filled(0)).max(), 0.51)

    def test_poles_and_antimeridian(self):
        # Not 7000 of 5000, where some pixels have one middle: see LanczosByNumPy.
        for epsg, place, target in ((4326, (0.01, 0, 178, 0, -0.01, 66), ("EPSG:32601", 1000)), (3031, (5000, 0, -1e6, 0, -5000, 1e6), ("EPSG:3031", 7100)),
                                    (32601, (400, 0, 3e5, 0, -400, 7.3e6), ("EPSG:32660", 500))):
            path = tiff.write(self.path(), self.noise(), transform=place, epsg=epsg)
            for kernel in KERNELS:
                self.compare(path, kernel, handle(path, 1, 1), crs=target[0], resolution=target[1])

    def test_across_the_seam_of_a_globe(self):
        """Averages of a slope along latitude: right on both sides of the seam, and fill on it."""
        a = numpy.repeat(numpy.arange(1, 181, dtype="u1")[:, None], 360, 1)
        path = tiff.write(self.path(), a, transform=(1, 0, -180, 0, -1, 90), epsg=4326)
        for kernel in ("average", "mode"):
            options = {"crs": "EPSG:3832", "resolution": 111319.49, "size": [81, 9], "center": [180, 0], "resampling": kernel}
            got = self.chip(handle(path), **options)[0]
            holes = numpy.flatnonzero((got == 0).any(0))
            self.assertTrue(len(holes) <= 1 and (abs(holes - 40) <= 1).all(), holes)
            filled = numpy.delete(got, holes, 1)
            self.assertTrue((filled == filled[:, :1]).all())
            self.assertLessEqual(abs(filled[:, 0].astype(float) - numpy.arange(86, 95)).max(), 1)  # a sliver of a row counts as one for mode

    def test_threads_and_validity(self):
        a = self.noise(dtype="u1", most=10) + numpy.uint8(100)  # nothing undershoots to 0
        a[:, 200:] = 0
        path = tiff.write(self.path(), a, nodata=0)
        for kernel in KERNELS:
            options = {"crs": "EPSG:32721", "resolution": 10, "resampling": kernel, "fill": 9, "size": 600}
            one = self.chip(handle(path, 1, 1), **options)
            self.db.execute("SELECT stacchip_config('threads', 4)")
            numpy.testing.assert_array_equal(self.chip(handle(path, 1, 1), **options), one)
            self.db.execute("SELECT stacchip_config('threads', 1)")
            rows = json.dumps([handle(path, 1, 1)])
            blob = self.db.execute("SELECT stacchip_stack(value, ?) FROM json_each(?)", (json.dumps(dict(options, format="npz", fill=0)), rows)).fetchone()[0]
            npz = numpy.load(io.BytesIO(blob))
            numpy.testing.assert_array_equal(npz["valid"][0].reshape(one.shape[1:]) != 0, npz["pixels"][0, 0] != 0)
            self.assertEqual((npz["valid"].min(), npz["valid"].max()), (0, 1))

    def test_gauss_is_refused(self):
        with self.assertRaisesRegex(Exception, "'gauss' is for the item's own grid.*cubicspline, lanczos, average or mode"):
            self.chip(handle(self.raster()), crs="EPSG:32721", resolution=10, resampling="gauss")

    def test_an_interrupt_stops_a_warp(self):
        path = tiff.write(self.path(), self.noise((3000, 3000), "f4"), block=(256, 256))
        options = json.dumps({"crs": "EPSG:32721", "resolution": 2, "size": 8000, "center": [-62.85, -32.66], "resampling": "lanczos"})
        timer = threading.Timer(0.5, self.db.interrupt)
        timer.start()
        with self.assertRaisesRegex(sqlite3.OperationalError, "interrupted"):
            self.db.execute("SELECT stacchip_chip(?, ?)", (handle(path), options)).fetchone()
        timer.join()
        self.assertEqual(self.chip(handle(path), resolution=20, resampling="lanczos").shape, (1, 128, 128))


class LanczosByNumPy(Grid):
    """
    Where an output pixel's middle is that of a pixel of the file, gdalwarp of 3.10 to 3.13 is no judge: where it widens lanczos it gives that
    pixel a 97th (pi to the fourth) of its weight, or one of rounding errors (GWKResampleOptimizedLanczos, dfX == 0). Before 3.10 all
    places but those middles are off by up to a pixel ("fix shifted/aliased result with Lanczos resampling when XSCALE < 1" in its NEWS).
    """

    def weights(self, n, n_file, wider):
        """(n, n_file), of pixels of `wider` pixels of the file, whose first ones begin at one place."""
        places = (numpy.arange(n_file) + 0.5 - wider * (numpy.arange(n)[:, None] + 0.5)) / max(wider, 1)
        w = numpy.where(abs(places) <= 3, numpy.sinc(places) * numpy.sinc(places / 3), 0)
        return w / w.sum(1, keepdims=True)

    def test_widened_and_not(self):
        a = self.noise((300, 320), "f4")
        path = tiff.write(self.path(), a)
        for resolution, only_middles in ((30, True), (50, True), (10 / 3, True), (5, True), (14, False), (14.2, False), (20, False)):
            if GDAL < (3, 10) and not only_middles:
                continue
            columns, rows = int(3200 // resolution), int(3000 // resolution)
            bounds = [500000, 6400000 - rows * resolution, 500000 + columns * resolution, 6400000]
            got = self.chip(handle(path), bounds=bounds, size=[columns, rows], resampling="lanczos")[0]
            want = self.weights(rows, 300, resolution / 10) @ a @ self.weights(columns, 320, resolution / 10).T
            with self.subTest(resolution=resolution):
                self.assertLess(abs(got - want).max(), 0.1)


class InLayers(Layers):
    def test_each_kernel(self):
        path, cover = self.raster(), self.cover(nodata=3)
        for kernel in KERNELS:
            for own in ({}, {"crs": "EPSG:4326", "resolution": 0.0003}):
                got = self.npz(handle(path, 1, 1), layers={"label": {"source": cover, "resampling": kernel, "fill": 200}}, **own)["label"]
                want = self.warped(cover, self.info(handle(path, 1, 1), **own), kernel, "-dstnodata", 200)
                self.assertLessEqual(numpy.mean(abs(got - want) > 1), TIES.get(kernel, 0))
                self.assertGreater(numpy.mean(want != 200), 0.1)
        with self.assertRaisesRegex(Exception, "layer label.*'gauss'"):
            self.npz(handle(path), layers={"label": {"source": cover, "resampling": "gauss"}})


del Grid, Layers  # their tests run in files of their own

if __name__ == "__main__":
    host.main()
