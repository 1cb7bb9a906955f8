"""
bench_feed.py SERVER SCENES REMOTE_SCENE [short]: what a training loop pays for its chips.

Prints CPU time (all threads, user and system), page faults, requests and bytes a chip of
stacchip_batches in random order, in block order and from blocks that are cached, beside the same
Dataset written with rasterio, its datasets kept open (python3-rasterio; a column without it says so);
how well batches mix; remote chips at 30 and 100 ms a request; the second epoch with a disk cache;
what a worker process costs. Each figure is of a process of its own. Exit 1 where a target is missed.

SCENES holds sentinel-2, landsat and naip (make_scene); links make several scenes of each, which share
no opened file and no decoded block.
"""
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
os.environ["STACCHIP_HOSTS"] = "127.0.0.1"
os.environ.setdefault("STACCHIP_THREADS", "1")
os.environ["GDAL_NUM_THREADS"] = "1"
import host
import numpy
import web

SIDE, BATCH, CACHE_BYTES = 256, 64, 1 << 30
os.environ["GDAL_CACHEMAX"] = str(CACHE_BYTES >> 20)
S2 = ["blue", "green", "red", "nir", "rededge1", "rededge2", "rededge3", "nir08", "swir16", "swir22"]
KINDS = {"sentinel-2": (S2, 6), "landsat": (["red", "green", "blue", "nir08", "swir16", "swir22"], 6), "naip": (["image"], 4)}
RANDOM, BLOCKS = {"seed": 1, "mix": 0}, {"seed": 1, "mix": 16}


def usage():
    """(CPU seconds, page faults) of the process so far."""
    r = resource.getrusage(resource.RUSAGE_SELF)
    return r.ru_utime + r.ru_stime, r.ru_minflt + r.ru_majflt


class Meter:
    """CPU and page faults a chip between its making and report()."""

    def __init__(self):
        self.before, self.began = usage(), time.time()

    def report(self, n, **more):
        now = usage()
        return {"ms": (now[0] - self.before[0]) * 1e3 / n, "faults": (now[1] - self.before[1]) / n, "wall_ms": (time.time() - self.began) * 1e3 / n, "chips": n, **more}


def open_feed(job):
    db = host.connect(job["db"])
    db.execute("SELECT stacchip_config('cache_bytes', ?)", (job.get("cache_bytes", CACHE_BYTES),))
    return db


def options(job, **more):
    return json.dumps({"assets": job["assets"], "shuffle": job["shuffle"], **more})


def feed(job):
    """n chips by stacchip_batches; with "passes": 2 the second time, its blocks cached."""
    db, seen = open_feed(job), 0
    for _ in range(job.get("passes", 1)):
        meter, seen = Meter(), 0
        for n, _ in db.execute("SELECT n, length(batch) FROM stacchip_batches(?, ?, ?)", (job["query"], BATCH, options(job))):
            seen += n
            if seen >= job["n"]:
                break
    return meter.report(seen)


def order(job):
    """The chips that feed() reads, in its order: no pixels."""
    db, rows = open_feed(job), []
    for (extra,) in db.execute("SELECT extra FROM stacchip_batches(?, ?, ?)", (job["query"], BATCH, options(job))):
        e = json.loads(extra)
        rows += zip(e["item"], e["x"], e["y"])
        if len(rows) >= job["n"]:
            break
    return rows


class RasterioDataset:
    """The Dataset as it is usually written: a window of each band, datasets kept open."""

    def __init__(self, scenes, assets, grid):
        import rasterio
        self.rasterio, self.scenes, self.assets, self.grid, self.opened = rasterio, scenes, assets, grid, {}

    def open(self, path):
        if path not in self.opened:
            self.opened[path] = self.rasterio.open(path)
        return self.opened[path]

    def __getitem__(self, chip):
        scene, x, y = chip
        bands = []
        for asset in self.assets:
            source = self.open(f"{self.scenes[scene]}/{asset}.tif")
            n = SIDE * source.width / self.grid
            window = self.rasterio.windows.Window(x * n, y * n, n, n)
            bands.append(source.read(window=window, out_shape=(source.count, SIDE, SIDE)))
        return numpy.concatenate(bands)


def rasterio(job):
    import rasterio as module
    with module.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"):  # GDAL_CACHEMAX is in the environment: Env takes it for bytes
        dataset = RasterioDataset(job["scenes"], job["assets"], job["grid"])
        for passes in range(job.get("passes", 1)):
            meter = Meter()
            for chip in job["chips"]:
                dataset[tuple(chip)]
        return meter.report(len(job["chips"]))


def remote(job):
    """Batches from a server far away; `step_ms`: what the caller does with each."""
    db, waits, seen = open_feed(job), [], 0
    meter = Meter()
    rows = iter(db.execute("SELECT n, length(batch) FROM stacchip_batches(?, ?, ?)", (job["query"], BATCH, options(job, ahead=2))))
    while seen < job["n"]:
        t = time.time()
        row = next(rows, None)
        if row is None:
            break
        seen += row[0]
        waits.append((time.time() - t) * 1e3)
        time.sleep(job.get("step_ms", 0) / 1e3)
    return meter.report(seen, waits=waits)


