"""What a merged index holds inside a transaction, behind savepoints and behind statements that failed."""
import os
import sqlite3
import tempfile
import unittest

import host

INSERT = ("INSERT INTO chips(item, platform, date, chip_index_x, chip_index_y, cloud_cover_percentage, nodata_percentage, geometry)"
          " SELECT ?, 'naip', ?, value, 0, 0.1, 0, BuildMbr(? + value * 0.02, 10, ? + value * 0.02 + 0.01, 10.01, 4326) FROM ")
ONE, MANY = INSERT.replace("SELECT", "VALUES (", 1).split(" FROM ")[0].replace("value", "?") + ")", INSERT


class Transactions(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.db = host.connect(os.path.join(folder.name, "m.db"))
        self.addCleanup(self.db.close)
        self.db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge()")
        self.many("old", "2019-01-01", 20, 20)

    def one(self, item, date, lon, x=0):
        self.db.execute(ONE, (item, date, x, lon, x, lon, x))

    def many(self, item, date, lon, n):
        self.db.execute(MANY + f"json_each('{list(range(n))}')", (item, date, lon, lon))

    def ask(self, sql, *args):
        return self.db.execute(sql, args).fetchone()[0]

    def in_index(self, lon):
        return self.ask("SELECT count(*) FROM idx_chips_chip_geometry WHERE xmin > ? AND xmax < ?", lon - 1, lon + 1)

    def found(self, date, lon):
        return self.ask("SELECT count(*) FROM chips WHERE date = ? AND ST_Intersects(geometry, BuildMbr(?, 9, ?, 11, 4326))", date, lon - 1, lon + 1)

    def check(self):
        self.db.execute("INSERT INTO chips(chips) VALUES ('integrity-check')")

    def test_a_row_behind_one_that_failed_has_its_own_date(self):
        for lon, first in ((50, "2020-01-01"), (60, None)):
            self.db.execute("BEGIN")
            cursor = self.db.execute("SELECT * FROM idx_chips_chip_geometry")
            cursor.fetchone()
            with self.assertRaisesRegex(sqlite3.OperationalError, "locked"):
                self.one(f"lost {lon}", first, lon)
            cursor.close()
            self.one(f"kept {lon}", "2024-06-01", lon)
            self.assertEqual(self.found("2024-06-01", lon), 1)
            self.db.execute("COMMIT")
            self.assertEqual(self.found("2024-06-01", lon), 1)
            self.check()

    def test_others_see_a_chip_once_its_statement_has_ended(self):
        for begin in (["BEGIN"], ["BEGIN", "SAVEPOINT a"], ["SAVEPOINT a"], ["BEGIN", "SAVEPOINT a", "SAVEPOINT b"]):
            for statements in ("11", "1n1", "n1n", "nn1"):
                for sql in begin:
                    self.db.execute(sql)
                total = 0
                for i, how in enumerate(statements):
                    if how == "1":
                        self.one(f"item {i}", "2024-06-01", 70)
                    else:
                        self.many(f"item {i}", "2024-06-01", 70, 7)
                    total += 1 if how == "1" else 7
                    self.assertEqual((begin, statements, i, self.in_index(70)), (begin, statements, i, total))
                self.assertEqual(self.found("2024-06-01", 70), total)
                self.db.execute("ROLLBACK")
                self.assertEqual((self.in_index(70), self.found("2024-06-01", 70)), (0, 0))
                self.check()

    def test_a_savepoint_of_before_the_first_row_can_be_gone_back_to(self):
        self.db.execute("BEGIN")
        self.db.execute("SAVEPOINT a")
        self.one("gone", "2024-06-01", 70)
        self.db.execute("ROLLBACK TO a")
        self.assertEqual((self.in_index(70), self.found("2024-06-01", 70)), (0, 0))
        self.many("kept", "2024-06-01", 70, 3)
        self.one("kept", "2024-06-01", 70, 9)
        self.assertEqual((self.in_index(70), self.found("2024-06-01", 70)), (4, 4))
        self.db.execute("COMMIT")
        self.check()


if __name__ == "__main__":
    host.main()
