"""stacchip_batches(): the order of an epoch, shards, resuming, extra columns, shared memory, threads, and what is left behind."""
import collections
import fcntl
import io
import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

os.environ.setdefault("STACCHIP_HOSTS", "127.0.0.1,localhost")
import host
import numpy
import web

DEMO = os.path.join(host.ROOT, "build", "scenes", "sentinel-2")
RED = '"assets": ["red"]'
BATCHES = "FROM stacchip_batches(?, ?, ?)"


def item_text(folder, name):
    """The item of a scene under another id, its hrefs absolute."""
    with open(os.path.join(folder, "item.json")) as f:
        item = json.load(f)
    item["id"] = name
    for asset in item["assets"].values():
        asset["href"] = os.path.join(folder, os.path.basename(asset["href"]))
    return json.dumps(item)


def merged(folder, names, path=":memory:"):
    db = host.connect(path)
    db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)")
    for name in names:
        db.execute("INSERT INTO chips(item_json) VALUES (?)", [item_text(folder, name)])
    return db


def order(db, n, options="{}", query="SELECT row, chipid FROM chips"):
    """The chipids of each batch."""
    return [json.loads(e)["chipid"] for e, in db.execute("SELECT extra " + BATCHES, (query, n, options))]


def flat(batches):
    return [chip for batch in batches for chip in batch]


def superblock(chip, size=2048):
    """(item, column, row) of the block of `size` pixels that the middle of a chip of 256 lies in."""
    name, x, y = chip.rsplit("-", 2)
    return name, (256 * int(x) + 128) // size, (256 * int(y) + 128) // size


def load(blob):
    return numpy.load(io.BytesIO(blob))


def threads():
    return len(os.listdir("/proc/self/task"))


def descriptors():
    return len(os.listdir("/proc/self/fd"))


