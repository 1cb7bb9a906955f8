"""Signatures, tokens and passwords of hrefs are stored nowhere, and what lost one says so when it is read."""
import json
import os
import sqlite3
import tempfile
import unittest

import host
import web
from test_items_reading import tiff

NAMES = ["sig", "token", "%73ig", "password", "sas", "jwt", "auth", "key", "code", "X-Amz-Signature", "X-Amz-Credential", "x-goog-signature", "access_token", "apiKey", "SharedKey", "q%5Btoken%5D"]


class Secrets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        path = tiff(os.path.join(cls.folder.name, "a.tif"), 7)
        with open(path, "rb") as f:
            data = f.read()
        # A server that gives a file to who has its secret, and says what it was asked where it refuses.
        cls.server = web.Scripted(files={"/a.tif": data, "/public.tif": data},
                                  fault=lambda h: None if "S3CR3T" in h.path or "public" in h.path else lambda h: h.answer(403, f"no: {h.path}".encode()))
        cls.server.files["/item.json"] = json.dumps(cls.item("by-url", cls.server.url + "/a.tif?token=S3CR3T")).encode()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        cls.folder.cleanup()

    @staticmethod
    def item(name, *hrefs, **more):
        grid = {"proj:epsg": 32720, "proj:shape": [256, 256], "proj:transform": [10, 0, 600000, 0, -10, 6400000]}
        return dict({"type": "Feature", "stac_version": "1.0.0", "id": name, "geometry": None, "properties": {"datetime": "2024-01-01T00:00:00Z"},
                     "assets": {f"b{i}": dict(grid, href=h, type="image/tiff") for i, h in enumerate(hrefs)}}, **more)

    def merged(self, path=":memory:"):
        db = host.connect(path)
        db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(platform=none, on_error=record)")
        return db

    def everything(self, db):
        names = [r[0] for r in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'chips%'")]
        return "".join(str(db.execute(f'SELECT * FROM "{n}"').fetchall()) for n in names)

    def test_in_no_table_no_handle_and_no_file(self):
        hrefs = [f"{self.server.url}/a.tif?{n}=S3CR3T{i}x&f=1" for i, n in enumerate(NAMES)]
        hrefs += [f"http://S3CR3T:S3CR3T@127.0.0.1:{self.server.port}/public.tif", f"{self.server.url}/public.tif#token=S3CR3T", f"{self.server.url}/public.tif;token=S3CR3T"]
        links = [{"rel": "self", "href": "https://h.example.invalid/i?sig=S3CR3T"}, {"rel": "next", "href": "next?token=S3CR3T", "headers": {"Authorization": "Bearer S3CR3T"}}]
        item = self.item("i", *hrefs, links=links)
        for text in (json.dumps(item), json.dumps(item).replace("/", "\\/")):
            path = os.path.join(self.folder.name, "x.db")
            db = self.merged(path)
            db.execute("INSERT INTO chips(item_json) VALUES (?)", (text,))
            self.assertEqual(db.execute("SELECT count(*) FROM chips").fetchone()[0], 1)
            rows = [r for q in ("SELECT row FROM stacchip_index(?, '{\"platform\":\"none\"}')", "SELECT stacchip_row_export(row) FROM stacchip_index(?, '{\"platform\":\"none\"}')") for r in db.execute(q, (text,)).fetchall()]
            rows += db.execute("SELECT row, item_json FROM chips").fetchall() + db.execute("SELECT stacchip_row_export(row) FROM chips").fetchall()
            db.execute("SELECT stacchip_export('chips', ?)", (os.path.join(self.folder.name, "x.parquet"),))
            self.assertNotIn("S3CR3T", self.everything(db) + str(rows))
            db.close()
            for name in ("x.db", "x.parquet"):
                with open(os.path.join(self.folder.name, name), "rb") as f:
                    self.assertNotIn(b"S3CR3T", f.read())
                os.unlink(os.path.join(self.folder.name, name))

    def test_failures(self):
        db = self.merged()
        broken = json.dumps(self.item("broken", "https://h.example.invalid/x.tif?sig=S3CR3T", id="")).replace("/", "\\/")
        for text in (broken, broken[:-1], json.dumps(self.item("no-file", self.server.url + "/none.tif?token=S3CR3T;x=1")).replace("proj:shape", "x"), self.server.url + "/none.json?key=S3CR3T", self.server.url + "/none;key=S3CR3T/x.json"):
            db.execute("INSERT INTO chips(item_json) VALUES (?)", (text,))
            db.execute("SELECT stacchip_merge_items('chips', ?)", ("SELECT '" + text.replace("'", "''") + "'",))
            with self.assertRaises(sqlite3.Error) as e:
                db.execute("SELECT * FROM stacchip_index(?, '{\"platform\":\"none\"}')", (text,)).fetchall()
            self.assertNotIn("S3CR3T", str(e.exception))
        self.assertGreaterEqual(db.execute("SELECT count(*) FROM chips_error").fetchone()[0], 4)
        self.assertNotIn("S3CR3T", self.everything(db))

    def test_a_handle_is_read_by_its_own_process_only(self):
        db = host.connect()
        for source in (json.dumps(self.item("i", self.server.url + "/a.tif?f=1&token=S3CR3T")), self.server.url + "/item.json?token=S3CR3T"):
            row, n = db.execute("SELECT row, length(stacchip_chip(row)) FROM stacchip_index(?, '{\"platform\":\"none\"}')", (source,)).fetchone()
            self.assertEqual(n, 65664)
            self.assertNotIn("S3CR3T", row)
            error = web.cold(":memory:", ("SELECT length(stacchip_chip(?))", (row,)), check=False)
            self.assertIn("the query of its href held a secret, which is not stored", error)
            self.assertIn("HTTP status 403", error)

    def test_a_merged_index_says_why_it_cannot_read(self):
        db = self.merged()
        for name, href in (("private", "/a.tif?token=S3CR3T"), ("public", "/public.tif?token=S3CR3T"), ("plain", "/public.tif?file=x.tif&versionId=3")):
            db.execute("INSERT INTO chips(item_json) VALUES (?)", (json.dumps(self.item(name, self.server.url + href)),))
        read = "SELECT length(stacchip_chip(row)) FROM chips WHERE item = ?"
        with self.assertRaisesRegex(sqlite3.Error, "/a.tif: HTTP status 403.*held a secret, which is not stored") as e:
            db.execute(read, ("private",)).fetchall()
        self.assertNotIn("S3CR3T", str(e.exception))
        self.assertEqual(db.execute(read, ("public",)).fetchone()[0], 65664)
        self.server.clear()
        self.assertEqual(db.execute(read, ("plain",)).fetchone()[0], 65664)
        self.assertEqual({r[1] for r in self.server.requests}, {"/public.tif?file=x.tif&versionId=3"})

    def test_what_is_done_is_known_whatever_its_signature(self):
        db = self.merged()
        for i in range(2):
            r = db.execute("SELECT stacchip_merge_items('chips', ?)", (f"SELECT '{self.server.url}/item.json?X-Amz-Date={i}&X-Amz-Signature=S3CR3T{i}'",)).fetchone()[0]
            self.assertEqual(json.loads(r), {"merged": 1 - i, "skipped": i, "failed": 0})


if __name__ == "__main__":
    host.main()
