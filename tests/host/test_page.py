"""The modules of the page of `stacchip browse`, under node: its own tests, and what they compute beside SQLite, SpatiaLite and GDAL."""
import glob
import json
import math
import os
import random
import re
import shutil
import subprocess
import unittest

import host

NODE = shutil.which("node")
PAGE = os.path.join(host.ROOT, "ext", "browse", "page")
BUILT = os.path.join(host.ROOT, "build", "gen", "page")
CLEAN = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}


def ask(function, what):
    run = subprocess.run([NODE, os.path.join(host.ROOT, "tests", "support", "page_ask.mjs"), function], input=json.dumps(what), capture_output=True, text=True, env=CLEAN, check=True)
    return json.loads(run.stdout)


@unittest.skipUnless(NODE, "node is not there: make deps-test")
class Modules(unittest.TestCase):
    def test_their_own_tests(self):
        run = subprocess.run([NODE, "--test", "--test-reporter=tap", *sorted(glob.glob(os.path.join(PAGE, "test", "*.test.js")))], capture_output=True, text=True, env=CLEAN)
        passed = re.search(r"# pass (\d+)", run.stdout)
        self.assertEqual(run.returncode, 0, run.stdout[-4000:])
        self.assertGreater(int(passed.group(1)), 25)

    def test_the_bundle_is_one_script(self):
        """Names of modules do not meet, no import is left, and it may stand inside a script element."""
        path = os.path.join(BUILT, "page.js")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        self.assertNotRegex(text, r"(?m)^(import|export)\b")
        self.assertNotRegex(text.lower(), r"</script|<!--")
        self.assertNotRegex(text, r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|setAttribute\('style'")
        run = subprocess.run([NODE, "--input-type=module", "--check"], input=text, capture_output=True, text=True, env=CLEAN)
        self.assertEqual(run.returncode, 0, run.stderr)


@unittest.skipUnless(NODE, "node is not there: make deps-test")
class Beside(unittest.TestCase):
    def test_where_beside_sqlite(self):
        """Random conditions over random rows: the same rows pass."""
        rng = random.Random(5)
        db = host.sqlite3.connect(":memory:")
        db.execute("CREATE TABLE t(chipid TEXT, date TEXT, cloud REAL, x INTEGER, label TEXT)")
        columns = {"chipid": lambda: rng.choice(["S2A_1", "s2a_1", "LC09%x", "O'Hare", "naip"]), "date": lambda: rng.choice([None, "2024-03-11", "2024-06-17", "2025-01-01"]),
                   "cloud": lambda: rng.choice([None, 0.0, 0.04, 0.5, 1.0]), "x": lambda: rng.choice([0, 1, 2, 17, -3]), "label": lambda: rng.choice([None, "keep", "drop", ""])}
        rows = [{k: f() for k, f in columns.items()} for _ in range(60)]
        db.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", [list(r.values()) for r in rows])
        conditions = [condition(rng, 3) for _ in range(600)]
        got = ask("where", {"names": list(columns), "rows": rows, "conditions": conditions})
        some = 0
        for sql, passed in zip(conditions, got):
            expected = [r[0] - 1 for r in db.execute(f"SELECT rowid FROM t WHERE {sql} ORDER BY rowid")]
            self.assertEqual(passed, expected, sql)
            some += 0 < len(expected) < len(rows)
        self.assertGreater(some, 150)

    def test_polygons_beside_spatialite(self):
        rng = random.Random(3)
        db = host.connect()

        def ring():
            x, y, r = rng.uniform(0, 10), rng.uniform(0, 10), rng.uniform(0.5, 4)
            n = rng.randrange(3, 8)
            corners = [[round(x + r * rng.uniform(0.3, 1) * c, 3), round(y + r * rng.uniform(0.3, 1) * s, 3)] for c, s in ((cosine(i / n), sine(i / n)) for i in range(n))]
            return corners + [corners[0]]
        points = [[rng.uniform(0, 10), rng.uniform(0, 10)] for _ in range(300)]
        inside = 0
        for corners in [ring() for _ in range(8)]:
            text = "POLYGON((" + ", ".join(f"{x} {y}" for x, y in corners) + "))"
            expected = [bool(db.execute("SELECT ST_Contains(GeomFromText(?), MakePoint(?, ?))", (text, *p)).fetchone()[0]) for p in points]
            self.assertEqual(ask("inside", {"points": points, "ring": corners}), expected)
            inside += sum(expected)
        self.assertGreater(inside, 20)

    def test_outline_beside_gdal(self):
        """The land that the page decodes has the polygons that GDAL's TopoJSON reader finds; those across the antimeridian are on both sides."""
        path = os.path.join(BUILT, "world.json")
        if not os.path.exists(path):
            self.skipTest("the outline of the world was not fetched when the program was built")
        with open(path, encoding="utf-8") as f:
            outline = ask("outline", json.load(f))
        lines = subprocess.run(["ogr2ogr", "-f", "GeoJSONSeq", "/vsistdout/", path, "land", "-explodecollections"], capture_output=True, text=True, env=CLEAN).stdout.splitlines()
        expected = [json.loads(line)["geometry"]["coordinates"] for line in lines]
        area = lambda p: sum(a * d - b * c for (a, b), (c, d) in zip(p[0], p[0][1:])) / 2  # noqa: E731
        ends = lambda p: (min(x for x, _ in p[0]), max(x for x, _ in p[0]))  # noqa: E731
        plain = lambda polygons: sorted(abs(area(p)) for p in polygons if ends(p)[1] - ends(p)[0] < 359 and -180.001 < ends(p)[0] and ends(p)[1] < 180.001)  # noqa: E731
        got, same = plain(p["coordinates"] for p in outline["land"]), plain(expected)
        self.assertGreater(len(same), 1000)
        self.assertEqual(len(got), len(same))
        for a, b in zip(got, same):
            self.assertAlmostEqual(a, b, places=5)
        # Russia's east and Fiji: in one piece, once at 180 degrees and once at -180.
        across = sorted(ends(p["coordinates"]) for p in outline["land"] if ends(p["coordinates"])[1] > 180.001)
        self.assertTrue(across and all(b - a < 359 for a, b in across))
        self.assertEqual(sorted((round(a + 360, 6), round(b + 360, 6)) for a, b in (ends(p["coordinates"]) for p in outline["land"]) if a < -180.001), [(round(a, 6), round(b, 6)) for a, b in across])
        self.assertEqual(len(expected), len(same) + len(across) + sum(ends(p["coordinates"])[1] - ends(p["coordinates"])[0] > 359 for p in outline["land"]))
        self.assertGreater(outline["n_borders"], 300)


def cosine(turn):
    return math.cos(2 * math.pi * turn)


def sine(turn):
    return math.sin(2 * math.pi * turn)


def condition(rng, depth):
    """A random condition over the columns of the test."""
    if depth and rng.random() < 0.6:
        a, b = condition(rng, depth - 1), condition(rng, depth - 1)
        return rng.choice([f"{a} AND {b}", f"({a} OR {b})", f"NOT ({a})", f"{a} OR {b}", f"({a}) IS ({b})"])
    column = rng.choice(["chipid", "date", "cloud", "x", "label", '"cloud"', "DATE"])
    value = rng.choice(["0", "0.04", "1", "17", "'0.5'", "'keep'", "'2024-06-17'", "2024", "NULL", "x", "cloud * 2", "x + 1 - 2 * 3", "-3", "'O''Hare'", "date", "lower(chipid)", "length(label)", "coalesce(label, 'drop')",
                        "substr(date, 1, 4)", "abs(x)", "'17'", "1e-1"])
    return rng.choice([
        f"{column} {rng.choice(['=', '==', '<>', '!=', '<', '<=', '>', '>='])} {value}", f"{value} {rng.choice(['=', '<', '>='])} {column}", f"{column} IS NULL", f"{column} IS NOT NULL",
        f"{column} {rng.choice(['', 'NOT '])}IN ({value}, 0.5, 'keep')", f"{column} {rng.choice(['', 'NOT '])}BETWEEN {value} AND 1", f"chipid {rng.choice(['', 'NOT '])}LIKE {rng.choice(['%S2%', 's2a_1', 'lc09_x', chr(37), ''])!r}",
        f"{column} IS NOT {value}", column])


if __name__ == "__main__":
    host.main()
