"""Random writes to a merged index, with savepoints, failures and a second connection, against a model in Python.

SEED and N (steps) choose another walk than the short one of `make test`: see `make check-writes`.
"""
import json
import os
import random
import sqlite3
import tempfile
import unittest

import host
from merge_rows import check, polygon

N = int(os.environ.get("N") or 800)
SEED = int(os.environ.get("SEED") or 9)
CONFLICTS = ("", "", "OR ABORT", "OR REPLACE", "OR REPLACE", "OR IGNORE", "OR IGNORE", "OR FAIL", "OR ROLLBACK")
COLUMNS = ("platform, item, date, chip_index_x, chip_index_y, cloud_cover_percentage, nodata_percentage, geometry,"
           " datetime, collection")
SELECT = "SELECT " + COLUMNS + " FROM c"
MARKS = "(" + ",".join("?" * 10) + ")"
TABLE = "CREATE VIRTUAL TABLE c USING stacchip_merge(chip_size=64, platform=none, max_nodata=1)"


class Refused(Exception):
    """The model says that the statement fails; `state` is what is left of it."""

    def __init__(self, state, rolls_back=False):
        super().__init__()
        self.state, self.rolls_back = state, rolls_back


def identity(row):
    return row[0], row[1], row[9] or "", row[3], row[4]


class State:
    """What the tables hold: items by (collection, platform, id), each with date, datetime and chips by position."""

    def __init__(self, items=None, errors=(), on_error="abort"):
        self.items, self.errors, self.on_error = items or {}, frozenset(errors), on_error

    def copy(self):
        items = {k: (date, time, dict(chips)) for k, (date, time, chips) in self.items.items()}
        return State(items, self.errors, self.on_error)

    def rows(self):
        return sorted(((k[1], k[2], date, x, y, cloud, nodata, geometry, time, k[0])
                       for k, (date, time, chips) in self.items.items()
                       for (x, y), (cloud, nodata, geometry) in chips.items()), key=identity)

    def put(self, row, replace):
        """A row; False where its chip is there already."""
        platform, item, date, x, y, cloud, nodata, geometry, time, collection = row
        chips = self.items.setdefault((collection, platform, item), (date, time, {}))[2]
        if (x, y) in chips and not replace:
            return False
        chips[x, y] = (cloud, nodata, geometry)
        return True

    def delete(self, passes):
        for key, (date, _, chips) in list(self.items.items()):
            for (x, y), (cloud, nodata, geometry) in list(chips.items()):
                if passes(key, date, x, y, cloud, nodata, geometry):
                    del chips[x, y]
            if not chips:
                del self.items[key]


