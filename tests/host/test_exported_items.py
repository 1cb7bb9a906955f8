"""Short handles and the table of exported items that travels with them."""
import base64
import hashlib
import json
import os
import sqlite3
import tempfile
import unittest

import host

SCENES = os.path.join(host.ROOT, "build", "scenes")
ITEM = os.path.join(SCENES, "sentinel-2", "item.json")
FILL = "INSERT OR IGNORE INTO %s SELECT stacchip_row_export(row, 'id'), stacchip_row_export(row, 'item') FROM %s"
RED = '{"assets": ["red"]}'


def name_of(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:12]).decode()


def absolute():
    """The item with absolute hrefs: as text it says no more where it lies."""
    with open(ITEM) as f:
        item = json.load(f)
    for asset in item["assets"].values():
        asset["href"] = os.path.join(SCENES, "sentinel-2", asset["href"])
    return item


class Exported(unittest.TestCase):
    def setUp(self):
        self.db = host.connect()
        self.folder = tempfile.TemporaryDirectory()
        self.db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)")
        for argument in (ITEM, json.dumps(dict(absolute(), id="B"))):
            self.db.execute("INSERT INTO chips(item_json) VALUES (?)", (argument,))

    def tearDown(self):
        self.db.close()
        self.folder.cleanup()

    def export(self, rows="chips", table="exported_items"):
        self.db.execute("CREATE TABLE %s(id TEXT PRIMARY KEY, item TEXT)" % table)
        self.db.execute(FILL % (table, rows))

    def one(self, sql, *values, db=None):
        return (db or self.db).execute(sql, values).fetchone()[0]

    def refused(self, message, sql, *values, db=None):
        with self.assertRaisesRegex(sqlite3.Error, message):
            (db or self.db).execute(sql, values).fetchall()

    def test_names_positions_and_sizes(self):
        self.export()
        rows = self.db.execute("SELECT stacchip_row_export(row, 'short'), chip_index_x, chip_index_y, item, stacchip_row_export(row), stacchip_row_export(row, 'item') FROM chips").fetchall()
        items = dict(self.db.execute("SELECT id, item FROM exported_items"))
        self.assertEqual(2, len(items))
        for short, x, y, item, whole, text in rows:
            name, *position = json.loads(short)
            self.assertEqual([x, y], position)
            self.assertLessEqual(len(short), 40)
            self.assertEqual(text, items[name])
            self.assertEqual(name, name_of(text))
            self.assertEqual(item, json.loads(text)["item"]["id"])
            self.assertEqual(dict(json.loads(text), chip_index_x=x, chip_index_y=y), json.loads(whole))
        self.assertEqual(2 * [len(rows)], [len({r[0] for r in rows}), len(rows)])
        self.assertLessEqual(len(json.dumps(["x" * 16, 10**8, 10**8], separators=(",", ":"))), 40)

    def test_the_name_is_that_of_the_text(self):
        """Of every length modulo the 64 bytes of a block."""
        item = absolute()
        lengths = set()
        for n in range(1, 66):
            item["id"] = "i" * n
            handle = json.dumps({"item": item, "chip_index_x": 1, "chip_index_y": 1})
            name, text = self.db.execute("SELECT stacchip_row_export(?1, 'id'), stacchip_row_export(?1, 'item')", (handle,)).fetchone()
            self.assertEqual(name_of(text), name)
            lengths.add(len(text) % 64)
        self.assertEqual(64, len(lengths))

    def test_they_travel(self):
        self.export()
        f = os.path.join(self.folder.name, "train.db")
        self.db.execute("ATTACH ? AS out", (f,))
        self.db.execute("CREATE TABLE out.exported_items AS SELECT * FROM exported_items")
        self.db.execute("CREATE TABLE out.sample AS SELECT stacchip_row_export(row, 'short') AS row, stacchip_chip(row, ?) AS pixels FROM chips WHERE (chip_index_x + chip_index_y) % 3 = 0", (RED,))
        text = self.one("SELECT json_group_array(json_object('id', id, 'item', item)) FROM exported_items")
        self.db.execute("DETACH out")
        check = "SELECT count(*), count(CASE WHEN stacchip_chip(row, ?) = pixels THEN 1 END) FROM %s"
        there = host.connect(f)
        n, equal = there.execute(check % "sample", (RED,)).fetchone()
        self.assertGreater(n, 10)
        self.assertEqual(n, equal)
        there.close()
        there = host.connect()  # attached; a TEMP table; a table of another name, from JSON
        there.execute("ATTACH ? AS f", (f,))
        self.assertEqual((n, n), there.execute(check % "f.sample", (RED,)).fetchone())
        there.execute("ALTER TABLE f.exported_items RENAME TO their_items")  # from here on only by its name
        there.execute("CREATE TEMP TABLE exported_items AS SELECT * FROM f.their_items")
        self.assertEqual((n, n), there.execute(check % "f.sample", (RED,)).fetchone())
        there.close()
        there = host.connect()
        there.execute("ATTACH ? AS f", (f,))
        for items in ("their_items", "f.their_items", "dotted.name"):
            there.execute("CREATE TABLE IF NOT EXISTS \"dotted.name\" AS SELECT value ->> 'id' AS id, value ->> 'item' AS item FROM json_each(?)", (text,))
            options = json.dumps({"assets": ["red"], "items": items})
            self.assertEqual((n, n), there.execute(check % "f.sample", (options,)).fetchone())
            self.assertGreater(there.execute("SELECT length(stacchip_stack(row, ?)), length(stacchip_band_stats(row, ?)) FROM f.sample WHERE pixels IS NOT NULL AND row LIKE (SELECT substr(row, 1, 10) FROM f.sample LIMIT 1) || '%'", (options, options)).fetchone()[1], 50)
            for call in ("stacchip_rasterize(row, BuildMbr(-180, -90, 180, 90, 4326), 1, json_object('items', ?))", "stacchip_mosaic(row, pixels, json_object('items', ?))"):
                self.assertGreater(there.execute("SELECT length(%s) FROM f.sample GROUP BY row" % call, (items,)).fetchone()[0], 1000)
            self.assertEqual(there.execute("SELECT row FROM f.sample").fetchall(), there.execute("SELECT stacchip_row_export(row, json_object('form', 'short', 'items', ?)) FROM f.sample", (items,)).fetchall())
            self.assertIn("item", json.loads(there.execute("SELECT stacchip_row_export(row, json_object('items', ?)) FROM f.sample", (items,)).fetchone()[0]))
        there.close()

    def test_in_batches(self):
        self.export("(SELECT row FROM chips WHERE item = 'B')")
        self.db.execute("CREATE TABLE s AS SELECT row, stacchip_row_export(row, 'short') AS short FROM chips WHERE item = 'B'")
        for shuffle in ("null", "5"):
            options = '{"assets": ["red"], "shuffle": %s}' % shuffle
            a, b = (self.db.execute("SELECT n, batch FROM stacchip_batches(?, 7, ?)", ("SELECT %s FROM s" % column, options)).fetchall() for column in ("row", "short"))
            self.assertEqual(a, b)

    def test_chips_of_every_kind(self):
        """Other tilings, and round a centre; and exporting again changes nothing."""
        self.db.execute("CREATE TABLE exported_items(id TEXT PRIMARY KEY, item TEXT)")
        lon, lat = self.db.execute("SELECT ST_X(ST_Centroid(geometry)), ST_Y(ST_Centroid(geometry)) FROM chips WHERE chip_index_x = 1 AND chip_index_y = 2").fetchone()
        for handle in ({"item": ITEM, "chip_index_x": 1, "chip_index_y": 2}, {"item": ITEM, "chip_index_x": 1, "chip_index_y": 2, "chip_size": 100, "stride": 70, "edge": "shift"},
                       {"item": ITEM, "center": [lon, lat], "chip_size": 64}, {"item": ITEM, "center": [lon + .001, lat], "chip_size": 64},
                       {"item": ITEM, "chip_index_x": 0, "chip_index_y": 1, "platform": "none"}):
            handle = json.dumps(handle)
            want = self.one("SELECT stacchip_chip(?, ?)", handle, RED)
            self.db.execute(FILL % ("exported_items", "(SELECT ? AS row)"), (handle,))
            short = self.one("SELECT stacchip_row_export(?, 'short')", handle)
            self.assertEqual(want, self.one("SELECT stacchip_chip(?, ?)", short, RED))
            fresh = host.connect()
            fresh.execute("CREATE TABLE exported_items(id, item)")
            fresh.executemany("INSERT INTO exported_items VALUES (?, ?)", self.db.execute("SELECT * FROM exported_items").fetchall())
            self.assertEqual(want, self.one("SELECT stacchip_chip(?, ?)", short, RED, db=fresh))
            self.assertEqual(short, self.one("SELECT stacchip_row_export(?, 'short')", short, db=fresh))
            self.assertEqual(self.one("SELECT stacchip_row_export(?)", handle), self.one("SELECT stacchip_row_export(?)", short, db=fresh))
            fresh.close()
        self.assertEqual(4, self.one("SELECT count(*) FROM exported_items"))

    def test_what_is_missing_is_said(self):
        short = self.one("SELECT stacchip_row_export(row, 'short') FROM chips LIMIT 1")
        name = json.loads(short)[0]
        fresh = host.connect()
        self.refused("exported item %s in exported_items: .*a table of exported items with columns id and item.*no such table" % name, "SELECT stacchip_chip(?)", short, db=fresh)
        fresh.execute("CREATE TABLE exported_items(id, item)")
        self.refused("exported item %s in exported_items: it is not there: bring along the rows .id, item.*'items'" % name, "SELECT stacchip_chip(?)", short, db=fresh)
        self.refused("exported item %s in mine: .*no such table: mine" % name, "SELECT stacchip_chip(?, '{\"items\": \"mine\"}')", short, db=fresh)
        fresh.execute("INSERT INTO exported_items VALUES (?, NULL)", (name,))
        self.refused("its item is NULL there", "SELECT stacchip_chip(?)", short, db=fresh)
        fresh.close()
        self.assertIsNone(self.one("SELECT stacchip_chip(?, '{\"on_error\": \"null\"}')", short))

    def test_no_other_item_under_a_name(self):
        self.export()
        a, b = [r[0] for r in self.db.execute("SELECT id FROM exported_items ORDER BY 1")]
        fresh = host.connect()
        fresh.execute("CREATE TABLE exported_items(id, item)")
        fresh.executemany("INSERT INTO exported_items VALUES (?, ?)", [(a, self.one("SELECT item FROM exported_items WHERE id = ?", b)), (b, self.one("SELECT item || ' ' FROM exported_items WHERE id = ?", b))])
        for name in (a, b):
            self.refused("exported item %s in exported_items: it has another item under that id, whose id would be" % name, "SELECT stacchip_chip(?)", '["%s",0,0]' % name, db=fresh)
        for text in ("", "{}", "[]", '{"item":"%s"}' % ITEM, '{"item":{}}', '{"item":{"id":"x"},"bucket":"/tmp","platform":"p"}', '{"item":"%s","base":"/"}' % ITEM, '["chips",1,"x",0,0]', '{"item":{', '{"item":{}',
                     '{"item":{"id":"a"},"chip_index_x":3}', "\0"):
            fresh.execute("INSERT INTO exported_items VALUES (?, ?)", (name_of(text), text))
            with self.assertRaises(sqlite3.Error, msg=text):
                fresh.execute("SELECT stacchip_chip(?)", ('["%s",0,0]' % name_of(text),)).fetchall()
        fresh.close()

    def test_an_item_of_the_network_names_no_local_file(self):
        """Neither as it is exported, nor in a table that somebody else wrote."""
        item = absolute()
        item = {"stacchip:origin": "network", **item}
        text = json.dumps({"item": item, "platform": "sentinel-2-l2a"}, separators=(",", ":"))
        self.db.execute("CREATE TABLE exported_items(id, item)")
        self.db.execute("INSERT INTO exported_items VALUES (?, ?)", (name_of(text), text))
        self.refused("network|local", "SELECT stacchip_chip(?, ?)", '["%s",1,1]' % name_of(text), RED)
        again = self.one("SELECT stacchip_row_export(?, 'item')", '["%s",1,1]' % name_of(text))
        self.assertEqual("network", json.loads(again)["item"]["stacchip:origin"])

    def test_a_view_or_another_table_opens_nothing(self):
        short = self.one("SELECT stacchip_row_export(row, 'short') FROM chips LIMIT 1")
        f = os.path.join(self.folder.name, "theirs.db")
        theirs = host.connect(f)
        theirs.execute("CREATE VIEW exported_items AS SELECT 'x' AS id, stacchip_item_info('%s') AS item" % ITEM)
        theirs.close()
        theirs = host.connect(f)
        self.refused("exported item", "SELECT stacchip_chip(?)", short, db=theirs)
        theirs.execute("DROP VIEW exported_items")
        theirs.execute("CREATE TABLE good AS SELECT * FROM (SELECT ? AS id, ? AS item)", self.db.execute("SELECT stacchip_row_export(row, 'id'), stacchip_row_export(row, 'item') FROM chips LIMIT 1").fetchone())
        theirs.execute("CREATE VIEW exported_items AS SELECT * FROM good")
        self.assertGreater(len(self.one("SELECT stacchip_chip(?, ?)", short, RED, db=theirs)), 1000)
        theirs.close()

    def test_what_is_no_short_handle(self):
        self.export()
        name = self.one("SELECT id FROM exported_items LIMIT 1")
        for text in ('["%s",0]', '["%s",0,0', '["%s",0,0] ', '["%s",0,0,0]', '["%s",+1,0]', '["%s",1e0,0]', '["%s",99999999999999999,0]', '["%s","0",0]', '["%s x",0,0]', '["%s"]'):
            self.refused("not of the form", "SELECT stacchip_chip(?)", text % name)
        self.refused("not of the form", "SELECT stacchip_chip(?)", '["%s",0,0]' % name[:-1])
        self.refused("not of the form", "SELECT stacchip_chip(?)", '["%s",0,0]' % ("$" + name[1:]))
        for position in ("-1,0", "0,5000"):
            self.refused("item .*: chip", "SELECT stacchip_chip(?)", '["%s",%s]' % (name, position))

    def test_options_of_the_export(self):
        row, rowid = self.db.execute("SELECT row, rowid FROM chips LIMIT 1").fetchone()
        whole = self.one("SELECT stacchip_row_export(?)", row)
        for options in ("whole", "{}", '{"form": "whole"}', None):
            self.assertEqual(whole, self.one("SELECT stacchip_row_export(?, ?)", row, options))
        for options in ("chips", '{"table": "chips"}', '{"table": "main.chips", "form": "whole"}'):
            self.assertEqual(whole, self.one("SELECT stacchip_row_export(?, ?)", rowid, options))
        self.assertEqual(self.one("SELECT stacchip_row_export(?, 'short')", row), self.one("SELECT stacchip_row_export(?, ?)", rowid, '{"table": "chips", "form": "short"}'))
        self.assertIsNone(self.one("SELECT stacchip_row_export(NULL, 'short')"))
        self.refused("unknown option 'x'; options: form, table, items", "SELECT stacchip_row_export(?, ?)", row, '{"x": 1}')
        self.refused("'long' is not one of whole, short, item, id", "SELECT stacchip_row_export(?, ?)", row, '{"form": "long"}')
        self.refused("needs the option 'table'", "SELECT stacchip_row_export(?, 'short')", rowid)


if __name__ == "__main__":
    host.main()
