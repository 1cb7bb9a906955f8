"""What the recipes work on: `recipe_data.py FOLDER` makes chips.db and its scenes, fields.geojson, fields.gpkg, and the extension beside them.

One place of six by six chips, seen by Sentinel-2 on five days (once processed anew) and by Landsat on two; fields as polygons of crops.
"""
import json
import os
import random
import shutil
import subprocess
import sys

import numpy

import host
import tiff

CLEAN = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
SCENE = os.path.join(host.ROOT, "build", "scenes", "sentinel-2")
UPPER_LEFT = (499980, 6400000)
#  name, day and time, mission, processed, (first, last) column of chips under cloud
SENTINEL = [("20240311T140636", "2024-03-11T14:11:54Z", "S2A", "2024-03-11T20:00:00Z", (0, 1)), ("20240311T140636_R", "2024-03-11T14:11:54Z", "S2A", "2024-09-01T08:00:00Z", (0, 0)),
            ("20240316T140701", "2024-03-16T14:12:01Z", "S2B", "2024-03-16T20:00:00Z", (2, 4)), ("20240617T140638", "2024-06-17T14:11:58Z", "S2A", "2024-06-17T20:00:00Z", (4, 5)),
            ("20240921T140702", "2024-09-21T14:12:02Z", "S2B", "2024-09-21T20:00:00Z", (-1, -1)), ("20250314T140640", "2025-03-14T14:12:00Z", "S2A", "2025-03-14T20:00:00Z", (3, 3))]
LANDSAT = [("20240318", (5, 5)), ("20240925", (0, 2))]


def classes(cloud):
    """Scene classification, 20 m: bare with vegetation and water, cloud over some columns of chips."""
    y, x = numpy.mgrid[0:768, 0:768]
    a = numpy.where((x * 3 + y) % 700 < 380, 4, 5).astype("u1")
    a[(x - 500) ** 2 + (y - 300) ** 2 < 130 ** 2] = 6
    if cloud[0] >= 0:
        a[:, cloud[0] * 128:(cloud[1] + 1) * 128] = 9
    return a


def sentinel(folder):
    with open(os.path.join(SCENE, "item.json"), encoding="utf-8") as f:
        base = json.load(f)
    for name, time, mission, processed, cloud in SENTINEL:
        item = json.loads(json.dumps(base))
        item["id"] = f"{mission}_T20HNJ_{name}"
        item["properties"].update(datetime=time, created=processed)
        for key, asset in item["assets"].items():
            asset["href"] = os.path.join(SCENE, asset["href"])
        item["assets"]["scl"]["href"] = tiff.write(os.path.join(folder, f"scl_{name}.tif"), classes(cloud), transform=(20, 0, UPPER_LEFT[0], 0, -20, UPPER_LEFT[1]))
        yield item


def landsat(folder):
    transform = [30, 0, UPPER_LEFT[0], 0, -30, UPPER_LEFT[1]]
    bands = tiff.write(os.path.join(folder, "landsat.tif"), numpy.full((512, 512), 9000, "u2"), transform=transform)
    for day, cloud in LANDSAT:
        quality = numpy.full((512, 512), 21824, "u2")
        quality[:, cloud[0] * 85:(cloud[1] + 1) * 85] = 22280
        qa = tiff.write(os.path.join(folder, f"qa_{day}.tif"), quality, transform=transform)
        date = f"{day[:4]}-{day[4:6]}-{day[6:]}"
        assets = {key: {"href": qa if key == "qa_pixel" else bands, "type": "image/tiff; application=geotiff", "roles": ["data"], "proj:shape": [512, 512], "proj:transform": transform}
                  for key in ("qa_pixel", "red", "green", "blue", "nir08", "swir16", "swir22")}
        yield {"type": "Feature", "stac_version": "1.0.0", "id": f"LC09_L2SP_228082_{day}", "collection": "landsat-c2l2-sr", "geometry": None, "links": [],
               "properties": {"datetime": date + "T14:20:01Z", "platform": "landsat-9", "proj:epsg": 32720}, "assets": assets}


def fields(db):
    """Quadrilaterals in longitude and latitude, somewhat turned."""
    rng = random.Random(7)
    west, south, east, north = db.execute("SELECT MbrMinX(g), MbrMinY(g), MbrMaxX(g), MbrMaxY(g) FROM (SELECT Extent(geometry) g FROM chips)").fetchone()
    for i in range(24):
        x, y, r = rng.uniform(west, east), rng.uniform(south, north), rng.uniform(.003, .009)
        ring = [[round(x + dx * r + dy * r / 4, 6), round(y + dy * r - dx * r / 4, 6)] for dx, dy in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))]
        yield {"type": "Feature", "properties": {"crop": 1 + i % 3}, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def fill(db, folder):
    db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)")
    for item in [*sentinel(folder), *landsat(folder)]:
        db.execute("INSERT INTO chips(item_json) VALUES (?)", (json.dumps(item),))
    features = list(fields(db))
    with open(os.path.join(folder, "fields.geojson"), "w", encoding="utf-8") as f:
        json.dump({"type": "FeatureCollection", "features": features}, f)
    subprocess.run(["ogr2ogr", "-f", "GPKG", os.path.join(folder, "fields.gpkg"), os.path.join(folder, "fields.geojson"), "-nln", "fields"], check=True, env=CLEAN)
    db.execute("CREATE TABLE fields(id INTEGER PRIMARY KEY, crop INTEGER)")
    db.execute("SELECT AddGeometryColumn('fields', 'geometry', 4326, 'POLYGON')").fetchone()
    for feature in features:
        db.execute("INSERT INTO fields(crop, geometry) VALUES (?, SetSRID(GeomFromGeoJSON(?), 4326))", (feature["properties"]["crop"], json.dumps(feature["geometry"])))
    db.execute("SELECT CreateSpatialIndex('fields', 'geometry')").fetchone()


def make(folder):
    folder = os.path.abspath(folder)
    os.makedirs(folder, exist_ok=True)
    for name in ("stacchip", "stacchip_raster"):
        os.symlink(os.path.join(os.path.dirname(host.EXT), name + ".so"), os.path.join(folder, name + ".so"))
    db = host.connect(os.path.join(folder, "chips.db"))
    fill(db, folder)
    db.close()


if __name__ == "__main__":
    shutil.rmtree(sys.argv[1], ignore_errors=True)
    make(sys.argv[1])
