"""`stacchip preview`: the page as one file, as HTML, as data, and in Chromium without a server or a network."""
import base64
import hashlib
import html.parser
import json
import os
import re
import shutil
import subprocess
import urllib.parse

import page_browser
import host
import hostile_data

PROGRAM = os.path.join(os.path.dirname(host.EXT), "stacchip")
PICTURE = '{"format": "jpeg", "size": 96}'


def preview(*arguments, code=0):
    run = subprocess.run([PROGRAM, "preview", *arguments], capture_output=True, text=True)
    if run.returncode != code:
        raise AssertionError(f"exit {run.returncode}: {run.stderr}")
    return run.stderr


class Parts(html.parser.HTMLParser):
    """The elements of a page as a browser finds them, with the text of scripts and styles."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.open = [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append({"tag": tag, "text": "", **dict(attrs)})
        self.open = self.elements[-1]

    def handle_data(self, data):
        if self.open and self.open["tag"] in ("script", "style"):
            self.open["text"] += data

    def handle_endtag(self, tag):
        self.open = None

    def of(self, tag):
        return [e for e in self.elements if e["tag"] == tag]

    def data(self):
        return json.loads(next(e for e in self.of("script") if e.get("id") == "data")["text"])


def read(path):
    with open(path, encoding="utf-8", newline="") as f:
        return f.read()


class Made(page_browser.Chips):
    """With its preview."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.out = os.path.join(cls.folder, "out.html")
        cls.said = preview(cls.path, cls.out, "--size", "96")
        cls.parts = Parts(read(cls.out))


@page_browser.needs_page
class Preview(Made):
    def write(self, *arguments, db=None):
        out = os.path.join(self.folder, self.id().split(".")[-1] + ".html")
        preview(db or self.path, out, "--size", "16", *arguments)
        return out

    def chips(self, *arguments):
        return Parts(read(self.write(*arguments))).data()["chips"]

    def test_every_chip_with_its_columns(self):
        data = self.parts.data()
        self.assertEqual((data["table"], data["kind"], data["name"]), ("chips", "merge", "chips.db"))
        rows = self.db.execute("SELECT rowid, item, date, cloud_cover_percentage, nodata_percentage, chip_index_x, chip_index_y, row, datetime, platform FROM chips ORDER BY rowid").fetchall()
        got = [(c["id"], c["item"], c["date"], c["cloud"], c["nodata"], c["chip_index_x"], c["chip_index_y"], c["handle"], c["columns"]["datetime"], c["platform"]) for c in data["chips"]]
        self.assertEqual(got, rows)
        self.assertIn(f"{len(rows)} chips, {os.path.getsize(self.out) / 1e6:.1f} MB", self.said)
        corner, = self.db.execute("SELECT AsText(PointN(ExteriorRing(GeometryN(geometry, 1)), 1)) FROM chips WHERE rowid = 1").fetchone()
        for got, expected in zip(data["chips"][0]["geometry"]["coordinates"][0][0], re.findall(r"-?[\d.]+", corner)):
            self.assertAlmostEqual(got, float(expected), places=5)

    def test_pictures_are_those_of_stacchip_chip(self):
        for chip in self.parts.data()["chips"][::40]:
            blob, = self.db.execute("SELECT stacchip_chip(row, ?) FROM chips WHERE rowid = ?", (PICTURE, chip["id"])).fetchone()
            self.assertTrue(chip["thumb"].startswith("data:image/jpeg;base64,"))
            self.assertEqual(base64.b64decode(chip["thumb"].split(",")[1], validate=True), blob)

    def test_where_limit_and_order(self):
        cloudy = [i for i, in self.db.execute("SELECT rowid FROM chips WHERE cloud_cover_percentage > 0.9 ORDER BY rowid")]
        self.assertEqual([c["id"] for c in self.chips("--where", "cloud_cover_percentage > 0.9 -- and no more")], cloudy)
        sample = [c["id"] for c in self.chips("--limit", "20")]
        self.assertEqual(sample, [c["id"] for c in self.chips("--limit", "20")])
        self.assertEqual(sample, sorted(sample))
        self.assertGreater(len({c["item"] for c in self.chips("--limit", "20")}), 3)  # not the first ones of the table
        newest = [c["date"] for c in self.chips("--limit", "5", "--order", "date DESC")]
        self.assertEqual(newest, ["2025-03-14"] * 5)
        self.assertEqual(self.chips("--where", "item = 'nothing'"), [])

    def test_nothing_is_named_outside_the_file(self):
        for e in self.parts.elements:
            for name in ("src", "href", "action", "data", "poster", "srcset"):
                self.assertIn(e.get(name, "data:,"), ("data:,",), e)
        self.assertEqual([(e.get("type"), e.get("id")) for e in self.parts.of("script")], [("application/json", "world"), ("application/json", "data"), (None, None), ("module", None)])

    def test_the_policy_names_the_scripts_and_styles_of_the_build_alone(self):
        policy = next(e for e in self.parts.of("meta") if e.get("http-equiv") == "Content-Security-Policy")["content"]
        rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";") if rule.strip()}
        self.assertEqual(rules["default-src"], ["'none'"])
        self.assertEqual(rules["img-src"], ["data:"])
        hashed = lambda elements: ["'sha256-" + base64.b64encode(hashlib.sha256(e["text"].encode()).digest()).decode() + "'" for e in elements]  # noqa: E731
        self.assertEqual(rules["script-src"], hashed(e for e in self.parts.of("script") if e.get("type") != "application/json"))
        self.assertEqual(rules["style-src"], hashed(self.parts.of("style")))

    def test_hostile_texts_stay_in_their_element(self):
        path = self.write(db=self.hostile)
        text = read(path)
        parts = Parts(text)
        self.assertEqual(len(parts.of("script")), 4)
        self.assertEqual(parts.of("img") + parts.of("b"), [])
        chips = parts.data()["chips"]
        self.assertTrue(all(c["item"].startswith(hostile_data.TEXT) for c in chips))
        self.assertEqual([chips[0]["platform"], chips[3]["label"], chips[4]["label"]], [hostile_data.TEXT, hostile_data.TEXT, None])
        begin = text.index('id="data">')
        self.assertNotRegex(text[begin + 10:text.index("</script>", begin)], "[<>&]")
        self.assertLess(len(text), 3e6)  # long texts are cut

    def test_a_chip_that_cannot_be_read_is_said(self):
        db = os.path.join(self.folder, "gone.db")
        shutil.copy(self.path, db)
        plain = host.sqlite3.connect(db)
        plain.execute("UPDATE chips_item SET item_json = replace(item_json, 'landsat.tif', 'gone.tif')")
        plain.execute("UPDATE chips_asset SET href = replace(href, 'landsat.tif', 'gone.tif')")
        plain.commit()
        said = preview(db, os.path.join(self.folder, "gone.html"), "--size", "16")
        self.assertIn("8 of them have no picture; the first: ", said)
        chips = Parts(read(os.path.join(self.folder, "gone.html"))).data()["chips"]
        self.assertEqual({c["platform"] for c in chips if c["thumb"] is None}, {"landsat-c2l2-sr"})

    def test_errors_leave_no_file(self):
        out = os.path.join(self.folder, "none.html")
        for arguments, words, code in ((["--where", "nonsense = 1"], "no such column: nonsense", 1), (["--where", "1) UNION SELECT (1"], "", None), (["--limit", "0"], "--limit", 2), (["--limit", "20001"], "20000 is the highest", 2),
                                       (["--size", "15"], "--size", 2), (["--table", "nothing"], "no such table: nothing", 1), (["--where", "readfile('/etc/passwd') IS NULL"], "", 1)):
            run = subprocess.run([PROGRAM, "preview", self.path, out, *arguments], capture_output=True, text=True)
            self.assertIn(words, run.stderr)
            self.assertNotEqual(run.returncode, 0, arguments)
            self.assertEqual(run.returncode, run.returncode if code is None else code, arguments)
            self.assertFalse(os.path.exists(out))
        self.assertEqual([f for f in os.listdir(self.folder) if "none" in f], [])
        run = subprocess.run([PROGRAM, "preview", self.path, out], capture_output=True, text=True, env={**os.environ, "STACCHIP_LOCAL": os.path.join(self.folder, "data")})
        self.assertNotEqual(run.returncode, 0)
        self.assertFalse(os.path.exists(out))


