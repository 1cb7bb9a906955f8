"""What the processors, prechip and stats write and read, against NumPy, Python's random and plain tables."""
import datetime
import io
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

import host
import numpy
import tiff
import web

PROGRAM = os.path.join(os.path.dirname(host.EXT), "stacchip")
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "STACCHIP_", "SLURM_", "JOB_")) and k != "LD_PRELOAD" and not k.lower().endswith("_proxy")}
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
        r = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=300, env={**CLEAN, "STACCHIP_RETRIES": "0", "STACCHIP_HOSTS": "127.0.0.1", **env})
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
        self.assertIn("m_4207009_ne_19_060_20211024-0-0: no datetime", self.prechip("naip", code=1).stderr)

    def test_no_chip_of_the_platform(self):
        self.add_item("naip", "m_4207009_ne_19_060_20211024", "2021-10-24T00:00:00Z", {"image": (numpy.ones((4, 256, 256), "u1"), None)})
        r = self.prechip("linz", code=1)
        self.assertIn("no chips of platform linz with a nodata fraction up to 1", r.stderr)

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

    def test_links_out_of_the_bucket_are_refused(self):
        cube, below = self.path("out", "modis", "cube_0.npz"), self.path("cubes", "mode_v1_chipper_v2", "modis")
        stats = lambda code: self.run_it("stats", "--platform", "modis", "--chip-bucket", self.path("cubes"), code=code, STACCHIP_LOCAL=self.path("cubes")).stderr
        numpy.savez(cube, pixels=numpy.ones((2, 7, 16, 16), "f4"))
        os.symlink(os.path.dirname(cube), below)
        self.assertIn("allowed in some folders only", stats(1))
        os.unlink(below)
        os.mkdir(below)
        os.symlink(cube, os.path.join(below, "cube_0.npz"))
        self.assertIn("allowed in some folders only", stats(1))
        os.replace(cube, os.path.join(below, "cube_0.npz"))
        stats(0)

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
                              ({"other": numpy.ones(3)}, "no array 'pixels'"), ({"pixels": numpy.asfortranarray(numpy.ones((2, 7, 16, 16), "f4"))}, "expected little-endian numbers or texts in C order"),
                              ({"pixels": numpy.ones((2, 7, 16, 16), "f4"), "valid": numpy.ones((2, 7, 16, 8), "?")}, "valid is no array of the pixels' shape")):
            numpy.savez(path, **arrays)
            self.assertIn(words, self.run_it("stats", "--platform", "modis", "--chip-bucket", self.path("cubes"), code=1).stderr)


class Server(web.Scripted):
    """A catalogue: a search answers with what scenes(body) gives, a GET with files."""

    def __init__(self, scenes=lambda body: [], files=None):
        self.scenes, self.bodies = scenes, []
        super().__init__(files, fault=self.search)

    def search(self, h):
        if h.command != "POST":
            return None
        body = json.loads(h.body)
        with self.lock:
            self.bodies.append(body)
        return lambda h: h.json({"type": "FeatureCollection", "features": self.scenes(body), "links": []})


def quarters(years):
    return [f"{y}-{3 * q + 1:02d}-01" for y in years for q in range(4)]


