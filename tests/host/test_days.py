"""Days compared with instants: refused wherever SQLite shows a virtual table the comparison."""
import os
import shutil
import sqlite3
import tempfile
import unittest

import host

SCENE = os.path.join(host.ROOT, "build", "scenes", "sentinel-2", "item.json")
T = "'2024-03-11T00:00:00Z'"
REFUSED = (f"date >= {T}", f"{T} < date", f"date BETWEEN {T} AND '2024-03-12'", f"date <> {T}", f"date IS {T}", f"date IN ({T}, '2024-03-02')",
           f"date >= {T} OR chip_index_x > 5", f"date >= {T} OR date < '2024-03-02'", f"chip_index_y = 0 AND (date < {T} OR item = 'i3')",
           f"date BETWEEN {T} AND {T} OR item = 'i1'", f"({T} < date OR item = 'i1') AND (platform = 's2' OR date > '2024')",
           "date < '2024-03-11 10:00' OR date > '2024-03-12'")
# Not shown to a virtual table: compared as text, as in a plain table.
UNSEEN = (f"NOT date < {T}", f"date NOT BETWEEN {T} AND {T}", f"CASE WHEN date < {T} THEN 1 END", f"(date < {T}) = 1", f"date || '' < {T}",
          f"date >= {T} OR length(item) > 2")
FINE = ("date >= '2024-03-11'", "date < '2024-03' OR chip_index_x > 5", "date = '2024-03-11' OR date = 'any' OR date < 5", "date IS NULL OR date > ''",
        "date IN ('2024-03-11', '2024-03-12') OR item = 'i1'")


class Days(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.db = host.connect()
        cls.db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)")
        for day in range(1, 29):
            cls.db.execute("INSERT INTO chips(item, platform, date, datetime, chip_index_x, chip_index_y, cloud_cover_percentage, nodata_percentage, geometry)"
                           " SELECT 'i' || ?1, 's2', printf('2024-03-%02d', ?1), printf('2024-03-%02dT10:00:00Z', ?1), ?1 % 9, 0, 0, 0, BuildMbr(0, 0, 1, 1, 4326)", (day,))
        path = os.path.join(cls.folder, "x.parquet")
        cls.db.execute("SELECT stacchip_export('chips', ?)", (path,)).fetchone()
        cls.db.execute(f"CREATE VIRTUAL TABLE declared USING stacchip_parquet('{path}')")
        cls.db.execute("CREATE TABLE plain AS SELECT * FROM chips")
        cls.tables = ("chips", f"stacchip_parquet('{path}')", f"stacchip_index('{SCENE}')")

    @classmethod
    def tearDownClass(cls):
        cls.db.close()
        shutil.rmtree(cls.folder)

    def count(self, table, where, *values):
        return self.db.execute(f"SELECT count(*) FROM {table} WHERE {where}", values).fetchone()[0]

    def refuses(self, table, where, *values):
        with self.subTest(table=table[:14], where=where), self.assertRaisesRegex(sqlite3.Error, "date is a day, YYYY-MM-DD, compared with '2024-03-11.*'2024-03-11'"):
            self.count(table, where, *values)

    def test_literals_are_refused_also_under_or(self):
        for table in self.tables:
            for where in REFUSED:
                self.refuses(table, where)

    def test_parameters_are_refused_where_they_are_handed_down(self):
        for table in (*self.tables, "declared"):
            self.refuses(table, "date < ?", "2024-03-11T00:00:00Z")
            self.refuses(table, "date BETWEEN ? AND '2025'", "2024-03-11T00:00:00Z")

    def test_a_declared_table_refuses_days_of_its_own(self):
        for where in (f"date >= {T}", f"{T} < date", f"date BETWEEN {T} AND '2024-03-12'"):
            self.refuses("declared", where)

    def test_what_is_not_shown_compares_as_text(self):
        for where in UNSEEN:
            for table in (*self.tables[:2], "declared"):
                with self.subTest(table=table[:14], where=where):
                    self.assertEqual(self.count("plain", where), self.count(table, where))

    def test_days_and_beginnings_are_fine(self):
        for where in FINE:
            for table in (*self.tables[:2], "declared"):
                with self.subTest(table=table[:14], where=where):
                    self.assertEqual(self.count("plain", where), self.count(table, where))
            self.count(self.tables[2], where)

    def test_datetimes_of_another_form_are_refused_under_or(self):
        for table in (self.tables[0], self.tables[2]):
            with self.assertRaisesRegex(sqlite3.Error, "datetime is in UTC"):
                self.count(table, "datetime < '2024-03-11T00:00:00+02:00' OR chip_index_x = 1")


if __name__ == "__main__":
    host.main()
