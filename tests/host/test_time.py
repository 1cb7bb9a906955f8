"""stacchip_composite over a series of dates, against NumPy."""
import io
import json
import os
import sqlite3
import tempfile
import unittest
import warnings
import zlib

import numpy

import gdal_judge
import host
import tiff

N, SIZE = 12, 320


class Series(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        r = numpy.random.default_rng(11)
        cls.pixels = r.integers(0, 4000, (N, 2, SIZE, SIZE)).astype("u2")  # 0 is nodata
        cls.pixels[r.random(cls.pixels.shape) < 0.15] = 0
        cls.scl = r.choice([4, 5, 8], (N, SIZE // 2, SIZE // 2), p=[0.4, 0.2, 0.4]).astype("u1")
        cls.pixels[:, :, 5:9, 5:9] = 0
        cls.items = []
        for i in range(N):
            for k, band in enumerate(("red", "nir")):
                tiff.write(cls.path(f"{band}{i}.tif"), cls.pixels[i, k], block=(128, 128), deflate=True, nodata=0)
            tiff.write(cls.path(f"scl{i}.tif"), cls.scl[i], transform=(20, 0, 500000, 0, -20, 6400000), block=64)
            cls.items.append({"type": "Feature", "stac_version": "1.0.0", "id": f"s{i:02}", "collection": "sentinel-2-l2a", "geometry": None, "links": [],
                              "properties": {"datetime": f"2024-{i + 1:02}-03T10:00:00Z"},
                              "assets": {**{b: {"href": cls.path(f"{b}{i}.tif"), "type": "image/tiff", "eo:bands": [{"name": b, "common_name": b}]} for b in ("red", "nir")},
                                         "SCL": {"href": cls.path(f"scl{i}.tif"), "type": "image/tiff"}}})
        cls.db = host.connect()
        cls.db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(chip_size=128, max_nodata=1, edge='pad')")
        for item in cls.items:
            cls.db.execute("INSERT INTO chips(item_json) VALUES (?)", (json.dumps(item),))

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder.name, name)

    def composite(self, options, x=1, y=1, where="1", key="datetime"):
        options = {"assets": ["red", "nir"], **options}
        return self.db.execute(f"SELECT stacchip_composite(row, ?, {key}) FROM chips WHERE chip_index_x = ? AND chip_index_y = ? AND {where}", (json.dumps(options), x, y)).fetchone()[0]

    def window(self, array, x=1, y=1):
        return array[..., 128 * y:128 * y + 128, 128 * x:128 * x + 128]

    def values(self, clear=False, dates=slice(None), x=1, y=1, cloud=None):
        v = self.window(self.pixels, x, y)[dates].astype("f8")
        v[v == 0] = numpy.nan
        if clear:
            c = self.scl == 8 if cloud is None else cloud
            v[numpy.repeat(self.window(numpy.kron(c, numpy.ones((1, 2, 2), bool)), x, y)[dates][:, None], 2, 1)] = numpy.nan
        return v

    def test_equal_to_numpy_over_twelve_dates_clouds_left_out(self):
        for x, y in ((0, 0), (1, 1)):
            for clear in (False, True):
                v = self.values(clear, x=x, y=y)
                with numpy.errstate(all="ignore"):
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        want = {"median": numpy.nanmedian(v, 0), "mean": numpy.nanmean(v, 0), "max": numpy.nanmax(v, 0), "min": numpy.nanmin(v, 0)}
                there = numpy.isfinite(v)
                want["first"] = numpy.where(there.any(0), numpy.take_along_axis(v, there.argmax(0)[None], 0)[0], numpy.nan)
                for method, w in want.items():
                    with self.subTest(method, clear=clear, x=x):
                        got = numpy.load(io.BytesIO(self.composite({"method": method, "exclude_cloud": clear, "dtype": "float64", "fill": -1}, x, y)))
                        numpy.testing.assert_allclose(got, numpy.where(numpy.isnan(w), -1, w), rtol=1e-14)
                        whole = numpy.load(io.BytesIO(self.composite({"method": method, "exclude_cloud": clear}, x, y)))
                        self.assertEqual(whole.dtype, numpy.uint16)
                        numpy.testing.assert_array_equal(whole, numpy.where(numpy.isnan(w), 0, numpy.rint(w)).astype("u2"))

    def test_even_counts_and_the_order_of_rows(self):
        v = self.values(dates=slice(0, 2))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            w = numpy.nanmedian(v, 0)
        got = numpy.load(io.BytesIO(self.composite({"method": "median"}, where="item < 's02'")))
        numpy.testing.assert_array_equal(got, numpy.where(numpy.isnan(w), 0, numpy.rint(w)))
        last = numpy.load(io.BytesIO(self.composite({"method": "first"}, where="item < 's02'", key="-rowid")))
        numpy.testing.assert_array_equal(last, numpy.where(numpy.isnan(v[1]), numpy.where(numpy.isnan(v[0]), 0, v[0]), v[1]))

    def test_clouds_that_grow(self):
        grown = self.scl == 8
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            grown = grown | numpy.pad(self.scl == 8, ((0, 0), (1, 1), (1, 1)))[:, 1 + dy:SIZE // 2 + 1 + dy, 1 + dx:SIZE // 2 + 1 + dx]
        v = self.values(True, cloud=grown)
        there = numpy.isfinite(v)
        got = numpy.load(io.BytesIO(self.composite({"method": "max", "exclude_cloud": True, "dilate": 1})))
        numpy.testing.assert_array_equal(got, numpy.where(there.any(0), numpy.where(there, v, 0).max(0), 0))

    def test_formats(self):
        plain = numpy.load(io.BytesIO(self.composite({"method": "median"})))
        npz = numpy.load(io.BytesIO(self.composite({"method": "median", "format": "npz", "valid": True})))
        numpy.testing.assert_array_equal(npz["red"][0] if npz["red"].ndim == 3 else npz["red"], plain[0])
        numpy.testing.assert_array_equal(npz["valid"], numpy.isfinite(self.values()).any(0))
        self.assertEqual(self.composite({"method": "median", "format": "raw"}), plain.tobytes())
        self.assertEqual(self.composite({"method": "median", "format": "png", "assets": "red"})[:4], b"\x89PNG")
        path = self.path("c.tif")
        with open(path, "wb") as f:
            f.write(self.composite({"method": "median", "format": "geotiff"}))
        answer, = gdal_judge.ask([{"path": path, "windows": [[0, 0, 128, 128, 128, 128]], "bands": [1, 2], "dtype": "uint16", "resampling": "nearest"}])
        numpy.testing.assert_array_equal(numpy.array(answer["arrays"][0]).reshape(2, 128, 128), plain)
        self.assertEqual(list(answer["transform"])[:6], [10.0, 0.0, 501280.0, 0.0, -10.0, 6398720.0])

    def large(self, options, items=None):
        """A composite of the whole grid: each date four times, so that the strip of rows that is held (64 MB) is less than all of them."""
        chips = [row for item in items or self.items for row, in self.db.execute("SELECT row FROM stacchip_index(?, '{\"chip_size\": 320, \"max_nodata\": 1}')", (json.dumps(item),))]
        self.assertEqual(len(chips), N)
        self.assertGreater(4 * N * 2 * 300 * 300 * 9, 64 << 20)
        options = {"assets": ["red", "nir"], "exclude_cloud": True, "dtype": "float64", "fill": -1, **options}
        return numpy.load(io.BytesIO(self.db.execute("SELECT stacchip_composite(value, ?) FROM json_each(?)", (json.dumps(options), json.dumps(4 * chips))).fetchone()[0]))

    def whole(self, clouds=None):
        v = self.pixels.astype("f8")
        v[v == 0] = numpy.nan
        v[numpy.repeat(numpy.kron(self.scl == 8 if clouds is None else clouds, numpy.ones((1, 2, 2), bool))[:, None], 2, 1)] = numpy.nan
        return v

    def same(self, got, v, method):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            want = getattr(numpy, "nan" + method)(v, 0)
        self.assertTrue(numpy.isnan(want).any() and numpy.isfinite(want).mean() > 0.5)
        numpy.testing.assert_allclose(got, numpy.where(numpy.isnan(want), -1, want), rtol=1e-13)

    def test_more_than_one_strip(self):
        self.same(self.large({"method": "median"}), self.whole(), "median")
        grown = self.scl == 8
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            grown = grown | numpy.pad(self.scl == 8, ((0, 0), (1, 1), (1, 1)))[:, 1 + dy:SIZE // 2 + 1 + dy, 1 + dx:SIZE // 2 + 1 + dx]
        self.same(self.large({"method": "mean", "dilate": 1}), self.whole(grown), "mean")

    def test_a_chip_that_fails_in_the_last_strip_is_in_none(self):
        path = self.path("red7.tif")
        with open(path, "rb") as f:
            data = f.read()
        tile = numpy.zeros((128, 128), "u2")
        tile[:64] = self.pixels[7, 0, 256:, :128]
        blob = zlib.compress(tile.tobytes())
        self.assertEqual(data.count(blob), 1)
        try:
            with open(path, "r+b") as f:
                f.seek(data.index(blob))
                f.write(bytes(len(blob)))
            with self.assertRaisesRegex(sqlite3.Error, "position 7: .*red7.tif"):
                self.large({"method": "max"})
            got = self.large({"method": "max", "on_error": "skip"})
        finally:
            with open(path, "wb") as f:
                f.write(data)
        self.same(got, numpy.delete(self.whole(), 7, 0), "max")

    def test_no_chip_left_is_null(self):
        """Whether its chips fail when they are opened or when their pixels are read."""
        item = json.loads(json.dumps(self.items[0]))
        with open(item["assets"]["red"]["href"], "rb") as f:
            data = f.read()
        for name, content in (("cut.tif", data[:len(data) // 4] + bytes(len(data) - len(data) // 4)), ("gone.tif", None)):
            item["assets"]["red"]["href"] = self.path(name)
            if content:
                with open(self.path(name), "wb") as f:
                    f.write(content)
            handle = json.dumps({"item": item, "platform": "none", "chip_size": 64, "chip_index_x": 3, "chip_index_y": 3})
            for how in ("npy", "npz"):
                self.assertEqual((None,), self.db.execute("SELECT stacchip_composite(?, ?)", (handle, json.dumps({"assets": "red", "on_error": "skip", "format": how}))).fetchone(), (name, how))

    def test_a_common_grid(self):
        """Half of the dates lie 210 m off; pixels of the grid are 3 m off those of all of them."""
        items, left = json.loads(json.dumps(self.items)), 500000 - 97
        for i in range(1, N, 2):
            tiff.write(self.path(f"moved{i}.tif"), self.pixels[i, 0], transform=(10, 0, 500210, 0, -10, 6400000), block=(128, 128), deflate=True, nodata=0)
            tiff.write(self.path(f"moved-nir{i}.tif"), self.pixels[i, 1], transform=(10, 0, 500210, 0, -10, 6400000), block=(128, 128), deflate=True, nodata=0)
            tiff.write(self.path(f"moved-scl{i}.tif"), self.scl[i], transform=(20, 0, 500210, 0, -20, 6400000), block=64)
            for asset, name in (("red", f"moved{i}"), ("nir", f"moved-nir{i}"), ("SCL", f"moved-scl{i}")):
                items[i]["assets"][asset]["href"] = self.path(name + ".tif")
        bounds = [left, 6400000 - 3003, left + 3000, 6400000 - 3]
        source, v = self.whole(), numpy.full((N, 2, 300, 300), numpy.nan)
        rows = numpy.floor((3 + 10 * numpy.arange(300) + 5) / 10).astype(int)
        for i in range(N):
            columns = numpy.floor((left - 500000 - (210 if i % 2 else 0) + 10 * numpy.arange(300) + 5) / 10).astype(int)
            inside = columns >= 0
            v[i][:, :, inside] = source[i][:, rows][:, :, columns[inside]]
        grid = {"crs": "EPSG:32720", "resolution": 10, "bounds": bounds}
        for method in ("median", "min"):
            self.same(self.large({"method": method, **grid}, items), v, method)
        with self.assertRaisesRegex(sqlite3.Error, "does not lie on the pixels of the first one"):
            self.large({}, items)

    def test_what_is_refused_and_what_is_skipped(self):
        for options, words in (({"method": "mode"}, "'method': 'mode' is not one of first, median, mean, max, min"), ({"dilate": 2}, "'dilate' is of no use without exclude_cloud"),
                               ({"format": "png", "size": 64}, "'size' alone"), ({"nonsense": 1}, "unknown option 'nonsense'")):
            with self.assertRaisesRegex(sqlite3.Error, words):
                self.composite(options)
        with self.assertRaisesRegex(sqlite3.Error, "does not lie on the pixels of the first one.*common grid"):
            self.db.execute("SELECT stacchip_composite(row, '{\"assets\": [\"red\"]}') FROM chips").fetchone()
        self.assertEqual(self.db.execute("SELECT stacchip_composite(NULL), stacchip_composite(row) FROM chips WHERE 0").fetchone(), (None, None))
        os.rename(self.path("red3.tif"), self.path("away.tif"))
        try:
            with self.assertRaisesRegex(sqlite3.Error, "red3.tif"):
                self.composite({"method": "max"})
            self.assertIsNone(self.composite({"method": "max", "on_error": "null"}))
            got = numpy.load(io.BytesIO(self.composite({"method": "max", "on_error": "skip"})))
        finally:
            os.rename(self.path("away.tif"), self.path("red3.tif"))
        v = numpy.delete(self.window(self.pixels), 3, 0)
        numpy.testing.assert_array_equal(got, v.max(0))


if __name__ == "__main__":
    host.main()
