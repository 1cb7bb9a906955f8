"""The program `stacchip`: processors against a catalogue on loopback, the tree they leave, exit codes."""
import fcntl
import io
import json
import os
import pty
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import host
import numpy
import web
from catalogue import Catalogue

PROGRAM = os.path.join(os.path.dirname(host.EXT), "stacchip")
SCENES = os.path.join(host.ROOT, "build", "scenes")
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "STACCHIP_", "SLURM_", "JOB_")) and k != "LD_PRELOAD"}
ASAN = os.environ.get("VARIANT") == "asan"


def scene(kind, size):
    folder = os.path.join(SCENES, f"{kind}-{size}")
    if not os.path.exists(os.path.join(folder, "item.json")):
        os.makedirs(SCENES, exist_ok=True)
        subprocess.run([os.path.join(host.ROOT, "build/release/make_scene"), kind, folder, str(size)], check=True, env=CLEAN)
    with open(os.path.join(folder, "item.json")) as f:
        item = json.load(f)
    for a in item["assets"].values():
        a["href"] = f"{kind}-{size}/" + os.path.basename(a["href"])
    return item


def items():
    s2, landsat, naip, modis = scene("sentinel-2", 600), scene("landsat", 600), scene("naip", 600), scene("modis", 600)
    for a in modis["assets"].values():
        a["type"] = "image/tiff; application=geotiff"
    s1 = json.loads(json.dumps(s2))
    s1["id"], s1["properties"]["platform"], s1["properties"]["constellation"] = "S1A_IW_RTC", "SENTINEL-1A", "Sentinel-1"
    s1["assets"] = {"vv": s2["assets"]["red"], "vh": s2["assets"]["green"]}
    return {"sentinel-2-l2a": s2, "landsat-c2l2-sr": landsat, "landsat-c2l1": landsat, "naip": naip, "modis-09A1-061": modis, "sentinel-1-rtc": s1}


def read_json(path):
    with open(path) as f:
        return json.load(f)


def write_json(path, value):
    with open(path, "w") as f:
        json.dump(value, f)


