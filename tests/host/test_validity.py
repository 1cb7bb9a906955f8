"""Is a pixel valid? One answer for each kind of file, whoever asks (docs/validity.md). NumPy says what is right; GDAL reads our GeoTIFFs."""
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

import numpy

import gdal_judge
import host
import tiff
import web

HEIGHT, WIDTH, SIDE = 80, 96, 64
RULE = {"match": "collection = 'validity'", "mask": "d", "cloud": "0", "assets": ["d"]}
ALPHA, NIR = {"eo:bands": [{"name": n} for n in ("red", "green", "blue", "alpha")]}, {"bands": [{"name": n} for n in ("Red", "Green", "Blue", "NIR")]}


def add_mask(path, masks, bits=8):
    """Append a directory with an internal mask of (bands, rows, columns) to a TIFF of one directory."""
    masks = numpy.asarray(masks)
    data = bytearray(open(path, "rb").read())
    rows = numpy.moveaxis(masks != 0, 0, -1)
    blob = numpy.packbits(rows[..., 0], axis=1).tobytes() if bits == 1 else (rows * 255).astype("u1").tobytes()
    n = masks.shape[0]
    data += b"\0" * (len(data) % 2)
    place = len(data)
    data += blob + b"\0" * (len(blob) % 2)
    lists = len(data)
    data += struct.pack("<%dH" % n, *[bits] * n) + struct.pack("<%dH" % n, *[1] * n)
    at = lambda i: lists + 2 * n * i if n > 2 else (bits if i == 0 else 1) * (0x10001 if n == 2 else 1)
    entries = [(254, 4, 1, 4), (256, 4, 1, masks.shape[2]), (257, 4, 1, masks.shape[1]), (258, 3, n, at(0)), (259, 3, 1, 1), (262, 3, 1, 4),
               (273, 4, 1, place), (277, 3, 1, n), (278, 4, 1, masks.shape[1]), (279, 4, 1, len(blob)), (284, 3, 1, 1), (339, 3, n, at(1))]
    end, = struct.unpack_from("<I", data, 4)
    end += 2 + 12 * struct.unpack_from("<H", data, end)[0]
    struct.pack_into("<I", data, end, len(data))
    data += struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *e) for e in entries) + struct.pack("<I", 0)
    with open(path, "wb") as out:
        out.write(data)
    return path


def translate(source, target, *options):
    env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    subprocess.run(["gdal_translate", "-q", *options, source, target], check=True, env=env)
    return target


class Kind:
    """A file, what is valid in it ([band, row, column]), and what an item says of it."""

    def __init__(self, name, path, valid, says=None, nodata=None, alpha=None):
        self.name, self.path, self.valid, self.says, self.nodata, self.alpha = name, path, valid, says or {}, nodata, alpha


