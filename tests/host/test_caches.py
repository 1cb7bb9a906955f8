"""No error leaves anything behind in a cache: random sequences of failing and good calls on one connection, each answer compared
with that of a process which has not done anything yet. `make check-caches SEED= N=` for more than the short form of `make test`.

The files, items, rules and settings change between the calls; what a call answers depends on them alone, so the answers of fresh
processes are remembered by what the call looks at."""
import hashlib
import http.server
import json
import os
import pickle
import random
import re
import shutil
import signal
import socket
import sys
import tempfile
import unittest

import host
import numpy
import tiff


def deflated(path, array, **more):
    return tiff.write(path, array, **dict({"deflate": True, "transform": (10, 0, 500000, 0, -10, 5000000), "epsg": 32631}, **more))

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 30))
STEPS = int(os.environ.get("N") or 300)
SIDE = 96


# --- the files, each in several states; state 0 is the good one ---

def damaged(path, offset_from_end, n=40):
    size = os.path.getsize(path)
    with open(path, "r+b") as f:
        f.seek(size - offset_from_end)
        f.write(b"\xff" * n)


def cut(path, share):
    os.truncate(path, int(os.path.getsize(path) * share))


def pixels(seed, dtype="u2", side=SIDE, top=3000):
    return numpy.random.default_rng(seed).integers(1, top, (2, side, side)).astype(dtype)


def packbits(path):
    """A TIFF that only GDAL reads."""
    deflated(path, pixels(5), deflate=False, packbits=True, block=1)


def data_state(path, k):
    if k in (0, 1, 2, 3):
        deflated(path, pixels(7 if k != 1 else 8), block=(32, 32))
    if k == 2:
        damaged(path, 9000)
    if k == 3:
        cut(path, .6)
    if k == 4:
        with open(path, "w") as f:
            f.write("<html>not a raster</html>" * 20)
    if k == 5:
        deflated(path, pixels(7, side=80), block=16)
    if k == 6:
        packbits(path)
    if k == 7:
        packbits(path)
        cut(path, .7)
    if k == 8:
        deflated(path, pixels(7), block=(32, 32), epsg=32701)
    if k == 9:
        deflated(path, pixels(7)[0], block=SIDE)  # one band, strips
    # 10: the file is not there


def strip_state(path, k):
    """Strips of a whole file, of which a part decodes: good, damaged far down, damaged at once."""
    a = pixels(11)
    deflated(path, a, block=(SIDE, SIDE) if k != 3 else SIDE)
    if k == 1:
        damaged(path, 1200)
    if k == 2:
        damaged(path, os.path.getsize(path) - 700)


def mask_state(path, k):
    a = numpy.random.default_rng(3).integers(0, 6, (SIDE, SIDE)).astype("u1")
    if k == 0:
        deflated(path, a, block=(32, 32))
    if k == 1:
        deflated(path, a, block=(32, 32))
        damaged(path, 300)
    if k == 2:
        deflated(path, a.astype("f4") + .5, block=16)
    if k == 3:
        deflated(path, a.astype("u2") + 300, block=(32, 32))
    # 4: not there


def item_object(folder, k=0, url=None):
    shape, transform = [SIDE, SIDE], [10, 0, 500000, 0, -10, 5000000]
    assets = {"d": {"href": os.path.join(folder, "d.tif"), "type": "image/tiff"},
              "s": {"href": os.path.join(folder, "s.tif"), "type": "image/tiff"},
              "m": {"href": os.path.join(folder, "m.tif"), "type": "image/tiff"}}
    if url:
        assets["r"] = {"href": url + "/r.tif", "type": "image/tiff"}
    for a in assets.values():
        a.update({"proj:shape": shape, "proj:transform": transform})
    item = {"type": "Feature", "stac_version": "1.0.0", "id": "one", "collection": "mine", "geometry": None, "links": [],
            "properties": {"datetime": "2024-05-06T07:08:09Z", "proj:epsg": 32631}, "assets": assets}
    if k == 2:
        for a in assets.values():
            del a["proj:shape"], a["proj:transform"]
        del item["properties"]["proj:epsg"]
    if k == 3:
        item["properties"]["proj:epsg"] = 999999
    if k == 4:
        assets["d"]["href"] = os.path.join(folder, "nowhere.tif")
    if k == 5:
        del assets["m"]
    if k == 6:
        for a in assets.values():
            a["proj:shape"] = [0, 0]
    return item


