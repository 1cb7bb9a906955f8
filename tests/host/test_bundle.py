"""The self-contained build (make bundle): what it links and exports, how large it is, that it finds its own files, and that other copies of
GDAL, PROJ and SpatiaLite live beside it in one process, in any order."""
import json
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import unittest

import host
import numpy
import tiff
import web

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUNDLE = os.path.abspath(os.environ.get("STACCHIP_BUNDLE", os.path.join(ROOT, "build/bundle")))
HERE = os.path.exists(os.path.join(BUNDLE, "mod_spatialite.so"))
LIMIT_BYTES = 30 << 20
SYSTEM = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "libstdc++.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "linux-vdso.so.1"}
EXPORTS = {
    "stacchip.so": {"sqlite3_stacchip_init", "sqlite3_extension_init"},
    "stacchip_raster.so": {"stacchip_raster_api", "stacchip_spatialite_init", "stacchip_main"},
    "mod_spatialite.so": {"sqlite3_modspatialite_init"},
}


def run(*words, **kw):
    return subprocess.run(words, capture_output=True, text=True, check=True, **kw).stdout


@unittest.skipUnless(HERE, "no build/bundle (make bundle)")
class Files(unittest.TestCase):
    def test_links_nothing_but_the_c_and_c_plus_plus_libraries(self):
        for name in [*EXPORTS, "stacchip"]:
            linked = {os.path.basename(line.split()[0]) for line in run("ldd", os.path.join(BUNDLE, name)).splitlines()}
            self.assertEqual(linked - SYSTEM, set(), name)
            self.assertNotIn("PATH", re.sub(r"STACCHIP\w*", "", "\n".join(l for l in run("readelf", "-d", os.path.join(BUNDLE, name)).splitlines() if "(R" in l and "PATH" in l)))

    def test_exports_only_its_entries(self):
        for name, entries in EXPORTS.items():
            lines = run("nm", "-D", "--defined-only", os.path.join(BUNDLE, name)).split("\n")
            self.assertEqual({line.split()[-1] for line in lines if line}, entries, name)

    def test_is_small(self):
        size = sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(BUNDLE) for f in files)
        self.assertLessEqual(size, LIMIT_BYTES)

    def test_needs_no_newer_glibc_than_it_says(self):
        said = tuple(map(int, open(os.path.join(BUNDLE, "glibc")).read().split(".")))
        used = set()
        for name in [*EXPORTS, "stacchip"]:
            used |= {tuple(map(int, v.split("."))) for v in re.findall(r"GLIBC_([0-9.]+)", run("objdump", "-T", os.path.join(BUNDLE, name)))}
        self.assertEqual(max(used), said)
        self.assertLessEqual(said, (2, 36))

    def test_says_whose_work_is_inside(self):
        names = set(os.listdir(os.path.join(BUNDLE, "licenses")))
        sources = {line.split()[0] for line in open(os.path.join(ROOT, "packages/bundle/sources")) if not line.startswith("#")}
        self.assertEqual(sources - names, set())
        self.assertIn("stacchip", names)

    def test_names_no_folder_of_the_machine_that_built_it(self):
        for name in [*EXPORTS, "stacchip"]:
            data = open(os.path.join(BUNDLE, name), "rb").read()
            self.assertNotIn(ROOT.encode(), data, name)


# One process holds, besides the bundle, what a user may have: SpatiaLite of the system in another connection, GDAL's Python
# package, rasterio. Each guest is a function that loads it, once, and gives what it computes; its answers have to be the same however
# many times it is asked and whoever came before.
GUESTS = r"""
import hashlib, json, sqlite3, sys
bundle, scene, band, order = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4].split(",")
once, kept = {}, []
POINT = "AsText(ST_Transform(MakePoint(10.5, 50.25, 4326), 32632))"

def connect(extension):
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.enable_load_extension(True)
    db.load_extension(extension)
    kept.append(db)
    return db

def spatial(db):
    db.execute("SELECT InitSpatialMetaData(1, 'WGS84')")
    return db

def stacchip():
    db = once.setdefault("stacchip", None) or spatial(connect(bundle + "/stacchip"))
    once["stacchip"] = db
    row, area = db.execute("SELECT row, ST_Area(geometry) FROM stacchip_index(?) LIMIT 1 OFFSET 7", (scene,)).fetchone()
    chip, = db.execute("SELECT stacchip_chip(?)", (row,)).fetchone()
    moved, = db.execute("SELECT stacchip_chip(?, '{\"crs\": \"EPSG:3857\", \"resolution\": 20}')", (row,)).fetchone()
    return [hashlib.sha256(chip).hexdigest(), hashlib.sha256(moved).hexdigest(), round(area, 12), db.execute("SELECT " + POINT).fetchone()[0]]

def spatialite():
    db = once.setdefault("spatialite", None) or spatial(connect("mod_spatialite"))
    once["spatialite"] = db
    return list(db.execute("SELECT " + POINT + ", AsText(ST_Buffer(MakePoint(1, 2), 1, 2)), spatialite_version()").fetchone())

def osgeo():
    from osgeo import gdal, osr
    gdal.UseExceptions()
    data = gdal.Open(band).ReadAsArray()
    to = osr.SpatialReference(); to.ImportFromEPSG(32632)
    of = osr.SpatialReference(); of.ImportFromEPSG(4326)
    warped = gdal.Warp("", band, format="MEM", dstSRS="EPSG:3857").ReadAsArray()
    return [hashlib.sha256(data.tobytes()).hexdigest(), hashlib.sha256(warped.tobytes()).hexdigest(), [round(v, 6) for v in osr.CoordinateTransformation(of, to).TransformPoint(50.25, 10.5)[:2]]]

def rasterio():
    import rasterio, rasterio.warp
    with rasterio.open(band) as f:
        data, crs = f.read(), f.crs.to_epsg()
    x, y = rasterio.warp.transform("EPSG:4326", "EPSG:32632", [10.5], [50.25])
    return [hashlib.sha256(data.tobytes()).hexdigest(), crs, round(x[0], 6), round(y[0], 6)]

for _ in range(2):
    answers = [{name: globals()[name]() for name in order} for _ in range(2)]
if answers[0] != answers[1]: sys.exit("a second call gave something else: %r" % answers)
print(json.dumps(answers[0], sort_keys=True))
"""