def layer(folder, names=("20HNJ", "20HNK")):
    path = os.path.join(folder, "layer.geojson")
    square = [[-63, -33], [-62, -33], [-62, -32], [-63, -32], [-63, -33]]
    with open(path, "w") as f:
        json.dump({"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"name": n}, "geometry": {"type": "Polygon", "coordinates": [square]}} for n in names]}, f)
    return path


class Cli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.catalogue = Catalogue(SCENES, items())

    @classmethod
    def tearDownClass(cls):
        cls.catalogue.close()

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.bucket = os.path.join(self.folder, "bucket")
        os.mkdir(self.bucket)
        self.catalogue.down = self.catalogue.empty = False

    def tearDown(self):
        shutil.rmtree(self.folder)

    def env(self, **more):
        return dict(CLEAN, STACCHIP_BUCKET=self.bucket, STACCHIP_STAC_API=self.catalogue.url, STACCHIP_HOSTS="127.0.0.1", STACCHIP_RETRIES="1",
                    AWS_BATCH_JOB_ARRAY_INDEX="1", STACCHIP_MGRS_SOURCE=layer(self.folder), STACCHIP_SAMPLE_SOURCE=layer(self.folder), **more)

    def run_it(self, *args, env=None, **kw):
        return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=300, env=env or self.env(), **kw)

    def tree(self):
        return sorted(os.path.relpath(os.path.join(d, f), self.bucket) for d, _, files in os.walk(self.bucket) for f in files)

    def check_tree(self, platform, n_scenes, n_assets, bands):
        files = self.tree()
        index = [f for f in files if f.startswith(f"index/{platform}/")]
        self.assertEqual(len(index), n_scenes, files)
        for f in index:
            item = f.split("/")[2]
            self.assertEqual(f, f"index/{platform}/{item}/index_{item}.parquet")
            self.assertEqual(len([g for g in files if g.startswith(f"{platform}/{item}/")]), n_assets + 1)
        self.assertFalse([f for f in files if os.path.basename(f).startswith(".")])
        db = host.connect()
        rows = db.execute("SELECT platform, item, chip_index_x, chip_index_y FROM stacchip_parquet(?) WHERE platform = ?", (os.path.join(self.bucket, "index"), platform)).fetchall()
        self.assertGreaterEqual(len(rows), n_scenes)
        p, item, x, y = rows[0]
        row = json.dumps({"bucket": self.bucket, "platform": p, "item": item, "chip_index_x": x, "chip_index_y": y})
        chip = numpy.load(io.BytesIO(db.execute("SELECT stacchip_chip(?)", (row,)).fetchone()[0]))
        self.assertEqual(chip.shape, (bands, 256, 256))
        self.assertGreater(int((chip != 0).sum()), 1000)

    def test_sentinel_2(self):
        r = self.run_it("sentinel-2")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.check_tree("sentinel-2-l2a", 8, 11, 10)
        item = read_json(os.path.join(self.bucket, [f for f in self.tree() if f.endswith("stac_item.json")][0]))
        self.assertTrue(item["id"].endswith("_2"), "the clearer of two scenes")
        before = self.tree()
        n = self.catalogue.n_fetched()
        self.assertGreater(n, 0)
        r = self.run_it("sentinel-2")
        self.assertIn("8 done before", r.stderr)
        self.assertEqual(self.tree(), before)
        self.assertEqual(self.catalogue.n_fetched(), n, "nothing is fetched twice")

    def test_other_processors(self):
        for name, platform, scenes, assets, bands in (("landsat", "landsat-c2l2-sr", 4, 7, 6), ("naip", "naip", 2, 1, 4), ("sentinel-1", "sentinel-1-rtc", 1, 2, 2), ("modis", "modis", 16, 8, 7)):
            with self.subTest(name):
                r = self.run_it(name)
                self.assertEqual(r.returncode, 0, r.stderr)
                self.check_tree(platform, scenes, assets, bands)
        item = read_json(os.path.join(self.bucket, [f for f in self.tree() if f.startswith("modis/") and f.endswith("stac_item.json")][0]))
        self.assertEqual(item["assets"]["sur_refl_b01"]["proj:epsg"], 3857)

    def test_linz_region(self):
        region = os.path.join(SCENES, "auckland/auckland_2022_0.075m/rgb/2193")
        os.makedirs(region, exist_ok=True)
        naip = os.path.join(SCENES, "naip-600", "image.tif")
        links = []
        for n in range(12):
            shutil.copy(naip, os.path.join(region, f"T{n}.tiff"))
            it = {"type": "Feature", "stac_version": "1.0.0", "id": f"T{n}", "geometry": None, "properties": {"datetime": "2022-01-01T00:00:00Z"}, "links": [],
                  "assets": {"visual": {"href": f"./T{n}.tiff", "type": "image/tiff; application=geotiff"}}}
            write_json(os.path.join(region, f"T{n}.json"), it)
            links.append({"rel": "item", "href": f"./T{n}.json"})
        write_json(os.path.join(region, "collection.json"), {"type": "Collection", "stac_version": "1.0.0", "id": "c", "links": links})
        r = self.run_it("linz", "--row", "0", "--stac-api", self.catalogue.url + "/files")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.check_tree("linz", 10, 1, 3)

    def test_names_of_the_python_package(self):
        for name in ("sentinel-1", "sentinel-2", "landsat", "naip", "linz", "modis", "merge-index", "prechip", "stats"):
            link = os.path.join(self.folder, "stacchip-" + name)
            os.symlink(PROGRAM, link)
            r = subprocess.run([link], capture_output=True, text=True, env=CLEAN)
            self.assertEqual((r.returncode, "STACCHIP_" in r.stderr), (2, True), name)
            r = subprocess.run([link, "--help"], capture_output=True, text=True, env=CLEAN)
            self.assertEqual((r.returncode, f"usage: stacchip {name} " in r.stdout), (0, True), name)

    def test_dry_run_writes_nothing(self):
        r = self.run_it("sentinel-2", "--dry-run")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(self.tree(), [])

    def test_failures_have_their_exit_codes(self):
        self.catalogue.empty = True
        r = self.run_it("sentinel-2")
        self.assertEqual((r.returncode, "no scenes found" in r.stderr), (0, True), r.stderr)
        self.catalogue.empty, self.catalogue.down = False, True
        r = self.run_it("sentinel-2")
        self.assertEqual((r.returncode, "503" in r.stderr), (75, True), r.stderr)
        self.catalogue.down = False
        r = self.run_it("sentinel-2", "--row", "7")
        self.assertEqual((r.returncode, "no row 7" in r.stderr), (1, True), r.stderr)
        r = self.run_it("sentinel-2", "--row", "x")
        self.assertEqual(r.returncode, 2)
        r = self.run_it("sentinel-2", "--bucket", "/proc/nowhere")
        self.assertEqual((r.returncode, "cannot" in r.stderr), (1, True), r.stderr)
        self.assertEqual(self.tree(), [])

    def test_a_catalogue_that_hangs_up_is_tried_again_later(self):
        server = web.Scripted(fault=lambda h: lambda h: h.drop())
        try:
            r = self.run_it("naip", "--stac-api", server.url)
            self.assertEqual(r.returncode, 75, r.stderr)
            server.fault = lambda h: lambda h: h.answer(408)
            r = self.run_it("naip", "--stac-api", server.url)
            self.assertEqual(r.returncode, 75, r.stderr)
        finally:
            server.close()

    def test_a_layer_that_is_throttled_is_tried_again_later(self):
        answer = 503
        server = web.Scripted(fault=lambda h: lambda h: h.answer(answer) if answer else h.drop())
        try:
            for answer, code in ((503, 75), (429, 75), (0, 75), (404, 1)):
                r = self.run_it("naip", "--sample-source", server.url + "/layer.geojson")
                self.assertEqual((r.returncode, "layer.geojson: cannot open as GeoJSON, " in r.stderr), (code, True), r.stderr)
        finally:
            server.close()

    def test_help_and_version_of_each_command(self):
        commands = ("index", "sentinel-2", "landsat", "naip", "linz", "modis", "sentinel-1", "merge-index", "prechip", "stats")
        top = self.run_it("--help")
        self.assertEqual(top.returncode, 0)
        for c in commands:
            self.assertIn(f"  {c} ", top.stdout)
            for flag, word in (("--help", f"usage: stacchip {c} "), ("--version", "stacchip 0.")):
                r = self.run_it(c, flag, env=CLEAN)
                self.assertEqual((r.returncode, word in r.stdout, r.stderr), (0, True, ""), c)
            r = self.run_it(c, "--nonsense", env=CLEAN)
            self.assertEqual((r.returncode, "unknown option '--nonsense'; options: --" in r.stderr), (2, True), c)
            r = self.run_it(c, env=CLEAN)
            self.assertEqual(r.returncode, 2, c)

    def test_a_processor_has_the_options_that_it_reads(self):
        for c, has in (("sentinel-2", ["mgrs"]), ("sentinel-1", ["mgrs"]), ("landsat", ["sample"]), ("naip", ["sample"]), ("modis", []), ("linz", [])):
            text = self.run_it(c, "--help").stdout
            self.assertEqual([n for n in ("mgrs", "sample") if f"--{n}-source" in text], has, c)
        r = self.run_it("naip", "--mgrs-source", "x")
        self.assertEqual((r.returncode, "unknown option '--mgrs-source'; options: --row, --sample-source" in r.stderr), (2, True), r.stderr)

    def test_numbers_that_are_none(self):
        env = self.env(STACCHIP_DATA_BUCKET=self.bucket, STACCHIP_INDEXPATH=self.bucket, STACCHIP_CHIP_BUCKET=self.bucket, STACCHIP_PLATFORM="naip")
        for arguments, words in ((["prechip", "--row", "x"], "--row: expected a whole number from 0, found 'x'"), (["prechip", "--row=-1"], "--row"), (["prechip", "--cubes", "0"], "--cubes: expected a whole number from 1"),
                                 (["prechip", "--row", "99999999999999"], "expected whole numbers up to 100000000"), (["prechip", "--max-nodata", "5"], "--max-nodata: expected a fraction from 0 to 1, found '5'"),
                                 (["stats", "--max-cubes", "ten"], "--max-cubes"), (["naip", "--row", "1x"], "--row")):
            r = self.run_it(*arguments, env=env)
            self.assertEqual((r.returncode, words in r.stderr), (2, True), (arguments, r.stderr))

    def test_flags_go_before_variables(self):
        other = os.path.join(self.folder, "other")
        r = self.run_it("naip", "--bucket", other, "--row=0", env=dict(self.env(), STACCHIP_BUCKET="/proc/nowhere", AWS_BATCH_JOB_ARRAY_INDEX="7"))
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(sorted(os.listdir(other)), ["index", "naip"])

    def test_a_bar_on_a_terminal_and_plain_lines_elsewhere(self):
        r = self.run_it("naip")
        self.assertEqual((r.returncode, "\r" in r.stderr, "2 scenes: 2 processed" in r.stderr), (0, False, True), r.stderr)
        r = self.run_it("index", os.path.join(self.folder, "c.db"), os.path.join(self.bucket, "naip"))
        self.assertEqual((r.returncode, "\r" in r.stderr), (0, False), r.stderr)
        shutil.rmtree(self.bucket)
        try:
            mine, its = pty.openpty()
        except OSError as e:
            self.skipTest(f"no terminal can be had: {e}")
        p = subprocess.Popen([PROGRAM, "naip"], env=self.env(), stderr=its)
        os.close(its)
        text = b""
        try:
            while True:
                text += os.read(mine, 4096)
        except OSError:  # the other end is closed
            pass
        os.close(mine)
        self.assertEqual(p.wait(), 0)
        self.assertRegex(text.decode(), r"\rstacchip naip \[#{15} {15}\] 1/2 scenes, [0-9.]+/s")
        self.assertIn(b" 2/2 ", text)

    def test_merge_index_dry_run(self):
        self.assertEqual(self.run_it("naip").returncode, 0)
        out, db = os.path.join(self.folder, "all.parquet"), os.path.join(self.folder, "m.db")
        r = self.run_it("merge-index", "--dry-run", "--output", out, "--db", db)
        self.assertRegex(r.stderr, r"would merge \d+ chips of 2 items from ")
        self.assertEqual((r.returncode, os.path.exists(out), os.path.exists(db)), (0, False, False))

    def test_found_on_path(self):
        """From any folder, by its bare name: the raster half is found all the same."""
        env = dict(self.env(), PATH=os.path.dirname(PROGRAM) + ":" + os.environ["PATH"])
        r = subprocess.run(["stacchip", "index", os.path.join(self.folder, "p.db"), os.path.join(SCENES, "naip-600", "item.json")], cwd="/", capture_output=True, text=True, env=env)
        self.assertIn("1 merged", r.stderr)
        self.assertEqual(r.returncode, 0, r.stderr)

    def test_full_disk(self):
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", self.bucket], capture_output=True).returncode:
            self.skipTest("cannot mount a tmpfs")
        try:
            r = self.run_it("sentinel-2")
            self.assertEqual((r.returncode, "No space left" in r.stderr), (1, True), r.stderr)
            sources = {f: os.path.getsize(os.path.join(SCENES, "sentinel-2-600", f)) for f in os.listdir(os.path.join(SCENES, "sentinel-2-600"))}
            self.assertTrue(self.tree())
            for f in self.tree():
                path = os.path.join(self.bucket, f)
                if f.endswith(".tif"):
                    self.assertEqual(os.path.getsize(path), sources[os.path.basename(f)], f)
                elif f.endswith(".json"):
                    read_json(path)
                else:
                    self.assertRegex(f, r"\.parquet$")
                    host.connect().execute("SELECT count(*) FROM stacchip_parquet(?)", (path,)).fetchone()
            subprocess.run(["mount", "-o", "remount,size=60m", self.bucket], check=True)
            r = self.run_it("sentinel-2")
            self.assertEqual(r.returncode, 0, r.stderr)
            self.check_tree("sentinel-2-l2a", 8, 11, 10)
        finally:
            subprocess.run(["umount", "-l", self.bucket], check=True)

    def contents(self):
        out = {}
        for f in self.tree():
            with open(os.path.join(self.bucket, f), "rb") as opened:
                out[f] = opened.read()
        return out

    def test_killed_and_started_again(self):
        self.assertEqual(self.run_it("sentinel-2").returncode, 0)
        whole = self.contents()
        shutil.rmtree(self.bucket)
        os.mkdir(self.bucket)
        seed = random.randrange(1 << 30)
        rng = random.Random(seed)
        for _ in range(8):
            p = subprocess.Popen([PROGRAM, "sentinel-2"], env=self.env(), stderr=subprocess.DEVNULL)
            time.sleep(rng.uniform(0.05, 0.4))
            p.send_signal(signal.SIGKILL)
            p.wait()
            for f, data in self.contents().items():
                if not os.path.basename(f).startswith("."):
                    self.assertTrue(data == whole.get(f), f"seed {seed}: {f} is not complete")
        r = self.run_it("sentinel-2")
        self.assertEqual(r.returncode, 0, f"seed {seed}: {r.stderr}")
        again = self.contents()
        self.assertEqual(sorted(again), sorted(whole), f"seed {seed}")
        self.assertEqual([f for f in whole if again[f] != whole[f]], [], f"seed {seed}")
        self.check_tree("sentinel-2-l2a", 8, 11, 10)

    def test_index_is_resumable(self):
        db = os.path.join(self.folder, "c.db")
        r = self.run_it("index", db, os.path.join(SCENES, "sentinel-2-600", "item.json"), os.path.join(SCENES, "naip-600", "item.json"))
        self.assertEqual(r.returncode, 0, r.stderr)
        r = self.run_it("index", db, os.path.join(SCENES, "sentinel-2-600"), os.path.join(SCENES, "landsat-600"))
        self.assertIn("0 merged, 1 done before", r.stderr)
        self.assertEqual(host.connect(db).execute("SELECT count(DISTINCT item) FROM chips").fetchone()[0], 3)

    def test_merge_index_prechip_and_stats(self):
        self.assertEqual(self.run_it("sentinel-2").returncode, 0)
        out, db = os.path.join(self.folder, "merged", "all.parquet"), os.path.join(self.folder, "m.db")
        r = self.run_it("merge-index", "--output", out, "--db", db)
        self.assertEqual(r.returncode, 0, r.stderr)
        n = host.connect(db).execute("SELECT count(*) FROM chips").fetchone()[0]
        self.assertEqual(host.connect().execute("SELECT count(*) FROM stacchip_parquet(?)", (out,)).fetchone()[0], n)
        self.assertGreater(n, 8)
        chips = os.path.join(self.folder, "chips")
        env = self.env(STACCHIP_DATA_BUCKET=self.bucket, STACCHIP_INDEXPATH=out, STACCHIP_CHIP_BUCKET=chips, STACCHIP_PLATFORM="sentinel-2-l2a", STACCHIP_MAX_NODATA="1")
        os.mkdir(chips)
        r = self.run_it("prechip", "--row", "0", "--keep-incomplete", env=env)
        self.assertEqual(r.returncode, 0, r.stderr)
        cube = numpy.load(os.path.join(chips, "mode_v1_chipper_v2/sentinel-2-l2a/cube_0.npz"))
        self.assertEqual(sorted(cube), ["bands", "chipid", "datetime", "hour_norm", "lat_norm", "lon_norm", "pixels", "valid", "week_norm"])
        self.assertEqual((cube["pixels"].shape, cube["pixels"].dtype.name), ((n, 10, 256, 256), "float32"))
        self.assertEqual(cube["hour_norm"].shape, (n, 2))
        hour = 10 * 2 * numpy.pi / 24
        self.assertTrue(numpy.allclose(cube["hour_norm"], [numpy.sin(hour), numpy.cos(hour)], atol=1e-6))
        r = self.run_it("stats", env=env)
        self.assertEqual(r.returncode, 0, r.stderr)
        stats = json.loads(r.stdout)
        p = cube["pixels"].astype("f8")
        for k in range(10):
            v = p[:, k][p[:, k] != 0]
            self.assertAlmostEqual(stats["mean"][k], v.mean(), delta=1e-3)
            self.assertAlmostEqual(stats["std"][k], v.std(), delta=1e-3)


S3RVER = os.path.join(host.ROOT, "build", "node", "node_modules", "s3rver", "bin", "s3rver.js")

S3_KEYS = {"AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "FALSE", "AWS_ACCESS_KEY_ID": "S3RVER", "AWS_SECRET_ACCESS_KEY": "S3RVER"}


def start_s3rver(folder):
    """An S3 server with the bucket "archive" in a folder: (process, port)"""
    port = web.free_port()
    process = subprocess.Popen(["node", S3RVER, "-d", folder, "-a", "127.0.0.1", "-p", str(port), "-s", "--no-vhost-buckets", "--configure-bucket", "archive"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=CLEAN)
    web.wait_for_port(port, process)
    return process, port


class BucketCase(unittest.TestCase):
    """A catalogue and the bucket "archive" of an S3 server."""

    def setUp(self):
        self.work = tempfile.mkdtemp()
        self.process, self.port = start_s3rver(self.work)
        self.catalogue = Catalogue(SCENES, items())
        self.env = dict(CLEAN, STACCHIP_BUCKET="s3://archive", STACCHIP_STAC_API=self.catalogue.url, STACCHIP_HOSTS="127.0.0.1", STACCHIP_RETRIES="1", AWS_BATCH_JOB_ARRAY_INDEX="0",
                        STACCHIP_MGRS_SOURCE=layer(self.work), AWS_S3_ENDPOINT=f"127.0.0.1:{self.port}", **S3_KEYS)

    def tearDown(self):
        self.catalogue.close()
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.work, ignore_errors=True)

    def run_it(self, *args):
        return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=300, env=self.env)


@unittest.skipUnless(shutil.which("node") and os.path.exists(S3RVER), "s3rver is not there (make s3-deps)")
class Buckets(BucketCase):
    """The same against a bucket."""

    def test_tasks_of_an_array_and_the_merge_after_them(self):
        tasks = []
        for row in range(2):
            env = dict(self.env)
            del env["AWS_BATCH_JOB_ARRAY_INDEX"]
            tasks.append(subprocess.Popen([PROGRAM, "sentinel-2"], env=dict(env, SLURM_ARRAY_TASK_ID=str(row)), stderr=subprocess.PIPE, text=True))
        for t in tasks:
            _, text = t.communicate(timeout=300)
            self.assertEqual(t.returncode, 0, text)
        r = self.run_it("sentinel-2")
        self.assertIn("done before", r.stderr)
        out, db = os.path.join(self.work, "all.parquet"), os.path.join(self.work, "m.db")
        before = set(os.listdir(tempfile.gettempdir()))
        r = self.run_it("merge-index", "--output", out, "--db", db)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertFalse([f for f in set(os.listdir(tempfile.gettempdir())) - before if f.startswith("stacchip-index")], "the tree is read where it is")
        r = self.run_it("merge-index", "--output", "s3://archive/merged/all.parquet")
        self.assertEqual(r.returncode, 0, r.stderr)
        stats = [self.run_it("stats", "--index", index, "--data-bucket", "s3://archive", "--platform", "sentinel-2-l2a", "--max-cubes", "1") for index in ("s3://archive/index/", "s3://archive/merged/all.parquet")]
        self.assertEqual([r.returncode for r in stats], [0, 0], stats)
        self.assertEqual(stats[0].stdout, stats[1].stdout)
        self.assertEqual(len(json.loads(stats[0].stdout)["mean"]), 10)
        code = ("import sys; sys.path.insert(0, %r); import host, io, numpy; db = host.connect(%r); n = db.execute('SELECT count(*) FROM chips').fetchone()[0]; "
                "print(n, db.execute('SELECT count(*) FROM stacchip_parquet(?)', (%r,)).fetchone()[0], numpy.load(io.BytesIO(db.execute('SELECT stacchip_chip(row) FROM chips LIMIT 1').fetchone()[0])).shape)"
                % (os.path.join(host.ROOT, "tests", "support"), db, out))
        r = subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True, text=True, env=dict(self.env, STACCHIP_EXT=host.EXT,
                                                                                    LD_PRELOAD=os.environ.get("LD_PRELOAD", "")))
        self.assertEqual(r.returncode, 0, r.stderr)
        n, again, shape = r.stdout.split(maxsplit=2)
        self.assertEqual((n, shape.strip()), (again, "(10, 256, 256)"))
        self.assertGreaterEqual(int(n), 8)

    def test_nothing_to_merge(self):
        r = self.run_it("merge-index", "--output", os.path.join(self.work, "all.parquet"))
        self.assertEqual((r.returncode, "s3://archive/index/: no Parquet file in this folder or below" in r.stderr), (1, True), r.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.work, "all.parquet")))

    def test_bucket_that_may_not_be_written(self):
        self.env["AWS_SECRET_ACCESS_KEY"] = "wrong"
        self.env["AWS_ACCESS_KEY_ID"] = "nobody"
        r = self.run_it("sentinel-2")
        self.assertEqual(r.returncode, 1, r.stderr)
        self.assertIn("HTTP status 403", r.stderr)