@page_browser.needs_browser
class InChromium(Made, page_browser.Shown):
    """What the page does with the data inside it; opened from file://."""

    n_scripts = 4

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        hostile = os.path.join(cls.folder, "hostile.html")
        preview(cls.hostile, hostile, "--size", "16")
        url, view = "file://" + cls.out, urllib.parse.urlencode({"q": "cloud_cover_percentage > 0.9", "k": "platform", "id": "3"})
        cls.results = page_browser.drive([
            {"name": "load", "scenario": "load", "url": url}, {"name": "filter", "scenario": "filter", "url": url},
            {"name": "phone", "scenario": "total", "url": url, "viewport": {"width": 390, "height": 844}, "scheme": "dark"},
            {"name": "view", "scenario": "total", "url": f"{url}#{view}"}, {"name": "error", "scenario": "sqlError", "url": url, "sql": "nonsense > 1"},
            {"name": "select", "scenario": "select", "url": url}, {"name": "keyboard", "scenario": "keyboard", "url": url},
            {"name": "hostile", "scenario": "hostile", "url": "file://" + hostile, "chip": "#id=1"}])

    def test_no_request_leaves_the_file(self):
        for name, result in self.results.items():
            others = [r for r in result["requests"] if not r.startswith(("data:", "blob:file:"))]
            self.assertEqual([r.split("#")[0] for r in others], [others[0].split("#")[0]], name)
            self.assertTrue(others[0].startswith("file://"))

    def test_a_hash_is_a_view(self):
        value = self.value("view")
        self.assertEqual((value["where"], value["color"], value["open"]), ("cloud_cover_percentage > 0.9", "Platform", True))
        self.assertTrue(self.value("phone")["total"].endswith("chips"))

    def test_sql_error(self):
        value = self.value("error")
        self.assertIn("no such column: nonsense", value["said"])
        self.assertEqual((value["role"], value["after"], value["hidden"]), ("alert", value["before"], True))

    def test_selection(self):
        value = self.value("select")
        self.assertEqual(value["all"], self.count("1"))
        self.assertTrue(0 < value["some"] < value["all"])
        self.assertTrue(0 < value["lasso"] < value["all"])
        self.assertEqual(len(value["ids"]), value["lasso"])
        self.assertTrue(value["cleared"])


if __name__ == "__main__":
    host.main()
