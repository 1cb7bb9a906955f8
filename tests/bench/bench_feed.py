"""
bench_feed.py SERVER SCENES REMOTE_SCENE [short]: what a training loop pays for its chips.

Prints CPU time (all threads, user and system), page faults, requests and bytes a chip of
stacchip_batches in random order, in block order and from blocks that are cached, beside the same
Dataset written with rasterio, its datasets kept open (python3-rasterio; a column without it says so);
how well batches mix; remote chips at 30 and 100 ms a request; the second epoch with a disk cache;
what a worker process costs. Each figure is of a process of its own: the best of three, the sides by
turns, where two are compared; remote ones run once. Exit 1 where a target is missed.

SCENES holds sentinel-2, landsat and naip (make_scene); links make several scenes of each, which share
no opened file and no decoded block.
"""
import json
import mmap
import multiprocessing
import os
import resource
import shutil
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

SIDE, BATCH, CACHE_BYTES = 256, 64, 256 << 20
os.environ["GDAL_CACHEMAX"] = str(CACHE_BYTES >> 20)
S2 = ["blue", "green", "red", "nir", "rededge1", "rededge2", "rededge3", "nir08", "swir16", "swir22"]
# assets, scenes, pixels across, bytes of a chip
KINDS = {"sentinel-2": (S2, 6, 10980, 10 << 17), "landsat": (["red", "green", "blue", "nir08", "swir16", "swir22"], 6, 8301, 6 << 17), "naip": (["image"], 4, 10240, 4 << 16)}
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


def batches(db, job):
    """Run a query of batches, written into memory of ours, as a training loop does: yields how many chips each has."""
    slots, slot = 4, -(-BATCH * job["chip_bytes"] // (2 << 20)) * (2 << 20)
    fd = os.memfd_create("batches", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, slots * slot)
    into = {"fd": fd, "offset": 0, "bytes": slots * slot, "slots": slots}
    for n, _ in db.execute("SELECT n, batch FROM stacchip_batches(?, ?, ?)", (job["query"], BATCH, options(job, into=into))):
        yield n
    os.close(fd)


def feed(job):
    """Chips by stacchip_batches; the first `skip` are not counted."""
    db, seen, meter = open_feed(job), 0, Meter()
    for n in batches(db, job):
        seen += n
        if seen == job.get("skip"):  # the caller's slots, too, are touched once
            meter = Meter()
        if seen >= job["n"]:
            break
    return meter.report(seen - job.get("skip", 0))


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
    db, waits, seen, meter = open_feed(job), [], 0, Meter()
    t = time.time()
    for n in batches(db, job):
        waits.append((time.time() - t) * 1e3)
        seen += n
        time.sleep(job.get("step_ms", 0) / 1e3)
        if seen >= job["n"]:
            break
        t = time.time()
    return meter.report(seen, waits=waits)


def worker(job):
    """What one worker holds that reads random stacks by number, as examples/torch_map.py: memory of its own, threads, connections."""
    db, before = open_feed(job), memory_mb()
    rowids = [r for r, in db.execute("SELECT rowid FROM chips ORDER BY stacchip_hash(?, rowid)", (job["seed"],))]
    for at in range(0, 3 * BATCH, BATCH):
        db.execute("SELECT stacchip_stack(row, ?, key) FROM json_each(?) JOIN chips ON chips.rowid = value", (json.dumps({"assets": job["assets"]}), json.dumps(rowids[at:at + BATCH]))).fetchone()
    with open("/proc/self/status") as f:
        threads = int(next(line for line in f if line.startswith("Threads")).split()[1])
    with open("/proc/self/net/tcp") as f:
        established = {f"socket:[{line.split()[9]}]" for line in f if line.split()[3] == "01"}
    mine = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if os.path.islink(f"/proc/self/fd/{fd}")]
    return {"before_mb": before, "after_mb": memory_mb(), "threads": threads, "connections": len(established.intersection(mine))}


def memory_mb():
    with open("/proc/self/smaps_rollup") as f:
        return int(next(line for line in f if line.startswith("Pss:")).split()[1]) / 1024


CASES = {f.__name__: f for f in (feed, order, rasterio, remote, worker)}


def settle_memory():
    """Touch as much memory as a measurement may need: see settle_memory() in bench.h."""
    memory = mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    numpy.frombuffer(memory, numpy.uint8)[::4096] = 1


def run(case, job, env={}):
    settle = multiprocessing.get_context("fork").Process(target=settle_memory)
    settle.start()
    settle.join()
    r = subprocess.run([sys.executable, __file__, "--case", case, json.dumps(job)], stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **env})
    return json.loads(r.stdout)


