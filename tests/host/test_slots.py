"""Stacks of slots of time: stacchip_stack's options `slots` and `on_duplicate`, against NumPy and Python's calendar."""
import calendar
import datetime
import io
import json
import os
import sqlite3
import tempfile
import unittest

import numpy

import host
import tiff

SIZE, CHIP = 256, 128
DATES = {  # of an item, as written; each id sorts as its rows do
    "a": "2023-12-31T23:59:59.5Z", "b": "2024-01-03T10:00:00Z", "c": "2024-01-15T14:30:05.463Z", "d": "2024-01-15T14:59:00Z", "e": "2024-02-01T00:30:00+01:00",
    "f": "2024-01-31T23:59:59.999Z", "g": "2024-03-10T00:00:00Z", "h": "2024-11-02T10:00:00Z", "i": "2025-01-01T00:00:00Z", "j": None}
FORMS = ("2024", "2024-01", "2024-01-15", "2024-01-15T14", "a datetime", "2024-01-01/2024-01-31", '".."')


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(datetime.timezone.utc)


def span(prefix):
    """[begin, end) of what a text is the beginning of, by Python's calendar."""
    n, second = len(prefix), datetime.timedelta(seconds=1)
    begin = instant("%s%s" % (prefix, "0000-01-01T00:00:00+00:00"[n:] if n < 19 else "" if prefix.endswith("Z") or "+" in prefix else "Z"))
    steps = {4: datetime.timedelta(days=365 + calendar.isleap(begin.year)), 7: datetime.timedelta(days=calendar.monthrange(begin.year, begin.month)[1]),
             10: 86400 * second, 13: 3600 * second, 16: 60 * second}
    return begin, begin + steps.get(n, second)


def lies_in(when, slot):
    first, last = slot.split("/") if "/" in slot else (slot, slot)
    return (first == ".." or when >= span(first)[0]) and (last == ".." or when < span(last)[1])


