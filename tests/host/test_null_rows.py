"""NULL rows in a stack: passed over, or kept as chips of fill."""
import io
import json
import os
import sqlite3
import unittest

import numpy

import host

SCENES = os.path.join(host.ROOT, "build", "scenes")
ITEM = os.path.join(SCENES, "sentinel-2", "item.json")


class NullRows(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.db = host.connect()
        cls.db.execute("CREATE TABLE chips AS SELECT row, chipid, datetime, chip_index_x AS x FROM stacchip_index(?, '{\"max_nodata\": 1}') WHERE chip_index_y = 2 ORDER BY x", (ITEM,))
        cls.db.execute("CREATE TABLE days(day INTEGER, x INTEGER)")
        cls.db.executemany("INSERT INTO days VALUES(?, ?)", [(1, 99), (2, 1), (3, None), (4, 2), (5, 77)])
        cls.rows = "FROM (SELECT row, day FROM days LEFT JOIN chips USING (x) ORDER BY day)"

    def stack(self, options, rows=None):
        return self.db.execute("SELECT stacchip_stack(row, ?, day) " + (rows or self.rows), (options,)).fetchone()[0]

    def array(self, options, rows=None):
        return numpy.load(io.BytesIO(self.stack(options, rows)))

    def test_they_keep_their_place(self):
        without = self.array('{"assets": ["red", "scl"]}')
        self.assertEqual((2, 2, 256, 256), without.shape)
        self.assertEqual(0, (self.array('{"assets": ["red", "scl"], "null": "skip"}') != without).sum())
        filled = self.array('{"assets": ["red", "scl"], "null": "fill"}')
        self.assertEqual((5, 2, 256, 256), filled.shape)
        self.assertEqual(without.dtype, filled.dtype)
        self.assertTrue((filled[[1, 3]] == without).all())
        self.assertFalse(filled[[0, 2, 4]].any())  # nodata 0
        for options, value, dtype in (('"fill": 7', 7, "uint16"), ('"fill": 7, "dtype": "float64"', 7, "float64"), ('"fill": -3.5, "dtype": "float32"', -3.5, "float32"),
                                      ('"fill": 70000', 65535, "uint16"), 
                                      ('"fill": 3, "dtype": "complex64"', 3, "complex64")):
            got = self.array('{"assets": ["red"], "null": "fill", %s}' % options)
            self.assertEqual(dtype, str(got.dtype))
            self.assertTrue((got[[0, 2, 4]] == value).all(), options)
            self.assertFalse((got[1] == value).all())
        self.assertEqual(filled.tobytes(), self.stack('{"assets": ["red", "scl"], "null": "fill", "format": "raw"}'))

    def test_it_is_what_lies_outside_the_grid(self):
        """A padded chip of the lower right corner, its last pixel outside."""
        row, = self.db.execute("SELECT row FROM stacchip_index(?, '{\"max_nodata\": 1, \"edge\": \"pad\", \"chip_size\": 600}') ORDER BY chip_index_y DESC, chip_index_x DESC LIMIT 1", (ITEM,)).fetchone()
        rows = "FROM (SELECT NULL AS row, 1 AS day UNION ALL SELECT '%s', 2)" % row
        for options in ("", ', "scale": true', ', "harmonize": true', ', "fill": 9', ', "fill": 9, "scale": true', ', "dtype": "float32"', ', "scale": true, "dtype": "int16"'):
            got = self.array('{"null": "fill"%s}' % options, rows)
            self.assertTrue((got[0] == got[1][:, -1:, -1:]).all(), options)

    def test_the_arrays_of_npz(self):
        for extra in ("", ', "scale": true'):
            got = self.array('{"assets": ["red"], "format": "npz", "null": "fill"%s}' % extra)
            self.assertEqual(["pixels", "valid", "chipid", "datetime", "present"], list(got))
            self.assertEqual([False, True, False, True, False], got["present"].tolist())
            self.assertEqual("bool", str(got["present"].dtype))
            ids = [r[0] for r in self.db.execute("SELECT chipid FROM days LEFT JOIN chips USING (x) ORDER BY day")]
            self.assertEqual([i or "" for i in ids], got["chipid"].tolist())
            self.assertEqual([bool(i) for i in ids], [bool(t) for t in got["datetime"]])
            self.assertFalse(got["valid"][[0, 2, 4]].any())
            self.assertTrue(got["valid"][[1, 3]].any())
        self.assertNotIn("present", self.array('{"assets": ["red"], "format": "npz"}'))

    def test_on_a_grid_of_their_own(self):
        for extra in ("", ', "scale": true', ', "fill": 9, "format": "npz"'):
            options = '{"assets": ["red"], "crs": "EPSG:4326", "resolution": 0.0001, "size": 50, "null": "fill"%s}' % extra
            got = self.array(options)
            pixels = got["pixels"] if "npz" in extra else got
            self.assertEqual((5, 1, 50, 50), pixels.shape)
            self.assertTrue((pixels[[0, 2, 4]] == (9 if "npz" in extra else pixels[0, 0, 0, 0])).all())
            self.assertTrue(pixels[[1, 3]].any())
            if "npz" in extra:
                self.assertEqual([False, True, False, True, False], got["valid"].any(axis=(1, 2, 3)).tolist())

    def test_errors_beside_them(self):
        rows = "FROM (SELECT * FROM (SELECT row, day FROM days LEFT JOIN chips USING (x)) UNION ALL SELECT '{\"item\": \"/nowhere/i.json\", \"chip_index_x\": 0, \"chip_index_y\": 0}', 6 ORDER BY day)"
        for null, position in (("skip", 2), ("fill", 5)):
            with self.assertRaisesRegex(sqlite3.Error, "position %d: " % position):
                self.stack('{"assets": ["red"], "null": "%s"}' % null, rows)
        got = self.array('{"assets": ["red"], "null": "fill", "on_error": "skip", "format": "npz"}', rows)
        self.assertEqual([False, True, False, True, False], got["present"].tolist())

    def test_nothing_but_null(self):
        for null in ("skip", "fill"):
            for form in ("npy", "npz", "raw", "png"):
                self.assertIsNone(self.stack('{"null": "%s", "format": "%s", "assets": "red"}' % (null, form), "FROM days, (SELECT NULL AS row)"))

    def test_a_contact_sheet_has_an_empty_place(self):
        png = self.stack('{"assets": ["red"], "null": "fill", "format": "png"}')
        self.assertEqual(b"\x89PNG", png[:4])
        self.assertEqual(3 * 256 + 2 * self.gap(), int.from_bytes(png[16:20], "big"))

    def gap(self):
        two = self.stack('{"assets": ["red"], "format": "png"}')
        return int.from_bytes(two[16:20], "big") - 512

    def test_in_batches(self):
        for shuffle in ("null", "3", '{"seed": 3, "mix": 0}', '{"seed": 3, "mix": 1}'):
            got = {}
            for options in ('{"assets": ["red"], "null": "fill", "format": "npz", "shuffle": %s}', '{"assets": ["red"], "format": "npz", "shuffle": %s}'):
                rows = self.db.execute("SELECT n, batch, extra FROM stacchip_batches('SELECT row, day, chipid FROM days LEFT JOIN chips USING (x) ORDER BY day', 4, ?)", (options % shuffle,)).fetchall()
                for n, batch, extra in rows:
                    arrays, extra = numpy.load(io.BytesIO(batch)) if batch else None, json.loads(extra)
                    for i in range(n):
                        self.assertEqual(extra["chipid"][i] or "", arrays["chipid"][i])
                        if "null" in options[16:30]:
                            self.assertEqual(extra["chipid"][i] is not None, arrays["present"][i])
                            self.assertEqual(arrays["present"][i], arrays["pixels"][i].any())
                        got.setdefault(options, []).append(extra["day"][i])
                    if not n:
                        self.assertEqual([], extra["day"])
            a, b = got.values()
            self.assertEqual([2, 4], sorted(b))
            self.assertEqual(5, len(set(a)) + (5 - len(a)), shuffle)  # a batch of NULL alone has none
            self.assertGreaterEqual(len(a), 4)

    def test_where_it_has_no_use(self):
        for call in ("stacchip_chip(row, '{\"null\": \"fill\"}')", "stacchip_band_stats(row, '{\"null\": \"fill\"}')"):
            with self.assertRaisesRegex(sqlite3.Error, "unknown option 'null'"):
                self.db.execute("SELECT %s FROM chips LIMIT 1" % call).fetchall()
        with self.assertRaisesRegex(sqlite3.Error, "'null': 'keep' is not one of skip, fill"):
            self.stack('{"null": "keep"}')


if __name__ == "__main__":
    host.main()
