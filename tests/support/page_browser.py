"""Headless Chromium for tests: runs of page_drive.mjs, whether there is what they need, and what holds of every page."""
import functools
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import host
import hostile_data
import recipe_data

CHROMIUM = shutil.which("chromium")
MODULES = os.path.join(host.ROOT, "tests", "host", "node")
DRIVER = os.path.join(MODULES, "node_modules", "playwright-core")
HAS_PAGE = os.path.exists(os.path.join(host.ROOT, "build", "gen", "page", "leaflet.js"))
CLEAN = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
needs_page = unittest.skipUnless(HAS_PAGE, "the program was built without its page: neither npm's registry nor libjs-leaflet was there")
needs_browser = unittest.skipUnless(CHROMIUM and os.path.isdir(DRIVER) and HAS_PAGE, "make deps-browser and make node-deps give Chromium and what drives it")


def drive(runs, arguments=()):
    """[{name, scenario, url, ...}] -> {name: result}, see page_drive.mjs."""
    config = {"chromium": CHROMIUM, "modules": MODULES, "runs": runs, "arguments": list(arguments)}
    run = subprocess.run(["node", os.path.join(host.ROOT, "tests", "support", "page_drive.mjs")], input=json.dumps(config), capture_output=True, text=True, env=CLEAN, timeout=600)
    if run.returncode:
        raise AssertionError(run.stderr[-4000:])
    return json.loads(run.stdout)


class Chips(unittest.TestCase):
    """A database with the merged index `chips`, and a hostile copy of it."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="stacchip_page_")
        data = os.path.join(cls.folder, "data")
        recipe_data.make(data)
        cls.path, cls.hostile = os.path.join(data, "chips.db"), os.path.join(data, "hostile.db")
        cls.db = host.connect(cls.path)
        hostile_data.make(cls.path, cls.hostile)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @functools.lru_cache(None)
    def count(self, where):
        return self.db.execute(f"SELECT count(*) FROM chips WHERE {where}").fetchone()[0]


class Shown(Chips):
    """Its page in Chromium, wherever it comes from. `results` are those of drive(); the page has n_scripts of its own."""

    def value(self, name, errors=()):
        result = self.results[name]
        self.assertIsNone(result["error"])
        self.assertEqual([e for e in result["errors"] if not any(allowed in e for allowed in errors)], [])
        self.assertEqual(result["dialogs"], 0)
        return result["value"]

    def test_load(self):
        value = self.value("load")
        self.assertEqual(value["total"], f"{self.count('1')} chips")
        self.assertGreaterEqual(value["thumbs"], 60)
        self.assertEqual(value["drawn"], [True] * 3)
        self.assertIn("Cloud", value["legend"])
        self.assertIn("sentinel-2-l2a216", value["platforms"])

    def test_filters(self):
        value, n = self.value("filter"), self.count("1")
        late = "cloud_cover_percentage <= 0.05 AND date >= '2024-06-01'"
        total, platform = value["byPlatform"]
        for got, where in ((value["bySql"], "cloud_cover_percentage < 0.1"), (value["byBrush"], "cloud_cover_percentage >= 0.5"), (value["byField"], "cloud_cover_percentage <= 0.05"),
                           (value["byDate"], late), (total, f"{late} AND platform = '{platform}'")):
            self.assertEqual(got, f"{self.count(where)} of {n} chips", where)
        self.assertEqual(value["cleared"], f"{n} chips")
        self.assertIn("c=0,0.05", value["hash"])

    def test_keyboard(self):
        value = self.value("keyboard")
        ids = [r[0] for r in self.db.execute("SELECT chipid FROM chips ORDER BY rowid LIMIT 3")]
        self.assertEqual((value["chosen"], value["title"], value["next"], value["focused"]), (1, ids[1], ids[2], "chip"))
        self.assertRegex(value["first"], r"^S2A.*, 2024-03-11, cloud \d+")
        self.assertIn("select by a box", value["help"])
        self.assertEqual(value["nameless"], [])

    def test_a_hostile_database_runs_no_script(self):
        value = self.value("hostile")
        self.assertIsNone(value["marker"])
        self.assertEqual((value["scripts"], value["foreign"]), (self.n_scripts, 0))
        self.assertIn("</script><script>window.hacked=1</script>", value["text"])
