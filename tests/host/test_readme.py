"""The README's first screen: its SQL gives the results that it shows, and its picture is small."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import host
import test_docs

README = open(os.path.join(host.ROOT, "README.md"), encoding="utf-8").read()


class Readme(unittest.TestCase):
    def test_query_of_a_public_scene(self):
        """Against a catalogue of the same protocol that serves a scene of ours by HTTP."""
        sql = re.findall(r"```sql\n(.*?)```", README, re.S)[0]
        self.assertIn(test_docs.SEARCHED, sql)
        folder = tempfile.mkdtemp(prefix="stacchip_readme_")
        test_docs.sandbox(folder)
        with open(os.path.join(folder, "item.json"), encoding="utf-8") as f:
            search = test_docs.Search(folder, {"item": json.load(f)})
        try:
            rows = list(test_docs.results(host.connect(), sql.replace(test_docs.SEARCHED, search.url)))
        finally:
            search.close()
            shutil.rmtree(folder)
        self.assertEqual(len(rows), 3)
        for row in rows:
            self.assertRegex(row, r"^S2A_T20HNJ_20240611T140636_L2A-\d-\d\|0\.\d+\|262272$")

    def test_the_picture_is_small(self):
        path = re.search(r'src="([^"]+)"', README)[1]
        self.assertLess(os.path.getsize(os.path.join(host.ROOT, path)), 100000)

    def test_first_example_gives_its_results(self):
        os.makedirs(os.path.join(host.ROOT, "build/demo"), exist_ok=True)
        if not os.path.exists(os.path.join(host.ROOT, "build/demo/scene/item.json")):
            env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
            subprocess.run(["build/release/make_scene", "sentinel-2", "build/demo/scene"], cwd=host.ROOT, check=True, env=env)
        sql = re.findall(r"```sql\n(.*?)```", README, re.S)[1]
        expected = re.findall(r"--\s(\S+)$", sql, re.M)
        self.assertGreaterEqual(len(expected), 3)
        r = subprocess.run(["sqlite3", "-batch", "-bail", ":memory:"], input=sql.replace("./stacchip", host.EXT), cwd=host.ROOT,
                           capture_output=True, text=True)
        self.assertEqual(r.stdout.split(), expected, r.stderr)


if __name__ == "__main__":
    host.main()
