"""A map of a scene by a model: python3 examples/scene_to_map.py ITEM.json MAP.tif LOOK.png

The scene is cut with overlap, each chip goes through the model, and the scores are blended, so that no edge of a chip
shows. The model is a fixed convolution here: the vegetation index, smoothed, as scores of three classes.
"""
import io, json, sqlite3, sys
import numpy

CLASSES = ("bare", "sparse", "green")


def model(pixels):
    """(red and near infrared, rows, columns) -> (scores of the classes, rows, columns)"""
    red, nir = pixels.astype("float32")
    index = (nir - red) / numpy.maximum(nir + red, 1)
    wide = numpy.pad(index, 2, mode="edge")
    smooth = sum(wide[dy:dy + index.shape[0], dx:dx + index.shape[1]] for dy in range(5) for dx in range(5)) / 25
    return numpy.stack([-abs(smooth - middle) for middle in (0.05, 0.12, 0.2)])


def predict(chip):
    out = io.BytesIO()
    numpy.save(out, model(numpy.load(io.BytesIO(chip))))
    return out.getvalue()


item, path, look = sys.argv[1:4]
db = sqlite3.connect(":memory:")
db.enable_load_extension(True)
db.load_extension("./stacchip")
db.create_function("predict", 1, predict)
db.execute("""SELECT stacchip_mosaic(row, predict(stacchip_chip(row, '{"assets": ["red", "nir"]}')), ?)
    FROM stacchip_index(?, '{"stride": 128, "edge": "shift", "max_nodata": 1}')""", (json.dumps({"path": path, "reduce": "argmax"}), item))\
    .fetchone()
# A raster is an item of one asset, too: its only chip is the whole map.
width, = db.execute("SELECT json_extract(stacchip_item_info(?), '$.grid.shape[1]')", (path,)).fetchone()
rows = db.execute("""SELECT stacchip_chip(row), stacchip_chip(row, '{"format": "png", "rescale": [0, 2]}')
    FROM stacchip_index(?, ?)""", (path, json.dumps({"chip_size": width, "edge": "pad", "max_nodata": 1})))
for pixels, picture in rows:
    share = numpy.bincount(numpy.load(io.BytesIO(pixels)).ravel(), minlength=256)[:len(CLASSES)]
    print(", ".join(f"{name} {n / share.sum():.1%}" for name, n in zip(CLASSES, share)))
    with open(look, "wb") as f:
        f.write(picture)
