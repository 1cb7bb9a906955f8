"""Remote imagery: requests and bytes counted by a real web server, and what a bad one does to us."""
import io
import json
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

os.environ.setdefault("STACCHIP_HOSTS", "127.0.0.1,localhost")
import host
import numpy
import web

BANDS = ["blue", "green", "red", "nir", "rededge1", "rededge2", "rededge3", "nir08", "swir16", "swir22"]
CHIP = json.dumps({"assets": BANDS})
FULL = os.environ.get("STACCHIP_FAULTS") == "full"


def tile_sizes(path):
    """{offset: bytes} of the blocks of the first image of a little-endian TIFF."""
    with open(path, "rb") as f:
        d = f.read()
    assert d[:4] == b"II*\0"
    at, = struct.unpack_from("<I", d, 4)
    tags = {}
    for i in range(struct.unpack_from("<H", d, at)[0]):
        tag, kind, n, value = struct.unpack_from("<HHII", d, at + 2 + 12 * i)
        code = {3: "H", 4: "I"}.get(kind)
        if code and tag in (324, 325):
            tags[tag] = struct.unpack_from(f"<{n}{code}", d, value) if n * struct.calcsize(code) > 4 else (value,)
    return dict(zip(tags[324], tags[325]))


def read(db, *arguments):
    return db.execute("SELECT stacchip_chip(%s)" % ",".join("?" * len(arguments)), arguments).fetchone()[0]


def bare(db, item, x, y, options='{"assets": ["r"]}'):
    """A chip of an item that no rule knows."""
    sql = "SELECT stacchip_chip(row, ?) FROM stacchip_index(?, '{\"platform\": \"none\", \"max_nodata\": 1}') WHERE chip_index_x=? AND chip_index_y=?"
    return db.execute(sql, (options, json.dumps(item) if isinstance(item, dict) else item, x, y)).fetchone()[0]


def pixels(blob):
    return numpy.load(io.BytesIO(blob))


def handle(item, x, y, **more):
    return json.dumps({"item": item, "chip_index_x": x, "chip_index_y": y, **more})


def remote_item(folder, url):
    """The item of a scene as text, its hrefs at a server."""
    with open(os.path.join(folder, "item.json")) as f:
        item = json.load(f)
    for asset in item["assets"].values():
        asset["href"] = f"{url}/{os.path.basename(asset['href'])}"
    return item


