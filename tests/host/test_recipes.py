"""The files of examples/recipes: each gives what the file beside it shows, in the plain sqlite3 shell. UPDATE=1 writes these.

What some of them claim is asked again here in Python, over the rows of the index.
"""
import collections
import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import host
import numpy
import recipe_data

RECIPES = os.path.join(host.ROOT, "examples", "recipes")
VEC = glob.glob(os.path.join(host.ROOT, "tests", "host", "node", "node_modules", "sqlite-vec-linux-*", "vec0.so"))


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def named():
    return sorted(os.path.basename(p)[:-4] for p in glob.glob(os.path.join(RECIPES, "*.sql")))


class Recipes(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = os.path.join(tempfile.mkdtemp(prefix="stacchip_recipes_"), "data")
        recipe_data.make(cls.folder)
        if VEC:
            os.symlink(VEC[0], os.path.join(cls.folder, "vec0.so"))
        os.rename(os.path.join(cls.folder, "chips.db"), os.path.join(cls.folder, "made.db"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(os.path.dirname(cls.folder))

    def run_recipe(self, name):
        shutil.copy(os.path.join(self.folder, "made.db"), os.path.join(self.folder, "chips.db"))
        r = subprocess.run(["sqlite3", "-batch", "-bail", "-header", "-cmd", ".load ./stacchip", "chips.db"], input=read(os.path.join(RECIPES, name + ".sql")),
                           cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(r.returncode, 0, (name, r.stderr))
        return r.stdout

    def rows(self, name):
        """The recipe's rows as lists, without heads."""
        lines = [line.split("|") for line in self.run_recipe(name).splitlines()]
        return lines[1:]

    def test_each_gives_what_is_beside_it(self):
        for name in named():
            if name == "neighbours-vec" and not VEC:
                continue
            with self.subTest(name):
                out = self.run_recipe(name)
                if os.environ.get("UPDATE"):
                    with open(os.path.join(RECIPES, name + ".txt"), "w", encoding="utf-8") as f:
                        f.write(out)
                self.assertEqual(out, read(os.path.join(RECIPES, name + ".txt")))

    @unittest.skipUnless(VEC, "sqlite-vec is not there: make node-deps")
    def test_sqlite_vec_finds_what_plain_sql_finds(self):
        plain, vec = self.rows("neighbours"), self.rows("neighbours-vec")
        self.assertEqual([r[0] for r in plain], [r[0] for r in vec])
        for a, b in zip(plain, vec):
            self.assertAlmostEqual(float(a[1]), float(b[1]), delta=2e-5)

    def test_the_index_names_them_all(self):
        index = read(os.path.join(RECIPES, "README.md"))
        self.assertEqual(sorted(re.findall(r"\]\(([\w-]+)\.sql\)", index)), named())
        self.assertEqual(sorted(re.findall(r"\]\(([\w-]+)\.txt\)", index)), named())
        self.assertEqual(sorted(set(re.findall(r"\(examples/recipes/([\w-]+)\.sql\)", read(os.path.join(host.ROOT, "README.md"))))), named())

    def chips(self):
        db = host.connect(os.path.join(self.folder, "made.db"))
        return [dict(zip(("chipid", "item", "platform", "date", "x", "y", "grid", "cloud"), r)) for r in
                db.execute("SELECT chipid, item, platform, date, chip_index_x, chip_index_y, grid, cloud_cover_percentage FROM chips")]

    def test_the_clearest_date_is_that(self):
        best = {}
        for c in self.chips():
            if c["platform"] == "sentinel-2-l2a" and c["y"] == 0:
                best[c["x"]] = min(best.get(c["x"], (9, "")), (c["cloud"], c["date"]))
        self.assertEqual([(int(x), date, float(cloud)) for x, _, date, cloud in self.rows("clearest-date")], [(x, d, round(c, 3)) for x, (c, d) in sorted(best.items())])

    def test_strata_have_their_number_and_pairs_are_of_one_place(self):
        of = {c["chipid"]: c for c in self.chips()}
        strata = collections.Counter((p, m) for p, m, _ in self.rows("per-stratum"))
        there = collections.Counter((c["platform"], c["date"][:7]) for c in of.values())
        self.assertEqual(strata, {k: min(2, n) for k, n in there.items()})
        for before, after, _ in self.rows("before-after"):
            self.assertEqual(*[(of[k]["grid"], of[k]["x"], of[k]["y"]) for k in (before, after)])
            self.assertLess(of[before]["date"], of[after]["date"])

    def test_three_sources_of_labels_are_one(self):
        table = self.rows("labels-table")
        self.assertGreater(len(table), 3)
        for other in ("labels-geopackage", "labels-geojson"):
            self.assertEqual([(r[0], r[2]) for r in table], [(r[0], r[2]) for r in self.rows(other)])

    def test_maps_are_the_scenes_pixels(self):
        """Areas by NumPy of the classes that the scenes were made of, 400 square metres a pixel."""
        before, after = (recipe_data.classes(cloud) for name, *_, cloud in recipe_data.SENTINEL if name in ("20240617T140638", "20240921T140702"))
        want = {(str(b), str(a)): numpy.sum((before == b) & (after == a)) / 25 for b in numpy.unique(before) for a in numpy.unique(after) if a != b}
        self.assertEqual({(b, a): float(h) for b, a, h in self.rows("change")}, {k: v for k, v in want.items() if v})
        got = [row for row in self.rows("map") if len(row) == 4 and row[0] != "class"]
        self.assertEqual({c: (float(h), valid) for c, _, h, valid in got}, {str(c): (numpy.sum(after == c) / 25, "1") for c in numpy.unique(after)})


if __name__ == "__main__":
    host.main()