class Kinds:
    """All of them, made in a folder."""

    def __init__(self, folder):
        self.folder, self.rng, self.all = folder, numpy.random.default_rng(int(os.environ.get("STACCHIP_SEED", "5"))), []
        self.holes = numpy.zeros((HEIGHT, WIDTH), bool)
        self.holes[:20, 30:70] = self.holes[50:, :10] = True
        self.other = numpy.roll(self.holes, (17, 9), (0, 1))
        self.by_value()
        self.by_item()
        self.by_mask()
        self.by_alpha()
        self.other_formats()

    def noise(self, code, bands=1):
        dtype = numpy.dtype(code)
        if dtype.kind in "fc":
            return self.rng.normal(50, 20, (bands, HEIGHT, WIDTH)).astype(dtype)
        return self.rng.integers(10, 100, (bands, HEIGHT, WIDTH)).astype(dtype)

    def add(self, name, array, valid, nodata=None, tags=(), mask=None, bits=8, **more):
        path = tiff.write(os.path.join(self.folder, name + ".tif"), array, nodata=nodata, deflate=True, planar=False, tags=dict(tags), block=(32, 48))
        if mask is not None:
            add_mask(path, mask, bits)
        more.setdefault("nodata", None)
        valid = numpy.broadcast_to(valid, array.shape)
        self.all.append(Kind(name, path, valid, **more))
        return path

    def by_value(self):
        """A value of each type, ones that no double holds, ones that the type cannot hold, NaN with and without being declared."""
        for code, value in (("u1", 0), ("u1", 255), ("i1", -1), ("i1", -128), ("u2", 0), ("u2", 65535), ("i2", -32768), ("u4", 2 ** 32 - 1), ("i4", -2 ** 31),
                            ("i8", -2 ** 63), ("i8", 2 ** 53 + 1), ("u8", 2 ** 64 - 1), ("f4", -9999), ("f4", 0.1), ("f4", -3.4028234663852886e38), ("f8", 1e300), ("f4", float("nan")), ("f4", float("-inf"))):
            a = self.noise(code, 2)
            if code[1] == "8" and code[0] != "f":
                a[:, 60:70] = value - 1 if value > 0 else value + 1  # the neighbour, which is the same double
            a[0, self.holes] = a[1, self.other] = numpy.array(value).astype(code) if code[0] == "f" else value
            if code[0] == "f":
                a[0, 40:44, :5] = numpy.nan
            bad = numpy.isnan(a) | (a == a.dtype.type(value)) if code[0] == "f" else a == value
            self.add("%s_%s" % (code, str(value).replace(".", "_")), a, ~bad, nodata=value, **{})
            self.all[-1].nodata = [value] * 2
        for code, value in (("u2", -1000), ("u1", 256), ("u1", 0.5), ("i2", 1e30), ("u4", -1)):
            a = self.noise(code)
            a[0, self.holes] = 0
            self.add("outside_%s_%s" % (code, str(value).replace(".", "_")), a, True, nodata=value)
            self.all[-1].nodata = [None]
        a = self.noise("f4")
        a[0, self.holes] = numpy.nan
        self.add("nan_undeclared", a, ~numpy.isnan(a))

    def by_item(self):
        """What only the item states, in each of its ways, and against the file."""
        for name, says, value, file_value in (("raster_bands", {"raster:bands": [{"nodata": 0}]}, 0, None), ("asset", {"nodata": 0}, 0, None), ("bands", {"bands": [{"nodata": 0}], "nodata": 3}, 0, None),
                                              ("text", {"raster:bands": [{"nodata": "0"}]}, 0, None), ("against", {"raster:bands": [{"nodata": 0}]}, 0, 255), ("null", {"raster:bands": [{"nodata": None}]}, 255, 255)):
            a = self.noise("u2")
            a[0, self.holes], a[0, 70:] = value, 255 - value
            self.add("item_" + name, a, a != value, nodata=file_value, says=says)
            self.all[-1].nodata = [value]
        a = self.noise("u2", 2)
        a[0, self.holes], a[1, self.other] = 1, 2
        a[1, 40:60, 40:60] = 1
        for code in ("u1", "i4"):  # neither band's value is free in the other
            b = a.astype(code)
            b[0, 60:70] = 2
            self.add("item_crossed_" + code, b, numpy.stack([b[0] != 1, b[1] != 2]), says={"raster:bands": [{"nodata": 1}, {"nodata": 2}]})
            self.all[-1].nodata = [1, 2]
        self.add("item_per_band", a, numpy.stack([a[0] != 1, a[1] != 2]), says={"raster:bands": [{"nodata": 1}, {"nodata": 2}]})
        self.all[-1].nodata = [1, 2]
        for text, value in (("-inf", -numpy.inf), ("NaN", numpy.nan), ("inf", numpy.inf)):
            a = self.noise("f4")
            a[0, self.holes] = value
            self.add("item_" + text, a, ~self.holes, says={"nodata": text})
            self.all[-1].nodata = [value]
        a = self.noise("f4")
        a[0, self.holes] = numpy.inf
        self.add("item_outside", a, True, says={"nodata": 1e300})

    def by_mask(self):
        """Masks of the file: one, one for each band, with nodata beside, with values wider than 16 bits, and NODATA_VALUES."""
        for code in ("u1", "u2", "i4", "f4"):
            self.add("mask_" + code, self.noise(code, 2), ~self.holes, mask=[~self.holes])
        self.add("mask_1_bit", self.noise("u1"), ~self.holes, mask=[~self.holes], bits=1)
        self.add("mask_per_band", self.noise("u1", 3), numpy.stack([~self.holes, ~self.other, ~self.holes | ~self.other]), mask=numpy.stack([~self.holes, ~self.other, ~self.holes | ~self.other]))
        a = self.noise("u1", 2)
        a[:, self.other] = 0
        self.add("mask_and_nodata", a, (a != 0) & ~self.holes, nodata=0, mask=[~self.holes])
        self.all[-1].nodata = [0, 0]
        a = self.noise("u1", 3)
        a[:, self.holes] = numpy.array([1, 2, 3])[:, None]
        a[0, self.other] = 1
        values = b'<GDALMetadata><Item name="NODATA_VALUES">1 2 3</Item></GDALMetadata>\0'
        self.add("nodata_values", a, ~(a == numpy.array([1, 2, 3])[:, None, None]).all(axis=0), tags={42112: ("s", values)})

    def by_alpha(self):
        """By the file's colours, by the item's word for it, and by the item's word against it."""
        rgb = lambda bands, alpha: {262: ("H", [2 if bands > 2 else 1]), 338: ("H", [2 if i == alpha else 0 for i in range(3 if bands > 2 else 1, bands)])}
        for name, code, bands, at, says in (("rgba", "u1", 4, 3, {}), ("rgba_16", "u2", 4, 3, {}), ("grey_alpha", "u1", 2, 1, {}), ("fifth_band", "u1", 5, 4, {}), ("fourth_of_five", "u1", 5, 3, {}),
                                            ("alpha_by_item", "u1", 4, 3, ALPHA), ("numbered", "u1", 4, 3, {"eo:bands": [{"name": "b%d" % i} for i in range(1, 5)]})):
            a = self.noise(code, bands)
            a[at] = numpy.where(self.holes, 0, 1 if code == "u2" else 255)
            self.add(name, a, ~self.holes, tags=rgb(bands, -1 if says is ALPHA else at), says=says, alpha=at)
        a = self.noise("u1", 4)
        a[3, self.holes] = 0
        for name, says in (("nir", NIR), ("nir_common", {"eo:bands": [{"name": "b%d" % i, "common_name": n} for i, n in enumerate(("red", "green", "blue", "nir"))]})):
            self.add(name, a, True, tags=rgb(4, 3), says=says)
        a[3], a[:3, self.other] = numpy.where(self.holes, 0, 255), 0
        self.add("alpha_and_nodata", a, (a != 0) & ~self.holes, nodata=0, tags=rgb(4, 3), alpha=3)
        self.all[-1].nodata = [0] * 4

    def other_formats(self):
        """Files that GDAL decodes: JPEG in TIFF with a mask, JPEG 2000 with alpha."""
        source = tiff.write(os.path.join(self.folder, "source.tif"), numpy.concatenate([self.noise("u1", 3), [numpy.where(self.holes, 0, 255).astype("u1")]]), planar=False,
                            tags={262: ("H", [2]), 338: ("H", [2])})
        path = translate(source, os.path.join(self.folder, "jpeg.tif"), "-b", "1", "-b", "2", "-b", "3", "-mask", "4", "--config", "GDAL_TIFF_INTERNAL_MASK", "YES", "-co", "COMPRESS=JPEG", "-co", "PHOTOMETRIC=YCBCR")
        self.all.append(Kind("jpeg_mask", path, numpy.broadcast_to(~self.holes, (3, HEIGHT, WIDTH))))
        path = translate(source, os.path.join(self.folder, "alpha.jp2"), "-of", "JP2OpenJPEG", "-co", "REVERSIBLE=YES", "-co", "QUALITY=100")
        self.all.append(Kind("jp2_alpha", path, numpy.broadcast_to(~self.holes, (4, HEIGHT, WIDTH)), alpha=3))
        path = translate(source, os.path.join(self.folder, "alpha.png"), "-of", "PNG")
        says = {"type": "image/png", "roles": ["data"], "proj:shape": [HEIGHT, WIDTH], "proj:transform": [10, 0, 500000, 0, -10, 6400000]}
        self.all.append(Kind("png_alpha", path, numpy.broadcast_to(~self.holes, (4, HEIGHT, WIDTH)), says=says, alpha=3))