@unittest.skipUnless(web.NGINX, "nginx is not there")
class Requests(unittest.TestCase):
    """What is asked of nginx, from its log."""

    @classmethod
    def setUpClass(cls):
        cls.folder = web.scene("sentinel-2", 4500)
        cls.server = web.Nginx(os.path.dirname(cls.folder))
        cls.url = f"{cls.server.url}/{os.path.basename(cls.folder)}"
        cls.work = tempfile.mkdtemp()
        cls.db = os.path.join(cls.work, "chips.db")
        cls.server.clear()
        web.cold(cls.db, ["CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)"],
                 ["INSERT INTO chips(item_json) VALUES (?)", [f"{cls.url}/item.json"]])
        cls.merging = cls.server.log()
        cls.local = host.connect()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        shutil.rmtree(cls.work)

    def expect(self, x, y, options=CHIP):
        return read(self.local, handle(f"{self.folder}/item.json", x, y), options)

    def blocks_bytes(self, entry):
        """The bytes of the blocks that a request holds, and how many; whole blocks only."""
        a, b = map(int, entry.range[6:].split("-"))
        inside = [n for at, n in tile_sizes(os.path.join(self.folder, os.path.basename(entry.path))).items() if at >= a and at + n <= b + 1]
        return sum(inside), len(inside)

    def check_bytes(self, log):
        for e in log:
            n, blocks = self.blocks_bytes(e)
            self.assertGreater(blocks, 0, e)
            self.assertLessEqual(e.sent, n + 64 * blocks, e)

    def test_merging_asks_once_per_asset_and_the_mask_for_its_blocks(self):
        by_path = {}
        for e in self.merging:
            by_path.setdefault(os.path.basename(e.path), []).append(e)
        self.assertEqual(len(by_path.pop("item.json")), 1)
        mask = by_path.pop("scl.tif")
        self.assertLessEqual(len(mask), 2 + len(tile_sizes(f"{self.folder}/scl.tif")))
        self.assertEqual(sorted(by_path), sorted(f"{b}.tif" for b in BANDS))
        for name, entries in by_path.items():
            self.assertEqual(len(entries), 1, name)

    def test_chip_within_a_block_is_one_request_a_band_and_none_for_headers(self):
        self.server.clear()
        got = web.cold(self.db, ["SELECT stacchip_chip(row, ?) FROM chips WHERE chip_index_x=1 AND chip_index_y=1", [CHIP]])
        log = self.server.log()
        self.assertEqual(sorted(os.path.basename(e.path) for e in log), sorted(f"{b}.tif" for b in BANDS))
        self.assertEqual({e.method for e in log} | {e.status for e in log}, {"GET", 206})
        self.check_bytes(log)
        self.assertEqual(bytes.fromhex(got), self.expect(1, 1))

    def test_harmonizing_looks_at_a_part_of_one_file(self):
        with open(f"{self.folder}/item.json") as f:
            item = json.load(f)
        item["properties"].update({"earthsearch:boa_offset_applied": True, "s2:processing_baseline": "05.10"})
        for asset in item["assets"].values():
            asset["href"] = f"{self.url}/{os.path.basename(asset['href'])}"
        db, options = f"{self.work}/harmonize.db", json.dumps({"assets": ["blue", "red"], "harmonize": True})
        web.cold(db, ["CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)"], ["INSERT INTO chips(item_json) VALUES (?)", [json.dumps(item)]])
        self.server.clear()
        web.cold(db, ["SELECT count(stacchip_chip(row, ?)) FROM chips WHERE chip_index_x < 3 AND chip_index_y < 3", [options]])
        log = self.server.log()
        self.assertEqual(len([e for e in log if e.path.endswith("/red.tif")]), 1)
        self.assertLess(sum(e.sent for e in log if e.path.endswith("/blue.tif")), 0.6 * os.path.getsize(f"{self.folder}/blue.tif"))

    def test_chip_across_two_blocks_is_at_most_two_a_band(self):
        options = json.dumps({"assets": BANDS, "buffer": 6})
        self.server.clear()
        got = web.cold(self.db, ["SELECT stacchip_chip(row, ?) FROM chips WHERE chip_index_x=7 AND chip_index_y=1", [options]])
        log = self.server.log()
        self.assertTrue(all(len([e for e in log if e.path.endswith(f"/{b}.tif")]) in (1, 2) for b in BANDS), log)
        self.check_bytes(log)
        self.assertEqual(bytes.fromhex(got), self.expect(7, 1, options))

    def test_a_second_chip_of_the_blocks_asks_nothing(self):
        db = host.connect(self.db)
        sql = "SELECT stacchip_chip(row, ?) FROM chips WHERE chip_index_x=? AND chip_index_y=1"
        db.execute(sql, (CHIP, 1)).fetchone()
        self.server.clear()
        self.assertEqual(db.execute(sql, (CHIP, 2)).fetchone()[0], self.expect(2, 1))
        self.assertEqual(self.server.log(), [])

    def test_stack_reads_each_block_once(self):
        self.server.clear()
        got = web.cold(self.db, ["SELECT stacchip_stack(row, '{\"assets\":[\"red\",\"nir\"]}') FROM (SELECT row FROM chips WHERE chip_index_x < 8 AND chip_index_y < 4 ORDER BY chip_index_y, chip_index_x)"])
        log = self.server.log()
        self.assertEqual(pixels(bytes.fromhex(got)).shape, (32, 2, 256, 256))
        self.assertEqual(sum(self.blocks_bytes(e)[1] for e in log), 4)
        self.check_bytes(log)

    def test_a_stack_beyond_the_cache_takes_parts_of_blocks(self):
        sql = "SELECT stacchip_stack(row, '{\"assets\":[\"red\",\"nir\",\"swir16\"]}') FROM (SELECT row FROM chips WHERE chip_index_x < 16 AND chip_index_y IN (0, 5, 8) ORDER BY chip_index_y, chip_index_x)"
        self.server.clear()
        whole = web.cold(self.db, [sql])
        n_whole = sum(e.sent for e in self.server.log())
        self.server.clear()
        parts = web.cold(self.db, ["SELECT stacchip_config('cache_bytes', 1000000)"], [sql])
        log = self.server.log()
        self.assertEqual(pixels(bytes.fromhex(whole)).shape, (48, 3, 256, 256))
        self.assertEqual(parts, whole)
        self.assertLess(sum(e.sent for e in log), 0.85 * n_whole)

    def test_index_by_url_with_relative_hrefs(self):
        sql = "SELECT chipid, cloud_cover_percentage, nodata_percentage, geometry FROM stacchip_index(?)"
        got = self.local.execute(sql, (f"{self.url}/item.json",)).fetchall()
        self.assertGreater(len(got), 100)
        self.assertEqual(got, self.local.execute(sql, (f"{self.folder}/item.json",)).fetchall())

    def test_bare_raster_by_url(self):
        sql = "SELECT chipid, nodata_percentage, geometry, stacchip_chip(row) FROM stacchip_index(?, '{\"chip_size\": 1000}')"
        got = self.local.execute(sql, (f"{self.url}/swir16.tif",)).fetchall()
        self.assertEqual(len(got), 4)
        self.assertEqual(got, self.local.execute(sql, (f"{self.folder}/swir16.tif",)).fetchall())

    def test_items_of_a_remote_list(self):
        got = self.local.execute("SELECT id, json_extract(item_json, '$.assets.red.href') FROM stacchip_items(?)", (f"{self.url}/item.json",)).fetchall()
        self.assertEqual(got, [("S2A_T20HNJ_20240311T140636_L2A", f"{self.url}/red.tif")])

    def test_headers_can_be_left_out_and_come_when_they_are_wanted(self):
        path = os.path.join(self.work, "lazy.db")
        self.server.clear()
        web.cold(path, ["CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1, headers=none)"], ["INSERT INTO chips(item_json) VALUES (?)", [f"{self.url}/item.json"]])
        self.assertEqual({os.path.basename(e.path) for e in self.server.log()}, {"item.json", "scl.tif"})
        self.server.clear()
        got = web.cold(path, ["SELECT stacchip_chip(row, ?) FROM chips WHERE chip_index_x=1 AND chip_index_y=1", [CHIP]])
        self.assertEqual(len(self.server.log()), 20)  # a header and a block of each
        self.assertEqual(bytes.fromhex(got), self.expect(1, 1))


