"""
bench_freeze.py SCENE [short]: what a frozen data set costs, in CPU time (all threads, user and system) of one thread a chip.

Freezes rows of chips of a Sentinel-2 scene (make_scene, blocks of 1024 pixels, ten bands: 1.31 MB a chip) by each codec and format, beside
reading the same chips in random order, and reads the frozen ones in random order: single calls, one statement, batches into memory of
the caller's. Each figure is of a process of its own. Exit 1 where a target is missed.
"""
import json
import os
import resource
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
os.environ.setdefault("STACCHIP_THREADS", "1")
import host

BANDS = ["blue", "green", "red", "nir", "rededge1", "rededge2", "rededge3", "nir08", "swir16", "swir22"]
CHIP_BYTES, BATCH = 10 << 17, 16


def cpu_ms():
    r = resource.getrusage(resource.RUSAGE_SELF)
    return (r.ru_utime + r.ru_stime) * 1e3


def connect(path=":memory:"):
    db = host.connect(path)
    db.execute("SELECT stacchip_config('cache_bytes', ?)", (256 << 20,))
    return db


def freeze(job):
    db, before = connect(), cpu_ms()
    r = json.loads(db.execute("SELECT stacchip_freeze(?, ?, ?)", (job["path"], job["query"], json.dumps({"assets": BANDS, **job["options"]}))).fetchone()[0])
    return {"ms": (cpu_ms() - before) / r["chips"], "mb": r["bytes"] / r["chips"] / 1e6, "chips": r["chips"]}


def random_order(job):
    db = connect()
    rows = [r for r, in db.execute(f"SELECT row FROM ({job['query']}) ORDER BY stacchip_hash(1, row) LIMIT 64")]
    before = cpu_ms()
    for row in rows:
        db.execute("SELECT length(stacchip_chip(?, ?))", (row, json.dumps({"assets": BANDS}))).fetchone()
    return {"ms": (cpu_ms() - before) / len(rows)}


def single(job):
    db = connect(job["path"])
    handles = [h for h, in db.execute("SELECT handle FROM chips ORDER BY stacchip_hash(1, handle) LIMIT 300")]
    for warm in range(2):
        before = cpu_ms()
        for h in handles:
            db.execute("SELECT length(stacchip_chip(?))", (h,)).fetchone()
    return {"ms": (cpu_ms() - before) / len(handles), "handle": max(map(len, handles))}


def statement(job):
    db = connect(job["path"])
    for warm in range(2):
        before = cpu_ms()
        n, = db.execute("SELECT count(length(stacchip_chip(handle))) FROM (SELECT handle FROM chips ORDER BY stacchip_hash(2, handle) LIMIT 300)").fetchone()
    return {"ms": (cpu_ms() - before) / n}


def batches(job):
    db, marks, n = connect(job["path"]), [], 0
    fd = os.memfd_create("batches", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, 4 * BATCH * CHIP_BYTES)
    options = {"shuffle": 1, "into": {"fd": fd, "bytes": 4 * BATCH * CHIP_BYTES, "slots": 4}}
    for k, _ in db.execute("SELECT n, batch FROM stacchip_batches('SELECT handle FROM chips', ?, ?)", (BATCH, json.dumps(options))):
        n += k
        marks.append((n, cpu_ms()))
    (n0, ms0), (n1, ms1) = marks[4], marks[-1]
    return {"ms": (ms1 - ms0) / (n1 - n0)}


CASES = {f.__name__: f for f in (freeze, random_order, single, statement, batches)}
missed = []


def run(case, job):
    r = subprocess.run([sys.executable, __file__, "--case", case, json.dumps(job)], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(r.stdout)


def show(name, value, unit, target=None):
    ok = target is None or value <= target
    if not ok:
        missed.append(name)
    print(f"{name:44} {value:8.3f} {unit}" + (f", target {target:g}{'' if ok else ': MISSED'}" if target else ""), flush=True)


def main():
    scene, short = os.path.abspath(sys.argv[1]), "short" in sys.argv[2:]
    with tempfile.TemporaryDirectory() as work:
        # whole rows of blocks in the middle, where the scene has pixels
        query = f"SELECT row FROM stacchip_index('{scene}/item.json', '{{\"max_nodata\": 0}}') WHERE chip_index_y BETWEEN 8 AND {15 if short else 31}"
        show("reading, random order", run("random_order", {"query": query})["ms"], "ms a chip")
        for codec, ms, mb in (("zstd", 1.5, 0.55), ("lz4", 0.3, None), ("raw", None, None)):
            job = {"path": f"{work}/{codec}.db", "query": query, "options": {"codec": codec}}
            made = run("freeze", job)
            show(f"freezing, {codec}, {made['chips']} chips", made["ms"], "ms a chip", 8)
            show(f"    its size", made["mb"], "MB a chip", mb)
            one = run("single", job)
            show("    read by single calls", one["ms"], "ms a chip", ms)
            show("    read by one statement", run("statement", job)["ms"], "ms a chip", ms)
            show("    read by batches", run("batches", job)["ms"], "ms a chip", ms)
            show("    longest handle", one["handle"], "bytes", 40)
        for name in ("manifest", "webdataset", "npy"):
            made = run("freeze", {"path": f"{work}/{name}", "query": query, "options": {"format": name}})
            show(f"freezing, {name}", made["ms"], "ms a chip", 8)
    print(f"\nmissed: {', '.join(missed)}" if missed else "\nno target missed")
    return 1 if missed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--case"]:
        print(json.dumps(CASES[sys.argv[2]](json.loads(sys.argv[3]))))
    else:
        sys.exit(main())