class OneAnswer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.kinds = Kinds(cls.folder.name).all
        cls.db = host.connect()
        for name, nodata in (("nd", "nd"), ("value", "nd OR v = 1234567")):
            cls.db.execute("SELECT stacchip_platform_set(?, ?)", ("validity-" + name, json.dumps(dict(RULE, nodata=nodata))))

    @classmethod
    def tearDownClass(cls):
        cls.db.close()
        cls.folder.cleanup()

    def item(self, kind):
        return {"type": "Feature", "stac_version": "1.1.0", "id": kind.name, "geometry": None, "links": [], "collection": "validity",
                "properties": {"datetime": "2024-05-06T07:08:09Z", "proj:epsg": 32720},
                "assets": {"d": dict({"href": kind.path, "type": "image/jp2" if kind.path.endswith("jp2") else "image/tiff"}, **kind.says)}}

    def row(self, kind, x, y):
        return json.dumps({"item": self.item(kind), "chip_index_x": x, "chip_index_y": y, "chip_size": SIDE, "edge": "pad", "platform": "none"})

    def value(self, sql, *args):
        return self.db.execute(sql, args).fetchone()[0]

    def chips(self, kind):
        """(x, y, what is valid in the chip): what lies outside the file is not."""
        padded = numpy.zeros((kind.valid.shape[0], 2 * SIDE, 2 * SIDE), bool)
        padded[:, :HEIGHT, :WIDTH] = kind.valid
        for y in range(2):
            for x in range(2):
                yield x, y, padded[:, y * SIDE:(y + 1) * SIDE, x * SIDE:(x + 1) * SIDE]

    def fractions(self, what, **options):
        rows = self.db.execute("SELECT chip_index_x, chip_index_y, nodata_percentage FROM stacchip_index(?, ?)",
                               (what, json.dumps(dict({"chip_size": SIDE, "edge": "pad", "max_nodata": 1}, **options))))
        return {(x, y): f for x, y, f in rows}

    def check_fractions(self, kind, got):
        for x, y, valid in self.chips(kind):
            self.assertAlmostEqual(got[x, y], 1 - valid[0].mean(), places=6)

    def test_a_rule_is_told_by_nd(self):
        for kind in self.kinds:
            with self.subTest(kind=kind.name):
                for rule in ("validity-nd", "validity-value"):
                    self.check_fractions(kind, self.fractions(json.dumps(self.item(kind)), platform=rule))

    def test_the_index_of_a_bare_raster(self):
        for kind in self.kinds:
            with self.subTest(kind=kind.name):
                if not kind.says:
                    self.check_fractions(kind, self.fractions(kind.path))

    def test_valid_of_a_chip_and_of_a_stack(self):
        for kind in self.kinds:
            with self.subTest(kind=kind.name):
                for x, y, valid in self.chips(kind):
                    one = numpy.load(io.BytesIO(self.value("SELECT stacchip_chip(?, '{\"format\":\"npz\",\"valid\":true}')", self.row(kind, x, y))))
                    numpy.testing.assert_array_equal(one["valid"], valid)
                rows = [self.row(kind, x, y) for x, y, _ in self.chips(kind)]
                stack = numpy.load(io.BytesIO(self.value("SELECT stacchip_stack(value, '{\"format\":\"npz\"}') FROM json_each(?)", json.dumps(rows))))
                numpy.testing.assert_array_equal(stack["valid"], [v for _, _, v in self.chips(kind)])

    def test_valid_is_the_same_however_pixels_are_delivered(self):
        for kind in self.kinds:
            with self.subTest(kind=kind.name):
                x, y, valid = next(self.chips(kind))
                for more in ({"scale": True}, {"dtype": "uint8"}, {"dtype": "float64"}, {"resampling": "cubic"}):
                    options = json.dumps(dict({"format": "npz", "valid": True}, **more))
                    one = numpy.load(io.BytesIO(self.value("SELECT stacchip_chip(?, ?)", self.row(kind, x, y), options)))
                    numpy.testing.assert_array_equal(one["valid"], valid, str(more))

    def test_a_stack_of_items_that_say_it_in_different_ways(self):
        kinds = [kind for kind in self.kinds if len(kind.valid) == 1]
        self.assertGreater(len({tuple(sorted(kind.says)) for kind in kinds}), 3)
        rows = [self.row(kind, 1, 0) for kind in kinds]
        stack = numpy.load(io.BytesIO(self.value("SELECT stacchip_stack(value, '{\"format\":\"npz\"}') FROM json_each(?)", json.dumps(rows))))
        numpy.testing.assert_array_equal(stack["valid"], [list(self.chips(kind))[1][2] for kind in kinds])

    def test_clouds_are_excluded_by_the_same_nd(self):
        """A rule whose clouds are its nodata leaves exactly the valid pixels."""
        self.db.execute("SELECT stacchip_platform_set('validity-cloud', ?)", (json.dumps(dict(RULE, cloud="nd", nodata="0")),))
        for kind in self.kinds:
            with self.subTest(kind=kind.name):
                code = json.loads(self.value("SELECT stacchip_chip_info(?)", self.row(kind, 0, 0)))["dtype"]
                row = json.dumps(dict(json.loads(self.row(kind, 0, 0)), platform="validity-cloud"))
                valid = next(self.chips(kind))[2]
                if not code.endswith("32") and not code.endswith("64"):
                    count = json.loads(self.value("SELECT stacchip_band_stats(?, '{\"exclude_cloud\":true}')", row))["count"]
                    self.assertEqual(count, (valid & valid[0]).sum(axis=(1, 2)).tolist())

    def test_near_infrared_by_the_word_of_the_rule(self):
        """naip names its bands where the item does not: what the file flags is then no alpha; the item's word goes before."""
        kind = next(k for k in self.kinds if k.name == "rgba")
        for says, wanted in (({}, numpy.ones_like(kind.valid)), (ALPHA, kind.valid)):
            item = dict(self.item(kind), collection="naip", assets={"image": dict({"href": kind.path, "type": "image/tiff"}, **says)})
            row = json.dumps({"item": item, "chip_index_x": 0, "chip_index_y": 0, "chip_size": SIDE})
            count = json.loads(self.value("SELECT stacchip_band_stats(?)", row))["count"]
            self.assertEqual(count, wanted[:, :SIDE, :SIDE].sum(axis=(1, 2)).tolist())
            self.assertEqual({0.0}, set(self.fractions(json.dumps(item), edge="drop").values()))
        own = dict(RULE, bands=["red", "green", "blue", "thermal"], nodata="nd")
        self.db.execute("SELECT stacchip_platform_set('validity-bands', ?)", (json.dumps(own),))
        self.assertEqual({0.0}, set(self.fractions(json.dumps(self.item(kind)), platform="validity-bands", edge="drop").values()))

    def test_remote_files_with_and_without_their_stored_headers(self):
        kinds = [k for k in self.kinds if k.name in ("i1_-1", "i8_9007199254740993", "mask_u2", "mask_per_band", "fifth_band", "item_asset", "jpeg_mask", "nir", "nodata_values")]
        self.assertEqual(len(kinds), 9)
        server = web.Scripted({"/" + os.path.basename(k.path): open(k.path, "rb").read() for k in kinds})
        self.addCleanup(server.close)
        self.db.execute("SELECT stacchip_config('hosts', '127.0.0.1')")
        for headers in ("eager", "none"):
            path = os.path.join(self.folder.name, "remote_%s.db" % headers)
            db = host.connect(path)
            db.execute("SELECT stacchip_platform_set('validity-nd', ?)", (json.dumps(dict(RULE, nodata="nd")),))
            db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(chip_size=%d, edge=pad, max_nodata=1, platform='validity-nd', headers=%s)" % (SIDE, headers))
            for kind in kinds:
                item = self.item(kind)
                item["assets"]["d"]["href"] = server.url + "/" + os.path.basename(kind.path)
                db.execute("INSERT INTO chips(item_json) VALUES (?)", (json.dumps(item),))
            db.close()
            db = host.connect(path)  # nothing is in memory but what is stored
            for kind in kinds:
                with self.subTest(kind=kind.name, headers=headers):
                    rows = db.execute("SELECT chip_index_x, chip_index_y, nodata_percentage, stacchip_chip(row, '{\"format\":\"npz\",\"valid\":true}') FROM chips WHERE item = ?", (kind.name,))
                    got = {(x, y): (f, numpy.load(io.BytesIO(blob))["valid"]) for x, y, f, blob in rows}
                    for x, y, valid in self.chips(kind):
                        self.assertAlmostEqual(got[x, y][0], 1 - valid[0].mean(), places=6)
                        numpy.testing.assert_array_equal(got[x, y][1], valid)
            db.close()

    def test_nothing_is_printed(self):
        code = "import host, sys; db = host.connect()\nfor p in sys.argv[1:]: db.execute('SELECT count(*), stacchip_band_stats(row), stacchip_chip(row, ?) FROM stacchip_index(?)', ('{\"format\":\"geotiff\"}', p)).fetchall()"
        paths = [kind.path for kind in self.kinds if not kind.says]
        r = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True)
        self.assertEqual((r.returncode, r.stdout, r.stderr), (0, "", ""))

    def test_statistics_count_what_is_valid(self):
        for kind in self.kinds:
            with self.subTest(kind=kind.name):
                for x, y, valid in self.chips(kind):
                    count = json.loads(self.value("SELECT stacchip_band_stats(?)", self.row(kind, x, y)))["count"]
                    self.assertEqual(count, valid.sum(axis=(1, 2)).tolist())

    def test_pictures_are_transparent_where_a_band_is_not_valid(self):
        for kind in self.kinds:
            with self.subTest(kind=kind.name):
                n = 3 if len(kind.valid) >= 3 and kind.alpha != 1 else 1
                for x, y, valid in self.chips(kind):
                    png = self.value("SELECT stacchip_chip(?, '{\"format\":\"png\"}')", self.row(kind, x, y))
                    picture = read_png(png)
                    opaque = picture[..., 3] != 0 if picture.shape[2] == 4 else numpy.ones((SIDE, SIDE), bool)
                    numpy.testing.assert_array_equal(opaque, valid[:n].all(axis=0))

    def test_a_geotiff_says_what_is_valid_to_gdal(self):
        for options in ({}, {"scale": True}, {"dtype": "uint8"}, {"fill": 7, "buffer": 3}):
            jobs, wanted = [], []
            for kind in self.kinds:
                for x, y, valid in self.chips(kind):
                    blob = self.value("SELECT stacchip_chip(?, ?)", self.row(kind, x, y), json.dumps(dict({"format": "geotiff"}, **options)))
                    path = os.path.join(self.folder.name, "out_%d.tif" % len(jobs))
                    with open(path, "wb") as out:
                        out.write(blob)
                    side = SIDE + 2 * options.get("buffer", 0)
                    jobs.append({"path": path, "masks": True, "windows": [[0, 0, side, side, side, side]]})
                    wanted.append((kind, valid))
            for (kind, valid), told in zip(wanted, gdal_judge.ask(jobs)):
                with self.subTest(kind=kind.name, options=options):
                    masks, pixels, b = numpy.array(told["masks"]), numpy.array(told["arrays"][0]), options.get("buffer", 0)
                    seen = (masks != 0) & (pixels == pixels)
                    end = SIDE + b
                    for band in range(len(valid)):
                        if band != kind.alpha:  # of alpha itself GDAL calls all valid
                            numpy.testing.assert_array_equal(seen[band, b:end, b:end], valid[band])

    def test_chip_info_names_the_values_that_are_nodata(self):
        for kind in self.kinds:
            with self.subTest(kind=kind.name):
                nodata = json.loads(self.value("SELECT stacchip_chip_info(?)", self.row(kind, 0, 0)))["nodata"]
                said = [None if v is None else float(v) for v in nodata]
                wanted = kind.nodata or [None] * len(kind.valid)
                self.assertEqual(numpy.array(said, "f4").tobytes(), numpy.array([None if v is None else float(v) for v in wanted], "f4").tobytes())


