"""Synthetic index rows for the tests of the merged index."""
import random
import struct

CLEAN = 0.25  # cloud fraction that float32 holds exactly


def polygon(x, y, w=0.02, h=0.02, skew=0.0):
    """SpatiaLite BLOB of a rectangle, or a slanted one within it, in EPSG:4326."""
    s = skew
    ring = [(x + s, y), (x + w, y + s), (x + w - s, y + h), (x, y + h - s), (x + s, y)]
    body = b"".join(struct.pack("<2d", *p) for p in ring)
    return struct.pack("<BBi4dBIII", 0, 1, 4326, x, y, x + w, y + h, 0x7C, 3, 1, 5) + body + b"\xfe"


def belt(y, w=0.02, h=0.02):
    """MULTIPOLYGON of two parts on both sides of the antimeridian."""
    parts = b""
    for x0, x1 in ((180 - w, 180.0), (-180.0, -180 + w)):
        ring = [(x0, y), (x1, y), (x1, y + h), (x0, y + h), (x0, y)]
        parts += b"\x69" + struct.pack("<III", 3, 1, 5) + b"".join(struct.pack("<2d", *p) for p in ring)
    return struct.pack("<BBi4dBII", 0, 1, 4326, -180, y, 180, y + h, 0x7C, 6, 2) + parts + b"\xfe"


def item_rows(k, side=10, platform="s2", seed=0):
    """The chips of item number k: tuples of the nine columns."""
    rnd = random.Random(seed * 1000003 + k)
    x0, y0 = (k * 37 % 300) - 150 + 0.5, (k * 21 % 100) - 50 + 0.5
    date = "2024-%02d-%02d" % (k % 12 + 1, k % 28 + 1)
    for y in range(side):
        for x in range(side):
            cloud = struct.unpack("f", struct.pack("f", rnd.random()))[0]
            yield (None, platform, "I%d" % k, date, x, y, cloud, 0.0 if rnd.random() < .8 else .5,
                   polygon(x0 + x * .02, y0 + y * .02, skew=.004 if k % 2 else 0))


COLUMNS = "chipid,platform,item,date,chip_index_x,chip_index_y,cloud_cover_percentage,nodata_percentage,geometry"


def fill_source(db, n_items, side=10, first=0, platforms=("s2", "l8")):
    """TEMP table src with the rows of n_items items."""
    db.execute("CREATE TEMP TABLE IF NOT EXISTS src(%s)" % COLUMNS)
    db.execute("DELETE FROM src")
    for k in range(first, first + n_items):
        db.executemany("INSERT INTO src VALUES(?,?,?,?,?,?,?,?,?)",
                       item_rows(k, side, platforms[k % len(platforms)]))


def check(db, table="chips"):
    """Our own check, and that of the R*Trees by SQLite."""
    db.execute(f"INSERT INTO {table}({table}) VALUES('integrity-check')")
    for tree in (f"{table}_area", f"idx_{table}_chip_geometry"):
        answer = db.execute("SELECT rtreecheck('main', ?)", (tree,)).fetchone()[0]
        assert answer == "ok", answer
