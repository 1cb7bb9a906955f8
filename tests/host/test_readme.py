"""The README's first screen: its SQL gives the results that it shows."""
import os
import re
import subprocess
import unittest

import host

README = open(os.path.join(host.ROOT, "README.md"), encoding="utf-8").read()


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


if __name__ == "__main__":
    host.main()
