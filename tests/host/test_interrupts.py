"""sqlite3_interrupt() is heard soon: CPU time of the process from the call to the statement's end, the least of some tries."""
import json
import os
import shutil
import sqlite3
import struct
import tempfile
import threading
import time
import unittest
import zlib

os.environ["STACCHIP_RETRIES"] = "0"
import host
import numpy
import tiff
import web
from merge_rows import fill_source

SOON = 0.1  # seconds
TRIES = 5


class Interrupts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.file = os.path.join(cls.folder, "m.parquet")
        db = host.connect()
        fill_source(db, 2000)
        db.execute("SELECT stacchip_export('src', ?)", (cls.file,))
        db.close()
        cls.mask = tiff.write(os.path.join(cls.folder, "mask.tif"), numpy.random.default_rng(1).integers(0, 12, (4000, 4000)).astype("u1"), block=(512, 512), deflate=True, epsg=32631)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def connect(self, *statements):
        db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.addCleanup(db.close)
        db.enable_load_extension(True)
        db.load_extension(host.EXT)
        for sql in statements:
            db.execute(sql).fetchall()
        return db

    def late(self, db, sql, *values, after):
        """Seconds of CPU and of the clock after the interrupt; None where the statement ended before."""
        at = []
        timer = threading.Timer(after, lambda: (at.append((time.process_time(), time.monotonic())), db.interrupt()))
        timer.start()
        try:
            db.execute(sql, values).fetchall()
        except sqlite3.OperationalError as e:
            self.assertIn("interrupted", str(e))
            return time.process_time() - at[0][0], time.monotonic() - at[0][1]
        finally:
            timer.cancel()
            timer.join()
        return None

    def soon(self, make, sql, *values, after=.03):
        tries = [t for t in (self.late(make(), sql, *values, after=after * (1 + n % 2)) for n in range(TRIES)) if t]
        self.assertTrue(tries, "long enough to be interrupted: " + sql)
        self.assertLess(min(t[0] for t in tries), SOON, (sql, values[1:]))
        self.assertLess(min(t[1] for t in tries), 1, sql)
        return len(tries)

    def test_parquet(self):
        self.soon(self.connect, "SELECT count(*) FROM (SELECT * FROM stacchip_parquet(?) ORDER BY chipid)", self.file)
        self.soon(lambda: self.connect("CREATE VIRTUAL TABLE c USING stacchip_merge(max_nodata=1)"), "INSERT INTO c SELECT * FROM stacchip_parquet(?)", self.file)

    def test_a_merged_index(self):
        db = self.connect("CREATE VIRTUAL TABLE c USING stacchip_merge(max_nodata=1)")
        db.execute("INSERT INTO c SELECT * FROM stacchip_parquet(?)", (self.file,))
        for sql in ("INSERT INTO c(c) VALUES ('integrity-check')", "SELECT stacchip_export('c', '%s/tree', '{\"partition_by\": [\"item\"]}')" % self.folder, "DELETE FROM c WHERE chip_index_x < 5"):
            self.soon(lambda: db, sql)
            self.assertEqual(db.execute("SELECT count(*) FROM c").fetchone(), (200000,))
        db.execute("INSERT INTO c(c) VALUES ('integrity-check')")

    def test_items(self):
        grid = {"type": "image/tiff", "proj:shape": [4000, 4000], "proj:transform": [10, 0, 500000, 0, -10, 6400000], "href": self.mask}
        item = {"type": "Feature", "stac_version": "1.0.0", "geometry": None, "links": [], "collection": "own", "properties": {"datetime": "2024-01-01T00:00:00Z", "proj:epsg": 32631}, "assets": {"scl": grid, "red": grid}}
        os.makedirs(os.path.join(self.folder, "items"))
        for i in range(60):
            with open(os.path.join(self.folder, "items", "%d.json" % i), "w") as f:
                json.dump(dict(item, id="i%d" % i), f)
        rule = "SELECT stacchip_platform_set('own', '{\"match\": \"collection = ''own''\", \"mask\": \"scl\", \"cloud\": \"v > 8\", \"nodata\": \"0\", \"assets\": [\"red\"]}')"
        listed = "stacchip_items('%s/items')" % self.folder
        self.soon(lambda: self.connect(rule), "SELECT count(*) FROM (SELECT item_json FROM %s) i, stacchip_index(i.item_json)" % listed, after=.1)
        self.soon(lambda: self.connect(rule, "CREATE VIRTUAL TABLE c USING stacchip_merge(max_nodata=1)"), "SELECT stacchip_merge_items('c', 'SELECT item_json FROM %s')" % listed.replace("'", "''"), after=.1)

    def item(self, bands, side, **asset):
        """An item of files of the bands; its chip (0, 0) of `size` pixels as a handle."""
        grid = {"roles": ["data"], "proj:shape": [side, side], "proj:transform": [10, 0, 500000, 0, -10, 6400000], **asset}
        return {"type": "Feature", "stac_version": "1.0.0", "id": "i", "geometry": None, "links": [], "properties": {"datetime": "2024-01-01T00:00:00Z", "proj:epsg": 32631},
                "assets": {name: dict(grid, href=path) for name, path in bands.items()}}

    def chip(self, item, size, x=0, y=0):
        return json.dumps({"item": item, "chip_index_x": x, "chip_index_y": y, "chip_size": size, "platform": "none"})

    def test_reads_by_gdal(self):
        pixels = numpy.tile(numpy.arange(8192, dtype="u2").astype("u1"), (8192, 1))
        strips = tiff.write(os.path.join(self.folder, "strips.tif"), pixels, block=16, packbits=True, epsg=32631)
        picture = os.path.join(self.folder, "grey.png")
        with open(picture, "wb") as out:
            out.write(b"\x89PNG\r\n\x1a\n")
            lines = zlib.compress(numpy.pad(pixels, ((0, 0), (1, 0))).tobytes(), 1)
            for kind, data in ((b"IHDR", struct.pack(">IIBBBBB", 8192, 8192, 8, 0, 0, 0, 0)), (b"IDAT", lines), (b"IEND", b"")):
                out.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
        for path, kind in ((strips, "image/tiff"), (picture, "image/png")):
            for options in ("{}", '{"dtype": "float32", "assets": ["a"]}', '{"resampling": "average", "size": 2048, "format": "png"}'):
                self.soon(self.connect, "SELECT length(stacchip_chip(?, ?))", self.chip(self.item({"a": path}, 8192, type=kind), 8192), options, after=.01)

    def test_a_contact_sheet_and_statistics(self):
        bands = {name: tiff.write(os.path.join(self.folder, name + ".tif"), numpy.random.default_rng(k).integers(1, 9999, (2048, 2048)).astype("u2"), block=(256, 256), epsg=32631)
                 for k, name in enumerate(("red", "green", "blue"))}
        item = self.item(bands, 2048, type="image/tiff")
        chips = [self.chip(item, 256, x, y) for x in range(8) for y in range(8)]
        rows, more = json.dumps(2 * chips), json.dumps(8 * chips)  # a quick machine is to be interrupted, too
        for after in (.03, .1, .25):
            self.soon(self.connect, "SELECT stacchip_stack(value, '{\"format\": \"png\"}') FROM json_each(?)", rows, after=after)
        for after in (.03, .08):
            self.soon(self.connect, "SELECT stacchip_band_stats(value) FROM json_each(?)", more, after=after)

    def test_a_search_whose_server_is_slow(self):
        def page(h):
            time.sleep(.3)
            try:
                h.json({"type": "FeatureCollection", "features": [{"type": "Feature", "id": str(time.time()), "geometry": None, "properties": {}, "assets": {}}], "links": [{"rel": "next", "href": server.url + "/search?p=%s" % time.time()}]})
            except OSError:
                pass
        server = web.Scripted(fault=lambda h: page)
        try:
            self.soon(self.connect, "SELECT count(*) FROM stacchip_search(?, '{}')", server.url, after=.2)
        finally:
            server.close()


if __name__ == "__main__":
    host.main()
