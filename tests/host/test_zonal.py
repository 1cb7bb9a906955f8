"""stacchip_zonal and stacchip_sample against GDAL's masks, exact areas by rational arithmetic, and NumPy."""
import json
import os
import random
import subprocess
import tempfile
import threading
import time
import unittest
from fractions import Fraction

import host
import numpy
import tiff

SEED = int(os.environ.get("STACCHIP_SEED", random.SystemRandom().randrange(1 << 30)))
LEFT, TOP, PIXEL = 500000, 6400000, 10  # of tiff.write()
ALL = ["count", "valid", "sum", "mean", "std", "min", "max", "median"]


def setUpModule():
    print(f"seed {SEED} (STACCHIP_SEED)")


# --- geometries, in pixels: a list of polygons, each a list of rings, each a list of (x, y) without the repeated end ---

def star(rng, x, y, radius, n):
    """A simple ring round a middle."""
    angles = sorted(rng.uniform(0, 2 * numpy.pi) for _ in range(n))
    while max(b - a for a, b in zip(angles, angles[1:] + [angles[0] + 2 * numpy.pi])) > 3:
        angles = sorted(rng.uniform(0, 2 * numpy.pi) for _ in range(n))
    return [(x + r * numpy.cos(a), y + r * numpy.sin(a)) for a in angles for r in [rng.uniform(0.5, 1) * radius]]


def random_geometry(rng):
    """One or two polygons apart from each other, some with a hole; rings run either way round."""
    polygons = []
    for k in range(rng.choice([1, 1, 2])):
        x, y, radius = rng.uniform(4, 10) + 14 * k, rng.uniform(4, 16), rng.uniform(0.3, 6)
        rings = [star(rng, x, y, radius, rng.randrange(4, 12))]
        if radius > 2 and rng.random() < 0.5:
            rings.append(star(rng, x, y, 0.12 * radius, rng.randrange(3, 6)))
        polygons.append([r[::rng.choice([1, -1])] for r in rings])
    return polygons


def world(x, y):
    return LEFT + PIXEL * x, TOP - PIXEL * y


def wkt(polygons):
    def ring(points):
        return "(" + ",".join("%r %r" % world(x, y) for x, y in points + points[:1]) + ")"
    return "MULTIPOLYGON(" + ",".join("(" + ",".join(map(ring, p)) + ")" for p in polygons) + ")"


def pixels_of(polygons):
    """The same as numbers that the function sees: pixel coordinates of the rounded world ones."""
    def back(x, y):
        x, y = world(x, y)
        return Fraction(x - LEFT) / PIXEL, Fraction(TOP - y) / PIXEL
    return [[[back(*p) for p in r] for r in polygon] for polygon in polygons]


def clip(ring, axis, at, keep_above):
    """Sutherland and Hodgman's clipping of a ring by a line, exact; area is kept for any simple ring."""
    out = []
    for a, b in zip(ring, ring[1:] + ring[:1]):
        inside_a, inside_b = ((p[axis] >= at) == keep_above or p[axis] == at for p in (a, b))
        if inside_a:
            out.append(a)
        if inside_a != inside_b:
            t = (at - a[axis]) / (b[axis] - a[axis])
            out.append(tuple(at if k == axis else a[k] + t * (b[k] - a[k]) for k in (0, 1)))
    return out


def area(ring):
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, ring[1:] + ring[:1]))) / 2


def shares(polygons, height, width):
    """The part of each pixel that the polygons cover, by rational arithmetic."""
    out = numpy.zeros((height, width))
    for polygon in pixels_of(polygons):
        for k, ring in enumerate(polygon):
            for r in range(height):
                row = clip(clip(ring, 1, r, True), 1, r + 1, False)
                for c in range(width) if row else []:
                    cell = clip(clip(row, 0, c, True), 0, c + 1, False)
                    out[r, c] += float(area(cell)) * (-1 if k else 1) if len(cell) > 2 else 0
    return numpy.where(out < 1e-9, 0, out)


def outside(polygons, height, width):
    """The area of polygons that lies outside of the raster."""
    total = 0
    for polygon in pixels_of(polygons):
        for k, ring in enumerate(polygon):
            inside = clip(clip(clip(clip(ring, 1, 0, True), 1, height, False), 0, 0, True), 0, width, False)
            total += (area(ring) - (area(inside) if len(inside) > 2 else 0)) * (-1 if k else 1)
    return float(total)


def gdal_mask(folder, path, polygons, *options):
    """GDAL's own mask of the same raster: gdal_rasterize burns what rasterio.features.geometry_mask() does."""
    shape, out = os.path.join(folder, "shape.csv"), os.path.join(folder, "mask.tif")
    with open(shape, "w") as f:
        f.write('id,WKT\n1,"%s"\n' % wkt(polygons))
    if os.path.exists(out):
        os.remove(out)
    a = tiff_size(path)
    env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    subprocess.run(["gdal_rasterize", "-q", "-burn", "1", "-ot", "Byte", "-of", "ENVI", "-te", str(LEFT), str(TOP - PIXEL * a[0]),
                    str(LEFT + PIXEL * a[1]), str(TOP), "-ts", str(a[1]), str(a[0]), *options, shape, out], check=True, capture_output=True, env=env)
    return numpy.fromfile(out, "u1").reshape(a)