@unittest.skipUnless(web.NGINX and shutil.which("gdal_translate"), "nginx or gdal_translate is not there")
class OtherRasters(unittest.TestCase):
    """What only GDAL reads, through our virtual file system."""

    def test_blocks_that_are_dense_at_the_top(self):
        """The part that was asked for ends too early: the rest is fetched, nothing is made up."""
        with tempfile.TemporaryDirectory() as d:
            values = numpy.zeros((2048, 2048), "<u2")
            for top in (0, 1024):
                values[top:top + 512] = numpy.random.default_rng(top).integers(0, 65536, (512, 2048))
            values.tofile(f"{d}/a.raw")
            with open(f"{d}/a.vrt", "w") as f:
                f.write('<VRTDataset rasterXSize="2048" rasterYSize="2048"><VRTRasterBand dataType="UInt16" band="1" subClass="VRTRawRasterBand">'
                        '<SourceFilename relativeToVRT="1">a.raw</SourceFilename><PixelOffset>2</PixelOffset><LineOffset>4096</LineOffset><ByteOrder>LSB</ByteOrder></VRTRasterBand></VRTDataset>')
            subprocess.run(["gdal_translate", "-q", "-co", "TILED=YES", "-co", "BLOCKXSIZE=1024", "-co", "BLOCKYSIZE=1024", "-co", "COMPRESS=DEFLATE", f"{d}/a.vrt", f"{d}/a.tif"], check=True)
            server = web.Nginx(d)
            try:
                item = {"type": "Feature", "stac_version": "1.0.0", "id": "x", "properties": {"datetime": "2020-01-01T00:00:00Z"},
                        "assets": {"r": {"href": f"{server.url}/a.tif", "proj:epsg": 32720, "proj:shape": [2048, 2048], "proj:transform": [10, 0, 499980, 0, -10, 6400000]}}}
                server.clear()
                got = web.cold(":memory:", ["SELECT stacchip_config('cache_bytes', 1000)"],
                               ["SELECT stacchip_stack(row, '{\"assets\": [\"r\"]}') FROM stacchip_index(?, '{\"platform\": \"none\", \"max_nodata\": 1}') WHERE chip_index_y IN (1, 5)", [json.dumps(item)]])
                got = pixels(bytes.fromhex(got))
                want = numpy.stack([values[256 * y:256 * y + 256, 256 * x:256 * x + 256] for y in (1, 5) for x in range(8)])
                self.assertTrue((got[:, 0] == want).all())
                self.assertGreaterEqual(len([e for e in server.log() if e.path.endswith(".tif")]), 3)  # a header, the blocks, the rest of the last
            finally:
                server.close()

    def test_jpeg2000_striped_bigendian_and_png(self):
        with tempfile.TemporaryDirectory() as d:
            source = os.path.join(web.scene("sentinel-2", 1536), "red.tif")
            made = [("a.jp2", ["-of", "JP2OpenJPEG", "-co", "QUALITY=100", "-co", "REVERSIBLE=YES"]), ("b.tif", ["-co", "ENDIANNESS=BIG", "-co", "COMPRESS=LZW"]), ("c.png", ["-of", "PNG", "-srcwin", "0", "0", "512", "512"])]
            for name, options in made:
                subprocess.run(["gdal_translate", "-q", *options, source, f"{d}/{name}"], check=True)
            server = web.Nginx(d)
            try:
                db = host.connect()
                for name, _ in made:
                    with self.subTest(name):
                        item = {"type": "Feature", "id": "x", "properties": {"datetime": None}, "assets": {"r": {"href": f"{d}/{name}", "type": "image/jp2" if name[-1] == "2" else "image/tiff", "proj:epsg": 32720, "proj:shape": [512, 512], "proj:transform": [10, 0, 499980, 0, -10, 6400000]}}}
                        want = bare(db, item, 1, 1)
                        item["assets"]["r"]["href"] = f"{server.url}/{name}"
                        self.assertEqual(bare(db, item, 1, 1), want)
                        self.assertGreater(len({bytes(x) for x in pixels(want)[0]}), 10)
            finally:
                server.close()



def small_files():
    """{path: bytes} of a small scene, and its folder; the first image's blocks are 256 or 512."""
    folder = web.scene("sentinel-2", 1536)
    files = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as f:
            files[f"/{name}"] = f.read()
    return folder, files


def one_asset(url, asset="red"):
    """An item of one asset, 'r', that no rule knows."""
    return {"type": "Feature", "id": "x", "properties": {"datetime": None}, "assets": {"r": {
            "href": f"{url}/{asset}.tif", "type": "image/tiff", "proj:epsg": 32720, "proj:shape": [1536, 1536], "proj:transform": [10, 0, 499980, 0, -10, 6400000]}}}


