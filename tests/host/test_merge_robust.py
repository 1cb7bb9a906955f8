"""The merged index under killing, other readers, a full disk, and damaged tables.

STACCHIP_KILLS (default 18) is the number of killed processes; `make check-kill` takes 200.
STACCHIP_WAL_SECONDS (default 4); the same target takes 60.
"""
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import host
from merge_rows import check, fill_source, item_rows

KILLS = int(os.environ.get("STACCHIP_KILLS", "18"))
WAL_SECONDS = float(os.environ.get("STACCHIP_WAL_SECONDS", "4"))
SEED = int(os.environ.get("STACCHIP_SEED", str(int(time.time()))))
VICTIM = os.path.join(host.ROOT, "tests", "support", "merge_victim.py")


def make(path, items=6, side=9):
    db = host.connect(path)
    db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)")
    fill_source(db, items, side)
    db.execute("INSERT INTO chips SELECT * FROM src")
    return db


class Kill(unittest.TestCase):
    def test_killed_writers_leave_whole_items(self):
        print(f"seed {SEED}", flush=True)
        rnd = random.Random(SEED)
        inside = 0
        kinds = ["rows", "transaction"] + (["items"] if host.HAS_SHARED else [])
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "k.db")
            make(path).close()
            for k in range(KILLS):
                inside += self.kill_one(path, kinds[k % len(kinds)], ("slow", "free")[k // len(kinds) % 2], rnd)
                db = host.connect(path)
                self.assertEqual("ok", db.execute("PRAGMA integrity_check").fetchone()[0])
                check(db)
                torn = db.execute("SELECT item, count(*) FROM chips WHERE item GLOB 'I*' GROUP BY platform, item HAVING count(*) <> 81").fetchall()
                self.assertEqual([], torn)
                self.assertEqual([], db.execute("SELECT id FROM chips_item WHERE id NOT IN (SELECT item_id FROM chips_chip)").fetchall())
                if db.execute("SELECT count(*) FROM chips_item").fetchone()[0] > 150:
                    db.execute("DELETE FROM chips WHERE item IN (SELECT item FROM chips_item ORDER BY id LIMIT 120)")
                db.close()
        print(f"{inside} of {KILLS} inside a write", flush=True)
        self.assertGreaterEqual(inside * 5, KILLS)

    def kill_one(self, path, kind, pace, rnd):
        """True when the process died between "write" and "done"."""
        victim = subprocess.Popen([sys.executable, VICTIM, path, kind, str(rnd.randrange(1 << 30)), pace], stdout=subprocess.PIPE, text=True,
                                  env={**os.environ, "PYTHONPATH": os.path.join(host.ROOT, "tests", "support")})
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(victim.stdout))
        self.assertEqual("ready\n", victim.stdout.readline())
        reader.start()
        time.sleep(rnd.uniform(0.01, 0.25))
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        reader.join()
        victim.stdout.close()
        self.assertEqual(-signal.SIGKILL, victim.returncode, "".join(lines))
        return bool(lines) and lines[-1] == "write\n"


class Readers(unittest.TestCase):
    def test_one_writer_four_readers(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "w.db")
            db = make(path)
            db.execute("PRAGMA journal_mode = WAL")
            stop, problems, reads = threading.Event(), [], [0]

            def read():
                mine = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
                mine.enable_load_extension(True)
                mine.load_extension(host.EXT)
                mine.execute("PRAGMA busy_timeout = 10000")
                while not stop.is_set():
                    try:
                        torn = mine.execute("SELECT item, count(*) FROM chips GROUP BY item HAVING count(*) <> 81").fetchall()
                        torn += mine.execute("SELECT item, count(*) FROM chips WHERE ST_Intersects(geometry, BuildMbr(-180, -90, 180, 90, 4326)) GROUP BY item HAVING count(*) <> 81").fetchall()
                        reads[0] += 1
                        if torn:
                            problems.append(torn)
                    except sqlite3.Error as e:
                        problems.append(e)
                mine.close()
            threads = [threading.Thread(target=read) for _ in range(4)]
            for t in threads:
                t.start()
            until, k, writes = time.time() + WAL_SECONDS, 100, 0
            while time.time() < until:
                fill_source(db, 3, 9, k)
                db.execute("INSERT INTO chips SELECT * FROM src")
                db.execute("DELETE FROM chips WHERE item = ?", (f"I{k}",))
                k += 3
                writes += 1
                if k > 400:
                    db.execute("DELETE FROM chips WHERE item <> 'I0'")
                    k = 100
            stop.set()
            for t in threads:
                t.join()
            self.assertEqual([], problems[:3])
            self.assertGreater(min(writes, reads[0]), 3)
            check(db)


class Disk(unittest.TestCase):
    def test_full_disk(self):
        folder = tempfile.mkdtemp()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], capture_output=True).returncode:
            os.rmdir(folder)
            self.skipTest("cannot mount a tmpfs")
        try:
            db = make(os.path.join(folder, "f.db"))
            before = db.execute("SELECT count(*) FROM chips").fetchone()[0]
            db.execute("PRAGMA cache_size = 50")
            db.execute("PRAGMA temp_store = MEMORY")
            fill_source(db, 300, 12, 1000)
            for begin in ("", "BEGIN"):
                if begin:
                    db.execute(begin)
                with self.assertRaisesRegex(sqlite3.OperationalError, "full"):
                    db.execute("INSERT INTO chips SELECT * FROM src")
                if db.in_transaction:
                    db.execute("ROLLBACK")
                self.assertEqual(before, db.execute("SELECT count(*) FROM chips").fetchone()[0])
                check(db)
            fill_source(db, 2, 9, 5000)
            db.execute("INSERT INTO chips SELECT * FROM src")
            check(db)
            db.close()
        finally:
            subprocess.run(["umount", folder], check=True)
            os.rmdir(folder)

    def test_read_only(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "r.db")
            make(path).close()
            db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
            db.enable_load_extension(True)
            db.load_extension(host.EXT)
            self.assertEqual(486, db.execute("SELECT count(*) FROM chips").fetchone()[0])
            for sql in ("INSERT INTO chips(item,chip_index_x,chip_index_y,geometry) SELECT 'n',1,1,geometry FROM chips LIMIT 1",
                        "DELETE FROM chips WHERE item = 'I1'", "INSERT INTO chips(chips) VALUES('rebuild')", "DROP TABLE chips"):
                with self.assertRaisesRegex(sqlite3.OperationalError, "readonly"):
                    db.execute(sql)
            self.assertEqual(486, db.execute("SELECT count(*) FROM chips").fetchone()[0])


