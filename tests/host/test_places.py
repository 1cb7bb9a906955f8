"""A place is never invented or lost: CRSs, control points, transforms, poles, chips left out, and where the reason is said.

Rasters are made by tests/support/tiff.py and gdal_translate; gdalinfo and SpatiaLite (ST_IsValid) judge.
"""
import io
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest

import numpy

import host
import tiff

CLEAN = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
UTM = [10, 0, 600000, 0, -10, 6400000]
NONE = {"platform": "none"}
OWN_WKT = ('PROJCS["my UTM %sN",GEOGCS["unnamed",DATUM["unknown",SPHEROID["my",6378137,298.257223563]],PRIMEM["Greenwich",0],'
           'UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],'
           'PARAMETER["central_meridian",%d],PARAMETER["scale_factor",0.9996],PARAMETER["false_easting",500000],'
           'PARAMETER["false_northing",%d],UNIT["metre",1]]')


class Places(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)
        self.db = host.connect()

    def path(self, name):
        return os.path.join(self.dir, name)

    def tif(self, name, array=None, **how):
        array = numpy.full((256, 256), 7, "u1") if array is None else array
        return tiff.write(self.path(name), array, **how)

    def translate(self, source, name, *options):
        subprocess.run(["gdal_translate", "-q", *options, source, self.path(name)], check=True, env=CLEAN)
        return self.path(name)

    def item(self, assets, name="item", collection=None, bbox=None, geometry=None, **properties):
        item = {"type": "Feature", "stac_version": "1.1.0", "id": name, "geometry": geometry, "links": [],
                "properties": dict({"datetime": "2024-01-01T00:00:00Z"}, **{k.replace("__", ":"): v for k, v in properties.items()}), "assets": assets}
        item.update({k: v for k, v in (("collection", collection), ("bbox", bbox)) if v})
        return json.dumps(item)

    def asset(self, href, shape=None, transform=None, **more):
        a = {"href": href, "type": "image/tiff", "roles": ["data"]}
        a.update({k: v for k, v in (("proj:shape", shape), ("proj:transform", transform)) if v})
        return dict(a, **more)

    def ask(self, sql, *args):
        r = self.db.execute(sql, args).fetchone()
        return r[0] if len(r) == 1 else r

    def refused(self, sql, *args):
        with self.assertRaises(sqlite3.Error) as caught:
            self.db.execute(sql, args).fetchall()
        return str(caught.exception)

    def info(self, item, **options):
        return json.loads(self.ask("SELECT stacchip_item_info(?, ?)", item, json.dumps(options)))

    def read(self, item, **options):
        """Chips of the item, and the bytes of the first one."""
        return self.ask("SELECT count(*), length(stacchip_chip(row)) FROM stacchip_index(?, ?)", item, json.dumps(dict(NONE, **options)))