class Draws(Work):
    """--draw python, by Python's own random as the package uses it (stacchip/processors)."""

    def setUp(self):
        super().setUp()
        self.server = Server()
        self.addCleanup(self.server.close)
        square = [[-63, -33], [-62, -33], [-62, -32], [-63, -32], [-63, -33]]
        self.layer = write_json(self.path("layer.geojson"), {"type": "FeatureCollection", "features": [
            {"type": "Feature", "properties": {"name": "20HNJ"}, "geometry": {"type": "Polygon", "coordinates": [square]}}] * 60})

    def draw(self, command, row, *more):
        self.server.bodies.clear()
        return self.run_it(command, "--row", str(row), "--bucket", self.folder, "--stac-api", self.server.url, "--dry-run", *(more or ("--draw", "python")),
                           STACCHIP_MGRS_SOURCE=self.layer, STACCHIP_SAMPLE_SOURCE=self.layer)

    def days(self):
        return [b["datetime"][:10] for b in self.server.bodies]

    def test_years_quarters_and_months(self):
        for row in (0, 1, 7, 23, 59):
            random.seed(row)
            self.draw("sentinel-2", row)
            self.assertEqual(self.days(), quarters(random.sample(range(2018, 2023), 2)))
            random.seed(row)
            year = random.sample(range(2018, 2024), 1)
            self.draw("landsat", row)
            self.assertEqual([(b["collections"][0], b["datetime"][:10]) for b in self.server.bodies], [(c, d) for c in ("landsat-c2l1", "landsat-c2l2-sr") for d in quarters(year)])
            random.seed(row)
            year = random.sample(range(2018, 2024), 1)
            self.draw("sentinel-1", row)
            self.assertEqual(self.days(), [random.sample(quarters(year), 1)[0]])
        for row, v, h in ((0, 2, 12), (12, 3, 9), (100, 7, 20), (232, 14, 22)):
            days = []
            for year in (2018, 2020, 2022, 2023):
                random.seed(v * h * year)
                days += [f"{year}-{m:02d}-01" for m in random.sample(range(1, 13), 4)]
            self.draw("modis", row)
            self.assertEqual(self.days(), days)

    def test_no_scene_is_no_failure(self):
        self.assertIn("no scenes found", self.draw("sentinel-2", 0, "--draw", "hash").stderr)

    def test_second_naip_scene(self):
        years = [2010, 2012, 2012, 2014, 2016, 2018, 2020, 2022]
        scenes = [{"type": "Feature", "stac_version": "1.0.0", "id": f"m_{k}_{y}", "properties": {"datetime": f"{y}-05-05T00:00:00Z", "naip:year": str(y)}, "assets": {}} for k, y in enumerate(years)]
        self.server.scenes = lambda body: scenes
        for row in range(6):
            r = self.draw("naip", row)
            self.assertEqual((self.server.bodies[0]["sortby"], self.server.bodies[0]["limit"]), ([{"field": "properties.naip:year", "direction": "asc"}], 100))
            random.seed(row)
            self.assertEqual([line.split()[-1] for line in r.stderr.splitlines() if line.startswith("would process")], [scenes[-1]["id"], random.choice(scenes[:-1])["id"]])
        self.server.scenes = lambda body: scenes[:1]
        self.assertEqual(self.draw("naip", 0).stderr.count("would process"), 1)

    def test_half_of_a_linz_region(self):
        names = [f"BA3{k % 5}_1000_{k:04d}" for k in range(47)]
        base = "/wellington/wellington_2021_0.3m/rgb/2193/"
        for k, name in enumerate(names):
            item = {"type": "Feature", "stac_version": "1.0.0", "id": name, "geometry": None, "links": [], "properties": {"datetime": "2021-01-01T00:00:00Z"},
                    "assets": {"visual": {"href": f"./{name}.tiff", "type": "image/tiff; application=geotiff"}}}
            self.server.files[f"{base}{name}.json"] = json.dumps(item).encode()
        self.server.files[base + "collection.json"] = json.dumps({"type": "Collection", "stac_version": "1.0.0", "id": "c", "links": [{"rel": "item", "href": f"./{n}.json"} for n in reversed(names)]}).encode()
        r = self.draw("linz", 2)
        random.seed(42)
        self.assertEqual([line.split()[-1] for line in r.stderr.splitlines() if line.startswith("would process")], random.sample(sorted(names), 23))
        again = [self.draw("linz", 2, "--draw", "hash").stderr for _ in range(2)]
        self.assertEqual((again[0], again[0].count("would process")), (again[1], 23))

    def test_cloud_limit_of_sentinel_2(self):
        def scenes(body):
            return [{"type": "Feature", "stac_version": "1.0.0", "id": f"c{cloud}", "properties": {"datetime": body["datetime"][:10] + "T01:00:00Z", "eo:cloud_cover": cloud}, "assets": {}} for cloud in clouds]
        self.server.scenes = scenes
        for clouds, limit, n in (((3, 1), "python", 0), ((3, 0.7), "python", 8), ((3, 1), "hash", 8), ((80,), "hash", 0)):
            self.assertEqual(self.draw("sentinel-2", 4, "--draw", limit).stderr.count("would process"), n, (clouds, limit))
        self.assertIn("--draw: 'dice' is not one of hash, python", self.run_it("naip", "--row", "0", "--bucket", "x", "--draw", "dice", code=2, STACCHIP_SAMPLE_SOURCE=self.layer).stderr)


