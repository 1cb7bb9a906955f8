"""Layers: other rasters on the grid of a chip, mosaicked first-valid; judged by gdalwarp and NumPy."""
import io
import json
import os
import unittest

import host
import numpy
import tiff
from test_grids import Grid, gdal, handle


def item_of(path, item_id, datetime, key="map"):
    return {"type": "Feature", "stac_version": "1.0.0", "id": item_id, "collection": "cover", "geometry": None, "links": [], "properties": {"datetime": datetime},
            "assets": {key: {"href": path, "type": "image/tiff"}}}


class Layers(Grid):
    def npz(self, row, **options):
        return numpy.load(io.BytesIO(self.db.execute("SELECT stacchip_chip(?, ?)", (row, json.dumps(dict(options, format="npz")))).fetchone()[0]))

    def stack(self, rows, **options):
        sql = "SELECT stacchip_stack(value, ?) FROM json_each(?)"
        return numpy.load(io.BytesIO(self.db.execute(sql, (json.dumps(dict(options, format="npz")), json.dumps(rows))).fetchone()[0]))

    def cover(self, epsg=32721, **options):
        """Classes on a grid of another zone."""
        a = self.rng.integers(1, 12, (500, 500)).astype("u1")
        return tiff.write(self.path(), a, transform=(10, 0, -64500, 0, -10, 6384500), epsg=epsg, **options)

    def test_a_raster_is_what_gdalwarp_makes_of_it(self):
        path, cover = self.raster(), self.cover(nodata=0)
        for own in ({}, {"crs": "EPSG:4326", "resolution": 0.0001}, {"buffer": 7}, {"jitter": 20, "seed": 4}):
            info = self.info(handle(path, 1, 1), **own)
            for source in (cover, item_of(cover, "x", None)):
                got = self.npz(handle(path, 1, 1), layers={"label": {"source": source, "fill": 200}}, **own)["label"]
                want = self.warped(cover, info, "nearest")
                want[want == 0] = 200
                self.assertEqual((got.dtype, got.shape), (numpy.dtype("u1"), want.shape))
                self.assertLess(numpy.mean(got != want), 0.001)
                self.assertGreater(numpy.mean(want != 200), 0.1)
        fine = {"resolution": 7}
        got = self.npz(handle(path, 1, 1), layers={"height": {"source": cover, "resampling": "bilinear"}}, **fine)["height"]
        self.assertLessEqual(abs(got - self.warped(cover, self.info(handle(path, 1, 1), **fine), "bilinear")).max(), 1)

    def table(self, name, rasters):
        """A merged index of (array, id, datetime) on the grid of the chips."""
        self.db.execute(f"CREATE VIRTUAL TABLE {name} USING stacchip_merge(max_nodata=1, platform=none, chip_size=64)")
        for a, item_id, datetime in rasters:
            p = tiff.write(self.path(), a, nodata=0)
            self.db.execute(f"INSERT INTO {name}(item_json) VALUES (?)", (json.dumps(item_of(p, item_id, datetime)),))

    def test_the_order_of_a_mosaic(self):
        def holes(value, share):
            a = numpy.full((400, 420), value, "u1")
            a[self.rng.random(a.shape) < share] = 0
            return a
        dates = {"b": "2024-03-01T00:00:00Z", "a": "2024-03-01T00:00:00Z", "old": "2020-01-01T00:00:00Z", "new": "2024-06-01T10:00:00Z", "never": None}
        arrays = {k: holes(i + 1, 0.4) for i, k in enumerate(dates)}
        self.table("cover_order", [(arrays[k], k, dates[k]) for k in dates])
        path = self.raster()
        item = item_of(path, "image", "2024-03-02T12:00:00Z", "image")
        orders = {"same": [], "nearest": ["a", "b", "new", "old", "never"], "any": ["new", "a", "b", "old", "never"]}
        for when, order in orders.items():
            want = numpy.full((128, 128), 99, "u1")
            for k in reversed(order):
                part = arrays[k][128:256, 256:384]
                want = numpy.where(part, part, want)
            row = json.dumps({"item": item, "platform": "none", "chip_index_x": 2, "chip_index_y": 1, "chip_size": 128})
            layer = {"label": {"source": "cover_order", "assets": ["map"], "when": when, "fill": 99}}
            numpy.testing.assert_array_equal(self.npz(row, layers=layer)["label"][0], want)
            numpy.testing.assert_array_equal(self.stack([row, row], layers=layer)["label"], numpy.stack([want[None]] * 2))
        item["properties"]["datetime"] = "2024-03-01T23:59:00Z"
        row = json.dumps({"item": item, "platform": "none", "chip_index_x": 2, "chip_index_y": 1, "chip_size": 128})
        same = self.npz(row, layers={"label": {"source": "main.cover_order", "when": "same", "fill": 99}})["label"][0]
        a, b = (arrays[k][128:256, 256:384] for k in "ab")
        numpy.testing.assert_array_equal(same, numpy.where(a, a, numpy.where(b, b, 99)))

    def test_a_stack_has_an_array_for_each_layer(self):
        path, cover = self.raster(), self.cover(nodata=0)
        two = tiff.write(self.path(), self.noise((2, 400, 420), "f4", 100))
        layers = {"label": {"source": cover}, "dem": {"source": two, "resampling": "cubic", "fill": -1}}
        rows = [handle(path, i % 3, i // 3) for i in range(9)]
        npz = self.stack(rows, layers=layers)
        self.assertEqual({k: v.shape for k, v in npz.items() if v.ndim == 4 and k != "valid"},
                         {"pixels": (9, 1, 128, 128), "label": (9, 1, 128, 128), "dem": (9, 2, 128, 128)})
        for i, row in enumerate(rows):
            for k in layers:
                numpy.testing.assert_array_equal(npz[k][i], self.npz(row, layers=layers)[k])
        fill = self.stack([rows[0], None, rows[4]], layers=layers, null="fill")
        self.assertEqual((fill["dem"][1].min(), fill["dem"][1].max(), fill["label"][1].max()), (-1, -1, 0))
        numpy.testing.assert_array_equal(fill["dem"][2], npz["dem"][4])

    def test_nothing_there_is_fill(self):
        path, far = self.raster(), tiff.write(self.path(), self.noise((50, 50), "u1"), transform=(10, 0, 500000, 0, -10, 2000000))
        self.table("far", [])
        for source in (far, "far"):
            got = self.npz(handle(path), layers={"label": {"source": source, "fill": 7}})["label"]
            self.assertEqual((got.shape, set(got.flat)), ((1, 128, 128), {7}))

    def test_failed_layers_fail_their_chips_alone(self):
        path, bad = self.raster(), self.path()
        tiff.write(bad, self.noise(dtype="u1"), block=(128, 128), deflate=True)
        with open(bad, "r+b") as f:
            size = f.seek(0, 2)
            f.seek(size - 4000)
            f.write(b"\xff" * 4000)
        rows = [handle(path, 0, 0), handle(path, 2, 2)]
        npz = self.stack(rows, layers={"label": {"source": bad}}, on_error="skip")
        self.assertEqual((npz["pixels"].shape[0], npz["label"].shape[0], list(npz["chipid"])), (1, 1, [os.path.basename(path)[:-4] + "-0-0"]))
        with self.assertRaisesRegex(Exception, "layer label"):
            self.stack(rows, layers={"label": {"source": bad}})

    def test_local_files_are_judged_as_those_of_items(self):
        path, cover = self.raster(), self.cover()
        closed = os.path.join(self.folder.name, "closed")
        os.mkdir(closed)
        os.rename(cover, os.path.join(closed, "c.tif"))
        self.db.execute("SELECT stacchip_config('local_roots', ?)", (closed,))
        try:
            with self.assertRaises(Exception):
                self.npz(handle(path), layers={"label": {"source": os.path.join(closed, "c.tif")}})
            self.db.execute("SELECT stacchip_config('local_roots', ?)", (os.path.dirname(path) + "/x",))
            with self.assertRaises(Exception):
                self.npz(handle(path), layers={"label": {"source": os.path.join(closed, "c.tif")}})
        finally:
            self.db.execute("SELECT stacchip_config('local_roots', 'allow')")

    def test_what_is_refused(self):
        row, cover = handle(self.raster()), self.cover()
        for layers, words in (({"label": {}}, "layer label: option 'source'"), ({"label": 5}, "object with 'source'"), ({"pixels": {"source": cover}}, "no name of a layer"),
                              ({"a b": {"source": cover}}, "no name of a layer"), ({}, "1 to 32 layers"), (3, "1 to 32 layers"), ({"label": {"source": cover, "when": "never"}}, "same"),
                              ({"label": {"source": cover, "x": 1}}, "unknown option 'x'"), ({"label": {"source": "/nowhere.tif"}}, "layer label"),
                              ({"label": {"source": cover, "assets": "swir"}}, "no asset 'swir'"), ({"data": {"source": cover}}, "an asset has that name")):
            with self.subTest(layers), self.assertRaisesRegex(Exception, words):
                self.npz(row, layers=layers)
        with self.assertRaisesRegex(Exception, "'layers' is for the format npz"):
            self.chip(row, layers={"label": {"source": cover}})


if __name__ == "__main__":
    host.main()
