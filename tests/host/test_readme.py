"""The README's first screen: its SQL gives the results that it shows; the pages of docs name the options of the code."""
import glob
import os
import re
import subprocess
import unittest

import host

README = open(os.path.join(host.ROOT, "README.md"), encoding="utf-8").read()
REFERENCE = "".join(open(p, encoding="utf-8").read() for p in sorted(glob.glob(os.path.join(host.ROOT, "docs", "*.md"))))


class Readme(unittest.TestCase):
    def test_first_example_gives_its_results(self):
        os.makedirs(os.path.join(host.ROOT, "build/demo"), exist_ok=True)
        if not os.path.exists(os.path.join(host.ROOT, "build/demo/scene/item.json")):
            env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
            subprocess.run(["build/release/make_scene", "sentinel-2", "build/demo/scene"], cwd=host.ROOT, check=True, env=env)
        sql = re.search(r"```sql\n(.*?)```", README, re.S)[1]
        expected = re.findall(r"--\s(\S+)$", sql, re.M)
        self.assertGreaterEqual(len(expected), 3)
        r = subprocess.run(["sqlite3", "-batch", "-bail", ":memory:"], input=sql.replace("./stacchip", host.EXT), cwd=host.ROOT,
                           capture_output=True, text=True)
        self.assertEqual(r.stdout.split(), expected, r.stderr)

    def test_option_tables_name_what_the_code_takes(self):
        db = host.connect()
        for sql, options in (("SELECT * FROM stacchip_index('x', '{\"?\":1}')", "chip_size stride edge max_nodata platform shape base"),
                             ("SELECT stacchip_chip('{}', '{\"?\":1}')", "assets format resampling dtype scale harmonize valid buffer fill stretch rescale size on_error")):
            with self.assertRaises(Exception) as e:
                db.execute(sql).fetchone()
            allowed = str(e.exception).split("; options: ")[1].split(", ")
            for name in options.split():
                self.assertIn(name, allowed)
                self.assertIn(f"`{name}`", REFERENCE)


if __name__ == "__main__":
    host.main()