@unittest.skipUnless(HERE, "no build/bundle (make bundle)")
class Coexistence(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        subprocess.run([os.path.join(ROOT, "build/release/make_scene"), "sentinel-2", cls.folder.name, "1200"], check=True, stdout=subprocess.DEVNULL)
        cls.scene = os.path.join(cls.folder.name, "item.json")
        cls.band = next(os.path.join(cls.folder.name, f) for f in sorted(os.listdir(cls.folder.name)) if f.endswith(".tif"))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def ask(self, *order):
        r = subprocess.run(["/usr/bin/python3", "-c", GUESTS, BUNDLE, self.scene, self.band, ",".join(order)], capture_output=True, text=True, timeout=300)
        self.assertEqual(r.returncode, 0, f"{order}: {r.stderr[-800:]}")
        return json.loads(r.stdout)

    def guests(self):
        there = []
        for name, module in (("osgeo", "osgeo.gdal"), ("rasterio", "rasterio")):
            if subprocess.run(["/usr/bin/python3", "-c", f"import {module}"], capture_output=True).returncode == 0:
                there.append(name)
        if not there:
            self.skipTest("no GDAL for Python (make deps-bundle)")
        return there

    def test_with_spatialite_gdal_and_rasterio_in_any_order(self):
        names = ["stacchip", "spatialite", *self.guests()]
        alone = {name: self.ask(name)[name] for name in names}
        # Each two in both orders, each one first and last.
        turns = [names[i:] + names[:i] for i in range(len(names))]
        for order in turns + [turn[::-1] for turn in turns]:
            self.assertEqual(self.ask(*order), alone, order)

    def test_its_spatialite_and_the_systems_agree(self):
        both = self.ask("stacchip", "spatialite")
        self.assertEqual(both["stacchip"][3], both["spatialite"][0])

    def test_settings_of_the_host_do_not_lead_it_to_other_files(self):
        """PROJ_DATA and GDAL_DATA are set by programs that bring a PROJ of another version."""
        with tempfile.TemporaryDirectory() as empty:
            open(os.path.join(empty, "proj.db"), "w").close()
            names = ("PROJ_DATA", "PROJ_LIB", "GDAL_DATA", "GDAL_DRIVER_PATH")
            before = {n: os.environ.get(n) for n in names}
            try:
                os.environ.update({n: empty for n in names})
                misled = self.ask("stacchip")
            finally:
                for n, v in before.items():
                    os.environ.pop(n) if v is None else os.environ.__setitem__(n, v)
            self.assertEqual(misled, self.ask("stacchip"))

    def test_moves_as_a_folder_and_works_by_a_link(self):
        with tempfile.TemporaryDirectory() as d:
            shutil.copytree(BUNDLE, os.path.join(d, "a folder"))
            os.mkdir(os.path.join(d, "bin"))
            for name in ("stacchip", "stacchip.so", "mod_spatialite.so"):
                os.symlink(os.path.join(d, "a folder", name), os.path.join(d, "bin", name))
            self.assertRegex(run(os.path.join(d, "bin/stacchip"), "--version"), r"\d+\.\d+")
            r = subprocess.run(["/usr/bin/python3", "-c", GUESTS, os.path.join(d, "bin"), self.scene, self.band, "stacchip"], capture_output=True, text=True)
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertEqual(json.loads(r.stdout), self.ask("stacchip"))


@unittest.skipUnless(HERE, "no build/bundle (make bundle)")
@unittest.skipUnless(shutil.which("openssl"), "no openssl to make a certificate")
class Certificates(unittest.TestCase):
    def test_a_server_is_checked_against_the_file_that_the_environment_names(self):
        code = "import sqlite3, sys; db = sqlite3.connect(':memory:'); db.enable_load_extension(True); db.load_extension(sys.argv[1]); print(db.execute('SELECT count(*) FROM stacchip_index(?)', (sys.argv[2],)).fetchone())"
        with tempfile.TemporaryDirectory() as d:
            key, cert = os.path.join(d, "key.pem"), os.path.join(d, "cert.pem")
            run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
            server = web.Scripted({"/map.tif": open(tiff.write(os.path.join(d, "map.tif"), numpy.ones((512, 512), "u1")), "rb").read()})
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
            url = server.url.replace("http://127.0.0.1", "https://localhost") + "/map.tif"
            clean = {k: v for k, v in os.environ.items() if k not in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")}
            ask = lambda **more: subprocess.run(["/usr/bin/python3", "-c", code, os.path.join(BUNDLE, "stacchip"), url], capture_output=True, text=True, env={**clean, "STACCHIP_HOSTS": "localhost", **more})
            for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"):
                r = ask(**{name: cert})
                self.assertEqual(r.stdout.strip(), "(4,)", r.stderr)
            self.assertIn("certificate", ask().stderr)
            server.close()


if __name__ == "__main__":
    host.main()