class OneCrs(Places):
    def test_spellings_and_texts_of_one_system_agree(self):
        f = self.tif("a.tif", transform=tuple(UTM))
        wkt = subprocess.run(["gdalsrsinfo", "-o", "wkt2", "--single-line", "EPSG:32720"], capture_output=True, text=True, env=CLEAN).stdout.strip()
        wkt1 = subprocess.run(["gdalsrsinfo", "-o", "wkt1", "--single-line", "EPSG:32720"], capture_output=True, text=True, env=CLEAN).stdout.strip()
        projjson = subprocess.run(["gdalsrsinfo", "-o", "projjson", "EPSG:32720"], capture_output=True, text=True, env=CLEAN).stdout
        self.assertTrue(wkt.startswith("PROJCRS") and wkt1.startswith("PROJCS"))
        codes = ["EPSG:32720", "epsg:32720", " Epsg:32720", "urn:ogc:def:crs:EPSG::32720", "urn:ogc:def:crs:EPSG:9.8:32720",
                 "http://www.opengis.net/def/crs/EPSG/0/32720", "https://www.opengis.net/def/crs/EPSG/0/32720", "32720"]
        grids = set()
        for key, value in [("proj__code", c) for c in codes] + [("proj__epsg", 32720), ("proj__wkt2", wkt), ("proj__wkt2", wkt1),
                                                                ("proj__projjson", json.loads(projjson)), ("proj__code", "EPSG:32720+5773")]:
            with self.subTest(crs=value if isinstance(value, str) else key):
                item = self.item({"d": self.asset(f, [256, 256], UTM)}, **{key: value})
                self.assertEqual(self.read(item), (1, 65536 + 128))
                self.assertEqual(self.info(item, **NONE)["warnings"], [])
                if value in codes:
                    grids.add(self.ask("SELECT grid FROM stacchip_index(?, '{\"platform\":\"none\"}')", item))
        self.assertEqual(len(grids), 1)

    def test_other_names_of_a_system_agree(self):
        for file_epsg, transform, names in ((4326, [.0001, 0, -62, 0, -.0001, -32], ["OGC:CRS84", "urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4979"]),
                                            (3857, [10, 0, 600000, 0, -10, 6400000], ["EPSG:900913", "ESRI:102100", "EPSG:102100", "EPSG:3785"]),
                                            (2154, [10, 0, 600000, 0, -10, 6400000], ["IGNF:LAMB93", "ESRI:102110"])):
            f = self.tif("%d.tif" % file_epsg, transform=tuple(transform), epsg=file_epsg)
            for name in names:
                with self.subTest(file=file_epsg, item=name):
                    self.assertEqual(self.read(self.item({"d": self.asset(f, [256, 256], transform)}, proj__code=name)), (1, 65664))

    def test_file_without_a_code_is_compared_by_its_places(self):
        plain = self.tif("a.tif", transform=tuple(UTM))
        same = self.translate(plain, "same.tif", "-a_srs", OWN_WKT % ("20", -63, 10000000))
        other = self.translate(plain, "other.tif", "-a_srs", OWN_WKT % ("18", -75, 10000000))
        item = lambda f: self.item({"d": self.asset(f, [256, 256], UTM)}, proj__epsg=32720)
        self.assertEqual(self.read(item(same)), (1, 65664))
        error = self.refused("SELECT count(*) FROM stacchip_index(?, '{\"platform\":\"none\"}')", item(other))
        for word in ("item item: asset d", other, "my UTM 18N", "EPSG:32720"):
            self.assertIn(word, error)
        handle = json.dumps({"item": json.loads(item(other)), "platform": "none", "chip_index_x": 0, "chip_index_y": 0})
        self.assertIn("CRS", self.refused("SELECT stacchip_chip(?)", handle))
        self.assertTrue(any("my UTM 18N" in w for w in self.info(item(other), **NONE)["warnings"]))


