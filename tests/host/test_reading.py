"""Reading pixels where a layout, an option or an earlier error could decide silently: each right value is NumPy's or the file's own."""
import io
import json
import os
import shutil
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


if __name__ == "__main__":
    host.main()
