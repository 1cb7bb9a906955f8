"""Where layers may come from, beside handles from the network; layers in batches; interrupts inside a warp."""
import io
import json
import os
import sqlite3
import tempfile
import threading
import unittest

os.environ.setdefault("STACCHIP_HOSTS", "127.0.0.1,localhost")
import host
import numpy
import tiff
import web

DENIED = "over the network may not name a local file"


def item(href, name):
    return {"type": "Feature", "stac_version": "1.0.0", "id": name, "geometry": None, "links": [], "properties": {"datetime": None},
            "assets": {"map": {"href": href, "type": "image/tiff"}}}


class Sources(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder, cls.server, rng = tempfile.TemporaryDirectory(), web.Scripted(), numpy.random.default_rng(3)
        cls.image, cls.cover = rng.integers(1, 60000, (400, 400)).astype("u2"), rng.integers(1, 12, (400, 400)).astype("u1")
        cls.image_path, cls.cover_path = (tiff.write(os.path.join(cls.folder.name, n), a) for n, a in (("image.tif", cls.image), ("cover.tif", cls.cover)))
        with open(cls.image_path, "rb") as f:
            cls.server.files["/image.tif"] = f.read()
        cls.server.files["/image.json"] = json.dumps(item(cls.server.url + "/image.tif", "image")).encode()
        cls.server.files["/thief.json"] = json.dumps(item("file://" + cls.cover_path, "thief")).encode()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        cls.folder.cleanup()

    def setUp(self):
        self.db = host.connect()

    def merged(self, name, source):
        self.db.execute(f"CREATE VIRTUAL TABLE {name} USING stacchip_merge(platform=none, max_nodata=1, chip_size=128)")
        self.db.execute(f"INSERT INTO {name}(item_json) VALUES (?)", (source,))

    def npz(self, row, source, **layer):
        options = {"format": "npz", "layers": {"label": dict(layer, source=source)}}
        return numpy.load(io.BytesIO(self.db.execute("SELECT stacchip_chip(?, ?)", (row, json.dumps(options))).fetchone()[0]))

    def test_a_handle_from_the_network_takes_the_callers_own_file(self):
        self.merged("images", self.server.url + "/image.json")
        handle, = self.db.execute("SELECT row FROM images WHERE chip_index_x = 1 AND chip_index_y = 1").fetchone()
        for row in (handle, json.dumps({"item": self.server.url + "/image.json", "platform": "none", "chip_index_x": 1, "chip_index_y": 1, "chip_size": 128})):
            for source in (self.cover_path, item(self.cover_path, "own")):
                got = self.npz(row, source)
                numpy.testing.assert_array_equal(got["label"][0], self.cover[128:256, 128:256])
                numpy.testing.assert_array_equal(got["map"][0], self.image[128:256, 128:256])

    def test_an_item_from_the_network_brings_no_local_file(self):
        own = json.dumps({"item": self.image_path, "chip_index_x": 1, "chip_index_y": 1, "chip_size": 128})
        with self.assertRaisesRegex(sqlite3.Error, DENIED):
            self.npz(own, self.server.url + "/thief.json")
        marked = dict(item("file://" + self.cover_path, "thief"), **{"stacchip:origin": "network"})
        with self.assertRaisesRegex(sqlite3.Error, DENIED):
            self.npz(own, marked)

    def test_layers_in_batches(self):
        self.merged("images", json.dumps(item(self.image_path, "image")))
        options = {"format": "npz", "layers": {"label": {"source": self.cover_path, "fill": 200}, "smooth": {"source": self.cover_path, "resampling": "average"}}}
        rows = self.db.execute("SELECT batch FROM stacchip_batches('SELECT row FROM images', 4, ?)", (json.dumps(options),)).fetchall()
        seen = set()
        for blob, in rows:
            npz = numpy.load(io.BytesIO(blob))
            for i, name in enumerate(npz["chipid"]):
                x, y = map(int, str(name).rsplit("-", 2)[1:])
                part = numpy.s_[128 * y:128 * y + 128, 128 * x:128 * x + 128]
                numpy.testing.assert_array_equal(npz["pixels"][i, 0], self.image[part])
                numpy.testing.assert_array_equal(npz["label"][i, 0], self.cover[part])
                numpy.testing.assert_array_equal(npz["smooth"][i, 0], self.cover[part])
                seen.add((x, y))
        self.assertEqual((len(rows), seen), (3, {(x, y) for x in range(3) for y in range(3)}))

    def test_an_interrupt_stops_a_warp(self):
        path = tiff.write(os.path.join(self.folder.name, "large.tif"), numpy.ones((2000, 2000), "f8"), block=(256, 256))
        row = json.dumps({"item": path, "chip_index_x": 1, "chip_index_y": 1, "chip_size": 128})
        for kernel in ("nearest", "bilinear", "cubic"):
            options = json.dumps({"crs": "EPSG:32721", "resolution": 1, "size": 16000, "center": [-62.9, -32.6], "resampling": kernel, "dtype": "uint8"})
            timer = threading.Timer(0.2, self.db.interrupt)
            timer.start()
            with self.subTest(kernel), self.assertRaisesRegex(sqlite3.OperationalError, "interrupted"):
                self.db.execute("SELECT stacchip_chip(?, ?)", (row, options)).fetchone()
            timer.join()
            small = self.db.execute("SELECT stacchip_chip(?, ?)", (row, json.dumps({"resolution": 5, "resampling": kernel}))).fetchone()[0]
            self.assertTrue((numpy.load(io.BytesIO(small)) == 1).all())


if __name__ == "__main__":
    host.main()
