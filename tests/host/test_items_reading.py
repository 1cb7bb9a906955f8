"""What is read is read to its end, or refused with a reason: folders, catalogues, texts as they come."""
import gzip
import json
import os
import re
import sqlite3
import subprocess
import tempfile
import unittest

import host
import web


def item(name, href="https://example.invalid/a.tif", **more):
    return {"type": "Feature", "stac_version": "1.0.0", "id": name, "geometry": None, "links": [], "properties": {"datetime": "2024-01-01T00:00:00Z"},
            "assets": {"d": {"href": href, "type": "image/tiff"}}, **more}


def tiff(path, value):
    """A raster of 256 x 256 bytes by gdal_create: another program's file."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    subprocess.run(["gdal_create", "-q", "-of", "GTiff", "-outsize", "256", "256", "-bands", "1", "-burn", str(value), "-ot", "Byte", "-a_srs", "EPSG:32720",
                    "-a_ullr", "600000", "6400000", "602560", "6397440", path], check=True)
    return path


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.db = host.connect()

    def tearDown(self):
        self.db.close()
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def save(self, name, content):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        data = content if isinstance(content, bytes) else (content if isinstance(content, str) else json.dumps(content)).encode()
        with open(path, "wb") as f:
            f.write(data)
        return path

    def rows(self, source, options=None):
        return self.db.execute("SELECT id, item_json, error FROM stacchip_items(?, ?)", (source, options)).fetchall()

    def ids(self, source):
        return sorted(r[0] for r in self.rows(source) if r[0])

    def errors(self, source):
        return [r[2] for r in self.rows(source) if r[2]]

    def refused(self, words, sql, *values):
        with self.assertRaisesRegex(sqlite3.Error, words) as e:
            self.db.execute(sql, values).fetchall()
        return str(e.exception)


class Texts(Case):
    """Encodings, and more than one value in a text."""

    ITEMS = "SELECT * FROM stacchip_items(?)"
    INDEX = "SELECT * FROM stacchip_index(?, '{\"platform\":\"none\"}')"

    def test_what_is_no_utf8_is_named(self):
        text = json.dumps(item("dé"), ensure_ascii=False)
        for name, data, words in (("le", text.encode("utf-16"), "UTF-16"), ("be", b"\xfe\xff" + text.encode("utf-16-be"), "UTF-16"), ("le-bare", text.encode("utf-16-le"), "UTF-16"),
                                  ("be-bare", text.encode("utf-16-be"), "UTF-16"), ("32", text.encode("utf-32"), "UTF-32"), ("32-bare", text.encode("utf-32-be"), "UTF-32"),
                                  ("gz", gzip.compress(text.encode()), "gzip"), ("latin", text.encode("latin-1"), "not UTF-8.*0xe9"), ("cesu", text.encode().replace("é".encode(), b"\xed\xa0\x80"), "not UTF-8"),
                                  ("overlong", text.encode().replace("é".encode(), b"\xc0\x80"), "not UTF-8"), ("cut", text.encode().split("é".encode())[0] + b"\xc3", "not UTF-8"),
                                  ("zero", text.encode().replace("é".encode(), b"\0"), "zero byte"), ("escaped", text.replace("é", "\\u0000").encode(), "zero character"),
                                  ("html", b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html><body>Sign in</body></html>", "HTML page"), ("xml", b"<?xml version='1.0'?><a/>", "XML"),
                                  ("empty", b"", "empty"), ("blank", b" \n ", "empty"), ("half", text.encode()[:100], "cut short"), ("word", b"{} x", "more behind|not JSON|no id|not a STAC")):
            path = self.save(f"{name}.json", data)
            for sql in (self.ITEMS, self.INDEX):
                if name == "blank" and sql == self.ITEMS:
                    continue  # a sequence of no values
                with self.subTest(name, sql=sql[14:30]):
                    self.assertIn(f"{name}.json", self.refused(words, sql, path))
            if data.strip():
                with self.subTest(name, blob=True):
                    if data[:1] != b"<":
                        self.refused(words, self.INDEX, data)

    def test_a_mark_of_utf8_and_escapes_are_read(self):
        for data in (b"\xef\xbb\xbf" + json.dumps(item("dé", note="a \\u0000 b")).encode(), json.dumps(item("dé")).encode() + b"\0\0", json.dumps(item("d\u00e9"), ensure_ascii=False).encode()):
            self.assertEqual(self.ids(self.save("a.json", data)), ["dé"])

    def test_sequences(self):
        a, b, c = (json.dumps(item(x)) for x in "abc")
        for text, wanted, broken in ((f"\x1e{a}\n\x1e{b}\n", "ab", 0), (f"{a}{b}", "ab", 0), (f"{a} {b}\r\n\n{c}", "abc", 0), (f"\x1e{a}\n\x1e{b[:-40]}\n\x1e{c}\n", "ac", 1), (f"{a}\n{b[:30]}\n{c}\n", "ac", 1),
                                     (f"{a},\n{b}\n", "ab", 1), (f"[{a},{b}]\n[{c}]", "abc", 0), (json.dumps({"type": "FeatureCollection", "features": [item("a")]}) + "\n" + b, "ab", 0),
                                     (json.dumps(item("a"), indent=2) + "\n" + json.dumps(item("b"), indent=2), "ab", 0)):
            rows = self.rows(self.save("seq.json", text))
            with self.subTest(text[-60:]):
                self.assertEqual("".join(sorted(r[0] for r in rows if r[0])), wanted)
                self.assertEqual(sum(r[2] is not None for r in rows), broken)
        self.refused("not JSON", self.ITEMS, self.save("seq.json", f"\x1e{a[:-40]}\n"))

    def test_a_part_that_is_broken_is_told_with_its_reason(self):
        a, c = json.dumps(item("a")), json.dumps(item("c"))
        for text in (f"{a}\nnonsense\n{c}", f"{a} tail"):
            rows = self.rows(self.save("lines.ndjson", text))
            self.assertEqual(rows[0][0], "a")
            self.assertRegex(rows[1][2], "lines.ndjson: byte .*not JSON")
            self.assertEqual(rows[1][:2], (None, self.path("lines.ndjson")))
        rows = self.rows(self.save("fc.json", {"type": "FeatureCollection", "features": [item("a"), dict(item("x"), id=""), item("c")]}))
        self.assertEqual([r[0] for r in rows], ["a", None, "c"])
        self.assertRegex(rows[1][2], "fc.json: the STAC item has no id")
        self.assertEqual(json.loads(rows[1][1])["id"], "")

    def test_more_behind_an_item_is_refused(self):
        for tail in (json.dumps(item("b")), ",", "]", "nonsense"):
            self.refused("more behind the first JSON value", self.INDEX, self.save("a.json", json.dumps(item("a")) + tail))
            self.refused("more behind the first JSON value", self.INDEX, json.dumps(item("a")) + tail)

    def test_a_key_twice_is_refused(self):
        text = ('{"type": "Feature", "stac_version": "1.0.0", "id": "twice", "properties": {"datetime": null}, "links": [],'
                ' "assets": {"a": {"href": "/nowhere/1.tif"}, "b": {"href": "/nowhere/2.tif"}, "A": {"href": "/nowhere/3.tif"}}}')
        one = text.replace('"b":', '"a":')
        two = text.replace('"links": []', '"id": "other"')
        with self.assertRaisesRegex(sqlite3.Error, "^item twice: two assets have the key 'a'$"):
            self.db.execute("SELECT * FROM stacchip_index(?)", (one,)).fetchall()
        with self.assertRaisesRegex(sqlite3.Error, "^the STAC item has the member 'id' twice$"):
            self.db.execute("SELECT * FROM stacchip_index(?)", (two,)).fetchall()
        with tempfile.TemporaryDirectory() as folder:
            for name, value in (("a", one), ("b", two), ("c", text)):
                with open(os.path.join(folder, name + ".json"), "w") as f:
                    f.write(value)
            rows = self.db.execute("SELECT id, error FROM stacchip_items(?)", (folder,)).fetchall()
            self.assertEqual([None, None, "twice"], [r[0] for r in rows])
            self.assertRegex(rows[0][1], "a.json: item twice: two assets have the key 'a'$")
            self.assertRegex(rows[1][1], "b.json: the STAC item has the member 'id' twice$")

    def test_text_of_an_item_as_a_blob(self):
        path = tiff(self.path("a.tif"), 7)
        for encoding in ("UTF-8", "UTF-16le", "UTF-16be"):
            db = host.connect()
            db.execute(f"PRAGMA encoding = '{encoding}'")
            db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(platform=none)")
            for i, mark in enumerate((b"", b"\xef\xbb\xbf")):
                data = mark + json.dumps(item(f"i{i}", path)).encode()
                self.assertEqual(db.execute("SELECT item FROM stacchip_index(?, '{\"platform\":\"none\"}')", (data,)).fetchall(), [(f"i{i}",)])
                db.execute("INSERT INTO chips(item_json) VALUES (?)", (data,))
                db.execute("CREATE TABLE IF NOT EXISTS t(b)")
                db.execute("INSERT INTO t VALUES (?)", (mark + json.dumps(item(f"m{i}", path)).encode(),))
            self.assertEqual(json.loads(db.execute("SELECT stacchip_merge_items('chips', 'SELECT b FROM t')").fetchone()[0]), {"merged": 2, "skipped": 0, "failed": 0})
            db.execute("INSERT INTO t VALUES (x'1f8b0800'), (x'ff')")
            self.assertEqual(host.counts(db.execute("SELECT stacchip_merge_items('chips', 'SELECT b FROM t')").fetchone()[0]), {"merged": 0, "skipped": 2, "failed": 2})
            self.assertEqual({r[0] for r in db.execute("SELECT DISTINCT item FROM chips")}, {"i0", "i1", "m0", "m1"})
            self.assertEqual({type(v) for r in db.execute("SELECT href, reason FROM chips_error") for v in r}, {str})  # Python decodes them: valid text


class Folders(Case):
    LABEL = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": {"class": "tree"}}

    def test_other_json_is_passed_over_and_counted(self):
        self.save("s/a.json", item("a"))
        others = {"l.geojson": dict(self.LABEL, id="7"), "fc.geojson": {"type": "FeatureCollection", "features": [dict(self.LABEL, id="7"), self.LABEL]}, "classes.json": ["tree", 1, None, {"id": "x"}],
                  "deep.json": [[item("b")]], "train.jsonl": '{"image":"a.png"}\n{"image":"b.png"}\n', "metrics.json": {"loss": 1}, "word.json": '"x"', "catalog.json": {"type": "Catalog", "id": "c", "stac_version": "1.0.0", "links": []},
                  "collection.json": {"type": "Collection", "id": "c", "stac_version": "1.0.0", "assets": {"t": {"href": "x"}}, "links": []}, "sub/none.json": {}, "odd.json": {"features": None, "type": "FeatureCollection"}}
        for name, content in others.items():
            self.save(f"s/{name}", content)
        self.assertEqual(self.rows(self.path("s")), [("a", json.dumps(item("a"), separators=(",", ":")), None)])
        passed = [r for r in self.rows(self.path("s"), '{"passed_over": true}') if r[0] is None]
        self.assertEqual(sorted(r[1] for r in passed), sorted(self.path(f"s/{n}") for n in others))
        for r in passed:
            self.assertRegex(r[2], "passed over")
        self.assertEqual(self.ids(self.path("s/*.*son*")), ["a"])
        self.refused("passed", "SELECT * FROM stacchip_items('x', '{\"no_such\": 1}')")

    def test_a_broken_file_is_told_and_the_rest_is_listed(self):
        for name in "ac":
            self.save(f"s/{name}.json", item(name))
        for name, content in {"empty.json": "", "half.json": json.dumps(item("h"))[:90], "nan.json": '{"loss": NaN}', "u16.geojson": json.dumps(item("u")).encode("utf-16"), "no-id.json": dict(item("x"), id=None)}.items():
            self.save(f"s/b-{name}", content)
        os.mkfifo(self.path("s/pipe.json"))
        os.symlink(self.path("nowhere"), self.path("s/dangling.json"))
        os.symlink("self.json", self.path("s/self.json"))
        self.assertEqual(self.ids(self.path("s")), ["a", "c"])
        told = {os.path.basename(r[1]): r[2] for r in self.rows(self.path("s")) if r[0] is None}
        self.assertEqual(sorted(told), ["b-empty.json", "b-half.json", "b-nan.json", "b-no-id.json", "b-u16.geojson", "dangling.json", "pipe.json", "self.json"])
        for name, reason in told.items():
            self.assertIn(name, reason)
        self.refused("b-half.json: byte .*cut short", "SELECT * FROM stacchip_index((SELECT item_json FROM stacchip_items(?) WHERE error LIKE '%half%'))", self.path("s"))

    def test_merging_a_folder_records_the_broken_ones(self):
        tiff(self.path("s/a.tif"), 7)
        self.save("s/a.json", item("a", "./a.tif"))
        self.save("s/broken.json", "{")
        self.db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(platform=none)")
        self.refused("broken.json", "INSERT INTO chips(item_json) SELECT item_json FROM stacchip_items(?)", self.path("s"))
        self.assertEqual(self.db.execute("SELECT count(*) FROM chips").fetchone()[0], 0)
        r = self.db.execute("SELECT stacchip_merge_items('chips', ?)", (f"SELECT item_json FROM stacchip_items('{self.path('s')}')",)).fetchone()[0]
        self.assertEqual(host.counts(r), {"merged": 1, "skipped": 0, "failed": 1})
        self.assertRegex("|".join(json.loads(r)["failures"]), "broken.json")
        self.assertEqual(self.db.execute("SELECT href, reason LIKE '%broken.json%' FROM chips_error").fetchall(), [(self.path("s/broken.json"), 1)])

    def test_links_in_loops(self):
        self.save("s/a.json", item("a"))
        for name in "xyz":
            os.makedirs(self.path(f"s/{name}"))
            self.save(f"s/{name}/{name}.json", item(name))
        for a in "xyz":
            os.symlink("..", self.path(f"s/{a}/up"))
            for b in "xyz":
                os.symlink(f"../{b}", self.path(f"s/{a}/to-{b}"))
        os.symlink("a.json", self.path("s/latest.json"))
        self.assertEqual(sorted(r[0] for r in self.rows(self.path("s"))), ["a", "x", "y", "z"])
        deep = self.path("deep" + "/d" * 40)
        os.makedirs(deep)
        self.assertRegex(self.errors(self.path("deep"))[0], "more than 32 deep")

    def test_a_name_that_is_no_utf8(self):
        with open(os.path.join(self.folder.name.encode(), b"d\xe9.json"), "w") as f:
            f.write("{}")
        self.assertRegex(self.errors(self.folder.name)[0], r"d\?.json: its name is not UTF-8")


class Rules(Case):
    """STACCHIP_LOCAL: no way out of the allowed folders by links, patterns or messages."""

    def setUp(self):
        super().setUp()
        self.root = self.path("root")
        self.save("root/in.json", item("in"))
        self.save("out/i.json", item("OUTSIDE"))
        self.save("out/token.json", "API_TOKEN=hunter2-very-secret")
        os.makedirs(self.path("root/sub"))
        for target, name in (("out", "root/folder"), ("out/i.json", "root/file.json"), ("out/token.json", "root/token.json"), ("out/nowhere.json", "root/nowhere.json"), ("root", "root/sub/up")):
            os.symlink(self.path(target), self.path(name))
        self.db.execute("SELECT stacchip_config('local_roots', ?)", (self.root,))

    def tearDown(self):
        self.db.execute("SELECT stacchip_config('local_roots', '')")
        super().tearDown()

    def test_links_out_of_the_folder(self):
        rows = self.rows(self.root, '{"passed_over": true}')
        self.assertEqual([r[0] for r in rows if r[0]], ["in"])
        told = {os.path.basename(r[1]): r[2].split(": ", 1)[1] for r in rows if not r[0]}
        self.assertEqual(sorted(told), ["file.json", "folder", "nowhere.json", "token.json"])
        self.assertEqual(len(set(told.values())), 1, "the same words whatever is behind it")
        self.assertNotIn("hunter2", str(rows))

    def test_named(self):
        for name in ("root/file.json", "root/token.json", "root/nowhere.json", "root/folder", "root/folder/i.json", "out", "out/nowhere", "root/sub/../../out"):
            for sql in ("SELECT * FROM stacchip_items(?)", "SELECT * FROM stacchip_index(?)"):
                words = self.refused("allowed in some folders only", sql, self.path(name))
                self.assertNotIn("hunter2", words)

    def test_patterns_tell_nothing(self):
        for pattern in ("root/f*r/i*", "root/fold*/*.json", "root/*/../../out/*", "root/?ub/../../out/i.json", "root/tok*", "root/nowhere*", "root/none*", "root/s*/up/../../out/to*"):
            words = self.refused("no such files|allowed in some folders only", "SELECT * FROM stacchip_items(?)", self.path(pattern))
            self.assertNotRegex(words, "token.json|i.json$|hunter2")
        for pattern in ("out/i*", "out/nothing*", "nowhere/x*"):
            self.refused("allowed in some folders only", "SELECT * FROM stacchip_items(?)", self.path(pattern))
        self.assertEqual(self.ids(self.path("root/i*")), ["in"])
        self.assertEqual(self.ids(self.path("root/sub/*/i*.json")), ["in"])

    def test_catalogues_name_nothing_outside(self):
        self.save("root/catalog.json", {"type": "Catalog", "id": "c", "stac_version": "1.0.0", "links": [{"rel": "item", "href": h} for h in ("../out/i.json", "./file.json", "in.json", "%2E%2E/out/i.json", "file://" + self.path("out/i.json"))]})
        rows = self.rows(self.path("root/catalog.json"))
        self.assertEqual([r[0] for r in rows], [None, None, "in", None, None])

    def test_messages_quote_no_file(self):
        self.db.execute("SELECT stacchip_config('local_roots', '')")
        for sql in ("SELECT * FROM stacchip_items(?)", "SELECT * FROM stacchip_index(?)"):
            self.assertNotRegex(self.refused("token.json: byte 0: not JSON", sql, self.path("out/token.json")), "API_|hunter2")


class Catalogues(Case):
    def catalogue(self, *hrefs, **more):
        return {"type": "Catalog", "id": "c", "stac_version": "1.0.0", "links": [{"rel": "item", "href": h} for h in hrefs], **more}

    def test_dead_links_are_told_and_the_rest_is_listed(self):
        for name in "ab":
            self.save(f"{name}.json", item(name))
        self.save("bad.json", "{")
        self.save("label.json", Folders.LABEL)
        c = self.catalogue("./dead.json", "a.json", "./bad.json", "label.json", "ftp://x/y.json", "/vsizip/x.json", "b.json", "a.json")
        c["links"].insert(0, {"rel": "child"})
        c["links"].insert(0, {"rel": "child", "href": "./none/catalog.json"})
        rows = self.rows(self.save("catalog.json", c))
        self.assertEqual([r[0] for r in rows if r[0]], ["a", "b"])
        reasons = [r[2] for r in rows if not r[0]]
        for words in ("none/catalog.json: No such file", "without an href", "dead.json: No such file", "bad.json: byte 0: not JSON", "label.json.*not a STAC item|label.json.*no id", "scheme 'ftp'", "/vsi prefix"):
            self.assertTrue(any(re.search(words, r) for r in reasons), (words, reasons))
        self.assertEqual(len(reasons), 7)

    def test_catalogues_in_loops(self):
        self.save("a.json", item("a"))
        os.symlink(".", self.path("again"))
        c = self.catalogue("a.json", "./again/a.json")
        c["links"] += [{"rel": "child", "href": "./again/catalog.json"}, {"rel": "child", "href": "catalog.json"}]
        self.assertEqual([r[0] for r in self.rows(self.save("catalog.json", c))], ["a"])

    def test_the_pages_of_an_api_collection_are_followed(self):
        server = web.Scripted()
        page = lambda n, link=None: json.dumps({"type": "FeatureCollection", "features": [item(f"i{n}")], "links": [link] if link else []}).encode()
        server.files = {"/items": page(0, {"rel": "next", "href": "/items2?x=1"}), "/items2": page(1, {"rel": "next", "href": server.url + "/items3"}), "/items3": page(2, {"rel": "next", "href": "items"}),
                        "/post": page(3, {"rel": "next", "href": "/items", "method": "POST"})}
        self.assertEqual(self.ids(server.url + "/items"), ["i0", "i1", "i2"])
        self.assertRegex(self.errors(server.url + "/post")[0], "POST")
        server.close()

    def test_network_errors_of_links(self):
        server = web.Scripted()
        server.files = {"/catalog.json": json.dumps(self.catalogue("gone.json", "html.json", "a.json", "/../a.json")).encode(), "/html.json": b"<html>sign in</html>", "/a.json": json.dumps(item("a")).encode()}
        rows = self.rows(server.url + "/catalog.json")
        self.assertEqual([r[0] for r in rows], [None, None, "a"])
        self.assertRegex(rows[0][2], "gone.json: HTTP status 404")
        self.assertRegex(rows[1][2], "html.json: it is an HTML page")
        server.close()


class Hrefs(Case):
    """Hrefs are URI references, of local files too."""

    OPTIONS = '{"platform":"none"}'

    def index(self, item_path):
        return [r[0] for r in self.db.execute("SELECT length(stacchip_chip(row)) FROM stacchip_index(?, ?)", (item_path, self.OPTIONS))]

    def test_percent_signs(self):
        for name, href in (("a b.tif", "./a%20b.tif"), ("ü.tif", "%C3%BC.tif"), ("x#1.tif", "x%231.tif"), ("x?2.tif", "x%3F2.tif"), ("x#3.tif", "x#3.tif"), ("100%.tif", "100%.tif"), ("50%25.tif", "50%25.tif"),
                           ("40%.tif", "40%25.tif"), ("deep/c.tif", "deep%2Fc.tif"), ("q.tif", "./d/%2E%2E/q.tif"), ("p q.tif", "PATH/p%20q.tif")):
            with self.subTest(href):
                tiff(self.path(name), 7)
                path = self.save("i.json", item("a", href.replace("PATH", self.folder.name)))
                self.assertEqual(self.index(path), [65664])
                text = self.db.execute("SELECT item_json FROM stacchip_items(?)", (path,)).fetchone()[0]
                self.assertEqual(json.loads(text)["assets"]["d"]["href"], self.path(name))
                self.assertEqual(self.index(text), [65664])  # made absolute once, not again

    def test_bytes_that_are_no_text(self):
        self.refused("No such file", "SELECT * FROM stacchip_index(?, ?)", self.save("i.json", item("a", "%E9.tif")), self.OPTIONS)
        self.refused("is not an escaped UTF-8 character", "SELECT * FROM stacchip_index(?, ?)", self.save("i.json", item("a", "file:///x/%E9.tif")), self.OPTIONS)
        for h in ("%E9.tif", "file:///x/%E9.tif", "%00.tif"):
            self.db.execute("SELECT item_json FROM stacchip_items(?)", (self.save("i.json", item("a", h)),)).fetchall()  # Python decodes it: valid text

    def test_named_by_the_application_is_a_path(self):
        tiff(self.path("a%20b.tif"), 7)
        self.assertEqual(len(self.index(self.path("a%20b.tif"))), 1)
        self.refused("No such file|does not exist|cannot open", "SELECT * FROM stacchip_index(?, ?)", self.path("a%2520b.tif"), self.OPTIONS)

    def test_a_link_to_where_the_item_was_found(self):
        tiff(self.path("x.tif"), 7)
        path = self.save("i.json", {**item("a", "./x.tif"), "links": [{"rel": "self", "href": "https://example.org/items/a.json"}]})
        text = self.db.execute("SELECT item_json FROM stacchip_items(?)", (path,)).fetchone()[0]
        self.assertEqual(self.index(text), [65664])
        self.db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(platform='none')")
        self.db.execute("INSERT INTO chips(item_json) VALUES (?)", (path,))
        self.assertEqual(self.db.execute("SELECT length(stacchip_chip(row)) FROM chips").fetchall(), [(65664,)])
        # A relative href is still of that place; of an item of the network a path is one of its server.
        for mark, href, want in (("", "./y.tif", "https://example.org/items/y.tif"), ('"stacchip:origin":"network",', "/y.tif", "https://example.org/y.tif")):
            read = {**json.loads(text), "assets": {"d": {"href": href, "type": "image/tiff"}}}
            self.refused(re.escape(want), "SELECT * FROM stacchip_index(?, ?)", "{" + mark + json.dumps(read)[1:], self.OPTIONS)

    def test_links_of_a_catalogue(self):
        self.save("d e/i j.json", item("a"))
        self.assertEqual(self.ids(self.save("catalog.json", {"type": "Catalog", "id": "c", "stac_version": "1.0.0", "links": [{"rel": "item", "href": "./d%20e/i%20j%2Ejson"}]})), ["a"])


class RasterIds(Case):
    def merged(self, *names, insert="INSERT"):
        self.db.execute("DROP TABLE IF EXISTS chips")
        self.db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge()")
        values = ", ".join(f"('{self.path(n)}')" for n in names)
        return host.counts(self.db.execute("SELECT stacchip_merge_items('chips', ?)", (f"SELECT column1 FROM (VALUES {values})",)).fetchone()[0])

    def test_names_that_differ_are_items_that_differ(self):
        names = ["scene#1.tif", "scene#2.tif", "scene?3.tif", "scene%4.tif", "scene%20.tif", "scene.5.tif", "scene.6.tif", "scene;7.tif"]
        for i, n in enumerate(names):
            tiff(self.path(n), i)
        self.assertEqual(self.merged(*names), {"merged": len(names), "skipped": 0, "failed": 0})
        self.assertEqual(sorted(r[0] for r in self.db.execute("SELECT DISTINCT item FROM chips")), sorted(n[:-4] for n in names))
        self.assertEqual([r[0] for r in self.db.execute("SELECT DISTINCT length(stacchip_chip(row)) FROM chips")], [65664])

    def test_one_name_in_several_folders_is_an_error_that_names_both(self):
        names = ["1/B04.tif", "2/B04.tif", "3/B04.tif", "3/B04.tiff"]
        for i, n in enumerate(names):
            tiff(self.path(n), i)
        self.assertEqual(self.merged(*names), {"merged": 1, "skipped": 0, "failed": 3})
        merged = self.db.execute("SELECT location FROM chips_item").fetchone()[0]
        others = [self.path(n) for n in names if self.path(n) != merged]
        self.assertEqual(sorted(r[0] for r in self.db.execute("SELECT href FROM chips_error")), sorted(others))
        for href, reason in self.db.execute("SELECT href, reason FROM chips_error"):
            self.assertIn(href, reason)
            self.assertIn(merged, reason)
        for kind in ("INSERT", "INSERT OR IGNORE", "INSERT OR REPLACE"):
            self.refused("a raster of the same name", f"{kind} INTO chips(item_json) VALUES (?)", others[0])
        self.assertEqual(self.merged(names[0], names[0])["merged"], 1)  # the same file is there, and no clash
        self.db.execute("INSERT OR REPLACE INTO chips(item_json) VALUES (?)", (self.path(names[0]),))
        self.assertEqual(self.db.execute("SELECT count(*) FROM chips").fetchone()[0], 1)


if __name__ == "__main__":
    host.main()