# A process between: what a program had before exec() counts as its own, and ours has the assets in memory.
WITH_MEMORY = "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"


class BigAsset:
    """An asset of many pieces: a NAIP item, whose index needs no pixels, and a server that can do wrong."""

    SIZE = 40 << 20

    def setUp(self):
        self.work = tempfile.mkdtemp()
        self.item = dict(scene("naip", 600), collection="naip")
        self.fault = lambda h: None
        self.server = web.Scripted({"/big.tif": random.Random(8).randbytes(self.SIZE)}, fault=self.answer)
        self.item["assets"]["image"]["href"] = self.server.url + "/big.tif?sig=s3cr3t"
        self.env = dict(CLEAN, STACCHIP_BUCKET=self.work + "/bucket", STACCHIP_STAC_API=self.server.url, STACCHIP_HOSTS="127.0.0.1", STACCHIP_RETRIES="1",
                        AWS_BATCH_JOB_ARRAY_INDEX="0", STACCHIP_SAMPLE_SOURCE=layer(self.work))
        self.copy = os.path.join(self.work, "bucket", "naip", self.item["id"], "big.tif")

    def tearDown(self):
        self.server.close()
        shutil.rmtree(self.work)

    def answer(self, h):
        if h.command == "POST":
            return lambda h: h.json({"type": "FeatureCollection", "features": [self.item], "links": []})
        return self.fault(h)

    def start(self):
        return subprocess.Popen([PROGRAM, "naip"], stderr=subprocess.PIPE, text=True, env=self.env)

    def run_it(self):
        """(exit code, stderr, bytes of memory at most)"""
        r = subprocess.run(["/usr/bin/python3", "-c", WITH_MEMORY, PROGRAM, "naip"], capture_output=True, text=True, timeout=300, env=self.env)
        self.assertNotIn("s3cr3t", r.stderr)
        return r.returncode, r.stderr, int(r.stdout) << 10

    def stored(self):
        """What is under the copy's name, or None."""
        if not os.path.exists(self.copy):
            return None
        with open(self.copy, "rb") as f:
            return f.read()

    def check_copied(self):
        code, text, memory = self.run_it()
        self.assertEqual(code, 0, text)
        self.assertTrue(self.stored() == self.server.files["/big.tif"], "other bytes")
        return memory

    def from_the_middle(self, then):
        """A fault for ranges of the second half."""
        return lambda h: then if h.command == "GET" and h.span() and h.span()[0] >= self.SIZE // 2 else None

    def check_failed(self, code, words):
        got, text, _ = self.run_it()
        self.assertEqual((got, words in text), (code, True), text)
        self.assertIsNone(self.stored())
        return text

    def test_memory_is_bounded_by_a_piece(self):
        small = self.check_copied()
        shutil.rmtree(os.path.join(self.work, "bucket"), ignore_errors=True)
        self.forget()
        self.server.files["/big.tif"] = random.Random(9).randbytes(200 << 20)
        large = self.check_copied()
        if not ASAN:  # whose quarantine keeps what was freed
            self.assertLess(large, 150 << 20)
            self.assertLess(large - small, 16 << 20)

    def forget(self):
        pass

    def test_a_source_that_ends_half_way_is_tried_again_later(self):
        self.fault = self.from_the_middle(lambda h: h.drop())
        self.check_failed(75, "big.tif")
        self.fault = self.from_the_middle(lambda h: h.answer(429))
        self.check_failed(75, "429")
        self.fault = self.from_the_middle(lambda h: h.answer(404))
        self.check_failed(1, "404")
        self.fault = lambda h: None
        self.check_copied()

    def test_a_source_that_changes(self):
        self.fault = self.from_the_middle(lambda h: h.answer(206, h.data()[h.span()[0]:h.span()[1] + 1], ETag='"other"', Content_Range="bytes %d-%d/%d" % (*h.span(), self.SIZE)))
        self.check_failed(1, "the file has changed while it was copied")
        self.fault = self.from_the_middle(lambda h: h.answer(416, Content_Range=f"bytes */{self.SIZE // 2}"))
        self.check_failed(1, "the file has changed while it was copied")

    def test_a_server_without_ranges(self):
        whole = lambda h: h.answer(200, h.data())
        self.fault = lambda h: whole
        self.check_copied()

    def test_a_server_without_ranges_and_too_much(self):
        def endless(h):
            h.answer(200, Content_Length=1 << 40)
            while h.command == "GET":
                h.wfile.write(bytes(1 << 20))
        self.fault = lambda h: endless
        self.check_failed(1, "the server does not support range requests, and the file has more than 268435456 bytes")

    def test_an_empty_source(self):
        self.server.files["/big.tif"] = b""
        self.check_copied()

    def test_killed_in_the_middle(self):
        reached, go_on = threading.Event(), threading.Event()

        def wait(h):
            reached.set()
            go_on.wait(60)
        self.fault = self.from_the_middle(wait)
        p = self.start()
        self.assertTrue(reached.wait(60))
        p.kill()
        p.communicate()
        go_on.set()
        self.assertIsNone(self.stored())
        self.fault = lambda h: None
        self.check_copied()

    def test_two_tasks_of_the_same_name_at_once(self):
        both = threading.Barrier(2, timeout=60)

        def wait(h):  # each has written half; the second goes on when the first has
            both.wait()
            return h.plain()
        self.fault = lambda h: wait if h.command == "GET" and h.span() and h.span()[0] == 2 << 24 else None
        tasks = [self.start(), self.start()]
        for t in tasks:
            _, text = t.communicate(timeout=120)
            self.assertEqual(t.returncode, 0, text)
        self.assertTrue(self.stored() == self.server.files["/big.tif"], "other bytes")


