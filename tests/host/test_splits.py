"""stacchip_split() and stacchip_cell(): no two chips of different names are nearer than the guard, anywhere.

Distances are judged by SpatiaLite's geodesics on WGS 84; cells by their definition, in Python. N chips (300000; `make check-splits`
takes 10 million).
"""
import json
import math
import os
import unittest

import numpy

import host

N = int(os.environ.get("N") or 300000)
SEED = int(os.environ.get("SEED") or 16)
A, E2 = 6378137.0, 0.00669437999014  # of WGS 84


def cluster(rng, stride_px, chip_px=256, side=40, pixel=10.0):
    """Boxes (west, south, east, north) of side x side chips about some place; a third of them across the antimeridian."""
    lat, lon = rng.uniform(-80, 80), 180 + rng.normal(0, .1) if rng.random() < .33 else rng.uniform(-180, 180)
    meridian = A * (1 - E2) / (1 - E2 * math.sin(math.radians(lat)) ** 2) ** 1.5
    parallel = A / math.sqrt(1 - E2 * math.sin(math.radians(lat)) ** 2) * math.cos(math.radians(lat))
    dy, dx = math.degrees(pixel / meridian), math.degrees(pixel / parallel)
    at = numpy.arange(side) * stride_px
    x, y = numpy.meshgrid(at * dx + lon, at * dy + lat)
    x, y = x.ravel(), numpy.minimum(y.ravel(), 80)
    return numpy.stack([x, y, x + chip_px * dx, y + chip_px * dy], 1)


def gap(a, b):
    """About the least distance of boxes in metres, all with all: never too long by more than a per cent."""
    lon = numpy.maximum(0, numpy.maximum(a[:, None, 0] - b[None, :, 2], b[None, :, 0] - a[:, None, 2]))
    lat = numpy.maximum(0, numpy.maximum(a[:, None, 1] - b[None, :, 3], b[None, :, 1] - a[:, None, 3]))
    top = numpy.minimum(90, numpy.maximum(numpy.abs(a[:, 1:4:2]).max(), numpy.abs(b[:, 1:4:2]).max()))
    return numpy.hypot(lon * 111320 * math.cos(math.radians(top)), lat * 110574)


def nearest(a, b):
    """Points of two boxes that are about nearest: on the parallel nearest to a pole that both have, or at corners."""
    x1, x2 = (a[2], b[0]) if a[2] < b[0] else (a[0], b[2]) if b[2] < a[0] else (max(a[0], b[0]),) * 2
    if a[3] < b[1] or b[3] < a[1]:
        y1, y2 = (a[3], b[1]) if a[3] < b[1] else (a[1], b[3])
    else:
        y1 = y2 = max(max(a[1], b[1]), min(a[3], b[3]), key=abs)
    return x1, y1, x2, y2


