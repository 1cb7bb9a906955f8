"""Chips equal what GDAL reads: every raster of ../shared/fixtures and files made here in every packing, at random windows."""
import io
import json
import os
import random
import subprocess
import tempfile
import time
import unittest

import gdal_judge
import host
import numpy

RASTERS = os.path.join(host.SHARED, "fixtures", "rasters")
SEED = int(os.environ.get("STACCHIP_SEED", random.SystemRandom().randrange(1 << 30)))
BLOCK_LIMIT = 256e6  # larger blocks are refused


def setUpModule():
    print(f"seed {SEED} (STACCHIP_SEED)")


def asset(path, transform, shape, **more):
    return dict({"href": path, "type": "image/tiff", "proj:transform": transform, "proj:shape": shape}, **more)


def make_item(assets, epsg=32631, item_id="scene", **properties):
    return {"type": "Feature", "stac_version": "1.0.0", "id": item_id, "geometry": None, "links": [],
            "properties": dict({"datetime": "2024-05-06T07:08:09Z", "proj:epsg": epsg}, **properties), "assets": assets}


def handle(item, x=0, y=0, size=256, **more):
    return json.dumps(dict({"item": item, "chip_index_x": x, "chip_index_y": y, "chip_size": size, "platform": "none"}, **more))


def chip(db, row, **options):
    blob = db.execute("SELECT stacchip_chip(?, ?)", (row, json.dumps(options))).fetchone()[0]
    return numpy.load(io.BytesIO(blob))


def settings(db, **values):
    for name, value in values.items():
        db.execute("SELECT stacchip_config(?, ?)", (name, value))


def saturate(value, dtype):
    """A number in a type, as GDAL clamps and rounds it."""
    if dtype.kind in "fc":
        return dtype.type(value)
    if numpy.isnan(value):
        return dtype.type(0)
    info = numpy.iinfo(dtype)
    return dtype.type(min(max(int(numpy.floor(value + 0.5)), info.min), info.max))


def item_of(path, a):
    """An item that says of a raster what the file does not say itself."""
    own = a["transform"] is not None and a["has_crs"]
    if own:
        data = {"href": path, "type": "image/tiff"}
        return {"type": "Feature", "stac_version": "1.0.0", "id": "fixture", "geometry": None, "links": [],
                "properties": {"datetime": None}, "assets": {"data": data}}
    transform = a["transform"] or [10.0, 0.0, 5e5, 0.0, -10.0, 5e6]
    return make_item({"data": asset(path, transform, [a["height"], a["width"]])})


def random_windows(rng, w, h, n=4):
    """[x, y, size, buffer]; the window with its buffer may leave the raster."""
    out = []
    for k in range(n):
        size = rng.randint(1, min(w, h, 300))
        out.append([rng.randint(0, w - size), rng.randint(0, h - size), size, rng.choice([0, 0, rng.randint(1, 40)])])
    return out


def inside(window, w, h):
    x, y, size, b = window
    x0, y0, x1, y1 = max(0, x - b), max(0, y - b), min(w, x + size + b), min(h, y + size + b)
    return [x0, y0, x1 - x0, y1 - y0, x1 - x0, y1 - y0]


def expected(a, planes, window):
    """What the chip must be: GDAL's pixels inside, nodata or 0 outside."""
    x, y, size, b = window
    dtype = numpy.result_type(*[numpy.dtype(t) for t in a["dtypes"]])
    side = size + 2 * b
    out = numpy.empty((len(planes), side, side), dtype)
    x0, y0, w, h = inside(window, a["width"], a["height"])[:4]
    for k, plane in enumerate(planes):
        nodata = a["nodata"][k]
        out[k] = saturate(0 if nodata is None else nodata, dtype)
        out[k, y0 - (y - b):y0 - (y - b) + h, x0 - (x - b):x0 - (x - b) + w] = plane
    return out


class EqualToGdal(unittest.TestCase):
    def compare(self, paths, least):
        rng = random.Random(SEED)
        first = gdal_judge.ask([{"path": p} for p in paths])
        cases = []
        for path, a in zip(paths, first):
            refused = "error" in a or None in a["dtypes"] or a["block"][0] * a["block"][1] * numpy.dtype(a["dtypes"][0]).itemsize > BLOCK_LIMIT
            cases.append((path, [] if refused else random_windows(rng, a["width"], a["height"])))
        answers = gdal_judge.ask([{"path": p, "windows": [inside(v, first[i]["width"], first[i]["height"]) for v in windows]}
                                  for i, (p, windows) in enumerate(cases) if windows])
        db, compared, answers = host.connect(), 0, iter(answers)
        for (path, windows), a in zip(cases, first):
            if not windows:
                with self.assertRaises(Exception, msg=path):
                    chip(db, handle(item_of(path, dict(a, transform=None, width=20, height=20)), size=1))
                continue
            a = next(answers)
            for threads, verify in ((1, 0), (2, 0), (2, 1)):
                settings(db, threads=threads, verify=verify)
                for k, window in enumerate(windows):
                    row = handle(item_of(path, a), window[0], window[1], window[2], stride=1)
                    with self.subTest(file=os.path.basename(path), window=window, threads=threads, verify=verify):
                        if "error" in a:  # damaged data: GDAL cannot read it, so neither may we
                            with self.assertRaises(Exception):
                                for window in windows:
                                    chip(db, handle(item_of(path, a), window[0], window[1], window[2], stride=1), buffer=window[3])
                            break
                        want = expected(a, a["arrays"][k], window)
                        got = chip(db, row, buffer=window[3])
                        self.assertEqual((got.dtype, got.shape), (want.dtype, want.shape))
                        if got.tobytes() != want.tobytes():
                            self.fail(f"{numpy.count_nonzero((got != want) & ~((got != got) & (want != want)))} of {want.size} pixels differ")
                        compared += 1
        settings(db, threads=1, verify=0)
        self.assertGreater(compared, least)

    @host.needs_shared
    def test_every_raster_of_the_fixtures(self):
        self.compare([os.path.join(RASTERS, f) for f in sorted(os.listdir(RASTERS))], 3000)

    def test_every_packing(self):
        """Types x codecs x predictors x interleaving x tiles and strips, made here."""
        with tempfile.TemporaryDirectory() as d:
            paths = made_packings(d)
            self.compare(paths, 12 * len(paths) - 1)


def write_raw(path, array):
    """(bands, rows, columns) as plain bytes, with a VRT that every GDAL reads."""
    types = {"u1": "Byte", "u2": "UInt16", "i2": "Int16", "u4": "UInt32", "i4": "Int32", "u8": "UInt64", "i8": "Int64", "f4": "Float32", "f8": "Float64", "c8": "CFloat32", "c16": "CFloat64"}
    n, h, w = array.shape
    size = array.dtype.itemsize
    array.tofile(path)
    with open(path + ".vrt", "w") as f:
        f.write(f'<VRTDataset rasterXSize="{w}" rasterYSize="{h}">')
        for k in range(n):
            f.write(f'<VRTRasterBand dataType="{types[array.dtype.str[1:]]}" band="{k + 1}" subClass="VRTRawRasterBand">'
                    f'<SourceFilename relativeToVRT="1">{os.path.basename(path)}</SourceFilename><ImageOffset>{k * h * w * size}</ImageOffset>'
                    f'<PixelOffset>{size}</PixelOffset><LineOffset>{w * size}</LineOffset><ByteOrder>LSB</ByteOrder></VRTRasterBand>')
        f.write("</VRTDataset>")
    return path + ".vrt"


def translate(source, target, *options):
    env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    r = subprocess.run(["gdal_translate", "-q", *options, source, target], capture_output=True, text=True, env=env)
    if r.returncode != 0:
        raise RuntimeError(r.stderr)
    return target


