"""Chips equal what GDAL reads: every raster of ../shared/fixtures and files made here in every packing, at random windows."""
import io
import json
import os
import random
import subprocess
import tempfile
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
    if dtype.kind == "f":
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
    types = {"u1": "Byte", "u2": "UInt16", "i2": "Int16", "u4": "UInt32", "i4": "Int32", "u8": "UInt64", "i8": "Int64", "f4": "Float32", "f8": "Float64"}
    n, h, w = array.shape
    size = array.dtype.itemsize
    array.tofile(path)
    with open(path + ".vrt", "w") as f:
        f.write(f'<VRTDataset rasterXSize="{w}" rasterYSize="{h}">')
        for k in range(n):
            f.write(f'<VRTRasterBand dataType="{types[array.dtype.str[1:]]}" band="{k + 1}" subClass="VRTRawRasterBand">'
                    f'<SourceFilename relativeToVRT="0">{path}</SourceFilename><ImageOffset>{k * h * w * size}</ImageOffset>'
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
    paths.append(make_tiff(folder, "i1", small, "COMPRESS=DEFLATE", "PREDICTOR=2", "PIXELTYPE=SIGNEDBYTE", "TILED=YES"))
    paths.append(make_tiff(folder, "big_endian", small.astype("u2"), "COMPRESS=DEFLATE", "ENDIANNESS=BIG"))
    paths.append(make_tiff(folder, "bits", small & 7, "COMPRESS=DEFLATE", "NBITS=3"))
    empty = numpy.zeros((1, 300, 300), "i2")
    empty[0, 10:20, 10:20] = 5
    paths.append(make_tiff(folder, "sparse", empty, "COMPRESS=ZSTD", "TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64", "SPARSE_OK=TRUE", options=["-a_nodata", "-9"]))
    return paths


if __name__ == "__main__":
    host.main()