def item_state(path, k):
    text = json.dumps(item_object(os.path.dirname(path), k))
    if k == 1:
        text = text[:len(text) // 2]
    if k != 7:  # 7: not there
        with open(path, "w") as f:
            f.write(text)


FILES = {"d.tif": (data_state, 11), "s.tif": (strip_state, 4), "m.tif": (mask_state, 5), "i.json": (item_state, 8)}
RULES = [None, {"mask": "m", "cloud": "v = 2", "nodata": "v = 0"}, {"mask": "m", "cloud": "v > 2", "nodata": "nd"},
         {"mask": "no such", "cloud": "v = 2"}, {"cloud": "0", "nodata": "0", "assets": ["s"]}, {"mask": "m", "cloud": "abs(-9223372036854775808)"}]
SETTINGS = {"verify": ["0", "1"], "local_roots": ["allow", "deny"]}
UNSEEN = {"threads": ["1", "3"], "cache_bytes": ["0", "5000", "268435456"]}  # of these no answer depends


# --- what is asked ---

def row(item, x, y, size=32, **more):
    return json.dumps(dict({"item": item, "chip_index_x": x, "chip_index_y": y, "chip_size": size}, **more))


def questions(rng, folder):
    """One question: the SQL, its arguments, and the names of what its answer depends on."""
    path = os.path.join(folder, "i.json")
    item = rng.choice([path, path, os.path.join(folder, "d.tif"), item_object(folder), item_object(folder, rng.randrange(7))])
    x, y, size = rng.choice([0, 0, 1, 2, 2, 5, -1]), rng.choice([0, 1, 2, 9]), rng.choice([16, 32, 32, 32, 40, 96])
    handle = {"item": item, "chip_size": size}
    if rng.random() < .3:
        handle["platform"] = rng.choice(["none", "none", "mine", "no such"])
    if rng.random() < .15:
        handle["edge"] = rng.choice(["pad", "shift", "drop", "wrong"])
    if rng.random() < .15:
        handle["center"] = rng.choice([[3.0003, 45.1525], [3.0059, 45.1485], [30, 45], [0, 100], "wrong"])
    if "center" not in handle or rng.random() < .2:
        handle.update({"chip_index_x": x, "chip_index_y": y})
    if rng.random() < .05:
        handle["chip_index_y"] = rng.choice([1e30, "1", 10**15 + 1, 1.5])
    options = {}
    for name, values in (("assets", [["d"], ["d"], ["s"], ["s"], ["d", "s"], ["m"], "d", ["d:2"], ["nothing"]]), ("format", ["npz", "geotiff", "png", "raw", "x"]),
                         ("buffer", [3, 40, -1]), ("scale", [True]), ("harmonize", [True]), ("resampling", ["bilinear", {"s": "cubic"}, {"q": "cubic"}, 7]),
                         ("dtype", ["uint8", "float32"]), ("on_error", ["null", "abort"])):
        if rng.random() < (.8 if name == "assets" else .1):
            options[name] = rng.choice(values)
    text, o = json.dumps(handle, separators=rng.choice([(",", ":"), (", ", ": ")])), json.dumps(options)
    merged = "SELECT row FROM chips WHERE chip_index_x = %d AND chip_index_y = %d" % (abs(x), y % 3)
    n = rng.random()
    if n < .45:
        return "SELECT stacchip_chip(?, ?)", (text, o)
    if n < .50:
        return "SELECT stacchip_chip_info(?, ?)", (text, o)
    if n < .53:
        return "SELECT stacchip_row_export(?)", (text,)
    if n < .68:
        return "SELECT stacchip_chip(row, ?) FROM (%s)" % merged, (o,)
    if n < .72:
        return "SELECT stacchip_stack(row, ?, chipid) FROM chips WHERE chip_index_y <= ?", (o, y)
    if n < .76:
        keep = {k: v for k, v in options.items() if k not in ("format", "dtype")}
        keep.update(rng.choice([{}, {"exclude_cloud": True}, {"on_error": "skip"}]))
        return "SELECT stacchip_band_stats(row, ?) FROM chips", (json.dumps(keep),)
    if n < .92:
        more = {"chip_size": size, "max_nodata": 1}
        if "platform" in handle:
            more["platform"] = handle["platform"]
        wanted = rng.choice(["group_concat(chipid || ' ' || cloud_cover_percentage || ' ' || nodata_percentage)", "count(*)", "min(\"row\")"])
        return "SELECT %s FROM stacchip_index(?, ?)" % wanted, (item if isinstance(item, str) else json.dumps(item), json.dumps(more))
    if n < .96:
        return "SELECT stacchip_item_info(?)", (item if isinstance(item, str) else json.dumps(item),)
    return "INSERT INTO chips(item_json) VALUES (?)", (item if isinstance(item, str) else json.dumps(item),)


def remote_question(rng, folder, url):
    handle = row(item_object(folder, 0, url), rng.choice([0, 1, 2, 5]), rng.choice([0, 2]), platform="none")
    return "SELECT stacchip_chip(?, ?)", (handle, json.dumps({"assets": ["r"]}))


def answer(db, sql, values):
    """The text of an error, or a digest of the rows. What is inserted is rolled back."""
    writes = sql.startswith("INSERT")
    try:
        if writes:
            db.execute("BEGIN")
        got = db.execute(sql, values).fetchall()
    except Exception as e:  # noqa: BLE001: the text is the answer
        # libtiff names the scanline that it has just read, of whatever call that was.
        return "%s: %s" % (type(e).__name__, re.sub("at scanline [0-9]+", "at a scanline", str(e)))
    finally:
        if writes and db.in_transaction:
            db.set_progress_handler(None, 0)
            db.execute("ROLLBACK")
    return hashlib.sha1(pickle.dumps(got)).hexdigest() + " " + repr(got)[:120]


# --- processes: the one that goes on, and fresh ones ---

def open_db(folder):
    db = host.connect(os.path.join(folder, "chips.db"))
    db.execute("SELECT stacchip_config('hosts', '*')")
    db.execute("SELECT stacchip_config('retries', 0)")
    return db


def apply(db, state):
    """Bring a fresh connection into a state of rules and settings."""
    for name in SETTINGS:
        db.execute("SELECT stacchip_config(?, ?)", (name, SETTINGS[name][state[name]]))
    if state["rule"]:
        set_rule(db, state["rule"])


def set_rule(db, k):
    db.execute("SELECT stacchip_platform_set('mine', ?)", (json.dumps(dict({"match": "collection = 'mine'"}, **RULES[k])),))


class Process:
    """A forked process that runs functions of a connection of its own."""

    def __init__(self, folder):
        self.here, there = socket.socketpair()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self.here.close()
            try:
                self.serve(there.makefile("rwb"), folder)
            finally:
                os._exit(0)
        there.close()
        self.file = self.here.makefile("rwb")

    @staticmethod
    def serve(file, folder):
        db = open_db(folder)
        while True:
            try:
                what, arguments = pickle.load(file)
            except EOFError:
                return
            pickle.dump(CALLS[what](db, *arguments), file)
            file.flush()

    def call(self, what, *arguments):
        pickle.dump((what, arguments), self.file)
        self.file.flush()
        return pickle.load(self.file)

    def end(self):
        self.file.close()
        self.here.close()
        return os.waitpid(self.pid, 0)[1]


def interrupted(db, sql, values, after):
    left = [after]

    def count():
        left[0] -= 1
        return left[0] < 0
    db.set_progress_handler(count, 1)
    try:
        return answer(db, sql, values)
    finally:
        db.set_progress_handler(None, 0)


def change_rule(db, k):
    if k:
        set_rule(db, k)
    else:
        db.execute("SELECT stacchip_platform_drop('mine')")


CALLS = {"answer": answer, "apply": apply, "rule": change_rule, "interrupted": interrupted,
         "set": lambda db, name, value: db.execute("SELECT stacchip_config(?, ?)", (name, value)) and None}


class Server(http.server.BaseHTTPRequestHandler):
    """r.tif, by ranges, in the state that a file beside it says."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with open(os.path.join(self.server.folder, "remote.tif"), "rb") as f:
            body = f.read()
        with open(os.path.join(self.server.folder, "remote.state")) as f:
            state = f.read()
        if state == "gone" or state == "down":
            return self.give(404 if state == "gone" else 500, b"no")
        if state == "html":
            return self.give(200, b"<html>sign in</html>" * 50)
        if state == "garbage":
            body = body[:600] + bytes(len(body) - 600)
        begin, end = 0, len(body)
        wanted = self.headers.get("Range")
        if wanted:
            a, b = wanted.split("=")[1].split("-")
            begin, end = int(a), min(int(b) + 1, len(body))
        if begin >= len(body):
            return self.give(416, b"")
        self.give(206 if wanted else 200, body[begin:end], ("Content-Range", "bytes %d-%d/%d" % (begin, end - 1, len(body))), cut=state == "cut")

    def give(self, code, body, *headers, cut=False):
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:len(body) // 2] if cut else body)
        if cut:
            self.close_connection = True

    def log_message(self, *_):
        pass


def serve(folder):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.folder = folder
    pid = os.fork()
    if pid == 0:
        try:
            server.serve_forever()
        finally:
            os._exit(0)
    url = "http://127.0.0.1:%d" % server.server_address[1]
    server.server_close()
    return pid, url


REMOTE = ["good", "gone", "down", "html", "garbage", "cut"]


class Caches(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.state = {"rule": 0, "verify": 0, "local_roots": 0}
        for name in FILES:
            self.set_file(name, 0)
        deflated(os.path.join(self.folder, "remote.tif"), pixels(21), block=(32, 32))
        self.set_remote("good")
        self.server, self.url = serve(self.folder)
        # What is loaded once is loaded before the forks: a fresh process then costs milliseconds.
        zygote = host.connect()
        zygote.execute("SELECT stacchip_debug()")
        builder = Process(self.folder)
        for sql in ("CREATE VIRTUAL TABLE chips USING stacchip_merge(chip_size=32, max_nodata=1)",
                    "INSERT INTO chips(item_json) VALUES ('%s')" % os.path.join(self.folder, "i.json")):
            builder.call("rule", 1)
            self.assertNotIn("Error", builder.call("answer", sql, ()), sql)
        builder.end()
        self.known = {}

    def tearDown(self):
        os.kill(self.server, signal.SIGKILL)
        os.waitpid(self.server, 0)
        shutil.rmtree(self.folder)

    def set_file(self, name, k):
        """Another file each time, under the name; none in the last state of some."""
        path, made = os.path.join(self.folder, name), os.path.join(self.folder, "new." + name)
        FILES[name][0](made, k)
        if os.path.exists(made):
            os.replace(made, path)
        elif os.path.exists(path):
            os.remove(path)
        self.state[name] = k

    def set_remote(self, state):
        with open(os.path.join(self.folder, "remote.state"), "w") as f:
            f.write(state)
        self.state["remote"] = REMOTE.index(state)

    def fresh(self, question, state):
        """The answer of a fresh process; from memory where nothing that it looks at has changed."""
        names = [n for n in state if n in SETTINGS or n == "rule" or n in FILES or n == "remote"]
        key = (question, tuple(state[n] for n in names))
        if key not in self.known:
            p = Process(self.folder)
            p.call("apply", state)
            self.known[key] = p.call("answer", *question)
            self.assertEqual(p.end(), 0)
        return self.known[key]

    def change(self, rng, process):
        what = rng.choice(["d.tif", "d.tif", "s.tif", "m.tif", "i.json", "rule", "verify", "local_roots", "threads", "cache_bytes"])
        good = rng.random() < .6
        if what in FILES:
            self.set_file(what, 0 if good else rng.randrange(FILES[what][1]))
        elif what == "rule":
            k = 1 if good else rng.randrange(len(RULES))
            if k != self.state["rule"]:
                process.call("rule", k)
            self.state["rule"] = k
        elif what in SETTINGS:
            self.state[what] = 0 if good else 1
            process.call("set", what, SETTINGS[what][self.state[what]])
        else:
            process.call("set", what, rng.choice(UNSEEN[what]))

    def check(self, step, question, got, *wanted):
        if got in wanted:
            return
        self.fail("seed %d, step %d: %s %s\nstate %s\n     got %s\n  wanted %s" % (SEED, step, question[0], question[1], self.state, got, "\n      or ".join(wanted)))

    def test_local(self):
        rng = random.Random(SEED)
        pool = [questions(rng, self.folder) for _ in range(150)]
        process = Process(self.folder)
        for step in range(STEPS):
            if rng.random() < .12:
                self.change(rng, process)
            question = rng.choice(pool)
            if rng.random() < .05:
                process.call("interrupted", *question, rng.randrange(40))
                continue
            self.check(step, question, process.call("answer", *question), self.fresh(question, self.state))
        self.assertEqual(process.end(), 0)

    def test_remote(self):
        rng = random.Random(SEED)
        pool = [remote_question(rng, self.folder, self.url) for _ in range(6)]
        process = Process(self.folder)
        good = {q: self.fresh(q, self.state) for q in pool}
        for step in range(STEPS // 4):
            if rng.random() < .3:
                self.set_remote("good" if self.state["remote"] else rng.choice(REMOTE))
                process.call("set", "cache_bytes", rng.choice(["0", "268435456"]))
            question = rng.choice(pool)
            got = process.call("answer", *question)
            # What is in memory still answers while the server does not; its own error may be another one.
            if "Error" not in got or "Error" not in self.fresh(question, self.state):
                self.check(step, question, got, good[question])
            if self.state["remote"] == 0:
                self.check(step, question, process.call("answer", *question), good[question])
        self.assertEqual(process.end(), 0)


def setUpModule():
    print("SEED=%d N=%d" % (SEED, STEPS))


if __name__ == "__main__":
    host.main()