QUERIES = ["SELECT * FROM chips", "SELECT row, item_json, col_off, row_off, grid, datetime FROM chips",
           "SELECT count(*) FROM chips WHERE cloud_cover_percentage < 0.5 AND date > '2024-01-15'",
           "SELECT rowid FROM chips WHERE ST_Intersects(geometry, BuildMbr(-180, -90, 10, 90, 4326))",
           "SELECT rowid FROM chips WHERE MbrWithin(geometry, BuildMbr(-180, -90, 10, 90, 4326)) ORDER BY cloud_cover_percentage LIMIT 5",
           "SELECT * FROM chips WHERE item = 'I2'", "SELECT * FROM chips WHERE chipid = 'I3-4-5'", "SELECT * FROM chips WHERE rowid = 17",
           "SELECT * FROM chips WHERE platform = 's2' AND date BETWEEN '2024-01-01' AND '2024-12-31' ORDER BY cloud_cover_percentage DESC LIMIT 9",
           "INSERT INTO chips(chips) VALUES('integrity-check')", "INSERT OR REPLACE INTO chips SELECT * FROM src", "DELETE FROM chips WHERE chip_index_x = 3",
           "DELETE FROM chips WHERE item = 'I1'", "INSERT INTO chips(chips) VALUES('optimize')", "INSERT INTO chips(chips) VALUES('rebuild')",
           "INSERT INTO chips(chips) VALUES('integrity-check')", "SELECT count(*) FROM chips"]