class BigAssetInFolder(BigAsset, unittest.TestCase):
    def check_no_left_overs(self):
        files = [f for _, _, files in os.walk(os.path.join(self.work, "bucket")) for f in files]
        self.assertEqual(sorted(files), ["big.tif", f"index_{self.item['id']}.parquet", "stac_item.json"])

    def test_killed_in_the_middle(self):
        super().test_killed_in_the_middle()
        self.check_no_left_overs()

    def test_two_tasks_of_the_same_name_at_once(self):
        super().test_two_tasks_of_the_same_name_at_once()
        self.check_no_left_overs()

    def test_only_what_nobody_writes_is_left_over(self):
        os.makedirs(os.path.dirname(self.copy))
        paths = [os.path.join(os.path.dirname(self.copy), n) for n in (".big.tif.00000001.part", ".big.tif.0000000a.part", ".big.tif.0001.part", ".big.tif.part", ".big.tif.x.00000001.part")]
        files = [open(p, "w") for p in paths]
        fcntl.flock(files[0], fcntl.LOCK_EX)
        self.check_copied()
        self.assertEqual([os.path.exists(p) for p in paths], [True, False, True, True, True])
        for f in files:
            f.close()


@unittest.skipUnless(shutil.which("node") and os.path.exists(S3RVER), "s3rver is not there (make s3-deps)")
class BigAssetInStore(BigAsset, unittest.TestCase):
    """The same into the bucket of an S3 server."""

    def setUp(self):
        super().setUp()
        self.process, port = start_s3rver(self.work)
        self.env.update(S3_KEYS, STACCHIP_BUCKET="s3://archive", AWS_S3_ENDPOINT=f"127.0.0.1:{port}")
        self.copy = f"s3://archive/naip/{self.item['id']}/big.tif"

    def tearDown(self):
        self.process.terminate()
        self.process.wait()
        super().tearDown()

    def ask(self, *arguments):
        """tests/support/http_ask: (status, body)"""
        r = subprocess.run([os.path.join(os.path.dirname(PROGRAM), "http_ask"), *arguments], capture_output=True, env=self.env, timeout=60)
        first, _, body = r.stdout.partition(b"\n")
        return int(first.split()[0]), body

    def stored(self):
        status, body = self.ask("GET", self.copy)
        self.assertIn(status, (200, 404))
        return body if status == 200 else None

    def forget(self):
        for url in (self.copy, f"s3://archive/index/naip/{self.item['id']}/index_{self.item['id']}.parquet"):
            self.ask("DELETE", url)

    def test_a_copy_of_another_size_is_removed(self):
        """By a store that loses most of what it is given."""
        self.server.files["/big.tif"] = bytes(1 << 20)
        self.env["AWS_S3_ENDPOINT"] = f"127.0.0.1:{self.server.port}"

        def store(h):
            n_put = sum(r[0] == "PUT" for r in self.server.requests)
            return {"PUT": lambda h: h.answer(200), "DELETE": lambda h: h.answer(204), "HEAD": lambda h: h.answer(200, Content_Length=5) if n_put else h.answer(404)}.get(h.command)
        self.fault = store
        code, text, _ = self.run_it()
        self.assertEqual((code, "the copy has 5 bytes, the source 1048576" in text), (1, True), text)
        self.assertEqual([r[1] for r in self.server.requests if r[0] == "DELETE"], [self.copy.replace("s3:/", "")])

    def test_copied_by_the_store_itself(self):
        source = os.path.join(self.work, "source")
        with open(source, "wb") as f:
            f.write(self.server.files["/big.tif"])
        self.ask("PUT", "s3://archive/from/big.tif", "@" + source)
        self.item["assets"]["image"]["href"] = "s3://archive/from/big.tif"
        self.check_copied()
        self.assertFalse([r for r in self.server.requests if r[0] == "GET"])
        self.forget()
        self.item["assets"]["image"]["href"] = "s3://archive/nothing/big.tif"
        self.check_failed(1, "no such object")


