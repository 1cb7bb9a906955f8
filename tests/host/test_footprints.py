"""Geometries that are no footprint: each door of the merged index, the export and the import has an error for them, and nothing is stored."""
import os
import shutil
import struct
import tempfile
import unittest

import host

COLUMNS = "platform, item, date, chip_index_x, chip_index_y, cloud_cover_percentage, nodata_percentage, geometry"
SQUARE = ((0, 0), (.1234567, 0), (1, 1), (0, 0))
NAN, INF = float("nan"), float("inf")


def blob(kind, body, box=(0, 0, 1, 1), srid=4326):
    """As SpatiaLite has it."""
    return b"\0\1" + struct.pack("<i4d", srid, *box) + b"\x7c" + struct.pack("<I", kind) + body + b"\xfe"


def counted(n, *parts):
    return struct.pack("<I", n) + b"".join(parts)


def ring(*points):
    return counted(len(points), *(struct.pack("<2d", *p) for p in points))


def polygon(*rings):
    return counted(len(rings), *rings)


PACKED = counted(4, struct.pack("<2d", 0, 0), struct.pack("<4f", 1, 0, 0, 1), struct.pack("<2d", 0, 0))
WRONG = {
    "POLYGON EMPTY": (blob(3, polygon()), "a polygon of 0 rings"),
    "MULTIPOLYGON EMPTY": (blob(6, counted(0)), "no polygon"),
    "MULTIPOLYGON of POLYGON EMPTY": (blob(6, counted(1, b"\x69", counted(3), polygon())), "a polygon of 0 rings"),
    "GEOMETRYCOLLECTION EMPTY": (blob(7, counted(0)), "type 7"),
    "GEOMETRYCOLLECTION of a polygon": (blob(7, counted(1, b"\x69", counted(3), polygon(ring(*SQUARE)))), "type 7"),
    "POINT": (blob(1, struct.pack("<2d", 0, 0)), "type 1"),
    "LINESTRING": (blob(2, ring((0, 0), (1, 1))), "type 2"),
    "MULTIPOINT EMPTY": (blob(4, counted(0)), "type 4"),
    "POLYGON Z": (blob(1003, polygon(counted(4, struct.pack("<12d", 0, 0, 5, 1, 0, 5, 1, 1, 5, 0, 0, 5)))), "a POLYGON Z; .*CastToXY"),
    "MULTIPOLYGON ZM": (blob(3006, counted(0)), "a MULTIPOLYGON ZM; .*CastToXY"),
    "compressed POLYGON": (blob(1000003, polygon(PACKED)), r"a compressed POLYGON; .*UncompressGeometry\(\)"),
    "compressed POLYGON M": (blob(1002003, polygon(PACKED)), r"a compressed POLYGON M; .*CastToXY\(UncompressGeometry\(\)\)"),
    "compressed in a MULTIPOLYGON": (blob(6, counted(1, b"\x69", counted(1000003), polygon(PACKED))), "a compressed POLYGON; .*UncompressGeometry"),
    "a type that is none": (blob(4294966299, polygon(ring(*SQUARE))), "type 4294966299"),
    "a ring without points": (blob(3, polygon(ring())), "a ring of 0 points"),
    "a ring of two": (blob(3, polygon(ring((0, 0), (1, 1)))), "a ring of 2 points"),
    "a hole": (blob(3, polygon(ring(*SQUARE), ring(*SQUARE))), "a polygon of 2 rings"),
    "NaN": (blob(3, polygon(ring((0, 0), (1, NAN), (1, 1), (0, 0)))), "not a finite number"),
    "infinite": (blob(3, polygon(ring((0, 0), (1, 0), (-INF, 1), (0, 0)))), "not a finite number"),
    "short": (blob(3, polygon(ring(*SQUARE)))[:-9], ""),
    "no geometry": (b"\0\1", "not a SpatiaLite geometry"),
    "text": ("POLYGON((0 0, 1 0, 1 1, 0 0))", "expected a SpatiaLite BLOB"),
    "number": (7, "expected a SpatiaLite BLOB"),
}