def worker(job):
    """What one worker process holds after some batches: memory that it does not share, threads, connections."""
    db, before = open_feed(job), memory_mb()
    seen = 0
    for n, _ in db.execute("SELECT n, length(batch) FROM stacchip_batches(?, ?, ?)", (job["query"], BATCH, options(job))):
        seen += n
        if seen >= job["n"]:
            break
    with open("/proc/self/status") as f:
        threads = int(next(line for line in f if line.startswith("Threads")).split()[1])
    with open("/proc/self/net/tcp") as f:
        inodes = {line.split()[9] for line in f if line.split()[3] == "01"}
    mine = {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if os.path.islink(f"/proc/self/fd/{fd}")}
    return {"before_mb": before, "after_mb": memory_mb(), "threads": threads, "connections": len([i for i in inodes if f"socket:[{i}]" in mine])}


def memory_mb():
    with open("/proc/self/smaps_rollup") as f:
        return int(next(line for line in f if line.startswith("Pss:")).split()[1]) / 1024


CASES = {f.__name__: f for f in (feed, order, rasterio, remote, worker)}


def run(case, job, env={}):
    r = subprocess.run([sys.executable, __file__, "--case", case, json.dumps(job)], stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **env})
    return json.loads(r.stdout)


def has_rasterio():
    return subprocess.run([sys.executable, "-c", "import rasterio"], stderr=subprocess.DEVNULL).returncode == 0


def merged(path, folders, assets_at):
    """A merged index of a scene's copies: {item id: folder or URL}."""
    items = []
    for name, at in folders.items():
        with open(os.path.join(assets_at, "item.json")) as f:
            item = json.load(f)
        item["id"] = name
        for asset in item["assets"].values():
            asset["href"] = f"{at}/{os.path.basename(asset['href'])}"
        items.append(json.dumps(item))
    db = host.connect(path)
    db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)")
    db.execute("INSERT INTO chips(item_json) SELECT value FROM json_each(?)", (json.dumps(items),))
    db.close()
    return path


QUERY = "SELECT row, chipid, item, chip_index_x AS x, chip_index_y AS y FROM chips"
missed = []


def show(name, r, target=None, value=None, unit=""):
    ok = target is None or value <= target
    if not ok:
        missed.append(name)
    print(f"{name:46} {r['ms']:8.2f} ms {r['faults']:8.0f} faults" + (f"   {value:.3f}{unit}, target {target}{'' if ok else ': MISSED'}" if target else ""), flush=True)
    return r


def local(kind, work, scenes_at, short):
    assets, copies = KINDS[kind]
    source = os.path.join(os.path.abspath(scenes_at), kind)
    folders = {f"{kind}{i:02}": f"{work}/{kind}{i:02}" for i in range(copies)}
    for folder in folders.values():
        os.symlink(source, folder)
    db = merged(f"{work}/{kind}.db", folders, source)
    n = 128 if short else 256
    grid = {"sentinel-2": 10980, "landsat": 8301, "naip": 10240}[kind]
    job = {"db": db, "assets": assets, "query": QUERY, "n": n, "scenes": folders, "grid": grid}
    block = {**job, "shuffle": BLOCKS, "n": 1024}
    one = {**job, "shuffle": None, "query": QUERY + f" WHERE item = '{kind}00' AND chip_index_x BETWEEN 8 AND 15 AND chip_index_y BETWEEN 8 AND 15", "n": 64, "passes": 2}
    print(f"\n{kind}, {copies} scenes: a chip by stacchip_batches of {BATCH}")
    random_ms = show("random order", run("feed", {**job, "shuffle": RANDOM}))["ms"]
    r = run("feed", block)
    show("block order, 16 superblocks mixed", r, 1 / 8 if kind == "sentinel-2" else None, r["ms"] / random_ms, " of random order")
    r = run("feed", one)
    show("its blocks cached", r, 0.5 if kind == "sentinel-2" else None, r["ms"], " ms")
    if not has_rasterio():
        print("the same by rasterio: python3-rasterio is not there (make deps-bench)")
        return
    chips = run("order", {**job, "shuffle": RANDOM})[:n]
    rival = show("rasterio, random order", run("rasterio", {**job, "chips": chips}))["ms"]
    show("rasterio, block order", run("rasterio", {**job, "chips": run("order", block)[:1024]}))
    show("rasterio, its blocks cached", run("rasterio", {**job, "chips": run("order", {**one, "passes": 1}), "passes": 2}))
    if kind == "sentinel-2":
        for name, ms, target in (("random order", random_ms, 0.3), ("block order", run("feed", block)["ms"], 0.05)):
            ok = ms / rival <= target
            print(f"  {name} / rasterio in random order: {ms / rival:.3f}, target {target}{'' if ok else ': MISSED'}")
            if not ok:
                missed.append(name)


