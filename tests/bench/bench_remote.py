"""
bench_remote.py SERVER RIVAL SCENE MS: remote chips and stacks against GDAL's /vsicurl, from a
server that answers MS after it is asked. Prints milliseconds, requests, bytes and round trips;
exit 1 where a target of the issue is missed.
"""
import io
import json
import os
import subprocess
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
os.environ["STACCHIP_HOSTS"] = "127.0.0.1"
import numpy
import web

SERVER, RIVAL, SCENE, MS = sys.argv[1], sys.argv[2], os.path.abspath(sys.argv[3]), int(sys.argv[4])
BANDS = ["blue", "green", "red", "nir", "rededge1", "rededge2", "rededge3", "nir08", "swir16", "swir22"]
N_SCENES, PER_SCENE = 16, 4

OURS = """
import sys, time, json; sys.path.insert(0, %r)
import host
db = host.connect(sys.argv[1])
chip = "SELECT stacchip_chip(row, ?) FROM chips WHERE item = 'scene00' AND chip_index_x = ? AND chip_index_y = ?"
stack = "SELECT stacchip_stack(row, ?) FROM (SELECT row FROM chips WHERE chipid IN (SELECT value FROM json_each(?)) ORDER BY chipid)"
for sql, arguments in json.loads(sys.argv[2]):
    t = time.time()
    blob = db.execute(chip if sql == "chip" else stack, arguments).fetchone()[0]
    print(sql, round((time.time() - t) * 1e3, 1), flush=True)
    if len(sys.argv) > 3: open(sys.argv[3], "wb").write(blob)
    sys.stdin.readline()
""" % os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support")


def main():
    port = web.free_port()
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen([SERVER, str(port), SCENE, str(MS)])
    web.wait_for_port(port, server)
    missed = []

    def counts():
        with urllib.request.urlopen(f"{url}/_counts") as f:
            return list(map(int, f.read().split()))

    def show(name, ms, target=None):
        requests, n_bytes, connections = counts()
        fast = target is None or ms <= target
        if not fast:
            missed.append(name)
        print(f"{name:44} {ms:9.1f} ms {ms / MS:7.1f} round trips {requests:6d} requests {n_bytes:11d} bytes {connections:4d} connections"
              + (f"   target {target:.0f} ms{'' if fast else ': MISSED'}" if target else ""), flush=True)
        return ms

    def ours(db, jobs, names, targets, blob=None):
        p = subprocess.Popen([sys.executable, "-c", OURS, db, json.dumps(jobs)] + ([blob] if blob else []), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        last = None
        for name, target in zip(names, targets):
            last = show(name, float(p.stdout.readline().split()[1]), target)
            p.stdin.write("\n")
            p.stdin.flush()
        p.communicate()
        return last

    def rival(name, lines, threads):
        r = subprocess.run([RIVAL, str(threads)], input="\n".join(lines), capture_output=True, text=True, check=True)
        ms, total = r.stdout.split()
        return show(name, float(ms)), int(total)

    try:
        with tempfile.TemporaryDirectory() as d:
            with open(f"{SCENE}/item.json") as f:
                base = json.load(f)
            items = []
            for i in range(N_SCENES):
                item = json.loads(json.dumps(base))
                item["id"] = f"scene{i:02d}"
                for a in item["assets"].values():
                    a["href"] = f"{url}/scene{i:02d}/{os.path.basename(a['href'])}"
                items.append(item)
            db = f"{d}/chips.db"
            web.cold(db, ["CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)"], *[["INSERT INTO chips(item_json) VALUES (?)", [json.dumps(i)]] for i in items])
            requests, n_bytes, _ = counts()
            print(f"merged {N_SCENES} scenes of {len(BANDS)} bands and a mask: {requests} requests, {n_bytes} bytes")

            # Decoding takes its time wherever the bytes come from: a local chip tells how much.
            options = json.dumps({"assets": BANDS})
            ours(db, [["chip", [options, 1, 1]], ["chip", [options, 6, 6]], ["chip", [options, 10, 10]]],
                 ["chip of 10 bands, cold process", "chip of 10 bands, connected", "chip of 10 bands, connected"], [3 * MS + 100, 1.7 * MS + 60, 1.7 * MS + 60])
            places = [(x, y) for x, y in ((5, 1), (9, 6), (6, 10), (13, 13))][:PER_SCENE]
            chips = [(f"scene{i:02d}", x, y) for i in range(N_SCENES) for x, y in places]
            ids = json.dumps([f"{s}-{x}-{y}" for s, x, y in chips])
            lines = []
            for s, x, y in chips:
                for b in BANDS:
                    step = 1 if b in ("blue", "green", "red", "nir") else 2
                    lines.append(f"/vsicurl/{url}/{s}/{b}.tif {x * 256 // step} {y * 256 // step} {256 // step} {256 // step}")
            rival("GDAL /vsicurl, one chip, one after another", lines[:len(BANDS)], 1)
            rival("GDAL /vsicurl, one chip, 10 threads", lines[:len(BANDS)], 10)
            slow, total = rival("GDAL /vsicurl, 64 chips, one after another", lines, 1)
            fast, again = rival("GDAL /vsicurl, 64 chips, 10 threads", lines, 10)
            ours(db, [["stack", [options, ids]]], ["stacchip_stack, 64 chips, cold process"], [min(slow / 10, fast / 3)], f"{d}/stack.npy")
            pixels = numpy.load(f"{d}/stack.npy")
            assert pixels.shape == (len(chips), len(BANDS), 256, 256), pixels.shape
            # bands of 20 m come twice as wide and high
            sums = [int(pixels[:, i].sum(dtype=numpy.uint64)) // (1 if b in ("blue", "green", "red", "nir") else 4) for i, b in enumerate(BANDS)]
            assert sum(sums) == total == again, "not the same pixels"
    finally:
        server.terminate()
        server.wait()
    if missed:
        print("missed:", ", ".join(missed))
    sys.exit(1 if missed else 0)


main()