SIZES = {}


def tiff_size(path):
    return SIZES[path]


# --- statistics, written down from their definitions ---

def weighted_quantile(values, weights, q):
    order = numpy.lexsort((weights, values))
    v, w = values[order], weights[order]
    k = numpy.arange(len(v))
    places = k * w + (len(v) - 1) * (numpy.cumsum(w) - w)
    return numpy.interp(q * (len(v) - 1) * w.sum(), places, v)


def expected(values, weights, valid, total=None):
    on = (weights > 0) & valid
    v, w = values[on].astype("f8"), weights[on].astype("f8")
    if not len(v):
        return dict(dict.fromkeys(ALL), count=0, valid=0)
    mean = (v * w).sum() / w.sum()
    return {"count": w.sum(), "valid": w.sum() / (weights.sum() if total is None else total), "sum": (v * w).sum(), "mean": mean,
            "std": numpy.sqrt((w * (v - mean) ** 2).sum() / w.sum()), "min": v.min(), "max": v.max(), "median": weighted_quantile(v, w, 0.5)}


class Zonal(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory()
        cls.folder = cls.tmp.name
        cls.db = host.connect()
        cls.rng = numpy.random.default_rng(SEED)
        cls.array = cls.rng.integers(0, 12, (2, 20, 30)).astype("u2")
        cls.path = cls.write("plain.tif", cls.array, nodata=0, block=(16, 16))

    @classmethod
    def tearDownClass(cls):
        cls.tmp.cleanup()

    @classmethod
    def write(cls, name, array, **how):
        path = tiff.write(os.path.join(cls.folder, name), array, **how)
        SIZES[path] = array.shape[-2:]
        return path

    def ask(self, function, source, geometry, srid=32720, **options):
        sql = f"SELECT {function}(?, GeomFromText(?, ?), ?)"
        text = self.db.execute(sql, (source, geometry, srid, json.dumps(options))).fetchone()[0]
        return text if text is None else json.loads(text)

    def zonal(self, source, geometry, **options):
        return self.ask("stacchip_zonal", source, geometry if isinstance(geometry, str) else wkt(geometry), **options)

    def check(self, found, wanted, where, tolerance=1e-9):
        self.assertEqual(list(found), ALL)
        for key, value in wanted.items():
            if value is None:
                self.assertIsNone(found[key], (where, key))
            else:
                self.assertIsNotNone(found[key], (where, key))
                self.assertLessEqual(abs(found[key] - value), tolerance * max(1, abs(value)), (where, key, found[key], value))

    def check_all(self, path, array, polygons, mask, **options):
        found = self.zonal(path, polygons, **options)
        total = mask.sum() + outside(polygons, *array.shape[1:])
        for k in range(len(array)):
            self.check(found[f"data:{k + 1}"], expected(array[k], mask.astype("f8"), array[k] != 0, total), (options, wkt(polygons)))

    def test_shares_are_the_exact_areas(self):
        rng = random.Random(SEED)
        for _ in range(25):
            polygons = random_geometry(rng)
            self.check_all(self.path, self.array, polygons, shares(polygons, 20, 30), weights=True)

    def test_centres_and_touched_pixels_are_those_of_gdal(self):
        rng = random.Random(SEED + 1)
        for _ in range(15):
            polygons = random_geometry(rng)
            self.check_all(self.path, self.array, polygons, gdal_mask(self.folder, self.path, polygons))
            self.check_all(self.path, self.array, polygons, gdal_mask(self.folder, self.path, polygons, "-at"), all_touched=True)

    def test_edges_on_borders_and_middles_of_pixels(self):
        square = [[[(3, 4), (9, 4), (9, 8), (3, 8)]]]
        middles = [[[(3.5, 4.5), (9.5, 4.5), (9.5, 8.5), (3.5, 8.5)]]]
        steps = [[[(2, 2), (8, 2), (8, 5), (12, 5), (12, 12), (2, 12)], [(4, 6), (4, 8), (6, 8), (6, 6)]]]
        holed = [[[(1, 1), (14, 1), (14, 14), (1, 14)], [(3.5, 4.5), (9.5, 4.5), (9.5, 8.5), (3.5, 8.5)]]]
        for polygons in (square, middles, steps, holed):
            for turned in (polygons, [[r[::-1] for r in p] for p in polygons]):
                self.check_all(self.path, self.array, turned, shares(turned, 20, 30), weights=True)
                self.check_all(self.path, self.array, turned, gdal_mask(self.folder, self.path, turned))
                self.check_all(self.path, self.array, turned, gdal_mask(self.folder, self.path, turned, "-at"), all_touched=True)
        self.assertEqual(self.zonal(self.path, square, weights=True, stats="valid")["data:2"]["valid"],
                         numpy.count_nonzero(self.array[1, 4:8, 3:9]) / 24)


if __name__ == "__main__":
    host.main()
