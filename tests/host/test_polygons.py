"""stacchip_polygons: classes of chips as polygons. Judged by NumPy's counts, a flood fill written here, gdal_rasterize, and GEOS's word on validity."""
import collections
import io
import json
import os
import sqlite3
import subprocess
import tempfile
import unittest

import host
import numpy
import tiff

CLEAN = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
SIDE = 16


def npy(a):
    out = io.BytesIO()
    numpy.save(out, a)
    return out.getvalue()


def components(a, none, eight):
    """{value: number of components} by a flood fill."""
    near = [(0, 1), (1, 0), (0, -1), (-1, 0)] + ([(1, 1), (1, -1), (-1, 1), (-1, -1)] if eight else [])
    seen, count = numpy.zeros(a.shape, bool), collections.Counter()
    for start in zip(*numpy.nonzero(a != none)):
        if seen[start]:
            continue
        count[int(a[start])] += 1
        seen[start] = True
        todo = [start]
        while todo:
            y, x = todo.pop()
            for dy, dx in near:
                to = y + dy, x + dx
                if 0 <= to[0] < a.shape[0] and 0 <= to[1] < a.shape[1] and not seen[to] and a[to] == a[y, x]:
                    seen[to] = True
                    todo.append(to)
    return count


class Polygons(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.db = host.connect()
        self.rng = numpy.random.default_rng(11)
        self.db.execute("SELECT InitSpatialMetaData(1, 'NONE')").fetchone()
        self.db.execute("SELECT InsertEpsgSrid(32720), InsertEpsgSrid(4326)").fetchone()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def predictions(self, a, side=SIDE, stride=None, table="p", **raster):
        """A table of chips (row, array, x, y) that cut `a`, the last two axes rows and columns."""
        height, width = a.shape[-2:]
        path = self.path(f"{height}x{width}{len(raster)}.tif")
        tiff.write(path, numpy.zeros((height, width), "u1"), **raster)
        options = {"platform": "none", "chip_size": side, "max_nodata": 1, "edge": "shift" if min(height, width) >= side else "pad", "stride": stride or side}
        self.db.execute(f"DROP TABLE IF EXISTS {table}")
        self.db.execute(f"CREATE TABLE {table}(row, array, x, y)")
        rows = self.db.execute("SELECT row, col_off, row_off, chip_index_x, chip_index_y FROM stacchip_index(?, ?)", (path, json.dumps(options))).fetchall()
        for row, col, line, x, y in rows:
            part = a[..., line:line + side, col:col + side]
            if part.shape[-2:] != (side, side):
                full = numpy.full(a.shape[:-2] + (side, side), 255, a.dtype)
                full[..., :part.shape[-2], :part.shape[-1]] = part
                part = full
            self.db.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", (row, npy(numpy.ascontiguousarray(part)), x, y))

    def polygons(self, query="SELECT row, array FROM p", **options):
        self.db.execute("DROP TABLE IF EXISTS f")
        self.db.execute("CREATE TABLE f AS SELECT value, pixels, geometry FROM stacchip_polygons(?, ?)", (query, json.dumps(options)))
        return self.db.execute("SELECT value, pixels, ST_Area(geometry), ST_IsValid(geometry), GeometryType(geometry), ST_SRID(geometry) FROM f ORDER BY rowid").fetchall()

    def burnt(self, height, width, none):
        """The polygons of f as gdal_rasterize burns them: of each pixel the value whose polygon has its middle."""
        features = [{"type": "Feature", "properties": {"v": v}, "geometry": json.loads(g)} for v, g in self.db.execute("SELECT value, AsGeoJSON(geometry, 15) FROM f")]
        with open(self.path("f.geojson"), "w", encoding="utf-8") as f:
            json.dump({"type": "FeatureCollection", "features": features}, f)
        te = 500000, 6400000 - 10 * height, 500000 + 10 * width, 6400000
        r = subprocess.run(["gdal_rasterize", "-q", "-of", "GTiff", "-ot", "Byte", "-init", str(none), "-a", "v", "-te", *map(str, te), "-ts", str(width), str(height),
                            self.path("f.geojson"), self.path("burnt.tif")], capture_output=True, text=True, env=CLEAN)
        self.assertEqual(r.returncode, 0, r.stderr)
        # into ENVI itself GDAL 3.13 burns nothing
        subprocess.run(["gdal_translate", "-q", "-of", "ENVI", self.path("burnt.tif"), self.path("burnt.bin")], check=True, env=CLEAN)
        a = numpy.fromfile(self.path("burnt.bin"), "u1").reshape(height, width)
        for name in ("burnt.tif", "burnt.bin"):
            os.remove(self.path(name))
        return a

    def check(self, a, none=255, **options):
        """All that holds of the polygons of a map of bytes on pixels of 10 m."""
        eight = options.get("connectedness") == "8"
        got = self.polygons(nodata=none, **options)
        for value, pixels, area, is_valid, kind, srid in got:
            self.assertEqual((area, is_valid, kind, srid), (100.0 * pixels, 1, "MULTIPOLYGON" if eight else "POLYGON", 32720))
        for value in numpy.unique(a[a != none]):
            self.assertEqual(sum(g[1] for g in got if g[0] == value), (a == value).sum())
        self.assertEqual(collections.Counter(g[0] for g in got), components(a, none, eight))
        return got

    def test_random_maps(self):
        for n in range(120):
            height, width = self.rng.integers(1, 45, 2)
            a = self.rng.integers(0, self.rng.integers(1, 5) + 1, (height, width)).astype("u1")
            a[self.rng.random(a.shape) < self.rng.choice([0, 0.1])] = 255
            self.predictions(a)
            for connectedness in ("4", "8"):
                with self.subTest(n=n, shape=a.shape, connectedness=connectedness):
                    self.check(a, connectedness=connectedness)
                    if n % 6 == 0:
                        numpy.testing.assert_array_equal(self.burnt(height, width, 255), a)

    def test_holes_that_touch(self):
        """Rings that meet themselves in corners: the shapes by which polygons become invalid."""
        pictures = ["""
            #####
            #.###
            ##.##
            #####""", """
            ####
            #..#
            #.#.
            ####""", """
            .##.
            #..#
            #..#
            .##.""", """
            #######
            #.#.#.#
            ##.#.##
            #.#.#.#
            #######""", """
            #####
            #...#
            #.#.#
            #...#
            #####""", """
            #.#
            .#.
            #.#"""]
        for picture in pictures:
            a = numpy.array([[c == "#" for c in line.strip()] for line in picture.strip().split()]).astype("u1")
            self.predictions(a)
            for connectedness in ("4", "8"):
                for none in (255, 0):
                    with self.subTest(picture=picture, connectedness=connectedness, none=none):
                        self.check(a, none, connectedness=connectedness)
                        numpy.testing.assert_array_equal(self.burnt(*a.shape, none), a)
        self.predictions(a)  # the last one: five pixels that touch, four that touch
        self.assertEqual(sorted(g[:2] for g in self.polygons(connectedness="8")), [(0, 4), (1, 5)])
        self.assertEqual(sorted(g[:2] for g in self.polygons(connectedness="4")), [(0, 1)] * 4 + [(1, 1)] * 5)

    def test_across_tiles_and_in_any_order(self):
        """A map of three by two tiles of 256 pixels; smooth shapes, so that polygons cross chips and tiles."""
        y, x = numpy.mgrid[0:500, 0:700]
        a = ((numpy.sin(x / 37) + numpy.cos(y / 23) + numpy.sin((x + y) / 11)) * 2 + 4).astype("u1")
        self.predictions(a, 50)
        first = self.check(a)
        numpy.testing.assert_array_equal(self.burnt(500, 700, 255), a)
        self.assertEqual(self.polygons("SELECT row, array FROM p ORDER BY stacchip_hash(1, rowid)", nodata=255), first)
        self.assertEqual(self.polygons("SELECT row, array FROM p ORDER BY x, y", nodata=255), first)
        a[100:150, 200:250] = 255
        self.check_query(a, "SELECT row, iif(x = 4 AND y = 2, NULL, array) FROM p")
        self.check_query(a, "SELECT row, array FROM p WHERE NOT (x = 4 AND y = 2)")

    def check_query(self, a, query):
        got = self.polygons(query, nodata=255)
        self.assertEqual(collections.Counter(g[0] for g in got), components(a, 255, False))
        numpy.testing.assert_array_equal(self.burnt(*a.shape, 255), a)

    def test_scores_and_overlap(self):
        scores = self.rng.random((3, 100, 130), dtype="float32")
        wide = numpy.repeat(numpy.repeat(scores[:, ::10, ::10], 10, 1), 10, 2)
        self.predictions(wide, 32, 16)
        truth = wide.argmax(0).astype("u1")
        for blend in ("feather", "mean", "trim", "first"):
            self.polygons(reduce="argmax", blend=blend)
            numpy.testing.assert_array_equal(self.burnt(100, 130, 255), truth)
        self.predictions(truth, 32, 16)
        self.check(truth)
        self.check(truth, blend="first")

    def test_values_of_other_types(self):
        for dtype, values in (("int16", [-300, 7]), ("uint16", [0, 60000]), ("int32", [-2**31, 2**31 - 1]), ("uint32", [0, 2**32 - 1]), ("float32", [0.5, -1.25]), ("float64", [1e300, 0.1])):
            a = numpy.array(values, dtype)[self.rng.integers(0, 2, (20, 30))]
            self.predictions(a)
            got = self.polygons()
            self.assertEqual({v: sum(g[1] for g in got if g[0] == v) for v in {g[0] for g in got}}, {v: (a == v).sum() for v in values})
            self.assertIsInstance(got[0][0], float if dtype[0] == "f" else int)
        a = numpy.full((20, 30), numpy.nan)
        a[3:5, 4:9] = 2
        self.predictions(a)
        self.assertEqual([g[:2] for g in self.polygons()], [(2.0, 10)])

    def test_arrays_of_half_the_resolution(self):
        a = self.rng.integers(0, 3, (32, 48)).astype("u1")
        self.predictions(a)
        half = self.rng.integers(0, 3, (16, 24)).astype("u1")
        for x in range(3):
            for y in range(2):
                self.db.execute("UPDATE p SET array = ? WHERE x = ? AND y = ?", (npy(half[8 * y:8 * y + 8, 8 * x:8 * x + 8]), x, y))
        got = self.polygons()
        self.assertEqual({v: sum(g[2] for g in got if g[0] == v) for v in range(3)}, {v: 400.0 * (half == v).sum() for v in range(3)})

    def test_another_crs(self):
        """In degrees neighbours share their corners: what all cover has no gap, and each is where ST_Transform puts it."""
        y, x = numpy.mgrid[0:200, 0:300]
        a = ((numpy.sin(x / 37) + numpy.cos(y / 23)) * 2 + 4).astype("u1")
        a[10:12, 5:290] = 9  # long straight edges
        self.predictions(a, 100)
        plain = self.polygons()
        self.db.execute("ALTER TABLE f RENAME TO plain")
        got = self.polygons(crs="EPSG:4326")
        self.assertEqual([g[:2] for g in got], [g[:2] for g in plain])
        self.assertEqual({g[3:] for g in got}, {(1, "POLYGON", 4326)})
        n, holes, whole = self.db.execute("SELECT ST_NumGeometries(u), ST_NumInteriorRing(u), ST_Area(u) FROM (SELECT ST_UnaryUnion(ST_Collect(geometry)) AS u FROM f)").fetchone()
        self.assertEqual((n, holes), (1, 0))
        self.assertLess(abs(whole / sum(g[2] for g in got) - 1), 1e-12)
        off, = self.db.execute("SELECT max(HausdorffDistance(ST_Transform(f.geometry, 32720), plain.geometry)) FROM f JOIN plain ON f.rowid = plain.rowid").fetchone()
        self.assertLess(off, 0.005)  # metres
        self.db.execute("DROP TABLE plain")

    def test_across_the_antimeridian(self):
        a = numpy.ones((40, 60), "u1")
        self.predictions(a, 20, transform=(1000, 0, 790000, 0, -1000, 8000000), epsg=32760)
        got = self.polygons(crs="EPSG:4326")
        self.assertEqual([(g[0], g[1], g[3]) for g in got], [(1, 2400, 1)])
        least, most = self.db.execute("SELECT MbrMinX(geometry), MbrMaxX(geometry) FROM f").fetchone()
        self.assertLess(most - least, 1)
        self.assertTrue(least < 180 < most or least < -180 < most)

    def test_a_south_up_map_has_its_shells_counter_clockwise(self):
        a = numpy.ones((20, 30), "u1")
        a[5:9, 6:20] = 0
        for transform in ((10, 0, 500000, 0, -10, 6400000), (10, 0, 500000, 0, 10, 6400000)):
            path = self.path("south.tif")
            item = {"type": "Feature", "stac_version": "1.0.0", "id": "s", "geometry": None, "links": [], "properties": {
                "datetime": "2024-01-01T00:00:00Z", "proj:epsg": 32720, "proj:shape": [20, 30], "proj:transform": transform}, "assets": {"data": {"href": path, "type": "image/tiff"}}}
            tiff.write(path, a, transform=None)
            row = json.dumps({"item": item, "platform": "none", "chip_index_x": 0, "chip_index_y": 0, "chip_size": 30, "edge": "pad"})
            full = numpy.full((30, 30), 255, "u1")
            full[:20] = a
            self.db.execute("DROP TABLE IF EXISTS p")
            self.db.execute("CREATE TABLE p AS SELECT ? AS row, ? AS array", (row, npy(full)))
            self.polygons(nodata=255)
            rings = [json.loads(g)["coordinates"] for g, in self.db.execute("SELECT AsGeoJSON(geometry) FROM f ORDER BY pixels DESC")]
            areas = [[sum(p[0] * q[1] - q[0] * p[1] for p, q in zip(ring, ring[1:])) / 2 for ring in polygon] for polygon in rings]
            self.assertEqual([[a > 0 for a in polygon] for polygon in areas], [[True, False], [True]])

    def test_a_layer(self):
        a = self.rng.integers(0, 3, (40, 40)).astype("u1")
        self.predictions(a)
        self.polygons()
        self.db.execute("CREATE TABLE fields(id INTEGER PRIMARY KEY, value INTEGER)")
        self.assertEqual(self.db.execute("SELECT AddGeometryColumn('fields', 'geometry', 32720, 'POLYGON', 'XY')").fetchone()[0], 1)
        self.db.execute("INSERT INTO fields(value, geometry) SELECT value, geometry FROM stacchip_polygons('SELECT row, array FROM p') WHERE pixels >= 3")
        self.assertEqual(self.db.execute("SELECT CreateSpatialIndex('fields', 'geometry')").fetchone()[0], 1)
        self.assertEqual(self.db.execute("SELECT RecoverGeometryColumn('f', 'geometry', 32720, 'POLYGON', 'XY')").fetchone()[0], 1)
        self.assertEqual(self.db.execute("SELECT count(*) FROM fields").fetchone(), self.db.execute("SELECT count(*) FROM f WHERE pixels >= 3").fetchone())

    def test_joined_to_a_table_of_models(self):
        a, b = (self.rng.integers(0, 3, (40, 40)).astype("u1") for _ in range(2))
        self.predictions(a, table="p")
        self.predictions(b, table="q")
        self.db.execute("CREATE TABLE models AS SELECT 'p' AS model UNION ALL SELECT 'q'")
        got = self.db.execute("SELECT model, value, sum(pixels) FROM models, stacchip_polygons(format('SELECT row, array FROM %s', model)) GROUP BY 1, 2").fetchall()
        self.assertEqual(got, [(m, v, int((t == v).sum())) for m, t in (("p", a), ("q", b)) for v in range(3)])
        self.assertEqual(self.db.execute("SELECT count(*) FROM stacchip_polygons WHERE query = 'SELECT row, array FROM p' OR query = 'SELECT row, array FROM q'").fetchone()[0],
                         sum(sum(components(t, 255, False).values()) for t in (a, b)))

    def test_nothing(self):
        self.predictions(numpy.zeros((20, 20), "u1"))
        for query in ("SELECT row, NULL FROM p", "SELECT NULL, array FROM p", "SELECT row, array FROM p WHERE 0"):
            self.assertEqual(self.polygons(query), [])
        self.assertEqual(self.polygons(nodata=0), [])

    def test_bad_input(self):
        self.predictions(numpy.zeros((3, 20, 20), "float32"))
        self.db.execute("CREATE VIEW w AS SELECT * FROM stacchip_polygons('SELECT row, array FROM p')")
        query = "SELECT row, array FROM p"
        for sql, args, message in (
                ("SELECT * FROM stacchip_polygons(?)", (query,), 'arrays of 3 bands; polygons are of one: of scores by "reduce": "argmax"'),
                ("SELECT * FROM stacchip_polygons", (), "needs a query"),
                ("SELECT * FROM stacchip_polygons(NULL)", (), "the query is NULL"),
                ("SELECT * FROM stacchip_polygons('DELETE FROM p')", (), "expected one whose first column is a chip's handle"),
                ("SELECT * FROM stacchip_polygons('SELECT row FROM p')", (), "expected two columns, a chip's handle and its array"),
                ("SELECT * FROM stacchip_polygons('SELECT 1, 2 AS x')", (), "a rowid needs the option 'table'"),
                ("SELECT * FROM stacchip_polygons('SELECT row, ''x'' FROM p')", (), "the array is no BLOB"),
                ("SELECT * FROM stacchip_polygons(?, '{\"blend\":\"mean\"}')", (query,), "the mean of two classes is another one"),
                ("SELECT * FROM stacchip_polygons(?, '{\"connectedness\":\"6\"}')", (query,), "'6' is not one of 4, 8"),
                ("SELECT * FROM stacchip_polygons(?, '{\"nodata\":\"x\"}')", (query,), "option 'nodata': expected a number"),
                ("SELECT * FROM stacchip_polygons(?, '{\"crs\":\"EPSG:0\",\"reduce\":\"argmax\"}')", (query,), "option 'crs'"),
                ("SELECT * FROM stacchip_polygons(?, '{\"path\":\"x\"}')", (query,), "unknown option 'path'; options: connectedness, crs"),
                ("SELECT * FROM w", (), "unsafe use")):
            with self.subTest(message=message):
                with self.assertRaises(Exception) as caught:
                    self.db.execute(sql, args).fetchall()
                self.assertIn(message, str(caught.exception))
        self.predictions(self.rng.integers(0, 2, (60, 60)).astype("u1"))
        self.db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1000)
        with self.assertRaises(Exception) as caught:
            self.polygons()
        self.assertIn("; the limit of this connection is 1000", str(caught.exception))

    def test_an_interrupt_ends_it(self):
        self.predictions(self.rng.integers(0, 5, (600, 600)).astype("u1"), 100)
        steps = []
        self.db.set_progress_handler(lambda: steps.append(1) or len(steps) > 40, 1000)
        with self.assertRaises(sqlite3.OperationalError) as caught:
            self.db.execute("SELECT count(*) FROM stacchip_polygons('SELECT row, array FROM p'), stacchip_polygons('SELECT row, array FROM p')").fetchall()
        self.db.set_progress_handler(None, 0)
        self.assertIn("interrupt", str(caught.exception))


if __name__ == "__main__":
    host.main()
