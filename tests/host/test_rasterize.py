"""Labels: stacchip_rasterize() pixel for pixel as gdal_rasterize, which is the function behind rasterio.features.rasterize; every
form of geometry, every CRS; stacchip_classes() as numpy.unique.
"""
import io
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import unittest

import numpy

import host
import tiff

CLEAN = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
SIZE, WEST, NORTH = 96, 600000, 6400000
POLYGON = "POLYGON((%s))"


def ring(points):
    return "(" + ", ".join(f"{x!r} {y!r}" for x, y in points + points[:1]) + ")"


def star(rng, x, y, radius, n, grid=None):
    """A ring round a place; on `grid`, its points lie on multiples of it: corners and middles of pixels."""
    angles = sorted(rng.uniform(0, 2 * numpy.pi) for _ in range(n))
    points = [(x + radius * rng.uniform(.3, 1) * float(numpy.cos(a)), y + radius * rng.uniform(.3, 1) * float(numpy.sin(a))) for a in angles]
    return [(round(px / grid) * float(grid), round(py / grid) * float(grid)) for px, py in points] if grid else points


def a_geometry(rng, grid=None):
    """WKT of one of everything, somewhere about the chip."""
    x, y = WEST + rng.uniform(-200, 1160), NORTH + rng.uniform(-1160, 200)
    kind, r = rng.randrange(8), rng.choice([3, 30, 150, 400])
    if kind == 0:
        return f"POINT({x!r} {y!r})" if not grid else f"POINT({round(x / grid) * grid} {round(y / grid) * grid})"
    if kind == 1:
        return "LINESTRING" + ring(star(rng, x, y, r, 4, grid))
    if kind == 2:  # a sliver
        return "POLYGON(" + ring([(x, y), (x + r * 3, y + r), (x + r * 3 + rng.uniform(0, 2), y + r)]) + ")"
    if kind == 3:
        return "MULTIPOLYGON((" + ring(star(rng, x, y, r, 6, grid)) + "), (" + ring(star(rng, x + r, y, r, 5, grid)) + "))"
    if kind == 4:
        return "MULTILINESTRING(" + ring(star(rng, x, y, r, 3, grid)) + ", " + ring(star(rng, x, y + r, r, 3, grid)) + ")"
    if kind == 5:
        return f"MULTIPOINT({x!r} {y!r}, {x + 50!r} {y - 30!r})"
    shell = [(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)]
    return "POLYGON(" + ring(shell) + ", " + ring(star(rng, x, y, r * .6, 5)) + ")" if kind == 6 else "POLYGON(" + ring(star(rng, x, y, r, 9, grid)) + ")"

no_segmentize = unittest.skipIf(host.IS_BUNDLE, "ST_Segmentize, to compare with, needs librttopo, which a bundle does not have")