def mixing(work):
    print("\nmixing, batches of 128 of 6 Sentinel-2 scenes")
    db = host.connect(f"{work}/sentinel-2.db")
    for name, shuffle in (("random", RANDOM), ("block order, mix 16", BLOCKS), ("block order, mix 64", {"seed": 1, "mix": 64}), ("the query's order", None)):
        found = db.execute("SELECT mixing FROM stacchip_batches(?, 128, ?) LIMIT 1", (QUERY, json.dumps({"assets": S2, "shuffle": shuffle}))).fetchone()[0]
        print(f"{name:46} {found}", flush=True)


class Server:
    def __init__(self, program, root, ms):
        self.port = web.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen([program, str(self.port), root, str(ms)])
        web.wait_for_port(self.port, self.process)

    def counts(self):
        with urllib.request.urlopen(f"{self.url}/_counts") as f:
            return list(map(int, f.read().split()))

    def close(self):
        self.process.kill()
        self.process.wait()


def far(work, program, scene, ms, short):
    server = Server(program, os.path.abspath(scene), ms)
    try:
        urls = {f"scene{i:02}": f"{server.url}/scene{i:02}" for i in range(4)}
        db = merged(f"{work}/remote{ms}.db", urls, scene)
        print(f"\nremote, {ms} ms a request, 4 Sentinel-2 scenes of 4500 pixels: a chip")
        one = QUERY + " WHERE item = 'scene00' AND chip_index_x BETWEEN 0 AND 7 AND chip_index_y BETWEEN 0 AND 7"
        job = {"db": db, "assets": S2, "query": QUERY, "n": 256}
        env = {"STACCHIP_THREADS": "2"}

        def shown(name, job, most=None, env=env):
            server.counts()
            r = run("remote", job, env)
            requests, n_bytes, _ = server.counts()
            ok = most is None or (requests <= most[0] and n_bytes / r["chips"] <= most[1])
            if not ok:
                missed.append(name)
            print(f"{name:46} {r['ms']:8.2f} ms CPU {r['wall_ms']:8.1f} ms {requests / r['chips']:7.3f} requests {n_bytes / r['chips'] / 1e6:6.2f} MB"
                  + (f"   {requests} requests, target {most[0]} and {most[1] / 1e6} MB{'' if ok else ': MISSED'}" if most else ""), flush=True)
            return r
        shown("random order", {**job, "shuffle": RANDOM, "n": 128})
        shown("64 chips of a superblock", {**job, "query": one, "shuffle": BLOCKS, "n": 64}, (20, 600000))
        reading = shown("block order", {**job, "shuffle": BLOCKS})
        step = reading["wall_ms"] * BATCH
        r = run("remote", {**job, "shuffle": BLOCKS, "step_ms": step}, env)
        print(f"{'a caller that takes as long for each batch':46} {r['wall_ms'] * BATCH:8.0f} ms a batch, its step {step:.0f} ms")
        disk = {**env, "STACCHIP_DISK_CACHE": json.dumps({"path": tempfile.mkdtemp(dir=work), "bytes": 4 << 30})}
        whole = {**job, "shuffle": BLOCKS, "n": 1 << 30}
        shown("disk cache, epoch 1", whole, env=disk)
        shown("disk cache, epoch 2, another process", whole, (0, 0), env=disk)
        shown("disk cache, epoch 3, another seed", {**whole, "shuffle": {"seed": 2, "mix": 16}}, (0, 0), env=disk)
        if ms == 30:
            workers(job, env)
    finally:
        server.close()


def workers(job, env):
    print("\nN workers, each a process with one connection that reads remote batches of 64")
    for n, threads, cache in ((1, 1, 64), (4, 1, 64), (1, 2, 64), (1, 1, 256)):
        results = []
        more = {**env, "STACCHIP_THREADS": str(threads)}
        many = [threading.Thread(target=lambda: results.append(run("worker", {**job, "shuffle": BLOCKS, "cache_bytes": cache << 20, "n": 256}, more))) for _ in range(n)]
        for t in many:
            t.start()
        for t in many:
            t.join()
        mb = sum(r["after_mb"] for r in results)
        print(f"{n} worker{'s' if n > 1 else ' '}, threads {threads}, cache_bytes {cache:4} MB: {mb:7.0f} MB, {sum(r['threads'] for r in results):3} threads, {sum(r['connections'] for r in results):4} connections"
              f"   ({sum(r['before_mb'] for r in results):.0f} MB before the first batch)", flush=True)


def main():
    program, scenes_at, remote_scene, short = sys.argv[1], sys.argv[2], sys.argv[3], "short" in sys.argv[4:]
    with tempfile.TemporaryDirectory() as work:
        for kind in KINDS:
            local(kind, work, scenes_at, short)
        mixing(work)
        for ms in (30, 100):
            far(work, program, remote_scene, ms, short)
    print(f"\nmissed: {', '.join(missed)}" if missed else "\nno target missed")
    return 1 if missed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--case"]:
        print(json.dumps(CASES[sys.argv[2]](json.loads(sys.argv[3]))))
    else:
        sys.exit(main())
