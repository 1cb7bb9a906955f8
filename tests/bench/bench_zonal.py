"""Means of 2 500 parcels over a series of 12 scenes: stacchip_zonal beside rasterio's loop of masks, CPU time of each.

RASTERIO names the command of a Python that has rasterio (default: this one); where it has none, the bench says so.
"""
import json
import math
import os
import random
import resource
import shlex
import subprocess
import sys
import tempfile

N_SCENES, SIDE, LEFT, TOP, PIXEL = 12, 2500, 500000, 6400000, 10
LOOP = """
import json, sys, resource, rasterio, rasterio.mask
job = json.load(open(sys.argv[1]))
begin = resource.getrusage(resource.RUSAGE_SELF)
total = 0
for path in job["paths"]:
    with rasterio.open(path) as ds:
        for ring in job["rings"]:
            pixels, _ = rasterio.mask.mask(ds, [{"type": "Polygon", "coordinates": [ring]}], crop=True, filled=False)
            total += float(pixels.mean())
end = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime, total]))
"""


def cpu():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime


def make(folder, n_parcels):
    import numpy
    import tiff
    rng, r = numpy.random.default_rng(1), random.Random(2)
    paths = [tiff.write(os.path.join(folder, f"scene{i:02}.tif"), rng.integers(1, 4000, (SIDE, SIDE)).astype("u2"), block=(512, 512), deflate=True)
             for i in range(N_SCENES)]
    rings = []
    for _ in range(n_parcels):
        x, y, radius = r.uniform(20, SIDE - 20), r.uniform(20, SIDE - 20), r.uniform(3, 15)
        ring = [(LEFT + PIXEL * (x + radius * math.cos(k)), TOP - PIXEL * (y + radius * math.sin(k))) for k in range(6)]
        rings.append(ring + ring[:1])
    return paths, rings


def ours(paths, rings, options):
    import host
    db = host.connect()
    db.execute("CREATE TABLE parcels(geometry BLOB)")
    for ring in rings:
        db.execute("INSERT INTO parcels VALUES (GeomFromText(?, 32720))", ("POLYGON((" + ",".join("%r %r" % p for p in ring) + "))",))
    begin, total = cpu(), 0
    for path in paths:
        total += db.execute("SELECT sum(stacchip_zonal(?, geometry, ?) ->> '$.data.mean') FROM parcels", (path, json.dumps(options))).fetchone()[0]
    return cpu() - begin, total


def main():
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 2500
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as folder:
        paths, rings = make(folder, n)
        command = shlex.split(os.environ.get("RASTERIO", sys.executable))
        job = {"paths": paths, "rings": rings}
        with open(os.path.join(folder, "job.json"), "w") as f:
            json.dump(job, f)
        print(f"{n} parcels, {N_SCENES} scenes: CPU seconds, microseconds a parcel and scene")
        found = [(name, *ours(paths, rings, {"stats": ["mean"], **more})) for name, more in (("middles", {}), ("weights", {"weights": True}))]
        for name, seconds, _ in found:
            print(f"stacchip_zonal, {name:8} {seconds:7.2f} {1e6 * seconds / n / N_SCENES:7.0f}")
        r = subprocess.run([*command, "-c", LOOP, os.path.join(folder, "job.json")], capture_output=True, text=True)
        if r.returncode:
            print("rasterio: not there (" + (r.stderr.strip().splitlines() or ["?"])[-1] + ")")
            return
        seconds, total = json.loads(r.stdout)
        print(f"rasterio.mask, middles {seconds:8.2f} {1e6 * seconds / n / N_SCENES:7.0f}   {seconds / found[0][1]:.1f} times; sums differ by {abs(total - found[0][2]):.3g}")


if __name__ == "__main__":
    main()
