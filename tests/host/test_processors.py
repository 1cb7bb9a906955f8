"""What the processors, prechip and stats write and read, against NumPy, Python's random and plain tables."""
import datetime
import io
import json
import math
import os
import random
import shutil
import sqlite3
import subprocess
import tempfile
import unittest

import host
import numpy
import tiff
import web

PROGRAM = os.path.join(os.path.dirname(host.EXT), "stacchip")
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "STACCHIP_", "SLURM_", "JOB_")) and k != "LD_PRELOAD"}
S2_BANDS = ["blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "swir16", "swir22"]
MODIS_BANDS = [f"sur_refl_b0{k}" for k in range(1, 8)]


def write_json(path, value):
    with open(path, "w") as f:
        json.dump(value, f)
    return path


def read_json(path):
    with open(path) as f:
        return json.load(f)


class Work(unittest.TestCase):
    """A folder, and the program with a clean environment."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="stacchip_")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def path(self, *names):
        path = os.path.join(self.folder, *names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def run_it(self, *arguments, code=0, **env):
        r = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=300, env=dict(CLEAN, STACCHIP_RETRIES="0", STACCHIP_HOSTS="127.0.0.1", **env))
        self.assertEqual(r.returncode, code, r.stderr)
        return r


class Cubes(Work):
    """prechip and stats over a bucket that is made here."""

    def add_item(self, platform, name, day, assets, options="{}"):
        """An item of {key: (array, nodata)} in the bucket, and its index."""
        item = {"type": "Feature", "stac_version": "1.0.0", "id": name, "geometry": None, "links": [], "properties": {"datetime": day}, "assets": {}}
        for key, (array, nodata) in assets.items():
            tiff.write(self.path("bucket", platform, name, key + ".tif"), array, nodata=nodata)
            item["assets"][key] = {"href": f"./{key}.tif", "type": "image/tiff; application=geotiff", "roles": ["data"]}
        path = write_json(self.path("bucket", platform, name, "stac_item.json"), item)
        db = host.connect()
        db.execute("CREATE TABLE t AS SELECT * FROM stacchip_index(?, ?)", (path, json.dumps({"platform": platform, "max_nodata": 1, **json.loads(options)})))
        db.execute("SELECT stacchip_export('t', ?)", (self.path("bucket", "index", platform, name, f"index_{name}.parquet"),))
        return path

    def prechip(self, platform, *more, code=0, **env):
        return self.run_it("prechip", "--row", "0", "--data-bucket", self.path("bucket"), "--index", self.path("bucket", "index"), "--chip-bucket", self.path("cubes"),
                           "--platform", platform, "--keep-incomplete", "--max-nodata", "1", *more, code=code, **env)

    def cube(self, platform, n=0):
        return numpy.load(self.path("cubes", "mode_v1_chipper_v2", platform, f"cube_{n}.npz"))

    def stats(self, platform, *more, **env):
        return json.loads(self.run_it("stats", "--platform", platform, *(more or ("--chip-bucket", self.path("cubes"))), **env).stdout)

    def check_line(self, cube, i, value, name, when, places):
        """What stands at place i is of one chip."""
        x, y = (int(v) for v in str(cube["chipid"][i]).split("-")[-2:])
        week = when.isocalendar()[1] * 2 * math.pi / 52
        hour = when.hour * 2 * math.pi / 24
        lon, lat = (math.radians(v) for v in places[name, x, y])
        self.assertEqual(int(cube["pixels"][i].flat[0]), value + 10 * y + x)
        for key, angle in (("week_norm", week), ("hour_norm", hour), ("lat_norm", lat), ("lon_norm", lon)):
            self.assertTrue(numpy.allclose(cube[key][i], [math.sin(angle), math.cos(angle)], atol=1e-6), (i, key))

    def test_every_array_of_a_cube_has_one_order(self):
        times = {}
        for k in range(5):
            when = datetime.datetime(2021, 1 + 2 * k, 3 + k, 4 * k)
            times[f"S2_{k}"] = (1000 * (k + 1), when)
            array = numpy.zeros((1, 768, 768), "u2")
            for y in range(3):
                for x in range(3):
                    array[0, y * 256:(y + 1) * 256, x * 256:(x + 1) * 256] = 1000 * (k + 1) + 10 * y + x
            self.add_item("sentinel-2-l2a", f"S2_{k}", when.strftime("%Y-%m-%dT%H:%M:%SZ"), dict({b: (array, 0) for b in S2_BANDS}, scl=(numpy.full((1, 768, 768), 4, "u1"), 0)))
        places = {(i, x, y): (lon, lat) for i, x, y, lon, lat in host.connect().execute(
            "SELECT item, chip_index_x, chip_index_y, (MbrMinX(geometry) + MbrMaxX(geometry)) / 2, (MbrMinY(geometry) + MbrMaxY(geometry)) / 2 FROM stacchip_parquet(?)", (self.path("bucket", "index"),))}
        self.prechip("sentinel-2-l2a")
        cube = self.cube("sentinel-2-l2a")
        self.assertEqual(cube["pixels"].shape, (45, 10, 256, 256))
        self.assertEqual(list(cube["bands"]), S2_BANDS)
        self.assertEqual(len(set(cube["chipid"])), 45)
        for i, chipid in enumerate(cube["chipid"]):
            name = str(chipid).rsplit("-", 2)[0]
            value, when = times[name]
            self.assertEqual(str(cube["datetime"][i])[:13], when.strftime("%Y-%m-%dT%H"))
            self.check_line(cube, i, value, name, when, places)
        self.assertFalse(all(str(a) < str(b) for a, b in zip(cube["chipid"], cube["chipid"][1:])), "drawn, not sorted")

    def test_an_item_without_a_time(self):
        path = self.add_item("naip", "m_4207009_ne_19_060_20211024", "2021-10-24T00:00:00Z", {"image": (numpy.ones((4, 256, 256), "u1"), None)})
        write_json(path, dict(read_json(path), properties={"datetime": None}))
        self.assertIn("m_4207009_ne_19_060_20211024-0-0: it has no time", self.prechip("naip", code=1).stderr)

    def test_no_chip_of_the_platform(self):
        self.add_item("naip", "m_4207009_ne_19_060_20211024", "2021-10-24T00:00:00Z", {"image": (numpy.ones((4, 256, 256), "u1"), None)})
        r = self.prechip("linz", code=1)
        self.assertIn("no chip of platform linz with at most 1 of nodata", r.stderr)

    def fill(self, platform, bands, dtype, nodata, low, high):
        """Two scenes of noise with true zeros and nodata; returns {band: valid values}."""
        rng = numpy.random.default_rng(5)
        for k in range(2):
            a = rng.integers(low, high, (len(bands), 512, 512)).astype(dtype)
            a[:, 40:80] = 0
            if nodata is not None:
                a[:, :, 100:150] = nodata
            assets = {b: (a[i:i + 1], nodata) for i, b in enumerate(bands)} if platform != "naip" else {"image": (a, nodata)}
            if platform == "modis":
                assets["sur_refl_qc_500m"] = (numpy.zeros((1, 512, 512), "u4"), None)
            name = f"S{k}" if platform != "naip" else f"m_420700{k}_ne_19_060_20211024"
            self.add_item(platform, name, "2021-06-01T00:00:00Z", assets)
            yield a.astype("f8")

    def check_moments(self, stats, names, scenes, nodata):
        self.assertEqual(stats["assets"], names)
        for i, name in enumerate(names):
            v = numpy.concatenate([a[i].ravel() for a in scenes])
            v = v[v != nodata]
            band = stats["bands"][name.split(":")[-1] if ":" in name and not name[-1].isdigit() else name]
            for got in ((stats["count"][i], stats["mean"][i], stats["std"][i]), (band["count"], band["mean"], band["std"])):
                self.assertEqual(got[0], v.size)
                self.assertAlmostEqual(got[1], v.mean(), delta=1e-6 * abs(v.mean()))
                self.assertAlmostEqual(got[2], v.std(), delta=1e-6 * v.std())

    def test_statistics_of_cubes_and_of_chips_agree(self):
        for platform, bands, dtype, nodata, low, high in (("modis", MODIS_BANDS, "i2", -28672, -100, 8000), ("sentinel-1-rtc", ["vv", "vh"], "f4", -32768, 0, 50)):
            with self.subTest(platform):
                scenes = list(self.fill(platform, bands, dtype, nodata, low, high))
                self.prechip(platform)
                self.check_moments(self.stats(platform), bands, scenes, nodata)
                self.check_moments(self.stats(platform, "--threads", "3", "--chip-bucket", self.path("cubes")), bands, scenes, nodata)
                self.check_moments(self.stats(platform, "--index", self.path("bucket", "index"), "--data-bucket", self.path("bucket")), bands, scenes, nodata)

    def test_zeros_of_naip_are_dark_water(self):
        scenes = list(self.fill("naip", "rgbn", "u1", None, 1, 250))
        self.prechip("naip")
        cubes, chips = self.stats("naip"), self.stats("naip", "--index", self.path("bucket", "index"), "--data-bucket", self.path("bucket"))
        self.check_moments(cubes, cubes["assets"], scenes, None)
        self.assertEqual((cubes["assets"], cubes["count"]), (chips["assets"], chips["count"]))

    def test_cubes_of_the_python_package(self):
        """They say neither which pixels are valid nor which bands they have."""
        rng = numpy.random.default_rng(3)
        for platform, nodata, names in (("modis", -28672, MODIS_BANDS), ("sentinel-1-rtc", -32768, ["vv", "vh"]), ("naip", 0, ["red", "green", "blue", "nir"]), ("sentinel-2-l2a", 0, S2_BANDS),
                                        ("landsat-c2l1", 0, ["red", "green", "blue", "nir08", "swir16", "swir22"])):
            cubes = []
            for k in range(2):
                a = rng.integers(0, 40, (3, len(names), 64, 64)).astype("f4")
                a[:, :, :16] = nodata
                (numpy.savez_compressed if k else numpy.savez)(self.path("cubes", "mode_v1_chipper_v2", platform, f"cube_{k}.npz"), pixels=a)
                cubes.append(numpy.swapaxes(a, 0, 1).reshape(len(names), -1).astype("f8"))
            self.check_moments(self.stats(platform), names, cubes, nodata)
        for variables, n in (({"STACCHIP_MAX_CUBES": "1"}, 1), ({"STACCHIP_POOL_SIZE": "2"}, 2)):
            self.assertEqual(self.stats("modis", **variables)["cubes"], n)
        self.run_it("stats", "--platform", "modis", "--chip-bucket", self.path("cubes"), code=2, STACCHIP_MAX_CUBES="few")
        self.run_it("stats", "--platform", "modis", "--chip-bucket", self.path("cubes"), code=2, STACCHIP_POOL_SIZE="0")
        self.run_it("prechip", "--row", "0", "--data-bucket", self.path("bucket"), "--index", "x", "--chip-bucket", "y", "--platform", "naip", code=2, STACCHIP_POOL_SIZE="none")

    def test_damaged_cubes(self):
        whole = io.BytesIO()
        numpy.savez_compressed(whole, pixels=numpy.ones((2, 7, 16, 16), "f4"))
        path = self.path("cubes", "mode_v1_chipper_v2", "modis", "cube_0.npz")
        whole = whole.getvalue()
        rng = random.Random(4)
        for k in range(24):
            data = bytearray(whole[:rng.randrange(len(whole))] if k % 2 else whole)
            for _ in range(3 * (k % 2 == 0)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            with open(path, "wb") as f:
                f.write(data)
            r = subprocess.run([PROGRAM, "stats", "--platform", "modis", "--chip-bucket", self.path("cubes")], capture_output=True, text=True, env=CLEAN)
            self.assertIn(r.returncode, (0, 1), (k, r.stderr))
            self.assertTrue(r.returncode == 0 or "cube_0.npz: " in r.stderr, (k, r.stderr))
        for arrays, words in (({"pixels": numpy.ones((2, 7, 16), "f4")}, "no float32 array of four dimensions"), ({"pixels": numpy.ones((2, 7, 16, 16), "f8")}, "no float32 array"),
                              ({"other": numpy.ones(3)}, "no array 'pixels'"), ({"pixels": numpy.asfortranarray(numpy.ones((2, 7, 16, 16), "f4"))}, "an array of another kind"),
                              ({"pixels": numpy.ones((2, 7, 16, 16), "f4"), "valid": numpy.ones((2, 7, 16, 8), "?")}, "valid is no array of the pixels' shape")):
            numpy.savez(path, **arrays)
            self.assertIn(words, self.run_it("stats", "--platform", "modis", "--chip-bucket", self.path("cubes"), code=1).stderr)


if __name__ == "__main__":
    host.main()
