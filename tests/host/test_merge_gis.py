"""What other programs make of a merged index: ogrinfo, ogr2ogr, spatialite, QGIS's questions."""
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import unittest

import host
from merge_rows import belt, fill_source

PLAIN = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}


def sh(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, env=PLAIN, **more)


class Gis(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.path = os.path.join(cls.folder, "m.db")
        db = host.connect(cls.path)
        db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)")
        fill_source(db, 20)
        db.execute("INSERT INTO chips SELECT * FROM src")
        for x in range(12):
            db.execute("INSERT INTO chips(item,platform,date,chip_index_x,chip_index_y,cloud_cover_percentage,geometry) VALUES('B','s2','2024-01-01',?,0,0.5,?)",
                       (x, belt(x / 10)))
        cls.inside = db.execute("SELECT count(*) FROM chips WHERE ST_Intersects(geometry, BuildMbr(-150, -50, -50, 50, 4326))").fetchone()[0]
        db.close()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @unittest.skipUnless(shutil.which("ogrinfo"), "no gdal-bin")
    def test_ogrinfo_lists_both_layers(self):
        for layer in ("chips_chip", "chips_layer"):
            text = sh("ogrinfo", "-ro", "-so", self.path, layer).stdout
            self.assertIn("Geometry: Multi Polygon", text, layer)
            self.assertIn("Feature Count: 2012", text, layer)
            self.assertIn('"EPSG",4326', text.replace(" ", ""), layer)
        text = sh("ogrinfo", "-ro", "-so", self.path, "chips_layer").stdout
        for column in ("chipid", "platform", "item", "date", "chip_index_x", "chip_index_y", "cloud_cover_percentage", "nodata_percentage"):
            self.assertIn(column + ":", text)

    @unittest.skipUnless(shutil.which("ogr2ogr"), "no gdal-bin")
    def test_ogr_filters_and_converts(self):
        self.assertGreater(self.inside, 100)
        for layer in ("chips_chip", "chips_layer"):
            text = sh("ogrinfo", "-ro", "-so", "-spat", "-150", "-50", "-50", "50", self.path, layer).stdout
            n = int(text.split("Feature Count: ")[1].split()[0])
            self.assertGreaterEqual(n, self.inside)  # a filter by MBR also takes the belts
            self.assertLessEqual(n, self.inside + 12)
        out = os.path.join(self.folder, "o.geojson")
        self.assertEqual(0, sh("ogr2ogr", "-f", "GeoJSON", out, self.path, "chips_layer", "-where", "item = 'B'").returncode)
        features = json.load(open(out))["features"]
        self.assertEqual([12, "MultiPolygon", 2], [len(features), features[0]["geometry"]["type"], len(features[0]["geometry"]["coordinates"])])

    @unittest.skipUnless(shutil.which("spatialite"), "no spatialite-bin")
    def test_spatialite_without_us(self):
        sql = ("SELECT count(*), sum(ST_IsValid(geometry)) FROM chips_layer;"
               "SELECT CheckSpatialIndex('chips_chip', 'geometry');"
               "SELECT count(*) FROM chips_chip WHERE rowid IN (SELECT rowid FROM SpatialIndex WHERE f_table_name = 'chips_chip' AND search_frame = BuildMbr(-150, -50, -50, 50));"
               "SELECT count(*) FROM chips_layer WHERE id IN (SELECT rowid FROM SpatialIndex WHERE f_table_name = 'chips_layer' AND search_frame = BuildMbr(-150, -50, -50, 50));")
        lines = sh("spatialite", "-silent", "-bail", self.path, sql).stdout.split()
        self.assertEqual(["2012|2012", "1"], lines[:2])
        self.assertEqual([str(self.inside + 12)] * 2, lines[2:])  # the belts' MBRs span all longitudes

    def test_what_qgis_asks_of_a_layer(self):
        db = sqlite3.connect(self.path)
        self.assertEqual([("chips_chip", "geometry", 6, 2, 4326, 1)], db.execute("SELECT * FROM geometry_columns").fetchall())
        self.assertEqual([("chips_layer", "geometry", "id", "chips_chip", "geometry", 1)], db.execute("SELECT * FROM views_geometry_columns").fetchall())
        columns = [r[1] for r in db.execute("PRAGMA table_info(chips_layer)")]
        self.assertEqual("id", columns[0])
        self.assertEqual(2012, db.execute("SELECT count(DISTINCT id) FROM chips_layer").fetchone()[0])
        self.assertEqual([], db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'chips_chip'").fetchall())


if __name__ == "__main__":
    host.main()