def best_by_turns(n_turns, *jobs):
    """The least CPU time a chip of each (case, job): other work on the machine only adds."""
    turns = [[run(case, job) for case, job in jobs] for _ in range(n_turns)]
    return [min(results, key=lambda r: r["ms"]) for results in zip(*turns)]


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


def judge(name, value, target, unit=""):
    ok = value <= target
    if not ok:
        missed.append(name)
    return f"   {value:.3g}{unit}, target {target:g}{'' if ok else ': MISSED'}"


def compare(name, value, target):
    print(f"{name:46}{judge(name, value, target)}", flush=True)


def show(name, r, *targets):
    print(f"{name:46} {r['ms']:8.2f} ms {r['faults']:8.0f} faults" + "".join(judge(name, *t) for t in targets if t), flush=True)
    return r


def copies_of(kind, work, source):
    """Links to a scene under several names, and their merged index."""
    folders = {f"{kind}{i:02}": f"{work}/{kind}{i:02}" for i in range(KINDS[kind][1])}
    for folder in folders.values():
        os.symlink(source, folder)
    return folders, merged(f"{work}/{kind}.db", folders, source)


def local(kind, work, scenes_at, short):
    assets, copies, grid, chip_bytes = KINDS[kind]
    folders, db = copies_of(kind, work, os.path.join(os.path.abspath(scenes_at), kind))
    n, turns, main = (128, 1, False) if short else (512, 3, kind == "sentinel-2")
    epochs = host.connect(db)  # small ones, so that opening one does not count more than in a large one
    epochs.execute(f"CREATE TABLE random_chips AS {QUERY} ORDER BY stacchip_hash(1, chipid) LIMIT {n}")
    epochs.execute(f"CREATE TABLE superblocks AS {QUERY} WHERE stacchip_hash(2, item, chip_index_x / 8, chip_index_y / 8) < {0.12 if short else 0.24}")
    block_n, = epochs.execute("SELECT count(*) FROM superblocks").fetchone()
    epochs.close()
    job = {"db": db, "assets": assets, "query": "SELECT * FROM random_chips", "shuffle": RANDOM, "n": n, "scenes": folders, "grid": grid, "chip_bytes": chip_bytes}
    block = {**job, "query": "SELECT * FROM superblocks", "shuffle": BLOCKS, "n": block_n}
    one = f"{QUERY} WHERE item = '{kind}00' AND chip_index_x BETWEEN 8 AND 15 AND chip_index_y BETWEEN 8 AND 15"
    cached = {**job, "shuffle": None, "query": f"WITH RECURSIVE t(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM t WHERE k < 12) SELECT c.* FROM t, ({one}) c ORDER BY k", "n": 768, "skip": 256}
    print(f"\n{kind}, {copies} scenes: a chip by stacchip_batches of {BATCH}")
    rival = has_rasterio()
    jobs = [("feed", job), ("feed", block)] + ([("rasterio", {**job, "chips": run("order", job)})] if rival else [])
    results = best_by_turns(turns, *jobs)
    random_ms, block_ms = results[0]["ms"], results[1]["ms"]
    show("random order", results[0])
    show("block order, 16 superblocks mixed", results[1], (block_ms / random_ms, 1 / 8, " of random order") if main else None)
    r, = best_by_turns(turns, ("feed", cached))
    show("its blocks cached", r, (r["ms"], 0.5, " ms"), (r["faults"], 20, " faults"))
    if not rival:
        print("the same by rasterio: python3-rasterio is not there (make deps-bench)")
        return
    show("rasterio, random order", results[2])
    show("rasterio, block order", run("rasterio", {**job, "chips": run("order", block)[:1024]}))
    show("rasterio, its blocks cached", run("rasterio", {**job, "chips": run("order", {**job, "query": one, "shuffle": None}), "passes": 2}))
    if main:
        compare("random order / rasterio in random order", random_ms / results[2]["ms"], 0.3)
        compare("block order / rasterio in random order", block_ms / results[2]["ms"], 0.05)


def archive(work, scenes_at):
    """An archive of one's own: blocks of the chips' size, by ZSTD."""
    source, target = os.path.join(os.path.abspath(scenes_at), "sentinel-2"), f"{work}/zstd"
    os.mkdir(target)
    shutil.copy(f"{source}/item.json", target)
    for name in os.listdir(source):
        if name.removesuffix(".tif") in S2:
            subprocess.run(["gdal_translate", "-q", "-co", "TILED=YES", "-co", "BLOCKXSIZE=256", "-co", "BLOCKYSIZE=256", "-co", "COMPRESS=ZSTD", "-co", "PREDICTOR=2", f"{source}/{name}", f"{target}/{name}"], check=True)
        elif name.endswith(".tif"):
            os.symlink(f"{source}/{name}", f"{target}/{name}")
    db = merged(f"{work}/zstd.db", {"zstd": target}, target)
    job = {"db": db, "assets": S2, "query": QUERY, "n": 512, "chip_bytes": KINDS["sentinel-2"][3]}
    print("\nan archive of one's own, Sentinel-2 in blocks of 256 pixels by ZSTD: a chip")
    show("random order", run("feed", {**job, "shuffle": RANDOM}))
    show("block order, 16 superblocks mixed", run("feed", {**job, "shuffle": BLOCKS}))


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


