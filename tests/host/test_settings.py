"""Settings from the environment: what they give, and a bad one is an error that names its variable where it is used."""
import json
import os
import subprocess
import sys
import unittest

import host
import web

ITEM = json.dumps({"type": "Feature", "id": "x", "properties": {"datetime": None}, "assets": {"r": {
    "href": os.path.join(web.scene("sentinel-2", 1536), "red.tif"), "type": "image/tiff", "proj:epsg": 32720, "proj:shape": [1536, 1536], "proj:transform": [10, 0, 499980, 0, -10, 6400000]}}})
PROGRAM = """
import json, sys; sys.path.insert(0, %r)
import host
db, out = host.connect(), []
for sql in json.loads(sys.argv[1]):
    try: out.append(db.execute(sql, json.loads(sys.argv[2])[:sql.count("?")]).fetchone()[0])
    except Exception as e: out.append("error: " + str(e))
print(json.dumps(out))
""" % os.path.join(host.ROOT, "tests", "support")
CHIP = "SELECT length(stacchip_chip(row, '{\"assets\": [\"r\"]}')) > 1000 FROM stacchip_index(?, '{\"platform\": \"none\"}') LIMIT 1"


def values(statements, **env):
    r = subprocess.run([sys.executable, "-c", PROGRAM, json.dumps(statements), json.dumps([ITEM])], capture_output=True, text=True, check=True, env={**os.environ, **env}, timeout=60)
    return json.loads(r.stdout)


class Environment(unittest.TestCase):
    def test_good_values(self):
        got = values(["SELECT stacchip_config('threads')", "SELECT stacchip_config('cache_bytes')", CHIP], STACCHIP_THREADS="3", STACCHIP_CACHE_BYTES="1000000")
        self.assertEqual(got, ["3", "1000000", 1])

    def test_an_error_names_the_variable_until_the_setting_has_a_value(self):
        for variable, name, bad, expected in (
                ("STACCHIP_THREADS", "threads", "all", "a whole number from 1 to 64, found 'all'"),
                ("STACCHIP_THREADS", "threads", "0", "a whole number from 1 to 64, found '0'"),
                ("STACCHIP_THREADS", "threads", "", "a whole number from 1 to 64, found ''"),
                ("STACCHIP_CACHE_BYTES", "cache_bytes", "1GB", "a whole number from 0 to 1099511627776, found '1GB'"),
                ("STACCHIP_CACHE_BYTES", "cache_bytes", "99999999999999999999999", "a whole number from 0 to 1099511627776, found"),
                ("STACCHIP_VERIFY", "verify", "yes", "a whole number from 0 to 1, found 'yes'"),
                ("STACCHIP_HREF_MAP", "href_map", "[1]", "a JSON object of prefixes")):
            with self.subTest(variable, bad=bad):
                good = "{}" if name == "href_map" else "1"
                got = values(["SELECT stacchip_version() > ''", CHIP, f"SELECT stacchip_config('{name}')", CHIP, f"SELECT stacchip_config('{name}', '{good}')", CHIP], **{variable: bad})
                self.assertEqual(got[0], 1)  # what needs no setting works
                for text in got[1:4]:
                    self.assertIn(f"{variable}: expected {expected}", text)
                self.assertEqual(got[4:], [good, 1])


if __name__ == "__main__":
    host.main()