class Faults(unittest.TestCase):
    """A server that misbehaves, each in its own way; URLs differ so that nothing is known before."""

    @classmethod
    def setUpClass(cls):
        cls.folder, cls.files = small_files()
        cls.want = bare(host.connect(), cls.item(cls.folder), 4, 4)
        assert len(set(cls.want)) > 100

    @staticmethod
    def item(url, asset="red"):
        return one_asset(url, asset)

    def setUp(self):
        self.server = web.Scripted(dict(self.files))
        self.db = host.connect()
        self.config(timeout_ms=3000, retries=4)

    def tearDown(self):
        self.server.close()
        self.config(timeout_ms=30000, retries=4, hosts=os.environ["STACCHIP_HOSTS"])

    def config(self, **settings):
        for name, value in settings.items():
            self.db.execute("SELECT stacchip_config(?, ?)", (name, value)).fetchall()

    def chip(self, item=None):
        return bare(self.db, item or self.item(self.server.url), 4, 4)

    def fails(self, words, item=None):
        with self.assertRaises(sqlite3.Error) as e:
            self.chip(item)
        self.assertRegex(str(e.exception), words)
        return str(e.exception)

    def nth(self, fault, *numbers):
        """Misbehave at these requests only (from 1)."""
        self.server.fault = lambda h: fault if h.number in numbers else None

    def recovers(self, fault, more):
        """Right although the first answer, then a block's, was bad; that many requests more."""
        for number in (1, 2):
            with self.subTest(number=number):
                self.server.close()
                self.server = web.Scripted(dict(self.files))
                self.chip()
                clean = len(self.server.requests)
                self.server.close()
                self.server = web.Scripted(dict(self.files))
                self.nth(fault, number)
                self.assertEqual(self.chip(), self.want)
                self.assertEqual(len(self.server.requests), clean + more)

    def test_short_body(self):
        def short(h):
            a, b = h.span()
            h.send_response(206)
            h.send_header("Content-Range", f"bytes {a}-{b}/{len(h.data())}")
            h.send_header("Content-Length", str(b - a + 1))
            h.end_headers()
            h.wfile.write(h.data()[a:a + 100])
            h.drop()
        self.recovers(short, 1)

    def test_short_body_that_says_so(self):
        def short(h):
            a, b = h.span()
            h.answer(206, h.data()[a:b - 50], Content_Range=f"bytes {a}-{b}/{len(h.data())}")
        self.recovers(short, 1)

    def test_dropped_connection(self):
        # curl itself asks once more where a kept connection ends without an answer
        self.recovers(lambda h: h.drop(), 1)

    def test_unavailable_then_well(self):
        self.recovers(lambda h: h.answer(503, b"busy"), 1)

    def test_too_many_requests_waits_as_asked(self):
        self.nth(lambda h: h.answer(429, b"slow down", Retry_After="1"), 1)
        t = time.time()
        self.assertEqual(self.chip(), self.want)
        self.assertGreaterEqual(time.time() - t, 1)

    def test_wrong_content_range(self):
        self.recovers(lambda h: h.answer(206, h.data()[:h.span()[1] - h.span()[0] + 1], Content_Range=f"bytes 7-{7 + h.span()[1] - h.span()[0]}/{len(h.data())}"), 1)

    def test_compressed_range(self):
        self.recovers(lambda h: h.answer(206, h.data()[h.span()[0]:h.span()[1] + 1], Content_Range=f"bytes {h.span()[0]}-{h.span()[1]}/{len(h.data())}", Content_Encoding="gzip"), 1)

    def test_whole_file_instead_of_a_range(self):
        self.recovers(lambda h: h.answer(200, h.data(), ETag=self.server.etag("/red.tif", h.data())), 0)

    def test_server_without_ranges(self):
        self.server.fault = lambda h: lambda h: h.answer(200, h.data())
        self.assertEqual(self.chip(), self.want)

    def test_parquet_of_a_server_without_ranges(self):
        with tempfile.TemporaryDirectory() as d:
            self.db.execute(f"CREATE TEMP TABLE c AS WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n < 39999) SELECT 'c' || random() AS chipid, 'p' AS platform,"
                            " 'i' AS item, '2024-01-01' AS date, n % 200 AS chip_index_x, n / 200 AS chip_index_y, 0.5 AS cloud_cover_percentage, 0.0 AS nodata_percentage, NULL AS geometry FROM i")
            self.db.execute("SELECT stacchip_export('c', ?)", (f"{d}/i.parquet",))
            with open(f"{d}/i.parquet", "rb") as f:
                self.server.files["/i.parquet"] = f.read()
        self.assertGreater(len(self.server.files["/i.parquet"]), 300000)
        want = self.db.execute("SELECT chipid, chip_index_x FROM c ORDER BY 1").fetchall()
        whole = lambda h: h.answer(200, h.data())
        for numbers in ((), (2, 3), range(1, 100)):  # ranges, then none any more, and never any
            with self.subTest(numbers=numbers):
                self.nth(whole, *numbers)
                self.server.clear()
                got = self.db.execute("SELECT chipid, chip_index_x FROM stacchip_parquet(?) ORDER BY 1", (self.server.url + "/i.parquet",)).fetchall()
                self.assertEqual(got, want)
        self.assertEqual(len(self.server.requests), 2)  # one that was broken off

        def endless(h):
            h.answer(200, Content_Length=1 << 40)
            while True:
                h.wfile.write(bytes(1 << 20))
        self.server.fault = lambda h: endless
        with self.assertRaisesRegex(sqlite3.Error, "i.parquet: the server does not support range requests, and the file has more than 268435456 bytes, the limit for reading it whole"):
            self.db.execute("SELECT count(*) FROM stacchip_parquet(?)", (self.server.url + "/i.parquet",)).fetchall()

    def test_always_failing_says_what_the_server_said(self):
        self.config(retries=2)
        self.server.fault = lambda h: lambda h: h.answer(500, b"<h1>the disk is <b>on fire</b></h1>", Content_Type="text/html")
        text = self.fails(r"item x: asset r: http://127.0.0.1:\d+/red.tif: .*HTTP status 500: the disk is on fire")
        self.assertEqual(len(self.server.requests), 3)
        self.assertNotIn("<", text)

    def test_missing_and_forbidden_are_not_tried_again(self):
        for status, words, n in ((404, "404: no such", 1), (403, "403: no such", 1), (416, "416", 2)):  # 416: without a range too
            self.server.clear()
            self.server.fault = lambda h: lambda h: h.answer(status, b"no such thing")
            self.fails(words)
            self.assertEqual(len(self.server.requests), n)

    def test_range_beyond_the_end_of_a_file_that_shrank(self):
        self.chip()
        other = self.files["/green.tif"]
        self.server.files["/red.tif"] = other
        self.server.fault = lambda h: (lambda h: h.answer(416, b"")) if h.span() and h.span()[0] > 0 and self.server.requests[-1] and not getattr(self, "told", None) and setattr(self, "told", 1) is None else None
        got = bare(self.db, self.item(self.server.url), 1, 4)
        self.assertEqual(got, bare(self.db, self.item(self.folder, "green"), 1, 4))

    def test_changed_file_of_another_size_is_an_error(self):
        self.assertEqual(self.chip(), self.want)
        self.server.files["/red.tif"] = self.files["/scl.tif"]
        self.config(cache_bytes=0)
        try:
            self.fails("asset r: .*red.tif: it has [0-9]+ x [0-9]+ pixels now, and had ")
        finally:
            self.config(cache_bytes=256 << 20)

    def test_changed_file_is_read_anew(self):
        for etag in (self.server.etag, lambda path, data: None):  # by ETag; by size
            with self.subTest(etag=etag("/", b"")):
                self.server.close()
                self.server = web.Scripted(dict(self.files), etag=etag)
                self.assertEqual(self.chip(), self.want)
                self.server.files["/red.tif"] = self.files["/nir.tif"]
                self.assertNotEqual(len(self.files["/nir.tif"]), len(self.files["/red.tif"]))
                got = bare(self.db, self.item(self.server.url), 1, 4)
                self.assertEqual(got, bare(self.db, self.item(self.folder, "nir"), 1, 4))
                self.assertEqual(self.chip(), bare(self.db, self.item(self.folder, "nir"), 4, 4))

    def test_changed_between_merge_and_read(self):
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "m.db")
            item = json.dumps(remote_item(self.folder, self.server.url))
            web.cold(path, ["CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)"], ["INSERT INTO chips(item_json) VALUES (?)", [item]])
            self.server.files["/red.tif"] = self.files["/nir.tif"]
            self.server.clear()
            got = web.cold(path, ["SELECT stacchip_chip(row, '{\"assets\":[\"red\"]}') FROM chips WHERE chip_index_x=4 AND chip_index_y=4"])
            self.assertEqual(bytes.fromhex(got), bare(self.db, self.item(self.folder, "nir"), 4, 4))
            self.assertEqual(len(self.server.requests), 3)  # a block of old, the header, a block

    def test_file_that_changes_all_the_time_is_an_error(self):
        self.server.etag = lambda path, data: '"%f"' % time.time()
        self.fails("has changed on the server")

    def test_slow_answer_times_out(self):
        self.config(timeout_ms=300, retries=1)
        self.server.fault = lambda h: lambda h: time.sleep(1.5)
        t = time.time()
        self.fails("[Tt]imeout|timed out")
        self.assertLess(time.time() - t, 2.5)

    def test_interrupt_ends_a_request_that_hangs(self):
        self.config(timeout_ms=20000)
        stop = threading.Event()
        for statement, arguments, hang_at in (
                ("SELECT stacchip_chip(row) FROM stacchip_index(?, '{\"platform\": \"none\"}')", (json.dumps(self.item(self.server.url)),), 1),
                ("SELECT stacchip_chip(row) FROM stacchip_index(?, '{\"platform\": \"none\"}')", (json.dumps(self.item(self.server.url, "green")),), 2),
                ("SELECT count(*) FROM stacchip_index(?)", (f"{self.server.url}/item.json",), 1),
                ("SELECT count(*) FROM stacchip_index(?)", (f"{self.server.url}/swir22.tif",), 1),
                ("SELECT count(*) FROM stacchip_items(?)", (f"{self.server.url}/item.json",), 1),
                ("SELECT count(*) FROM stacchip_search(?)", (self.server.url,), 1)):
            with self.subTest(statement=statement, hang_at=hang_at):
                self.server.clear()
                self.server.fault = lambda h: (lambda h: stop.wait(15)) if h.number >= hang_at else None
                db = sqlite3.connect(":memory:", check_same_thread=False)
                db.enable_load_extension(True)
                db.load_extension(host.EXT)
                threading.Timer(0.6, db.interrupt).start()
                t = time.time()
                with self.assertRaises(sqlite3.OperationalError) as e:
                    db.execute(statement, arguments).fetchall()
                self.assertIn("interrupted", str(e.exception))
                self.assertLess(time.time() - t, 2)
        stop.set()

    def test_redirects(self):
        other = web.Scripted(dict(self.files))
        moved = lambda where: lambda h: (lambda h: h.answer(302, b"", Location=where + h.path)) if h.path.startswith("/red") else None
        self.server.fault = moved(other.url)
        self.assertEqual(self.chip(), self.want)
        self.config(hosts="127.0.0.1")
        self.server.fault = moved(f"http://localhost:{other.port}")
        self.fails("host 'localhost' is not allowed", self.item(f"{self.server.url}", "rededge1") and self.item(self.server.url + "/red"))
        self.server.fault = moved("file:///etc")
        self.fails("redirected to a scheme|Unsupported|scheme", self.item(self.server.url + "/red2"))
        self.server.fault = moved(self.server.url)
        self.fails("too many redirects", self.item(self.server.url + "/red3"))
        self.config(hosts="")
        self.server.fault = moved("http://169.254.169.254/latest")
        self.fails("not allowed", self.item(self.server.url + "/red4"))
        self.server.fault = moved("http://[::ffff:169.254.169.254]/latest")
        self.fails("not allowed", self.item(self.server.url + "/red5"))
        self.assertTrue(all(p.startswith("/red") for _, p, _, _ in self.server.requests))
        other.close()

    def test_redirect_does_not_carry_the_callers_keys_to_another_host(self):
        other = web.Scripted()
        other.fault = lambda h: lambda h: h.json({"type": "FeatureCollection", "features": []})
        self.server.fault = lambda h: lambda h: h.answer(307, b"", Location=f"http://localhost:{other.port}/search")
        self.db.execute("SELECT * FROM stacchip_search(?, '{}', '{\"headers\": {\"Authorization\": \"Bearer t0psecret\"}}')", (self.server.url,)).fetchall()
        self.assertEqual(self.server.requests[0][2]["Authorization"], "Bearer t0psecret")
        self.assertEqual(len(other.requests), 1)
        self.assertNotIn("Authorization", other.requests[0][2])
        other.close()

    def test_gzipped_item(self):
        import gzip
        body = gzip.compress(json.dumps(self.item(self.server.url)).encode())
        self.server.fault = lambda h: (lambda h: h.answer(200, body, Content_Type="application/json", Content_Encoding="gzip")) if h.path == "/i.json" else None
        self.assertEqual(self.chip(f"{self.server.url}/i.json"), self.want)

    def test_spaces_and_letters_in_a_url(self):
        self.server.fault = lambda h: setattr(h, "path", "/red.tif") or None
        item = self.item(self.server.url)
        item["assets"]["r"]["href"] = f"{self.server.url}/a b/\u00e9\u4e2d.tif?x=1 2"
        self.assertEqual(self.chip(item), self.want)
        self.assertEqual(self.server.requests[0][1], "/a%20b/%C3%A9%E4%B8%AD.tif?x=1%202")

    def test_jpeg2000_with_a_lost_answer_is_an_error_not_a_guess(self):
        with tempfile.TemporaryDirectory() as d:
            if subprocess.run(["gdal_translate", "-q", "-of", "JP2OpenJPEG", "-co", "QUALITY=100", "-co", "REVERSIBLE=YES", f"{self.folder}/red.tif", f"{d}/a.jp2"]).returncode:
                self.skipTest("no gdal_translate")
            with open(f"{d}/a.jp2", "rb") as f:
                self.server.files["/red.tif"] = f.read()
            self.config(retries=0)
            wrong = 0
            for number in range(1, 12):
                self.nth(lambda h: h.answer(503, b"busy"), number)
                self.server.clear()
                item = self.item(f"{self.server.url}")
                item["assets"]["r"]["href"] += f"?{number}"
                try:
                    wrong += self.chip(item) != self.want
                except sqlite3.Error as e:
                    self.assertIn("503", str(e))
                self.assertEqual(wrong, 0, number)

    def test_secrets_are_in_no_message_and_in_no_database(self):
        self.config(retries=0)
        secret = "sig=Zm9vYmFy%2Bsecret&se=2030"
        item = self.item(self.server.url)
        item["assets"]["r"]["href"] += "?" + secret
        self.server.fault = lambda h: lambda h: h.answer(403, f"cannot serve {h.path} to you".encode())
        self.assertNotIn("secret", self.fails("403: cannot serve", item))
        item["assets"]["r"]["href"] = f"http://user:passw0rd@127.0.0.1:{self.server.port}/red.tif?{secret}"
        text = self.fails("403", item)
        self.assertNotIn("secret", text)
        self.assertNotIn("passw0rd", text)
        item["assets"]["r"]["href"] = f"http://user:p@ssw0rd@127.0.0.1:{web.free_port()}/red.tif"
        self.assertNotIn("ssw0rd", self.fails("item .*asset r: http://127.0.0.1:", item))
        item["assets"]["r"]["href"] = f"{self.server.url}/red.tif?{secret}"
        self.server.fault = None
        self.assertEqual(self.chip(item), self.want)
        with tempfile.TemporaryDirectory() as d:
            db = host.connect(f"{d}/m.db")
            db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)")
            whole = remote_item(self.folder, self.server.url)
            for asset in whole["assets"].values():
                asset["href"] += "?" + secret
            db.execute("INSERT INTO chips(item_json) VALUES (?)", (json.dumps(whole),))
            self.assertGreater(db.execute("SELECT count(*) FROM chips").fetchone()[0], 30)
            db.close()
            with open(f"{d}/m.db", "rb") as f:
                data = f.read()
            self.assertIn(b"/red.tif", data)
            self.assertNotIn(b"secret", data)

    def test_one_request_in_twenty_fails_and_no_chip_is_wrong(self):
        import random
        draw = random.Random(7)
        faults = [lambda h: h.drop(), lambda h: h.answer(503, b"busy"), lambda h: h.answer(206, h.data()[h.span()[0]:h.span()[0] + 10], Content_Range="bytes 0-9/10") if h.span() else h.drop()]
        self.server.fault = lambda h: draw.choice(faults) if draw.random() < 0.05 else None
        self.config(retries=8, cache_bytes=0)
        local = json.dumps(self.item(self.folder))
        remote = json.dumps(self.item(self.server.url))
        sql = "SELECT stacchip_chip(row) FROM stacchip_index(?, '{\"platform\": \"none\", \"max_nodata\": 1, \"stride\": 32}') ORDER BY stacchip_hash(1, chipid) LIMIT ?"
        sql = "SELECT stacchip_chip(row) FROM (SELECT row FROM stacchip_index(?, '{\"platform\": \"none\", \"max_nodata\": 1, \"chip_size\": 64, \"stride\": 32}') ORDER BY stacchip_hash(1, chipid) LIMIT ?)"
        n = 2000 if FULL else 200
        try:
            got = self.db.execute(sql, (remote, n)).fetchall()
            self.assertEqual(len(got), n)
            self.assertEqual(got, self.db.execute(sql, (local, n)).fetchall())
            self.assertGreater(len(self.server.requests), n)
        finally:
            self.config(cache_bytes=256 << 20)



