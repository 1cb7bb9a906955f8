"""Real items and hostile files: what the tables of ../shared/fixtures say, by an independent program."""
import csv
import glob
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import unittest

import host

FIXTURES = os.path.join(host.SHARED, "fixtures")
GOLDEN = os.path.join(host.SHARED, "golden")


os.environ["STACCHIP_RETRIES"] = "0"  # there is no network here: ask once


def table(name):
    with open(os.path.join(FIXTURES, name), encoding="utf-8") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


def corners(wkt):
    p = [float(v) for v in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", wkt)]
    return list(zip(p[::2], p[1::2]))


def answer(db, item):
    """What the extension says of an item at platform none, as EXPECTED_ITEMS.tsv has it."""
    q = "FROM stacchip_index(?, json_object('platform','none','chip_size',%d))"
    try:
        n256 = db.execute("SELECT count(*) " + q % 256, (item,)).fetchone()[0]
        n64, multi, area, date = db.execute("SELECT count(*), sum(GeometryType(geometry)='MULTIPOLYGON'), sum(Area(geometry)), min(date) " + q % 64, (item,)).fetchone()
        first = db.execute("SELECT AsWKT(geometry,15) " + q % 64 + " WHERE chip_index_x=0 AND chip_index_y=0", (item,)).fetchone()
        return {"n256": n256, "n64": n64, "multi": multi or 0, "area": area or 0.0, "date": date, "wkt": first and first[0]}
    except Exception as e:
        return {"error": str(e)}


def differs(e, o):
    """"" where the answer o is what the line e of the table expects."""
    if e["verdict"] != "index":
        if "error" not in o:
            return "" if e["accept"] else "indexed"
        groups = (e["error_words"] or "").split(" & ")
        ok = all(any(re.search(r"\bid\b" if w == "id" else re.escape(w), o["error"], re.I) for w in g.split("|")) for g in groups)
        return "" if ok else f"error lacks {e['error_words'][:60]!r}: {o['error'][:120]}"
    if "error" in o:
        return "" if "refuse" in e["accept"] or "needs-file" in e["accept"] else o["error"][:200]
    if e["accept"] and "refuse" not in e["accept"]:
        return ""
    if (o["n256"], o["n64"]) != (int(e["chips_256"]), int(e["chips_64"])):
        return f"chips {o['n256']}/{o['n64']}, expected {e['chips_256']}/{e['chips_64']}"
    if o["multi"] != int(e["antimeridian_64"] or 0):
        return f"{o['multi']} multipolygons, expected {e['antimeridian_64']}"
    if e["date"] not in ("", "NULL") and o["n64"] and o["date"] != e["date"]:
        return f"date {o['date']}, expected {e['date']}"
    if e["area_64_deg2"] and abs(o["area"] - float(e["area_64_deg2"])) > 1e-6 * float(e["area_64_deg2"]):
        return f"area {o['area']}, expected {e['area_64_deg2']}"
    if e["ul_lon"] and o["wkt"]:
        points = corners(o["wkt"])
        for c in ("ul", "ur", "lr", "ll"):
            x, y = float(e[c + "_lon"]), float(e[c + "_lat"])
            if not any(abs(y - b) < 2e-9 and min(abs(x - a), 360 - abs(x - a)) < 2e-9 for a, b in points):
                return f"corner {c} ({x}, {y}) is not in {o['wkt'][:100]}"
    return ""


@host.needs_shared
class RealItems(unittest.TestCase):
    def test_every_item_answers_as_expected(self):
        db = host.connect()
        for e in table("EXPECTED_ITEMS.tsv"):
            path = os.path.join(FIXTURES, "items", e["file"])
            if os.path.exists(path):
                with self.subTest(e["file"]):
                    self.assertEqual(differs(e, answer(db, path)), "")

    def test_every_feature_of_a_collection_answers_as_expected(self):
        db = host.connect()
        kept = {}
        for e in table("EXPECTED_FEATURES.tsv"):
            name, n = e["file"].rsplit("#", 1)
            path = os.path.join(FIXTURES, "items", name)
            if not os.path.exists(path):
                continue
            if name not in kept:
                kept[name] = [r[0] for r in db.execute("SELECT item_json FROM stacchip_items(?)", (path,))]
            with self.subTest(e["file"]):
                self.assertEqual(differs(e, answer(db, kept[name][int(n)])), "")

    def test_masks_count_as_expected(self):
        db = host.connect()
        for e in table("EXPECTED_MASKS.tsv"):
            path = os.path.join(FIXTURES, "items", e["file"])
            if not os.path.exists(path):
                continue
            with self.subTest(e["file"], size=e["chip_size"]):
                o = json.dumps({"platform": e["platform"], "chip_size": int(e["chip_size"]), "max_nodata": 1})
                n, cloud, nodata = db.execute("SELECT count(*), total(cloud_cover_percentage), total(nodata_percentage) FROM stacchip_index(?,?)", (path, o)).fetchone()
                self.assertEqual(n, int(e["chips"]))
                self.assertAlmostEqual(cloud, float(e["sum_cloud"]), delta=1e-5)
                self.assertAlmostEqual(nodata, float(e["sum_nodata"]), delta=1e-5)

    def test_built_in_rules_match_their_missions(self):
        db = host.connect()
        expected = {"sentinel-2-l2a": ["odc-stac__S2B", "mapchete-eo__S2A_33TWN", "odc-tools__S2A_17SPR"], "landsat-c2l2-sr": ["stac-asset__LC09", "pystac-client__LC08_L2SP"],
                    "landsat-c2l1": ["eo-datasets__LC08_L1GT"], "landsat-c2l1-mss": ["landsat__LM05"], "hls": ["hls__HLS"], "modis": ["modis__MOD09A1"], "modis-10a2": ["adapted__MOD10A2"],
                    "sentinel-1-rtc": ["adapted__S1B_2016"], "sentinel-1-grd": ["sentinel1__S1A_EW"], "naip": ["stacchip__naip"], "cop-dem": ["cop-dem__Copernicus"], "esa-worldcover": ["adapted__ESA"],
                    "goes-cmi": ["goes__OR_ABI"], "planet-udm": ["adapted__20170831_172754"], "dea-ard": ["ga_ls8c_ard"], "linz": ["linz-stac__linz"], "io-lulc": ["odc-tools__29V"],
                    "sentinel-2-l1c": ["stactools-packages-sentinel2__S2A_MSIL1C"]}
        for rule, names in expected.items():
            for name in names:
                for path in glob.glob(os.path.join(FIXTURES, "items", f"*{name}*")):
                    with self.subTest(os.path.basename(path)):
                        try:
                            got = json.loads(db.execute("SELECT stacchip_item_info(?, '{\"shape\":[512,512]}')", (path,)).fetchone()[0])["platform"]
                            self.assertEqual(got, rule)
                        except Exception as e:  # a file is needed for the grid: the rule was found before
                            self.assertNotIn("no platform rule", str(e))

    def test_golden_index_of_the_python_package(self):
        db = host.connect()
        n = 0
        for name in ("s2", "landsat", "naip", "modis"):
            path = os.path.join(GOLDEN, "small_scenes", f"{name}_small", "item.json")
            for size in (256, 100):
                for most in ("0.0", "0.5", "1.0"):
                    gold = list(csv.DictReader(open(os.path.join(GOLDEN, "csv", f"{name}_small_index_cs{size}_max{most}.csv"))))
                    o = {"chip_size": size, "max_nodata": float(most)}
                    if name == "modis":
                        o["platform"] = "modis-clay-v1"
                    got = db.execute("SELECT chipid,cloud_cover_percentage,nodata_percentage,AsWKT(geometry,15) FROM stacchip_index(?,?)", (path, json.dumps(o))).fetchall()
                    self.assertEqual([g["chipid"] for g in gold], [g[0] for g in got])
                    for g, r in zip(gold, got):
                        self.assertAlmostEqual(r[1], float(g["cloud_cover_percentage"]), delta=1e-6)
                        self.assertAlmostEqual(r[2], float(g["nodata_percentage"]), delta=1e-6)
                        want, have = corners(g["geometry"]), corners(r[3])
                        self.assertTrue(all(any(abs(a - c) < 1e-9 and abs(b - d) < 1e-9 for c, d in want) for a, b in have), r[0])
                        n += 1
        self.assertEqual(n, 1728)


HOSTILE = r"""
import json, resource, sys
sys.path.insert(0, %r)
import host
if %r: resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
db = host.connect()
path = sys.argv[1]
mask = {"type": "Feature", "id": "h", "properties": {"datetime": None, "proj:epsg": 32720}, "assets": {
  "scl": {"href": path, "type": "image/tiff"}, "red": {"href": path, "type": "image/tiff", "proj:shape": [600, 600], "proj:transform": [10, 0, 499980, 0, -10, 6400000]}}}
for q, a in (("SELECT count(*), sum(nodata_percentage) FROM stacchip_index(?)", (path,)),
             ("SELECT count(*) FROM stacchip_index(?, '{\"platform\":\"sentinel-2-l2a\",\"max_nodata\":1}')", (json.dumps(mask),)),
             ("SELECT length(stacchip_chip(?, '{\"assets\":[\"red\"]}'))", (json.dumps({"item": mask, "chip_index_x": 0, "chip_index_y": 0}),)),
             ("SELECT length(stacchip_item_info(?, '{\"platform\":\"none\"}'))", (json.dumps(mask),))):
    try: db.execute(q, a).fetchall()
    except host.sqlite3.Error as e: assert str(e).strip(), "an empty message"
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@host.needs_shared
class HostileFiles(unittest.TestCase):
    def test_error_or_result_never_a_crash(self):
        asan = os.environ.get("VARIANT") == "asan"
        code = HOSTILE % (os.path.join(host.ROOT, "tests", "support"), not asan)
        files = sorted(glob.glob(os.path.join(FIXTURES, "hostile", "*")))
        self.assertGreater(len(files), 50)
        for path in files:
            with self.subTest(os.path.basename(path)):
                r = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=240)
                self.assertEqual(r.returncode, 0, r.stderr[-600:])
                self.assertEqual(r.stderr, "")  # nothing is printed in somebody else's process
                if not asan:
                    self.assertLess(int(r.stdout), 1024, "megabytes of memory")


class Access(unittest.TestCase):
    """Attempts to read what may not be read."""

    def write_tiff(self, folder, name, metadata=""):
        """A small plain TIFF by hand, with GDAL_METADATA where given."""
        tags = [(256, 3, 1, 8), (257, 3, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1), (278, 3, 1, 8), (279, 4, 1, 64)]
        meta = metadata.encode() + b"\0"
        ifd_at = 8 + 64
        meta_at = ifd_at + 2 + 12 * (len(tags) + 1) + 4
        tags.append((42112, 2, len(meta), meta_at))
        data = b"II*\0" + ifd_at.to_bytes(4, "little") + bytes(64) + len(tags).to_bytes(2, "little")
        for tag, kind, n, value in tags:
            data += tag.to_bytes(2, "little") + kind.to_bytes(2, "little") + n.to_bytes(4, "little") + value.to_bytes(4, "little")
        path = os.path.join(folder, name)
        with open(path, "wb") as f:
            f.write(data + bytes(4) + meta)
        return path

    def refused(self, item, words, options="{\"platform\":\"none\"}"):
        db = host.connect()
        with self.assertRaises(Exception) as e:
            db.execute("SELECT count(*) FROM stacchip_index(?,?)", (item, options)).fetchall()
        self.assertRegex(str(e.exception), words)

    def item(self, href, **asset):
        return json.dumps({"type": "Feature", "id": "a", "properties": {}, "assets": {"r": dict({"href": href, "type": "image/tiff"}, **asset)}})

    def test_external_overview_is_refused(self):
        with tempfile.TemporaryDirectory() as d:
            meta = '<GDALMetadata><Item name="OVERVIEW_FILE" domain="OVERVIEWS">/etc/passwd</Item></GDALMetadata>'
            self.refused(self.write_tiff(d, "o.tif", meta), "external overview file")

    def test_sidecar_overview_that_is_a_vrt_is_not_opened(self):
        with tempfile.TemporaryDirectory() as d:
            path = self.write_tiff(d, "s.tif")
            secret = os.path.join(d, "secret.tif")
            with open(path + ".ovr", "w") as f:
                f.write(f'<VRTDataset rasterXSize="4" rasterYSize="4"><VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>{secret}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>')
            db = host.connect()
            trace = subprocess.run([sys.executable, "-c", f"import sys; sys.path.insert(0, {os.path.join(host.ROOT, 'tests/support')!r}); import host; db = host.connect(); print(db.execute(\"SELECT length(stacchip_item_info(?, '{{\\\"platform\\\":\\\"none\\\"}}'))\", ({self.item(path, **{'proj:epsg': 32720, 'proj:shape': [8, 8], 'proj:transform': [1, 0, 0, 0, -1, 0]})!r},)).fetchone())"],
                                   capture_output=True, text=True)
            self.assertEqual(trace.returncode, 0, trace.stderr)
            self.assertNotIn("secret", trace.stdout + trace.stderr)

    def test_driver_prefixes_and_schemes(self):
        for href, words in (("/vsizip/a.zip/x.tif", "/vsi prefix"), ("/vsicurl?url=http://x/y.tif", "/vsi prefix"), ("ftp://x/y.tif", "scheme 'ftp'"),
                            ("data://x", "scheme 'data'"), ("file://elsewhere/x.tif", "file: URL that names another host"), ("http://169.254.169.254/x.tif", "not allowed"),
                            ("https://metadata.google.internal/x.tif", "not allowed")):
            with self.subTest(href):
                self.refused(self.item(href), words)

    def test_directories_and_pipes_are_no_rasters(self):
        with tempfile.TemporaryDirectory() as d:
            pipe = os.path.join(d, "p.tif")
            os.mkfifo(pipe)
            self.refused(self.item(pipe), "not a regular file")
            self.refused(self.item(d), "not a regular file|Is a directory|cannot open")


if __name__ == "__main__":
    host.main()