class NoGrid(Places):
    def bent(self, name="g.tif", size=512):
        array = numpy.tile(numpy.arange(size, dtype="u2"), (size, 1))
        plain = self.tif("plain.tif", array, transform=None)
        gcps = [o for c in (0, size // 2, size) for r in (0, size // 2, size) for o in ("-gcp", str(c), str(r), str(-62 + c * 1e-4 + r * r * 2e-8), str(-32 - r * 1e-4))]
        return self.translate(plain, name, "-a_srs", "EPSG:4326", *gcps)

    def test_control_points_are_named_and_place_nothing(self):
        f = self.bent()
        stated = dict(proj__epsg=4326, proj__shape=[512, 512], proj__transform=[.0001, 0, -62, 0, -.0001, -32])
        item = self.item({k: self.asset(f) for k in ("vv", "vh")}, collection="sentinel-1-grd", **stated)
        for options in ({}, NONE):
            self.assertIn("control points (GCPs)", self.refused("SELECT * FROM stacchip_index(?, ?)", item, json.dumps(options)))
            self.assertEqual(sum("GCPs" in w for w in self.info(item, **options)["warnings"]), 2)  # one of each asset
        self.assertTrue(self.info(item)["assets"][0]["file"]["gcps"])
        self.assertIn("GCPs", self.refused("SELECT * FROM stacchip_index(?)", f))  # a bare raster
        handle = lambda **more: json.dumps(dict({"item": json.loads(item), "platform": "none"}, **more))
        blob = self.ask("SELECT stacchip_chip(?)", handle(chip_index_x=1, chip_index_y=0))  # its pixels may be read, unstretched
        self.assertEqual(numpy.load(io.BytesIO(blob))[0, 0, :4].tolist(), [256, 257, 258, 259])
        for sql, row in (("SELECT stacchip_chip(?, '{\"format\":\"geotiff\"}')", handle(chip_index_x=0, chip_index_y=0)),
                         ("SELECT stacchip_chip_info(?)", handle(chip_index_x=0, chip_index_y=0)), ("SELECT stacchip_chip(?)", handle(center=[-61.97, -32.03]))):
            self.assertIn("GCPs", self.refused(sql, row))

    def test_other_shapes_are_never_stretched(self):
        stated = dict(proj__epsg=4326, proj__shape=[480, 640], proj__transform=[.0001, 0, -62, 0, -.0001, -32])
        plain = self.tif("plain.tif", numpy.zeros((512, 512), "u1"), transform=None)
        for f in (self.bent(), plain):
            item = self.item({"d": self.asset(f)}, **stated)
            self.refused("SELECT * FROM stacchip_index(?, '{\"platform\":\"none\"}')", item)
            error = self.refused("SELECT stacchip_chip(?)", json.dumps({"item": json.loads(item), "platform": "none", "chip_index_x": 0, "chip_index_y": 0}))
            for word in ("[512, 512]", "[480, 640]"):
                self.assertIn(word, error)
        half = self.tif("half.tif", numpy.zeros((256, 256), "u1"), transform=None)  # nothing says that it covers the grid
        item = self.item({"a": self.asset(self.tif("whole.tif", numpy.zeros((512, 512), "u1"), transform=tuple(UTM)), [512, 512], UTM), "b": self.asset(half)}, proj__epsg=32720)
        error = self.refused("SELECT stacchip_chip(row, '{\"assets\":[\"b\"]}') FROM stacchip_index(?, '{\"platform\":\"none\"}')", item)
        self.assertIn("asset b", error)
        self.assertIn("[512, 512]", error)

    def test_file_elsewhere_is_no_fill(self):
        far = self.tif("far.tif", transform=(10, 0, 700000, 0, -10, 6400000))
        item = self.item({"a": self.asset(self.tif("here.tif"), [256, 256], [10, 0, 500000, 0, -10, 6400000]), "b": self.asset(far)}, proj__epsg=32720)
        error = self.refused("SELECT stacchip_chip(row, '{\"assets\":[\"b\"]}') FROM stacchip_index(?, '{\"platform\":\"none\"}')", item)
        self.assertIn("[10, 0, 700000, 0, -10, 6400000]", error)


class WrongPlace(Places):
    def test_gdal_order_is_an_error_that_shows_the_right_one(self):
        for epsg, shape, t, bbox, right in ((4326, [3600, 3600], [5.9998611111, .00027777777, 0, 1.00013888, 0, -.00027777777], [6, 0, 7, 1], "[0.00027777777, 0, 5.9998611111, 0"),
                                            (32757, [2502, 2502], [799980, 40, 0, 7900000, 0, -40], [161.85, -19.87, 162.82, -18.95], "[40, 0, 799980, 0, -40, 7900000]"),
                                            (32757, [2502, 2502], [799980, 40, 0, 7900000, 0, -40], None, "[40, 0, 799980, 0, -40, 7900000]"),
                                            (32720, [512, 512], [600000, 8, 6, 6400000, 6, -8], [-62, -32.6, -61.8, -32.4], "[8, 6, 600000, 6, -8, 6400000]")):
            item = self.item({"d": self.asset("https://example.invalid/a.tif", shape, t)}, bbox=bbox, proj__epsg=epsg)
            with self.subTest(epsg=epsg, bbox=bbox):
                error = self.refused("SELECT * FROM stacchip_index(?, '{\"platform\":\"none\"}')", item)
                self.assertIn("GDAL's order", error)
                self.assertIn(right, error)
                self.assertTrue(any("GDAL's order" in w for w in self.info(item, **NONE)["warnings"]))

    def test_grid_against_bbox_and_geometry(self):
        def item(**more):
            return self.item({"d": self.asset("https://example.invalid/a.tif", [512, 512], UTM)}, proj__epsg=32720, **more)
        box = lambda w, s, e, n: {"type": "Polygon", "coordinates": [[[w, s], [e, s], [e, n], [w, n], [w, s]]]}
        sound = {"same": dict(bbox=[-62, -32.6, -61.8, -32.4]), "six numbers": dict(bbox=[-62, -32.6, 0, -61.8, -32.4, 99]), "world": dict(bbox=[-180, -90, 180, 90]),
                 "round the antimeridian": dict(bbox=[100, -40, -61.9, -30]), "touching": dict(bbox=[-61.881, -32.6, -61.0, -32.4]), "none": {},
                 "geometry alone": dict(geometry=box(-62, -33, -61, -32)), "one of two": dict(bbox=[-62, -33, -61, -32], geometry=box(10, 40, 11, 41)),
                 "no box": dict(bbox=[1, 2, 3]), "no degrees": dict(bbox=[600000, 6394880, 605120, 6400000])}
        for name, more in sound.items():
            with self.subTest(name):
                self.assertEqual(self.info(item(**more), **NONE)["warnings"][1:], [])  # the first: nobody answers at example.invalid
                self.assertEqual(self.ask("SELECT count(*) FROM stacchip_index(?, '{\"platform\":\"none\"}')", item(**more)), 4)
        for name, more in {"other zone": dict(bbox=[118, -33, 119, -32]), "two words": dict(bbox=[118, 10, 119, 11], geometry=box(10, 40, 11, 41)),
                           "latitude first": dict(bbox=[-32.6, -62, -32.4, -61.8])}.items():
            with self.subTest(name):
                self.assertTrue(any("bbox" in w and "proj:transform" in w for w in self.info(item(**more), **NONE)["warnings"]))
                self.assertEqual(self.ask("SELECT count(*) FROM stacchip_index(?, '{\"platform\":\"none\"}')", item(**more)), 4)
        for more in (dict(bbox=[6, 44, 7, 45]), dict(geometry=box(6, 44, 7, 45)), dict(bbox=[6, 44, 7, 45], geometry=box(6, 44, 7, 45))):
            self.assertIn("share no place", self.refused("SELECT * FROM stacchip_index(?, '{\"platform\":\"none\"}')", item(**more)))

    def test_item_without_a_placed_chip_is_a_failure_at_merge(self):
        f = self.tif("a.tif", numpy.full((512, 512), 7, "u1"), transform=tuple(UTM))
        path = self.path("i.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.item({"d": self.asset("https://example.invalid/a.tif", [512, 512], [10, 0, 6e11, 0, -10, 6.4e11])}, proj__epsg=32720))
        self.assertIn("proj:transform", self.refused("SELECT * FROM stacchip_index(?, '{\"platform\":\"none\"}')", path))
        self.db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(platform=none)")
        self.assertIn("none of its 2 x 2 chips", self.refused("INSERT INTO chips(item_json) VALUES (?)", path))
        r = json.loads(self.ask("SELECT stacchip_merge_items('chips', ?)", "SELECT '%s'" % path))
        self.assertEqual((r["merged"], r["failed"]), (0, 1))
        self.assertEqual(self.ask("SELECT count(*) FROM chips_item"), 0)
        small = self.item({"d": self.asset(f, [512, 512], UTM)}, proj__epsg=32720)
        self.assertEqual(self.ask("SELECT count(*) FROM stacchip_index(?, '{\"platform\":\"none\",\"chip_size\":1024}')", small), 0)  # smaller than a chip: no error


class Poles(Places):
    def chips(self, epsg, t, shape, size, edge="drop"):
        item = self.item({"a": self.asset("https://example.invalid/a.tif", shape, t)}, proj__epsg=epsg) if isinstance(epsg, int) else \
            self.item({"a": self.asset("https://example.invalid/a.tif", shape, t)}, proj__wkt2=epsg)
        return self.db.execute("SELECT chip_index_x, chip_index_y, ST_IsValid(geometry), MbrMinX(geometry), MbrMinY(geometry), MbrMaxX(geometry), MbrMaxY(geometry), ST_Area(geometry),"
                               " GeometryType(geometry) FROM stacchip_index(?, ?)", (item, json.dumps(dict(NONE, chip_size=size, edge=edge)))).fetchall()

    def test_chip_over_a_pole_is_valid_and_reaches_it(self):
        for epsg, t in ((3031, [200, 0, -6400, 0, -200, 6400]), (3412, [25000, 0, -800000, 0, -25000, 700000]), (3976, [200, 0, -9000, 0, -200, 3100]),
                        (3411, [25000, 0, -800000, 0, -25000, 700000]), (3413, [200, 0, -5000, 0, -200, 6100]), (3408, [200, 0, -5000, 0, -200, 6100]),
                        (3409, [200, 0, -5000, 0, -200, 6100]), (6931, [200, 0, -1000, 0, -200, 12000]), (6932, [200, 0, -1000, 0, -200, 12000]),
                        (32661, [200, 0, 1995000, 0, -200, 2006100]), (5041, [200, 0, 1995000, 0, -200, 2006100]), (32761, [200, 0, 1995000, 0, -200, 2006100])):
            south = epsg in (3031, 3412, 3976, 3409, 6932, 32761)
            with self.subTest(epsg=epsg):
                (x, y, valid, west, low, east, high, area, kind), = self.chips(epsg, t, [64, 64], 64)
                self.assertEqual((valid, west, east, low if south else high, kind), (1, -180, 180, -90 if south else 90, "POLYGON"))
                self.assertGreater(area, 0)

    def test_chips_round_a_pole_are_valid_and_cover_it_once(self):
        for t, n in (([1000, 0, -64000, 0, -1000, 64000], 4), ([1000, 0, -64000, 0, -1000, 32000], 4), ([1000, 0, -32000, 0, -1000, 64000], 4)):
            rows = self.chips(3031, t, [128, 128], 64)  # the pole on a common corner, or on edges
            self.assertEqual(len(rows), n)
            for r in rows:
                self.assertEqual(r[2], 1, r)
            total = sum(r[7] for r in rows)
            touching = [r for r in rows if r[4] == -90]
            self.assertEqual(len(touching), 4 if t[2] == -64000 and t[5] == 64000 else 2)
            self.assertLess(total, 360 * 1.5)

    def test_wide_chips_of_the_world_keep_their_width(self):
        half = 20037508.342789244
        for t, size, widths in (([2 * half / 256, 0, -half, 0, -2 * half / 256, half], 256, [360]), ([2 * half / 256, 0, -half, 0, -2 * half / 256, half], 128, [180, 180])):
            rows = [r for r in self.chips(3857, t, [256, 256], size) if r[1] == 0]
            self.assertEqual([(round(r[5] - r[3], 6), r[2]) for r in rows], [(w, 1) for w in widths])
        rows = self.chips(6933, [25025.26, 0, -17367530.44, 0, -25025.26, 7307375.92], [584, 1388], 512)
        self.assertEqual(len(rows), 2)
        for r in rows:
            self.assertAlmostEqual(r[5] - r[3], 512 * 25025.26 / (2 * 17367530.44) * 360, places=3)

    def test_padding_beyond_a_pole_leaves_the_rows_that_are_there(self):
        rows = self.chips(4326, [.1, 0, -180, 0, -.1, 90], [1800, 3600], 256, "pad")
        self.assertEqual((len(rows), max(r[1] for r in rows)), (120, 7))
        last = [r for r in rows if r[1] == 7]
        self.assertEqual({(r[2], round(r[4], 9), round(r[6], 9)) for r in last}, {(1, -90, -89.2)})
        self.assertEqual(len(self.chips(4326, [18, 0, -180, 0, -18, 90], [10, 20], 8, "pad")), 6)
        self.assertEqual(len(self.chips(4326, [.5, 0, -180, 0, .5, -90], [360, 720], 256, "pad")), 6)  # south up: beyond the north pole

    def test_rotated_pole_grid_keeps_narrow_chips(self):
        wkt = ('GEOGCRS["rotated",BASEGEOGCRS["WGS 84",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0]],'
               'DERIVINGCONVERSION["Pole rotation (netCDF CF convention)",METHOD["Pole rotation (netCDF CF convention)"],'
               'PARAMETER["Grid north pole latitude (netCDF CF convention)",39.25,ANGLEUNIT["degree",0.0174532925199433]],'
               'PARAMETER["Grid north pole longitude (netCDF CF convention)",-162,ANGLEUNIT["degree",0.0174532925199433]],'
               'PARAMETER["North pole grid longitude (netCDF CF convention)",0,ANGLEUNIT["degree",0.0174532925199433]]],'
               'CS[ellipsoidal,2],AXIS["latitude",north],AXIS["longitude",east],ANGLEUNIT["degree",0.0174532925199433]]')
        rows = self.chips(wkt, [.11, 0, -28.4, 0, -.11, 22], [412, 424], 16)
        self.assertEqual(len(rows), 25 * 26)
        self.assertTrue(all(r[2] == 1 for r in rows))
        self.assertLess(max(r[5] - r[3] for r in rows if r[8] == "POLYGON" and r[6] < 75), 30)

    def test_left_out_chips_are_told(self):
        item = self.item({"a": self.asset("https://example.invalid/a.tif", [1800, 3600], [.1, 0, -180, 0, -.1, 95])}, proj__epsg=4326)
        info = self.info(item, **dict(NONE, chip_size=50))
        self.assertEqual((info["grid"]["chips"], info["grid"]["left_out"]), ([36, 72], 72))
        self.assertTrue(any("72 of 2592 chips" in w for w in info["warnings"]))


class GeoTiffCrs(Places):
    def test_crs_survives(self):
        f = self.tif("a.tif", transform=tuple(UTM))
        wkt3d = ('PROJCRS["UTM 20S, 3-D",BASEGEOGCRS["WGS 84",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0]],'
                 'CONVERSION["UTM zone 20S",METHOD["Transverse Mercator",ID["EPSG",9807]],PARAMETER["Latitude of natural origin",0,ANGLEUNIT["degree",0.0174532925199433]],'
                 'PARAMETER["Longitude of natural origin",-63,ANGLEUNIT["degree",0.0174532925199433]],PARAMETER["Scale factor at natural origin",0.9996,SCALEUNIT["unity",1]],'
                 'PARAMETER["False easting",500000,LENGTHUNIT["metre",1]],PARAMETER["False northing",10000000,LENGTHUNIT["metre",1]]],'
                 'CS[Cartesian,3],AXIS["easting",east],AXIS["northing",north],AXIS["ellipsoidal height",up],LENGTHUNIT["metre",1]]')
        for crs, word in ((dict(proj__epsg=32720), "UTM zone 20S"), (dict(proj__code="EPSG:32720+5773"), "UTM zone 20S"), (dict(proj__wkt2=wkt3d), "20S")):
            with self.subTest(crs=list(crs.values())[0][:30] if "proj__wkt2" in crs else crs):
                item = self.item({"d": self.asset(f, [256, 256], UTM)}, **crs)
                blob = self.ask("SELECT stacchip_chip(row, '{\"format\":\"geotiff\"}') FROM stacchip_index(?, '{\"platform\":\"none\"}')", item)
                with open(self.path("out.tif"), "wb") as out:
                    out.write(blob)
                info = json.loads(subprocess.run(["gdalinfo", "-json", self.path("out.tif")], capture_output=True, check=True, env=CLEAN).stdout)
                self.assertIn(word, info["coordinateSystem"]["wkt"])
                self.assertAlmostEqual(info["wgs84Extent"]["coordinates"][0][0][0], -61.94, places=1)


class Reasons(Places):
    def test_item_info_answers_without_rule_mask_and_grid(self):
        a = self.asset("https://example.invalid/a.tif", [512, 512], UTM)
        info = self.info(self.item({"d": a}, proj__epsg=32720))
        self.assertEqual((info["platform"], info["grid"]["crs"], info["grid"]["shape"]), (None, "EPSG:32720", [512, 512]))
        self.assertTrue(any("no platform rule matches" in w for w in info["warnings"]))
        info = self.info(self.item({"red": dict(a, roles=["visual"])}, collection="cop-dem-glo-30", proj__epsg=32720))
        self.assertEqual((info["platform"], info["mask"], info["grid"]["crs"]), ("cop-dem", None, "EPSG:32720"))
        self.assertTrue(any("no mask asset" in w for w in info["warnings"]))
        info = self.info(self.item({"t": {"href": "t.txt", "type": "text/plain"}}), **NONE)
        self.assertEqual((info["grid"], info["assets"]), (None, []))
        self.assertTrue(any("no usable grid" in w for w in info["warnings"]))
        self.assertEqual(self.info(self.item({"d": a}, proj__epsg=32720), chip_size=128, **NONE)["grid"]["chips"], [4, 4])
        self.assertIn("; rules: ", self.refused("SELECT stacchip_item_info(?, '{\"platform\":\"nobody\"}')", self.item({"d": a}, proj__epsg=32720)))

    def test_each_asset_and_warning_once_and_whole(self):
        f = self.tif("d.tif", numpy.full((512, 512), 7, "f4"), transform=tuple(UTM))
        item = self.item({"data": self.asset(f, [512, 512], [10, 0, 600000, 0, -10, 6400010])}, collection="cop-dem-glo-30", proj__epsg=32720)
        info = self.info(item)
        self.assertEqual([a["key"] for a in info["assets"]], ["data"])
        self.assertEqual([("[10, 0, 600000, 0, -10, 6400010]" in w, "[10, 0, 600000, 0, -10, 6400000]" in w) for w in info["warnings"]], [(True, True)])

    def test_formats_that_are_not_opened_are_named(self):
        for word, asset in (("netCDF", {"href": "https://example.invalid/a.nc", "type": "application/x-netcdf"}), ("HDF", {"href": "https://example.invalid/a", "type": "application/x-hdf5"}),
                            ("HDF", {"href": "https://example.invalid/a.h5"}), ("Zarr", {"href": "https://example.invalid/a", "type": "application/vnd+zarr"}),
                            ("Zarr", {"href": "https://example.invalid/a.zarr/"}), ("GRIB", {"href": "https://example.invalid/a.GRB2"}),
                            ("GRIB", {"href": "https://example.invalid/a", "type": "application/wmo-GRIB2"}), ("netCDF", {"href": "https://example.invalid/a.nc?x=.tif", "type": ""})):
            item = self.item({"d": dict(asset, roles=["data"])})
            with self.subTest(asset):
                for error in (self.refused("SELECT * FROM stacchip_index(?, '{\"platform\":\"none\"}')", item), self.info(item, **NONE)["warnings"][0]):
                    self.assertIn("it is %s, a format that is not opened" % word, error)
        whole = self.item({"d": {"href": "https://example.invalid/a.nc", "proj:shape": [256, 256], "proj:transform": UTM}}, proj__epsg=32720)
        self.assertIn("netCDF", self.refused("SELECT stacchip_chip(row) FROM stacchip_index(?, '{\"platform\":\"none\"}')", whole))
        for word, head in (("netCDF", b"CDF\x01"), ("HDF5", b"\x89HDF\r\n\x1a\n"), ("HDF4", b"\x0e\x03\x13\x01"), ("GRIB", b"GRIB")):
            with open(self.path("x.tif"), "wb") as f:
                f.write(head + bytes(200))
            self.assertIn("it is " + word, self.refused("SELECT * FROM stacchip_index(?)", self.path("x.tif")))
        os.makedirs(self.path("z.zarr"))
        open(self.path("z.zarr/.zgroup"), "w").close()
        self.assertIn("Zarr", self.refused("SELECT * FROM stacchip_index(?)", self.path("z.zarr")))

    def test_media_types_that_say_nothing_leave_it_to_the_suffix(self):
        f = self.tif("a.tif", transform=tuple(UTM))
        shutil.copy(f, self.path("bare"))
        for href, media, n in ((f, "application/octet-stream", 1), (f, "image/cog", 1), (f, "", 1), (f, None, 1), (self.path("bare"), None, 1), (self.path("bare"), "", 1),
                               (f, "application/json", 0), (f, "text/plain", 0), (self.path("bare.txt"), None, 0)):
            item = self.item({"d": {k: v for k, v in dict(href=href, type=media, roles=["data"]).items() if v is not None}})
            with self.subTest(href=os.path.basename(href), media=media):
                if n:
                    self.assertEqual(self.read(item), (1, 65664))
                else:
                    self.assertIn("no readable raster asset", self.refused("SELECT * FROM stacchip_index(?, '{\"platform\":\"none\"}')", item))

    def test_messages_are_text_and_keep_their_reason(self):
        for n in range(8):
            name = "x" * n + "é" * 1500
            item = self.item({"d": self.asset("https://example.invalid/a.tif", [512, 512], [1, 0, 0, 0, 0, 0])}, name=name, proj__epsg=32720)
            error = self.refused("SELECT * FROM stacchip_index(?, '{\"platform\":\"none\"}')", item)  # sqlite3 decodes it as UTF-8
            self.assertIn("found [1,0,0,0,0,0]", error)
            self.assertTrue(error.startswith("item " + name[:100]))


class Cost(Places):
    def item_of(self, n=1, shape=(512, 512), **properties):
        return self.item({"a%d" % i: self.asset("https://example.invalid/%d.tif" % i, list(shape), UTM) for i in range(n)}, **dict(dict(proj__epsg=32720), **properties))

    def test_named_limits_refuse_before_the_work(self):
        wkt = 'GEOGCS["%s"]' % ("a" * 20000000)
        for item, words in ((self.item_of(shape=(1000000, 1000000)), "3906 x 3906 chips; the limit is"), (self.item_of(n=20001), "20001 assets; the limit is 20000"),
                            (self.item_of(proj__epsg=None, proj__wkt2=wkt), "bytes; the limit is"), (self.item_of(proj__epsg=None, proj__projjson={"name": "a" * 1000000}), "bytes; the limit is")):
            begin = time.process_time()
            self.assertIn(words, self.refused("SELECT * FROM stacchip_index(?, '{\"platform\":\"none\"}')", item))
            self.assertLess(time.process_time() - begin, 3)
        begin = time.process_time()
        self.assertEqual(self.ask("SELECT count(*) FROM stacchip_index(?, '{\"platform\":\"none\"}')", self.item_of(n=20000)), 4)  # not quadratic
        self.assertLess(time.process_time() - begin, 5)

    def late(self, sql, *args, after=0.3):
        """CPU seconds between sqlite3_interrupt() and the end of a statement that runs for long."""
        db, at = self.db, []
        timer = threading.Timer(after, lambda: (at.append(time.process_time()), db.interrupt()))
        timer.start()
        try:
            with self.assertRaises(sqlite3.OperationalError) as caught:
                db.execute(sql, args).fetchall()
        finally:
            timer.cancel()
        self.assertIn("interrupt", str(caught.exception))
        return time.process_time() - (at[0] if at else time.process_time())

    def test_rules_are_interrupted_whatever_one_step_does(self):
        self.db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.db.enable_load_extension(True)
        self.db.load_extension(host.EXT)
        f = self.tif("scl.tif", numpy.arange(65536, dtype="u4").reshape(256, 256))
        item = self.item({"scl": self.asset(f), "red": self.asset(f)}, collection="own")
        rule = lambda **r: self.db.execute("SELECT stacchip_platform_set('own', ?)", (json.dumps(dict({"match": "collection = 'own'", "mask": "scl", "cloud": "0", "nodata": "0", "assets": ["red"]}, **r)),))
        rule(match="(WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t WHERE length(hex(zeroblob(900000 + i))) > 1 LIMIT 50000) SELECT max(i) FROM t) > 0")
        self.assertLess(self.late("SELECT count(*) FROM stacchip_index(?)", item), 1)
        rule(cloud="(WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t WHERE length(hex(zeroblob(30000 + v * 0 + i * 0))) > 1) SELECT max(i) FROM t) > 0")
        self.assertLess(self.late("SELECT count(*) FROM stacchip_index(?)", item), 1)
        rule(cloud="length(hex(zeroblob(15000000 + v))) > v")  # no pixel value needs such a text
        self.assertIn("too big", self.refused("SELECT count(*) FROM stacchip_index(?)", item))

    def test_one_call_of_a_rule_ends_soon(self):
        """Within a call nobody asks for interrupts: functions that compare two long texts everywhere are bounded."""
        f = self.tif("scl.tif", numpy.zeros((256, 256), "u1"))
        item = self.item({"scl": self.asset(f), "red": self.asset(f)}, collection="own")
        zeros = "hex(zeroblob(400000))"
        rule = lambda match: self.db.execute("SELECT stacchip_platform_set('own', ?)", (json.dumps({"match": "collection = 'own' AND " + match, "mask": "scl", "cloud": "0", "nodata": "0", "assets": ["red"]}),))
        for call in ("instr({0}, {0} || '1')", "replace({0}, {0} || '1', '')", "{0} || '1' LIKE '%' || {0}", "glob({0}, {0})", "trim({0}, {0} || '1')", "ltrim({0}, {0})", "rtrim({0}, {0})",
                     "json_patch(json_array({0}), json_array({0}))"):
            rule("length(%s) > 0" % call.format(zeros))
            begin = time.process_time()
            self.assertRegex(self.refused("SELECT count(*) FROM stacchip_index(?)", item), "in one call: the limit of their product is|pattern too complex", call)
            self.assertLess(time.process_time() - begin, 1, call)
        for match in ("instr(assets, '\"scl\"') > 0", "assets LIKE '%SCL%' AND assets GLOB '*scl*' AND assets NOT GLOB '*SCL*'", "replace(trim('xxaxx', 'x') || ltrim('ya', 'y') || rtrim('az', 'z'), 'a', 'b') = 'bbb'", "'a_b' LIKE 'a\\_b' ESCAPE '\\' AND 'axb' NOT LIKE 'a\\_b' ESCAPE '\\'",
                      "instr(x'0102', x'02') = 2 AND instr('äb', 'b') = 2 AND instr(NULL, 'b') IS NULL", "typeof(replace(1, 1, 2)) = 'text' AND json_patch('{\"a\":1}', '{\"b\":2}') = '{\"a\":1,\"b\":2}'"):
            rule(match)
            self.assertEqual(self.ask("SELECT count(*) FROM stacchip_index(?)", item), 1, match)


if __name__ == "__main__":
    host.main()