def make_tiff(folder, name, array, *creation, transform=None, epsg=None, options=()):
    """A GeoTIFF of (bands, rows, columns); transform a b c d e f, north-up."""
    raw, path = os.path.join(folder, name + ".raw"), os.path.join(folder, name + ".tif")
    source = write_raw(raw, numpy.ascontiguousarray(array))
    more = list(options)
    if transform:
        a, _, c, _, e, f = transform
        more += ["-a_ullr", repr(c), repr(f), repr(c + a * array.shape[2]), repr(f + e * array.shape[1])]
    if epsg:
        more += ["-a_srs", f"EPSG:{epsg}"]
    for option in creation:
        more += ["-co", option]
    return translate(source, path, *more)


def made_packings(folder):
    rng = numpy.random.default_rng(SEED)
    paths = []
    layouts = [("tile", ["TILED=YES", "BLOCKXSIZE=32", "BLOCKYSIZE=48"]), ("strip", ["BLOCKYSIZE=7"])]
    for code in ("u1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"):
        smooth = numpy.cumsum(rng.integers(-3, 4, (3, 101, 131)), axis=2) * 7
        array = smooth.astype(code)
        if code[0] == "f":
            array[:, 5:9, 3:60] = numpy.nan
        for codec in ("NONE", "DEFLATE", "ZSTD", "LZW"):
            predictors = ["1"] if codec == "NONE" else ["1", "2", "3"] if code[0] == "f" else ["1", "2"]
            for predictor in predictors:
                if predictor == "2" and code[1] == "8":
                    predictor = "1"
                for layout, options in layouts:
                    interleave = rng.choice(["PIXEL", "BAND"])
                    creation = options + [f"COMPRESS={codec}", f"INTERLEAVE={interleave}"]
                    if codec != "NONE":
                        creation.append(f"PREDICTOR={predictor}")
                    paths.append(make_tiff(folder, f"{code}_{codec}_{predictor}_{layout}_{len(paths)}", array, *creation))
    small = (numpy.arange(3 * 101 * 131) % 251).astype("u1").reshape(3, 101, 131)
    for codec in ("PACKBITS", "LERC", "LZMA"):
        paths.append(make_tiff(folder, f"u1_{codec}", small, f"COMPRESS={codec}", "TILED=YES"))
    for code in ("c8", "c16"):
        waves = (rng.standard_normal((2, 101, 131)) + 1j * rng.standard_normal((2, 101, 131))).astype(code)
        paths.append(make_tiff(folder, code, waves, "COMPRESS=DEFLATE", "TILED=YES"))
    paths.append(translate(os.path.join(folder, "c8.tif"), os.path.join(folder, "ci4.tif"), "-ot", "CInt16", "-scale", "0", "1", "0", "100"))
    paths.append(make_tiff(folder, "i1", small, "COMPRESS=DEFLATE", "PREDICTOR=2", "PIXELTYPE=SIGNEDBYTE", "TILED=YES"))
    paths.append(make_tiff(folder, "big_endian", small.astype("u2"), "COMPRESS=DEFLATE", "ENDIANNESS=BIG"))
    paths.append(make_tiff(folder, "bits", small & 7, "COMPRESS=DEFLATE", "NBITS=3"))
    empty = numpy.zeros((1, 300, 300), "i2")
    empty[0, 10:20, 10:20] = 5
    paths.append(make_tiff(folder, "sparse", empty, "COMPRESS=ZSTD", "TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64", "SPARSE_OK=TRUE", options=["-a_nodata", "-9"]))
    return paths