class Splits(unittest.TestCase):
    def setUp(self):
        self.db = host.connect()

    def ask(self, sql, *args):
        return self.db.execute(sql, args).fetchone()[0]

    def names(self, boxes, **options):
        """The names of boxes, which beyond 180 degrees become two parts, as footprints do."""
        db = self.db
        db.execute("CREATE TEMP TABLE IF NOT EXISTS box(id INTEGER PRIMARY KEY, w, s, e, n)")
        db.execute("DELETE FROM box")
        db.execute("BEGIN")
        db.executemany("INSERT INTO box(w, s, e, n) VALUES (?, ?, ?, ?)", boxes.tolist())
        db.execute("COMMIT")
        geometry = ("CASE WHEN e <= 180 THEN BuildMbr(w, s, e, n, 4326) WHEN w >= 180 THEN BuildMbr(w - 360, s, e - 360, n, 4326) "
                    "ELSE CastToMulti(ST_Collect(BuildMbr(w, s, 180, n, 4326), BuildMbr(-180, s, e - 360, n, 4326))) END")
        return numpy.array([n or "" for n, in db.execute(f"SELECT stacchip_split({geometry}, ?) FROM box ORDER BY id", (json.dumps(options),))])

    def test_no_pair_of_different_names_is_nearer_than_the_guard(self):
        self.ask("SELECT InitSpatialMetaData(1)")
        rng = numpy.random.default_rng(SEED)
        guard, n_chips, n_kept, n_pairs, closest = 2560, 0, 0, 0, []
        while n_chips < N:
            boxes = cluster(rng, int(rng.integers(64, 513)))
            names = self.names(boxes, guard=guard, cell=50000)
            n_chips, n_kept = n_chips + len(boxes), n_kept + int((names != "").sum())
            present = [n for n in numpy.unique(names) if n]
            for i, one in enumerate(present):
                for other in present[i + 1:]:
                    a, b = boxes[names == one], boxes[names == other]
                    near = gap(a, b)
                    n_pairs += near.size
                    at = numpy.unravel_index(near.argmin(), near.shape)
                    closest.append((float(near[at]), *nearest(a[at[0]], b[at[1]])))
        closest.sort()
        distances = [self.ask("SELECT GeodesicLength(MakeLine(MakePoint(?, ?, 4326), MakePoint(?, ?, 4326)))", *p[1:]) for p in closest[:200]]
        print(f"{n_chips} chips, {n_kept / n_chips:.4f} kept, {n_pairs} pairs of different names; the nearest {min(distances):.1f} m apart")
        self.assertGreater(len(distances), 5)
        self.assertGreaterEqual(min(distances), guard)
        self.assertLess(min(distances), 2 * guard)
        self.assertGreaterEqual(n_kept / n_chips, .88)

    def test_names_are_those_of_the_cells_touched(self):
        """The definition, once more and slowly."""
        rng = numpy.random.default_rng(SEED + 1)
        height = math.degrees(20000 / 6335439.327)
        n_rows = math.ceil(180 / height)
        for guard in (0, 1000):
            boxes = numpy.concatenate([cluster(rng, 300, side=12) for _ in range(4)])
            ours = self.names(boxes, guard=guard, cell=20000, seed=5, parts={"a": .5, "b": .5})
            for (w, s, e, n), name in zip(boxes, ours):
                s, n = s - math.degrees(guard / 2 / 6335439.327), n + math.degrees(guard / 2 / 6335439.327)
                step = math.degrees(guard / 2 / (A * math.cos(math.radians(max(abs(s), abs(n))))))
                found = set()
                for row in range(int((s + 90) // height), int((n + 90) // height) + 1):
                    count = round(360 * math.cos(math.radians(-90 + (row + .5) * height)) / height)
                    for column in range(math.floor((w - step + 180) / 360 * count), math.floor((e + step + 180) / 360 * count) + 1):
                        found.add("a" if self.ask("SELECT stacchip_hash(5, ?)", row << 32 | column % count) < .5 else "b")
                self.assertLess(row, n_rows)
                self.assertEqual(name, found.pop() if len(found) == 1 else "", (w, s, e, n))

    def test_parts_have_their_shares(self):
        rng = numpy.random.default_rng(SEED + 2)
        x, y = rng.uniform(-180, 179, 20000), numpy.degrees(numpy.arcsin(rng.uniform(-.98, .98, 20000)))
        names = self.names(numpy.stack([x, y, x, y], 1))
        for name, share in (("train", .7), ("val", .15), ("test", .15)):
            self.assertAlmostEqual((names == name).mean(), share, delta=.02)
        again = self.names(numpy.stack([x, y, x, y], 1), seed=1)
        self.assertAlmostEqual((names == again).mean(), .7 ** 2 + 2 * .15 ** 2, delta=.03)

    def test_cells_are_about_square_and_wrap(self):
        cell = lambda x, y, metres=50000: self.ask("SELECT stacchip_cell(MakePoint(?, ?, 4326), ?)", x, y, metres)
        for lat in (-79.9, -45, 0, 60.1, 89.99):
            self.assertEqual(cell(180, lat), cell(-180, lat))
            self.assertEqual(cell(179.9999, lat), cell(-180.0001, lat))
            self.assertEqual(cell(10, lat), cell(370, lat))
        self.assertEqual(len({cell(x, 89.99) for x in range(-180, 180)}), 1 if cell(0, 89.99) == cell(90, 89.99) else 3)
        row = cell(0, 45) >> 32
        n = len({cell(x / 20, 45) for x in range(-3600, 3600)})
        self.assertAlmostEqual(2 * math.pi * 6378137 * math.cos(math.radians(45)) / n, 50000, delta=1000)
        self.assertEqual(len({cell(x / 20, 45) >> 32 for x in range(-3600, 3600)}), 1)
        self.assertEqual(row, int(135 / math.degrees(50000 / 6335439.327)))
        across = "CastToMulti(ST_Collect(BuildMbr(179.99, 1, 180, 1.02, 4326), BuildMbr(-180, 1, -179.97, 1.02, 4326)))"
        self.assertEqual(self.ask(f"SELECT stacchip_cell({across}, 1000)"), cell(-179.99, 1.01, 1000))

    def test_poles(self):
        for box in ("BuildMbr(-180, 89.9, 180, 90, 4326)", "BuildMbr(10, 89.99, 11, 90, 4326)", "BuildMbr(-180, -90, 180, -89.99, 4326)"):
            self.assertIn(self.ask(f"SELECT stacchip_split({box}, '{{\"guard\": 100000, \"cell\": 500000}}')"), (None, "train", "val", "test"))
            self.assertEqual(self.ask(f"SELECT stacchip_split({box}, '{{\"parts\": {{\"all\": 1}}}}')"), "all")

    def test_every_form_of_a_geometry_has_one_name(self):
        plain = self.ask("SELECT stacchip_cell(BuildMbr(10, 10, 10.01, 10.01, 4326), 100)")
        for form in ("CastToMulti(g)", "CastToXYZ(g)", "CompressGeometry(g)", "AsGPB(g)", "CastToGeometryCollection(g)", "ExteriorRing(g)"):
            self.assertEqual(self.ask(f"SELECT stacchip_cell({form}, 100) FROM (SELECT BuildMbr(10, 10, 10.01, 10.01, 4326) g)"), plain, form)

    def test_they_are_pure(self):
        self.db.execute("CREATE TABLE t(g BLOB, part GENERATED ALWAYS AS (stacchip_split(g)))")
        self.db.execute("CREATE INDEX t_part ON t(part)")
        self.db.execute("CREATE INDEX t_cell ON t(stacchip_cell(g, 1000))")
        self.db.execute("INSERT INTO t VALUES (BuildMbr(1, 1, 2, 2, 4326)), (NULL)")

    def test_null_and_empty_give_null(self):
        for sql in ("stacchip_split(NULL)", "stacchip_cell(NULL, 100)", "stacchip_cell(MakePoint(1, 1, 4326), NULL)", "stacchip_split(x'47500011e6100000010700000000000000')"):
            self.assertIsNone(self.ask("SELECT " + sql), sql)

    def test_what_is_wrong_is_said(self):
        point = "MakePoint(1, 1, 4326)"
        for sql, error in (("stacchip_split(MakePoint(500000, 1, 32632))", r"stacchip_split: expected longitude and latitude \(SRID 4326\), found SRID 32632; use ST_Transform\(geometry, 4326\)"),
                           ("stacchip_cell(MakePoint(1, 1), 100)", "found SRID 0; use ST_Transform"),
                           ("stacchip_split(MakePoint(1, 91, 4326))", "found a geometry from 1, 91 to 1, 91"),
                           ("stacchip_split('x')", "expected a geometry, found text"), ("stacchip_split(x'01')", "neither a SpatiaLite"),
                           (f"stacchip_split({point}, '{{\"gard\": 1}}')", "unknown option 'gard'; options: seed, cell, guard, parts"),
                           (f"stacchip_split({point}, '{{\"cell\": 5}}')", "option 'cell': expected a number from 100 to 5000000, found 5"),
                           (f"stacchip_split({point}, '{{\"parts\": {{\"a\": 0.8, \"b\": 0.3}}}}')", r"option 'parts': expected an object of names and their shares, which add up to 1 \(now 1.1\)"),
                           (f"stacchip_split({point}, '{{\"parts\": [1]}}')", "option 'parts': expected an object"),
                           (f"stacchip_cell({point}, 1)", "stacchip_cell: expected metres from 100 to 5e\\+06, found 1"),
                           (f"stacchip_cell({point}, 'x')", "stacchip_cell: expected metres")):
            with self.assertRaisesRegex(Exception, error):
                self.ask("SELECT " + sql)
        with self.assertRaisesRegex(Exception, "touches more than 1000000 cells"):
            self.ask("SELECT stacchip_split(BuildMbr(-100, -50, 100, 50, 4326), '{\"cell\": 100, \"parts\": {\"a\": 0.999999999, \"b\": 0.000000001}}')")


if __name__ == "__main__":
    host.main()
