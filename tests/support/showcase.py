"""A database to look at: `showcase.py FOLDER` makes chips.db and its scenes. Five places of farmland seen on six days by something like
Sentinel-2, with fields that change with the season, woods, a river, clouds and their shadows. The same every time.
"""
import json
import os
import shutil
import sys

import numpy

import host
import tiff

SIZE = 1280
DAYS = ["2024-01-18", "2024-03-11", "2024-05-05", "2024-07-24", "2024-09-22", "2024-11-16"]
PLACES = {"T20HNJ": (499980, 6400000), "T20HPH": (518000, 6391500), "T20HLK": (486500, 6413500), "T20HMH": (505200, 6381000), "T20HQK": (521800, 6409000)}
CLOUDS = {"2024-01-18": 0.30, "2024-03-11": 0.02, "2024-05-05": 0.55, "2024-07-24": 0.1, "2024-09-22": 0.0, "2024-11-16": 0.8}


def smooth(rng, step, n=SIZE):
    """Noise in -1 to 1, its hills about `step` pixels wide."""
    k = n // step + 3
    grid = rng.uniform(-1, 1, (k, k))
    at = numpy.linspace(0, k - 2.001, n)
    i = at.astype(int)
    f = at - i
    f = f * f * (3 - 2 * f)
    rows = grid[i] * (1 - f)[:, None] + grid[i + 1] * f[:, None]
    return rows[:, i] * (1 - f) + rows[:, i + 1] * f


def clouds_like(rng, step):
    return smooth(rng, step) + 0.5 * smooth(rng, step // 2) + 0.25 * smooth(rng, step // 4) + 0.12 * smooth(rng, step // 10)


def fields(rng):
    """The number of the field of each pixel: strips of different width, cut across at different places, turned a little."""
    y, x = numpy.mgrid[0:SIZE, 0:SIZE].astype(float)
    angle = rng.uniform(-0.3, 0.3)
    u, v = x * numpy.cos(angle) + y * numpy.sin(angle) + 500, y * numpy.cos(angle) - x * numpy.sin(angle) + 500
    edges = numpy.cumsum(rng.uniform(35, 130, 80))
    strip = numpy.searchsorted(edges, u)
    cut = rng.uniform(0, 150, 100)[strip]
    height = rng.uniform(45, 170, 100)[strip]
    inside = (v + cut) % height
    margin = (inside < 2.5) | (numpy.abs(u - edges[numpy.minimum(strip, 79)]) < 2)
    return strip * 100 + ((v + cut) // height).astype(int), margin


def scene(place, day):
    """(bands, mask): reflectance x 10000 of blue, green, red and nir, and classes of every second pixel."""
    rng = numpy.random.default_rng(sum(map(ord, place)))
    field, margin = fields(rng)
    crop = rng.uniform(0, 1, 20000)[field]
    wood = clouds_like(rng, 300) > 0.75
    bend = SIZE * 0.5 + 170 * numpy.sin(numpy.arange(SIZE) / rng.uniform(140, 240)) + 60 * numpy.sin(numpy.arange(SIZE) / 57)
    river = numpy.abs(numpy.arange(SIZE)[None, :] - bend[:, None]) < 13 + 5 * smooth(rng, 200)
    season = (DAYS.index(day) / len(DAYS) + crop) % 1
    green = numpy.clip(numpy.sin(numpy.pi * season) ** 2 * 1.15 - 0.1, 0, 1)
    green[wood], green[margin] = 0.85, 0.4
    soil, leaf = numpy.array([1050, 1420, 1800, 2500.0]), numpy.array([480, 880, 620, 3900.0])
    texture = 1 + 0.07 * smooth(rng, 9) + 0.08 * smooth(rng, 60)
    bands = (soil[:, None, None] * (1 - green) + leaf[:, None, None] * green) * texture * (1 - 0.35 * wood)
    bands[:, river] = numpy.array([760, 820, 600, 300.0])[:, None]
    rng = numpy.random.default_rng(sum(map(ord, place + day)) * 7 + 1)
    cover = CLOUDS[day]
    noise = clouds_like(rng, 420)
    level = numpy.quantile(noise, 1 - cover) if cover else 9
    thickness = numpy.clip((noise - level) * 3.2, 0, 1) ** 0.7
    shadow = numpy.roll(thickness, (38, -30), (0, 1))
    bands = bands * (1 - 0.4 * shadow * (1 - thickness)) * (1 - thickness) + thickness * (4300 + 500 * smooth(rng, 30))
    bands += rng.normal(0, 22, bands.shape)
    mask = numpy.where(green > 0.45, 4, 5).astype("u1")
    mask[river], mask[shadow > 0.4], mask[thickness > 0.25] = 6, 3, 9
    if place == "T20HQK":  # at the edge of an orbit
        y, x = numpy.mgrid[0:SIZE, 0:SIZE]
        outside = x - 0.18 * y > SIZE * 0.72
        bands[:, outside], mask[outside] = 0, 0
    return numpy.clip(bands, 0, 10000).astype("u2"), mask[::2, ::2]


def item(folder, place, day):
    x, y = PLACES[place]
    name = f"S2{'AB'[DAYS.index(day) % 2]}_{place}_{day.replace('-', '')}"
    bands, mask = scene(place, day)
    files = {key: tiff.write(os.path.join(folder, f"{name}_{key}.tif"), band, transform=(10, 0, x, 0, -10, y)) for key, band in zip(("blue", "green", "red", "nir"), bands)}
    files["scl"] = tiff.write(os.path.join(folder, f"{name}_scl.tif"), mask, transform=(20, 0, x, 0, -20, y))
    assets = {key: {"href": path, "type": "image/tiff; application=geotiff", "roles": ["data"], "proj:shape": [SIZE // (1 + (key == "scl"))] * 2, "proj:transform": [20 if key == "scl" else 10, 0, x, 0, -20 if key == "scl" else -10, y]}
              for key, path in files.items()}
    return {"type": "Feature", "stac_version": "1.0.0", "id": name, "collection": "sentinel-2-l2a", "geometry": None, "links": [], "properties": {"datetime": day + "T14:06:36Z", "platform": f"sentinel-2{name[2].lower()}", "proj:epsg": 32720}, "assets": assets}


def make(folder):
    os.makedirs(folder, exist_ok=True)
    db = host.connect(os.path.join(folder, "chips.db"))
    db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=0.9)")
    for place in PLACES:
        for day in DAYS:
            db.execute("INSERT INTO chips(item_json) VALUES (?)", (json.dumps(item(folder, place, day)),))
    db.close()


if __name__ == "__main__":
    shutil.rmtree(sys.argv[1], ignore_errors=True)
    make(os.path.abspath(sys.argv[1]))