class Made(unittest.TestCase):
    """Items of rasters made here, in a folder of their own."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.db = host.connect()
        settings(self.db, threads=2, verify=0)
        self.rng = numpy.random.default_rng(SEED)

    def tiff(self, name, array, *creation, **more):
        creation = creation or ("COMPRESS=DEFLATE", "PREDICTOR=2" if array.dtype.kind != "f" else "PREDICTOR=3", "TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64")
        more.setdefault("transform", [10.0, 0.0, 5e5, 0.0, -10.0, 5e6])
        more.setdefault("epsg", 32631)
        return make_tiff(self.folder.name, name, array, *creation, **more)

    def noise(self, name="noise", side=192, bands=1, least=1, most=5000, **more):
        array = self.rng.integers(least, most, (bands, side, side)).astype("u2")
        return array, make_item({name: {"href": self.tiff(name, array, **more), "type": "image/tiff"}})

    def value(self, sql, *arguments):
        return self.db.execute(sql, arguments).fetchone()[0]

    def gdalinfo(self, path):
        env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        return json.loads(subprocess.run(["gdalinfo", "-json", path], capture_output=True, check=True, env=env).stdout)

    def save(self, name, blob):
        path = os.path.join(self.folder.name, name)
        with open(path, "wb") as f:
            f.write(blob)
        return path


class Registration(Made):
    """A 10 m grid of 300 x 300 pixels with assets of 20 and 60 m, each pixel holding its ground's middle."""

    def ramps(self, dtype, value):
        assets = {}
        for metres in (10, 20, 60):
            n = 3000 // metres
            middle = (numpy.arange(n) + 0.5) * metres
            x, y = numpy.meshgrid(middle, middle)
            array = numpy.stack([value(x, metres), value(y, metres)]).astype(dtype)
            path = self.tiff(f"m{metres}", array, transform=[float(metres), 0.0, 5e5, 0.0, -float(metres), 5e6])
            assets[f"m{metres}"] = {"href": path, "type": "image/tiff"}
        return make_item(assets)

    def test_nearest_covers_the_same_ground_in_every_band(self):
        item = self.ramps("u2", lambda at, metres: at // metres)
        for x, y, size in [(0, 0, 64), (1, 3, 64), (3, 1, 64), (2, 2, 50), (6, 6, 41), (1, 0, 97)]:
            a = chip(self.db, handle(item, x, y, size), assets=["m10", "m20", "m60"])
            self.assertEqual(int(a[0, 0, 0]), x * size)
            self.assertEqual(int(a[1, -1, 0]), (y + 1) * size - 1)
            for k, ratio in ((2, 2), (4, 6)):
                numpy.testing.assert_array_equal(a[k:k + 2], a[:2] // ratio, f"chip {x},{y} of {size}, 1:{ratio}")

    def test_bilinear_gives_a_ramp_back(self):
        item = self.ramps("f4", lambda at, metres: at)
        for x, y in [(1, 1), (2, 1), (1, 2)]:
            a = chip(self.db, handle(item, x, y, 64), assets=["m10", "m20", "m60"], resampling="bilinear")
            for k in (2, 4):
                self.assertLess(float(abs(a[k:k + 2] - a[:2]).max()), 0.01, f"chip {x},{y}")

    def test_an_asset_of_another_origin(self):
        array = numpy.arange(200 * 200).reshape(1, 200, 200).astype("u4")
        grid = self.tiff("grid", array)
        moved = self.tiff("moved", array, transform=[10.0, 0.0, 5e5 - 70, 0.0, -10.0, 5e6 + 30])
        item = make_item({"grid": {"href": grid, "type": "image/tiff"}, "moved": {"href": moved, "type": "image/tiff"}})
        a = chip(self.db, handle(item, 1, 1, 64), assets=["grid", "moved"])
        numpy.testing.assert_array_equal(a[1], array[0, 67:131, 71:135])

    def test_an_asset_finer_than_the_grid(self):
        self.value("SELECT stacchip_platform_set('coarse', json_object('match', '0', 'cloud', '0', 'nodata', '0', 'assets', json_array('m20')))")
        item = self.ramps("f4", lambda at, metres: at)
        row = handle(item, 1, 1, 32, platform="coarse")
        near = chip(self.db, row, assets=["m20", "m10"])
        numpy.testing.assert_array_equal(near[2:] - near[:2], numpy.full((2, 32, 32), 5, "f4"))  # the pixel under the middle begins there
        mean = chip(self.db, row, assets=["m20", "m10"], resampling="average")
        numpy.testing.assert_allclose(mean[2:], mean[:2], atol=1e-3)

    def test_every_kernel_equals_rasterio_of_the_whole(self):
        fine = self.rng.integers(0, 4000, (1, 300, 300)).astype("u2")
        coarse = self.rng.integers(0, 4000, (1, 150, 150)).astype("u2")
        path = self.tiff("coarse", coarse, transform=[20.0, 0.0, 5e5, 0.0, -20.0, 5e6])
        item = make_item({"fine": {"href": self.tiff("fine", fine), "type": "image/tiff"}, "coarse": {"href": path, "type": "image/tiff"}})
        for kernel in gdal_judge.KERNELS:  # with GDAL's own names
            whole = gdal_judge.ask([{"path": path, "windows": [[0, 0, 150, 150, 300, 300]], "resampling": kernel}])[0]["arrays"][0][0]
            for x, y in [(0, 0), (1, 2), (3, 3)]:
                a = chip(self.db, handle(item, x, y, 64), assets=["fine", "coarse"], resampling={"coarse": kernel, "*": "nearest"})
                self.assertTrue((a[0] == fine[0, y * 64:y * 64 + 64, x * 64:x * 64 + 64]).all())
                difference = abs(a[1].astype(int) - whole[y * 64:y * 64 + 64, x * 64:x * 64 + 64].astype(int))
                self.assertLessEqual(int(difference.max()), 1, f"{kernel} at {x},{y}")


class Values(Made):
    def test_casts_saturate(self):
        array = numpy.zeros((1, 64, 64), "f8")
        array[0, 0, :8] = [-1e10, -1, 0.4, 0.6, 254.7, 300, 70000, 1e20]
        item = make_item({"a": {"href": self.tiff("a", array), "type": "image/tiff"}})
        for dtype in ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"):
            info = numpy.iinfo(dtype)
            want = [min(max(int(numpy.floor(v + 0.5)), info.min), info.max) for v in array[0, 0, :7]] + [info.max]
            got = chip(self.db, handle(item, size=64), dtype=dtype)
            self.assertEqual(got.dtype.name, dtype)
            self.assertEqual([int(v) for v in got[0, 0, :8]], want, dtype)
        self.assertEqual(chip(self.db, handle(item, size=64), dtype="float32")[0, 0, 7], numpy.float32(1e20))

    def test_integers_keep_their_digits_when_cast(self):
        array = numpy.full((1, 64, 64), 2**62 + 1, "i8")
        item = make_item({"a": {"href": self.tiff("a", array, "COMPRESS=ZSTD"), "type": "image/tiff"}})
        self.assertEqual(int(chip(self.db, handle(item, size=64))[0, 0, 0]), 2**62 + 1)
        self.assertEqual(int(chip(self.db, handle(item, size=64), dtype="uint64")[0, 0, 0]), 2**62 + 1)
        self.assertEqual(int(chip(self.db, handle(item, size=64), dtype="int32")[0, 0, 0]), 2**31 - 1)

    def test_mixed_types_promote(self):
        a, b = numpy.full((1, 64, 64), 200, "u1"), numpy.full((1, 64, 64), -3, "i2")
        item = make_item({"a": {"href": self.tiff("a", a), "type": "image/tiff"}, "b": {"href": self.tiff("b", b), "type": "image/tiff"}})
        got = chip(self.db, handle(item, size=64))
        self.assertEqual((got.dtype.name, int(got[0, 0, 0]), int(got[1, 0, 0])), ("int16", 200, -3))

    def test_scale_is_applied_once_wherever_it_is_said(self):
        array, item = self.noise("a")
        own = self.tiff("own", array, options=["-a_scale", "0.5", "-a_offset", "3"])
        want = {"asset": (0.0001, -0.1), "raster:bands": (0.0002, 0.5), "bands": (2.0, 0.25), "own": (0.5, 3.0)}
        for said, (scale, offset) in want.items():
            item = make_item({"a": {"href": own, "type": "image/tiff"}})
            if said == "asset":
                item["assets"]["a"].update({"raster:scale": scale, "raster:offset": offset})
            elif said != "own":
                item["assets"]["a"][said] = [{"scale": scale, "offset": offset}]
            got = chip(self.db, handle(item, size=64), scale=True)
            self.assertEqual(got.dtype.name, "float32")
            numpy.testing.assert_allclose(got[0], array[0, :64, :64] * scale + offset, rtol=1e-6, err_msg=said)
            info = json.loads(self.value("SELECT stacchip_chip_info(?)", handle(item, size=64)))
            self.assertEqual((info["scale"], info["offset"]), ([scale], [offset]), said)

    def test_harmonize(self):
        array = self.rng.integers(1001, 5000, (1, 512, 512)).astype("u2")
        array[0, :5, :5] = 0
        array[0, 20, 20:23] = [1000, 1001, 999]
        dark = self.rng.integers(1, 4000, (1, 512, 512)).astype("u2")
        shifted, older = self.tiff("shifted", array), self.tiff("older", dark)
        lowered = numpy.where(array > 1000, array - 1000, 0).astype("u2")
        cases = [  # (file, pixels, properties, what must come)
            (shifted, array, {"s2:processing_baseline": "04.00"}, lowered),
            (shifted, array, {"s2:processing_baseline": "05.10", "earthsearch:boa_offset_applied": False}, lowered),
            (shifted, array, {"s2:processing_baseline": "04.00", "earthsearch:boa_offset_applied": True}, lowered),  # the flag is wrong
            (older, dark, {"s2:processing_baseline": "04.00", "earthsearch:boa_offset_applied": True}, dark),
            (shifted, array, {"s2:processing_baseline": "03.01"}, array),
            (shifted, array, {"s2:processing_baseline": "3.01"}, array),
            (shifted, array, {"s2:processing_baseline": "5.1"}, lowered),
            (shifted, array, {"processing:version": 5.1}, lowered),
            (shifted, array, {"processing:version": 3.1}, array),
        ]
        for path, pixels, properties, want in cases:
            item = make_item({"red": {"href": path, "type": "image/tiff"}}, item_id="S2A_X", constellation="sentinel-2", **properties)
            row = handle(item, size=128)
            numpy.testing.assert_array_equal(chip(self.db, row, harmonize=True), want[:, :128, :128], str(properties))
            numpy.testing.assert_array_equal(chip(self.db, row), pixels[:, :128, :128])
            item["assets"]["red"]["raster:bands"] = [{"scale": 0.0001, "offset": -0.1 if want is lowered else 0}]
            got = chip(self.db, handle(item, size=128), harmonize=True, scale=True)
            at = want[:, 64:128, 64:128]  # the offset says the shift already: applied once
            numpy.testing.assert_allclose(got[:, 64:128, 64:128], at * 0.0001, atol=1e-6, err_msg=str(properties))

    def test_valid_fill_and_edges(self):
        array, item = self.noise(side=100, options=["-a_nodata", "7"])
        array[0, 3, 4] = 7
        item = make_item({"a": {"href": self.tiff("a", array, options=["-a_nodata", "7"]), "type": "image/tiff"}})
        row = handle(item, 1, 1, 64, edge="pad")
        got = chip(self.db, row)
        want = numpy.full((1, 64, 64), 7, "u2")
        want[0, :36, :36] = array[0, 64:, 64:]
        numpy.testing.assert_array_equal(got, want)
        want[0, 36:], want[0, :, 36:] = 65535, 65535
        numpy.testing.assert_array_equal(chip(self.db, row, fill=99999), want)
        numpy.testing.assert_array_equal(chip(self.db, handle(item, 1, 1, 64, edge="shift")), array[:, 36:, 36:])
        with self.assertRaisesRegex(Exception, "outside the grid"):
            chip(self.db, handle(item, 1, 1, 64))
        npz = numpy.load(io.BytesIO(self.value("SELECT stacchip_chip(?, '{\"format\":\"npz\",\"valid\":true,\"buffer\":2}')", handle(item, size=64))))
        self.assertEqual(sorted(npz.files), ["a", "valid"])
        valid = numpy.ones((1, 68, 68), bool)
        valid[0, :2], valid[0, :, :2], valid[0, 5, 6] = False, False, False
        outside_is_nodata = numpy.full((1, 68, 68), 7, "u2")
        outside_is_nodata[0, 2:, 2:] = array[0, :66, :66]
        valid &= outside_is_nodata != 7
        numpy.testing.assert_array_equal(npz["valid"], valid)
        numpy.testing.assert_array_equal(npz["a"], outside_is_nodata)


class Formats(Made):
    def scene(self, **more):
        arrays = {name: self.rng.integers(1, 3000, (1, 256, 256)).astype("u2") for name in ("red", "green", "blue")}
        more.setdefault("options", ["-a_nodata", "0"])
        return arrays, make_item({k: {"href": self.tiff(k, v, **more), "type": "image/tiff"} for k, v in arrays.items()})

    def test_geotiff_lines_up(self):
        for epsg, transform in ((32631, [10.0, 0.0, 5e5, 0.0, -10.0, 5e6]), (4326, [0.001, 0.0, 7.0, 0.0, -0.0005, 45.0])):
            arrays, item = self.scene(epsg=epsg, transform=transform)
            row = handle(dict(item, properties={"datetime": None}), 1, 2, 64)
            path = self.save("chip.tif", self.value("SELECT stacchip_chip(?, '{\"format\":\"geotiff\",\"assets\":[\"green\",\"red\"]}')", row))
            info = self.gdalinfo(path)
            gt = info["geoTransform"]
            want = [transform[2] + 64 * transform[0], transform[0], 0, transform[5] + 128 * transform[4], 0, transform[4]]
            numpy.testing.assert_allclose(gt, want, rtol=1e-12)
            self.assertIn(f'ID["EPSG",{epsg}]', info["coordinateSystem"]["wkt"])
            self.assertEqual([b["description"] for b in info["bands"]], ["green", "red"])
            self.assertEqual([b["noDataValue"] for b in info["bands"]], [0, 0])
            self.assertEqual(info["metadata"]["IMAGE_STRUCTURE"]["LAYOUT"], "COG")
            planes = gdal_judge.ask([{"path": path, "windows": [[0, 0, 64, 64, 64, 64]]}])[0]["arrays"][0]
            for plane, name in zip(planes, ("green", "red")):
                numpy.testing.assert_array_equal(plane, arrays[name][0, 128:192, 64:128])

    def test_pictures_decode(self):
        arrays, item = self.scene()
        row = handle(item, size=128)
        for format, options, side, bands in (("png", {}, 128, 3), ("jpeg", {}, 128, 3), ("png", {"size": 50}, 50, 3), ("png", {"assets": "red"}, 128, 1)):
            blob = self.value("SELECT stacchip_chip(?, ?)", row, json.dumps(dict(options, format=format)))
            self.assertEqual(blob[:3], b"\x89PN" if format == "png" else b"\xff\xd8\xff")
            a = gdal_judge.ask([{"path": self.save("picture." + format, blob), "windows": [[0, 0, side, side, side, side]]}])[0]
            self.assertEqual((a["width"], a["height"], a["dtypes"]), (side, side, ["u1"] * bands))
        exact = self.value("SELECT stacchip_chip(?, ?)", row, json.dumps({"format": "png", "rescale": [0, 2550]}))
        planes = gdal_judge.ask([{"path": self.save("exact.png", exact), "windows": [[0, 0, 128, 128, 128, 128]]}])[0]["arrays"][0]
        for plane, name in zip(planes, ("red", "green", "blue")):
            want = numpy.minimum(255, numpy.floor(arrays[name][0, :128, :128] / 10 + 0.5))
            self.assertLessEqual(int(abs(plane - want).max()), 1, name)

    def test_transparent_where_nodata(self):
        arrays, item = self.scene()
        for name, array in arrays.items():
            array[0, 10:20, 30:40] = 0
            self.tiff(name, array, options=["-a_nodata", "0"])
        blob = self.value("SELECT stacchip_chip(?, '{\"format\":\"png\"}')", handle(item, size=128))
        a = gdal_judge.ask([{"path": self.save("holes.png", blob), "windows": [[0, 0, 128, 128, 128, 128]]}])[0]
        alpha = numpy.full((128, 128), 255, "u1")
        alpha[10:20, 30:40] = 0
        self.assertEqual(len(a["dtypes"]), 4)
        numpy.testing.assert_array_equal(a["arrays"][0][3], alpha)

    def test_npz_and_raw(self):
        arrays, item = self.scene()
        npz = numpy.load(io.BytesIO(self.value("SELECT stacchip_chip(?, '{\"format\":\"npz\"}')", handle(item, size=64))))
        self.assertEqual(npz.files, ["red", "green", "blue"])
        for name in arrays:
            numpy.testing.assert_array_equal(npz[name], arrays[name][:, :64, :64])
        raw = self.value("SELECT stacchip_chip(?, '{\"format\":\"raw\"}')", handle(item, size=64))
        self.assertEqual(raw, numpy.concatenate([a[:, :64, :64] for a in arrays.values()]).tobytes())


class Stack(Made):
    def rows(self, item, places, size=64):
        self.db.execute("DROP TABLE IF EXISTS t")
        self.db.execute("CREATE TABLE t(k INTEGER PRIMARY KEY, r, s)")
        self.db.executemany("INSERT INTO t(r, s) VALUES (?, ?)", [(handle(item, *p, size=size), s) for p, s in places])

    def stack(self, options, sort=""):
        blob = self.value(f"SELECT stacchip_stack(r, ?{sort}) FROM (SELECT * FROM t ORDER BY k)", json.dumps(options))
        return numpy.load(io.BytesIO(blob))

    def test_row_order_or_sort_key(self):
        array, item = self.noise(side=640)
        places = [(x, y) for x in range(10) for y in range(10)]
        random.Random(SEED).shuffle(places)
        keys = [random.Random(SEED + i).choice([None, i - 50, i * 0.5, f"k{i % 7}", f"kk{i}".encode()]) for i in range(100)]
        self.rows(item, zip(places, keys))
        want = numpy.stack([array[:, y * 64:y * 64 + 64, x * 64:x * 64 + 64] for x, y in places])
        order = [r[0] for r in self.db.execute("SELECT k - 1 FROM t ORDER BY s, k")]
        for threads in (1, 2, 5):
            settings(self.db, threads=threads)
            numpy.testing.assert_array_equal(self.stack({}), want)
            numpy.testing.assert_array_equal(self.stack({}, ", s"), want[order])
        settings(self.db, threads=1, cache_bytes=10000)  # nothing stays cached: each block still comes whole
        numpy.testing.assert_array_equal(self.stack({}), want)
        settings(self.db, cache_bytes=256 << 20)

    def test_zones_and_scenes_mix(self):
        a, first = self.noise("a")
        b, second = self.noise("b", epsg=32719)
        first, second = dict(first, id="one"), make_item({"a": second["assets"]["b"]}, epsg=32719, item_id="two")
        self.db.execute("CREATE TABLE t(k INTEGER PRIMARY KEY, r, s)")
        self.db.executemany("INSERT INTO t(r) VALUES (?)", [(handle(first, 1, 0, 64),), (handle(second, 2, 1, 64),), (handle(first, 0, 0, 64),)])
        z = self.stack({"format": "npz"})
        self.assertEqual(z["chipid"].tolist(), ["one-1-0", "two-2-1", "one-0-0"])
        self.assertEqual(z["datetime"].tolist(), ["2024-05-06T07:08:09Z"] * 3)
        numpy.testing.assert_array_equal(z["pixels"], numpy.stack([a[:, :64, 64:128], b[:, 64:128, 128:192], a[:, :64, :64]]))
        self.assertTrue(z["valid"].all())

    def test_failures(self):
        array, item = self.noise()
        broken = json.loads(json.dumps(item).replace("noise.tif", "missing.tif"))
        self.db.execute("CREATE TABLE t(k INTEGER PRIMARY KEY, r, s)")
        self.db.executemany("INSERT INTO t(r) VALUES (?)", [(handle(item, 1, 1, 64),), (handle(item, 9, 9, 64),), (handle(broken, 0, 0, 64),), (handle(item, 0, 2, 64),)])
        with self.assertRaisesRegex(Exception, "position 1: .*outside the grid"):
            self.stack({})
        self.assertIsNone(self.value("SELECT stacchip_stack(r, '{\"on_error\":\"null\"}') FROM t"))
        z = self.stack({"on_error": "skip", "format": "npz"})
        self.assertEqual(z["chipid"].tolist(), ["scene-1-1", "scene-0-2"])
        numpy.testing.assert_array_equal(z["pixels"], numpy.stack([array[:, 64:128, 64:128], array[:, 128:192, :64]]))
        self.assertEqual((z["valid"].shape, len(z["datetime"])), ((2, 1, 64, 64), 2))
        self.assertIsNone(self.value("SELECT stacchip_stack(r) FROM t WHERE 0"))

    def test_a_block_that_fails_is_skipped(self):
        array, item = self.noise()
        path = item["assets"]["noise"]["href"]
        damage_block(path, 4)  # the middle of 3 x 3
        self.rows(item, [((x, y), None) for y in range(3) for x in range(3)])
        with self.assertRaisesRegex(Exception, "position 4: item scene: asset noise: .*noise.tif: "):
            self.stack({})
        z = self.stack({"on_error": "skip", "format": "npz"})
        self.assertEqual(len(z["chipid"]), 8)
        self.assertNotIn("scene-1-1", z["chipid"].tolist())
        numpy.testing.assert_array_equal(z["pixels"][4], array[:, 64:128, 128:192])

    def test_size_is_checked_before_reading(self):
        array, item = self.noise()
        damage_block(item["assets"]["noise"]["href"], 4)
        self.rows(item, [((1, 1), None)] * 200)
        self.db.setlimit(0, 1000000)
        with self.assertRaisesRegex(Exception, "a stack of 200 chips of 8192 bytes; the limit of this connection is 1000000"):
            self.stack({})

    def test_options_are_the_same_for_a_group(self):
        _, item = self.noise(side=64)
        for function in ("stacchip_stack", "stacchip_band_stats"):
            with self.assertRaisesRegex(Exception, "position 1: its options differ"):
                self.value(f"SELECT {function}(?, value) FROM json_each('[\"{{}}\", null]')", handle(item, size=64))
            with self.assertRaisesRegex(Exception, "position 1: its options differ"):
                self.value(f"SELECT {function}(?, value) FROM json_each('[\"{{}}\", \" {{}}\"]')", handle(item, size=64))
        self.assertIsNotNone(self.value("SELECT stacchip_stack(?, value) FROM json_each('[null, \"\", null]')", handle(item, size=64)))

    def test_a_position_or_a_center(self):
        _, item = self.noise(side=64)
        row = json.dumps(dict(json.loads(handle(item, size=64)), center=[0, 0]))
        with self.assertRaisesRegex(Exception, "both a position and a center"):
            self.value("SELECT stacchip_chip(?)", row)

    def test_contact_sheet(self):
        array, item = self.noise(bands=3)
        self.rows(item, [((x, 0), None) for x in range(3)] + [((0, 1), None), ((1, 1), None)])
        blob = self.value("SELECT stacchip_stack(r, '{\"format\":\"png\"}') FROM t")
        a = gdal_judge.ask([{"path": self.save("sheet.png", blob)}])[0]
        self.assertEqual((a["width"], a["height"]), (3 * 66 - 2, 2 * 66 - 2))


class Options(Made):
    def test_bands_go_by_the_names_that_they_are_shown_with(self):
        array, item = self.noise("a", bands=3, side=64)
        row = handle(item, 0, 0, 64)
        names = json.loads(self.value("SELECT stacchip_chip_info(?)", row))["assets"]
        self.assertEqual(names, ["a:1", "a:2", "a:3"])
        numpy.testing.assert_array_equal(chip(self.db, row, assets=[names[2], names[0]]), array[[2, 0]])
        with self.assertRaisesRegex(Exception, "has no asset 'a:4'"):
            chip(self.db, row, assets=["a:4"])

    def test_kernels_go_by_asset_or_band(self):
        array, item = self.noise("a", side=64)
        path = self.tiff("c", array[:, ::2, ::2], transform=[20.0, 0.0, 5e5, 0.0, -20.0, 5e6])
        item["assets"]["c"] = {"href": path, "type": "image/tiff", "eo:bands": [{"name": "B11", "common_name": "swir16"}]}
        row = handle(item, 0, 0, 64)
        want = chip(self.db, row, assets=["c"], resampling="cubic")
        self.assertTrue((chip(self.db, row, assets=["c"]) != want).any())
        for name in ("c", "B11", "swir16"):
            numpy.testing.assert_array_equal(chip(self.db, row, assets=["c"], resampling={name: "cubic"}), want)
        with self.assertRaisesRegex(Exception, "has no asset 'nope'"):
            chip(self.db, row, resampling={"nope": "cubic"})

    def test_options_that_would_go_unheard(self):
        _, item = self.noise(side=64)
        row = handle(item, 0, 0, 64)
        for options, words in (({"size": 32}, "'size' alone is for the formats png and jpeg"), ({"stretch": [1, 99], "format": "geotiff"}, "'stretch' is for"),
                               ({"rescale": [0, 1]}, "'rescale' is for"), ({"valid": True}, "'valid' is for the format npz"),
                               ({"format": "png", "stretch": [1, 99], "rescale": [0, 1]}, "exclude each other")):
            with self.assertRaisesRegex(Exception, words):
                chip(self.db, row, **options)
        self.assertEqual(chip(self.db, row, scale=True, dtype="float64").dtype.name, "float64")


class Complex(Made):
    def test_formats_and_what_is_refused(self):
        array = (self.rng.standard_normal((1, 64, 64)) + 1j * self.rng.standard_normal((1, 64, 64))).astype("c8")
        item = make_item({"slc": {"href": self.tiff("slc", array, "COMPRESS=DEFLATE"), "type": "image/tiff"}})
        row = handle(item, 0, 0, 64)
        numpy.testing.assert_array_equal(chip(self.db, row), array)
        self.assertEqual(json.loads(self.value("SELECT stacchip_chip_info(?)", row))["dtype"], "complex64")
        numpy.testing.assert_array_equal(numpy.load(io.BytesIO(self.value("SELECT stacchip_chip(?, '{\"format\":\"npz\"}')", row)))["slc"], array)
        self.assertEqual(self.value("SELECT stacchip_chip(?, '{\"format\":\"raw\"}')", row), array.tobytes())
        tif = self.save("c.tif", self.value("SELECT stacchip_chip(?, '{\"format\":\"geotiff\"}')", row))
        numpy.testing.assert_array_equal(gdal_judge.ask([{"path": tif, "windows": [[0, 0, 64, 64, 64, 64]]}])[0]["arrays"][0], array)
        numpy.testing.assert_array_equal(numpy.load(io.BytesIO(self.value("SELECT stacchip_stack(?)", row)))[0], array)
        for options in ({"scale": True}, {"format": "png"}, {"dtype": "float32"}, {"format": "npz", "valid": True}):
            with self.assertRaisesRegex(Exception, "asset slc: complex pixels support only"):
                self.value("SELECT stacchip_chip(?, ?)", row, json.dumps(options))
        with self.assertRaisesRegex(Exception, "complex pixels support only"):
            self.value("SELECT stacchip_band_stats(?)", row)


class Masked(Made):
    """Files whose nodata is a mask or an alpha band."""

    def rgba(self):
        array = self.rng.integers(1, 255, (4, 96, 96)).astype("u1")
        array[3] = 255
        array[3, 10:40, 20:90] = 0
        path = self.tiff("rgba", array, options=["-colorinterp", "red,green,blue,alpha"])
        return array, make_item({"rgba": {"href": path, "type": "image/tiff"}})

    def masked(self):
        array, _ = self.rgba()
        path = translate(os.path.join(self.folder.name, "rgba.tif"), os.path.join(self.folder.name, "masked.tif"),
                         "-b", "1", "-b", "2", "-mask", "4", "--config", "GDAL_TIFF_INTERNAL_MASK", "YES", "-co", "COMPRESS=DEFLATE", "-co", "TILED=YES")
        return array, make_item({"masked": {"href": path, "type": "image/tiff"}})

    def planes(self, path, side=64):
        return gdal_judge.ask([{"path": path, "windows": [[0, 0, side, side, side, side]]}])[0]["arrays"][0]

    def mask_of(self, path):
        return self.planes(translate(path, os.path.join(self.folder.name, "mask.tif"), "-b", "mask"))[0]

    def valid(self, item):
        return numpy.load(io.BytesIO(self.value("SELECT stacchip_chip(?, '{\"format\":\"npz\",\"valid\":true}')", handle(item, 0, 0, 64))))["valid"]

    def test_valid_says_what_the_mask_says(self):
        for make, bands in ((self.rgba, 3), (self.masked, 2)):
            array, item = make()
            mask = array[3, :64, :64] > 0
            valid = self.valid(item)
            for band in range(bands):
                numpy.testing.assert_array_equal(valid[band], mask)
            stats = json.loads(self.value("SELECT stacchip_band_stats(?)", handle(item, 0, 0, 64)))
            self.assertEqual(stats["count"][:bands], [int(mask.sum())] * bands)
            numpy.testing.assert_allclose(stats["mean"][0], array[0, :64, :64][mask].mean())
            png = self.planes(self.save("a.png", self.value("SELECT stacchip_chip(?, '{\"format\":\"png\"}')", handle(item, 0, 0, 64))))
            numpy.testing.assert_array_equal(png[-1] > 0, mask)

    def test_a_geotiff_keeps_mask_and_alpha(self):
        array, item = self.rgba()
        path = self.save("a.tif", self.value("SELECT stacchip_chip(?, '{\"format\":\"geotiff\"}')", handle(item, 0, 0, 64)))
        self.assertEqual([b["colorInterpretation"] for b in self.gdalinfo(path)["bands"]][3], "Alpha")
        array, item = self.masked()
        path = self.save("b.tif", self.value("SELECT stacchip_chip(?, '{\"format\":\"geotiff\"}')", handle(item, 0, 0, 64)))
        self.assertIn("PER_DATASET", self.gdalinfo(path)["bands"][0]["mask"]["flags"])
        numpy.testing.assert_array_equal(self.mask_of(path), array[3, :64, :64])

    def test_a_scaled_geotiff_keeps_its_nodata(self):
        array, _ = self.noise(side=64)
        array[0, :9] = 0
        item = make_item({"a": {"href": self.tiff("a", array, options=["-a_nodata", "0"]), "type": "image/tiff", "raster:bands": [{"scale": 0.0001, "offset": -0.1}]}})
        for options, shown in (({"scale": True}, -0.1), ({"dtype": "int64"}, 0), ({"dtype": "uint64"}, 0)):
            row, text = handle(item, 0, 0, 64), json.dumps(dict(options, format="geotiff"))
            path = self.save("s.tif", self.value("SELECT stacchip_chip(?, ?)", row, text))
            band = self.gdalinfo(path)["bands"][0]
            self.assertAlmostEqual(band["noDataValue"], shown, 6, options)
            self.assertEqual(self.mask_of(path).min(axis=1).tolist(), [0] * 9 + [255] * 55)
            info = json.loads(self.value("SELECT stacchip_chip_info(?, ?)", row, text))
            self.assertEqual((info["scale"], info["offset"]), ([1], [0]) if "scale" in options else ([0.0001], [-0.1]))


class Statistics(Made):
    def check(self, got, values, places=9):
        for i, v in enumerate(values):
            v = v.astype("f8")
            self.assertEqual(got["count"][i], v.size)
            numpy.testing.assert_allclose([got["mean"][i], got["std"][i]], [v.mean(), v.std()], rtol=1e-10)
            self.assertEqual((got["min"][i], got["max"][i]), (v.min(), v.max()))

    def test_equal_to_numpy_and_merge(self):
        array, item = self.noise(side=256, bands=2, least=0, most=9000, options=["-a_nodata", "0"])
        array[:, :30, :200] = 0
        array[1] //= 3
        item = make_item({"a": {"href": self.tiff("a", array, options=["-a_nodata", "0"]), "type": "image/tiff"}})
        self.db.execute("CREATE TABLE t(k INTEGER PRIMARY KEY, r)")
        self.db.executemany("INSERT INTO t(r) VALUES (?)", [(handle(item, x, y, 64),) for y in range(4) for x in range(4)])
        got = json.loads(self.value("SELECT stacchip_band_stats(r, '{\"percentiles\":[0,1,50,99.5,100]}') FROM t"))
        valid = [plane[plane != 0] for plane in array]
        self.check(got, valid)
        for i in range(2):
            numpy.testing.assert_allclose(got["percentiles"][i], numpy.percentile(valid[i], [0, 1, 50, 99.5, 100]), rtol=1e-12)
        merged = json.loads(self.value("SELECT stacchip_band_stats_merge(s) FROM (SELECT stacchip_band_stats(r) s FROM t GROUP BY k % 3)"))
        self.check(merged, valid)
        for i in range(2):
            want = numpy.percentile(valid[i], [2, 25, 50, 75, 98])
            numpy.testing.assert_allclose(merged["percentiles"][i], want, atol=0.01 * (valid[i].max() - valid[i].min()))
        again = json.loads(self.value("SELECT stacchip_band_stats_merge(s) FROM (SELECT stacchip_band_stats_merge(s) s FROM (SELECT k, stacchip_band_stats(r) s FROM t GROUP BY k % 4) GROUP BY k % 2)"))
        self.check(again, valid)

    def test_other_bands_are_not_merged(self):
        _, item = self.noise("a", side=64)
        item["assets"]["b"] = dict(item["assets"]["a"])
        rows = [self.value("SELECT stacchip_band_stats(?, ?)", handle(item, size=64), json.dumps({"assets": assets})) for assets in (["a"], ["b"], ["a", "b"], ["b", "a"])]
        merge = "SELECT json_extract(stacchip_band_stats_merge(value), '$.count') FROM json_each(?)"
        self.assertEqual(self.value(merge, json.dumps([rows[2], rows[2]])), "[8192,8192]")
        for pair in ((0, 1), (2, 3), (0, 2)):
            with self.assertRaisesRegex(Exception, "different bands"):
                self.value(merge, json.dumps([rows[k] for k in pair]))

    def test_results_that_were_cut_short_are_not_merged(self):
        _, item = self.noise(side=64, bands=3)
        whole = json.loads(self.value("SELECT stacchip_band_stats(?)", handle(item, size=64)))
        merge = "SELECT stacchip_band_stats_merge(value) FROM json_each(?)"
        for key in ("count", "mean", "std", "min", "max", "quantiles"):
            for short in (dict(whole, **{key: whole[key][:2]}), {k: v for k, v in whole.items() if k != key}):
                with self.assertRaisesRegex(Exception, f"'{key}' has . values for 3 bands"):
                    self.value(merge, json.dumps([json.dumps(whole), json.dumps(short)]))
        for key in ("count", "mean", "max"):
            with self.assertRaisesRegex(Exception, "band 2 has no "):
                self.value(merge, json.dumps([json.dumps(dict(whole, **{key: whole[key][:1] + [None] + whole[key][2:]}))]))
        empty = dict(whole, count=[0] * 3, mean=[None] * 3, std=[None] * 3, min=[None] * 3, max=[None] * 3, quantiles=[[]] * 3)
        self.assertEqual(json.loads(self.value(merge, json.dumps([json.dumps(whole), json.dumps(empty)])))["count"], whole["count"])

    def test_large_values_lose_no_digits(self):
        array = (1e9 + self.rng.normal(0, 1, (1, 128, 128))).astype("f8")
        item = make_item({"a": {"href": self.tiff("a", array), "type": "image/tiff"}})
        self.db.execute("CREATE TABLE t AS SELECT ? r UNION ALL SELECT ?", (handle(item, 0, 0, 64), handle(item, 1, 1, 64)))
        got = json.loads(self.value("SELECT stacchip_band_stats(r) FROM t"))
        v = numpy.concatenate([array[0, :64, :64].ravel(), array[0, 64:, 64:].ravel()])
        numpy.testing.assert_allclose(got["std"][0], v.std(), rtol=1e-7)

    def test_clouds_are_left_out(self):
        self.value("SELECT stacchip_platform_set('cloudy', json_object('match', '0', 'mask', 'qa', 'cloud', 'v = 3', 'nodata', 'v = 0', 'assets', json_array('a')))")
        array, item = self.noise("a", side=128)
        qa = self.rng.integers(0, 5, (1, 64, 64)).astype("u1")
        item["assets"]["qa"] = {"href": self.tiff("qa", qa, transform=[20.0, 0.0, 5e5, 0.0, -20.0, 5e6]), "type": "image/tiff"}
        row = handle(item, size=128, platform="cloudy")
        got = json.loads(self.value("SELECT stacchip_band_stats(?, '{\"exclude_cloud\":true}')", row))
        clear = numpy.repeat(numpy.repeat(qa[0], 2, 0), 2, 1) != 3
        self.check(got, [array[0][clear]])
        with self.assertRaisesRegex(Exception, "has no mask"):
            self.value("SELECT stacchip_band_stats(?, '{\"exclude_cloud\":true}')", handle(item, size=128))


def block_table(path):
    """(offset, size) of the blocks of a little-endian classic TIFF's first image."""
    import struct
    with open(path, "rb") as f:
        data = f.read()
    at, = struct.unpack_from("<I", data, 4)
    n, = struct.unpack_from("<H", data, at)
    found = {}
    for i in range(n):
        tag, kind, count, where = struct.unpack_from("<HHII", data, at + 2 + 12 * i)
        if tag in (324, 325, 273, 279):
            code = "H" if kind == 3 else "I"
            position = at + 2 + 12 * i + 8 if count * struct.calcsize(code) <= 4 else where
            found[tag] = struct.unpack_from(f"<{count}{code}", data, position)
    return list(zip(found.get(324, found.get(273)), found.get(325, found.get(279))))


def damage_block(path, block, at=0.5, n=40):
    offset, size = block_table(path)[block]
    with open(path, "r+b") as f:
        f.seek(offset + int(size * at))
        f.write(b"\xff" * min(n, size - int(size * at)))


class Damage(Made):
    def test_flipped_bytes_are_an_error_never_other_pixels(self):
        rng = random.Random(SEED)
        array, item = self.noise(side=128)
        path = item["assets"]["noise"]["href"]
        with open(path, "rb") as f:
            whole = f.read()
        for compression in ("DEFLATE", "ZSTD"):
            path = self.tiff("flip", array, f"COMPRESS={compression}", "TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64")
            with open(path, "rb") as f:
                whole = f.read()
            item = make_item({"a": {"href": path, "type": "image/tiff"}})
            table, errors = block_table(path), 0
            for k in range(60):
                offset, size = table[0]
                bad = bytearray(whole)
                bad[offset + rng.randrange(size)] ^= 1 << rng.randrange(8)
                with open(path, "wb") as f:
                    f.write(bad)
                for verify in (0, 1):
                    settings(self.db, verify=verify)
                    judge = gdal_judge.ask([{"path": path, "windows": [[0, 0, 64, 64, 64, 64]]}])[0] if verify and k % 10 == 0 else None
                    try:
                        got = chip(self.db, handle(item, size=64))
                    except Exception as e:
                        errors += 1
                        self.assertRegex(str(e), "item scene: asset a: .*flip.tif: ")
                        continue
                    if compression == "DEFLATE":  # it has a checksum
                        numpy.testing.assert_array_equal(got[0], array[0, :64, :64])
                    elif judge and "error" not in judge:
                        numpy.testing.assert_array_equal(got[0], judge["arrays"][0][0])
            if compression == "DEFLATE":
                self.assertGreater(errors, 60)

    def test_verify_sees_what_lies_behind_the_window(self):
        array, item = self.noise(side=256, transform=[10.0, 0.0, 5e5, 0.0, -10.0, 5e6])
        path = self.tiff("deep", array, "COMPRESS=DEFLATE", "TILED=YES", "BLOCKXSIZE=256", "BLOCKYSIZE=256")
        item = make_item({"a": {"href": path, "type": "image/tiff"}})
        damage_block(path, 0, at=0.9)
        numpy.testing.assert_array_equal(chip(self.db, handle(item, 0, 0, 64))[0], array[0, :64, :64])
        with self.assertRaisesRegex(Exception, "asset a"):
            chip(self.db, handle(item, 0, 3, 64))
        settings(self.db, verify=1)
        self.assertRaises(Exception, chip, self.db, handle(item, 1, 0, 64))

    def test_truncated_file_names_item_asset_and_href(self):
        array, item = self.noise(side=192)
        path = item["assets"]["noise"]["href"]
        with open(path, "rb") as f:
            whole = f.read()
        offset, size = block_table(path)[8]
        with open(path, "wb") as f:
            f.write(whole[:offset + size // 2])
        numpy.testing.assert_array_equal(chip(self.db, handle(item, 0, 0, 64))[0], array[0, :64, :64])
        with self.assertRaisesRegex(Exception, "item scene: asset noise: .*noise.tif: .*"):
            chip(self.db, handle(item, 2, 2, 64))
        self.assertIsNone(self.value("SELECT stacchip_chip(?, '{\"on_error\":\"null\"}')", handle(item, 2, 2, 64)))

    def test_a_file_that_changes_is_read_anew(self):
        first, item = self.noise()
        row = handle(item, size=64)
        numpy.testing.assert_array_equal(chip(self.db, row)[0], first[0, :64, :64])
        second, _ = self.noise()
        numpy.testing.assert_array_equal(chip(self.db, row)[0], second[0, :64, :64])

    def test_a_file_is_replaced_while_a_statement_reads_it(self):
        first, item = self.noise()
        path = item["assets"]["noise"]["href"]
        second, other = self.noise("other")
        row = handle(item, 0, 0, 64)
        chips = self.db.execute("WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k LIMIT 4) SELECT stacchip_chip(? || substr('', i)) FROM k", (row,))
        read = lambda: numpy.load(io.BytesIO(next(chips)[0]))[0]
        numpy.testing.assert_array_equal(read(), first[0, :64, :64])
        os.replace(other["assets"]["other"]["href"], path)
        numpy.testing.assert_array_equal(chip(self.db, row)[0], second[0, :64, :64])  # another statement, at once
        time.sleep(0.06)
        next(chips)  # Python's module steps one row ahead
        numpy.testing.assert_array_equal(read(), second[0, :64, :64])  # this one, a moment later

    def test_stale_handle_of_a_merged_index(self):
        array, item = self.noise()
        self.db.execute("CREATE VIRTUAL TABLE c USING stacchip_merge(chip_size=64, platform='none')")
        self.db.execute("INSERT INTO c(item_json) VALUES (?)", (json.dumps(item),))
        row = self.value("SELECT row FROM c WHERE chip_index_x = 1 AND chip_index_y = 2")
        numpy.testing.assert_array_equal(chip(self.db, row)[0], array[0, 128:192, 64:128])
        rowid = self.value("SELECT rowid FROM c WHERE chip_index_x = 1 AND chip_index_y = 2")
        path = self.folder.name + "/other.db"
        self.db.execute("VACUUM INTO ?", (path,))
        self.db.execute("ATTACH ? AS att", (path,))
        for table in ("c", "main.c", "att.c"):
            numpy.testing.assert_array_equal(chip(self.db, rowid, table=table)[0], array[0, 128:192, 64:128])
        for table in ("no.c", "att.no", "d"):
            self.assertRaisesRegex(Exception, "no merged index", chip, self.db, rowid, table=table)
        other = dict(item, id="other")
        self.db.execute("DELETE FROM c")
        self.assertRaises(Exception, chip, self.db, row)
        self.db.execute("INSERT INTO c(item_json) VALUES (?)", (json.dumps(other),))
        self.assertRaises(Exception, chip, self.db, row)


class IndexFiles(Made):
    """Chips of index files, whose item is in a bucket: a position means nothing on another grid of chips."""

    def setUp(self):
        super().setUp()
        self.array, item = self.noise(side=256)
        self.bucket = self.folder.name + "/bucket"
        path = f"{self.bucket}/none/{item['id']}/stac_item.json"
        os.makedirs(os.path.dirname(path))
        with open(path, "w") as f:
            json.dump(item, f)
        self.files = {}
        for name, options in (("64", {"chip_size": 64}), ("stride", {"chip_size": 64, "stride": 32}), ("shift", {"chip_size": 64, "edge": "shift"})):
            options["platform"] = "none"
            arguments = ",".join(f"{k}={v}" for k, v in options.items())
            self.db.execute(f"CREATE VIRTUAL TABLE m_{name} USING stacchip_merge({arguments})")
            self.db.execute(f"INSERT INTO m_{name}(item_json) VALUES (?)", (path,))
            self.db.execute(f"CREATE TABLE t_{name} AS SELECT * FROM stacchip_index(?, ?)", (path, json.dumps(options)))
            for kind in "mt":  # ones of a merged index say their chip size, of other tables they do not
                self.db.execute(f"SELECT stacchip_export('{kind}_{name}', ?)", (f"{self.folder.name}/{kind}_{name}.parquet",))

    def merge(self, file, **options):
        arguments = ",".join(f"{k}={v}" for k, v in options.items())
        self.db.execute("DROP TABLE IF EXISTS c")
        self.db.execute(f"CREATE VIRTUAL TABLE c USING stacchip_merge({arguments}, bucket='{self.bucket}')")
        return self.db.execute("INSERT INTO c SELECT * FROM stacchip_parquet(?)", (f"{self.folder.name}/{file}.parquet",)).rowcount

    def read(self, x, y):
        return chip(self.db, self.value(f"SELECT row FROM c WHERE chip_index_x = {x} AND chip_index_y = {y}"))[0]

    def test_a_file_that_says_another_chip_size_is_refused(self):
        self.assertEqual(self.merge("m_64", chip_size=64), 16)
        for file, options in (("m_64", {"chip_size": 32}), ("m_stride", {"chip_size": 64}), ("m_shift", {"chip_size": 64}), ("m_64", {})):
            with self.subTest(file=file, options=options), self.assertRaisesRegex(Exception, "its file says chip_size=64, stride=.*created with"):
                self.merge(file, **options)
            self.assertEqual(self.value("SELECT count(*) FROM c_item"), 0)
        self.merge("m_stride", chip_size=64, stride=32)  # and a file made of rows says it again
        again = self.folder.name + "/again.parquet"
        self.db.execute("SELECT stacchip_export('c', ?)", (again,))
        with self.assertRaisesRegex(Exception, "says chip_size=64, stride=32"):
            self.merge("again", chip_size=64)

    def test_pixels_of_another_place_are_an_error(self):
        self.merge("t_64", chip_size=64)
        numpy.testing.assert_array_equal(self.read(3, 2), self.array[0, 128:192, 192:256])
        numpy.testing.assert_array_equal(self.read(0, 0), self.array[0, :64, :64])
        self.merge("t_64", chip_size=32)
        for x, y in ((3, 3), (0, 0), (1, 0)):
            self.assertRaisesRegex(Exception, "does not lie where its row in c says", self.read, x, y)
        self.merge("t_stride", chip_size=64)
        numpy.testing.assert_array_equal(self.read(0, 0), self.array[0, :64, :64])  # the same on both
        self.assertRaisesRegex(Exception, "does not lie where its row in c says", self.read, 0, 1)
        with self.assertRaisesRegex(Exception, "does not lie where"):
            self.value("SELECT stacchip_row_export(row) FROM c WHERE chip_index_x = 1")


class Masks(Made):
    """Masks of signed and wide types, as MODIS has them."""

    def test_fractions_of_every_type(self):
        for dtype in ("u1", "u2", "i2", "u4", "i4", "f4"):
            self.value("SELECT stacchip_platform_set('m', json_object('match', '0', 'mask', 'qa', 'cloud', 'v > 3', 'nodata', 'v < 1', 'assets', json_array('a')))")
            qa = self.rng.integers(-4 if dtype[0] != "u" else 0, 9, (1, 128, 128)).astype(dtype)
            array, item = self.noise("a", side=128)
            item["assets"]["qa"] = {"href": self.tiff("qa", qa), "type": "image/tiff"}
            rows = self.db.execute("SELECT chip_index_x, chip_index_y, cloud_cover_percentage, nodata_percentage FROM stacchip_index(?, '{\"platform\":\"m\",\"chip_size\":32,\"max_nodata\":1}')", (json.dumps(item),)).fetchall()
            self.assertEqual(len(rows), 16)
            for x, y, cloud, nodata in rows:
                part = qa[0, y * 32:y * 32 + 32, x * 32:x * 32 + 32]
                self.assertEqual((cloud, nodata), (numpy.float32((part > 3).mean()), numpy.float32((part < 1).mean())), f"{dtype} {x},{y}")


if __name__ == "__main__":
    host.main()