API = os.path.join(host.SHARED, "fixtures", "api")


def feature(name):
    return {"type": "Feature", "stac_version": "1.0.0", "id": name, "geometry": None, "links": [], "properties": {"datetime": "2024-01-01T00:00:00Z"},
            "assets": {"a": {"href": "https://example.com/a.tif"}, "local": {"href": "/etc/passwd"}}}


class Search(unittest.TestCase):
    def setUp(self):
        self.server = web.Scripted()
        self.db = host.connect()

    def tearDown(self):
        self.server.close()

    def ids(self, query=None, options=None, more="", url=None):
        return [r[0] for r in self.db.execute(f"SELECT id FROM stacchip_search(?, ?, ?) {more}", (url or self.server.url + "/v1", query, options))]

    def pages(self, n, link, per_page=3, empty=()):
        """Serve n pages; link(number of the next, url) makes the link; the page asked for is told by page_of()."""
        def page(h):
            asked = json.loads(h.body or "{}")
            q = dict(x.split("=") for x in h.path.partition("?")[2].split("&") if "=" in x)
            i = int(asked.get("startIndex") or asked.get("page") or q.get("page") or 0)
            links = [{"rel": "self", "href": "x"}] + ([dict(link(i + 1, self.server.url), rel="next")] if i + 1 < n else [])
            h.json({"type": "FeatureCollection", "features": [] if i in empty else [feature(f"{i}-{k}") for k in range(per_page)], "links": links})
        self.server.fault = lambda h: page

    def bodies(self):
        return [(m, p, json.loads(b) if b else None) for m, p, _, b in self.server.requests]

    @host.needs_shared
    def test_recorded_traffic(self):
        for chain in (["xcube-dev-xcube-stac__0448__earthsearch", "xcube-dev-xcube-stac__0459__earthsearch", "xcube-dev-xcube-stac__0466__earthsearch"],
                      ["stac-utils-pystac-client__0141__pc", "stac-utils-pystac-client__0142__pc"], ["stac-utils-pystac-client__0011__earthsearch", "stac-utils-pystac-client__0012__earthsearch"],
                      ["stac-utils-pystac-client__0082__eoapi"], ["stac-utils-pystac-client__0031__earthsearch"],
                      ["stac-utils-pystac-client__0009__earthsearch"]):  # items without assets
            with self.subTest(chain[0]):
                asked, answers, wanted = [], [], []
                for name in chain:
                    with open(f"{API}/{name}__POST_search.request.json") as f:
                        request = json.load(f)
                    with open(f"{API}/{name}__POST_search.json") as f:
                        text = f.read()
                    origin = "/".join(request["uri"].split("/")[:3])
                    asked.append(json.loads(request["reqbody"]))
                    answers.append(json.loads(text.replace(origin, self.server.url)))
                    wanted += [x["id"] for x in json.loads(text)["features"]]
                end = {"type": "FeatureCollection", "features": [], "links": []}
                self.server.clear()
                self.server.fault = lambda h: lambda h: h.json(answers[h.number - 1] if h.number <= len(answers) else end)
                path = request["uri"][len(origin):]
                got = self.ids(json.dumps(asked[0]), url=self.server.url + path.removesuffix("/search"))
                self.assertEqual(got, wanted)
                self.assertEqual(self.bodies()[:len(asked)], [("POST", path, a) for a in asked])
                links = [l for l in answers[-1]["links"] if l["rel"] == "next"]
                self.assertEqual(len(self.server.requests), len(asked) + len(links))
                if links:
                    self.assertEqual(self.bodies()[-1][2], links[0]["body"])

    @host.needs_shared
    def test_recorded_get_links(self):
        answers = {}
        for i in (1, 2):
            with open(f"{API}/stac-utils-rustac__items-page-{i}.json") as f:
                answers[i] = json.loads(f.read().replace("https://planetarycomputer.microsoft.com", self.server.url))
        end = {"type": "FeatureCollection", "features": [], "links": []}
        self.server.fault = lambda h: lambda h: h.json(answers.get(h.number, end))
        self.assertEqual(self.ids(url=self.server.url + "/api/stac/v1", options='{"method": "GET"}'), [answers[i]["features"][0]["id"] for i in (1, 2)])
        nexts = [next(l["href"] for l in answers[i]["links"] if l["rel"] == "next") for i in (1, 2)]
        self.assertEqual([self.server.url + p for _, p, _, _ in self.server.requests[1:]], nexts)

    @host.needs_shared
    def test_recorded_geometry_and_cloud(self):
        with open(f"{API}/xcube-dev-xcube-stac__0448__earthsearch__POST_search.json") as f:
            page = json.load(f)
        page["links"] = []
        self.server.fault = lambda h: lambda h: h.json(page)
        got = self.db.execute("SELECT id, eo_cloud_cover, datetime, ST_IsValid(geometry), ST_SRID(geometry), collection FROM stacchip_search(?)", (self.server.url,)).fetchall()
        want = [(x["id"], x["properties"]["eo:cloud_cover"], x["properties"]["datetime"][:10], 1, 4326, x["collection"]) for x in page["features"]]
        self.assertEqual([(a, b, c[:10], d, e, f) for a, b, c, d, e, f in got], want)

    def test_post_with_merge_and_start_index(self):
        self.pages(3, lambda i, url: {"href": f"{url}/v1/search", "method": "POST", "merge": True, "body": {"startIndex": i}})
        self.assertEqual(len(self.ids('{"collections": ["c"], "limit": 3}')), 9)
        self.assertEqual(self.bodies(), [("POST", "/v1/search", dict({"collections": ["c"], "limit": 3}, **({"startIndex": i} if i else {}))) for i in range(3)])

    def test_post_without_merge_replaces(self):
        self.pages(2, lambda i, url: {"href": f"{url}/v1/search", "method": "POST", "body": {"page": i}})
        self.ids('{"collections": ["c"]}')
        self.assertEqual(self.bodies()[1][2], {"page": 1})

    def test_get_links_relative_and_lower_case_method(self):
        self.pages(3, lambda i, url: {"href": f"search?page={i}", "method": "get"} if i == 1 else {"href": f"{url}/v1/search?page={i}"})
        self.assertEqual(len(self.ids('{"collections": ["c", "d"], "bbox": [1, 2, 3.5, 4], "query": {"a": {"lt": 1}}}', '{"method": "GET"}')), 9)
        self.assertEqual([p for _, p, _, _ in self.server.requests], ["/v1/search?collections=c,d&bbox=1,2,3.5,4&query=%7B%22a%22:%7B%22lt%22:1%7D%7D", "/v1/search?page=1", "/v1/search?page=2"])
        self.assertEqual({m for m, _, _, _ in self.server.requests}, {"GET"})

    def test_empty_page_that_goes_on(self):
        self.pages(5, lambda i, url: {"href": f"{url}/v1/search", "method": "POST", "body": {"page": i}}, empty=(0, 2, 3))
        self.assertEqual(self.ids(), [f"{i}-{k}" for i in (1, 4) for k in range(3)])

    def test_pages_that_lead_nowhere_end(self):
        self.pages(10 ** 9, lambda i, url: {"href": f"{url}/v1/search", "method": "POST", "body": {"page": 0}})
        with self.assertRaisesRegex(sqlite3.Error, "leads back to an earlier page"):
            self.ids('{"page": 0}')
        self.pages(10 ** 9, lambda i, url: {"href": f"{url}/v1/search", "method": "POST", "body": {"page": i}}, per_page=0)
        with self.assertRaisesRegex(sqlite3.Error, "without a new item"):
            self.ids()

    def test_errors_in_the_servers_words(self):
        self.server.fault = lambda h: lambda h: h.json({"code": "RequestValidationError", "description": "bbox must have 4 or 6 numbers"}, status=400)
        with self.assertRaisesRegex(sqlite3.Error, "/v1/search: HTTP status 400: .*bbox must have 4 or 6 numbers"):
            self.ids()
        self.assertEqual(len(self.server.requests), 1)
        self.server.fault = lambda h: lambda h: h.answer(200, b"<html>log in first</html>")
        with self.assertRaisesRegex(sqlite3.Error, "HTML page"):
            self.ids()
        self.server.fault = lambda h: lambda h: h.json({"conformsTo": []})
        with self.assertRaisesRegex(sqlite3.Error, "no features"):
            self.ids()
        with self.assertRaisesRegex(sqlite3.Error, "query is not a JSON object"):
            self.ids("[1]")
        with self.assertRaisesRegex(sqlite3.Error, "max_item"):
            self.ids("{}", '{"max_item": 1}')

    def test_second_page_that_fails_comes_after_the_first(self):
        self.pages(3, lambda i, url: {"href": f"{url}/v1/search", "method": "POST", "body": {"page": i}})
        page = self.server.fault
        self.server.fault = lambda h: (lambda h: h.answer(400, b"token expired")) if h.number == 2 else page(h)
        rows = self.db.execute("SELECT id FROM stacchip_search(?)", (self.server.url,))
        got = []
        with self.assertRaisesRegex(sqlite3.Error, "token expired"):
            for r in rows:
                got.append(r[0])
        self.assertEqual(got[:2], ["0-0", "0-1"])  # Python steps one row ahead

    def test_limit_stops_paging_and_one_page_is_fetched_ahead(self):
        self.pages(50, lambda i, url: {"href": f"{url}/v1/search", "method": "POST", "body": {"page": i}})
        self.assertEqual(self.ids(more="LIMIT 2"), ["0-0", "0-1"])
        self.assertLessEqual(len(self.server.requests), 2)
        self.server.clear()
        rows = self.db.execute("SELECT id FROM stacchip_search(?)", (self.server.url,))
        rows.fetchone()
        time.sleep(0.3)
        self.assertEqual(len(self.server.requests), 2)
        rows.close()
        self.server.clear()
        self.assertEqual(len(self.ids(options='{"max_items": 4}')), 4)
        self.assertLessEqual(len(self.server.requests), 3)

    def test_local_hrefs_are_dropped(self):
        self.pages(1, None)
        item = json.loads(self.db.execute("SELECT item_json FROM stacchip_search(?)", (self.server.url,)).fetchone()[0])
        self.assertEqual(item["assets"]["a"]["href"], "https://example.com/a.tif")
        self.assertNotIn("passwd", json.dumps(item))

    def test_headers_of_the_caller_go_to_their_host_only(self):
        other = web.Scripted(fault=lambda h: lambda h: h.json({"type": "FeatureCollection", "features": []}))
        self.pages(2, lambda i, url: {"href": f"http://localhost:{other.port}/search?page={i}"})
        self.ids("{}", '{"headers": {"X-Api-Key": "k3y"}}')
        self.assertEqual(self.server.requests[0][2]["X-Api-Key"], "k3y")
        self.assertEqual(len(other.requests), 1)
        self.assertNotIn("X-Api-Key", other.requests[0][2])
        other.close()

    def test_headers_of_the_caller_do_not_follow_to_another_port(self):
        other = web.Scripted(fault=lambda h: lambda h: h.json({"type": "FeatureCollection", "features": []}))
        self.server.fault = lambda h: lambda h: h.answer(307, b"", Location=f"http://127.0.0.1:{other.port}/search")
        self.ids("{}", '{"headers": {"X-Api-Key": "k3yk3yk3y"}}')
        self.assertEqual(len(other.requests), 1)
        self.assertNotIn("X-Api-Key", other.requests[0][2])
        other.close()

    def test_headers_that_a_server_quotes_are_not_shown(self):
        self.server.fault = lambda h: lambda h: h.answer(403, f"no access with {h.headers['Authorization']} or {h.headers['X-Api-Key'][:99]}: {h.headers['Authorization'].split()[1]}".encode())
        with self.assertRaisesRegex(sqlite3.Error, "403: no access with") as e:
            self.ids("{}", '{"headers": {"X-Api-Key": "k3yk3yk3y", "Authorization": "Bearer t0ken-of-mine"}}')
        self.assertNotRegex(str(e.exception), "k3yk3y|t0ken")

    def test_static_catalogue(self):
        u = self.server.url
        self.server.files = {k: json.dumps(v).encode() for k, v in {
            "/c/catalog.json": {"type": "Catalog", "stac_version": "1.0.0", "id": "c", "links": [{"rel": "child", "href": "./a/collection.json"}, {"rel": "item", "href": "i0.json"}, {"rel": "root", "href": "catalog.json"}]},
            "/c/a/collection.json": {"type": "Collection", "stac_version": "1.0.0", "id": "a", "links": [{"rel": "item", "href": "i1.json"}, {"rel": "child", "href": "../catalog.json"}, {"rel": "item", "href": f"{u}/c/a/i2.json"}]},
            "/c/i0.json": feature("i0"), "/c/a/i1.json": dict(feature("i1"), assets={"r": {"href": "../r.tif"}}), "/c/a/i2.json": feature("i2")}.items()}
        got = dict(self.db.execute("SELECT id, item_json FROM stacchip_items(?)", (f"{u}/c/catalog.json",)))
        self.assertEqual(sorted(got), ["i0", "i1", "i2"])
        self.assertEqual(json.loads(got["i1"])["assets"]["r"]["href"], f"{u}/c/r.tif")
        self.assertEqual(json.loads(got["i0"])["assets"]["local"]["href"], f"{u}/etc/passwd")  # a path on that server


if __name__ == "__main__":
    host.main()
