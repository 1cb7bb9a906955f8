"""How far long work is: the bar of the program on a terminal, lines elsewhere."""
import json
import os
import pty
import re
import subprocess
import tempfile
import unittest

import host
import numpy
import tiff

PROGRAM = os.path.join(os.path.dirname(host.EXT), "stacchip")
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("STACCHIP_") and k != "LD_PRELOAD"}


class Progress(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.items = os.path.join(self.folder.name, "items")
        os.mkdir(self.items)
        path = tiff.write(os.path.join(self.folder.name, "a.tif"), numpy.ones((64, 64), "u1"))
        for i in range(12):
            with open(os.path.join(self.items, f"i{i}.json"), "w", encoding="utf-8") as f:
                json.dump({"type": "Feature", "stac_version": "1.0.0", "id": f"i{i}", "geometry": None, "links": [], "properties": {"datetime": "2024-01-01T00:00:00Z"},
                           "assets": {"data": {"href": path, "type": "image/tiff"}}}, f)

    def on_a_terminal(self, *arguments):
        try:
            mine, its = pty.openpty()
        except OSError as e:
            self.skipTest(f"no terminal can be had: {e}")
        p = subprocess.Popen([PROGRAM, *arguments], env=CLEAN, stderr=its)
        os.close(its)
        text = b""
        try:
            while True:
                text += os.read(mine, 4096)
        except OSError:  # the other end is closed
            pass
        os.close(mine)
        self.assertEqual(p.wait(), 0, text)
        return text.decode()

    def test_the_bar_of_index(self):
        """By its own name, with the items of all sources, those of before too."""
        options = "--with", "platform=none, chip_size=64, max_nodata=1"
        for merged in (12, 0):
            text = self.on_a_terminal("index", *options, os.path.join(self.folder.name, "x.db"), self.items, os.path.join(self.items, "i0.json"))
            self.assertNotIn("stacchip_merge_items", text)
            bars = re.findall(r"\rstacchip index \[(#* *)\] (\d+)/13 items, [0-9.]+/s", text)
            self.assertEqual(bars[-1], ("#" * 30, "13"))
            self.assertTrue(all(len(bar) == 30 and bar.count("#") == 30 * int(n) // 13 for bar, n in bars))
            self.assertIn(f"{merged} merged", text)

    def test_lines_elsewhere(self):
        sql = f"""SELECT stacchip_config('progress', 1); CREATE VIRTUAL TABLE c USING stacchip_merge(platform=none, chip_size=64, max_nodata=1);
            SELECT stacchip_merge_items('c', 'SELECT item_json FROM stacchip_items(''{self.items}'')');"""
        r = subprocess.run(["/usr/bin/python3", "-c", "import sys, host; db = host.connect(); [db.execute(s).fetchall() for s in sys.argv[1].split(';')]", sql],
                           env=dict(os.environ, PYTHONPATH=os.path.join(host.ROOT, "tests", "support")), capture_output=True, text=True)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertRegex(r.stderr.splitlines()[-1], r"^stacchip_merge_items: 12 items, [0-9.]+/s; 12 merged, 0 skipped, 0 failed$")


if __name__ == "__main__":
    host.main()