def mutate(db, rnd):
    """Damage one value of one shadow table."""
    table, columns = rnd.choice([("chips_block", ("item_id", "tile_x", "tile_y", "chips")), ("chips_chip", ("item_id", "chip_index_x", "chip_index_y", "cloud", "geometry")),
                                 ("chips_item", ("collection", "platform", "item", "date", "width_px", "chip_size_px", "stride_px", "edge", "grid", "item_json")),
                                 ("chips_area_node", ("data",)), ("chips_area_parent", ("parentnode",)), ("chips_area_rowid", ("nodeno",)),
                                 ("idx_chips_chip_geometry_node", ("data",)), ("idx_chips_chip_geometry_rowid", ("nodeno",)),
                                 ("idx_chips_chip_geometry_parent", ("parentnode",)), ("chips_config", ("value",))])
    column = rnd.choice(columns)
    key = {"chips_area_node": "nodeno", "idx_chips_chip_geometry_node": "nodeno", "chips_area_parent": "nodeno", "idx_chips_chip_geometry_parent": "nodeno",
           "chips_config": "key"}.get(table, "rowid")
    rows = db.execute(f"SELECT {key}, {column} FROM {table}").fetchall()
    if not rows:
        return "nothing"
    row, old = rnd.choice(rows)
    kind = rnd.randrange(5)
    if kind == 0 and isinstance(old, bytes) and old:
        value = bytearray(old)
        for _ in range(rnd.choice((1, 1, 4, 30))):
            value[rnd.randrange(len(value))] = rnd.randrange(256)
        value = bytes(value)
    elif kind == 1 and isinstance(old, bytes):
        value = old[:rnd.randrange(len(old) + 1)] if rnd.random() < .6 else old + bytes(rnd.randrange(1, 5000))
    elif kind == 2:
        db.execute(f"DELETE FROM {table} WHERE {key} = ?", (row,))
        return f"{table}: row {row} deleted"
    else:
        value = rnd.choice([None, 0, -1, 1 << 62, -(1 << 63), 1e300, "", "x" * 1000, b"", b"\xff" * 50, float("inf"), 3, "2024-99-99"])
    db.execute(f"UPDATE OR IGNORE {table} SET {column} = ? WHERE {key} = ?", (value, row))
    return f"{table}.{column} of {row}: {value!r:.60}"


class Damage(unittest.TestCase):
    def test_damaged_tables_give_errors_never_crashes(self):
        rnd = random.Random(20240601)
        with tempfile.TemporaryDirectory() as folder:
            path, copy = os.path.join(folder, "d.db"), os.path.join(folder, "c.db")
            make(path, 30).close()
            errors = 0
            for _ in range(300):
                shutil.copy(path, copy)
                raw = sqlite3.connect(copy, isolation_level=None)
                what = ""
                for _ in range(rnd.choice((1, 1, 3))):
                    try:
                        what = mutate(raw, rnd)
                    except sqlite3.Error:
                        pass  # NOT NULL and such
                raw.close()
                db = host.connect(copy)
                db.text_factory = bytes
                fill_source(db, 2, 9)
                queries = QUERIES[:9] + rnd.sample(QUERIES[9:], 4)
                for sql in queries:
                    try:
                        db.execute(sql).fetchall()
                    except sqlite3.Error:
                        errors += 1
                    except UnicodeDecodeError as e:
                        self.fail(f"{what}: {sql}: {e.object}")
                db.close()
            self.assertGreater(errors, 50)


if __name__ == "__main__":
    host.main()