class Rasterize(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp()
        cls.db = host.connect()
        cls.db.execute("SELECT InitSpatialMetaData(1)")
        cls.utm = cls.scene("utm")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    @classmethod
    def scene(cls, name, transform=(10, 0, WEST, 0, -10, NORTH), epsg=32720, size=SIZE):
        return tiff.write(os.path.join(cls.dir, name + ".tif"), numpy.zeros((size, size), "u1"), transform=transform, epsg=epsg)

    def row(self, path, size=SIZE):
        return json.dumps({"item": path, "chip_index_x": 0, "chip_index_y": 0, "chip_size": size})

    def burn(self, geometries, srid, path=None, size=SIZE, **options):
        """What ours makes of [(WKT or BLOB, value)]."""
        make = "CASE typeof(?1) WHEN 'text' THEN GeomFromText(?1, ?2) ELSE ?1 END"
        rows = [(self.db.execute("SELECT " + make, (g, srid)).fetchone()[0], v) for g, v in geometries]
        self.db.execute("CREATE TEMP TABLE shapes(geometry, value)")
        try:
            self.db.executemany("INSERT INTO shapes VALUES (?, ?)", rows)
            blob, = self.db.execute("SELECT stacchip_rasterize(?, geometry, value, ?) FROM shapes",
                                    (self.row(path or self.utm, size), json.dumps(options))).fetchone()
        finally:
            self.db.execute("DROP TABLE shapes")
        return numpy.load(io.BytesIO(blob))

    def judge(self, geometries, *switches, dtype="Byte", fill=0, path=None):
        """What GDAL makes of them."""
        target = os.path.join(self.dir, "judge.tif")
        features = [{"type": "Feature", "properties": {"v": v}, "geometry": json.loads(self.geojson(g))} for g, v in geometries]
        with open(os.path.join(self.dir, "judge.json"), "w", encoding="utf-8") as f:
            json.dump({"type": "FeatureCollection", "features": features, "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32720"}}}, f)
        for command in (["gdal_translate", "-q", "-ot", dtype, "-scale", "0", "1", str(fill), str(fill + 1), path or self.utm, target],
                        ["gdal_rasterize", "-q", *switches, "-a", "v", os.path.join(self.dir, "judge.json"), target],
                        ["gdal_translate", "-q", "-of", "ENVI", target, target + ".raw"]):
            subprocess.run(command, check=True, env=CLEAN, stderr=subprocess.DEVNULL)
        return numpy.fromfile(target + ".raw", {"Byte": "u1", "Int16": "<i2", "Float32": "<f4"}[dtype]).reshape(SIZE, SIZE)

    @staticmethod
    def geojson(wkt):
        """By hand: SpatiaLite would round."""
        kind, rest = wkt[:wkt.index("(")], wkt[wkt.index("("):]
        names = {"POINT": "Point", "LINESTRING": "LineString", "POLYGON": "Polygon", "MULTIPOINT": "MultiPoint",
                 "MULTILINESTRING": "MultiLineString", "MULTIPOLYGON": "MultiPolygon"}
        text = re.sub(r"(-?[\d.e+-]+) (-?[\d.e+-]+)", r"[\1,\2]", rest)
        coordinates = json.loads(text.replace("(", "[").replace(")", "]"))
        return json.dumps({"type": names[kind], "coordinates": coordinates[0] if kind == "POINT" else coordinates})

    def test_random_geometries_as_gdal_burns_them(self):
        rng = random.Random(16)
        for grid in (None, 5, 10):
            geometries = [(a_geometry(rng, grid), rng.randrange(1, 256)) for _ in range(60)]
            for all_touched in (False, True):
                switches = ["-at"] if all_touched else []
                ours = self.burn(geometries, 32720, all_touched=all_touched, fill=9)
                theirs = self.judge(geometries, *switches, fill=9)
                self.assertTrue((ours == theirs).all(), (grid, all_touched, numpy.argwhere(ours != theirs)[:5]))
                self.assertGreater(len(numpy.unique(ours)), 10)
                small = [(g, 1 + v % 7) for g, v in geometries]
                ours = self.burn(small, 32720, all_touched=all_touched, merge="add", dtype="int16", fill=-3)
                theirs = self.judge(small, *switches, "-add", dtype="Int16", fill=-3)
                self.assertTrue((ours == theirs).all(), (grid, all_touched, numpy.argwhere(ours != theirs)[:5]))

    def test_every_geometry_alone(self):
        rng = random.Random(5)
        for _ in range(8):
            geometry = [(a_geometry(rng, rng.choice([None, 5, 10])), 1)]
            ours, theirs = self.burn(geometry, 32720), self.judge(geometry)
            self.assertTrue((ours == theirs).all(), geometry)

    def test_greatest_and_least_value_win(self):
        rng = random.Random(3)
        geometries = [(a_geometry(rng), rng.randrange(1, 256)) for _ in range(30)]
        alone = [self.burn([g], 32720) for g in geometries]
        covered = numpy.max(alone, axis=0) > 0
        most, least = self.burn(geometries, 32720, merge="max", fill=50), self.burn(geometries, 32720, merge="min", fill=50)
        lowest = numpy.min([numpy.where(a > 0, a.astype(int), 999) for a in alone], axis=0)
        self.assertTrue((most == numpy.where(covered, numpy.max(alone, axis=0), 50)).all())
        self.assertTrue((least == numpy.where(covered, lowest, 50)).all())

    def test_types_and_fill(self):
        for dtype, value, fill in (("uint8", 255, 0), ("uint16", 65535, 7), ("int16", -32768, -1), ("uint32", 4294967295, 1),
                                   ("int32", -2147483648, 2147483647), ("float32", .5, -.25), ("float64", 1e100, .1)):
            a = self.burn([("POINT(600005 6399995)", value)], 32720, dtype=dtype, fill=fill)
            self.assertEqual((a.dtype, a[0, 0], a[1, 1], a.shape), (numpy.dtype(dtype), numpy.dtype(dtype).type(value), numpy.dtype(dtype).type(fill), (SIZE, SIZE)))
        for dtype, value in (("uint8", 256), ("uint8", -1), ("uint8", .5), ("int16", 32768), ("float32", 1e39)):
            with self.assertRaisesRegex(Exception, "position 0: the value .* is none of the dtype"):
                self.burn([("POINT(600005 6399995)", value)], 32720, dtype=dtype)
        with self.assertRaisesRegex(Exception, "option 'fill': expected a value of the dtype"):
            self.burn([("POINT(600005 6399995)", 1)], 32720, fill=-1)

    def test_order_is_by_rows_or_sort_key(self):
        box = "BuildMbr(600000, 6399000, 601000, 6400000, 32720)"
        for sql, last in ((f"SELECT stacchip_rasterize(?, {box}, column1) FROM (VALUES (1), (3), (2))", 2),
                          (f"SELECT stacchip_rasterize(?, {box}, column1, '{{}}', -column1) FROM (VALUES (1), (3), (2))", 1)):
            self.assertEqual(set(numpy.load(io.BytesIO(self.db.execute(sql, (self.row(self.utm),)).fetchone()[0])).flat), {last})

    def test_no_geometry_is_fill_and_no_chip_is_null(self):
        ask = lambda sql, *args: self.db.execute(sql, args).fetchone()[0]
        a = numpy.load(io.BytesIO(ask("SELECT stacchip_rasterize(?, NULL, NULL, '{\"fill\": 4}')", self.row(self.utm))))
        self.assertEqual((a.shape, set(a.flat)), ((SIZE, SIZE), {4}))
        a = self.burn([("POINT(0 0)", 1)], 32720)
        self.assertEqual(set(a.flat), {0})
        self.assertIsNone(ask("SELECT stacchip_rasterize(NULL, NULL)"))
        self.assertIsNone(ask("SELECT stacchip_rasterize(1, NULL) FROM (SELECT 1 WHERE 0)"))

    def test_buffer_is_that_of_the_chip(self):
        geometries = [("POLYGON((600100 6399900, 600400 6399900, 600400 6399500, 600100 6399500, 600100 6399900))", 1)]
        a, b = self.burn(geometries, 32720), self.burn(geometries, 32720, buffer=8)
        self.assertEqual(b.shape, (SIZE + 16, SIZE + 16))
        self.assertTrue((b[8:-8, 8:-8] == a).all())

    @no_segmentize
    def test_another_grid_is_that_of_the_chip(self):
        geometries = [(a_geometry(random.Random(i)), 1 + i) for i in range(20)]
        for options in ({"resolution": 20}, {"crs": "EPSG:4326", "resolution": 0.0001}, {"crs": "EPSG:3857", "resolution": 12, "buffer": 3},
                        {"bounds": [600100, 6399300, 600500, 6399900], "resolution": 5}):
            info = json.loads(self.db.execute("SELECT stacchip_chip_info(?, ?)", (self.row(self.utm), json.dumps(options))).fetchone()[0])
            ours = self.burn(geometries, 32720, **options)
            self.assertEqual(list(ours.shape), info["shape"][1:], options)
            code, t = int(info["crs"].split(":")[1]), info["transform"]
            if t[1] == 0 and code != 4326:
                path = self.scene("other", t, code, max(ours.shape))
                again = self.burn([(self.db.execute("SELECT ST_Transform(ST_Segmentize(GeomFromText(?, 32720), 5.0), ?)", (g, code)).fetchone()[0] if code != 32720 else g, v)
                                   for g, v in geometries if "POLYGON" in g], 32720, path, max(ours.shape))[:ours.shape[0], :ours.shape[1]]
                polygons = self.burn([g for g in geometries if "POLYGON" in g[0]], 32720, **options)
                self.assertLess((polygons != again).mean(), .002, options)
            self.assertGreater(len(numpy.unique(ours)), 5)
        other = self.scene("like", (30, 0, 599000, 0, -30, 6401000), 32720, 64)
        like = self.burn(geometries, 32720, like=json.loads(self.row(other, 64)))
        self.assertTrue((like == self.burn(geometries, 32720, other, 64)).all())
        with self.assertRaisesRegex(Exception, "stacchip_rasterize.*'like'"):
            self.burn(geometries, 32720, like=json.loads(self.row(other, 64)), crs="EPSG:4326")

    def test_every_form_of_a_geometry(self):
        wkt = "POLYGON((600105 6399903, 600411 6399900, 600400 6399500, 600100 6399500, 600105 6399903), (600200 6399800, 600300 6399800, 600300 6399700, 600200 6399800))"
        plain = self.burn([(wkt, 1)], 32720)
        for form in ("CastToXYZ(g)", "CastToXYM(g)", "CastToXYZM(g)", "CompressGeometry(g)", "CompressGeometry(CastToXYZM(g))", "CompressGeometry(CastToXYM(g))",
                     "CastToMulti(g)", "AsGPB(g)", "AsGPB(CastToXYZ(g))", "AsGPB(CastToMulti(g))", "CastToGeometryCollection(g)"):
            blob, = self.db.execute(f"SELECT {form} FROM (SELECT GeomFromText(?, 32720) g)", (wkt,)).fetchone()
            self.assertIsInstance(blob, bytes, form)
            self.assertTrue((self.burn([(blob, 1)], 32720) == plain).all(), form)
            for n in range(len(blob)):
                with self.assertRaises(Exception):
                    self.burn([(blob[:n], 1)], 32720)
        self.db.execute("SELECT EnableTinyPoint()")
        tiny, = self.db.execute("SELECT MakePoint(600005, 6399995, 32720)").fetchone()
        self.db.execute("SELECT DisableTinyPoint()")
        self.assertLess(len(tiny), 40)
        self.assertEqual(self.burn([(tiny, 5)], 32720)[0, 0], 5)

    @no_segmentize
    def test_other_crs_as_spatialite_transforms_it(self):
        rng = random.Random(8)
        for srid in (4326, 3857, 32719):
            geometries = [(g, rng.randrange(1, 256)) for g in (a_geometry(rng) for _ in range(120)) if "POLYGON" in g]  # lines have no middle rule
            there = [(self.db.execute("SELECT ST_Transform(ST_Segmentize(GeomFromText(?, 32720), 5.0), ?)", (g, srid)).fetchone()[0], v) for g, v in geometries]
            ours, theirs = self.burn(there, srid), self.burn(geometries, 32720)
            self.assertLess((ours != theirs).mean(), .002, srid)

    @no_segmentize
    def test_long_edges_are_straight_where_they_were_drawn(self):
        """A parallel across three degrees is no straight line in UTM: GDAL's way, corners alone, is off by far."""
        box = "POLYGON((-64.5 -32.55, -61.5 -32.55, -61.5 -32.53, -64.5 -32.53, -64.5 -32.55))"
        path = self.scene("long", (10, 0, 505000, 0, -10, 6402000), size=400)
        a = self.burn([(box, 1)], 4326, path, 400)
        dense, = self.db.execute("SELECT ST_Transform(ST_Segmentize(GeomFromText(?, 4326), 0.0005), 32720)", (box,)).fetchone()
        corners, = self.db.execute("SELECT ST_Transform(GeomFromText(?, 4326), 32720)", (box,)).fetchone()
        self.assertLess((a != self.burn([(dense, 1)], 0, path, 400)).mean(), .001)
        self.assertGreater((a != self.burn([(corners, 1)], 0, path, 400)).mean(), .1)

    def test_the_antimeridian_is_no_edge(self):
        path = self.scene("far", (100, 0, 710000, 0, -100, 5380000), 32660, 200)
        forms = ["POLYGON((179.95 48.4, 180.05 48.4, 180.05 48.5, 179.95 48.5, 179.95 48.4))",
                 "POLYGON((-180.05 48.4, -179.95 48.4, -179.95 48.5, -180.05 48.5, -180.05 48.4))",
                 "MULTIPOLYGON(((179.95 48.4, 180 48.4, 180 48.5, 179.95 48.5, 179.95 48.4)), ((-180 48.4, -179.95 48.4, -179.95 48.5, -180 48.5, -180 48.4)))"]
        a = [self.burn([(f, 1)], 4326, path, 200) for f in forms]
        self.assertAlmostEqual(a[0].sum() / 8216, 1, delta=.02)  # 7.39 km by 11.12 km
        self.assertTrue((a[0] == a[1]).all())
        self.assertLessEqual((a[0] != a[2]).sum(), 2)
        lonlat = self.scene("lonlat", (.001, 0, 179.9, 0, -.001, 48.55), 4326, 200)
        b = [self.burn([(f, 1)], 4326, lonlat, 200) for f in forms]
        self.assertEqual([x.sum() for x in b], [10000] * 3)
        self.assertTrue(b[0][50:150, 50:150].all())

    def test_the_whole_world_and_the_pole(self):
        world = "POLYGON((-180 -90, 180 -90, 180 90, -180 90, -180 -90))"
        self.assertTrue(self.burn([(world, 1)], 4326).all())
        polar = self.scene("polar", (1000, 0, -50000, 0, -1000, 50000), 3413, 100)
        self.assertTrue(self.burn([(world, 1)], 4326, polar, 100).all())
        cap = self.burn([("POLYGON((-180 89.8, 180 89.8, 180 90, -180 90, -180 89.8))", 1)], 4326, polar, 100)
        at = numpy.arange(100) - 49.5
        radius = numpy.hypot(*numpy.meshgrid(at, at))  # 0.2 degrees are 22.34 km there, 21.66 km in 3413 (scale 0.9697 at the pole)
        self.assertTrue(cap[radius < 21.4].all())
        self.assertFalse(cap[radius > 21.9].any())

    def test_an_srid_of_ones_own(self):
        db = self.db
        db.execute("INSERT OR REPLACE INTO spatial_ref_sys(srid, auth_name, auth_srid, ref_sys_name, proj4text, srtext) SELECT 990001, 'none', 1, 'mine', proj4text, srtext FROM spatial_ref_sys WHERE srid = 32720")
        db.execute("INSERT OR REPLACE INTO spatial_ref_sys(srid, auth_name, auth_srid, ref_sys_name, proj4text, srtext) SELECT 990002, 'EPSG', 32720, 'theirs', proj4text, '' FROM spatial_ref_sys WHERE srid = 32720")
        plain = self.burn([("POINT(600105 6399795)", 1)], 32720)
        self.assertEqual(plain[20, 10], 1)
        for srid in (990001, 990002):
            self.assertTrue((self.burn([("POINT(600105 6399795)", 1)], srid) == plain).all(), srid)
        with self.assertRaisesRegex(Exception, "unknown CRS: EPSG:990003"):
            self.burn([("POINT(600105 6399795)", 1)], 990003)

    def test_what_is_wrong_is_said(self):
        row, point = self.row(self.utm), "MakePoint(600005, 6399995, 32720)"
        for sql, error in ((f"stacchip_rasterize(?, MakePoint(1, 2))", r"position 0: the geometry has SRID 0, which says no CRS; SetSRID\(geometry, 4326\)"),
                           (f"stacchip_rasterize(?, MakePoint(1, 2, -1))", "SRID -1"),
                           ("stacchip_rasterize(?, 'POINT(1 2)')", r"expected a geometry, found text; GeomFromText\(\)"),
                           ("stacchip_rasterize(?, x'0102')", "neither a SpatiaLite nor a GeoPackage geometry"),
                           (f"stacchip_rasterize(?, {point}, 'x')", "position 0: expected a number as value, found x"),
                           (f"stacchip_rasterize(?, {point}, NULL)", "position 0: expected a number as value, found NULL"),
                           (f"stacchip_rasterize(?, {point}, 1, '{{\"all\": 1}}')", "stacchip_rasterize: unknown option 'all'; options: dtype, fill, all_touched, merge, buffer, table, items, crs, resolution, bounds, center, size, like"),
                           (f"stacchip_rasterize(?, {point}, 1, '{{\"dtype\": \"int64\"}}')", "option 'dtype': 'int64' is not one of uint8, uint16")):
            with self.assertRaisesRegex(Exception, error):
                self.db.execute("SELECT " + sql, (row,)).fetchone()
        with self.assertRaisesRegex(Exception, r"position 1: a row of another chip; a group is of one chip \(GROUP BY row\)"):
            other = self.row(self.utm).replace('"chip_size": 96', '"chip_size": 48')
            self.db.execute(f"SELECT stacchip_rasterize(column1, {point}) FROM (VALUES (?), (?))", (row, other)).fetchone()
        with self.assertRaisesRegex(Exception, "its options differ"):
            self.db.execute(f"SELECT stacchip_rasterize(?1, {point}, 1, column1) FROM (VALUES ('{{\"fill\": 1}}'), ('{{}}'))", (row,)).fetchone()