class Walk:
    def __init__(self, seed, path):
        self.pick, self.path, self.log = random.Random(seed), path, []
        self.db, self.other = self.open(), None
        self.db.execute(TABLE)
        self.db.execute("PRAGMA journal_mode = " + self.pick.choice(("delete", "wal")))
        self.state = self.committed = State()
        self.savepoints, self.in_begin = [], False
        self.indexed, self.plain = {}, host.connect()

    def open(self):
        db = host.connect(self.path)
        db.execute("PRAGMA busy_timeout = 0")
        return db

    # ---- what is written ----

    def row(self):
        p = self.pick
        item, x, y = p.randrange(6), p.choice((0, 1, 2, 7, 8, 9, 30)), p.randrange(12)
        place = p.choice((0, 0, 0, 1e-4, -2e-3))
        return ("s2", "I%d" % item, p.choice(("2024-01-0%d" % (item + 1),) * 3 + (None, "2023-12-31")), x, y,
                p.choice((None, p.randrange(65) / 64)), p.choice((None, 0.0, .5)),
                polygon(item * 20 - 50 + x * .1 + place, y * .1 - place, .1, .1), None, p.choice((None,) * 5 + ("col",)))

    def bad_row(self):
        row, at = list(self.row()), self.pick.randrange(4)
        if at == 0:
            row[3] = -1
        elif at == 1:
            row[5] = 7.5
        elif at == 2:
            row[7] = b"nothing"
        else:
            row[1] = ""
        return tuple(row)

    def item(self):
        """The text of an item, and its rows as stacchip_index() has them; None where it cannot be indexed."""
        p = self.pick
        number = p.randrange(5)
        shape = [64 * p.randrange(1, 5), 64 * p.randrange(1, 12)]
        asset = {"href": "/nowhere/a.tif", "type": "image/tiff", "proj:shape": shape}
        if p.random() < .85:
            asset["proj:transform"] = [1e-3, 0, number * 20 - 50, 0, -1e-3, 30 + p.randrange(3) / 4]
        text = json.dumps({"type": "Feature", "stac_version": "1.0.0", "id": "J%d" % number, "geometry": None,
                           "links": [], "collection": p.choice(("a", "b")), "assets": {"a": asset},
                           "properties": {"datetime": "2024-02-0%dT01:02:03Z" % p.randrange(1, 4), "proj:epsg": 4326}})
        if text not in self.indexed:
            try:
                self.indexed[text] = self.plain.execute(
                    "SELECT " + COLUMNS + " FROM stacchip_index(?, '{\"chip_size\":64,\"platform\":\"none\"}')",
                    (text,)).fetchall()
            except sqlite3.Error:
                self.indexed[text] = None
        return text, self.indexed[text]

    # ---- statements: (sql, values, what the model makes of it) ----

    def insert_rows(self):
        many = self.pick.choice((1, 1, 1, 2, 7, 40))
        rows = [self.row() for _ in range(many)]
        if self.pick.random() < .15:
            rows[self.pick.randrange(many)] = self.bad_row()
        conflict = self.pick.choice(CONFLICTS)

        def model(state):
            after = state.copy()
            for row in rows:
                bad = row[3] < 0 or (row[5] or 0) > 1 or row[7] == b"nothing" or not row[1]
                if bad or not after.put(row, "REPLACE" in conflict):
                    if not bad and "IGNORE" in conflict:
                        continue
                    if not bad and "FAIL" in conflict:
                        raise Refused(after)
                    raise Refused(state, not bad and "ROLLBACK" in conflict)
            return after

        values = [v for row in rows for v in row]
        shape = self.pick.choice(("VALUES %s", "SELECT * FROM (VALUES %s)"))
        return ("INSERT %s INTO c(%s) " % (conflict, COLUMNS) + shape % ",".join([MARKS] * many), values, model)

    def insert_item(self):
        text, rows = self.item()
        conflict = self.pick.choice(CONFLICTS)
        return "INSERT %s INTO c(item_json) VALUES (?)" % conflict, (text,), lambda s: self.take_item(
            s, text, rows, conflict)

    def take_item(self, state, text, rows, conflict):
        after, stac = state.copy(), json.loads(text)
        key = (stac["collection"], "none", stac["id"])
        if rows is None:
            if state.on_error == "abort":
                raise Refused(state)
            after.errors |= {stac["id"]}
            return after
        if key in after.items and "REPLACE" not in conflict:
            if "IGNORE" in conflict:
                return after
            raise Refused(state, "ROLLBACK" in conflict)
        after.items.pop(key, None)
        after.errors -= {stac["id"]}
        for row in rows:
            after.put(row, False)
        return after

    def merge_items(self):
        pairs = {json.loads(t)["id"]: (t, r) for t, r in (self.item() for _ in range(self.pick.randrange(1, 4)))}
        replace = self.pick.random() < .3
        query = " UNION ALL ".join("SELECT " + self.plain.execute("SELECT quote(?)", (t,)).fetchone()[0]
                                   for t, _ in pairs.values())
        counts = {"merged": 0, "skipped": 0, "failed": 0}

        def model(state):
            after = state.copy()
            after.on_error = "record"
            for text, rows in pairs.values():
                stac = json.loads(text)
                there = (stac["collection"], "none", stac["id"]) in after.items
                what = "skipped" if there and not replace else "failed" if rows is None else "merged"
                counts[what] += 1
                if what != "skipped":
                    after = self.take_item(after, text, rows, "REPLACE" if replace else "")
            after.on_error = state.on_error
            return after

        options = json.dumps({"threads": self.pick.choice((1, 3)), "replace": replace})
        return "SELECT stacchip_merge_items('c', ?, ?)", (query, options), model, counts

    def delete(self):
        p = self.pick
        k, x, y, f = p.randrange(6), p.randrange(10), p.randrange(12), p.randrange(65) / 64
        box = (k * 20 - 50 + x * .1 + .03, y * .1 - .27, k * 20 - 50 + x * .1 + .38, y * .1 + .05)

        def meets(key, date, x, y, cloud, nodata, geometry):
            return self.plain.execute("SELECT ST_Intersects(?, BuildMbr(?, ?, ?, ?, 4326))", (geometry,) + box
                                      ).fetchone()[0] == 1

        where, passes = p.choice([
            ("item = 'I%d'" % k, lambda key, *_: key[2] == "I%d" % k),
            ("item = 'J%d' AND collection = 'a'" % k, lambda key, *_: key[2] == "J%d" % k and key[0] == "a"),
            ("chip_index_x > %d AND chip_index_y <= %d" % (x, y), lambda key, d, cx, cy, *_: cx > x and cy <= y),
            ("cloud_cover_percentage >= %r" % f, lambda key, d, cx, cy, cloud, *_: cloud is not None and cloud >= f),
            ("nodata_percentage IS NULL", lambda key, d, cx, cy, c, nodata, *_: nodata is None),
            ("chipid = 'I%d-%d-%d'" % (k, x, y), lambda key, d, cx, cy, *_: (key[2], cx, cy) == ("I%d" % k, x, y)),
            ("date = '2024-01-0%d'" % (k + 1), lambda key, date, *_: date == "2024-01-0%d" % (k + 1)),
            ("platform <> 's2' AND chip_index_y = %d" % y, lambda key, d, cx, cy, *_: key[1] != "s2" and cy == y),
            ("rowid IN (SELECT rowid FROM c WHERE item LIKE 'I%%' AND chip_index_y = %d)" % y,
             lambda key, d, cx, cy, *_: key[2][0] == "I" and cy == y),
            ("row IN (SELECT row FROM c WHERE item LIKE 'J%%' AND chip_index_x = %d)" % (x % 4),
             lambda key, d, cx, cy, *_: key[2][0] == "J" and cx == x % 4),
            ("chipid IN ('I%d-%d-%d', 'J%d-0-%d', 'I9-0-0', NULL, 7)" % (k, x, y, k, y),
             lambda key, d, cx, cy, *_: (key[2], cx, cy) in (("I%d" % k, x, y), ("J%d" % k, 0, y))),
            ("ST_Intersects(geometry, BuildMbr(%r, %r, %r, %r, 4326))" % box, meets),
            ("chip_index_y <> 3", lambda key, d, cx, cy, *_: cy != 3),
            ("item < 'I3'", lambda key, *_: key[2] < "I3"),
        ])

        def model(state):
            after = state.copy()
            after.delete(passes)
            return after

        return "DELETE FROM c WHERE " + where, (), model

    def command(self):
        name = self.pick.choice(("integrity-check", "rebuild", "optimize", "no such command", "on_error", "on_error"))
        mode = self.pick.choice(("record", "abort")) if name == "on_error" else None

        def model(state):
            if name == "no such command":
                raise Refused(state)
            after = state.copy()
            after.on_error = mode or state.on_error
            return after

        return "INSERT INTO c(c, rank) VALUES (?, ?)", (name, mode), model

    def update(self):
        def model(state):
            if state.items:
                raise Refused(state)
            return state

        return "UPDATE c SET cloud_cover_percentage = 1", (), model

    # ---- running them ----

    def write(self):
        makers = [self.insert_rows] * 8 + [self.insert_item] * 5 + [self.delete] * 6 + [self.command, self.merge_items,
                                                                                      self.merge_items, self.update]
        sql, values, model, *counts = self.pick.choice(makers)()
        before, rolls_back, fails = self.state, False, False
        try:
            after = model(before)
        except Refused as e:
            after, rolls_back, fails = e.state, e.rolls_back, True
        is_full = self.pick.random() < .04 and not counts and not fails
        if is_full:
            pages = self.db.execute("PRAGMA page_count").fetchone()[0]
            self.db.execute("PRAGMA max_page_count = %d" % (pages + self.pick.randrange(3)))
        self.log.append((sql[:200], "full" if is_full else "fails" if fails else ""))
        try:
            got = self.db.execute(sql, values).fetchall()
            assert not fails, "it did not fail"
            if counts:
                assert json.loads(got[0][0]) | counts[0] == json.loads(got[0][0]), (got, counts)
        except sqlite3.Error as e:
            if is_full:
                after, rolls_back = before, True
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
            elif not fails:
                raise AssertionError("%s: %s" % (sql[:200], e)) from e
        if is_full:
            self.db.execute("PRAGMA max_page_count = 1073741823")
        self.state = after
        if rolls_back:
            self.state, self.savepoints, self.in_begin = self.committed, [], False
        if not self.in_begin and not self.savepoints:
            self.committed = self.state
        assert self.db.in_transaction == (self.in_begin or bool(self.savepoints)), "transaction"

    def transact(self):
        p = self.pick
        if not self.in_begin and not self.savepoints and p.random() < .6:
            self.run(p.choice(("BEGIN", "BEGIN IMMEDIATE")))
            self.in_begin = True
        elif self.savepoints and p.random() < .6:
            at = p.randrange(len(self.savepoints))
            name, state = self.savepoints[at]
            del self.savepoints[at + 1:]
            if p.random() < .5:
                self.run("ROLLBACK TO " + name)
                self.state = state
            else:
                self.run("RELEASE " + name)
                del self.savepoints[at]
                if not self.savepoints and not self.in_begin:
                    self.committed = self.state
        elif len(self.savepoints) < 3 and p.random() < .5:
            self.run("SAVEPOINT s%d" % len(self.savepoints))
            self.savepoints.append(("s%d" % len(self.savepoints), self.state))
        elif self.in_begin or self.savepoints:
            if p.random() < .6:
                self.run("COMMIT")
                self.committed = self.state
            else:
                self.run("ROLLBACK")
                self.state = self.committed
            self.savepoints, self.in_begin = [], False

    def run(self, sql):
        self.log.append((sql, ""))
        self.db.execute(sql)

    def swap(self):
        """The other connection looks, and outside a transaction goes on in place of this one."""
        self.other = self.other or self.open()
        self.compare(self.other, self.committed)
        if self.in_begin or self.savepoints:
            return
        self.log.append(("other connection", ""))
        self.db, self.other = self.other, self.db
        if self.pick.random() < .2:
            self.db.close()
            self.db = self.open()

    def compare(self, db, state):
        want = state.rows()
        got = sorted(db.execute(SELECT), key=identity)
        for a, b in zip(want, got):
            assert a == b, (a, b)
        assert len(want) == len(got), (len(want), len(got), (want + got)[-1])
        errors = frozenset(r[0] for r in db.execute("SELECT item FROM c_error"))
        assert errors == state.errors, (state.errors, errors)
        for key in ("rowid", "row", "chipid"):
            found = db.execute("SELECT count(*) FROM c WHERE %s IN (SELECT %s FROM c)" % (key, key)).fetchone()[0]
            assert found == len(want), (key, found, len(want))
        n = db.execute("SELECT count(*), count(DISTINCT rowid), (SELECT count(*) FROM c_item), (SELECT count(*) FROM"
                       " c_chip) FROM c").fetchone()
        assert n == (len(want), len(want), len(state.items), len(want)), (n, len(want), len(state.items))

    def step(self):
        kind = self.pick.random()
        if kind < .75:
            self.write()
        elif kind < .93:
            self.transact()
        elif kind < .97:
            self.swap()
        else:
            self.compare(self.db, self.state)
            check(self.db, "c")

    def close(self):
        for db in (self.db, self.other, self.plain):
            if db:
                db.close()


class Model(unittest.TestCase):
    def test_random_writes(self):
        with tempfile.TemporaryDirectory() as folder:
            for part in range(0, N, 200):  # from an empty table again
                walk = Walk(SEED * 1000003 + part, os.path.join(folder, "%d.db" % part))
                for i in range(min(200, N - part)):
                    try:
                        walk.step()
                        if i % 20 == 19:
                            walk.compare(walk.db, walk.state)
                    except Exception as e:
                        raise AssertionError("SEED=%d, step %d: %r\nthe last steps:\n%s" % (
                            SEED, part + i, e, "\n".join("  %s %s" % s for s in walk.log[-12:]))) from e
                walk.close()


if __name__ == "__main__":
    host.main()
