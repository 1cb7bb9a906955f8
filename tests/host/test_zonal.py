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
        return "(" + ",".join("%r %r" % tuple(map(float, world(x, y))) for x, y in points + points[:1]) + ")"
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

    def item(self, **assets):
        """An item without mask of these files."""
        return json.dumps({"type": "Feature", "stac_version": "1.0.0", "id": "scene", "geometry": None, "links": [],
                           "properties": {"datetime": "2024-05-06T07:08:09Z"},
                           "assets": {k: {"href": p, "type": "image/tiff; application=geotiff"} for k, p in assets.items()}})

    def test_each_band_is_looked_at_on_its_own_pixels(self):
        coarse = self.rng.integers(1, 200, (1, 5, 8)).astype("u1")
        path = self.write("coarse.tif", coarse, transform=(40, 0, LEFT, 0, -40, TOP))
        polygons = random_geometry(random.Random(SEED))
        found = self.zonal(self.item(fine=self.path, coarse=path), polygons, assets=["fine:1", "coarse"], platform="none", weights=True)
        big = [[[(x / 4, y / 4) for x, y in r] for r in p] for p in polygons]
        mask = shares(big, 5, 8)
        self.check(found["coarse"], expected(coarse[0], mask, coarse[0] > 0, mask.sum() + outside(big, 5, 8)), "coarse")

    def test_a_handle_is_its_whole_scene(self):
        row = json.dumps({"item": json.loads(self.item(data=self.path)), "chip_index_x": 0, "chip_index_y": 0, "chip_size": 4, "platform": "none"})
        polygons = random_geometry(random.Random(SEED + 3))
        item = self.zonal(self.item(data=self.path), polygons, platform="none")
        self.assertEqual(self.zonal(row, polygons), item)
        self.assertEqual(self.zonal(self.path, polygons), {k: v for k, v in item.items()})
        with self.assertRaisesRegex(Exception, "stacchip_zonal: options 'platform' and 'base' are for an item"):
            self.zonal(row, polygons, platform="none")

    def test_quantiles_and_classes(self):
        polygons = [[star(random.Random(SEED), 12, 9, 7, 11)]]
        for options, mask in (({"weights": True}, shares(polygons, 20, 30)), ({}, gdal_mask(self.folder, self.path, polygons).astype("f8"))):
            found = self.zonal(self.path, polygons, percentiles=[0, 5, 50, 97.5, 100], classes=True, stats=["median"], **options)["data:1"]
            on = (mask > 0) & (self.array[0] != 0)
            v, w = self.array[0][on].astype("f8"), mask[on]
            wanted = [weighted_quantile(v, w, q) for q in (0, 0.05, 0.5, 0.975, 1)]
            self.assertTrue(numpy.allclose(found["percentiles"], wanted, rtol=0, atol=1e-9), (found, wanted))
            if not options:
                self.assertTrue(numpy.allclose(found["percentiles"], numpy.percentile(v, [0, 5, 50, 97.5, 100])))
            self.assertEqual(list(found["classes"]), [str(int(k)) for k in numpy.unique(v)])
            for key, share in found["classes"].items():
                self.assertAlmostEqual(share, w[v == int(key)].sum() / w.sum(), delta=1e-9)
            some = self.zonal(self.path, polygons, classes=[3, 77], stats="count", **options)["data:1"]["classes"]
            self.assertEqual(some, {"3": found["classes"].get("3", 0), "77": 0})

    def test_what_is_not_there_counts_nothing(self):
        nothing = dict(dict.fromkeys(ALL), count=0, valid=0)
        far = [[[(1000, 1000), (1010, 1000), (1010, 1010)]]]
        self.assertEqual(self.zonal(self.path, far), {"data:1": nothing, "data:2": nothing})
        self.assertEqual(self.zonal(self.path, far, weights=True), {"data:1": nothing, "data:2": nothing})
        one = self.db.execute
        self.assertEqual(one("SELECT stacchip_zonal(?, NULL), stacchip_zonal(NULL, MakePoint(1, 2)), stacchip_sample(?, NULL)", (self.path, self.path)).fetchone(), (None,) * 3)
        empty = bytes.fromhex("47500011" + "907f0000" + "01" + "03000000" + "00000000")  # GeoPackage, SRID 32656, an empty polygon
        self.assertEqual(json.loads(one("SELECT stacchip_zonal(?, ?)", (self.path, empty)).fetchone()[0])["data:1"], nothing)
        half = [[[(-5, 4), (5, 4), (5, 8), (-5, 8)]]]
        self.assertAlmostEqual(self.zonal(self.path, half)["data:1"]["valid"], numpy.count_nonzero(self.array[0, 4:8, :5]) / 40)

    def test_points(self):
        rng = random.Random(SEED)
        points = [(rng.uniform(-3, 33), rng.uniform(-3, 23)) for _ in range(40)]
        text = "MULTIPOINT(" + ",".join("%r %r" % world(*p) for p in points) + ")"
        found = self.ask("stacchip_sample", self.path, text)["data:2"]
        wanted = [int(self.array[1, int(y), int(x)]) or None if 0 <= x < 30 and 0 <= y < 20 else None for x, y in points]
        self.assertEqual(found, wanted)
        smooth = numpy.add.outer(10 * numpy.arange(20), numpy.arange(30)).astype("u2") + 1
        path = self.write("smooth.tif", smooth, nodata=0)
        inside = [p for p in points if 1 <= p[0] < 29 and 1 <= p[1] < 19]
        for x, y in inside:
            value = self.ask("stacchip_sample", path, "POINT(%r %r)" % world(x, y), resampling="bilinear")["data"]
            self.assertAlmostEqual(value, 10 * (y - 0.5) + x - 0.5 + 1, places=6)

    def test_other_srids(self):
        polygons = [[[(4, 4), (20, 5), (15, 16), (6, 12)]]]
        have = self.db.execute("SELECT count(*) FROM pragma_table_info('spatial_ref_sys')").fetchone()[0]
        if not have:
            self.db.execute("SELECT InitSpatialMetaData(1, 'NONE')")
            self.db.execute("SELECT InsertEpsgSrid(4326), InsertEpsgSrid(32720)")
        lonlat = self.db.execute("SELECT AsText(ST_Transform(GeomFromText(?, 32720), 4326)), ST_Transform(GeomFromText(?, 32720), 4326)", (wkt(polygons), wkt(polygons))).fetchone()[1]
        found = json.loads(self.db.execute("SELECT stacchip_zonal(?, ?, '{\"weights\": true}')", (self.path, lonlat)).fetchone()[0])
        for key, value in self.zonal(self.path, polygons, weights=True)["data:1"].items():
            self.assertAlmostEqual(found["data:1"][key], value, places=4)

    def test_errors(self):
        for call, why in (("stacchip_zonal('{p}', 5)", "stacchip_zonal: expected a geometry, a BLOB"),
                          ("stacchip_zonal('{p}', MakePoint(0, 0, 4326))", "stacchip_zonal: expected a POLYGON or MULTIPOLYGON, found a point"),
                          ("stacchip_sample('{p}', BuildMbr(0, 0, 1, 1, 4326))", "stacchip_sample: expected a POINT or MULTIPOINT, found a polygon"),
                          ("stacchip_zonal('{p}', BuildMbr(0, 0, 1, 1, 0))", "stacchip_zonal: .*SRID"),
                          ("stacchip_zonal('{p}', x'0001')", "stacchip_zonal: "),
                          ("stacchip_zonal('{p}', BuildMbr(0, 0, 1, 1, 32720), '{{\"weights\": 1, \"all_touched\": 1}}')", "'all_touched' and 'weights' exclude each other"),
                          ("stacchip_zonal('{p}', BuildMbr(0, 0, 1, 1, 32720), '{{\"stats\": \"stdev\"}}')", "option 'stats': 'stdev' is not one of count, valid, sum"),
                          ("stacchip_zonal('{p}', BuildMbr(0, 0, 1, 1, 32720), '{{\"resampling\": \"cubic\"}}')", "unknown option 'resampling'"),
                          ("stacchip_zonal('{p}', BuildMbr(0, 0, 1, 1, 32720), '{{\"assets\": \"nir\"}}')", "no asset 'nir'"),
                          ("stacchip_zonal('{p}', BuildMbr(0, 0, 1, 1, 32720), '{{\"exclude_cloud\": 1}}')", None),
                          ("stacchip_zonal('/nowhere/x.tif', BuildMbr(0, 0, 1, 1, 32720))", "/nowhere/x.tif")):
            sql = "SELECT " + call.format(p=self.path)
            if why is None:
                self.db.execute(sql).fetchone()
                continue
            with self.assertRaisesRegex(Exception, why):
                self.db.execute(sql).fetchone()
        self.assertEqual(self.db.execute("SELECT stacchip_zonal('/nowhere/x.tif', BuildMbr(0, 0, 1, 1, 32720), '{\"on_error\": \"null\"}')").fetchone(), (None,))
        self.db.execute("CREATE VIEW v AS SELECT stacchip_zonal('x.tif', x'00') AS z")
        with self.assertRaisesRegex(Exception, "unsafe use"):
            self.db.execute("SELECT * FROM v").fetchone()

    def test_a_place_larger_than_a_tile(self):
        a = self.rng.integers(0, 4, (2500, 3000)).astype("u1")
        path = self.write("large.tif", a, nodata=0, block=(256, 256))
        polygons = [[[(100.5, 40.25), (2900, 200), (2000.75, 2400), (50, 1800)], [(800, 800), (1200, 1200), (700, 1300)]]]
        found = self.zonal(path, polygons)["data"]
        mask = gdal_mask(self.folder, path, polygons)
        on = (mask > 0) & (a != 0)
        self.assertEqual((found["count"], found["sum"], found["max"]), (on.sum(), a[on].sum(), 3))
        whole = self.zonal(path, polygons, weights=True, stats=["count", "valid"])["data"]
        area_px = float(sum(area(r) * (-1 if k else 1) for k, r in enumerate(pixels_of(polygons)[0])))
        self.assertAlmostEqual(whole["count"] / whole["valid"], area_px, delta=1e-6 * area_px)

    def test_an_interrupt_is_heard(self):
        path = self.write("wide.tif", numpy.zeros((4000, 4000), "u1"), block=(256, 256), deflate=True)
        db = host.connect()
        geometry = db.execute("SELECT GeomFromText(?, 32720)", (wkt([[[(0, 0), (4000, 0), (4000, 4000), (0, 4000)]]]),)).fetchone()[0]
        threading.Timer(0.2, db.interrupt).start()
        begin = time.process_time()
        with self.assertRaisesRegex(Exception, "interrupted"):
            db.execute("WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT sum(length(stacchip_zonal(?, ?))) FROM n", (path, geometry)).fetchone()
        self.assertLess(time.process_time() - begin, 30)


if __name__ == "__main__":
    host.main()