def npy(array):
    out = io.BytesIO()
    numpy.save(out, array)
    return out.getvalue()


class Classes(unittest.TestCase):
    db = host.connect()

    def ask(self, array, options=None):
        blob = array if isinstance(array, bytes) else npy(array)
        return json.loads(self.db.execute("SELECT stacchip_classes(?, ?)", (blob, options and json.dumps(options))).fetchone()[0])

    def test_fractions_as_numpy_counts_them(self):
        rng = numpy.random.default_rng(1)
        for dtype in ("u1", "i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8"):
            low = 0 if "u" in dtype else -5
            for shape in ((7,), (33, 12), (2, 3, 4, 5), (0,)):
                a = rng.integers(low, 9, shape).astype(dtype)
                values, n = numpy.unique(a, return_counts=True)
                ours = self.ask(a)
                self.assertEqual(list(ours), [str(v) for v in values])
                numpy.testing.assert_allclose(list(ours.values()), n / max(1, a.size), rtol=1e-14)
        self.assertEqual(self.ask(numpy.array([True, False, True, True])), {"0": .25, "1": .75})
        self.assertEqual(self.ask(numpy.array([-2**63, 2**63 - 1])), {str(-2**63): .5, str(2**63 - 1): .5})

    def test_ignore_and_map(self):
        a = numpy.array([0, 0, 4, 4, 5, 6], "u1")
        self.assertEqual(self.ask(a, {"ignore": 0}), {"4": .5, "5": .25, "6": .25})
        self.assertEqual(self.ask(a, {"ignore": [0, 6]}), {"4": 2 / 3, "5": 1 / 3})
        self.assertEqual(list(self.ask(a, {"ignore": 0, "map": {"6": "water", "4": "green", "5": "green"}}).items()), [("green", .75), ("water", .25)])
        self.assertEqual(self.ask(a, {"ignore": [0, 4, 5, 6]}), {})
        self.assertIsNone(self.db.execute("SELECT stacchip_classes(NULL)").fetchone()[0])

    def test_what_is_wrong_is_said(self):
        for array, options, error in ((npy(numpy.zeros(3, "f4")), None, "expected an array of integers, found <f4"),
                                      (b"nothing", None, "stacchip_classes: "),
                                      (npy(numpy.zeros(3, "u1"))[:-1], None, "stacchip_classes: "),
                                      (npy(numpy.arange(70000)), None, "more than 65536 different values"),
                                      (npy(numpy.zeros(3, "u1")), {"ignore": "x"}, "option 'ignore': expected a whole number, or an array of such, found 'x'"),
                                      (npy(numpy.zeros(3, "u1")), {"map": [1]}, "option 'map': expected an object from values to names"),
                                      (npy(numpy.zeros(3, "u1")), {"map": {"a": "b"}}, "option 'map'"),
                                      (npy(numpy.zeros(3, "u1")), {"mop": 1}, "unknown option 'mop'; options: ignore, map")):
            with self.assertRaisesRegex(Exception, error):
                self.ask(array, options)
        with self.assertRaisesRegex(Exception, "found text"):
            self.db.execute("SELECT stacchip_classes('x')").fetchone()

    def test_it_is_pure(self):
        self.db.execute("CREATE TABLE IF NOT EXISTS arrays(a BLOB)")
        self.db.execute("CREATE INDEX by_classes ON arrays(stacchip_classes(a))")
        self.db.execute("DROP INDEX by_classes")


if __name__ == "__main__":
    host.main()