class Footprints(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = os.path.join(self.folder, "f.parquet")
        self.db = host.connect()
        self.addCleanup(self.db.close)
        self.db.execute("CREATE VIRTUAL TABLE c USING stacchip_merge(max_nodata=1)")

    def refused(self, words, sql, *values):
        with self.assertRaisesRegex(Exception, words, msg=sql):
            self.db.execute(sql, values).fetchall()

    def count(self):
        self.db.execute("INSERT INTO c(c) VALUES ('integrity-check')")
        return self.db.execute("SELECT count(*), count(geometry) FROM c").fetchone()

    def insert(self, geometry):
        self.db.execute("INSERT INTO c(%s) VALUES ('p', 'i', '2024-01-01', 1, 1, 0, 0, ?)" % COLUMNS, (geometry,))

    def source(self, geometry):
        self.db.execute("DROP TABLE IF EXISTS src")
        self.db.execute("CREATE TABLE src AS SELECT 'i-1-1' AS chipid, 'p' AS platform, 'i' AS item, '2024-01-01' AS date, 1 AS chip_index_x, 1 AS chip_index_y,"
                        " 0.0 AS cloud_cover_percentage, 0.0 AS nodata_percentage, ? AS geometry", (geometry,))

    def test_insert(self):
        for name, (geometry, words) in list(WRONG.items()) + [("NULL", (None, "expected a SpatiaLite BLOB"))]:
            with self.subTest(name):
                self.refused(words, "INSERT INTO c(%s) VALUES ('p', 'i', '2024-01-01', 1, 1, 0, 0, ?)" % COLUMNS, geometry)
        self.assertEqual(self.count(), (0, 0))

    def test_export(self):
        for name, (geometry, words) in WRONG.items():
            with self.subTest(name):
                self.source(geometry)
                self.refused(words, "SELECT stacchip_export('src', ?)", self.file)
                self.assertEqual(os.listdir(self.folder), [])
        self.source(None)  # a row of a table may have no geometry; that of an index has one
        self.db.execute("SELECT stacchip_export('src', ?)", (self.file,))
        self.assertEqual(self.db.execute("SELECT count(*), count(geometry) FROM stacchip_parquet(?)", (self.file,)).fetchone(), (1, 0))
        self.assertEqual(self.db.execute("SELECT count(*) FROM stacchip_parquet(?) WHERE ST_Intersects(geometry, BuildMbr(-9, -9, 9, 9, 4326))", (self.file,)).fetchone(), (0,))
        self.refused("expected a SpatiaLite BLOB", "INSERT INTO c(%s) SELECT %s FROM stacchip_parquet(?)" % (COLUMNS, COLUMNS), self.file)
        self.assertEqual(self.count(), (0, 0))

    def test_import(self):
        """WKB in a file, changed behind the writer's back."""
        self.source(blob(3, polygon(ring(*SQUARE))))
        self.db.execute("SELECT stacchip_export('src', ?, '{\"compression\": \"none\"}')", (self.file,))
        with open(self.file, "rb") as f:
            whole = f.read()
        wkb = b"\1" + struct.pack("<2I", 3, 1) + ring(*SQUARE)
        self.assertGreaterEqual(whole.count(wkb), 1)
        point, nan, double = struct.pack("<d", SQUARE[1][0]), struct.pack("<d", NAN), struct.pack("<2I", 3, 2)
        for old, new in ((wkb, wkb.replace(point, nan)), (wkb[:9], b"\1" + double), (wkb[:9], b"\1" + struct.pack("<2I", 3, 0)), (wkb[:5], b"\1" + struct.pack("<I", 1)),
                         (wkb[:5], b"\1" + struct.pack("<I", 6)), (wkb[:5], b"\1" + struct.pack("<I", 7)), (wkb[:9], b"\1" + struct.pack("<2I", 3, 0xffffffff)), (wkb[:1], b"\2")):
            with self.subTest(new=new[:9]), open(self.file, "wb") as f:
                f.write(whole.replace(wkb, wkb.replace(old, new)))
                f.flush()
                self.refused("geometry|WKB|well-known", "INSERT INTO c(%s) SELECT %s FROM stacchip_parquet(?)" % (COLUMNS, COLUMNS), self.file)
        self.assertEqual(self.count(), (0, 0))

    def test_tables_that_hold_one(self):
        """Rebuilding and checking name the row, reading its other columns goes on, and it can be deleted."""
        for name, (geometry, words) in WRONG.items():
            if not isinstance(geometry, bytes):
                continue
            with self.subTest(name):
                self.insert(blob(3, polygon(ring(*SQUARE))))
                self.assertEqual(self.count(), (1, 1))
                self.db.execute("UPDATE c_chip SET geometry = ?", (geometry,))
                self.refused(words, "INSERT INTO c(c) VALUES ('rebuild')")
                self.refused(words, "INSERT INTO c(c) VALUES ('integrity-check')")
                self.refused(words, "SELECT stacchip_export('c', ?)", self.file)
                self.assertEqual(self.db.execute("SELECT count(chipid) FROM c").fetchone(), (1,))
                self.db.execute("DELETE FROM c")
                self.assertEqual(self.count(), (0, 0))

    def test_a_box_is_that_of_the_points(self):
        """What the BLOB says of its box is not believed."""
        for box in ((NAN,) * 4, (5, 5, 6, 6), (1, 1, 0, 0), (-INF, -INF, INF, INF)):
            with self.subTest(box):
                self.insert(blob(3, polygon(ring(*SQUARE)), box))
                for where, n in (("BuildMbr(0, 0, .5, .5, 4326)", 1), ("BuildMbr(4, 4, 7, 7, 4326)", 0), ("BuildMbr(-9, -9, -8, -8, 4326)", 0)):
                    self.assertEqual(self.db.execute("SELECT count(*) FROM c WHERE ST_Intersects(geometry, %s)" % where).fetchone(), (n,), where)
                self.assertEqual(self.count(), (1, 1))
                self.db.execute("DELETE FROM c")


if __name__ == "__main__":
    host.main()
