"""Chips of ten bands on a grid of another zone, above decoding: ours, and GDAL's warper by gdalwarp (exact, and -et 0.125).

  bench_warp.py FOLDER [N]      FOLDER holds a scene of make_scene sentinel-2

CPU milliseconds a chip, of N chips whose blocks are decoded. Ours is what a chip takes more than the same chip on its own grid; GDAL's what
gdalwarp takes more for ten grids than for one, each band a file, less what gdal_translate takes more for the same windows.
"""
import json
import os
import resource
import subprocess
import sys
import tempfile

import host

BANDS = ("blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "swir16", "swir22")


def own_ms(db, rows, options, n):
    sql = "SELECT length(stacchip_chip(?, ?))"
    for row in rows:
        db.execute(sql, (row, options)).fetchone()
    best = 1e9
    for _ in range(3):
        begin = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        for i in range(n):
            db.execute(sql, (rows[i % len(rows)], options)).fetchone()
        best = min(best, (sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) - begin) / n * 1000)
    return best


def run_ms(command):
    best = 1e9
    for _ in range(3):
        begin = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        subprocess.run(command, check=True, capture_output=True)
        best = min(best, (sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - begin) * 1000)
    return best


def gdal_ms(folder, info, extra):
    """Of one chip: the CPU of its bands as GDAL warps them from memory, above that of a pass over one pixel."""
    t, (_, rows, columns) = info["transform"], info["shape"]
    total = 0
    with tempfile.TemporaryDirectory() as d:
        for band in BANDS:
            source, plain = os.path.join(folder, band + ".tif"), os.path.join(d, band + ".tif")
            # an uncompressed window, so that decoding does not count
            subprocess.run(["gdal_translate", "-q", "-srcwin", "0", "0", "600", "600", source, plain], check=True)
            def warp(w, h):
                to = os.path.join(d, "to.tif")
                te = t[2], t[5] + t[4] * h, t[2] + t[0] * w, t[5]
                return run_ms(["gdalwarp", "-q", "-overwrite", "-r", "bilinear", *extra, "-t_srs", info["crs"], "-te", *map(repr, te), "-ts", str(w), str(h), plain, to])
            total += warp(columns, rows) - warp(1, 1)
    return total


def main():
    folder, n = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 40
    db = host.connect()
    db.execute("SELECT stacchip_config('threads', 1)")
    item = os.path.join(folder, "item.json")
    rows = [r for r, in db.execute("SELECT row FROM stacchip_index(?, '{\"max_nodata\": 1}') WHERE chip_index_x < 2 AND chip_index_y < 2", (item,))]
    plain = {"assets": BANDS}
    warped = dict(plain, crs="EPSG:32719", resolution=10)
    base = own_ms(db, rows, json.dumps(plain), n)
    for kernel in ("nearest", "bilinear", "cubic"):
        print(f"{kernel:9} {own_ms(db, rows, json.dumps(dict(warped, resampling=kernel)), n) - base:6.2f} ms a chip above its own grid ({base:.2f})")
    info = json.loads(db.execute("SELECT stacchip_chip_info(?, ?)", (rows[0], json.dumps(warped))).fetchone()[0])
    for name, extra in (("exact", ["-et", "0"]), ("-et 0.125", [])):
        print(f"gdalwarp, bilinear, {name}: {gdal_ms(folder, info, extra):6.2f} ms a chip")


if __name__ == "__main__":
    main()
