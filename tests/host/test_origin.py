"""An item that came over the network names no local file, whatever it passes through on the way."""
import json
import os
import sqlite3
import tempfile
import unittest

import host
import web

SCENE = os.path.join(host.ROOT, "build", "scenes", "sentinel-2")
MARK = ("stacchip:origin", "network")
DENIED = "over the network may not name a local file"


def item(public, secret, name="i", **members):
    grid = {"type": "image/tiff", "roles": ["data"], "proj:shape": [1536, 1536],
            "proj:transform": [10, 0, 499980.0, 0, -10, 6400000.0]}
    return dict(members, type="Feature", stac_version="1.0.0", id=name, geometry=None, links=[],
                properties={"datetime": "2024-01-01T00:00:00Z", "proj:epsg": 32720},
                assets={"public": dict(grid, href=public), "secret": dict(grid, href=secret)})


class Origin(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.secret = os.path.join(SCENE, "green.tif")
        cls.server = web.Scripted()
        cls.url = cls.server.url
        one = item(cls.url + "/public.tif", "file://" + cls.secret)
        collection = json.dumps({"type": "FeatureCollection", "features": [one], "links": []}).encode()
        with open(os.path.join(SCENE, "blue.tif"), "rb") as f:
            cls.server.files = {"/public.tif": f.read(), "/i.json": json.dumps(one).encode(), "/all": collection,
                                "/": collection, "/search": collection}

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def setUp(self):
        self.db = host.connect()
        self.merged("c")

    def merged(self, name, db=None):
        (db or self.db).execute("CREATE VIRTUAL TABLE %s USING stacchip_merge(platform=none, max_nodata=1)" % name)

    def read(self, row, asset, db=None):
        return (db or self.db).execute("SELECT length(stacchip_chip(?, json_object('assets', json_array(?))))",
                                       (row, asset)).fetchone()[0]

    def row(self, table="c", db=None):
        return (db or self.db).execute('SELECT "row" FROM %s WHERE chip_index_x = 1 AND chip_index_y = 1' % table
                                       ).fetchone()[0]

    def refused(self, row, db=None):
        self.assertGreater(self.read(row, "public", db), 131072)
        with self.assertRaisesRegex(sqlite3.Error, DENIED + "|has no href"):
            self.read(row, "secret", db)

    def handle(self, of):
        return json.dumps({"item": of, "chip_index_x": 1, "chip_index_y": 1, "platform": "none"})

    def test_merged_exported_and_merged_again(self):
        db = self.db
        db.execute("INSERT INTO c(item_json) VALUES (?)", (self.url + "/i.json",))
        self.refused(self.row())
        exported = db.execute("SELECT stacchip_row_export(?)", (self.row(),)).fetchone()[0]
        self.refused(exported)
        self.refused(db.execute("SELECT stacchip_row_export(?)", (exported,)).fetchone()[0])
        self.merged("again")
        db.execute("INSERT INTO again(item_json) SELECT item_json FROM c LIMIT 1")
        self.refused(self.row("again"))
        self.merged("third")
        db.execute("SELECT stacchip_merge_items('third', 'SELECT item_json FROM again_item')")
        self.refused(self.row("third"))
        db.execute("INSERT OR REPLACE INTO third(item_json) SELECT item_json FROM third LIMIT 1")
        db.execute("INSERT INTO third(third) VALUES ('rebuild')")
        self.refused(self.row("third"))
        with tempfile.TemporaryDirectory() as folder:
            db.execute("VACUUM INTO ?", (os.path.join(folder, "copy.db"),))
            copy = host.connect(os.path.join(folder, "copy.db"))
            self.refused(self.row("third", copy), copy)
            copy.close()

    def test_texts_of_searches_and_collections(self):
        db = self.db
        for n, source in enumerate(("stacchip_search('%s', '{}')" % self.url, "stacchip_items('%s/all')" % self.url)):
            text = db.execute("SELECT item_json FROM " + source).fetchone()[0]
            self.assertEqual(MARK, next(iter(json.loads(text).items())))
            opened = json.loads(text)
            opened["assets"]["secret"]["href"] = self.secret  # a path that dropping did not know
            for given in (opened, dict(reversed(list(opened.items())))):
                self.refused(self.handle(given))
                self.merged("t")
                db.execute("INSERT INTO t(item_json) VALUES (?)", (json.dumps(given),))
                self.refused(self.row("t"))
                self.refused(db.execute("SELECT stacchip_row_export(?)", (self.row("t"),)).fetchone()[0])
                handle = ('SELECT "row" FROM stacchip_index(?, \'{"platform":"none"}\') WHERE chip_index_x = 1'
                          " AND chip_index_y = 1")
                self.refused(db.execute(handle, (json.dumps(given),)).fetchone()[0])
                db.execute("DROP TABLE t")

    def test_base_href_map_and_self_links_do_not_widen(self):
        opened = item("public.tif", "green.tif", **dict([MARK]))
        opened["links"] = [{"rel": "self", "href": SCENE + "/item.json"}]
        opened["assets"]["public"]["href"] = self.url + "/public.tif"
        self.refused(self.handle(opened))
        handle = json.loads(self.handle(opened))
        self.refused(json.dumps(dict(handle, base=SCENE)))
        self.db.execute("SELECT stacchip_config('href_map', ?)", (json.dumps({self.url: SCENE, SCENE: SCENE}),))
        try:
            with self.assertRaisesRegex(sqlite3.Error, DENIED):
                self.read(self.handle(opened), "secret")
        finally:
            self.db.execute("SELECT stacchip_config('href_map', '')")

    def test_failures_record_it(self):
        broken = item("public.tif", self.secret, **dict([MARK]))
        broken["properties"]["proj:epsg"] = 1
        self.db.execute("SELECT stacchip_merge_items('c', 'SELECT ' || quote(?))", (json.dumps(broken),))
        kept = json.loads(self.db.execute("SELECT item_json FROM c_error").fetchone()[0])
        self.assertEqual("network", kept[MARK[0]])

    def test_a_trigger_indexes_nothing(self):
        db = self.db
        db.execute("CREATE TABLE notes(x)")
        db.execute("CREATE VIEW v AS SELECT 1 AS x")
        url = self.url + "/i.json"
        for trigger in ("AFTER INSERT ON notes", "BEFORE DELETE ON notes", "INSTEAD OF INSERT ON v"):
            db.execute("INSERT INTO notes VALUES (1)")
            db.execute("CREATE TRIGGER t %s BEGIN INSERT INTO c(item_json) VALUES ('%s'); END" % (trigger, url))
            self.server.clear()
            statement = ("INSERT INTO v VALUES (1)" if "ON v" in trigger else "DELETE FROM notes" if "DELETE" in trigger
                         else "INSERT INTO notes SELECT count(*) FROM c")
            with self.assertRaisesRegex(sqlite3.Error, "a trigger may not index items"):
                db.execute(statement)
            self.assertEqual([], self.server.requests)
            db.execute("DROP TRIGGER t")
        for setting in ("SELECT 1", "INSERT INTO c(c, rank) VALUES ('on_error', 'record')"):
            db.execute(setting)
            db.execute("CREATE TRIGGER t AFTER INSERT ON notes BEGIN INSERT OR IGNORE INTO c(item_json)"
                       " SELECT '%s'; END" % url)
            with self.assertRaisesRegex(sqlite3.Error, "a trigger may not index items"):
                db.execute("INSERT INTO notes VALUES (2)")
            db.execute("DROP TRIGGER t")
        self.assertEqual((0, 0), db.execute("SELECT (SELECT count(*) FROM c), (SELECT count(*) FROM c_error)").fetchone())
        db.execute("CREATE TRIGGER t AFTER INSERT ON notes BEGIN INSERT INTO c(item, chip_index_x, chip_index_y, geometry)"
                   " VALUES ('rows', 0, 0, BuildMbr(0, 0, 1, 1, 4326)); DELETE FROM c WHERE item = 'gone'; END")
        db.execute("INSERT INTO notes VALUES (3)")  # what opens nothing may be written
        db.execute("DROP TRIGGER t")
        db.execute('WITH a AS (SELECT ? AS i) INSERT OR REPLACE INTO main."c"(item_json) SELECT i FROM a', (url,))
        db.execute("REPLACE INTO [C](item_json) VALUES (?)", (url,))
        db.execute("INSERT INTO notes SELECT stacchip_merge_items('c', 'SELECT ' || quote(?))", (url,))
        self.assertEqual(["i", "rows"], [r[0] for r in db.execute("SELECT item FROM c_item ORDER BY 1")])

    def test_items_of_the_application_are_not_narrowed(self):
        own = item(self.url + "/public.tif", self.secret)
        self.assertGreater(self.read(self.handle(own), "secret"), 131072)
        self.db.execute("INSERT INTO c(item_json) VALUES (?)", (json.dumps(own),))
        self.assertGreater(self.read(self.row(), "secret"), 131072)
        self.assertNotIn(MARK[0], self.db.execute("SELECT item_json FROM c").fetchone()[0])

    def test_databases_of_before_say_it_by_the_location(self):
        db = self.db
        db.execute("INSERT INTO c(item_json) VALUES (?)", (self.url + "/i.json",))
        old = dict(item(self.url + "/public.tif", self.secret))
        db.execute("UPDATE c_item SET item_json = ?", (json.dumps(old),))
        db.execute("UPDATE c_config SET value = 2 WHERE key = 'version'")
        self.refused(self.row())
        self.refused(db.execute("SELECT stacchip_row_export(?)", (self.row(),)).fetchone()[0])
        self.merged("again")
        db.execute("INSERT INTO again(item_json) SELECT item_json FROM c LIMIT 1")
        self.refused(self.row("again"))
        db.execute("INSERT INTO c(c) VALUES ('integrity-check')")  # the first write migrates
        text = db.execute("SELECT item_json FROM c_item").fetchone()[0]
        self.assertEqual(dict([MARK], **old), json.loads(text))
        self.refused(self.row())

    def test_texts_of_searches_that_were_merged_before(self):
        """They have no location and no mark, but name no local file: its href was taken out when the item was found."""
        db, one = self.db, item(self.url + "/public.tif", self.secret)
        for name, local in (("file", "file://" + self.secret), ("up", "../../../../../.." + self.secret), ("vsi", "/vsimem/x"), ("secret", self.secret), ("host", "file://localhost" + self.secret)):
            one["assets"][name] = dict(one["assets"]["secret"], href=local)
        one["assets"]["public"]["alternate"] = {"s3": {"href": self.secret}}
        self.server.files["/api/search"] = json.dumps({"type": "FeatureCollection", "features": [one], "links": []}).encode()
        found = json.loads(db.execute("SELECT item_json FROM stacchip_search(?, '{}')", (self.url + "/api",)).fetchone()[0])
        self.assertEqual(found.pop(MARK[0]), MARK[1])
        self.assertNotIn(self.secret, [a.get("href") for a in found["assets"].values()])
        db.execute("INSERT INTO c(item_json) VALUES (?)", (json.dumps(found),))
        db.execute("UPDATE c_item SET location = NULL, item_json = ?", (json.dumps(found),))
        db.execute("UPDATE c_config SET value = 2 WHERE key = 'version'")
        for _ in range(2):
            for asset in set(one["assets"]) - {"public"}:
                with self.assertRaisesRegex(sqlite3.Error, "has no href|has no asset|no asset|HTTP status|" + DENIED, msg=asset):
                    self.read(self.row(), asset)
            self.assertGreater(self.read(self.row(), "public"), 131072)
            db.execute("INSERT INTO c(c) VALUES ('integrity-check')")  # migrates


if __name__ == "__main__":
    host.main()
