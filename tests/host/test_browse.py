"""stacchip browse over its socket: what it answers, and what it refuses."""
import contextlib
import csv
import http.client
import io
import json
import os
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

import host

PROGRAM = os.path.join(os.path.dirname(host.EXT), "stacchip")
ITEM = os.path.join(host.ROOT, "build", "scenes", "sentinel-2", "item.json")
ENV = {k: v for k, v in os.environ.items() if not k.startswith("STACCHIP_") and k != "LD_PRELOAD"}
WORLD = {"bbox": [-180, -85, 180, 85], "width": 1200, "height": 700}


class Server:
    def __init__(self, *args):
        self.process = subprocess.Popen([PROGRAM, "browse", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENV)
        self.address = self.process.stdout.readline().strip()
        if not self.address:
            raise AssertionError(self.process.communicate()[1])
        parts = urllib.parse.urlsplit(self.address)
        self.name, self.port, self.path, self.host = parts.hostname, parts.port, parts.path, parts.netloc

    def ask(self, path, body=None, method=None, headers=None, whole=False):
        """(status, headers, bytes); body: JSON of a POST, or bytes. whole: the path with its token."""
        c = http.client.HTTPConnection(self.name, self.port, timeout=120)
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            head = {"Content-Type": "application/json"} if data is not None else {}
            c.request(method or ("GET" if data is None else "POST"), path if whole else self.path + path, data, {**head, **(headers or {})})
            r = c.getresponse()
            return r.status, dict(r.getheaders()), r.read()
        finally:
            c.close()

    def json(self, path, body=None, status=200):
        found, _, data = self.ask(path, body)
        answer = json.loads(data)
        if found != status:
            raise AssertionError(f"{path}: {found} {answer}")
        return answer

    def settled(self, path, body):
        """The answer once nothing of it is partial."""
        for _ in range(400):
            answer = self.json(path, body)
            if "partial" not in answer:
                return answer
            time.sleep(0.05)
        raise AssertionError("it stays partial")

    def raw(self, data):
        with socket.create_connection((self.name, self.port), timeout=30) as s:
            s.sendall(data)
            got = b""
            with contextlib.suppress(ConnectionError, socket.timeout):
                while part := s.recv(65536):
                    got += part
            return got

    def stop(self, sign=signal.SIGTERM):
        """Its exit code; under a sanitizer leaks and races make it fail."""
        self.process.send_signal(sign)
        out, err = self.process.communicate(timeout=120)
        if self.process.returncode:
            raise AssertionError(err)
        return self.process.returncode


def other_item(folder, name, **properties):
    with open(ITEM) as f:
        item = json.load(f)
    item["id"] = name
    item["properties"].update(properties)
    for asset in item["assets"].values():
        asset["href"] = os.path.join(os.path.dirname(ITEM), asset["href"])
    path = os.path.join(folder, re.sub(r"\W", "_", name)[:40] + ".json")
    with open(path, "w") as f:
        json.dump(item, f)
    return path


def make_database(path, items, table="chips"):
    db = host.connect(path)
    table = table.replace('"', '""')
    db.execute(f'CREATE VIRTUAL TABLE "{table}" USING stacchip_merge(max_nodata=1)')
    for item in items:
        db.execute(f'INSERT INTO "{table}"(item_json) VALUES (?)', (item,))
    return db


class Browse(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.path = os.path.join(cls.folder, "chips.db")
        later = other_item(cls.folder, "LATER", datetime="2024-06-17T14:06:36Z")
        undated = other_item(cls.folder, "UNDATED", datetime=None)
        cls.db = make_database(cls.path, [ITEM, later, undated])
        cls.db.execute("CREATE TABLE secrets(text)")
        cls.server = Server(cls.path)

    @classmethod
    def tearDownClass(cls):
        cls.db.close()
        try:
            cls.server.stop()
        finally:
            shutil.rmtree(cls.folder)

    def count(self, where):
        return self.db.execute(f"SELECT count(*) FROM chips WHERE {where}").fetchone()[0]

    # ---- who asks ----

    def test_nothing_is_answered_without_the_token(self):
        token = self.server.path.strip("/")
        self.assertRegex(token, r"^[0-9a-f]{32}$")
        for path in ("/", "/api/about", "/" + token[:-1] + "0/" if token[-1] != "0" else "/" + token[:-1] + "1/", "/" + token, "/" + token + "x/",
                     "/../" + token + "/", "//" + token + "/", "/x/" + token + "/"):
            status, _, data = self.server.ask(path, whole=True)
            self.assertEqual((status, data), (404, b""), path)

    def test_two_servers_have_two_tokens(self):
        other = Server(self.path)
        self.assertNotEqual(other.path, self.server.path)
        other.stop()

    def test_a_name_that_leads_here_is_not_enough(self):
        """DNS rebinding: the browser sends the stranger's name as Host."""
        for name in ("evil.example", f"evil.example:{self.server.port}", "127.0.0.1", f"127.0.0.1:{self.server.port + 1}", f"127.0.0.1.evil.example:{self.server.port}",
                     "", f"localhost:{self.server.port}.evil.example", f"[::1]:{self.server.port}"):
            status, _, data = self.server.ask("api/about", headers={"Host": name})
            self.assertIn(status, (400, 403), name)
            self.assertNotIn(b"tables", data)
        self.assertEqual(self.server.ask("api/about", headers={"Host": f"localhost:{self.server.port}"})[0], 200)

    def test_another_origin_reads_nothing(self):
        for origin in ("http://evil.example", "null", "https://127.0.0.1:%d" % self.server.port, "http://127.0.0.1:%d" % (self.server.port + 1), "http://127.0.0.1"):
            status, headers, data = self.server.ask("api/about", headers={"Origin": origin})
            self.assertEqual((status, data), (403, b""), origin)
            self.assertNotIn("Access-Control-Allow-Origin", headers)
            status, _, _ = self.server.ask("api/map", {"table": "chips", **WORLD}, headers={"Origin": origin})
            self.assertEqual(status, 403, origin)
        self.assertEqual(self.server.ask("api/about", headers={"Origin": "http://" + self.server.host})[0], 200)

    def test_a_form_of_another_site_posts_nothing(self):
        body = json.dumps({"table": "chips", **WORLD}).encode()
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", ""):
            self.assertEqual(self.server.ask("api/map", body, headers={"Content-Type": kind})[0], 415, kind)
        for method in ("PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
            self.assertEqual(self.server.ask("api/map", body, method=method)[0], 405, method)

    def test_headers_keep_the_page_to_itself(self):
        _, headers, _ = self.server.ask("api/about")
        self.assertEqual(headers["Referrer-Policy"], "no-referrer")
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        self.assertIn("script-src 'self'", headers["Content-Security-Policy"])
        self.assertNotIn("unsafe", headers["Content-Security-Policy"])
        self.assertEqual(headers["Cross-Origin-Resource-Policy"], "same-origin")

    def test_no_path_of_the_disk_is_served(self):
        for path in ("../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "/etc/passwd", "chips.db", ".", "..",
                     "api/../../etc/passwd", "tiles/../x", "page.js/../../x", "tiles/1/1/1.png/../../../etc/passwd", "tiles/-1/0/0.png", "tiles/1/99999999999/0.png"):
            status, _, data = self.server.ask(path)
            self.assertNotEqual(status, 200, path)
            self.assertNotIn(b"root:", data)

    def test_requests_are_bounded(self):
        head = f"POST {self.server.path}api/map HTTP/1.1\r\nHost: {self.server.host}\r\nContent-Type: application/json\r\n"
        got = self.server.raw((head + "Content-Length: 5000000\r\n\r\n").encode())
        self.assertIn(b" 413 ", got.split(b"\r\n")[0])
        got = self.server.raw((head + "Content-Length: 99999999999\r\n\r\n").encode())
        self.assertIn(b" 413 ", got.split(b"\r\n")[0])
        chunk = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"
        got = self.server.raw((head + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n").encode() + chunk * 6 + b"0\r\n\r\n")
        self.assertTrue(not got or b" 413 " in got.split(b"\r\n")[0], got[:80])
        status, _, _ = self.server.ask("api/about?" + "x=" + "y" * 200000)
        self.assertIn(status, (414, 431, 500))
        self.assertEqual(self.server.ask("api/about?" + "&".join(f"a{i}=1" for i in range(40)))[0], 400)
        self.assertEqual(self.server.ask("api/about")[0], 200)

    def test_bad_json_is_an_error_in_words(self):
        bad = [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"table": 7}', b'{"table": "none"}', b'{"foo": 1}', b'{"bbox": [1,2,3]}', b'{"bbox": [1,2,3,"x"]}', b'{"bbox": [1,2,3,1e999]}',
               b'{"cloud": "x"}', b'{"date": ["2024-13-01", null]}', b'{"platform": [7]}', b'{"polygon": [[0,0]]}', b'{"where": 5}', b'{"where": "' + b"(" * 500 + b'"}', b"[" * 100000]
        for body in bad:
            status, _, data = self.server.ask("api/map", body)
            self.assertIn(status, (400, 404), body[:40])
            self.assertTrue(json.loads(data)["error"], body[:40])

    # ---- what it answers ----

    def test_about(self):
        about = self.server.json("api/about")
        self.assertFalse(about["readWrite"])
        (table,) = about["tables"]
        self.assertEqual((table["name"], table["kind"], table["chips"], table["loaded"]), ("chips", "merge", self.count("1"), 1))
        self.assertEqual(table["dates"], ["2024-03-11", "2024-06-17"])
        self.assertEqual(table["platforms"], ["sentinel-2-l2a"])
        want = self.db.execute("SELECT min(MbrMinX(geometry)), min(MbrMinY(geometry)), max(MbrMaxX(geometry)), max(MbrMaxY(geometry)) FROM chips").fetchone()
        for a, b in zip(table["extent"], want):
            self.assertAlmostEqual(a, b, delta=1e-4)
        self.assertIn({"name": "cloud_cover_percentage", "type": "REAL"}, table["columns"])

    FILTERS = [({}, "1"), ({"cloud": [0, 0.1]}, "cloud_cover_percentage BETWEEN 0 AND 0.1"), ({"nodata": [0.1, 0.5]}, "nodata_percentage BETWEEN 0.1 AND 0.5"),
               ({"date": ["2024-04-01", None]}, "date >= '2024-04-01'"), ({"date": ["2024-03-11", "2024-03-11"], "cloud": [None, 0.2]}, "date = '2024-03-11' AND cloud_cover_percentage <= 0.2"),
               ({"platform": []}, "0"), ({"platform": ["sentinel-2-l2a"]}, "1"), ({"platform": ["x"]}, "0"), ({"where": "chip_index_x > 2 -- so"}, "chip_index_x > 2"),
               ({"where": "date IS NULL"}, "date IS NULL"), ({"where": "item = 'LATER' OR chip_index_y = 1", "cloud": [0, 0.3]}, "(item = 'LATER' OR chip_index_y = 1) AND cloud_cover_percentage <= 0.3"),
               ({"bbox": [-62.93, -32.6, -62.9, -32.57]}, "ST_Intersects(geometry, BuildMbr(-62.93, -32.6, -62.9, -32.57, 4326))"),
               ({"bbox": [-62.93 + 360, -32.6, -62.9 + 360, -32.57]}, "ST_Intersects(geometry, BuildMbr(-62.93, -32.6, -62.9, -32.57, 4326))"),
               ({"polygon": [[-62.96, -32.64], [-62.86, -32.64], [-62.86, -32.55]]}, "ST_Contains(GeomFromText('POLYGON((-62.96 -32.64, -62.86 -32.64, -62.86 -32.55, -62.96 -32.64))', 4326), ST_Centroid(ST_Envelope(geometry)))")]

    def test_filters_are_those_of_sql(self):
        for body, where in self.FILTERS:
            want = {r for r, in self.db.execute(f"SELECT rowid FROM chips WHERE {where}")}
            found = self.server.settled("api/select", {"table": "chips", **body})
            self.assertEqual(set(found["ids"]), want, body)
            self.assertEqual(found["total"], len(want))
            total = self.server.settled("api/histograms", {"table": "chips", **body})["total"]
            self.assertEqual(total, len(want), body)
            # The filter as SQL finds the same; a polygon is said as its box.
            if "polygon" not in body:
                sql = self.server.ask("api/export", {"table": "chips", **body, "format": "sql"})[2].decode()
                self.assertEqual({r for r, in self.db.execute(sql.replace("SELECT *", "SELECT rowid"))}, want, sql)

    def test_histograms_count_under_the_other_filters(self):
        body = {"table": "chips", "cloud": [0, 0.1], "date": ["2024-04-01", None]}
        h = self.server.json("api/histograms", body)
        clouds = [c for c, in self.db.execute("SELECT cloud_cover_percentage FROM chips WHERE date >= '2024-04-01'")]
        want = [0] * 20
        for c in clouds:
            want[min(int(c * 20), 19)] += 1
        self.assertEqual(h["cloud"], want)
        self.assertEqual(sum(h["dates"]["counts"]), self.count("cloud_cover_percentage <= 0.1 AND date IS NOT NULL"))
        self.assertEqual(h["dates"]["first"], "2024-03-11")
        self.assertEqual(sum(h["nodata"]), h["total"])

    def test_few_chips_have_rings(self):
        m = self.server.json("api/map", {"table": "chips", **WORLD, "color": "cloud"})
        self.assertEqual(m["kind"], "number")
        self.assertEqual(m["total"], self.count("1"))
        for id, rings, value in zip(m["chips"]["id"], m["chips"]["rings"], m["chips"]["value"]):
            cloud, text = self.db.execute("SELECT cloud_cover_percentage, AsGeoJSON(geometry, 6) FROM chips WHERE rowid = ?", (id,)).fetchone()
            self.assertAlmostEqual(value, cloud, places=6)
            geometry = json.loads(text)
            polygons = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
            self.assertEqual(len(rings), len(polygons))
            for ring, polygon in zip(rings, polygons):
                for a, b in zip(ring, polygon[0]):
                    self.assertAlmostEqual(a[0], b[0], places=5)
                    self.assertAlmostEqual(a[1], b[1], places=5)

    def test_colours(self):
        for color, sql in (("date", "julianday(date) - 2440587.5"), ("platform", "platform"), ("nodata", "nodata_percentage"), ("chip_index_x * 2", "chip_index_x * 2"),
                           ("CASE WHEN chip_index_x < 3 THEN 'west' ELSE 'east' END", "CASE WHEN chip_index_x < 3 THEN 'west' ELSE 'east' END"), ("split", "stacchip_split(geometry)")):
            m = self.server.settled("api/map", {"table": "chips", **WORLD, "color": color})
            want = dict(self.db.execute(f"SELECT rowid, {sql} FROM chips").fetchall())
            for id, value in zip(m["chips"]["id"], m["chips"]["value"]):
                if isinstance(want[id], float):
                    self.assertAlmostEqual(value, want[id], places=5)
                else:
                    self.assertEqual(value, want[id], color)
            self.assertEqual(m["kind"], "text" if isinstance(want[m["chips"]["id"][0]], str) else "number", color)
        self.assertIn("no such column", self.server.json("api/map", {"table": "chips", **WORLD, "color": "nix"}, 400)["error"])

    def test_lists(self):
        first = self.server.json("api/list", {"table": "chips", "limit": 5, "offset": 3})
        self.assertEqual([c["id"] for c in first["chips"]], [r for r, in self.db.execute("SELECT rowid FROM chips ORDER BY rowid LIMIT 5 OFFSET 3")])
        self.assertEqual(first["total"], self.count("1"))
        keys = ("item", "platform", "date", "chip_index_x", "chip_index_y")
        for c in first["chips"]:
            self.assertEqual(tuple(c[k] for k in keys), self.db.execute(f"SELECT {', '.join(keys)} FROM chips WHERE rowid = ?", (c["id"],)).fetchone())
            box = self.db.execute("SELECT MbrMinX(geometry), MbrMinY(geometry), MbrMaxX(geometry), MbrMaxY(geometry) FROM chips WHERE rowid = ?", (c["id"],)).fetchone()
            for a, b in zip(c["bbox"], box):
                self.assertAlmostEqual(a, b, places=5)
        for order, sql in (("cloud", "cloud_cover_percentage"), ("cloud desc", "cloud_cover_percentage DESC"), ("nodata_percentage DESC", "nodata_percentage DESC"),
                           ("chip_index_x * 100 + chip_index_y DESC", "chip_index_x * 100 + chip_index_y DESC"), ("date desc, chipid", "date DESC, chipid")):
            got = self.server.json("api/list", {"table": "chips", "limit": 12, "order": order})["chips"]
            column = sql.replace(" DESC", "").split(",")[0]
            value = lambda id: self.db.execute(f"SELECT {column} FROM chips WHERE rowid = ?", (id,)).fetchone()[0]
            self.assertEqual([value(c["id"]) for c in got], [v for v, in self.db.execute(f"SELECT {column} FROM chips ORDER BY {sql} LIMIT 12")], order)
        sample = self.server.json("api/list", {"table": "chips", "sample": 7, "seed": 3, "where": "chip_index_x < 4"})["chips"]
        self.assertEqual([c["id"] for c in sample], [r for r, in self.db.execute("SELECT rowid FROM chips WHERE chip_index_x < 4 ORDER BY stacchip_hash(3, rowid) LIMIT 7")])

    def test_one_chip(self):
        c = self.server.json("api/chip?table=chips&id=3")
        self.assertEqual(c["columns"]["chipid"], self.db.execute("SELECT chipid FROM chips WHERE rowid = 3").fetchone()[0])
        self.assertEqual(c["handle"], self.db.execute("SELECT row FROM chips WHERE rowid = 3").fetchone()[0])
        self.assertEqual(c["rgb"], ["red", "green", "blue"])
        self.assertIn("red", [a["name"] for a in c["assets"]])
        self.assertEqual(c["columns"]["geometry"]["type"], "MultiPolygon")
        want = self.db.execute("SELECT rowid, date FROM chips WHERE (grid, chip_index_x, chip_index_y) = (SELECT grid, chip_index_x, chip_index_y FROM chips WHERE rowid = 3) ORDER BY date, rowid").fetchall()
        self.assertEqual([(d["id"], d["date"]) for d in c["dates"]], want)
        self.assertEqual(len(want), 3)
        self.assertEqual(len(self.db.execute(c["sql"]).fetchone()[0]), len(self.db.execute("SELECT stacchip_chip(row) FROM chips WHERE rowid = 3").fetchone()[0]))
        self.assertEqual(self.server.ask("api/chip?table=chips&id=999999")[0], 404)
        self.assertEqual(self.server.ask("api/chip?table=chips&id=x")[0], 400)
        self.assertNotIn("href", json.dumps(c))

    def test_pictures_are_the_chip(self):
        for query, options in (("", {}), ("&size=64", {"size": 64}), ("&assets=nir08,red,green&rescale=0,4000", {"assets": ["nir08", "red", "green"], "rescale": [0, 4000]}),
                               ("&assets=nir&stretch=5,95", {"assets": ["nir"], "stretch": [5, 95]})):
            for _ in range(2):
                status, headers, data = self.server.ask("chip.png?table=chips&id=9" + query)
                self.assertEqual((status, headers["Content-Type"]), (200, "image/png"))
                want, = self.db.execute("SELECT stacchip_chip(row, ?) FROM chips WHERE rowid = 9", (json.dumps({"format": "png", **options}),)).fetchone()
                self.assertEqual(data, want, query)
        status, again, data = self.server.ask("chip.png?table=chips&id=9&assets=nir&stretch=5,95", headers={"If-None-Match": headers["ETag"]})
        self.assertEqual((status, data), (304, b""))
        for query in ("&assets=none", "&size=0", "&size=x", "&stretch=1", "&assets=a,b,c,d", "&rescale=5"):
            status, _, data = self.server.ask("chip.png?table=chips&id=9" + query)
            self.assertIn(status, (400, 404), query)
            self.assertTrue(json.loads(data)["error"])

    def test_tiles_are_those_of_the_query(self):
        z, x, y = 12, 1332, 2440
        where, order = "cloud_cover_percentage < 0.5 AND item <> 'UNDATED'", "date"
        status, headers, data = self.server.ask(f"tiles/{z}/{x}/{y}.png?" + urllib.parse.urlencode({"table": "chips", "where": where, "order": order}))
        want, = self.db.execute("SELECT stacchip_tile(?, ?, ?, ?, ?)", (z, x, y, f"SELECT rowid FROM chips WHERE search_area = :tile AND ({where}) ORDER BY {order}", '{"table": "chips"}')).fetchone()
        self.assertEqual((status, headers["Content-Type"], headers["Cross-Origin-Resource-Policy"]), (200, "image/png", "cross-origin"))
        self.assertEqual(data, want)
        status, _, data = self.server.ask("tiles/12/0/0.png?table=chips")
        self.assertEqual((status, data[:8], len(data)), (200, b"\x89PNG\r\n\x1a\n", 102))
        self.assertIn("no such column", json.loads(self.server.ask(f"tiles/{z}/{x}/{y}.png?where=nix")[2])["error"])
        about = self.server.json("tiles.json?" + urllib.parse.urlencode({"table": "chips", "where": where}))
        self.assertEqual(about["tilejson"], "3.0.0")
        url = about["tiles"][0].replace("{z}", str(z)).replace("{x}", str(x)).replace("{y}", str(y))
        self.assertTrue(url.startswith(self.server.address))
        self.assertEqual(self.server.ask(url[len(self.server.address):])[0], 200)

    # ---- SQL of people ----

    def test_sql_reads_nothing_but_the_database(self):
        folder = self.folder.replace("'", "''")
        for where in (f"length(readfile('{self.path}')) > 0", "load_extension('/tmp/x') IS NULL", f"item IN (SELECT id FROM stacchip_items('{folder}'))",
                      f"chip_index_x IN (SELECT chip_index_x FROM stacchip_index('{ITEM}'))", "stacchip_chip(row) IS NOT NULL", "stacchip_config('threads', 1) IS NULL",
                      f"stacchip_export('chips', '{folder}/x.parquet') > 0", "BlobFromFile('/etc/passwd') IS NULL", f"ExportGeoJSON2('chips_chip', 'geometry', '{folder}/x.json') > 0",
                      "stacchip_merge_items('chips', 'SELECT 1') IS NULL", "stacchip_platform_drop('x') IS NULL", "stacchip_tile(1, 1, 1, 'SELECT 1') IS NULL",
                      "item IN (SELECT name FROM pragma_database_list)", "1 IN (SELECT 1 FROM sqlite_dbpage)", "1) UNION SELECT load_extension('x'", "1; DELETE FROM secrets", "1; ATTACH 'x' AS y",
                      "eval('SELECT 1') = 1", "sqlite_log(1, 'x') IS NULL", "XB_LoadXML('/etc/passwd') IS NULL", "DropTable(NULL, 'secrets') = 1", "fts3_tokenizer('x') IS NULL"):
            status, _, data = self.server.ask("api/map", {"table": "chips", **WORLD, "where": where})
            self.assertEqual(status, 400, where)
            self.assertTrue(json.loads(data)["error"], where)
            for body in ({"order": where}, ):
                self.assertEqual(self.server.ask("api/list", {"table": "chips", **body})[0], 400, where)
            self.assertEqual(self.server.ask("api/map", {"table": "chips", **WORLD, "color": where})[0], 400, where)
        self.assertEqual(self.db.execute("SELECT count(*) FROM secrets").fetchone()[0], 0)
        self.assertEqual(sorted(os.listdir(self.folder)), sorted(set(os.listdir(self.folder)) - {"x.parquet", "x.json"}))

    def test_sql_of_the_database_is_allowed(self):
        for where in ("item IN (SELECT item FROM chips_item WHERE date IS NOT NULL)", "ST_Area(geometry) > 0", "MbrIntersects(geometry, BuildMbr(-180, -90, 180, 90))", "json_extract(item_json, '$.id') = item",
                      "stacchip_hash(1, chipid) < 0.5", "chip_index_x IN (SELECT value FROM json_each('[1,2]'))", "exists(SELECT 1 FROM secrets) = 0", "date(date, '+1 day') > '2024-03-12'",
                      "chip_index_x IN (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i FROM n)", "cloud_cover_percentage < (SELECT avg(cloud_cover_percentage) FROM chips)"):
            found = self.server.settled("api/select", {"table": "chips", "where": where})
            self.assertEqual(found["total"], self.count(where), where)

    def test_sql_errors_come_as_text(self):
        for where, words in (("nix = 1", "no such column: nix; columns: chipid, platform, item, date, "), ("chip_index_x >", "the SQL ends where something is missing"), ("-- nothing", "the SQL ends where"),
                             ("WHERE chip_index_x > 1", "without that word"), ("chip_index_x > ) < (", "parenthesis"), ("> 1", 'near ">": syntax error'), ("chip_index_x <> > 1", 'near ">": syntax error'), ("(1", "parenthesis"), ("1)", "parenthesis"), ("'", "unrecognized token"),
                             ("cloud_cover_percentage < 10", "fraction"), ("nofunction(1)", "no such function"), ("x" * 100000, "bytes")):
            for _ in range(200):
                status, _, data = self.server.ask("api/map", {"table": "chips", **WORLD, "where": where})
                if status != 200:
                    break
                time.sleep(0.1)
            self.assertEqual(status, 400, where[:40])
            self.assertIn(words, json.loads(data)["error"])

    def test_slow_sql_is_stopped(self):
        forever = "chip_index_x = (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n)"
        start = time.monotonic()
        status, _, data = self.server.ask("api/list", {"table": "chips", "order": "(" + forever + ")"})
        self.assertEqual((status, json.loads(data)["error"]), (400, "the SQL took too long and was stopped"))
        self.assertLess(time.monotonic() - start, 30)
        # In the background it goes on for longer, and holds nobody up.
        self.assertIn("partial", self.server.json("api/map", {"table": "chips", **WORLD, "where": forever}))
        self.assertEqual(self.server.json("api/map", {"table": "chips", **WORLD})["total"], self.count("1"))
        self.assertEqual(self.server.settled("api/select", {"table": "chips", "where": "chip_index_x = 1"})["total"], self.count("chip_index_x = 1"))

    def test_values_of_sql_are_bounded(self):
        """A colour is a legend's entry, however long its text; a text beyond 64 MB is an error, of whose size SQLite alone allows 1 GB."""
        status, _, data = self.server.ask("api/map", {"table": "chips", **WORLD, "color": "printf('%.*c', 300000, 'x') || chip_index_x"})
        self.assertEqual((status, json.loads(data)["kind"]), (200, "text"))
        self.assertLess(len(data), 200000)
        for body in ({"where": "length(zeroblob(100000000)) > 0"}, {"color": "hex(zeroblob(40000000))"}):
            status, _, data = self.server.ask("api/map", {"table": "chips", **WORLD, **body})
            self.assertEqual((status, json.loads(data)["error"]), (400, "string or blob too big"), body)
        self.assertEqual(self.server.settled("api/histograms", {"table": "chips", "where": "length(zeroblob(60000000)) > 0"})["total"], self.count("1"))

    def test_infinite_values_have_no_colour(self):
        m = self.server.settled("api/map", {"table": "chips", **WORLD, "color": "CASE chip_index_x WHEN 0 THEN 9e999 WHEN 1 THEN -9e999 ELSE 2 END"})
        x = dict(self.db.execute("SELECT rowid, chip_index_x FROM chips"))
        self.assertEqual([(x[i] > 1) * 2 or None for i in m["chips"]["id"]], m["chips"]["value"])

    def test_a_selection_is_whole(self):
        """While SQL still runs in the background there is no part of it that looks like all of it."""
        slow = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500000) SELECT max(i) FROM n) > chip_index_x"
        self.assertEqual(self.server.json("api/select", {"table": "chips", "where": slow})["total"], self.count("1"))

    def test_two_pages_may_ask_for_two_colours(self):
        """In turns, each before the other's is known."""
        texts = [f"(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000000) SELECT max(i) FROM n) + chip_index_x + {k}" for k in range(2)]
        many = make_database(os.path.join(self.folder, "many.db"), [])
        many.execute("INSERT INTO chips(item, platform, date, chip_index_x, chip_index_y, cloud_cover_percentage, nodata_percentage, geometry) WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2999) "
                     "SELECT 'a' || i % 9, 'p', date('2024-01-01', i % 9 || ' days'), i, 0, CASE i % 3 WHEN 0 THEN NULL ELSE 0.5 END, 0, BuildMbr(i % 60, i / 60, i % 60 + 1, i / 60 + 1, 4326) FROM n")
        many.close()
        s = Server(os.path.join(self.folder, "many.db"))
        known = set()
        for _ in range(100):
            for text in texts:
                answer = s.json("api/map", {"table": "chips", **WORLD, "color": text})
                if "partial" not in answer:
                    self.assertEqual((answer["total"], answer["kind"]), (3000, "number"))
                    known.add(text)
            if len(known) == 2:
                break
        self.assertEqual(len(known), 2)
        cells = s.settled("api/map", {"table": "chips", **WORLD, "color": "CASE chip_index_x % 60 WHEN 0 THEN 9e999 ELSE 1 END"})["cells"]
        self.assertEqual({v for v in cells["value"] if v is not None}, {1})
        s.stop()

    def test_nothing_is_written_unless_asked_for(self):
        before = self.db.execute("SELECT count(*), max(rowid) FROM sqlite_schema").fetchone()
        for path, body in (("api/label", {"table": "chips", "ids": [1], "label": "keep"}), ("api/save", {"table": "chips", "name": "x", "ids": [1]})):
            self.assertIn("--read-write", self.server.json(path, body, 403)["error"])
        self.assertEqual(self.db.execute("SELECT count(*), max(rowid) FROM sqlite_schema").fetchone(), before)

    def test_many_at_once(self):
        wrong = []

        def work(k):
            for i in range(8):
                n = (k + i) % 6
                if self.server.settled("api/select", {"table": "chips", "where": f"chip_index_x = {n}"})["total"] != 18:
                    wrong.append(n)
                if self.server.ask(f"chip.png?table=chips&id={1 + n}&size=32")[0] != 200:
                    wrong.append("picture")

        threads = [threading.Thread(target=work, args=(k,)) for k in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(wrong, [])

    def test_idle_connections_hold_nobody_up(self):
        held = [socket.create_connection(("127.0.0.1", self.server.port)) for _ in range(40)]
        for s in held[::2]:
            s.sendall(b"GET / HT")
        self.assertEqual(self.server.ask("api/about")[0], 200)
        for s in held:
            s.close()

    def test_connections_that_are_gone_hold_nobody_up(self):
        """More than are taken at once, each with a part of a request; closed, they make room at once."""
        held = [socket.create_connection(("127.0.0.1", self.server.port), timeout=30) for _ in range(200)]
        for s in held:
            s.sendall(f"GET {self.server.path}api".encode())
        for s in held:
            s.close()
        c = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        c.request("GET", self.server.path + "api/about")
        self.assertEqual(c.getresponse().status, 200)
        c.close()

    def test_a_file_comes_out(self):
        status, headers, data = self.server.ask("api/export", {"table": "chips", "format": "csv", "ids": [1, 2, 40]})
        self.assertIn("attachment", headers["Content-Disposition"])
        rows = list(csv.DictReader(io.StringIO(data.decode())))
        self.assertEqual([(r["handle"], r["item"], r["chip_index_x"]) for r in rows], [(h, i, str(x)) for h, i, x in self.db.execute("SELECT row, item, chip_index_x FROM chips WHERE rowid IN (1, 2, 40) ORDER BY rowid")])
        features = json.loads(self.server.ask("api/export", {"table": "chips", "format": "geojson", "cloud": [0, 0.1]})[2])["features"]
        self.assertEqual(len(features), self.count("cloud_cover_percentage <= 0.1"))
        handles = self.server.ask("api/export", {"table": "chips", "format": "ids", "ids": [3]})[2].decode().split("\n")
        self.assertEqual(handles[0], self.db.execute("SELECT row FROM chips WHERE rowid = 3").fetchone()[0])


class Own(unittest.TestCase):
    """Each with a server of its own."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.path = os.path.join(self.folder, "own.db")

    def tearDown(self):
        shutil.rmtree(self.folder)

    def test_labels_and_selections_are_written(self):
        db = make_database(self.path, [ITEM])
        s = Server(self.path, "--read-write")
        self.assertEqual(s.json("api/label", {"table": "chips", "ids": [1, 2, 3], "label": "keep"})["rows"], 3)
        s.json("api/label", {"table": "chips", "ids": [2], "label": "drop <b>'\""})
        s.json("api/label", {"table": "chips", "ids": [3], "label": None})
        want = [(db.execute("SELECT row FROM chips WHERE rowid = 1").fetchone()[0], "keep"), (db.execute("SELECT row FROM chips WHERE rowid = 2").fetchone()[0], "drop <b>'\"")]
        self.assertEqual(db.execute("SELECT chip, label FROM chips_labels ORDER BY chip").fetchall(), want)
        self.assertEqual(s.json("api/about")["tables"][0]["labels"], "chips_labels")
        mapped = s.json("api/map", {"table": "chips", **WORLD, "color": "label"})["chips"]
        self.assertEqual(dict(zip(mapped["id"], mapped["label"]))[1], "keep")
        self.assertEqual(dict(zip(mapped["id"], mapped["value"]))[2], "drop <b>'\"")
        self.assertEqual(s.settled("api/select", {"table": "chips", "where": "row IN (SELECT chip FROM chips_labels WHERE label = 'keep')"})["ids"], [1])
        # A label of another program is seen too.
        db.execute("UPDATE chips_labels SET label = 'keep'")
        time.sleep(0.5)
        self.assertEqual(s.settled("api/select", {"table": "chips", "where": "row IN (SELECT chip FROM chips_labels WHERE label = 'keep')"})["ids"], [1, 2])
        n = db.execute("SELECT count(*) FROM chips WHERE cloud_cover_percentage <= 0.1").fetchone()[0]
        self.assertEqual(s.json("api/save", {"table": "chips", "name": 'a "table"', "cloud": [0, 0.1]})["rows"], n)
        self.assertEqual(db.execute('SELECT count(*) FROM chips WHERE row IN (SELECT chip FROM "a ""table""") AND cloud_cover_percentage <= 0.1').fetchone()[0], n)
        for name in ('a "table"', "chips", "chips_item", "sqlite_x", "", "{from}", "chips_block"):
            self.assertTrue(s.json("api/save", {"table": "chips", "name": name, "ids": [1]}, 400)["error"], name)
        for body in ({"ids": [1], "label": ""}, {"ids": "x", "label": "y"}, {"label": "y"}, {"ids": [1], "label": 7}, {"ids": [1], "label": "x" * 2000}):
            self.assertTrue(s.json("api/label", {"table": "chips", **body}, 400)["error"], body)
        db.execute("INSERT INTO chips(chips) VALUES ('integrity-check')")
        s.stop()

    def test_a_table_of_another_kind_is_no_table_of_labels(self):
        db = make_database(self.path, [ITEM])
        db.execute("CREATE TABLE chips_labels(name)")
        s = Server(self.path, "--read-write")
        self.assertIsNone(s.json("api/about")["tables"][0]["labels"])
        self.assertEqual(s.json("api/map", {"table": "chips", **WORLD, "color": "label"})["total"], 36)
        self.assertIn("chips_labels is no table of labels", s.json("api/label", {"table": "chips", "ids": [1], "label": "x"}, 400)["error"])
        self.assertEqual(db.execute("SELECT * FROM chips_labels").fetchall(), [])
        s.stop()

    def test_labels_go_where_they_are_asked_to_go(self):
        db = make_database(self.path, [ITEM])
        s = Server(self.path, "--read-write", "--labels", "mine")
        s.json("api/label", {"table": "chips", "ids": [4], "label": "x"})
        self.assertEqual(db.execute("SELECT chipid, label FROM mine").fetchall(), [(db.execute("SELECT chipid FROM chips WHERE rowid = 4").fetchone()[0], "x")])
        s.stop()

    def test_a_hostile_database_is_data(self):
        names = ["<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "</title>\u2028\u0007", "x" * 3000]
        db = make_database(self.path, [other_item(self.folder, n, title="<svg onload=alert(1)>") for n in names], "<script>x")
        item, = db.execute('SELECT item_json FROM "<script>x" LIMIT 1').fetchone()
        big = json.loads(item)
        big["properties"]["text"] = "<b>" * 3_500_000
        db.execute("PRAGMA writable_schema = ON")
        db.execute('UPDATE "<script>x_item" SET item_json = ? WHERE id = 1', (json.dumps(big),))
        db.execute('UPDATE "<script>x_item" SET platform = CAST(x\'ff3c623e\' AS TEXT), date = \'zzzz\' WHERE id = 2')
        db.execute('UPDATE "<script>x_item" SET item_json = \'{"assets": [[[{"id": 7\' WHERE id = 3')
        db.execute('UPDATE "<script>x_block" SET chips = x\'00\' WHERE id = (SELECT max(id) FROM "<script>x_block")')
        db.close()
        s = Server(self.path)
        name = "<script>x"
        for _ in range(100):
            status, headers, data = s.ask("api/about")
            self.assertEqual(headers["Content-Type"], "application/json")
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            answer = json.loads(data)
            if status != 200 or answer["tables"][0]["loaded"] == 1:
                break
        self.assertIn("block", answer["error"])  # it says which block is broken
        s.stop()
        db = sqlite3.connect(self.path)
        db.execute('DELETE FROM "<script>x_block" WHERE length(chips) = 1')
        db.commit()
        db.close()
        s = Server(self.path)
        rows = s.settled("api/list", {"table": name, "limit": 1000})["chips"]
        self.assertEqual({r["item"] for r in rows}, set(names[:3]))
        for id in (rows[0]["id"], rows[40]["id"], rows[80]["id"]):
            status, headers, data = s.ask(f"api/chip?table={urllib.parse.quote(name)}&id={id}")
            self.assertEqual(headers["Content-Type"], "application/json")
            self.assertLess(len(data), 200000)
            json.loads(data)
            self.assertIn(s.ask(f"chip.png?table={urllib.parse.quote(name)}&id={id}&size=32")[0], (200, 400, 404))
        self.assertEqual(s.settled("api/map", {"table": name, **WORLD, "color": "platform"})["kind"], "text")
        s.stop()

    def test_frozen_datasets(self):
        db = make_database(self.path, [ITEM])
        columns = "row, cloud_cover_percentage, nodata_percentage"
        for form in ("stacchip", "manifest", "npy", "webdataset"):
            path = os.path.join(self.folder, form)
            db.execute("SELECT stacchip_freeze(?, ?, ?)", (path, f"SELECT {columns} FROM chips WHERE chip_index_y < 3", json.dumps({"format": form, "assets": ["red", "green", "blue"]})))
            frozen = host.connect(os.path.join(path, "dataset.db") if os.path.isdir(path) else path)
            s = Server(path, "--read-write")
            about = s.json("api/about")
            (table,) = about["tables"]
            self.assertEqual((about["name"], table["kind"], table["chips"], table["platforms"], table["dates"]), (form, "frozen", 18, ["sentinel-2-l2a"], ["2024-03-11"] * 2))
            for where in ("cloud_cover_percentage < 0.2", "platform = 'sentinel-2-l2a' AND chip_index_x > 2", "date < '2024-01-01'", "item_id LIKE 'S2A%' AND shard IS NULL"):
                want = [p for p, in frozen.execute(f"SELECT position FROM (SELECT c.*, i.platform, i.item_id, substr(datetime, 1, 10) AS date FROM chips c JOIN items i ON i.id = c.item) WHERE {where}")]
                self.assertEqual(sorted(s.settled("api/select", {"table": "chips", "where": where})["ids"]), sorted(want), where)
            self.assertEqual(s.settled("api/histograms", {"table": "chips", "cloud": [0, 0.2]})["total"], frozen.execute("SELECT count(*) FROM chips WHERE cloud_cover_percentage <= 0.2").fetchone()[0])
            row = s.json("api/list", {"table": "chips", "limit": 1})["chips"][0]
            x, y, handle = frozen.execute("SELECT chip_index_x, chip_index_y, handle FROM chips WHERE position = ?", (row["id"],)).fetchone()
            self.assertEqual((row["chip_index_x"], row["chip_index_y"], row["item"]), (x, y, "S2A_T20HNJ_20240311T140636_L2A"))
            # The dataset's pixels are those of the index it was frozen from.
            want, = db.execute("SELECT stacchip_chip(row, '{\"format\": \"png\", \"assets\": [\"red\", \"green\", \"blue\"]}') FROM chips WHERE chip_index_x = ? AND chip_index_y = ?", (x, y)).fetchone()
            self.assertEqual(s.ask(f"chip.png?id={row['id']}")[2], want)
            chip = s.json(f"api/chip?id={row['id']}")
            self.assertEqual((chip["handle"], chip["rgb"], chip["item"]["id"]), (handle, ["red", "green", "blue"], row["item"]))
            self.assertEqual(s.json("api/label", {"table": "chips", "ids": [row["id"]], "label": "keep"})["rows"], 1)
            self.assertEqual(frozen.execute("SELECT chip, label FROM chips_labels").fetchall(), [(handle, "keep")])
            status, _, tile = s.ask("tiles/12/1332/2440.png")
            self.assertEqual(status, 200)
            if form == "manifest":
                want, = db.execute("SELECT stacchip_tile(12, 1332, 2440, 'SELECT row FROM chips')").fetchone()
                self.assertEqual(tile, want)
            s.stop()

    def test_a_frozen_dataset_with_infinite_columns(self):
        db = make_database(self.path, [ITEM])
        path = os.path.join(self.folder, "infinite")
        db.execute("SELECT stacchip_freeze(?, 'SELECT row, CASE chip_index_x WHEN 0 THEN 9e999 WHEN 1 THEN -9e999 END AS cloud_cover_percentage, nodata_percentage FROM chips', '{\"format\": \"manifest\"}')", (path,))
        s = Server(path)
        strict = lambda path, body=None: json.loads(s.ask(path, body)[2], parse_constant=self.fail)
        rows = strict("api/list", {"table": "chips"})["chips"]
        self.assertEqual((len(rows), {r["cloud"] for r in rows}), (36, {None}))
        chip = strict(f"api/chip?id={rows[0]['id']}")
        self.assertEqual((chip["columns"]["cloud_cover_percentage"], {d["cloud"] for d in chip["dates"]}), (None, {None}))
        features = strict("api/export", {"table": "chips", "format": "geojson"})["features"]
        self.assertEqual({f["properties"]["cloud"] for f in features}, {None})
        h = strict("api/histograms", {"table": "chips"})
        self.assertEqual((h["cloud"][0], h["cloud"][-1], sum(h["cloud"])), (6, 6, 12))
        s.stop()

    def test_sql_goes_on_while_the_database_is_written(self):
        db = make_database(self.path, [ITEM])
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE notes(n)")
        s = Server(self.path)
        stop = threading.Event()

        def write():
            writer = sqlite3.connect(self.path, timeout=60)
            while not stop.wait(0.05):
                writer.execute("INSERT INTO notes VALUES (1)")
                writer.commit()
            writer.close()

        writing = threading.Thread(target=write)
        writing.start()
        try:
            slow = "chip_index_x > 2 AND (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000000) SELECT max(i) FROM n) > 0"
            self.assertEqual(s.settled("api/histograms", {"table": "chips", "where": slow})["total"], 18)
        finally:
            stop.set()
            writing.join()
        # What was known before is asked anew.
        read = {"table": "chips", "where": "(SELECT count(*) FROM notes) > 0"}
        self.assertEqual(s.settled("api/histograms", read)["total"], 36)
        db.execute("DELETE FROM notes")
        for _ in range(100):
            if s.settled("api/histograms", read)["total"] == 0:
                break
            time.sleep(0.1)
        else:
            self.fail("it is not asked anew")
        s.stop()

    def test_several_databases_and_signals(self):
        make_database(self.path, [ITEM]).close()
        other = os.path.join(self.folder, "other.db")
        make_database(other, [ITEM]).close()
        for sign in (signal.SIGINT, signal.SIGTERM):
            s = Server(self.path, other, "--port", "0", "--host", "localhost")
            self.assertTrue(s.address.startswith("http://localhost:"))
            self.assertEqual([t["name"] for t in s.json("api/about")["tables"]], ["chips", "other.db:chips"])
            self.assertEqual(s.settled("api/select", {"table": "other.db:chips"})["total"], 36)
            forever = "chip_index_x = (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n)"

            def ask_in_vain():
                with contextlib.suppress(OSError, http.client.HTTPException):
                    s.ask("api/list", {"table": "chips", "order": "(" + forever + ")"})

            busy = threading.Thread(target=ask_in_vain)
            busy.start()
            time.sleep(0.3)
            start = time.monotonic()
            self.assertEqual(s.stop(sign), 0)
            self.assertLess(time.monotonic() - start, 30)
            busy.join()

    def test_what_cannot_be_shown_is_said(self):
        empty = os.path.join(self.folder, "empty.db")
        sqlite3.connect(empty).execute("CREATE TABLE t(a)").connection.close()
        text = os.path.join(self.folder, "text.db")
        with open(text, "w") as f:
            f.write("no database\n" * 100)
        for args, words in (([empty], "no merged index"), ([text], "not a database"), ([os.path.join(self.folder, "none.db")], "unable to open"), ([], "no database is named"),
                            ([empty, "--port", "x"], "--port"), ([empty, "--port", "70000"], "65535"), ([empty, "--host", "nowhere.invalid"], "")):
            r = subprocess.run([PROGRAM, "browse", *args], capture_output=True, text=True, env=ENV, timeout=60)
            self.assertNotEqual(r.returncode, 0)
            self.assertIn(words, r.stderr)
            self.assertEqual(r.stdout, "")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            make_database(self.path, []).close()
            r = subprocess.run([PROGRAM, "browse", self.path, "--port", str(port)], capture_output=True, text=True, env=ENV, timeout=60)
        self.assertIn(f"127.0.0.1: port {port} cannot be listened on: Address already in use", r.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "none.db")))

    def test_chips_across_the_antimeridian(self):
        db = make_database(self.path, [])
        for i, (west, east) in enumerate(((179.8, 179.9), (179.95, -179.95), (-179.9, -179.8))):
            shape = f"MULTIPOLYGON((({west} 0, {east} 0, {east} 1, {west} 1, {west} 0)))" if west < east else \
                f"MULTIPOLYGON((({west} 0, 180 0, 180 1, {west} 1, {west} 0)), ((-180 0, {east} 0, {east} 1, -180 1, -180 0)))"
            db.execute("INSERT INTO chips(item, platform, date, chip_index_x, chip_index_y, cloud_cover_percentage, nodata_percentage, geometry) VALUES ('a', 'p', '2024-01-01', ?, 0, 0, 0, GeomFromText(?, 4326))", (i, shape))
        s = Server(self.path)
        for box, want in (([179, -1, 181, 2], 3), ([-181, -1, -179, 2], 3), ([179, -1, 179.92, 2], 1), ([-179.92, -1, -179, 2], 1), ([170, -1, 180, 2], 2), ([0, -1, 170, 2], 0)):
            self.assertEqual(s.json("api/map", {"table": "chips", "bbox": box})["total"], want, box)
        m = s.json("api/map", {"table": "chips", "bbox": [179, -1, 181, 2]})["chips"]
        self.assertEqual([len(r) for r in m["rings"]], [1, 2, 1])
        boxes = [c["bbox"] for c in s.json("api/list", {"table": "chips"})["chips"]]
        self.assertEqual([round(v, 2) for v in boxes[1]], [179.95, 0, -179.95, 1])
        self.assertEqual(s.json("api/select", {"table": "chips", "polygon": [[179, -1], [180.5, -1], [180.5, 2], [179, 2]]})["total"], 3)
        s.stop()


if __name__ == "__main__":
    host.main()
