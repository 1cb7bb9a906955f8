"""Maps of a whole scene: stacchip_mosaic of scores of 12 classes by argmax, and stacchip_polygons of the classes.

    bench_map.py SIDE        (10980: a Sentinel-2 scene at 10 m)

Prints CPU and the greatest memory of a process that does nothing else, its Python and SQLite included. The model gives scores that a
formula makes of the place, so that the map can be compared with them; exits with 1 where it differs, or memory passes 1 GB.
"""
import io
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile

import numpy

CLASSES, SIDE = 12, 256
ORDERS = {"in order of y": "row_off, col_off", "in order of x": "col_off, row_off", "in any order": "stacchip_hash(1, row_off, col_off)"}


def truth(col, row, width, height):
    """The class of each pixel: stripes and waves of tens to hundreds of pixels."""
    x, y = numpy.arange(col, col + width)[None, :], numpy.arange(row, row + height)[:, None]
    wave = 3 * numpy.sin(x / 157) + 2.5 * numpy.cos(y / 91) + 2 * numpy.sin((x + y) / 43)
    return numpy.floor(wave % CLASSES).astype("u1")


def npy(array):
    out = io.BytesIO()
    numpy.save(out, array)
    return out.getvalue()


def scores(col, row):
    """What a model says of a chip: 12 planes of float32, the class's own 1, others less."""
    planes = numpy.zeros((CLASSES, SIDE, SIDE), "float32")
    numpy.put_along_axis(planes, truth(col, row, SIDE, SIDE)[None].astype("i8"), 1, 0)
    return npy(planes)


def connect():
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.enable_load_extension(True)
    db.load_extension(os.environ["STACCHIP_EXT"])
    db.create_function("scores", 2, scores)
    db.create_function("classes", 2, lambda col, row: npy(truth(col, row, SIDE, SIDE)))
    return db


def item(side):
    """A scene by its grid alone: nothing of it is read."""
    transform = [10, 0, 500000, 0, -10, 6400000]
    return json.dumps({"type": "Feature", "stac_version": "1.0.0", "id": "scene", "geometry": None, "links": [], "properties": {
        "datetime": "2024-05-06T07:08:09Z", "proj:epsg": 32720, "proj:shape": [side, side], "proj:transform": transform},
        "assets": {"data": {"href": "/nowhere.tif", "type": "image/tiff; application=geotiff"}}})


def measure(what, order, side, stride):
    """In a process of its own."""
    db = connect()
    options = json.dumps({"platform": "none", "chip_size": SIDE, "stride": stride, "edge": "shift", "max_nodata": 1})
    db.execute("CREATE TEMP TABLE chips AS SELECT row, col_off, row_off FROM stacchip_index(?, ?)", (item(side), options))
    start = resource.getrusage(resource.RUSAGE_SELF)
    rows = f"(SELECT * FROM chips ORDER BY {order})"
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "map.tif")
        if what == "mosaic":
            db.execute(f"SELECT stacchip_mosaic(row, scores(col_off, row_off), ?) FROM {rows}", (json.dumps({"path": path, "reduce": "argmax"}),)).fetchone()
            done = os.path.getsize(path)
        else:
            done = db.execute("SELECT count(*), sum(pixels) FROM stacchip_polygons(?)", (f"SELECT row, classes(col_off, row_off) FROM {rows}",)).fetchone()
            assert done[1] == side * side, done
            done = done[0]
        end = resource.getrusage(resource.RUSAGE_SELF)
        same = compare(db, path, side) if what == "mosaic" else True
    print(json.dumps({"cpu": end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime, "mb": peak_mb(end), "done": done, "same": bool(same)}))


def peak_mb(usage):
    return usage.ru_maxrss / 1024


def compare(db, path, side):
    """Strip by strip, read as chips of the map."""
    rows = db.execute("SELECT col_off, row_off, stacchip_chip(row) FROM stacchip_index(?, '{\"platform\": \"none\", \"chip_size\": 1024, \"edge\": \"shift\", \"max_nodata\": 1}')", (path,))
    return all(numpy.array_equal(numpy.load(io.BytesIO(chip))[0], truth(col, row, 1024, 1024)) for col, row, chip in rows)


def main():
    if len(sys.argv) > 2:
        return measure(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    side, bad = int(sys.argv[1]), 0
    for what, stride in (("mosaic", 256), ("mosaic", 192), ("polygons", 256)):
        for name, order in ORDERS.items():
            r = subprocess.run([sys.executable, __file__, what, order, str(side), str(stride)], capture_output=True, text=True)
            if r.returncode:
                print(r.stderr[-2000:])
                return 1
            got = json.loads(r.stdout)
            bad |= not got["same"] or got["mb"] > 1000
            print(f"{what} of {side} x {side} pixels, stride {stride}, {name}: {got['cpu']:.1f} s of CPU (the model's too), {got['mb']:.0f} MB at most, "
                  f"{got['done']} {'bytes' if what == 'mosaic' else 'polygons'}{'' if got['same'] else ', NOT THE MODEL'}")
    return bad


if __name__ == "__main__":
    sys.exit(main())
