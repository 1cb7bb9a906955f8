"""Spatial predicates: a merged index and Parquet files answer alike, and as SpatiaLite does of a plain table."""
import os
import shutil
import sqlite3
import tempfile
import unittest

import host

NAMES = ("ST_Intersects Intersects MbrIntersects ST_EnvIntersects ST_EnvelopesIntersects ST_Within Within MbrWithin ST_CoveredBy "
         "CoveredBy ST_Contains Contains MbrContains ST_Covers Covers ST_Overlaps Overlaps MbrOverlaps ST_Touches Touches ST_Crosses "
         "Crosses ST_Equals Equals MbrEqual").split()
COLUMNS = "chipid, platform, item, date, chip_index_x, chip_index_y, cloud_cover_percentage, nodata_percentage, geometry"


class Predicates(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.db = host.connect()
        cls.db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)")
        cls.db.execute("""WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n < 99)
            INSERT INTO chips(item, platform, date, chip_index_x, chip_index_y, cloud_cover_percentage, nodata_percentage, geometry)
            SELECT 'a', 's2', '2024-01-01', n % 10, n / 10, 0, 0, BuildMbr(n % 10, n / 10, n % 10 + 1, n / 10 + 1, 4326) FROM i""")
        cls.path = os.path.join(cls.folder, "x.parquet")
        cls.db.execute("SELECT stacchip_export('chips', ?)", (cls.path,)).fetchone()
        cls.db.execute(f"CREATE TABLE plain AS SELECT {COLUMNS} FROM chips")
        cls.tables = ("chips", f"stacchip_parquet('{cls.path}')")

    @classmethod
    def tearDownClass(cls):
        cls.db.close()
        shutil.rmtree(cls.folder)

    def ask(self, sql, *values):
        return self.db.execute(sql, values).fetchall()

    def test_all_tables_answer_alike(self):
        areas = ("BuildMbr(2, 2, 3, 3, 4326)", "BuildMbr(1.5, 1.5, 4.5, 4.5, 4326)", "BuildMbr(2.1, 2.1, 2.9, 2.9, 4326)", "BuildMbr(50, 50, 51, 51, 4326)",
                 "GeomFromText('POLYGON((0 0, 5 0, 0 5, 0 0))', 4326)", "GeomFromText('LINESTRING(0.5 0.5, 4.5 6.5)', 4326)", "MakePoint(2, 2, 4326)",
                 "BuildMbr(1.5, 1.5, 4.5, 4.5, 0)")
        for name in NAMES:
            for area in areas:
                values = self.ask(f"SELECT chipid, {name}(geometry, {area}) FROM plain ORDER BY 1")
                wanted = [chipid for chipid, v in values if v == 1]
                for table in self.tables:
                    with self.subTest(name=name, area=area, table=table[:9]):
                        self.assertEqual(wanted, [r[0] for r in self.ask(f"SELECT chipid FROM {table} WHERE {name}(geometry, {area}) ORDER BY 1")])
                        self.assertEqual(values, self.ask(f"SELECT chipid, {name}(geometry, {area}) FROM {table} ORDER BY 1"))

    def test_null_and_what_is_no_geometry_are_null(self):
        for table in self.tables:
            for name in NAMES:
                for other in ("NULL", "'POINT(1 1)'", "1", "x'00'"):
                    with self.subTest(table=table[:9], name=name, other=other):
                        self.assertEqual([(None,)], self.ask(f"SELECT DISTINCT {name}(geometry, {other}) FROM {table}"))

    def test_other_srids_are_errors(self):
        for table in self.tables:
            for name in NAMES:
                for column in ("*", f"{name}(geometry, BuildMbr(0, 0, 9, 9, 3857))"):
                    with self.subTest(table=table[:9], name=name), self.assertRaisesRegex(sqlite3.Error, rf"{name}: geometries in SRID 4326 and 3857; use ST_Transform\(..., 4326\)"):
                        self.ask(f"SELECT {column} FROM {table}" + (f" WHERE {name}(geometry, BuildMbr(0, 0, 9, 9, 3857))" if column == "*" else ""))

    def test_damaged_geometries_are_errors(self):
        damaged = self.ask("SELECT CAST(substr(g, 1, 43) || x'00000000' || substr(g, 48) AS BLOB) FROM (SELECT BuildMbr(0, 0, 9, 9, 4326) AS g)")[0][0]
        for table in self.tables:
            for name in NAMES:
                with self.subTest(table=table[:9], name=name), self.assertRaisesRegex(sqlite3.Error, "damaged"):
                    self.ask(f"SELECT {name}(geometry, ?) FROM {table}", damaged)


if __name__ == "__main__":
    host.main()
