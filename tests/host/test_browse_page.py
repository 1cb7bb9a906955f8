"""The page that `stacchip browse` serves, in headless Chromium: what it shows, selects and writes, and what strangers and hostile databases get from it."""
import base64
import http.server
import json
import os
import shutil
import subprocess
import threading
import urllib.parse

import host
import page_browser

PROGRAM = os.path.join(os.path.dirname(host.EXT), "stacchip")


def serve(*arguments):
    """A server and its address; end it with stop()."""
    process = subprocess.Popen([PROGRAM, "browse", *arguments], stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline().strip()


def stop(process):
    process.terminate()
    process.communicate(timeout=60)


class Stranger(http.server.BaseHTTPRequestHandler):
    """A page of another origin, with nothing in it yet."""

    def do_GET(self):
        body = b"<!doctype html><title>stranger</title><body>hello"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def rgb(png, folder):
    """(width, height, bytes of red, green, blue) of a PNG, by GDAL."""
    path = os.path.join(folder, "one.png")
    with open(path, "wb") as f:
        f.write(png)
    size = [int(n) for n in json.loads(subprocess.run(["gdalinfo", "-json", path], capture_output=True, text=True, check=True, env=page_browser.CLEAN).stdout)["size"]]
    subprocess.run(["gdal_translate", "-q", "-of", "ENVI", "-co", "INTERLEAVE=BIP", "-b", "1", "-b", "2", "-b", "3", path, path + ".bip"], check=True, env=page_browser.CLEAN)
    with open(path + ".bip", "rb") as f:
        return *size, f.read()


@page_browser.needs_browser
class Page(page_browser.Shown):
    n_scripts = 2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.written = os.path.join(cls.folder, "data", "written.db")
        shutil.copy(cls.path, cls.written)
        cls.frozen = os.path.join(cls.folder, "frozen.db")
        cls.db.execute("SELECT stacchip_freeze(?, 'SELECT row FROM chips WHERE cloud_cover_percentage < 0.1 LIMIT 20')", (cls.frozen,)).fetchone()
        cls.servers = [serve(cls.path, cls.frozen), serve("--read-write", cls.written), serve(cls.hostile)]
        stranger = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        (_, url), (_, writing), (_, bad) = cls.servers
        port = urllib.parse.urlsplit(url).port
        cls.results = page_browser.drive([
            {"name": "load", "scenario": "load", "url": url}, {"name": "filter", "scenario": "filter", "url": url}, {"name": "select", "scenario": "select", "url": url},
            {"name": "view", "scenario": "total", "url": f"{url}#" + urllib.parse.urlencode({"q": "cloud_cover_percentage > 0.9", "k": "sql:nodata_percentage + chip_index_x", "id": "3"})},
            {"name": "error", "scenario": "sqlError", "url": url, "sql": "nonsense > 1"}, {"name": "writing", "scenario": "sqlError", "url": url, "sql": "1); DELETE FROM chips; --"},
            {"name": "function", "scenario": "sqlError", "url": url, "sql": "stacchip_zonal('/etc/passwd', geometry) IS NULL"}, {"name": "color", "scenario": "colorError", "url": url, "sql": "nonsense + 1"},
            {"name": "keyboard", "scenario": "keyboard", "url": url}, {"name": "pictures", "scenario": "pictures", "url": url, "n": 6, "chip": "#id=8&r=nir,red,green&x=5,95"},
            {"name": "overlay", "scenario": "pictures", "url": url, "n": 1, "chip": "#id=8&v=1"}, {"name": "frozen", "scenario": "pictures", "url": url, "n": 2, "frozen": True},
            {"name": "label", "scenario": "label", "url": writing}, {"name": "save", "scenario": "saveTable", "url": writing, "table": "drawn"},
            {"name": "hostile", "scenario": "hostile", "url": bad, "chip": "#id=1"},
            {"name": "stranger", "scenario": "stranger", "url": f"http://127.0.0.1:{stranger.server_port}/", "target": url},
            {"name": "rebound", "scenario": "stranger", "url": f"http://evil.test:{port}/", "target": url.replace("127.0.0.1", "evil.test"), "first": True},
        ], ["--host-resolver-rules=MAP evil.test 127.0.0.1"])
        stranger.shutdown()

    @classmethod
    def tearDownClass(cls):
        for process, _ in cls.servers:
            stop(process)
        super().tearDownClass()

    def test_tables_and_whom_the_page_asks(self):
        value = self.value("load")
        self.assertEqual(len(value["tables"]), 2)
        self.assertIn("(frozen)", value["tables"][1])
        address = self.servers[0][1]
        self.assertEqual([r for r in self.results["load"]["requests"] if not r.startswith((address, "data:"))], [])

    def test_a_hash_is_a_view(self):
        value = self.value("view")
        self.assertEqual((value["where"], value["color"], value["open"]), ("cloud_cover_percentage > 0.9", "nodata_percentage + chip_index_x", True))

    def test_boxes_and_lassos_select_what_spatialite_selects(self):
        value = self.value("select")
        self.assertEqual(value["all"], self.count("1"))
        self.assertEqual(len(value["asked"]), 3)
        middle = "MakePoint((MbrMinX(geometry) + MbrMaxX(geometry)) / 2, (MbrMinY(geometry) + MbrMaxY(geometry)) / 2, 4326)"
        for request, n in zip(value["asked"], (value["all"], value["some"], value["lasso"])):
            text = "POLYGON((" + ", ".join(f"{x} {y}" for x, y in request["polygon"]) + "))"
            expected = self.db.execute(f"SELECT count(*) FROM chips_chip WHERE ST_Contains(GeomFromText(?, 4326), {middle})", (text,)).fetchone()[0]
            self.assertEqual(n, expected)
        self.assertTrue(0 < value["lasso"] < value["all"])
        rows = {row for row, in self.db.execute("SELECT row FROM chips")}
        self.assertEqual(len(set(value["ids"]) & rows), value["lasso"])
        self.assertTrue(value["cleared"])

    def test_sql_errors_are_shown_and_nothing_is_written(self):
        refused = ("status of 40",)  # the browser's own line for a refused request
        value = self.value("error", refused)
        self.assertTrue(value["said"].startswith("no such column: nonsense; columns: chipid, "), value["said"])
        self.assertEqual((value["role"], value["before"], value["after"], value["hidden"]), ("alert", f"{self.count('1')} chips", f"{self.count('1')} chips", True))
        self.assertTrue(self.value("writing", refused)["said"])
        self.assertTrue(self.value("function", refused)["said"])
        value = self.value("color", refused)
        self.assertTrue(value["said"].startswith("no such column: nonsense; columns: chipid, ") and value["where"], value)

    def pixels(self, rowid, **options):
        blob, = self.db.execute("SELECT stacchip_chip(row, ?) FROM chips WHERE rowid = ?", (json.dumps({"format": "png", **options}), rowid)).fetchone()
        return rgb(blob, self.folder)

    def test_thumbnails_are_the_pixels_of_the_chip(self):
        value = self.value("pictures")
        self.assertEqual(len(value["grid"]), 6)
        for rowid, (width, height, seen) in value["grid"]:
            self.assertEqual((width, height, base64.b64decode(seen)), self.pixels(rowid, size=256))
        self.assertGreater(len({seen for _, (_, _, seen) in value["grid"]}), 3)
        width, height, seen = value["large"]
        self.assertEqual((width, height, base64.b64decode(seen)), self.pixels(8, size=768, assets=["nir", "red", "green"], stretch=[5, 95]))
        place = self.db.execute("SELECT count(*) FROM chips c JOIN (SELECT grid, chip_index_x, chip_index_y FROM chips WHERE rowid = 8) p USING (grid, chip_index_x, chip_index_y)").fetchone()[0]
        self.assertEqual((value["dates"], value["handle"]), (place, self.db.execute("SELECT row FROM chips WHERE rowid = 8").fetchone()[0]))
        width, height, seen = self.value("overlay")["large"]
        self.assertEqual((width, height, base64.b64decode(seen)), self.pixels(8, size=768, stretch=[2, 98], overlay="mask"))
        self.assertNotEqual(base64.b64decode(seen), self.pixels(8, size=768)[2])

    def test_thumbnails_of_a_frozen_dataset(self):
        db = host.connect(self.frozen)
        value = self.value("frozen")
        self.assertEqual(len(value["grid"]), 2)
        for position, (width, height, seen) in value["grid"]:
            blob, = db.execute("SELECT stacchip_chip(handle, ?) FROM chips WHERE position = ?", (json.dumps({"format": "png", "assets": ["red", "green", "blue"], "size": 256}), position)).fetchone()
            self.assertEqual((width, height, base64.b64decode(seen)), rgb(blob, self.folder))

    def test_labels_are_written(self):
        value = self.value("label")
        self.assertEqual(value["statuses"], [200] * 5)
        self.assertEqual(value["badges"], ["✓ keep", "✕ drop", "two words, \"quoted\" <b>", ""])
        db = host.connect(self.written)
        got = db.execute("SELECT c.rowid, l.label FROM chips_labels l JOIN chips c ON c.row = l.chip ORDER BY c.rowid").fetchall()
        self.assertEqual(got, list(zip(value["ids"], ["keep", "drop", "two words, \"quoted\" <b>"])))

    def test_a_selection_is_saved_as_a_table(self):
        value = self.value("save")
        self.assertTrue(value["wrong"])
        self.assertEqual(value["status"], 200)
        db = host.sqlite3.connect(self.written)
        self.assertEqual(db.execute("SELECT count(*) FROM drawn").fetchone()[0], value["n"])

    def test_a_stranger_reads_nothing(self):
        refused = ("blocked by CORS", "Failed to load resource", "Refused to", "violates", "Blocked a frame", "SecurityError")
        for name in ("stranger", "rebound"):
            value = self.value(name, refused)
            self.assertEqual(set(value), {"get", "json", "simple", "opaque", "image", "script", "frame"})
            for way, said in value.items():
                self.assertTrue(said.startswith("failed: "), (name, way, said))


def contrast(a, b):
    """Of two colours (0..255), by WCAG 2.2: 1 to 21."""
    light, dark = sorted((sum(w * (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4) for w, v in zip((0.2126, 0.7152, 0.0722), (c / 255 for c in color))) for color in (a, b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@page_browser.needs_browser
class Use(page_browser.Chips):
    """What people do with the page: quick keys, links, Back, small windows, a table that is still being read."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server, url = serve("--read-write", cls.path)
        small = {"width": 720, "height": 1400}
        cls.results = page_browser.drive([{"name": name, "scenario": name, "url": url, "chip": "#id=8"} for name in ("lateChips", "noPicture", "history", "early", "tooMany", "names")] + [
            {"name": "small", "scenario": "small", "url": url, "viewport": small}] + [
            {"name": scheme, "scenario": "colors", "url": url, "scheme": scheme, "chip": "#id=8"} for scheme in ("light", "dark")])

    @classmethod
    def tearDownClass(cls):
        stop(cls.server)
        super().tearDownClass()

    def value(self, name):
        result = self.results[name]
        self.assertIsNone(result["error"])
        self.assertEqual([e for e in result["errors"] if "status of 50" not in e], [])
        return result["value"]

    def test_keys_are_for_the_chip_that_was_asked_for(self):
        """While it is read, while the one before is still shown, and where it cannot be read: never for the selection or another chip."""
        value = self.value("lateChips")
        self.assertEqual(value["asked"], [[i] for i in value["ids"][:3]])
        self.assertEqual((value["seen"], value["said"]), ("toast", "database is locked"))
        self.assertEqual(value["focused"], value["ids"][3])

    def test_a_chip_that_cannot_be_read_says_why(self):
        self.assertEqual(self.value("noPicture"), "This chip cannot be read.asset red: cannot open")

    def test_links_move_the_map_and_back_closes_a_chip(self):
        value = self.value("history")
        west, south, east, north = value["closer"]
        self.assertLess(east - west, 0.05)
        self.assertTrue(west < -62.9 < east and south < -32.6 < north)
        self.assertEqual((value["looking"][0], value["looking"][2]), (True, "0,100"))
        self.assertEqual(value["back"], [False, None, "0,100"])
        self.assertEqual(value["escaped"], [False, None, "0,100", "chip_index_x<9"])
        self.assertEqual(value["first"], [False, None, None, ""])
        self.assertGreater(value["farther"][2] - value["farther"][0], 0.1)

    def test_small_thumbnails_fill_the_page(self):
        self.assertGreater(self.value("small"), 60)

    def test_a_page_that_is_opened_early_becomes_whole(self):
        value, n = self.value("early"), self.count("1")
        self.assertEqual((value["total"], value["note"], value["thumbs"]), (f"{n} chips", f"{n} chips in view", 60))
        self.assertTrue(value["bbox"][0] < -62.9 < value["bbox"][2] and value["bbox"][2] - value["bbox"][0] < 1)

    def test_a_selection_that_is_not_all_says_so(self):
        self.assertEqual(self.value("tooMany"), {"said": "The first 2 of 5 chips there are selected: more at once cannot be", "selected": 2})

    def test_everything_has_a_name(self):
        value = self.value("names")
        self.assertEqual(value["nameless"], [])
        self.assertGreater(min(value["counts"]), 1)

    def test_contrast(self):
        for scheme in ("light", "dark"):
            pairs = self.value(scheme)
            self.assertGreater(len(pairs), 100)
            self.assertEqual([(what, round(contrast(a, b), 2)) for what, a, b, least in pairs if contrast(a, b) < least], [], scheme)


if __name__ == "__main__":
    host.main()