def steady_ms(waits):
    """How long a batch is waited for, but for both ends of an epoch: with the first ones reading gets ahead, and the last ones open no superblock."""
    middle = waits[4:-BLOCKS["mix"]]
    return sum(middle) / len(middle)


def far(work, program, scene, ms, short):
    server = Server(program, os.path.abspath(scene), ms)
    try:
        urls = {f"scene{i:02}": f"{server.url}/scene{i:02}" for i in range(12)}
        db = merged(f"{work}/remote{ms}.db", urls, scene)
        print(f"\nremote, {ms} ms a request, 12 Sentinel-2 scenes of 4500 pixels: a chip")
        one = QUERY + " WHERE item = 'scene00' AND chip_index_x BETWEEN 0 AND 7 AND chip_index_y BETWEEN 0 AND 7"
        job = {"db": db, "assets": S2, "query": QUERY, "n": 256, "chip_bytes": KINDS["sentinel-2"][3]}
        env = {"STACCHIP_THREADS": "2"}

        def shown(name, job, most=None, env=env):
            server.counts()
            r = run("remote", job, env)
            requests, n_bytes, _ = server.counts()
            print(f"{name:46} {r['ms']:8.2f} ms CPU {r['wall_ms']:8.1f} ms {requests / r['chips']:7.3f} requests {n_bytes / r['chips'] / 1e6:6.2f} MB"
                  + (judge(name, requests, most[0], " requests") + judge(name, n_bytes / r["chips"] / 1e6, most[1], " MB a chip") if most else ""), flush=True)
            return r
        whole = {**job, "shuffle": BLOCKS, "n": 1 << 30}
        shown("random order", {**job, "shuffle": RANDOM, "n": 128})
        shown("64 chips of a superblock", {**job, "query": one, "shuffle": BLOCKS, "n": 64}, (20, 0.6))
        step = steady_ms(shown("block order, the epoch", whole)["waits"])
        for name, caller_ms in (("a caller as quick as reading", step), ("a caller that takes twice as long", 2 * step)):
            waits = run("remote", {**whole, "step_ms": caller_ms}, env)["waits"]
            each = steady_ms(waits) + caller_ms
            print(f"{name:46} {each:8.0f} ms a batch, its step {caller_ms:.0f} ms; {waits[0]:.0f} ms until the first of {len(waits)}" + judge(f"{name}, {ms} ms", each / caller_ms, 1.1), flush=True)
        disk = {**env, "STACCHIP_DISK_CACHE": json.dumps({"path": tempfile.mkdtemp(dir=work), "bytes": 4 << 30})}
        shown("disk cache, epoch 1", whole, env=disk)
        shown("disk cache, epoch 2, another process", whole, (0, 0), env=disk)
        shown("disk cache, epoch 3, another seed", {**whole, "shuffle": {"seed": 2, "mix": 16}}, (0, 0), env=disk)
        if ms == 30:
            workers(job, env)
    finally:
        server.close()


def workers(job, env):
    print(f"\nN workers that read random remote stacks of {BATCH} chips (a result is {BATCH * job['chip_bytes'] / 1e6:.0f} MB)")
    for n, threads, cache in ((1, 1, 64), (2, 1, 64), (4, 1, 64), (1, 2, 64), (1, 1, 256)):
        results = []
        more = {**env, "STACCHIP_THREADS": str(threads)}
        many = [threading.Thread(target=lambda seed=i: results.append(run("worker", {**job, "seed": seed, "cache_bytes": cache << 20}, more))) for i in range(n)]
        for t in many:
            t.start()
        for t in many:
            t.join()
        total = {key: sum(r[key] for r in results) for key in results[0]}
        print(f"N {n}, threads {threads}, cache_bytes {cache:3} MB: {total['after_mb']:6.0f} MB ({total['before_mb']:.0f} before the first stack), {total['threads']} threads, {total['connections']} connections", flush=True)


def main():
    program, scenes_at, remote_scene, short = sys.argv[1], sys.argv[2], sys.argv[3], "short" in sys.argv[4:]
    with tempfile.TemporaryDirectory() as work:
        for kind in KINDS:
            local(kind, work, scenes_at, short)
        archive(work, scenes_at)
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
