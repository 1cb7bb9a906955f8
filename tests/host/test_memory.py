"""Memory that is used again: what stacchip_debug() counts of it, that it stays within cache_bytes, and what chips cost whose blocks are kept."""
import json
import os
import resource
import tempfile
import unittest

import host
import numpy
import tiff

SIDE = 1024
MB = 1 << 20
BANDS = {"a": 256, "b": 256, "c": 128, "d": 512}  # the blocks of each asset


def memory(db):
    return json.loads(db.execute("SELECT json_extract(stacchip_debug(), '$.memory')").fetchone()[0])


def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


class Memory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.pixels = {name: numpy.random.default_rng(k).integers(1, 4000, (SIDE, SIDE)).astype("u2") for k, name in enumerate(BANDS)}
        grid = {"type": "image/tiff", "roles": ["data"], "proj:shape": [SIDE, SIDE], "proj:transform": [10, 0, 500000, 0, -10, 6400000]}
        assets = {name: dict(grid, href=tiff.write(os.path.join(cls.folder.name, name + ".tif"), cls.pixels[name], block=(block, block), epsg=32631))
                  for name, block in BANDS.items()}
        cls.item = {"type": "Feature", "stac_version": "1.0.0", "id": "i", "geometry": None, "links": [], "properties": {"datetime": "2024-01-01T00:00:00Z", "proj:epsg": 32631}, "assets": assets}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def connect(self, **settings):
        db = host.connect()
        self.addCleanup(db.close)
        for name, value in dict({"cache_bytes": 64 * MB, "threads": 1}, **settings).items():
            db.execute("SELECT stacchip_config(?, ?)", (name, value))
        db.execute("CREATE TABLE t(k INTEGER PRIMARY KEY, r TEXT)")
        rows = [json.dumps({"item": self.item, "chip_index_x": i % 4, "chip_index_y": i // 4, "chip_size": 256, "platform": "none"}) for i in range(16)]
        db.executemany("INSERT INTO t(r) VALUES (?)", [(r,) for r in rows])
        return db

    def test_a_second_pass_decodes_nothing_and_takes_no_new_memory(self):
        for sql in ("SELECT sum(length(stacchip_chip(r))) FROM t", "SELECT sum(length(s)) FROM (SELECT stacchip_stack(r) AS s FROM t)", "SELECT length(stacchip_stack(r)) FROM t GROUP BY k % 2"):
            db = self.connect(cache_bytes=0)  # forgets
            db = self.connect()
            first = db.execute(sql).fetchall()
            db.execute(sql).fetchall()
            before, n = memory(db), faults()
            for _ in range(5):
                self.assertEqual(db.execute(sql).fetchall(), first)
            n = faults() - n
            after = memory(db)
            for name in ("block_misses", "fresh", "blocks", "in_use_bytes"):
                self.assertEqual(after[name], before[name], (sql, name))
            self.assertGreater(after["block_hits"], before["block_hits"])
            self.assertGreater(after["reused"], before["reused"])
            if os.environ.get("VARIANT", "release") == "release":  # sanitizers take memory of their own
                self.assertLess(n / (5 * 16), 20, sql)

    def test_what_is_kept_stays_within_cache_bytes(self):
        db = self.connect()
        for limit in (0, 2 * MB, 9 * MB, 64 * MB):
            for threads in (1, 4):
                db.close()  # which keeps its last large stack
                db = self.connect(cache_bytes=limit, threads=threads)
                for sql in ("SELECT length(stacchip_chip(r)) FROM t", "SELECT length(stacchip_stack(r)) FROM t GROUP BY k % 3", "SELECT length(stacchip_chip(r, '{\"format\": \"npz\", \"valid\": true}')) FROM t"):
                    for _ in db.execute(sql):
                        m = memory(db)
                        self.assertLessEqual(m["block_bytes"] + m["idle_bytes"], limit + 2 * MB, (limit, threads, sql, m))  # 2 MB: pages that hold a result, too
                self.assertEqual(m["blocks"] > 0, limit > 2 * MB)
        db.close()
        db = self.connect(cache_bytes=0)
        m = memory(db)
        self.assertEqual((m["block_bytes"], m["idle_bytes"], m["cache_bytes"]), (0, 0, 0))

    def test_a_value_that_is_held_keeps_its_memory(self):
        db = self.connect(cache_bytes=0)
        want = {k: db.execute("SELECT stacchip_chip(r) FROM t WHERE k = ?", (k,)).fetchone()[0] for k in (1, 2, 3)}
        db.execute("CREATE TABLE kept AS SELECT k, stacchip_chip(r) AS p FROM t WHERE k < 4")
        self.assertEqual(dict(db.execute("SELECT k, p FROM kept")), want)
        self.assertEqual(db.execute("SELECT max(p) FROM (SELECT stacchip_chip(r) AS p FROM t WHERE k < 4)").fetchone()[0], max(want.values()))
        two = db.execute("SELECT a.p, b.p FROM (SELECT stacchip_chip(r) AS p FROM t WHERE k = 1) a, (SELECT stacchip_chip(r) AS p FROM t WHERE k IN (2, 3)) b ORDER BY b.p").fetchall()
        self.assertEqual(sorted(two), sorted([(want[1], want[2]), (want[1], want[3])]))

    def test_pixels_are_those_of_the_files_in_memory_that_was_used(self):
        db = self.connect(cache_bytes=3 * MB, threads=2)
        for _ in range(3):
            for k, blob in db.execute("SELECT k, stacchip_chip(r) FROM t"):
                pixels = numpy.frombuffer(blob[-4 * 256 * 256 * 2:], "<u2").reshape(4, 256, 256)
                x, y = (k - 1) % 4 * 256, (k - 1) // 4 * 256
                for i, name in enumerate(BANDS):
                    self.assertTrue((pixels[i] == self.pixels[name][y:y + 256, x:x + 256]).all(), (k, name))


if __name__ == "__main__":
    host.main()