class Slots(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        r = numpy.random.default_rng(5)
        cls.pixels = {i: r.integers(0, 900, (SIZE, SIZE)).astype("u2") for i in DATES}  # 0 is nodata
        cls.clouds = {i: r.random((SIZE // 2, SIZE // 2)) < p for i, p in zip(DATES, (0.5, 0.6, 0.5, 0.2, 0.4, 0.3, 0.1, 0.9, 0.1, 0))}
        cls.clouds["e"] = numpy.roll(cls.clouds["f"], 3, 0)
        cls.clouds["e"][:64, :64] = cls.clouds["f"][:64, :64].T  # a tie, at chip (0, 0)
        cls.items = {}
        for i, date in DATES.items():
            tiff.write(cls.path(f"red-{i}.tif"), cls.pixels[i], block=(64, 64), deflate=True, nodata=0)
            tiff.write(cls.path(f"scl-{i}.tif"), numpy.where(cls.clouds[i], 8, 4).astype("u1"), transform=(20, 0, 500000, 0, -20, 6400000), block=64)
            cls.items[i] = {"type": "Feature", "stac_version": "1.0.0", "id": i, "collection": "sentinel-2-l2a", "geometry": None, "links": [], "properties": {"datetime": date},
                            "assets": {"red": {"href": cls.path(f"red-{i}.tif"), "type": "image/tiff", "eo:bands": [{"name": "red", "common_name": "red"}]},
                                       **({} if i == "g" else {"nir": {"href": cls.path(f"red-{i}.tif"), "type": "image/tiff", "eo:bands": [{"name": "nir", "common_name": "nir"}]}}),
                                       "SCL": {"href": cls.path(f"scl-{i}.tif"), "type": "image/tiff"}}}
        cls.db = host.connect()
        cls.db.execute("CREATE TABLE chips(id, x, y, row)")
        for i, item in cls.items.items():
            cls.db.execute("INSERT INTO chips SELECT ?, chip_index_x, chip_index_y, row FROM stacchip_index(?, '{\"max_nodata\": 1, \"chip_size\": 128}')", (i, json.dumps(item)))

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder.name, name)

    def stack(self, slots, where="1", key="id", x=0, y=0, **options):
        options = {"assets": ["red"], "format": "npz", "slots": slots, **options}
        return self.db.execute(f"SELECT stacchip_stack(row, ?, {key}) FROM chips WHERE x = ? AND y = ? AND {where}", (json.dumps(options), x, y)).fetchone()[0]

    def arrays(self, *args, **options):
        return numpy.load(io.BytesIO(self.stack(*args, **options)))

    def window(self, i, x=0, y=0):
        return self.pixels[i][CHIP * y:CHIP * (y + 1), CHIP * x:CHIP * (x + 1)]

    def check(self, got, ids, x=0, y=0):
        """A stack of the chips of these items, None for fill."""
        want = numpy.array([[self.window(i, x, y)] if i else numpy.zeros((1, CHIP, CHIP)) for i in ids])
        numpy.testing.assert_array_equal(got["pixels"], want)
        numpy.testing.assert_array_equal(got["valid"], want != 0)
        self.assertEqual(got["present"].tolist(), [i is not None for i in ids])
        self.assertEqual(got["chipid"].tolist(), [f"{i}-{x}-{y}" if i else "" for i in ids])
        self.assertEqual([instant(t) if t else None for t in got["datetime"].tolist()], [instant(DATES[i]) if i else None for i in ids])

    def test_the_forms_and_their_order(self):
        lists = (["2024-01", "2024-02", "2024-03"], ["2024-03", "1999", "2024-01", "2025"], ["2024"], ["2024-01-15", "2024-01-15T14", "2024-01-15T14:30", "2024-01-15T14:59", "2024-01-15T15"],
                 ["2024-01-15T14:30:05", "2024-01-15T14:30:05Z", "2024-01-15T15:30:05+01:00", "2024-01-15T14:30:06"], ["2024-01-31/2024-03", "2024-01-31/2024-03-09", "2024-02-01/2024-03-10"],
                 ["../2023", "../2024-01-03T09", "2024-11-03/..", "2024-11-02T10:00:00Z/..", "../.."], ["2024-01-15T14:31/2024-01-31T23:00", "2024-01-31T23:30:01Z/2024-01-31T23:59:59Z"],
                 ["2023-12-31T23:59:59.5Z/2024-01-01", "2023-12-31T23:59:59/2023-12-31T23:59:59"], ["2024-01", "2024-01", "2024"])
        for slots in lists:
            for x in (0, 1):
                with self.subTest(slots, x=x):
                    want = [next((i for i, d in DATES.items() if d and lies_in(instant(d), s)), None) for s in slots]
                    self.assertTrue(any(want))
                    self.check(self.arrays(slots, x=x), want, x=x)

    def test_fractions_of_a_second(self):
        for slot, is_there in (("2023-12-31T23:59:59.5Z", 1), ("2023-12-31T23:59:59.500Z", 1), ("2023-12-31T23:59:59.51Z", 0), ("2023-12-31T23:59:59.51Z/2023", 0), ("../2023-12-31T23:59:59.4Z", 0),
                               ("2023-12-31T23:59:59.49Z/2023", 1), ("../2023-12-31T23:59:59.000Z", 1)):
            self.assertEqual(self.stack([slot], "id = 'a'") is not None, bool(is_there), slot)

    def test_first_is_by_the_order_of_rows(self):
        self.check(self.arrays(["2024-01", "2024-04", "2024"], key="-unicode(id)"), ["f", None, "h"])
        self.check(self.arrays(["2024-01", "2024-04", "2024"], key="id <> 'd'", on_duplicate="first"), ["d", None, "d"])

    def test_clearest_has_the_fewest_cloudy_pixels(self):
        slots = ["2024-01", "2024-01-15", "2024-01-31", "2024-05", "2024"]
        for x, y in ((0, 0), (1, 1), (0, 1)):
            count = {i: c[64 * y:64 * y + 64, 64 * x:64 * x + 64].sum() for i, c in self.clouds.items()}
            inside = [[i for i, d in DATES.items() if d and lies_in(instant(d), s)] for s in slots]
            want = [min(ids, key=count.get) if ids else None for ids in inside]
            self.check(self.arrays(slots, on_duplicate="clearest", x=x, y=y), want, x, y)
        self.assertEqual(self.clouds["e"][:64, :64].sum(), self.clouds["f"][:64, :64].sum())
        self.check(self.arrays(["2024-01-31"], on_duplicate="clearest"), ["e"])
        self.check(self.arrays(["2024-01-31"], on_duplicate="clearest", key="-unicode(id)"), ["f"])

    def test_clearest_needs_a_mask_where_there_are_two(self):
        self.db.execute("CREATE TEMP TABLE bare AS SELECT id, json_set(row, '$.platform', 'none') AS row FROM chips WHERE x = 0 AND y = 0")
        ask = "SELECT stacchip_stack(row, ?, id) FROM bare"
        options = {"assets": ["red"], "format": "npz", "on_duplicate": "clearest"}
        try:
            one = numpy.load(io.BytesIO(self.db.execute(ask, (json.dumps({**options, "slots": ["2024-03", "2024-11"]}),)).fetchone()[0]))
            self.assertEqual(one["present"].tolist(), [True, True])
            with self.assertRaisesRegex(sqlite3.Error, "item c: platform none has no mask|item b: platform none has no mask"):
                self.db.execute(ask, (json.dumps({**options, "slots": ["2024-01"]}),))
        finally:
            self.db.execute("DROP TABLE bare")

    def test_error_names_both_chips(self):
        with self.assertRaisesRegex(sqlite3.Error, "slot '2024-01-15' has two chips, c-0-0 and d-0-0"):
            self.stack(["2024-03", "2024-01-15"], on_duplicate="error")
        self.check(self.arrays(["2024-03", "2024-01-03"], on_duplicate="error"), ["g", "b"])
        self.assertIsNone(self.stack(["2024-01-15"], on_duplicate="error", on_error="null"))

    def test_nothing_in_any_slot_and_null_rows(self):
        for where in ("1", "id = 'j'", "0"):
            for form in ("npz", "npy", "raw", "png"):
                self.assertIsNone(self.stack(["1999", "1998"], where, format=form))
        self.assertIsNone(self.stack(["../.."], "id = 'j'"))
        got = self.db.execute("SELECT stacchip_stack(row, ?) FROM (SELECT NULL AS row UNION ALL SELECT row FROM chips WHERE id = 'g' AND x = 0 AND y = 0 UNION ALL SELECT NULL)",
                              ('{"assets": ["red"], "format": "npz", "slots": ["2024-02", "2024-03"], "null": "skip"}',)).fetchone()[0]
        self.check(numpy.load(io.BytesIO(got)), [None, "g"])
        self.assertIsNone(self.db.execute("SELECT stacchip_stack(NULL, '{\"slots\": [\"2024\"]}')").fetchone()[0])

    def test_other_formats_fill_and_scale(self):
        got = numpy.load(io.BytesIO(self.stack(["2024-02", "2024-03"], format="npy", fill=7)))
        self.assertTrue((got[0] == 7).all())
        numpy.testing.assert_array_equal(got[1, 0], self.window("g"))
        self.assertEqual(self.stack(["2024-02", "2024-03"], format="raw", fill=7), got.tobytes())
        self.assertEqual(self.stack(["2024-02", "2024-03"], format="png")[:4], b"\x89PNG")

    def test_a_common_grid(self):
        grid = {"crs": "EPSG:32720", "resolution": 20, "bounds": [500000, 6398000, 501000, 6399000]}
        got = self.arrays(["2024-05", "2024-01"], on_duplicate="clearest", where="id IN ('c', 'd')", **grid)
        options = json.dumps({"assets": ["red"], "format": "npz", **grid})
        plain = numpy.load(io.BytesIO(self.db.execute("SELECT stacchip_stack(row, ?) FROM chips WHERE id = 'd' AND x = 0 AND y = 0", (options,)).fetchone()[0]))
        numpy.testing.assert_array_equal(got["pixels"][1], plain["pixels"][0])
        self.assertTrue(plain["pixels"].any())
        self.assertEqual((got["present"].tolist(), got["valid"][0].any(), got["pixels"][0].any()), ([False, True], False, False))

    def test_chips_that_fail(self):
        """What is not there, whose blocks cannot be decoded, or whose mask cannot be read."""
        slots = ["2024-03", "2024-11", "2024-02"]
        label = numpy.arange(SIZE * SIZE).reshape(SIZE, SIZE) % 250 + 1
        tiff.write(self.path("label.tif"), label.astype("u1"), block=64)
        layers = {"label": {"source": self.path("label.tif"), "fill": 255}}
        red = self.path("red-g.tif")
        with open(red, "rb") as f:
            whole = f.read()
        broken = bytearray(whole)
        i = numpy.flatnonzero(numpy.frombuffer(whole, "u1") == 0x78)  # the heads of zlib streams, and more
        for at in i:
            if whole[at + 1] in (0x01, 0x5E, 0x9C, 0xDA):
                broken[at:at + 2] = b"\xff\xff"
        self.assertNotEqual(bytes(broken), whole)
        for data in (bytes(broken), None):
            os.remove(red)
            if data:
                with open(red, "wb") as f:
                    f.write(data)
            try:
                db = host.connect()  # which knows no open file
                ask = lambda **o: db.execute("SELECT stacchip_stack(row, ?, id) FROM rows", (json.dumps({"assets": ["red"], "format": "npz", "slots": slots, **o}),)).fetchone()[0]
                db.execute("CREATE TABLE rows(id, row)")
                db.executemany("INSERT INTO rows VALUES (?, ?)", self.db.execute("SELECT id, row FROM chips WHERE x = 0 AND y = 0").fetchall())
                with self.assertRaisesRegex(sqlite3.Error, "(position 0|row 6): .*red-g.tif"):
                    ask()
                self.assertIsNone(ask(on_error="null"))
                got = numpy.load(io.BytesIO(ask(on_error="skip", layers=layers)))
                self.check(got, [None, "h", None])
                numpy.testing.assert_array_equal(got["label"], [numpy.full((1, CHIP, CHIP), 255), [label[:CHIP, :CHIP]], numpy.full((1, CHIP, CHIP), 255)])
            finally:
                with open(red, "wb") as f:
                    f.write(whole)
        with self.assertRaisesRegex(sqlite3.Error, "position 0: item g has no asset 'nir'"):
            ask(assets=["nir"])
        self.check(numpy.load(io.BytesIO(ask(assets=["nir"], on_error="skip"))), [None, "h", None])
        db.execute("DELETE FROM rows WHERE id NOT IN ('c', 'd')")
        slots, mask = ["2024-01"], self.path("scl-d.tif")
        self.check(numpy.load(io.BytesIO(ask(on_duplicate="clearest"))), ["d"])
        with open(mask, "rb") as f:
            whole = f.read()
        tiff.write(mask, self.clouds["d"].astype("u4"), transform=(20, 0, 500000, 0, -20, 6400000), block=64)
        try:
            db = host.connect()
            db.execute("CREATE TABLE rows(id, row)")
            db.executemany("INSERT INTO rows VALUES (?, ?)", self.db.execute("SELECT id, row FROM chips WHERE x = 0 AND y = 0 AND id IN ('c', 'd')").fetchall())
            with self.assertRaisesRegex(sqlite3.Error, "item d: asset SCL: clouds are found by masks of 8 or 16 bits alone"):
                ask(on_duplicate="clearest")
            self.check(numpy.load(io.BytesIO(ask(on_duplicate="clearest", on_error="skip"))), ["c"])
        finally:
            with open(mask, "wb") as f:
                f.write(whole)

    def test_malformed_slots_show_the_forms(self):
        for slots in ("2024", [], {}, 5, [2024], [None], [""], ["24"], ["2024-1"], ["2024-13"], ["2024-02-30"], ["2024-01-15T24"], ["2024-01-15 14"], ["2024-01-15T14:60"], ["2024/"], ["/2024"], ["2024/2025/2026"],
                      ["2025/2024"], ["2024-01-16/2024-01-15"], ["2024-02/2024-01-31"], [".."], ["2024-01-"], ["2024-01-15T14:30:05x"], ["2024-01-15T14:30:05.5" + "0" * 60], ["next month"], ["2024", ["2025"]],
                      ["2024"] * 4097):
            with self.subTest(str(slots)[:40]), self.assertRaises(sqlite3.Error) as e:
                self.stack(slots)
            self.assertRegex(str(e.exception), "^stacchip_stack: option 'slots': expected ")
            for form in FORMS:
                self.assertIn(form, str(e.exception))
        self.assertEqual(len(self.arrays(["2024-03"] + ["1999"] * 4095, center=[-60, -32.5], size=1, resolution=10)["present"]), 4096)

    def test_where_they_are_of_no_use(self):
        for options, words in (({"on_duplicate": "first"}, "'on_duplicate' is for 'slots'"), ({"slots": ["2024"], "null": "fill"}, "'slots' and 'null': 'fill' exclude each other"),
                               ({"slots": ["2024"], "on_duplicate": "last"}, "'last' is not one of first, error, clearest")):
            with self.assertRaisesRegex(sqlite3.Error, words):
                self.db.execute("SELECT stacchip_stack(row, ?) FROM chips", (json.dumps(options),))
        for option in ({"slots": ["2024"]}, {"on_duplicate": "first"}):
            for sql in ("SELECT stacchip_chip(row, ?) FROM chips", "SELECT stacchip_band_stats(row, ?) FROM chips", "SELECT stacchip_composite(row, ?) FROM chips",
                        "SELECT * FROM stacchip_batches('SELECT row FROM chips', 4, ?)"):
                with self.assertRaisesRegex(sqlite3.Error, f"unknown option '{list(option)[0]}'"):
                    self.db.execute(sql, (json.dumps(option),)).fetchone()

    def test_filled_slots_count_in_the_size(self):
        self.db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1 << 20) if hasattr(self.db, "setlimit") else self.skipTest("skipped: this Python sets no limits")
        try:
            self.assertEqual(len(self.arrays(["2024-03"] + ["1999"] * 9)["present"]), 10)
            with self.assertRaisesRegex(sqlite3.Error, "a stack of 40 chips"):
                self.stack(["2024-03"] + ["1999"] * 39)
        finally:
            self.db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1000000000)


if __name__ == "__main__":
    host.main()
