"""stacchip_tile: tiles of a web map are what gdalwarp makes of the items, the first valid pixel on top; judged by GDAL and NumPy."""
import json
import math
import os
import unittest

import host
import numpy
import tiff
from test_grids import Grid, gdal

HALF = 20037508.342789244


def tile_at(lon, lat, z):
    """Of the definition of slippy maps: x and y of the tile that has a place."""
    n = 1 << z
    return int((lon + 180) / 360 * n), int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * n)


def bounds(z, x, y):
    side = 2 * HALF / (1 << z)
    return x * side - HALF, HALF - (y + 1) * side, (x + 1) * side - HALF, HALF - y * side


class Tiles(Grid):
    def item(self, item_id, assets, datetime="2024-01-01T00:00:00Z"):
        return {"type": "Feature", "stac_version": "1.0.0", "id": item_id, "collection": "c", "geometry": None, "links": [],
                "properties": {"datetime": datetime}, "assets": {k: {"href": p, "type": "image/tiff"} for k, p in assets.items()}}

    def rows(self, *items):
        """A query that names a chip of each item, in this order."""
        self.db.execute("CREATE TEMP TABLE IF NOT EXISTS chosen(row)")
        self.db.execute("DELETE FROM chosen")
        for item in items:
            self.db.execute("INSERT INTO chosen VALUES (?)", (json.dumps({"item": item, "platform": "none", "chip_index_x": 0, "chip_index_y": 0, "chip_size": 16}),))
        return "SELECT row FROM chosen ORDER BY rowid"

    def tile(self, z, x, y, query, **options):
        blob = self.db.execute("SELECT stacchip_tile(?, ?, ?, ?, ?)", (z, x, y, query, json.dumps(options))).fetchone()[0]
        if blob is None:
            return None
        png, raw = self.path(".png"), self.path(".bin")
        with open(png, "wb") as f:
            f.write(blob)
        gdal("gdal_translate", "-of", "ENVI", "-co", "INTERLEAVE=BSQ", png, raw)
        size = options.get("size", 256)
        return numpy.fromfile(raw, "u1").reshape(4, size, size)

    def warped_tile(self, path, z, x, y, size=256, kernel="nearest"):
        west, south, east, north = bounds(z, x, y)
        transform = [(east - west) / size, 0, west, 0, (south - north) / size, north]
        return self.warped(path, {"crs": "EPSG:3857", "transform": transform, "shape": [1, size, size]}, kernel)[0]

    def holes(self, share, **options):
        a = self.rng.integers(1, 256, (400, 420)).astype("u1")
        a[self.rng.random(a.shape) < share] = 0
        return tiff.write(self.path(), a, nodata=0, block=(128, 128), deflate=True, **options)

    def places(self):
        """Tiles at and around the rasters, which lie at 63 W, 32.5 S."""
        for z in (11, 13, 14, 16):
            x, y = tile_at(-62.985, -32.545, z)
            yield z, x, y
        yield 13, *(n + 1 for n in tile_at(-62.985, -32.545, 13))

    def test_one_band_is_what_gdalwarp_makes_of_it(self):
        path = self.holes(0.1)
        query = self.rows(self.item("a", {"data": path}))
        for size, kernel in ((256, "nearest"), (512, "nearest"), (100, "bilinear"), (256, "cubic")):
            for z, x, y in self.places():
                want = self.warped_tile(path, z, x, y, size, kernel)
                got = self.tile(z, x, y, query, size=size, rescale=[0, 255], resampling=kernel)
                if not want.any():
                    self.assertIsNone(got)
                    continue
                grey = numpy.where(got[3], got[0].astype("f8"), 0)
                if kernel == "nearest":
                    self.assertLess(numpy.mean(grey != want), 0.001)
                elif z >= 14:  # coarser ones, which reach beyond the raster, get another ratio from gdalwarp
                    self.assertLess(numpy.mean(abs(grey - want) > 1), 0.001)
                numpy.testing.assert_array_equal(got[0], got[1])
                numpy.testing.assert_array_equal(got[0], got[2])
                self.assertEqual(set(numpy.unique(got[3])) - {0, 255}, set())

    def test_the_first_item_with_a_valid_pixel_wins(self):
        paths = [self.holes(0.5), self.holes(0.5, transform=(10, 0, 499000, 0, -10, 6401000)),
                 self.holes(0.3, transform=(10, 0, 1063000, 0, -10, 6385000), epsg=32719)]
        items = [self.item(str(i), {"data": p}) for i, p in enumerate(paths)]
        x, y = tile_at(-62.985, -32.545, 13)
        parts = [self.warped_tile(p, 13, x, y) for p in paths]
        for order in ((0, 1, 2), (2, 1, 0), (1, 1, 0, 2)):
            want = numpy.zeros((256, 256))
            for i in order:
                want = numpy.where(want, want, parts[i])
            got = self.tile(13, x, y, self.rows(*(items[i] for i in order)), rescale=[0, 255])
            self.assertLess(numpy.mean(numpy.where(got[3], got[0], 0) != want), 0.002)
        got = self.tile(13, x, y, self.rows(*items), rescale=[0, 255], limit=1)
        self.assertLess(numpy.mean(numpy.where(got[3], got[0], 0) != parts[0]), 0.001)

    def test_three_bands_are_colours_and_valid_where_all_are(self):
        paths = {k: self.holes(0.2) for k in ("red", "green", "blue")}
        x, y = tile_at(-62.985, -32.545, 14)
        want = numpy.stack([self.warped_tile(p, 14, x, y) for p in paths.values()])
        want[:, (want == 0).any(axis=0)] = 0
        got = self.tile(14, x, y, self.rows(self.item("a", paths)), rescale=[0, 255])
        self.assertLess(numpy.mean(got[:3] * (got[3] > 0) != want), 0.002)
        self.assertIn("2 bands; a tile has 1 or 3", self.error(14, x, y, self.rows(self.item("a", paths)), {"assets": ["red", "blue"]}))

    def test_overviews_are_used_and_one_stretch_is_of_the_whole_item(self):
        a = (numpy.add.outer(numpy.arange(2048), numpy.arange(2048)) * 10).astype("u2") + 1
        path = tiff.write(self.path(), a, nodata=0, block=(256, 256), deflate=True)
        gdal("gdaladdo", path, 2, 4, 8)
        query = self.rows(self.item("a", {"data": path}))
        low, high = numpy.percentile(a, [2, 98])
        for z in (10, 13, 15):
            x, y = tile_at(-62.9, -32.6, z)
            got = self.tile(z, x, y, query, resampling="bilinear")
            want = self.warped_tile(path, z, x, y, kernel="bilinear")
            inside = (want > 0) & (got[3] > 0)
            self.assertGreater(inside.sum(), 200)
            stretched = numpy.clip((want - low) / (high - low), 0, 1) * 255
            self.assertLess(abs(got[0] - stretched)[inside].max(), 5)  # of a sample of 128 x 128 pixels

    def test_across_the_antimeridian(self):
        """A raster of zone 60 that ends east of 180 degrees: tiles on both sides of the map."""
        path = self.holes(0, transform=(10, 0, 778000, 0, -10, 6400000), epsg=32760)
        query = self.rows(self.item("a", {"data": path}))
        n = 1 << 13
        for z, x, y in ((13, n - 1, tile_at(0, -32.51, 13)[1]), (13, 0, tile_at(0, -32.51, 13)[1])):
            got = self.tile(z, x, y, query, rescale=[0, 255])
            self.assertGreater((got[3] > 0).sum(), 500)
        want = self.warped_tile(path, 13, n - 1, tile_at(0, -32.51, 13)[1])
        got = self.tile(13, n - 1, tile_at(0, -32.51, 13)[1], query, rescale=[0, 255])
        self.assertLess(numpy.mean(numpy.where(got[3], got[0], 0) != want), 0.002)
        self.assertIsNone(self.tile(13, n // 2, tile_at(0, -32.51, 13)[1], query))

    def test_a_merged_index_and_its_place(self):
        """:tile is the tile's box: of ten items far apart one is looked at."""
        self.db.execute("CREATE VIRTUAL TABLE far USING stacchip_merge(max_nodata=1, platform=none, chip_size=128)")
        paths = [self.holes(0.2, transform=(10, 0, 300000 + 40000 * i, 0, -10, 6400000)) for i in range(10)]
        for i, p in enumerate(paths):
            item = self.item(f"i{i}", {"data": p})
            item["properties"].update({"proj:epsg": 32720, "proj:shape": [400, 420], "proj:transform": [10, 0, 300000 + 40000 * i, 0, -10, 6400000]})
            self.db.execute("INSERT INTO far(item_json) VALUES (?)", (json.dumps(item),))
        lon, lat = self.db.execute("SELECT ST_X(ST_Centroid(geometry)), ST_Y(ST_Centroid(geometry)) FROM far WHERE item = 'i4'").fetchone()
        z, (x, y) = 12, tile_at(lon, lat, 12)
        want = self.warped_tile(paths[4], z, x, y)
        for i, p in enumerate(paths):
            if i != 4:
                os.remove(p)  # who opened another item would fail
        for query, options in (("SELECT row FROM far WHERE search_area = :tile", {}), ("SELECT row FROM far", {}), ("SELECT rowid FROM far", {"table": "far"}),
                               ("SELECT rowid FROM far WHERE ST_Intersects(geometry, :tile) ORDER BY date DESC", {"table": "far"})):
            got = self.tile(z, x, y, query, rescale=[0, 255], **options)
            self.assertLess(numpy.mean(numpy.where(got[3], got[0], 0) != want), 0.001)

    def test_a_frozen_data_set(self):
        """Its chips lie where the item's pixels do; limit counts them, and each is stretched alone."""
        path = self.holes(0.2)
        item = json.dumps(self.item("a", {"data": path}))
        frozen = self.path(".db")
        self.db.execute("CREATE TEMP TABLE cut AS SELECT row FROM stacchip_index(?, '{\"platform\": \"none\", \"chip_size\": 64, \"max_nodata\": 1, \"edge\": \"shift\"}')", (item,))
        self.db.execute("SELECT stacchip_freeze(?, 'SELECT row FROM cut')", (frozen,)).fetchone()
        want = {place: self.warped_tile(path, *place) for place in self.places()}
        os.remove(path)
        self.db.execute("ATTACH ? AS frozen", (frozen,))
        self.addCleanup(self.db.execute, "DETACH frozen")
        for (z, x, y), expected in want.items():
            got = self.tile(z, x, y, "SELECT handle FROM frozen.chips", rescale=[0, 255], limit=100)
            if got is None:
                self.assertFalse(expected.any())
                continue
            self.assertLess(numpy.mean(numpy.where(got[3], got[0], 0) != expected), 0.002)
            drawn = self.tile(z, x, y, "SELECT handle FROM frozen.chips", limit=100)
            numpy.testing.assert_array_equal(drawn[3], got[3])
            self.assertGreater(drawn[0].max() - drawn[0][drawn[3] > 0].min(), 200)
        one = self.tile(*next(iter(want)), "SELECT handle FROM frozen.chips", rescale=[0, 255], limit=1)
        self.assertLess((one[3] > 0).sum(), (want[next(iter(want))] > 0).sum() / 5)  # the item is cut by the edge of that tile

    def test_the_box_of_a_tile(self):
        """What the query is given for :tile, by the formulas of web Mercator."""
        for z, x, y in ((0, 0, 0), (1, 1, 0), (5, 17, 11), (18, 85000, 120000)):
            west, east = x / 2**z * 360 - 180, (x + 1) / 2**z * 360 - 180
            north, south = (math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * k / 2**z)))) for k in (y, y + 1))
            query = (f"SELECT 1 / (abs(MbrMinX(:tile) - {west!r}) < 1e-9 AND abs(MbrMaxX(:tile) - {east!r}) < 1e-9 AND abs(MbrMinY(:tile) - {south!r}) < 1e-9 AND "
                     f"abs(MbrMaxY(:tile) - {north!r}) < 1e-9 AND ST_SRID(:tile) = 4326 AND ST_IsValid(:tile)) AS row")
            self.assertIn("a rowid needs the option 'table'", self.error(z, x, y, query))  # of 1, and NULL would be passed over

    def error(self, *args):
        args = list(args[:4]) + [json.dumps(a) for a in args[4:]]
        with self.assertRaises(Exception) as caught:
            self.db.execute(f"SELECT stacchip_tile({', '.join('?' * len(args))})", args).fetchone()
        return str(caught.exception)

    def test_bad_input(self):
        path = self.holes(0)
        query = self.rows(self.item("a", {"data": path}), self.item("gone", {"data": path + "x"}))
        x, y = tile_at(-62.985, -32.545, 13)
        for args, message in (((31, 0, 0, query), "z: expected a whole number from 0 to 30, found 31"), ((3, 8, 0, query), "x: expected a whole number from 0 to 7, found 8"),
                              ((3, 0, -1, query), "y: expected a whole number from 0 to 7, found -1"), ((3.5, 0, 0, query), "z: expected a whole number"),
                              ((3, 0, 0, "DELETE FROM chosen"), "expected one whose first column is a chip's handle"), ((3, 0, 0, "SELECT"), "the query: "),
                              ((3, 0, 0, query, {"siz": 1}), "unknown option 'siz'; options: "), ((3, 0, 0, query, {"size": 5}), "expected a whole number from 16 to 1024"),
                              ((3, 0, 0, query, {"buffer": 5}), "unknown option 'buffer'"), ((3, 0, 0, query, {"stretch": [2, 98], "rescale": [0, 1]}), "exclude each other"),
                              ((3, 0, 0, "SELECT 7"), "a rowid needs the option 'table'"), ((13, x, y, query + " DESC"), "gone")):
            with self.subTest(message=message):
                self.assertIn(message, self.error(*args))
        self.assertIsNone(self.tile(13, x, y, query + " DESC", on_error="null"))
        got = self.tile(13, x, y, query + " DESC", on_error="skip")
        self.assertTrue(got[3].any())
        self.assertEqual(self.db.execute("SELECT stacchip_tile(NULL, 0, 0, 'x'), stacchip_tile(0, 0, 0, NULL), stacchip_tile(0, 0, 0, 'SELECT NULL')").fetchone(), (None, None, None))
        self.db.execute("CREATE VIEW w AS SELECT stacchip_tile(0, 0, 0, 'SELECT NULL')")
        self.addCleanup(self.db.execute, "DROP VIEW w")
        with self.assertRaises(Exception) as caught:
            self.db.execute("SELECT * FROM w").fetchone()
        self.assertIn("unsafe use", str(caught.exception))


if __name__ == "__main__":
    host.main()
