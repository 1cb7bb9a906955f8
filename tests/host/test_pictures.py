"""Pictures: clouds marked on chips, captions of contact sheets. Judged by NumPy's arithmetic on pictures as GDAL reads them."""
import json
import os
import tempfile
import unittest

import gdal_judge
import host
import numpy
import tiff

MARK, SIZE = numpy.array([255, 0, 128]), 64


class Pictures(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.db, self.rng, self.n = host.connect(), numpy.random.default_rng(3), 0

    def path(self, suffix):
        self.n += 1
        return os.path.join(self.folder.name, f"f{self.n}{suffix}")

    def item(self, datetime="2024-03-11T10:00:00Z", side=SIZE, mask=True):
        """The handle of an item's only chip, its pixels (3, side, side) and where it is cloud."""
        pixels = self.rng.integers(1, 256, (3, side, side)).astype("u1")
        cloud = numpy.zeros((side, side), "u1")
        cloud[5:20, 8:30] = 1
        cloud[40, 40] = 1
        cloud[side - 3:, side - 9:] = 1
        assets = {}
        for key, a in dict(zip(("red", "green", "blue"), pixels), **({"clouds": cloud} if mask else {})).items():
            assets[key] = {"href": tiff.write(self.path(".tif"), a), "type": "image/tiff"}
        item = {"type": "Feature", "stac_version": "1.0.0", "id": f"i{self.n}", "geometry": None, "links": [], "assets": assets, "properties": {"datetime": datetime}}
        options = {"platform": "none", "chip_size": side, "max_nodata": 1, **({"mask": "clouds", "cloud": "v = 1"} if mask else {})}
        row, = self.db.execute("SELECT row FROM stacchip_index(?, ?)", (json.dumps(item), json.dumps(options))).fetchone()
        return row, pixels, cloud.astype(bool)

    def look(self, blob, suffix=".png"):
        path = self.path(suffix)
        with open(path, "wb") as f:
            f.write(blob)
        w, h = (int.from_bytes(blob[i:i + 4], "big") for i in (16, 20))
        return numpy.array(gdal_judge.ask([{"path": path, "windows": [[0, 0, w, h, w, h]]}])[0]["arrays"][0])

    def chip(self, row, **options):
        options = dict({"format": "png", "rescale": [0, 255]}, **options)
        return self.look(self.db.execute("SELECT stacchip_chip(?, ?)", (row, json.dumps(options))).fetchone()[0])

    def stack(self, rows, **options):
        options = dict({"format": "png", "rescale": [0, 255]}, **options)
        return self.look(self.db.execute("SELECT stacchip_stack(value, ?) FROM json_each(?)", (json.dumps(options), json.dumps(rows))).fetchone()[0])

    @staticmethod
    def marked(pixels, cloud):
        """A third of the mark in clouds, all of it where they end; the edge of the chip is no end."""
        wide = numpy.pad(cloud, 1, mode="edge")
        inside = wide[1:-1, :-2] & wide[1:-1, 2:] & wide[:-2, 1:-1] & wide[2:, 1:-1]
        tinted = (pixels.astype(int) * 70 + MARK[:, None, None] * 30) // 100
        return numpy.where(cloud & inside, tinted, numpy.where(cloud, MARK[:, None, None], pixels))

    def test_clouds_are_marked(self):
        row, pixels, cloud = self.item()
        numpy.testing.assert_array_equal(self.chip(row, assets=["red", "green", "blue"]), pixels)
        numpy.testing.assert_array_equal(self.chip(row, assets=["red", "green", "blue"], overlay="none"), pixels)
        numpy.testing.assert_array_equal(self.chip(row, assets=["red", "green", "blue"], overlay="mask"), self.marked(pixels, cloud))
        grey = numpy.repeat(pixels[:1], 3, axis=0)
        numpy.testing.assert_array_equal(self.chip(row, assets="red", overlay="mask"), self.marked(grey, cloud))

    def test_on_a_grid_of_its_own(self):
        row, pixels, cloud = self.item()
        half = self.marked(pixels[:, 1::2, 1::2], cloud[1::2, 1::2])
        numpy.testing.assert_array_equal(self.chip(row, assets=["red", "green", "blue"], overlay="mask", resolution=20, size=SIZE // 2), half)

    def test_a_sheet_of_marked_chips_with_captions(self):
        items = [self.item(f"2024-03-1{i}T10:00:00Z") for i in range(3)] + [self.item(mask=False)]
        rows = [row for row, _, _ in items]
        plain = self.stack(rows, assets=["red", "green", "blue"])
        self.assertEqual(plain.shape, (4, 2 * SIZE + 2, 2 * SIZE + 2))
        got = self.stack(rows, assets=["red", "green", "blue"], captions=True)
        bar = (got.shape[1] - 2) // 2 - SIZE
        self.assertEqual(got.shape, (4, 2 * (SIZE + bar) + 2, 2 * SIZE + 2))
        bars = []
        for i, (_, pixels, _) in enumerate(items):
            x, y = i % 2 * (SIZE + 2), i // 2 * (SIZE + bar + 2)
            numpy.testing.assert_array_equal(got[:3, y:y + SIZE, x:x + SIZE], pixels)
            bars.append(got[:, y + SIZE:y + SIZE + bar, x:x + SIZE])
            self.assertEqual((set(numpy.unique(bars[-1][:3])), set(numpy.unique(bars[-1][3]))), ({24, 235}, {255}))
        # three dates that differ in their last figure: the bars differ where it stands, and nowhere else
        for a, b in ((0, 1), (1, 2), (0, 2)):
            rows_of, columns = numpy.nonzero((bars[a] != bars[b]).any(axis=0))
            self.assertLess(columns.max() - columns.min(), 5)
            self.assertLess(rows_of.max() - rows_of.min(), 7)
        # the one without a mask has a date and no share of clouds
        self.assertLess((bars[3][0] == 235).sum(), (bars[0][0] == 235).sum() - 30)
        both = self.stack(rows[:3], assets=["red", "green", "blue"], captions=True, overlay="mask")
        numpy.testing.assert_array_equal(both[:3, :SIZE, :SIZE], self.marked(items[0][1], items[0][2]))

    def test_small_and_wide_chips_have_captions_that_fit(self):
        for side, (width, height) in ((32, (64, 52)), (100, (100, 120)), (200, (200, 211)), (300, (300, 322))):
            row, pixels, _ = self.item(side=max(side, 64)) if side >= 64 else self.item(side=64)
            if side < 64:
                row = json.dumps(dict(json.loads(row), chip_size=side))
            got = self.stack([row], assets=["red", "green", "blue"], captions=True)
            self.assertEqual(got.shape[2:] + got.shape[1:2], (width, height), side)
            left = (width - side) // 2
            numpy.testing.assert_array_equal(got[:3, :side, left:left + side], pixels[:, :side, :side])

    def test_places_without_a_chip(self):
        row, _, _ = self.item()
        got = self.stack([row, None], assets=["red", "green", "blue"], captions=True, null="fill", overlay="mask")
        self.assertTrue((got[3, :SIZE, SIZE + 2:] == 0).all())
        self.assertEqual(set(numpy.unique(got[:3, SIZE + 1:SIZE + 15, SIZE + 2:])), {24})

    def test_jpeg(self):
        row, _, _ = self.item()
        blob, = self.db.execute("SELECT stacchip_stack(?, '{\"format\": \"jpeg\", \"captions\": true, \"overlay\": \"mask\", \"assets\": \"red\"}')", (row,)).fetchone()
        self.assertEqual(blob[:3], b"\xff\xd8\xff")

    def test_bad_input(self):
        row, _, _ = self.item()
        bare, _, _ = self.item(mask=False)
        for call, row, options, message in (
                ("stacchip_chip(?, ?)", row, {"overlay": "mask"}, "option 'overlay' is for the formats png and jpeg"),
                ("stacchip_stack(?, ?)", row, {"captions": True}, "option 'captions' is for the formats png and jpeg"),
                ("stacchip_chip(?, ?)", row, {"captions": True, "format": "png"}, "unknown option 'captions'"),
                ("stacchip_composite(?, ?)", row, {"overlay": "mask", "format": "png"}, "unknown option 'overlay'"),
                ("stacchip_chip(?, ?)", row, {"overlay": "cloud", "format": "png"}, "'cloud' is not one of none, mask"),
                ("stacchip_chip(?, ?)", bare, {"overlay": "mask", "format": "png"}, "has no mask to find clouds by")):
            with self.subTest(message=message):
                with self.assertRaises(Exception) as caught:
                    self.db.execute("SELECT " + call, (row, json.dumps(options))).fetchone()
                self.assertIn(message, str(caught.exception))


if __name__ == "__main__":
    host.main()