class Resampled(unittest.TestCase):
    """Kernels leave out what is not valid: a file is resampled as its twin is, of which GDAL's own mask says the same."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.db = host.connect()
        self.kinds = Kinds(self.folder.name)
        self.grids = {}
        for metres in (4, 25):
            a = numpy.ones((1, 800 // metres, 960 // metres), "u1")
            self.grids[metres] = tiff.write(os.path.join(self.folder.name, "grid_%d.tif" % metres), a, transform=(metres, 0, 500000, 0, -metres, 6400000))
        self.db.execute("SELECT stacchip_platform_set('grid', ?)", (json.dumps({"match": "collection = 'grid'", "assets": ["g"], "cloud": "0", "nodata": "0"}),))

    def chip(self, path, says, metres, kernel, bands):
        grid = self.grids[metres]
        item = {"type": "Feature", "stac_version": "1.1.0", "id": "r", "geometry": None, "links": [], "collection": "grid", "properties": {"datetime": None, "proj:epsg": 32720},
                "assets": {"g": {"href": grid, "type": "image/tiff"}, "d": dict({"href": path, "type": "image/tiff"}, **says)}}
        row = json.dumps({"item": item, "chip_index_x": 0, "chip_index_y": 0, "chip_size": 24 if metres > 10 else 160, "edge": "pad"})
        blob = self.db.execute("SELECT stacchip_chip(?, ?)", (row, json.dumps({"format": "npz", "valid": True, "assets": ["d"], "resampling": kernel, "dtype": "float64"}))).fetchone()[0]
        z = numpy.load(io.BytesIO(blob))
        return z["d"][:bands], z["valid"][:bands]

    def twins(self):
        k = self.kinds
        write = lambda name, a, mask=None, **more: (lambda path: add_mask(path, mask) if mask is not None else path)(tiff.write(os.path.join(k.folder, name + ".tif"), a, planar=False, **more))
        a = k.noise("u2", 2)
        a[:, k.holes] = 0
        yield "the item's nodata", write("t1", a), {"nodata": 0}, write("t2", a, nodata=0), 2
        yield "the item's nodata against the file's", write("t3", a, nodata=50), {"nodata": 0}, write("t2", a, nodata=0), 2
        b = k.noise("u1", 4)
        b[3] = numpy.where(k.holes, 0, 255)  # GDAL weighs by alpha
        alpha = {262: ("H", [2]), 338: ("H", [2])}
        yield "near infrared", write("t4", b, tags=alpha), NIR, write("t5", b), 4
        yield "alpha by the item", write("t5", b), ALPHA, write("t4", b, tags=alpha), 3
        b = numpy.concatenate([b, k.noise("u1")])
        yield "alpha of five bands", write("t6", b, tags={262: ("H", [2]), 338: ("H", [2, 0])}), {}, write("t7", b, mask=[~k.holes]), 3
        c = k.noise("f4", 2)
        c[:, k.other] = -9999
        yield "mask and nodata", write("t8", c, nodata=-9999, mask=[~k.holes]), {}, write("t9", c, mask=[~k.holes & ~k.other]), 2
        d = k.noise("i1") - numpy.int8(60)
        yield "signed bytes", write("t10", d), {}, write("t11", d.astype("i2")), 1
        d[0, k.holes] = -128
        yield "signed bytes and nodata", write("t12", d, nodata=-128), {}, write("t13", d.astype("i2"), nodata=-128), 1

    def test_kernels_leave_out_what_is_not_valid(self):
        for name, path, says, twin, bands in self.twins():
            for metres, kernels in ((4, ("bilinear", "cubic", "lanczos")), (25, ("average", "bilinear", "gauss", "mode"))):
                for kernel in kernels:
                    with self.subTest(kind=name, metres=metres, kernel=kernel):
                        got, valid = self.chip(path, says, metres, kernel, bands)
                        wanted, twin_valid = self.chip(twin, {}, metres, kernel, bands)
                        both = valid & twin_valid
                        numpy.testing.assert_allclose(got[both], wanted[both], rtol=1e-6, atol=1e-6)
                        self.assertGreater(both.mean(), 0.5)


def read_png(blob):
    """(rows, columns, channels) of 8 bits, the filters undone."""
    data, at, shape = b"", 8, None
    while at < len(blob):
        n, kind = struct.unpack_from(">I4s", blob, at)
        body = blob[at + 8:at + 8 + n]
        if kind == b"IHDR":
            w, h, bits, color = struct.unpack_from(">IIBB", body)
            shape = (h, w, {0: 1, 2: 3, 4: 2, 6: 4}[color])
        data += body if kind == b"IDAT" else b""
        at += 12 + n
    h, w, channels = shape
    raw, step = zlib.decompress(data), w * channels
    out = numpy.zeros((h, step), "u1")
    for y in range(h):
        kind, line = raw[y * (step + 1)], bytearray(raw[y * (step + 1) + 1:(y + 1) * (step + 1)])
        up = out[y - 1] if y else numpy.zeros(step, "u1")
        for i in range(step if kind else 0):
            a, b, c = (line[i - channels] if i >= channels else 0), int(up[i]), (int(up[i - channels]) if i >= channels else 0)
            nearest = min((a, b, c), key=lambda v: abs(a + b - c - v))
            line[i] = (line[i] + (0, a, b, (a + b) // 2, nearest)[kind]) & 255
        out[y] = numpy.frombuffer(bytes(line), "u1")
    return out.reshape(shape)


if __name__ == "__main__":
    host.main()