class FakeStore(Server):
    """The catalogue, and below /archive/ an S3 store whose n_early first PUTs of a name keep nothing."""

    def __init__(self, *arguments):
        self.n_early, self.parts = 0, {}
        super().__init__(*arguments)

    def search(self, h):
        path = h.path.split("?")[0]
        if not path.startswith("/archive"):
            return super().search(h)
        query = h.path.partition("?")[2]
        if h.command == "POST" and "uploads" in query:
            self.parts[path] = {}
            return lambda h: h.answer(200, b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
        if h.command == "PUT" and "partNumber" in query:
            self.parts[path][int(query.split("partNumber=")[1].split("&")[0])] = h.body
            return lambda h: h.answer(200, ETag='"part"')
        if h.command in ("PUT", "POST"):
            with self.lock:
                self.n_early -= 1
                data = h.body if h.command == "PUT" else b"".join(v for _, v in sorted(self.parts.pop(path).items()))
                self.files[path] = data if self.n_early < 0 else b""
            return lambda h: h.answer(200, b"<CompleteMultipartUploadResult/>")
        if h.command == "DELETE":
            self.files.pop(path, None)
            return lambda h: h.answer(204)
        if path == "/archive" or path == "/archive/":
            keys = sorted(k[len("/archive/"):] for k in self.files if k.startswith("/archive/"))
            text = "".join(f"<Contents><Key>{k}</Key><Size>{len(self.files['/archive/' + k])}</Size></Contents>" for k in keys)
            return lambda h: h.answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{text}</ListBucketResult>".encode(), Content_Type="application/xml")
        return None


class Whole(Work):
    """What is found is looked at before it is called done."""

    def setUp(self):
        super().setUp()
        path = tiff.write(self.path("image.tif"), numpy.full((4, 512, 512), 90, "u1"), transform=(1, 0, 500000, 0, -1, 5000000), epsg=32618)
        with open(path, "rb") as f:
            self.image = f.read()
        self.server = FakeStore(self.scenes, {"/2018.tif": self.image, "/2021.tif": self.image})
        self.addCleanup(self.server.close)
        self.layer = write_json(self.path("p.geojson"), {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [-75, 45.15]}}]})

    def scenes(self, body):
        return [{"type": "Feature", "stac_version": "1.0.0", "id": f"ma_m_4207009_ne_19_060_{y}1024", "collection": "naip", "geometry": None, "links": [],
                 "properties": {"datetime": f"{y}-05-05T00:00:00Z", "naip:year": str(y), "proj:epsg": 32618},
                 "assets": {"image": {"href": f"{self.server.url}/{y}.tif", "type": "image/tiff", "roles": ["data"], "proj:shape": [512, 512], "proj:transform": [1, 0, 500000, 0, -1, 5000000]}}} for y in (2018, 2021)]

    def naip(self, bucket=None, code=0):
        return self.run_it("naip", "--row", "0", "--bucket", bucket or self.path("b"), "--stac-api", self.server.url, "--sample-source", self.layer, code=code, AWS_HTTPS="NO", AWS_VIRTUAL_HOSTING="FALSE",
                           AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="s", AWS_S3_ENDPOINT=f"127.0.0.1:{self.server.port}")

    def tree(self):
        out = {}
        for d, _, names in os.walk(self.path("b")):
            for n in names:
                with open(os.path.join(d, n), "rb") as f:
                    out[os.path.relpath(os.path.join(d, n), self.path("b"))] = f.read()
        return out

    def test_a_run_repairs_what_is_not_whole(self):
        self.naip()
        whole = self.tree()
        self.assertEqual(len(whole), 6)
        self.assertIn("2 done before", self.naip().stderr)
        damages = {"empty": lambda data: b"", "cut": lambda data: data[:len(data) // 2], "gone": None, "other": lambda data: b"<html>" + data[6:]}
        for name in sorted(whole):
            for what, damage in damages.items():
                if (name.endswith(".tif") and what == "other") or (what == "cut" and not name.endswith("stac_item.json")) and "2018" in name:
                    continue  # of the same size: only its bytes would tell; and not everything twice
                with self.subTest(name=name, what=what):
                    path = self.path("b", name)
                    if damage:
                        with open(path, "wb") as f:
                            f.write(damage(whole[name]))
                    else:
                        os.unlink(path)
                    r = self.naip()
                    self.assertIn("1 processed, 1 done before", r.stderr)
                    if not (what == "gone" and name.endswith(".parquet")):
                        self.assertIn("not whole, done again: ma_m_4207009_ne_19_060_", r.stderr)
                        self.assertIn(os.path.basename(name), r.stderr)
                    self.assertEqual(self.tree(), whole)

    def test_copies_of_a_run_that_ended_early(self):
        self.naip()
        whole = self.tree()
        for name in whole:
            if name.endswith(".parquet"):
                os.unlink(self.path("b", name))
        tif = [n for n in whole if n.endswith(".tif")]
        with open(self.path("b", tif[0]), "wb") as f:
            f.write(self.image[:1000])
        self.server.clear()
        self.naip()
        self.assertEqual(self.tree(), whole)
        self.assertEqual([r[1] for r in self.server.requests if r[0] == "GET"], ["/" + os.path.basename(tif[0])], "what is whole is not copied again")

    def test_copies_of_a_source_that_allows_no_head(self):
        self.naip()
        whole = self.tree()
        for name in whole:
            if name.endswith(".parquet"):
                os.unlink(self.path("b", name))
        self.server.fault = lambda h: (lambda h: h.answer(403)) if h.command == "HEAD" else FakeStore.search(self.server, h)
        self.naip()
        self.assertEqual(self.tree(), whole)

    def test_a_store_that_answers_too_early(self):
        for early in range(1, 5):
            self.server.files = {k: v for k, v in self.server.files.items() if not k.startswith("/archive")}
            self.server.n_early = early
            r = self.naip("s3://archive", code=1)
            self.assertRegex(r.stderr, r"the copy has 0 bytes, the source \d+|reading back the index|stac_item.json")
            self.assertFalse([k for k, v in self.server.files.items() if not v and not k.endswith(".parquet")], "nothing empty under a final name")
            self.server.n_early = 0
            self.naip("s3://archive")
            self.assertIn("2 done before", self.naip("s3://archive").stderr)

    def test_empty_objects_of_a_store(self):
        self.naip("s3://archive")
        whole = {k: v for k, v in self.server.files.items() if k.startswith("/archive/")}
        self.assertEqual(len(whole), 6)
        for key in whole:
            self.server.files[key] = b""
            r = self.naip("s3://archive")
            self.assertIn("not whole, done again", r.stderr)
            self.assertEqual({k: v for k, v in self.server.files.items() if k.startswith("/archive/")}, whole)

    def test_a_server_that_refuses_ranges_beyond_the_end(self):
        """416 for a range that begins in the file: the whole is asked for, for copies, layers and rasters alike."""
        def strict(h):
            span = h.headers.get("Range")
            if h.command == "GET" and span and int(span.split("-")[1]) >= len(h.data() or b""):
                return lambda h: h.answer(416, Content_Range=f"bytes */{len(h.data())}")
            return FakeStore.search(self.server, h)
        self.server.fault = strict
        self.naip()
        self.assertEqual([v for k, v in self.tree().items() if k.endswith(".tif")], [self.image] * 2)
        index = [k for k in self.tree() if k.endswith(".parquet")][0]
        self.server.files["/i.parquet"] = self.tree()[index]
        code = f"import sys; sys.path.insert(0, {os.path.join(host.ROOT, 'tests/support')!r}); import host; db = host.connect(); print(db.execute(sys.argv[1], (sys.argv[2],)).fetchone()[0])"
        for sql, name, want in (("SELECT count(*) FROM stacchip_parquet(?)", "/i.parquet", "4"), ("SELECT count(*) FROM stacchip_index(?)", "/2018.tif", "4")):
            r = subprocess.run([sys.executable, "-c", code, sql, self.server.url + name], capture_output=True, text=True, env=dict(os.environ, STACCHIP_HOSTS="127.0.0.1", STACCHIP_RETRIES="0"))
            self.assertEqual(r.stdout.strip(), want, r.stderr)
        self.server.files["/i.parquet"] = b""
        r = subprocess.run([sys.executable, "-c", code, "SELECT count(*) FROM stacchip_parquet(?)", self.server.url + "/i.parquet"], capture_output=True, text=True, env=dict(os.environ, STACCHIP_HOSTS="127.0.0.1", STACCHIP_RETRIES="0"))
        self.assertIn("/i.parquet: byte 0 is beyond the end of the file (0 bytes)", r.stderr)


def info(path):
    """gdalinfo's: (shape, transform a b c d e f, EPSG code or None)."""
    r = subprocess.run(["gdalinfo", "-json", path], capture_output=True, text=True, env=CLEAN)
    j = json.loads(r.stdout)
    g = j["geoTransform"]
    code = j["stac"].get("proj:epsg") if "stac" in j else None
    return j["size"][::-1], [g[1], g[2], g[0], g[4], g[5], g[3]], code, j["coordinateSystem"]["wkt"]


class Made(Work):
    """Items whose rasters are made anew say what their files are."""

    SINUSOIDAL = ('PROJCS["unnamed",GEOGCS["Unknown datum based upon the custom spheroid",DATUM["Not specified (based on custom spheroid)",SPHEROID["Custom spheroid",6371007.181,0]],'
                  'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Sinusoidal"],PARAMETER["longitude_of_center",0],PARAMETER["false_easting",0],PARAMETER["false_northing",0],UNIT["Meter",1]]')

    def raster(self, name, array, srs, corner, pixel):
        path = tiff.write(self.path("plain.tif"), array, transform=(pixel, 0, corner[0], 0, -pixel, corner[1]))
        subprocess.run(["gdal_translate", "-q", "-a_srs", srs, path, self.path(name)], check=True, env=CLEAN)
        with open(self.path(name), "rb") as f:
            return f.read()

    def check_item(self, item, folder, keys):
        """As the package's indexer and chipper take it: the grid of the properties, by epsg or wkt2; files by their hrefs."""
        properties = item["properties"]
        self.assertTrue([e for e in item["stac_extensions"] if e.startswith("https://stac-extensions.github.io/projection/v1.1.0/")])
        for key in keys:
            asset = item["assets"][key]
            self.assertEqual(asset["href"], os.path.join(os.path.realpath(folder), os.path.basename(asset["href"])), "absolute")
            self.assertEqual(asset["file:size"], os.path.getsize(asset["href"]))
            shape, transform, epsg, wkt = info(asset["href"])
            for of in (asset, properties):
                self.assertEqual(of["proj:shape"], shape)
                self.assertTrue(numpy.allclose(of["proj:transform"], transform, rtol=1e-12))
                self.assertEqual(of.get("proj:epsg"), epsg)
                self.assertNotIn("proj:bbox", of)
                if epsg:
                    self.assertNotIn("proj:wkt2", of)
                else:
                    self.assertEqual("".join(of["proj:wkt2"].split()), "".join(wkt.split()))
            for gone in ("file:checksum", "checksum:multihash", "alternate", "gsd"):
                self.assertNotIn(gone, asset)
            self.assertEqual(asset["raster:bands"], [{"nodata": -28672, "data_type": "int16"}])
            self.assertEqual(asset["type"], "image/tiff; application=geotiff; profile=cloud-optimized")

    def asset(self, href):
        return {"href": href, "type": "image/tiff", "roles": ["data"], "file:checksum": "1220ab", "checksum:multihash": "1220ab", "file:size": 5, "gsd": 500, "proj:bbox": [0, 0, 1, 1], "alternate": {"x": {"href": "/etc/passwd"}},
                "raster:bands": [{"nodata": -28672, "data_type": "int16", "spatial_resolution": 463, "statistics": {"mean": 3}, "histogram": {"count": 1}}]}

    def test_modis(self):
        pixel, bands = 463.3127165279165, MODIS_BANDS + ["sur_refl_qc_500m"]
        rng = numpy.random.default_rng(2)
        files = {f"/{b}.tif": self.raster(b + ".tif", rng.integers(1, 8000, (1, 600, 600)).astype("i2") if "qc" not in b else numpy.zeros((1, 600, 600), "u4"), self.SINUSOIDAL, (1111950.5, 6671703.1), pixel) for b in bands}
        server = Server(lambda body: [{"type": "Feature", "stac_version": "1.0.0", "id": "M" + body["datetime"][:7], "collection": "modis-09A1-061", "geometry": None, "links": [],
                                       "properties": {"datetime": None, "start_datetime": body["datetime"][:10] + "T00:00:00Z", "end_datetime": body["datetime"][:8] + "08T23:59:59Z", "proj:epsg": None, "proj:wkt2": self.SINUSOIDAL,
                                                      "proj:shape": [600, 600], "proj:transform": [pixel, 0, 1111950.5, 0, -pixel, 6671703.1], "proj:geometry": {}, "modis:vertical-tile": 2, "modis:horizontal-tile": 12},
                                       "assets": {b: self.asset(f"{server.url}/{b}.tif?sig=x") for b in bands}}] if body["datetime"][:4] == "2018" else [], files)
        self.addCleanup(server.close)
        self.run_it("modis", "--row", "0", "--bucket", self.path("b"), "--stac-api", server.url, "--draw", "python")
        random.seed(2 * 12 * 2018)
        names = sorted(f"M2018-{m:02d}" for m in random.sample(range(1, 13), 4))
        self.assertEqual(sorted(os.listdir(self.path("b", "modis"))), names)
        for name in names:
            item = read_json(self.path("b", "modis", name, "stac_item.json"))
            self.check_item(item, self.path("b", "modis", name), MODIS_BANDS)
            self.assertEqual(item["properties"]["proj:epsg"], 3857)
        rows = host.connect().execute("SELECT DISTINCT date FROM stacchip_parquet(?) ORDER BY 1", (self.path("b", "index"),)).fetchall()
        self.assertEqual(rows, [(n[1:] + "-01",) for n in names], "the first day of the period; the package's is the last")

    def test_linz(self):
        base = "/wellington/wellington_2021_0.3m/rgb/2193/"
        for srs, epsg in (("EPSG:2193", 2193), ("+proj=tmerc +lat_0=0 +lon_0=173.5 +k=0.9996 +x_0=1600000 +y_0=10000000 +ellps=GRS80 +units=m", None)):
            with self.subTest(srs):
                image = self.raster("v.tif", numpy.full((3, 600, 600), 90, "u1"), srs, (1750000, 5920000), 0.15)
                item = {"type": "Feature", "stac_version": "1.0.0", "id": "BA31", "geometry": None, "links": [], "properties": {"datetime": "2021-01-01T00:00:00Z"}, "assets": {"visual": self.asset("./BA31.tiff")}}
                server = Server(files={base + "BA31.tiff": image, base + "BA31.json": json.dumps(item).encode(),
                                       base + "collection.json": json.dumps({"type": "Collection", "stac_version": "1.0.0", "id": "c", "links": [{"rel": "item", "href": "./BA31.json"}]}).encode()})
                self.addCleanup(server.close)
                bucket = self.path(f"b{epsg}")
                self.run_it("linz", "--row", "2", "--bucket", bucket, "--stac-api", server.url)
                made = read_json(os.path.join(bucket, "linz/BA31/stac_item.json"))
                self.check_item(made, os.path.join(bucket, "linz/BA31"), ["visual"])
                self.assertEqual((made["properties"]["proj:epsg"], made["properties"]["proj:shape"]), (epsg, [300, 300]))
                self.run_it("linz", "--row", "2", "--bucket", bucket + "r", "--stac-api", server.url, "--relative")
                self.assertEqual(read_json(os.path.join(bucket + "r", "linz/BA31/stac_item.json"))["assets"]["visual"]["href"], "./BA31.tiff")


class Index(Work):
    """stacchip index and merge-index: what fails is named and counted, and the rest is done."""

    def item(self, *names):
        item = {"type": "Feature", "stac_version": "1.0.0", "id": "m_4207009_ne_19_060_" + names[-1].split(".")[0], "geometry": None, "links": [], "properties": {"datetime": "2021-10-24T00:00:00Z"},
                "assets": {"image": {"href": self.image, "type": "image/tiff; application=geotiff", "roles": ["data"]}}}
        return write_json(self.path(*names), item)

    def setUp(self):
        super().setUp()
        self.image = tiff.write(self.path("image.tif"), numpy.full((4, 256, 256), 9, "u1"))
        self.db = self.path("x.db")

    def rows(self, sql):
        return host.connect(self.db).execute(sql).fetchall()

    def test_broken_files_of_a_folder(self):
        for n in range(3):
            self.item("s", f"{n}", f"2021010{n}.json")
        broken = {"empty.json": b"", "half.json": b'{"type": "Feature", "id": "x", "assets": {"a": ', "wide.json": '{"type": "Feature"}'.encode("utf-16"), "zip.json": b"\x1f\x8b\x08\0rest"}
        for name, data in broken.items():
            with open(self.path("s", name), "wb") as f:
                f.write(data)
        gone = {**read_json(self.item("s", "20219999.json")), "assets": {"image": {"href": "./nothing.tif", "type": "image/tiff"}}}
        write_json(self.path("s", "20219999.json"), gone)
        r = self.run_it("index", self.db, self.path("s"), code=1)
        self.assertIn("3 merged, 0 done before, 5 failed", r.stderr)
        for name in list(broken) + ["nothing.tif"]:
            self.assertRegex(r.stderr, rf"(?m)^  failed: .*{name}", name)
        self.assertEqual(self.rows("SELECT count(*) FROM chips_item"), [(3,)])
        r = self.run_it("index", self.db, self.path("s"), code=1)
        self.assertIn("0 merged, 3 done before, 5 failed", r.stderr)
        self.assertEqual(r.stderr.count("  failed: "), 5, "those of this run")
        for name in list(broken) + ["20219999.json"]:
            os.unlink(self.path("s", name))
        self.assertNotIn("failed: ", self.run_it("index", self.db, self.path("s")).stderr)

    def test_many_failures(self):
        for n in range(23):
            with open(self.path("s", f"b{n:02d}.json"), "w") as f:
                f.write("{")
        r = self.run_it("index", self.db, self.path("s"), code=1)
        self.assertEqual((r.stderr.count("  failed: "), "  and 13 more, in the table chips_error" in r.stderr), (10, True), r.stderr)
        r = self.run_it("index", "--dry-run", self.db, self.path("s"), code=1)
        self.assertEqual((r.stderr.count("  cannot be read: "), "  and 13 more" in r.stderr), (10, True), r.stderr)

    def test_dry_run_names_items_and_what_is_broken(self):
        self.item("s", "20210101.json")
        with open(self.path("s", "b.json"), "w"):
            pass
        r = self.run_it("index", "--dry-run", self.db, self.path("s"), code=1)
        self.assertEqual(r.stdout, "m_4207009_ne_19_060_20210101\n")
        self.assertRegex(r.stderr, "cannot be read: .*b.json: it is empty")
        self.assertFalse(os.path.exists(self.db))

    def test_a_source_that_does_not_exist_leaves_no_database(self):
        self.run_it("index", self.db, self.path("nothing"), code=1)
        self.assertEqual([n for n in os.listdir(self.folder) if n.startswith("x.db")], [])
        self.run_it("index", self.db, self.item("s", "20210101.json"))
        self.run_it("index", self.db, self.path("nothing"), code=1)
        self.assertEqual(self.rows("SELECT count(*) FROM chips_item"), [(1,)])
        os.makedirs(self.path("b", "index"))
        self.run_it("merge-index", "--bucket", self.path("b"), "--db", self.path("m.db"), code=1)
        self.assertFalse(os.path.exists(self.path("m.db")))
        self.run_it("index", self.path("y.db"), self.item("s", "20210101.json"), "--with", "chip_size=none", code=1)
        self.assertFalse(os.path.exists(self.path("y.db")))

    def test_a_query_is_for_catalogues(self):
        r = self.run_it("index", self.db, self.path("s"), "--query", "{}", code=2)
        self.assertRegex(r.stderr, "--query searches an API .*, which '.*/s' is not")
        self.assertFalse(os.path.exists(self.db))

    def test_what_may_pass_is_tried_again(self):
        server = Server(files={})
        self.addCleanup(server.close)
        server.fault = lambda h: lambda h: h.answer(503)
        item = read_json(self.item("s", "20210101.json"))
        item["assets"]["image"]["href"] = server.url + "/a.tif"
        write_json(self.path("s", "20210101.json"), item)
        self.run_it("index", self.db, self.path("s"), code=75)
        with open(self.path("s", "b.json"), "w"):
            pass
        self.run_it("index", self.db, self.path("s"), code=1)

    def test_a_name_that_does_not_resolve(self):
        """At the first request it is a wrong name, not a failure that will pass."""
        layer = write_json(self.path("p.geojson"), {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"name": "20HNJ"}, "geometry": {"type": "Point", "coordinates": [-75, 45]}}]})
        for command, option in (("naip", "--sample-source"), ("sentinel-2", "--mgrs-source")):
            r = self.run_it(command, "--row", "0", "--bucket", self.path("b"), option, layer, "--stac-api", "https://nowhere.invalid/v1", code=1, STACCHIP_HOSTS="*")
            self.assertIn("resolve host", r.stderr)
        self.run_it("naip", "--row", "0", "--bucket", self.path("b"), "--sample-source", "https://nowhere.invalid/x.fgb", code=1, STACCHIP_HOSTS="*")

    def test_an_index_of_the_python_package(self):
        """Merged, with item_id; and of one item, without platform and item, by its place in the tree."""
        path = self.make_tree(["20210101"])[0]
        with open(path, "rb") as f:
            data = f.read()
        n = int.from_bytes(data[-8:-4], "little")
        footer = data[-8 - n:-8].replace(b"\x04item", b"\x07item_id")  # names in the footer have their length before them
        merged = self.path("merged.parquet")
        with open(merged, "wb") as f:
            f.write(data[:-8 - n] + footer + len(footer).to_bytes(4, "little") + b"PAR1")
        db = host.connect()
        db.execute("CREATE TABLE t AS SELECT * FROM stacchip_parquet(?)", (path,))
        columns = ["chipid", "date", "chip_index_x", "chip_index_y", "cloud_cover_percentage", "nodata_percentage", "geometry"]
        db.execute("SELECT stacchip_export('t', ?, ?)", (path, json.dumps({"columns": columns})))
        for source, want in ((merged, ("naip", "m_4207009_ne_19_060_20210101")), (self.path("b", "index"), ("naip", "20210101"))):
            self.assertEqual(db.execute("SELECT platform, item FROM stacchip_parquet(?)", (source,)).fetchall(), [want])
            self.assertEqual(db.execute("SELECT count(*) FROM stacchip_parquet(?) WHERE item = ?", (source, want[1])).fetchone(), (1,))
            self.assertEqual(db.execute("SELECT count(*) FROM stacchip_parquet(?) WHERE item = 'other'", (source,)).fetchone(), (0,))

    def make_tree(self, names):
        db = host.connect()
        for n, name in enumerate(names):
            db.execute("DROP TABLE IF EXISTS t")
            db.execute("CREATE TABLE t AS SELECT * FROM stacchip_index(?)", (self.item("b", "naip", name, name + ".json"),))
            db.execute("SELECT stacchip_export('t', ?)", (self.path("b", "index", "naip", name, f"index_{name}.parquet"),))
        return [self.path("b", "index", "naip", name, f"index_{name}.parquet") for name in names]

    def test_merge_index_keeps_going(self):
        files = self.make_tree(["20210101", "20210102", "20210103", "20210104"])
        out = self.path("all.parquet")
        r = self.run_it("merge-index", "--bucket", self.path("b"), "--db", self.db, "--output", out)
        self.assertIn(f"{self.db}: 4 chips of 4 items merged, 0 chips there before", r.stderr)
        r = self.run_it("merge-index", "--bucket", self.path("b"), "--db", self.db)
        self.assertIn(f"{self.db}: 0 chips of 0 items merged, 4 chips there before", r.stderr)
        os.unlink(self.db)
        os.unlink(out)
        with open(files[1], "w"):
            pass
        with open(files[2], "rb+") as f:
            f.truncate(os.path.getsize(files[2]) - 20)
        r = self.run_it("merge-index", "--bucket", self.path("b"), "--db", self.db, "--output", out, code=1)
        self.assertIn("index_20210102.parquet", r.stderr)
        self.assertEqual((os.path.exists(self.db), os.path.exists(out)), (False, False))
        r = self.run_it("merge-index", "--bucket", self.path("b"), "--db", self.db, "--output", out, "--keep-going")
        for name in ("20210102", "20210103"):
            self.assertRegex(r.stderr, f"left out: index/naip/{name}/index_{name}.parquet: .")
        self.assertIn("2 files were left out", r.stderr)
        want = [("m_4207009_ne_19_060_20210101",), ("m_4207009_ne_19_060_20210104",)]
        self.assertEqual(self.rows("SELECT DISTINCT item FROM chips ORDER BY 1"), want)
        self.assertEqual(host.connect().execute("SELECT item FROM stacchip_parquet(?) ORDER BY 1", (out,)).fetchall(), want)
        for f in (files[0], files[3]):
            with open(f, "w"):
                pass
        self.run_it("merge-index", "--bucket", self.path("b"), "--output", self.path("none.parquet"), "--keep-going", code=1)