SLURM = [shutil.which(n, path="/usr/sbin:/usr/bin:/sbin:/bin") for n in ("munged", "slurmctld", "slurmd", "sbatch")]


@unittest.skipUnless(shutil.which("node") and os.path.exists(S3RVER), "s3rver is not there (make s3-deps)")
@unittest.skipUnless(all(SLURM) and os.geteuid() == 0, "Slurm cannot be started here (slurm-wlm, as root)")
class Slurm(BucketCase):
    """examples/batch on a Slurm of one node: four tasks of an array, then the merge."""

    def setUp(self):
        super().setUp()
        self.daemons = []
        self.env["STACCHIP_MGRS_SOURCE"] = layer(self.work, ("20HNJ", "20HNK", "20HMJ", "20HMK"))
        self.env["PATH"] = os.path.dirname(PROGRAM) + ":" + self.env["PATH"]
        self.env["SLURM_CONF"] = self.write_conf()
        with open("/proc/sys/kernel/random/uuid") as f, open(os.path.join(self.work, "munge.key"), "w") as key:
            key.write(f.read() * 2)
        os.chmod(key.name, 0o600)
        munged, slurmctld, slurmd, self.sbatch = SLURM
        at = lambda name: os.path.join(self.work, name)
        self.start(munged, "-F", "--force", "--key-file", key.name, "--socket", at("munge.socket"), "--pid-file", at("munge.pid"), "--log-file", at("munge.log"), "--seed-file", at("munge.seed"))
        self.wait_for(lambda: os.path.exists(at("munge.socket")), "munged")
        self.start(slurmctld, "-D", "-i")
        self.start(slurmd, "-D", "-N", "node")
        self.wait_for(lambda: "idle" in self.ask("sinfo", "-h", "-o", "%T"), "the node")

    def tearDown(self):
        for d in reversed(self.daemons):
            d.terminate()
            d.wait()
        super().tearDown()

    def write_conf(self):
        path = os.path.join(self.work, "slurm.conf")
        with open(path, "w") as f:
            f.write(f"""ClusterName=test
SlurmctldHost={os.uname().nodename}(127.0.0.1)
SlurmctldPort={web.free_port()}
SlurmdPort={web.free_port()}
SlurmUser=root
AuthInfo=socket={self.work}/munge.socket
StateSaveLocation={self.work}/state
SlurmdSpoolDir={self.work}/spool
SlurmctldPidFile={self.work}/slurmctld.pid
SlurmdPidFile={self.work}/slurmd.pid
SlurmctldLogFile={self.work}/slurmctld.log
SlurmdLogFile={self.work}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0
MpiDefault=none
NodeName=node NodeAddr=127.0.0.1 CPUs={os.cpu_count()} RealMemory={os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20}
PartitionName=test Nodes=ALL Default=YES State=UP
""")
        return path

    def start(self, *command):
        self.daemons.append(subprocess.Popen(command, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def ask(self, *command):
        return subprocess.run(command, capture_output=True, text=True, env=self.env).stdout

    def wait_for(self, condition, what, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, f"{what} did not come up: {self.logs()}")
            time.sleep(0.1)

    def logs(self):
        text = ""
        for name in sorted(os.listdir(self.work)):
            if name.endswith((".log", ".out")):
                with open(os.path.join(self.work, name), errors="replace") as f:
                    text += f"\n{name}:\n{f.read()[-2000:]}"
        return text

    def submit(self, script, *options):
        r = subprocess.run([self.sbatch, "--parsable", f"--output={self.work}/%x_%a.out", *options, os.path.join(host.ROOT, "examples/batch", script)],
                           capture_output=True, text=True, env=self.env)
        self.assertEqual(r.returncode, 0, r.stderr)
        return r.stdout.strip()

    def test_an_array_and_the_merge_after_it(self):
        out = os.path.join(self.work, "all.parquet")
        self.env["STACCHIP_MERGE_TARGET_DIR"] = out
        self.env["STACCHIP_MERGE_DB"] = os.path.join(self.work, "m.db")
        array = self.submit("slurm-processor.sbatch", "--array=0-3", "--mem=1G", "--cpus-per-task=1")
        merge = self.submit("slurm-merge.sbatch", f"--dependency=afterok:{array}", "--mem=1G")
        self.wait_for(lambda: not self.ask("squeue", "-h", "-t", "PENDING,RUNNING,COMPLETING") or "DependencyNeverSatisfied" in self.ask("squeue", "-h"), "the end of the jobs", 240)
        states = self.ask("scontrol", "show", "job", "-o")
        self.assertEqual(5, states.count("JobState=COMPLETED"), states + self.logs())
        self.assertIn(f"JobId={merge} ", states)
        indexes = [f for _, _, files in os.walk(os.path.join(self.work, "archive")) for f in files if f.startswith("index_") and ".parquet" in f]
        db = host.connect(self.env["STACCHIP_MERGE_DB"])
        n_items, n = db.execute("SELECT count(DISTINCT item), count(*) FROM chips").fetchone()
        self.assertGreaterEqual(len(indexes), n_items)
        self.assertGreaterEqual(n_items, 4)
        self.assertEqual((n,), db.execute("SELECT count(*) FROM stacchip_parquet(?)", (out,)).fetchone())


if __name__ == "__main__":
    host.main()