class Order(unittest.TestCase):
    """No pixels: 4 scenes of 17 x 17 chips, whose largest blocks (1024 pixels of 20 m) are 8 x 8 chips."""

    @classmethod
    def setUpClass(cls):
        cls.db = merged(web.scene("sentinel-2", 4500), ["a", "b", "c", "d"])
        cls.all = [c for c, in cls.db.execute("SELECT chipid FROM chips")]

    def test_every_chip_once(self):
        for shuffle in ("null", "1", '{"seed": 1, "mix": 0}', '{"seed": 1, "mix": 1}', '{"mix": 3}', '{"mix": 4096}'):
            batches = order(self.db, 100, '{"shuffle": %s}' % shuffle)
            self.assertEqual([100] * 11 + [56], [len(b) for b in batches], shuffle)
            self.assertEqual(sorted(self.all), sorted(flat(batches)), shuffle)
        self.assertEqual(self.all, flat(order(self.db, 100)))

    def test_random_order_is_that_of_the_hash(self):
        for seed in (0, 7, -3):
            wanted = [c for c, in self.db.execute("SELECT chipid FROM chips ORDER BY stacchip_hash(?, item, chip_index_x, chip_index_y)", (seed,))]
            self.assertEqual(wanted, flat(order(self.db, 64, json.dumps({"shuffle": {"seed": seed, "mix": 0}}))))

    def test_superblocks_come_by_the_hash_and_are_not_left_before_their_end(self):
        chips = flat(order(self.db, 1, '{"shuffle": {"seed": 5, "mix": 1}}'))
        runs = [s for i, s in enumerate(map(superblock, chips)) if i == 0 or s != superblock(chips[i - 1])]
        self.assertEqual(len(set(runs)), len(runs))
        self.assertEqual(sorted(runs, key=lambda s: self.db.execute("SELECT stacchip_hash(5, ?, ?, ?)", s).fetchone()[0]), runs)

    def test_each_batch_draws_from_all_that_are_open(self):
        mix, n = 16, 64
        batches = order(self.db, n, json.dumps({"shuffle": {"seed": 2, "mix": mix}}))
        left = collections.Counter(map(superblock, self.all))
        for batch in batches:
            open_ones = {s for s in map(superblock, batch)}
            if len(left) > 2 * mix:
                self.assertGreaterEqual(len(open_ones), mix)
                shares = collections.Counter(map(superblock, batch))
                self.assertLessEqual(max(shares.values()), 2 * n / mix)
            left -= collections.Counter(map(superblock, batch))

    def test_no_more_than_mix_are_open(self):
        for mix in (1, 4, 16):
            chips = flat(order(self.db, 1, json.dumps({"shuffle": {"seed": 9, "mix": mix}})))  # batches of 1: as they are drawn
            first, last = {}, {}
            for i, s in enumerate(map(superblock, chips)):
                first.setdefault(s, i)
                last[s] = i
            for i in range(len(chips)):
                self.assertLessEqual(sum(first[s] <= i <= last[s] for s in first), mix)

    def test_mixing_is_what_it_says(self):
        for shuffle in ("null", '{"seed": 4, "mix": 0}', '{"seed": 4}'):
            options = '{"shuffle": %s}' % shuffle
            batches = order(self.db, 128, options)
            where = collections.defaultdict(list)
            for i, chip in enumerate(flat(batches)):
                where[superblock(chip)].append(i)
            distances = [b - a for w in where.values() for i, a in enumerate(w) for b in w[i + 1:]]
            for batch, (mixing,) in zip(batches, self.db.execute("SELECT mixing " + BATCHES, ("SELECT row, chipid FROM chips", 128, options))):
                mixing = json.loads(mixing)
                self.assertEqual(len(set(map(superblock, batch))), mixing["superblocks"])
                self.assertEqual(len({c.rsplit("-", 2)[0] for c in batch}), mixing["scenes"])
                self.assertAlmostEqual(sum(distances) / len(distances), mixing["distance"], delta=0.06)

    def test_equal_seeds_give_equal_orders(self):
        one = order(self.db, 50, '{"shuffle": 11}')
        self.assertEqual(one, order(self.db, 50, '{"shuffle": {"seed": 11, "mix": 16}}'))
        self.assertEqual(one, order(self.db, 50, '{"shuffle": 11}', "SELECT row, chipid FROM chips ORDER BY random()"))
        self.assertNotEqual(one, order(self.db, 50, '{"shuffle": 12}'))
        other = merged(web.scene("sentinel-2", 4500), ["d", "b", "a", "c"])  # other rowids, the same items
        self.assertEqual(one, order(other, 50, '{"shuffle": 11}'))

    def test_a_chip_that_is_named_twice_comes_twice(self):
        chips = flat(order(self.db, 50, '{"shuffle": 1}', "SELECT row, chipid FROM chips UNION ALL SELECT row, chipid FROM chips"))
        self.assertEqual({2}, set(collections.Counter(chips).values()))
        self.assertEqual(len(self.all), len(set(chips)))

    def test_shards_are_disjoint_complete_and_equal_in_count(self):
        for world in (1, 2, 4, 7):
            for n in (1, 32, 41, 289, 2000):
                for shuffle in ("null", "3", '{"seed": 3, "mix": 0}'):
                    options = lambda rank, **more: json.dumps({"shuffle": json.loads(shuffle), "shard": [rank, world], **more})
                    if n == 1 and len(self.all) % world:
                        with self.assertRaisesRegex(sqlite3.OperationalError, "option 'shard': 1156 chips in batches of 1 make no equal numbers"):
                            order(self.db, n, options(0))
                        continue
                    shards = [order(self.db, n, options(rank)) for rank in range(world)]
                    self.assertEqual(1, len({len(s) for s in shards}), (world, n))
                    self.assertTrue(all(1 <= len(b) <= n for s in shards for b in s))
                    self.assertEqual(sorted(self.all), sorted(c for s in shards for c in flat(s)))
                    full = [order(self.db, n, options(rank, drop_last=True)) for rank in range(world)]
                    self.assertEqual({len(self.all) // world // n}, {len(s) for s in full})
                    self.assertEqual({n} if full[0] else set(), {len(b) for s in full for b in s})
        split = [len({superblock(c) for c in flat(order(self.db, 32, '{"shuffle": 3, "shard": [%d, 4]}' % r))}) for r in range(4)]
        self.assertLessEqual(sum(split), len(set(map(superblock, self.all))) + 3)  # at most three lie in two

    def test_uneven_shards(self):
        """Sizes around multiples of the batch: count, and each chip once."""
        for chips in range(1, 41):
            for world in (1, 2, 3, 7):
                query = "SELECT row, chipid FROM chips LIMIT %d" % chips
                try:
                    shards = [order(self.db, 4, '{"shard": [%d, %d]}' % (r, world), query) for r in range(world)]
                except sqlite3.OperationalError:
                    self.assertLess(chips // world, -(-(-(-chips // world)) // 4))  # fewer chips than batches
                    continue
                self.assertEqual(1, len({len(s) for s in shards}))
                self.assertEqual(self.all[:chips], sorted((c for s in shards for c in flat(s)), key=self.all.index))
                self.assertTrue(all(b for s in shards for b in s))

    def test_resuming_gives_the_tail(self):
        for more in ({}, {"drop_last": True}, {"shard": [1, 2]}):
            options = {"shuffle": 6, **more}
            whole = order(self.db, 60, json.dumps(options))
            for k in (0, 1, 5, len(whole) - 1, len(whole), 10**6):
                self.assertEqual(whole[k:], order(self.db, 60, json.dumps({**options, "start": k})), k)
        got = [p for p, in self.db.execute("SELECT position " + BATCHES, ("SELECT row FROM chips", 60, '{"start": 17}'))]
        self.assertEqual([17, 18, 19], got)

    def test_drop_last(self):
        self.assertEqual([100] * 11, [len(b) for b in order(self.db, 100, '{"drop_last": true, "shuffle": 1}')])
        self.assertEqual([], order(self.db, 2000, '{"drop_last": true}'))

    def test_nothing_gives_nothing(self):
        self.assertEqual([], order(self.db, 5, '{"shuffle": 1}', "SELECT row, chipid FROM chips WHERE 0"))
        self.assertEqual([], order(self.db, 5, "{}", "SELECT NULL, 1 AS chipid"))
        self.assertEqual([], self.db.execute("SELECT * " + BATCHES, (None, 5, None)).fetchall())

    def test_rowids_and_handles_of_other_kinds(self):
        by_rowid = order(self.db, 50, '{"table": "chips", "shuffle": 11}', "SELECT rowid, chipid FROM chips")
        self.assertEqual(order(self.db, 50, '{"shuffle": 11}'), by_rowid)
        self.db.execute("CREATE TEMP TABLE IF NOT EXISTS loose AS SELECT row, chipid FROM stacchip_index(?, '{\"max_nodata\": 1}')", (os.path.join(web.scene("sentinel-2", 4500), "item.json"),))
        loose = order(self.db, 50, '{"shuffle": {"seed": 1, "mix": 0}}', "SELECT row, chipid FROM loose")
        self.assertEqual([c for c, in self.db.execute("SELECT chipid FROM loose JOIN (SELECT chipid, item, chip_index_x x, chip_index_y y FROM stacchip_index(?, '{\"max_nodata\": 1}')) USING (chipid) ORDER BY stacchip_hash(1, item, x, y)", (os.path.join(web.scene("sentinel-2", 4500), "item.json"),))], flat(loose))
        item = self.db.execute("SELECT row FROM loose LIMIT 1").fetchone()[0]
        center = json.dumps({"item": json.loads(item)["item"], "center": self.db.execute("SELECT json_array(X(ST_Centroid(geometry)), Y(ST_Centroid(geometry))) FROM chips LIMIT 1 OFFSET 40").fetchone()[0]}).replace('"[', "[").replace(']"', "]")
        got = [json.loads(e)["n"] for e, in self.db.execute("SELECT extra " + BATCHES, ("SELECT '%s', 1 AS n UNION ALL SELECT row, 2 FROM chips LIMIT 3" % center.replace("'", "''"), 2, '{"shuffle": 1}'))]
        self.assertEqual([1, 2, 2], sorted(n for b in got for n in b))

    def test_extra_is_what_the_query_gave(self):
        values = [None, 0, -7, 2**63 - 1, 0.1, -1e300, 'a"b\nc\\d', "é€𝄞", "", float("inf")]
        self.db.execute("CREATE TEMP TABLE v(i INTEGER, v)")
        self.db.executemany("INSERT INTO v VALUES (?, ?)", list(enumerate(values)))
        query = "SELECT row, v, i AS \"the \"\"i\"\"\" FROM v JOIN (SELECT row, row_number() OVER () - 1 AS i FROM chips LIMIT 10) USING (i) ORDER BY i"
        rows = [json.loads(e) for e, in self.db.execute("SELECT extra " + BATCHES, (query, 4, None))]
        self.assertEqual(values, [v for r in rows for v in r["v"]])
        self.assertEqual([["v", 'the "i"']] * 3, [list(r) for r in rows])
        self.assertEqual([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]], [r['the "i"'] for r in rows])
        self.assertEqual([("{}",)], self.db.execute("SELECT extra " + BATCHES, ("SELECT row FROM chips LIMIT 2", 2, None)).fetchall())

    def test_arguments_and_errors(self):
        ok = "SELECT row FROM chips"
        for query, n, options, error in (
                (ok, 0, None, "n: expected a whole number from 1 to 1000000, found 0"),
                (ok, "12", None, "n: expected a whole number .* found 12"),
                (ok, None, None, "found NULL"),
                (ok, 8, '{"foo": 1}', "unknown option 'foo'; options: .*shuffle.*into"),
                (ok, 8, '{"shuffle": "x"}', "option 'shuffle': expected a whole number, the seed, or"),
                (ok, 8, '{"shuffle": 1.5}', "option 'shuffle'"),
                (ok, 8, '{"shuffle": {"mix": -1}}', "'mix': expected a whole number from 0 to 4096, found -1"),
                (ok, 8, '{"shuffle": {"blocks": 1}}', "unknown option 'blocks'; options: seed, mix"),
                (ok, 8, '{"shard": [2, 2]}', r"option 'shard': expected \[rank, world\]"),
                (ok, 8, '{"shard": 1}', r"option 'shard': expected \[rank, world\]"),
                (ok, 8, '{"start": -1}', "option 'start'"),
                (ok, 8, '{"ahead": 65}', "option 'ahead': expected a whole number from 0 to 64"),
                (ok, 8, '{"format": "png"}', "'png' is not one of npy, npz, raw"),
                (ok, 8, '{"valid": true}', "option 'valid' is for the format npz"),
                ("SELECT", 8, None, "the query: .*incomplete input"),
                ("DELETE FROM chips", 8, None, "expected one whose first column is a chip's handle"),
                ("", 8, None, "expected one whose first column is a chip's handle"),
                ("SELECT 4", 8, None, "a rowid needs the option 'table'"),
                ("SELECT row, x'00' AS b FROM chips", 8, None, "the query's column 'b' is a BLOB"),
                ("SELECT row, 1 AS b, 2 AS b FROM chips", 8, None, "two columns of the query are named 'b'"),
                ("SELECT 'nonsense'", 8, None, "batch 0: position 0: "),
                ("SELECT 4711", 8, '{"table": "chips"}', "batch 0: position 0: rowid 4711: chips has no chip"),
                ("SELECT row FROM nowhere", 8, None, "no such table: nowhere")):
            with self.assertRaisesRegex(sqlite3.Error, error):
                self.db.execute("SELECT batch " + BATCHES, (query, n, options)).fetchall()
        with self.assertRaisesRegex(sqlite3.Error, "needs a query and the number of chips"):
            self.db.execute("SELECT * FROM stacchip_batches").fetchall()

    def test_a_schema_may_not_ask_for_it(self):
        path = os.path.join(tempfile.mkdtemp(), "a.db")
        db = host.connect(path)
        db.execute("CREATE VIEW v AS SELECT * FROM stacchip_batches('SELECT 1', 1)")
        with self.assertRaisesRegex(sqlite3.OperationalError, "unsafe use"):
            db.execute("SELECT * FROM v").fetchall()


class Pixels(unittest.TestCase):
    """The demo scene: 6 x 6 chips."""

    @classmethod
    def setUpClass(cls):
        cls.db = merged(DEMO, ["a", "b", "c"])
        cls.db.execute("CREATE TABLE one AS SELECT chipid, row, stacchip_chip(row, '{%s}') AS chip FROM chips" % RED)
        cls.chips = {c: load(b)[0] for c, b in cls.db.execute("SELECT chipid, chip FROM one")}
        cls.query = "SELECT row, chipid FROM chips"

    def check(self, rows):
        seen = []
        for array, extra in rows:
            names = json.loads(extra)["chipid"]
            self.assertEqual((len(names), 1, 256, 256), array.shape)
            for name, pixels in zip(names, array):
                self.assertTrue(name not in self.chips or (pixels[0] == self.chips[name]).all())
            seen += names
        return seen

    def test_batches_are_their_chips(self):
        for n in (1, 7, 36, 200):
            for options in ("{%s}", '{%s, "shuffle": 1}', '{%s, "shuffle": {"seed": 1, "mix": 0}}', '{%s, "shuffle": {"mix": 2}, "ahead": 0}', '{%s, "shuffle": {"mix": 2}, "ahead": 9}'):
                rows = self.db.execute("SELECT batch, extra " + BATCHES, (self.query, n, options % RED))
                self.assertEqual(sorted(self.chips), sorted(self.check((load(b), e) for b, e in rows)))

    def test_all_bands_and_formats(self):
        wanted = self.db.execute("SELECT stacchip_stack(row, '{\"format\": \"npz\", \"scale\": true}') FROM (SELECT row FROM chips LIMIT 5)").fetchone()[0]
        batch, = self.db.execute("SELECT batch " + BATCHES, ("SELECT row FROM chips LIMIT 5", 5, '{"format": "npz", "scale": true}')).fetchone()
        self.assertEqual(wanted, batch)
        raw, = self.db.execute("SELECT batch " + BATCHES, ("SELECT row FROM chips LIMIT 5", 5, '{"format": "raw"}')).fetchone()
        npy, = self.db.execute("SELECT batch " + BATCHES, ("SELECT row FROM chips LIMIT 5", 5, None)).fetchone()
        self.assertEqual(load(npy).tobytes(), raw)

    def test_equal_on_any_number_of_threads(self):
        got = []
        for n in (1, 2, 5):
            self.db.execute("SELECT stacchip_config('threads', ?)", (n,))
            got.append(self.db.execute("SELECT batch, extra " + BATCHES, (self.query, 20, '{%s, "shuffle": 4}' % RED)).fetchall())
        self.assertTrue(got[0] == got[1] == got[2])

    def test_a_batch_outlives_its_row(self):
        """A bare column beside max() is that of an earlier row; two columns may show one batch."""
        position, batch = self.db.execute("SELECT min(position), batch " + BATCHES, (self.query, 20, "{%s}" % RED)).fetchone()
        self.assertEqual(0, position)
        self.check([(load(batch), json.dumps({"chipid": [c for c, in self.db.execute("SELECT chipid FROM chips LIMIT 20")]}))])
        for a, b, n in self.db.execute("SELECT batch, batch, length(batch) " + BATCHES, (self.query, 20, "{%s}" % RED)):
            self.assertTrue(a == b and len(a) == n)
        rows = [r for r, in self.db.execute("SELECT batch FROM (SELECT position, batch " + BATCHES + " ORDER BY position DESC)", (self.query, 20, "{%s}" % RED))]
        self.assertEqual(6, len(rows))

    def test_failures_name_batch_and_chip(self):
        folder = tempfile.mkdtemp()
        broken = json.loads(item_text(DEMO, "broken"))
        with open(broken["assets"]["red"]["href"], "rb") as f:
            data = bytearray(f.read())
        data[len(data) // 3:] = bytes(len(data) - len(data) // 3)
        broken["assets"]["red"]["href"] = os.path.join(folder, "red.tif")
        with open(broken["assets"]["red"]["href"], "wb") as f:
            f.write(data)
        gone = json.loads(item_text(DEMO, "gone"))
        gone["assets"]["red"]["href"] = os.path.join(folder, "nothing.tif")
        db = merged(DEMO, ["a"])
        for item in (broken, gone):
            db.execute("INSERT INTO chips(item_json) VALUES (?)", (json.dumps(item),))
        for item, why in (("broken", "red.tif"), ("gone", "nothing.tif")):
            query = "SELECT row, chipid FROM chips WHERE item IN ('a', '%s')" % item
            for shuffle in ("null", "1"):
                options = lambda on_error: '{%s, "shuffle": %s, "on_error": "%s"}' % (RED, shuffle, on_error)
                with self.assertRaisesRegex(sqlite3.Error, r"batch \d+: position \d+: chip \(\d+, \d+\): .*" + why):
                    db.execute("SELECT batch " + BATCHES, (query, 6, options("abort"))).fetchall()
                kept = self.check((load(b), e) for b, e in db.execute("SELECT batch, extra " + BATCHES, (query, 6, options("skip"))) if b)
                self.assertLessEqual({c for c in self.chips if c.startswith("a-")}, set(kept))
                self.assertNotIn(item + "-5-5", kept)
                rows = db.execute("SELECT n, batch, extra " + BATCHES, (query, 6, options("null"))).fetchall()
                self.assertEqual(12, len(rows))
                self.assertTrue(any(b is None for _, b, _ in rows))
                self.assertTrue(all(n == len(json.loads(e)["chipid"]) == (len(load(b)) if b else 0) for n, b, e in rows))

    def test_batches_behind_one_that_failed(self):
        """They have their own chips, whatever was left of the one that is NULL."""
        without = json.loads(item_text(DEMO, "without"))
        without["assets"]["other"] = {**without["assets"].pop("red"), "eo:bands": [{"name": "B99"}]}
        db = merged(DEMO, ["a"])
        db.execute("INSERT INTO chips(item_json) VALUES (?)", (json.dumps(without),))
        query = "SELECT row, chipid FROM chips WHERE item = 'a' OR chipid IN ('without-3-3', 'without-1-1')"
        for seed in range(8):
            options = '{%s, "shuffle": {"seed": %d, "mix": 4}, "on_error": "null"}' % (RED, seed)
            batches = db.execute("SELECT n, batch, extra " + BATCHES, (query, 3, options)).fetchall()
            self.assertEqual(13, len(batches))
            self.assertIn(sum(b is None for _, b, _ in batches), (1, 2))
            self.check((load(b), e) for _, b, e in batches if b)

    def test_a_batch_of_many_scenes_that_failed(self):
        """Threads hold the blocks of its chips still: more scenes than a connection keeps are not closed under them."""
        db = merged(DEMO, ["many%d" % i for i in range(70)])
        db.execute("INSERT INTO chips(item_json) VALUES (?)", (item_text(DEMO, "none").replace(os.path.join(DEMO, "red.tif"), "/nothing.tif"),))
        query = "SELECT row, 'a' || substr(chipid, -4) AS chipid FROM chips WHERE chip_index_y = 2 AND chip_index_x IN (2, 3)"
        for seed in range(2):
            options = '{%s, "shuffle": {"seed": %d, "mix": 99}, "on_error": "null"}' % (RED, seed)
            batches = db.execute("SELECT batch, extra " + BATCHES, (query, 140, options)).fetchall()
            self.assertIsNone(batches[0][0])
            self.check((load(b), e) for b, e in batches if b)

    def test_an_archive_of_no_chips(self):
        """It is one that NumPy reads, as that of a stack."""
        gone = item_text(DEMO, "none").replace(os.path.join(DEMO, "red.tif"), "/nothing.tif")
        db = merged(DEMO, ["a"])
        db.execute("INSERT INTO chips(item_json) VALUES (?)", (gone,))
        query, options = "SELECT row FROM chips WHERE item = 'none'", '{%s, "format": "npz", "on_error": "skip", "null": "%s"}'
        for null in ("skip", "fill"):
            stack = db.execute("SELECT stacchip_stack(row, ?) FROM (%s)" % query, (options % (RED, null),)).fetchone()
            for blob, in [stack, *db.execute("SELECT batch " + BATCHES, (query, 36, options % (RED, null)))]:
                arrays = load(blob)
                self.assertEqual([0] * len(arrays.files), [len(arrays[name]) for name in arrays.files])

    def test_rowids_that_are_not_there(self):
        for shuffle in ("null", "1", '{"mix": 0}'):
            for query in ("SELECT 77777", "SELECT -1 UNION ALL SELECT 77777"):
                options = '{%s, "table": "chips", "shuffle": %s, "on_error": "%%s"}' % (RED, shuffle)
                self.assertEqual([(0, None)], self.db.execute("SELECT n, batch " + BATCHES, (query, 3, options % "null")).fetchall())
                with self.assertRaisesRegex(sqlite3.Error, "batch 0: position 0: rowid (-1|77777): .*no chip with rowid"):
                    self.db.execute("SELECT n, batch " + BATCHES, (query, 3, options % "abort")).fetchall()

    def test_it_nests_and_joins(self):
        nested = "SELECT row FROM (SELECT count(*) AS n FROM stacchip_batches('SELECT row FROM chips', 36, ''{\"assets\": [\"red\"]}'')), chips LIMIT 36".replace("''", "'")
        self.assertEqual(3, self.db.execute("SELECT count(*) " + BATCHES, (nested, 12, "{%s}" % RED)).fetchone()[0])
        got = self.db.execute("SELECT q.n, count(b.batch) FROM (SELECT 12 AS n UNION ALL SELECT 18) q, stacchip_batches('SELECT row FROM chips', q.n, '{%s}') b GROUP BY q.n" % RED).fetchall()
        self.assertEqual([(12, 9), (18, 6)], got)


class Into(unittest.TestCase):
    """Pixels in the caller's memory."""

    @classmethod
    def setUpClass(cls):
        cls.db = merged(DEMO, ["a", "b"])
        cls.query = "SELECT row, chipid FROM chips"
        cls.wanted = [load(b) for b, in cls.db.execute("SELECT batch " + BATCHES, (cls.query, 10, '{%s, "shuffle": 1}' % RED))]
        cls.bytes = 10 * 2 * 65536

    def memory(self, kind, size):
        if kind == "tmpfs":
            f = tempfile.NamedTemporaryFile(dir="/dev/shm", delete=False)
            fd = os.dup(f.fileno())
            os.unlink(f.name)
        else:
            fd = os.memfd_create("batches", os.MFD_ALLOW_SEALING if kind == "sealable" else 0)
        os.ftruncate(fd, size)
        self.addCleanup(os.close, fd)
        return fd

    def read(self, fd, **into):
        options = json.dumps({"assets": ["red"], "shuffle": 1, "into": {"fd": fd, **into}})
        return self.db.execute("SELECT batch " + BATCHES, (self.query, 10, options))

    def view(self, fd, batch):
        b = json.loads(batch)
        self.assertEqual({"offset", "shape", "dtype"}, set(b))
        return b["offset"], numpy.frombuffer(os.pread(fd, self.bytes, b["offset"]), b["dtype"])[:numpy.prod(b["shape"])].reshape(b["shape"])

    def test_pixels_lie_in_slots_until_the_row_after_next(self):
        """Python's cursor is a row ahead: it has stepped to the next row when it gives one. So a slot is looked at until it gives the next."""
        for kind in ("sealable", "unsealable", "tmpfs"):
            for slots, offset in ((3, 0), (3, 4096), (5, 64)):
                size = slots * self.bytes
                fd, used = self.memory(kind, offset + size), []
                for k, (batch,) in enumerate(self.read(fd, offset=offset, bytes=size, slots=slots)):
                    at, array = self.view(fd, batch)
                    used.append(at)
                    time.sleep(0.02)  # readers ahead may write meanwhile, but not here
                    self.assertTrue((self.view(fd, batch)[1] == self.wanted[k]).all(), (kind, slots, k))
                self.assertEqual(len(self.wanted), len(used))
                self.assertEqual(slots, len(set(used)))
                self.assertTrue(all(at >= offset and at % 64 == 0 for at in used))

    def test_what_is_no_shared_memory_is_refused(self):
        plain = os.open(os.path.join(tempfile.mkdtemp(dir=os.path.join(host.ROOT, "build")), "f"), os.O_RDWR | os.O_CREAT)
        self.addCleanup(os.close, plain)
        os.write(plain, b"precious")
        os.ftruncate(plain, 4 * self.bytes)
        sealed, small = self.memory("sealable", 4 * self.bytes), self.memory("sealable", 3 * self.bytes - 1)
        fcntl.fcntl(sealed, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
        read_only = os.open("/proc/self/fd/%d" % self.memory("sealable", 4 * self.bytes), os.O_RDONLY)
        self.addCleanup(os.close, read_only)
        pipe, other = os.pipe()
        self.addCleanup(os.close, pipe)
        self.addCleanup(os.close, other)
        for fd, error in ((plain, "is no shared memory: expected a memfd"), (pipe, "is no shared memory"), (987654, "Bad file descriptor"),
                          (sealed, "must be open for reading and writing"), (read_only, "must be open for reading and writing"),
                          (small, "has 3932159 bytes, expected offset .* = 3932160")):
            with self.assertRaisesRegex(sqlite3.Error, "option 'into': .*" + error):
                self.read(fd, bytes=3 * self.bytes).fetchall()
        self.assertEqual(b"precious", os.pread(plain, 8, 0))
        good = self.memory("sealable", 8 * self.bytes)
        for into, error in (({"bytes": 3 * self.bytes - 64}, "takes 1310720 bytes, a slot has 1310656: 'bytes' must be at least 3932160 for 3 slots"),
                            ({}, "'bytes' is missing"), ({"bytes": 10, "slots": 1}, "'slots': expected a whole number from 2 to 64"), ({"bytes": 1, "x": 1}, "unknown option 'x'; options: fd, offset, bytes, slots")):
            with self.assertRaisesRegex(sqlite3.Error, error):
                self.read(good, **into).fetchall()
        with self.assertRaisesRegex(sqlite3.Error, "option 'format' has no use with 'into'"):
            self.db.execute("SELECT batch " + BATCHES, (self.query, 10, json.dumps({"format": "npy", "into": {"fd": good, "bytes": 3 * self.bytes}}))).fetchall()

    def test_shrinking_does_not_kill(self):
        """A file that can be sealed no longer shrinks; one that cannot is written, not mapped."""
        fd = self.memory("sealable", 3 * self.bytes)
        rows = self.read(fd, bytes=3 * self.bytes)
        next(rows)
        with self.assertRaises(OSError):
            os.ftruncate(fd, 0)
        rows.close()
        fd = self.memory("tmpfs", 3 * self.bytes)
        rows = self.read(fd, bytes=3 * self.bytes)
        next(rows)
        os.ftruncate(fd, 0)
        self.assertEqual(len(self.wanted) - 1, len(rows.fetchall()))


@unittest.skipUnless(web.NGINX, "nginx is not there")
class Remote(unittest.TestCase):
    """What a superblock of 64 chips of ten bands asks of a server."""

    @classmethod
    def setUpClass(cls):
        folder = web.scene("sentinel-2", 4500)
        cls.server = web.Nginx(os.path.dirname(folder))
        cls.item = f"{cls.server.url}/{os.path.basename(folder)}/item.json"
        cls.path = os.path.join(tempfile.mkdtemp(), "chips.db")
        web.cold(cls.path, ["CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1, headers=eager)"], ["INSERT INTO chips(item_json) VALUES (?)", [cls.item]])

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def asked(self, n, shuffle):
        """(requests, bytes) of an epoch of the first superblock in a process that knows nothing yet."""
        self.server.clear()
        query = "SELECT row FROM chips WHERE chip_index_x < 8 AND chip_index_y < 8"
        options = json.dumps({"shuffle": shuffle, "assets": ["blue", "green", "red", "nir", "rededge1", "rededge2", "rededge3", "nir08", "swir16", "swir22"]})
        self.assertLess(64 * 10 * 2 * 65536, web.cold(self.path, ["SELECT sum(length(batch)) " + BATCHES, [query, n, options]]))
        log = self.server.log()
        return len(log), sum(e.sent for e in log)

    def test_each_block_is_asked_for_once(self):
        for n in (64, 16, 5):
            requests, size = self.asked(n, 1)
            self.assertGreater(requests, 0)
            self.assertLessEqual(requests, 20, n)
            self.assertLessEqual(size, 64 * 600000, n)


IN_CHILD = """
import sys; sys.path[:0] = [%r, %r]
import test_batches as t
print(t.child_reads(None))
"""


def child_reads(_):
    """A connection of the child's own."""
    db = merged(DEMO, ["a"])
    return sum(load(b).shape[0] for b, in db.execute("SELECT batch " + BATCHES, ("SELECT row FROM chips", 7, '{%s, "shuffle": 1}' % RED)))


class Left(unittest.TestCase):
    """Nothing is left behind, whatever ends an epoch."""

    def setUp(self):
        self.db = merged(DEMO, ["a", "b"])
        self.read().fetchall()  # the pool, files

    def read(self, options='{%s, "shuffle": 1, "ahead": 3}' % RED, query="SELECT row FROM chips"):
        return self.db.execute("SELECT batch " + BATCHES, (query, 6, options))

    def test_closing_early_leaves_no_thread_descriptor_or_memory(self):
        fd = os.memfd_create("b", os.MFD_ALLOW_SEALING)
        self.addCleanup(os.close, fd)
        os.ftruncate(fd, 1 << 23)
        many = '{%s, "shuffle": 1, "into": {"fd": %d, "bytes": %d}}' % (RED, fd, 1 << 23)

        def close_early(options):
            rows = self.read(options)
            next(rows), next(rows)
            rows.close()

        def fail():
            with self.assertRaises(sqlite3.Error):
                self.read(query="SELECT row FROM chips UNION ALL SELECT 'x' FROM chips").fetchall()

        ways = [lambda: close_early('{%s, "shuffle": 1, "ahead": 3}' % RED), lambda: close_early(many), lambda: self.db.execute("SELECT batch " + BATCHES + " LIMIT 1", ("SELECT row FROM chips", 6, None)).fetchall(), fail]
        for way in ways:
            way()
        n_threads, n_descriptors = threads(), descriptors()
        used = self.rss()
        for _ in range(40):
            for way in ways:
                way()
        self.assertEqual(n_threads, threads())
        self.assertEqual(n_descriptors, descriptors())
        self.assertLess(self.rss() - used, (400 if os.environ.get("VARIANT") == "asan" else 40) << 20)  # it keeps what was freed

    @staticmethod
    def rss():
        with open("/proc/self/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def test_an_interrupt_ends_it(self):
        server = web.Scripted(fault=lambda r: (lambda h: (time.sleep(20), h.drop())))
        item = json.loads(item_text(DEMO, "far"))
        for asset in item["assets"].values():
            asset["href"] = server.url + "/x.tif"
        db = merged(DEMO, [])
        n = threads()
        timer = threading.Timer(0.4, db.interrupt)
        timer.start()
        begun = time.time()
        handle = json.dumps({"item": item, "chip_index_x": 1, "chip_index_y": 1}).replace("'", "''")
        with self.assertRaisesRegex(sqlite3.OperationalError, "interrupt"):
            db.execute("SELECT batch " + BATCHES, ("SELECT '%s' UNION ALL SELECT '%s'" % (handle, handle), 1, "{%s}" % RED)).fetchall()
        timer.join()
        self.assertLess(time.time() - begun, 10)
        db.close()
        server.close()
        self.assertLessEqual(threads(), n + 3)  # the server's

    def test_an_interrupt_between_rows(self):
        rows = self.read()
        next(rows)
        self.db.interrupt()
        with self.assertRaises(sqlite3.OperationalError):
            rows.fetchall()
        self.assertEqual(12, len(self.read().fetchall()))

    def test_fork_and_spawn(self):
        rows = self.read()
        next(rows)
        pid = os.fork()
        if pid == 0:  # the cursor is the parent's: the child may close it, and opens a connection of its own
            signal.alarm(60)
            try:
                rows.close()
                self.db.close()
            except sqlite3.Error:
                pass
            os._exit(0 if child_reads(None) == 36 else 1)
        self.assertEqual(0, os.waitpid(pid, 0)[1])
        self.assertEqual(11, len(rows.fetchall()))
        with multiprocessing.get_context("fork").Pool(2) as pool:
            self.assertEqual([36, 36, 36], pool.map(child_reads, [None] * 3))
        code = IN_CHILD % (os.path.join(host.ROOT, "tests", "support"), os.path.dirname(os.path.abspath(__file__)))
        self.assertEqual("36", subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120).stdout.strip())

    def test_a_step_in_the_child_is_an_error(self):
        rows = self.read()
        next(rows)
        pid = os.fork()
        if pid == 0:
            signal.alarm(60)
            try:
                rows.fetchone()
            except sqlite3.Error as e:
                os._exit(0 if "before fork()" in str(e) else 2)
            os._exit(1)
        self.assertEqual(0, os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    host.main()
