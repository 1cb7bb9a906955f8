"""stacchip_plot: histograms as SVG. Judged by expat, and by numpy.histogram of the same pixels."""
import json
import os
import re
import sqlite3
import tempfile
import unittest
import xml.etree.ElementTree as tree

import host
import numpy
import tiff

SVG = "{http://www.w3.org/2000/svg}"


class Plot(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.db = host.connect()

    def stats(self, arrays, nodata=None):
        assets = {}
        for key, a in arrays.items():
            path = os.path.join(self.folder.name, key + ".tif")
            assets[key] = {"href": tiff.write(path, a, nodata=nodata), "type": "image/tiff"}
        item = {"type": "Feature", "stac_version": "1.0.0", "id": "i", "geometry": None, "links": [], "assets": assets, "properties": {"datetime": "2024-01-01T00:00:00Z"}}
        side = next(iter(arrays.values())).shape[-1]
        return self.db.execute("SELECT stacchip_band_stats(row, ?) FROM stacchip_index(?, ?)", (json.dumps({"assets": list(arrays)}), json.dumps(item),
                               json.dumps({"platform": "none", "chip_size": side, "max_nodata": 1}))).fetchone()[0]

    def plot(self, stats):
        text, = self.db.execute("SELECT stacchip_plot(?)", (stats if isinstance(stats, str) else json.dumps(stats),)).fetchone()
        return text, tree.fromstring(text.encode())

    def test_bars_are_the_histogram(self):
        rng = numpy.random.default_rng(5)
        arrays = {"red": rng.normal(1000, 200, (400, 400)).astype("f4"), "other": (rng.random((400, 400)) ** 2 * 60000).astype("u2"), "green": numpy.full((400, 400), 7, "u1")}
        text, root = self.plot(self.stats(arrays))
        bands = root.findall(SVG + "g")
        self.assertEqual([b.find(SVG + "text").text for b in bands], list(arrays))
        for name, band in zip(arrays, bands):
            bars, values = band.find(SVG + "path"), arrays[name].astype("f8").ravel()
            self.assertEqual((bars.get("class"), bars.get("fill")), (name, {"red": "#c8403a", "other": "#56707f", "green": "#3f8f4f"}[name]))
            floor = float(re.match(r"M120 (\d+)", bars.get("d"))[1])
            heights = floor - numpy.array([float(v) for v in re.findall(r"V([\d.]+)h5", bars.get("d"))])
            low, high = numpy.percentile(values, [0.5, 99.5])
            margin = (high - low) / 40 or max(abs(low), 1) / 2
            want, _ = numpy.histogram(values, len(heights), (low - margin, high + margin))
            self.assertEqual(len(heights), 88)
            self.assertAlmostEqual(heights.max(), 60, 0)
            if low == high:
                self.assertEqual(((heights > 0).sum(), heights.argmax() in (43, 44)), (1, True))
                continue
            # from 201 quantiles: a bar's share is known to half a percent
            self.assertLess(abs(heights / heights.sum() - want / want.sum()).max(), 0.006)
        self.assertIn(">median 7<", text)
        self.assertIn(">pixels 160000<", text)

    def test_ticks_are_round_and_on_the_axis(self):
        for low, high in ((0, 1), (-5, 3), (1000, 1010), (0.00012, 0.00034), (-1e12, 1e12), (250000, 250001)):
            q = list(numpy.linspace(low, high, 201))
            _, root = self.plot({"assets": ["x"], "count": [9], "mean": [low], "std": [0], "quantiles": [q]})
            ticks = [t for t in root.iter(SVG + "text") if t.get("text-anchor") == "middle"]
            self.assertTrue(3 <= len(ticks) <= 12, len(ticks))
            values, places = ([float(v) for v in column] for column in zip(*((t.text, t.get("x")) for t in ticks)))
            slope = numpy.polyfit(values, places, 1)[0]
            self.assertAlmostEqual(slope * (q[199] - q[1]), 440 / 1.05, 0)
            self.assertTrue(all(120 <= p <= 560 for p in places))

    def test_hostile_texts_are_texts(self):
        names = ["</text><script>alert(1)</script>", 'a"b\'c&d', "\x01\x1b[31m", "\ufffe\ud7ff", "🛰️ Süd", "x" * 100000, "]]>", "<!--", "\x7f\x80", "&#0;", "%s%n"]
        stats = {"assets": names, "count": [1] * 11, "mean": [0] * 11, "std": [0] * 11, "quantiles": [[0] * 201] * 11}
        text, root = self.plot(stats)
        self.assertEqual({e.tag for e in root.iter()}, {SVG + t for t in ("svg", "title", "style", "rect", "g", "text", "path")})
        self.assertLess(len(text), 100000)
        shown = [g.find(SVG + "text").find(SVG + "title").text for g in root.findall(SVG + "g")]
        self.assertEqual([shown[i] for i in (0, 1, 4, 6, 7, 9, 10)], [names[i] for i in (0, 1, 4, 6, 7, 9, 10)])
        self.assertEqual(shown[2], "\ufffd\ufffd[31m")
        self.assertEqual(shown[5], "x" * 200 + "…")
        for raw in (b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"):
            blob = json.dumps(dict(stats, assets=["@"] + names[1:])).encode().replace(b"@", raw)
            text, = self.db.execute("SELECT stacchip_plot(?)", (blob,)).fetchone()
            tree.fromstring(text.encode())

    def test_a_band_without_pixels(self):
        stats = self.stats({"red": numpy.zeros((64, 64), "u1")}, nodata=0)
        self.assertIn(">no valid pixels<", self.plot(stats)[0])

    def test_it_looks_right_on_light_and_dark_pages(self):
        text, root = self.plot(self.stats({"red": numpy.arange(4096, dtype="u2").reshape(64, 64)}))
        self.assertIn("prefers-color-scheme: dark", text)
        rules = re.findall(r"([^{}]+)\{[^{}]*\}", re.sub(r"@media \([^)]*\) \{(.*?\}) \}", r"\1", root.find(SVG + "style").text))
        self.assertTrue(rules and all(r.strip().startswith(".stacchip-plot") for r in rules), rules)  # none is for the page around it
        for e in root.iter():
            if e.tag in (SVG + "text", SVG + "rect", SVG + "path"):
                self.assertTrue(e.get("fill") or e.get("stroke"))  # without variables, too

    def test_merged_statistics_and_views(self):
        one = self.stats({"red": numpy.arange(4096, dtype="u2").reshape(64, 64)})
        merged, = self.db.execute("SELECT stacchip_band_stats_merge(value) FROM json_each(?)", (json.dumps([one, one]),)).fetchone()
        self.assertIn(">pixels 8192<", self.plot(merged)[0])
        self.db.execute("CREATE TABLE s AS SELECT ? AS json", (one,))
        self.db.execute("CREATE VIEW v AS SELECT stacchip_plot(json) AS svg FROM s")
        self.assertEqual(self.db.execute("SELECT svg FROM v").fetchone()[0], self.plot(one)[0])

    def test_bad_input(self):
        good = {"assets": ["a"], "count": [1], "mean": [0], "std": [0], "quantiles": [list(range(201))]}
        self.assertIsNone(self.db.execute("SELECT stacchip_plot(NULL)").fetchone()[0])
        bad = [("x", "{"), ("[]", "assets"), ("{}", "assets"), (dict(good, assets=[1]), "assets"), (dict(good, assets=["a"] * 300), "assets"), (dict(good, quantiles=[[1]]), "quantiles"),
               (dict(good, quantiles=[list(range(201))[::-1]]), "quantiles"), (dict(good, quantiles=[["x"] * 201]), "quantiles"), (dict(good, quantiles=7), "quantiles"),
               (dict(good, mean=[None]), "mean"), (dict(good, std=[]), "std"), (dict(good, count="1"), "count"), (dict(good, quantiles=[[-1.7e308] * 100 + [1.7e308] * 101]), "quantiles")]
        for stats, key in bad:
            with self.subTest(key=key, stats=str(stats)[:60]):
                with self.assertRaises(sqlite3.OperationalError) as caught:
                    self.plot(stats)
                self.assertEqual(str(caught.exception), f"stacchip_plot: expected the JSON of stacchip_band_stats(), found another value at '{key}'")


if __name__ == "__main__":
    host.main()