BATCH = os.path.join(host.ROOT, "examples", "batch")


class Batch(Work):
    """The files of examples/batch, with stand-ins for program and scheduler."""

    def run_script(self, script, code, **env):
        for name, body in (("stacchip", f"echo stacchip $* >>{self.folder}/log; exit {code}"), ("scontrol", f"echo scontrol $* >>{self.folder}/log")):
            with open(self.path("bin", name), "w") as f:
                f.write("#!/bin/sh\n" + body + "\n")
            os.chmod(f.name, 0o755)
        r = subprocess.run(["bash", os.path.join(BATCH, script)], capture_output=True, text=True,
                           env={**CLEAN, "PATH": self.path("bin") + ":" + CLEAN["PATH"], "STACCHIP_BUCKET": "b", "STACCHIP_MGRS_SOURCE": "m", "STACCHIP_MERGE_TARGET_DIR": "t", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3", **env})
        with open(self.path("log")) as f:
            log = f.read().splitlines()
        os.unlink(self.path("log"))
        return r.returncode, log

    def test_slurm_requeues_what_may_pass_and_not_for_ever(self):
        again = ["stacchip sentinel-2", "scontrol requeue 7_3"]
        self.assertEqual(self.run_script("slurm-processor.sbatch", 75), (75, again))
        self.assertEqual(self.run_script("slurm-processor.sbatch", 75, SLURM_RESTART_COUNT="4"), (75, again))
        self.assertEqual(self.run_script("slurm-processor.sbatch", 75, SLURM_RESTART_COUNT="5"), (75, again[:1]))
        for code in (0, 1, 2):
            self.assertEqual(self.run_script("slurm-processor.sbatch", code), (code, again[:1]))
        self.assertEqual(self.run_script("slurm-merge.sbatch", 0, STACCHIP_MERGE_DB="d"), (0, ["stacchip merge-index --keep-going --bucket b --output t --db d"]))
        with open(os.path.join(BATCH, "slurm-processor.sbatch")) as f:
            self.assertIn("--dependency=afterany:$job", f.read())

    def test_aws_batch_has_the_size_where_jobs_are_submitted(self):
        definition, job = read_json(os.path.join(BATCH, "aws-batch.json")), read_json(os.path.join(BATCH, "aws-batch-submit.json"))
        self.assertNotIn("arrayProperties", definition)
        self.assertEqual((job["jobDefinition"], 2 <= job["arrayProperties"]["size"] <= 10000), (definition["jobDefinitionName"], True))

    def base(self):
        with open(os.path.join(BATCH, "Containerfile")) as f:
            return [line.split()[1] for line in f if line.startswith("FROM ")][0]

    def test_the_image(self):
        if not shutil.which("podman") or subprocess.run(["podman", "image", "exists", self.base()], capture_output=True).returncode:
            self.skipTest("no podman, or no image " + self.base())
        r = subprocess.run(["podman", "build", "-q", "-f", os.path.join(BATCH, "Containerfile"), "-t", "stacchip-test", host.ROOT], capture_output=True, text=True)
        self.assertEqual(r.returncode, 0, r.stderr[-2000:])
        r = subprocess.run(["podman", "run", "--rm", "stacchip-test", "--version"], capture_output=True, text=True)
        self.assertRegex(r.stdout, r"^stacchip \d")

    def test_what_is_built_stays_out_of_the_image(self):
        with open(os.path.join(host.ROOT, ".containerignore")) as f:
            ignored = f.read().split("\n")
        for name in ("build", ".git", "stacchip.so", "stacchip_raster.so"):
            self.assertIn(name, ignored)


if __name__ == "__main__":
    host.main()
