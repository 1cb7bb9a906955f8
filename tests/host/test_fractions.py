"""Fractions of chips that cut the pixels of their mask, against windows that NumPy weighs."""
import json
import os
import tempfile
import unittest

import numpy

import host
import tiff

GRID, CHIP = 97, 5


class Cut(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.db = host.connect()

    @classmethod
    def tearDownClass(cls):
        cls.db.close()

    def index(self, mask, options):
        """(x, y) -> nodata fraction of the chips of a grid of GRID x GRID pixels under a mask of another resolution."""
        path, side = os.path.join(self.folder.name, f"{mask.shape[0]}{mask.any()}.tif"), 10 * GRID / mask.shape[0]
        tiff.write(path, mask, transform=(side, 0, 500000, 0, -side, 6400000), block=16, nodata=0)
        item = {"type": "Feature", "stac_version": "1.0.0", "id": "s", "geometry": None, "links": [],
                "properties": {"datetime": None, "proj:epsg": 32720, "proj:shape": [GRID, GRID], "proj:transform": [10, 0, 500000, 0, -10, 6400000]},
                "assets": {"m": {"href": path, "type": "image/tiff"}}}
        options = {"platform": "none", "mask": "m", "cloud": "0", "nodata": "nd", "chip_size": CHIP, **options}
        rows = self.db.execute("SELECT chip_index_x, chip_index_y, nodata_percentage FROM stacchip_index(?, ?)", (json.dumps(item), json.dumps(options)))
        return {(x, y): nodata for x, y, nodata in rows}

    def test_no_chip_is_lost_where_max_nodata_is_1(self):
        n = GRID // CHIP
        for side in (61, 70, 83, 131, 145, 190, 217):
            got = self.index(numpy.zeros((side, side), "u1"), {"max_nodata": 1})
            self.assertEqual((side, len(got), set(got.values())), (side, n * n, {1.0}))

    def test_a_chip_at_the_limit_stays_whatever_its_last_bit(self):
        for side in (61, 70, 83, 131, 145, 217):
            mask, middle = numpy.zeros((side, side), "u1"), side // 2
            mask[:, middle] = 1
            edges = numpy.arange(GRID + 1) * side / GRID  # of the grid's pixels, in pixels of the mask
            valid = numpy.clip(edges - middle, 0, 1)
            share = [1 - (valid[x + CHIP] - valid[x]) / (edges[x + CHIP] - edges[x]) for x in range(0, GRID - CHIP + 1, CHIP)]
            for limit in sorted(set(numpy.float32(share))):
                got = self.index(mask, {"max_nodata": float(limit)})
                self.assertEqual((side, {x for x, y in got}), (side, {i for i, s in enumerate(share) if numpy.float32(s) <= limit}))


if __name__ == "__main__":
    host.main()
