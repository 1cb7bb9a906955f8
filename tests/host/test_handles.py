"""The values of the column `row`: what they may look like, and what is said of those that do not."""
import json
import os
import sqlite3
import tempfile
import unittest

import host

SCENE = os.path.join(host.ROOT, "build", "scenes", "sentinel-2")
ITEM = os.path.join(SCENE, "item.json")


class Handles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.db = host.connect()
        cls.pixels = cls.chip({"item": ITEM, "chip_index_x": 1, "chip_index_y": 2})

    @classmethod
    def chip(cls, handle, options=None):
        return cls.db.execute("SELECT stacchip_chip(?, ?)", (handle if isinstance(handle, (str, int)) else json.dumps(handle), options)).fetchone()[0]

    def refused(self, handle, message):
        with self.assertRaisesRegex(sqlite3.Error, message, msg=handle):
            self.chip(handle)

    def test_all_four_forms_name_one_chip(self):
        db = self.db
        db.execute("CREATE VIRTUAL TABLE four USING stacchip_merge(max_nodata=1)")
        db.execute("INSERT INTO four(item_json) VALUES(?)", (ITEM,))
        at = " WHERE chip_index_x = 1 AND chip_index_y = 2"
        rows = [db.execute("SELECT row FROM stacchip_index(?, '{\"max_nodata\": 1}')" + at, (ITEM,)).fetchone()[0], *db.execute("SELECT row, rowid FROM four" + at).fetchone()]
        self.assertEqual(["four", rows[2], "S2A_T20HNJ_20240311T140636_L2A", 1, 2], json.loads(rows[1]))
        for row in rows[:2]:
            self.assertEqual(self.pixels, self.chip(row), row)
            exported = db.execute("SELECT stacchip_row_export(?)", (row,)).fetchone()[0]
            self.assertEqual(self.pixels, self.chip(exported), exported)
        self.assertEqual(self.pixels, self.chip(rows[2], '{"table": "four"}'))

    def test_a_table_in_place_of_another_has_its_own_items(self):
        """Dropped and made anew in one transaction, of another file that is attached under the name, and behind a long name: row numbers are the same."""
        with open(ITEM) as f:
            red = json.load(f)
        for asset in red["assets"].values():
            asset["href"] = os.path.join(SCENE, asset["href"])
        blue = json.loads(json.dumps(red))
        blue["assets"]["red"]["href"] = red["assets"]["blue"]["href"]
        other = dict(blue, id="other")
        chip = lambda db, table: db.execute("SELECT stacchip_chip(row, '{\"assets\": \"red\"}') FROM %s WHERE chip_index_x = 3 AND chip_index_y = 3 AND item >= ''" % table).fetchall()
        fill = lambda db, table, item: (db.execute("CREATE VIRTUAL TABLE %s USING stacchip_merge(max_nodata=1)" % table),
                                        db.execute("INSERT INTO %s(item_json) VALUES (?)" % table, (json.dumps(item),)))
        wanted = [self.chip({"item": item, "chip_index_x": 3, "chip_index_y": 3}, '{"assets": "red"}') for item in (red, blue, other)]
        self.assertNotEqual(wanted[0], wanted[1])
        with tempfile.TemporaryDirectory() as folder:
            for i, item in enumerate((red, blue, other)):
                db = host.connect("%s/%d.db" % (folder, i))
                fill(db, "chips", item)
                db.commit()
                db.close()
            db = host.connect()
            db.isolation_level = None
            for i in (0, 1, 0, 2):
                db.execute("ATTACH ? AS aux", ("%s/%d.db" % (folder, i),))
                self.assertEqual([(wanted[i],)], chip(db, "aux.chips"), i)
                db.execute("DETACH aux")
            db.execute("BEGIN")
            for i in (0, 1, 0, 2):
                fill(db, "chips", (red, blue, other)[i])
                self.assertEqual([(wanted[i],)], chip(db, "chips"), i)
                db.execute("DROP TABLE chips")
            db.execute("COMMIT")
        name = "n" * 600
        fill(db, name, red)
        db.execute("INSERT INTO %s(item_json) VALUES (?)" % name, (json.dumps(other),))
        self.assertEqual(sorted([(wanted[0],), (wanted[2],)]), sorted(chip(db, name)))

    def test_an_id_with_a_slash_is_a_folder_of_the_archive(self):
        with open(ITEM) as f:
            item = json.load(f)
        item["id"] = "a/b"
        for asset in item["assets"].values():
            asset["href"] = os.path.join(SCENE, asset["href"])
        with tempfile.TemporaryDirectory() as bucket:
            os.makedirs(os.path.join(bucket, "sentinel-2-l2a", "a_b"))
            with open(os.path.join(bucket, "sentinel-2-l2a", "a_b", "stac_item.json"), "w") as f:
                json.dump(item, f)
            handle = {"bucket": bucket, "platform": "sentinel-2-l2a", "item": "a/b", "chip_index_x": 1, "chip_index_y": 2}
            self.assertEqual(self.pixels, self.chip(handle))
            self.db.execute("CREATE VIRTUAL TABLE slash USING stacchip_merge(bucket='%s')" % bucket)
            self.db.execute("INSERT INTO slash SELECT chipid, platform, 'a/b', date, chip_index_x, chip_index_y, cloud_cover_percentage,"
                            " nodata_percentage, geometry FROM stacchip_index(?)", (ITEM,))
            row, = self.db.execute("SELECT row FROM slash WHERE chip_index_x = 1 AND chip_index_y = 2").fetchone()
            self.assertEqual(self.pixels, self.chip(row))
            self.refused(dict(handle, item=".."), "sentinel-2-l2a/_./stac_item.json")

    def test_what_is_no_handle(self):
        whole = {"item": ITEM, "chip_index_x": 1, "chip_index_y": 2}
        self.refused("chips", "neither the column \"row\" of an index nor a JSON object: chips")
        self.refused('{"item": ', "not JSON")
        self.refused('["four", 1, "x", 1]', r'not of the form \["table", rowid, "item", x, y\]')
        self.refused('["four", 1, "x", 1, 2', "not of the form")
        self.refused({"item": ITEM}, "needs chip_index_x and chip_index_y, or center")
        self.refused({"item": ITEM, "chip_index_x": 1}, "needs chip_index_x and chip_index_y")
        self.refused(dict(whole, center=[1, 2]), "both a position and a center")
        self.refused({"item": ITEM, "center": 7}, "'center': expected .longitude, latitude. in degrees, found 7")
        self.refused({"chip_index_x": 1, "chip_index_y": 2}, "names no 'item'")
        self.refused(dict(whole, item=5), "'item': expected a path, a URL or an item object")
        self.refused(dict(whole, bucket="/nowhere"), "with 'bucket' it needs 'platform'")
        self.refused(dict(whole, edge="cut"), "'edge'.*drop, pad, shift")
        self.refused(dict(whole, shape=[1e300, 1]), "'shape': expected .rows, columns., each from 1 to")
        self.refused(dict(whole, chip=3), "unknown option 'chip'; options: item, bucket")


if __name__ == "__main__":
    host.main()
