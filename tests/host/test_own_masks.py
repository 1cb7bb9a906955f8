"""Options mask, cloud, nodata and dilate: masks of the caller's, against counts by NumPy."""
import json
import os
import sqlite3
import tempfile
import unittest

import numpy

import host
import tiff
import web

SIZE, CHIP = 600, 100


def disk(cloud, radius):
    """scipy.ndimage.binary_dilation(cloud, disk) in NumPy: shifted copies, one for each offset of the disk."""
    out = numpy.zeros_like(cloud)
    h, w = cloud.shape
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            if dx * dx + dy * dy <= radius * radius:
                out[max(dy, 0):h + min(dy, 0), max(dx, 0):w + min(dx, 0)] |= cloud[max(-dy, 0):h + min(-dy, 0), max(-dx, 0):w + min(-dx, 0)]
    return out


def fractions(bits, step):
    n = bits.shape[0] // step
    return bits[:n * step, :n * step].reshape(n, step, n, step).mean(axis=(1, 3))


class Masks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        r = numpy.random.default_rng(3)
        cls.pixels = r.integers(1, 3000, (SIZE, SIZE)).astype("u2")
        tiff.write(cls.path("red.tif"), cls.pixels, block=(256, 256), deflate=True)
        cls.scl = r.choice([4, 5, 9], (SIZE // 2, SIZE // 2), p=[0.6, 0.3, 0.1]).astype("u1")
        tiff.write(cls.path("scl.tif"), cls.scl, transform=(20, 0, 500000, 0, -20, 6400000), block=64)
        cls.own = numpy.where(r.random((SIZE, SIZE)) < 0.003, r.integers(1, 4, (SIZE, SIZE)), 0).astype("u1")
        cls.own[:40, :70] = 255
        tiff.write(cls.path("m-s.tif"), cls.own, block=(128, 128), deflate=True, nodata=255)
        cls.half = numpy.where(r.random((SIZE // 2, SIZE // 2)) < 0.004, 1, 0).astype("u2")
        tiff.write(cls.path("half.tif"), cls.half, transform=(20, 0, 500000, 0, -20, 6400000), block=16)
        cls.item = {"type": "Feature", "stac_version": "1.0.0", "id": "s", "collection": "sentinel-2-l2a", "geometry": None, "links": [],
                    "properties": {"datetime": "2024-01-01T00:00:00Z"},
                    "assets": {"red": {"href": cls.path("red.tif"), "type": "image/tiff", "eo:bands": [{"name": "red", "common_name": "red"}]},
                               "SCL": {"href": cls.path("scl.tif"), "type": "image/tiff"}}}
        with open(cls.path("item.json"), "w") as f:
            json.dump(cls.item, f)

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder.name, name)

    def setUp(self):
        self.db = host.connect()

    def tearDown(self):
        self.db.close()

    def counts(self, options, item=None):
        rows = self.db.execute("SELECT chip_index_x, chip_index_y, cloud_cover_percentage, nodata_percentage FROM stacchip_index(?, ?)",
                               (item or self.path("item.json"), json.dumps({"chip_size": CHIP, "max_nodata": 1, **options}))).fetchall()
        n = SIZE // CHIP
        cloud, nodata = numpy.full((n, n), numpy.nan), numpy.full((n, n), numpy.nan)
        for x, y, c, d in rows:
            cloud[y, x], nodata[y, x] = numpy.nan if c is None else c, numpy.nan if d is None else d
        return cloud, nodata

    def same(self, got, cloud, nodata, step=CHIP):
        numpy.testing.assert_allclose(got[0], fractions(cloud, step), atol=1e-7)
        numpy.testing.assert_allclose(got[1], fractions(nodata, step), atol=1e-7)

    def test_a_raster_of_the_callers_is_counted(self):
        valid = self.own != 255
        self.same(self.counts({"mask": self.path("m-s.tif")}), (self.own > 0) & valid | ~valid, ~valid)  # 'v' is true of 255, too
        self.same(self.counts({"mask": self.path("m-{id}.tif"), "cloud": "v IN (1, 2)", "nodata": "nd"}), (self.own == 1) | (self.own == 2), ~valid)

    def test_clouds_grow_across_blocks_but_not_over_nodata(self):
        valid = self.own != 255
        cloud = (self.own > 0) & valid
        for radius in (1, 2, 5, 12, 40):
            grown = disk(cloud, radius) & valid
            self.same(self.counts({"mask": self.path("m-s.tif"), "cloud": "v BETWEEN 1 AND 3", "dilate": radius}), grown, ~valid)
        self.same(self.counts({"mask": self.path("half.tif"), "dilate": 3}), disk(self.half > 0, 3), numpy.zeros((SIZE // 2, SIZE // 2), bool), CHIP // 2)

    def test_the_rules_own_mask_grows_and_its_expressions_can_be_others(self):
        zero = numpy.zeros((SIZE // 2, SIZE // 2), bool)
        self.same(self.counts({}), self.scl == 9, zero, CHIP // 2)
        self.same(self.counts({"dilate": 1}), disk(self.scl == 9, 1), zero, CHIP // 2)
        self.same(self.counts({"cloud": "v = 5"}), self.scl == 5, zero, CHIP // 2)
        self.same(self.counts({"mask": "SCL", "cloud": "v = 4", "nodata": "v = 9"}), self.scl == 4, self.scl == 9, CHIP // 2)

    def test_a_rule_may_name_a_raster_and_how_far_clouds_grow(self):
        self.db.execute("SELECT stacchip_platform_set('own', ?)", (json.dumps({"match": "collection = 'sentinel-2-l2a'", "mask": ["absent", self.path("m-{id}.tif")], "cloud": "v BETWEEN 1 AND 3",
                                                                               "nodata": "nd", "assets": ["red"], "dilate": 4}),))
        valid = self.own != 255
        self.same(self.counts({}), disk((self.own > 0) & valid, 4) & valid, ~valid)
        self.same(self.counts({"dilate": 0}), (self.own > 0) & valid, ~valid)

    def test_an_item_without_a_rule(self):
        item = json.dumps({**self.item, "collection": "unknown"})
        got = self.counts({"platform": "none", "mask": self.path("half.tif")}, item)
        self.same(got, self.half > 0, numpy.zeros((SIZE // 2, SIZE // 2), bool), CHIP // 2)
        self.assertEqual(self.db.execute("SELECT DISTINCT platform FROM stacchip_index(?, ?)", (item, json.dumps({"platform": "none", "mask": self.path("half.tif")}))).fetchall(), [("none",)])
        bare = self.counts({"mask": self.path("half.tif"), "platform": "none"}, self.path("red.tif"))
        self.same(bare, self.half > 0, numpy.zeros((SIZE // 2, SIZE // 2), bool), CHIP // 2)

    def test_the_grid_stays_the_items(self):
        fine = tiff.write(self.path("fine.tif"), numpy.kron(self.own == 1, numpy.ones((2, 2), "u1")).astype("u1"), transform=(5, 0, 500000, 0, -5, 6400000), block=64)
        self.same(self.counts({"mask": fine}), self.own == 1, numpy.zeros((SIZE, SIZE), bool))

    def test_statistics_leave_out_what_was_counted_as_cloud(self):
        valid = self.own != 255
        for options, cloud in (({"mask": self.path("m-s.tif"), "cloud": "v BETWEEN 1 AND 3", "dilate": 6}, disk((self.own > 0) & valid, 6) & valid),
                               ({"mask": self.path("half.tif"), "dilate": 3}, numpy.kron(disk(self.half > 0, 3), numpy.ones((2, 2), bool))), ({"dilate": 1}, numpy.kron(disk(self.scl == 9, 1), numpy.ones((2, 2), bool)))):
            self.db.execute("DROP TABLE IF EXISTS chips")
            self.db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(chip_size=100, max_nodata=1)")
            self.db.execute("INSERT INTO chips(item_json, index_options) VALUES (?, ?)", (self.path("item.json"), json.dumps(options)))
            sources = (("chips", ()), ("stacchip_index(?, ?)", (self.path("item.json"), json.dumps({"chip_size": CHIP, "max_nodata": 1, **options}))))
            for source, values in sources:
                for x, y in ((0, 0), (2, 3), (5, 5)):
                    got = json.loads(self.db.execute(f"SELECT stacchip_band_stats(row, '{{\"assets\": [\"red\"], \"exclude_cloud\": true}}') FROM {source} WHERE chip_index_x = {x} AND chip_index_y = {y}", values).fetchone()[0])
                    at = (slice(CHIP * y, CHIP * y + CHIP), slice(CHIP * x, CHIP * x + CHIP))
                    want = self.pixels[at][~cloud[at]]
                    self.assertEqual((got["count"][0], got["min"][0], got["max"][0]), (want.size, want.min(), want.max()))
                    self.assertAlmostEqual(got["mean"][0], want.mean(), 6)

    def test_a_merged_index_stores_what_each_item_was_indexed_with(self):
        self.db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(chip_size=100, max_nodata=1)")
        one = "SELECT cloud_cover_percentage FROM chips WHERE chip_index_x = 2 AND chip_index_y = 2"
        at = (slice(200, 300), slice(200, 300))
        self.db.execute("INSERT INTO chips(item_json) VALUES (?)", (self.path("item.json"),))
        self.assertAlmostEqual(self.db.execute(one).fetchone()[0], (self.scl == 9)[100:150, 100:150].mean(), 6)
        self.assertNotIn("dilate", json.loads(self.db.execute("SELECT DISTINCT index_options FROM chips").fetchone()[0]))
        text, = self.db.execute("SELECT DISTINCT item_json FROM chips").fetchone()
        self.db.execute("INSERT OR REPLACE INTO chips(item_json, index_options) VALUES (?, ?)", (text, json.dumps({"mask": self.path("m-{id}.tif"), "dilate": 2})))
        self.assertAlmostEqual(self.db.execute(one).fetchone()[0], disk(self.own > 0, 2)[at].mean(), 6)
        stored = json.loads(self.db.execute("SELECT DISTINCT index_options FROM chips").fetchone()[0])
        self.assertEqual((stored["mask"], stored["dilate"]), (self.path("m-{id}.tif"), 2))
        self.assertEqual(self.db.execute("SELECT DISTINCT item_json FROM chips").fetchone()[0], text)
        self.assertEqual(self.db.execute("SELECT count(*) FROM chips").fetchone()[0], 36)
        self.assertEqual(self.db.execute("INSERT INTO chips(chips) VALUES ('integrity-check')").fetchall(), [])
        with self.assertRaisesRegex(sqlite3.Error, "chip_size"):
            self.db.execute("INSERT OR REPLACE INTO chips(item_json, index_options) VALUES (?, '{\"chip_size\": 256}')", (text,))
        with self.assertRaisesRegex(sqlite3.Error, "item_json alone"):
            self.db.execute("INSERT INTO chips(item, chip_index_x, chip_index_y, geometry, index_options) VALUES ('a', 0, 0, NULL, '{}')")

    def test_an_argument_of_the_table(self):
        self.db.execute(f"CREATE VIRTUAL TABLE chips USING stacchip_merge(chip_size=100, max_nodata=1, mask='{self.path('m-{id}.tif')}', dilate=2)")
        self.db.execute("INSERT INTO chips(item_json) VALUES (?)", (self.path("item.json"),))
        self.assertAlmostEqual(self.db.execute("SELECT cloud_cover_percentage FROM chips WHERE chip_index_x = 2 AND chip_index_y = 2").fetchone()[0], disk(self.own > 0, 2)[200:300, 200:300].mean(), 6)

    def test_an_item_of_the_network_takes_a_mask_of_the_callers_and_names_none(self):
        files = {"/red.tif": open(self.path("red.tif"), "rb").read()}
        server = web.Scripted(files)
        self.addCleanup(server.close)
        item = {**self.item, "assets": {"red": {**self.item["assets"]["red"], "href": "red.tif"}, "SCL": {"href": "red.tif", "type": "image/tiff"}}}
        files["/item.json"] = json.dumps(item).encode()
        got = self.counts({"mask": self.path("half.tif")}, server.url + "/item.json")
        self.same(got, self.half > 0, numpy.zeros((SIZE // 2, SIZE // 2), bool), CHIP // 2)
        files["/local.json"] = json.dumps({**item, "assets": {**item["assets"], "SCL": {"href": self.path("scl.tif"), "type": "image/tiff"}, "stacchip:mask": {"href": self.path("half.tif")}}}).encode()
        for options in ({}, {"mask": "stacchip:mask"}):
            with self.assertRaisesRegex(sqlite3.Error, "404"):  # it is a path of the server, not of this machine
                self.counts(options, server.url + "/local.json")

    def test_what_is_refused(self):
        item = json.dumps({**self.item, "id": "../s"})
        for options, words, what in (({"mask": self.path("m-{id}.tif")}, "id with '/' in it", item), ({"mask": self.path("absent.tif")}, "absent.tif", None),
                                     ({"mask": "absent"}, "no mask asset .*absent", None), ({"dilate": -1}, "'dilate': expected a whole number from 0 to 100", None),
                                     ({"dilate": 101}, "from 0 to 100", None), ({"cloud": "nonsense"}, "nonsense", None), ({"platform": "none", "dilate": 2}, "'dilate' is of no use without a mask", None),
                                     ({"platform": "none", "cloud": "v"}, "'cloud' is of no use", None), ({"mask": self.path("item.json")}, "item.json", None)):
            with self.subTest(options), self.assertRaisesRegex(sqlite3.Error, words):
                self.counts(options, what)
        with self.assertRaisesRegex(sqlite3.Error, "dilate"):
            self.db.execute("SELECT stacchip_platform_set('x', '{\"match\": \"1\", \"dilate\": 1000}')")


if __name__ == "__main__":
    host.main()
