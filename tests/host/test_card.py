"""The card that stacchip freeze writes beside a data set, judged by the specifications of Croissant and STAC, and by counts made here."""
import collections
import csv
import glob
import hashlib
import io
import json
import os
import random
import re
import shutil
import sqlite3
import struct
import subprocess
import tempfile
import time
import unittest

import host
import web

PROGRAM = os.path.join(os.path.dirname(host.EXT), "stacchip")
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "STACCHIP_")) and k != "LD_PRELOAD" and not k.lower().endswith("_proxy")}


class Croissant:
    """The rules of https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html, as far as a document of ours can break them."""

    PREFIXES = {"sc": "http://schema.org/", "cr": "http://mlcommons.org/croissant/", "dct": "http://purl.org/dc/terms/"}
    REQUIRED = ("@context", "@type", "conformsTo", "description", "license", "name", "url", "creator", "datePublished", "distribution")
    ONE = ("description", "name", "url", "datePublished", "version", "isLiveDataset")
    TERMS = {"field", "key", "source", "extract", "column", "fileObject", "fileSet", "fileProperty", "dataType", "data", "references", "includes", "containedIn", "recordSet",
             "isLiveDataset", "arrayShape", "isArray", "regex", "transform", "conformsTo"}
    TYPES = {"sc:" + t for t in ("Boolean", "Date", "Time", "DateTime", "Float", "Integer", "Text", "ImageObject")} | {"cr:" + t for t in ("BoundingBox", "Split", "Label", "SegmentationMask")}

    def __init__(self, document):
        self.d, self.wrong, self.ids = document, [], {}

    def want(self, condition, text):
        if not condition:
            self.wrong.append(text)

    def nodes(self, value, path=""):
        if isinstance(value, dict):
            yield path, value
            for k, v in value.items():
                if k != "@context":
                    yield from self.nodes(v, f"{path}/{k}")
        elif isinstance(value, list):
            for i, v in enumerate(value):
                yield from self.nodes(v, f"{path}[{i}]")

    def many(self, value):
        return value if isinstance(value, list) else [] if value is None else [value]

    def check_context(self):
        context = self.d.get("@context", {})
        for p, iri in self.PREFIXES.items():
            self.want(context.get(p) == iri, f"context: prefix {p}")
        self.want(context.get("@vocab") == "http://schema.org/", "context: schema.org is the default")
        used = {k for path, n in self.nodes(self.d) for k in n} & self.TERMS
        for term in used:
            iri = context.get(term)
            iri = iri["@id"] if isinstance(iri, dict) else iri
            self.want(iri == ("dct:conformsTo" if term == "conformsTo" else f"cr:{term}"), f"context: {term} is {iri}")
        self.want(isinstance(context.get("data"), dict) and context["data"]["@type"] == "@json", "context: data is JSON") if "data" in used else None
        self.want(context.get("dataType", {}).get("@type") == "@vocab", "context: dataType is of the vocabulary")

    def check_dataset(self):
        for p in self.REQUIRED:
            self.want(self.d.get(p) not in (None, "", []), f"data set: no {p}")
        for p in self.ONE:
            self.want(not isinstance(self.d.get(p), list), f"data set: {p} is there once")
        self.want(self.d.get("@type") in ("sc:Dataset", "Dataset", "https://schema.org/Dataset"), "data set: @type")
        self.want("http://mlcommons.org/croissant/1.1" in self.many(self.d.get("conformsTo")), "data set: conformsTo")
        self.want(re.fullmatch(r"\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?", str(self.d.get("datePublished"))), "data set: datePublished")
        self.want(re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?", str(self.d.get("version"))), "data set: version is no semantic one")
        for licence in self.many(self.d.get("license")):
            self.want(re.match(r"https?://", licence) if isinstance(licence, str) else licence.get("@type") == "CreativeWork" and licence.get("name"), f"data set: license {licence}")
        for creator in self.many(self.d.get("creator")):
            self.want(creator.get("@type") in ("Organization", "Person") and creator.get("name"), f"data set: creator {creator}")

    def check_ids(self):
        for path, n in self.nodes(self.d):
            if "@id" in n and len(n) > 1 and "@type" in n:
                self.want(n["@id"] not in self.ids, f"{path}: the id {n['@id']} is there twice")
                self.ids[n["@id"]] = n
        for path, n in self.nodes(self.d):
            if set(n) == {"@id"}:
                self.want(n["@id"] in self.ids, f"{path}: nothing is called {n['@id']}")

    def is_a(self, reference, *types):
        return isinstance(reference, dict) and self.ids.get(reference.get("@id"), {}).get("@type") in types

    def check_files(self):
        for f in self.many(self.d.get("distribution")):
            name = f.get("@id")
            self.want(f.get("@type") in ("cr:FileObject", "cr:FileSet"), f"{name}: @type")
            self.want(name and f.get("encodingFormat"), f"{name}: no encodingFormat")
            for c in self.many(f.get("containedIn")):
                self.want(self.is_a(c, "cr:FileObject", "cr:FileSet"), f"{name}: containedIn")
            if f.get("@type") == "cr:FileObject":
                self.want(f.get("contentUrl"), f"{name}: no contentUrl")
                self.want(re.fullmatch("[0-9a-f]{64}", f.get("sha256", "")), f"{name}: sha256")
                self.want(re.fullmatch(r"\d+( [kMGT]?B)?", f.get("contentSize", "")), f"{name}: contentSize")
            else:
                self.want(f.get("includes") and f.get("containedIn"), f"{name}: what it includes, and of what")

    def check_source(self, name, source):
        if self.is_a(source, "cr:FileObject", "cr:FileSet", "cr:Field"):
            return
        of = [k for k in ("fileObject", "fileSet", "recordSet") if k in source]
        self.want(len(of) == 1, f"{name}: one source")
        for k in of:
            self.want(self.is_a(source[k], {"fileObject": "cr:FileObject", "fileSet": "cr:FileSet", "recordSet": "cr:RecordSet"}[k]), f"{name}: {k}")
        extract = source.get("extract", {})
        self.want(len(extract) == 1 and set(extract) <= {"column", "fileProperty", "jsonPath"}, f"{name}: extract")
        self.want(extract.get("fileProperty", "content") in ("fullpath", "filename", "content", "lines", "lineNumbers"), f"{name}: fileProperty")

    def check_records(self):
        for r in self.many(self.d.get("recordSet")):
            self.want(r.get("@type") == "cr:RecordSet" and r.get("@id"), "a record set without type or id")
            fields = self.many(r.get("field"))
            self.want(fields, f"{r['@id']}: no field")
            for k in self.many(r.get("key")):
                self.want(self.is_a(k, "cr:Field") and k["@id"] in [f["@id"] for f in fields], f"{r['@id']}: key")
            for f in fields:
                name = f.get("@id", "?")
                self.want(f.get("@type") == "cr:Field" and name.startswith(r["@id"] + "/"), f"{name}: a field of {r['@id']}")
                self.want(f.get("dataType") and set(self.many(f["dataType"])) <= self.TYPES, f"{name}: dataType {f.get('dataType')}")
                self.want("source" in f or "data" in r or "value" in f, f"{name}: no source")
                if "source" in f:
                    self.check_source(name, f["source"])
                for reference in self.many(f.get("references")):
                    self.want(self.is_a(reference, "cr:Field"), f"{name}: references")
                self.want("arrayShape" not in f or (f.get("isArray") is True and re.fullmatch(r"-?\d+(,-?\d+)*", f["arrayShape"])), f"{name}: arrayShape")
            for row in self.many(r.get("data")):
                self.want(set(row) <= {f["@id"] for f in fields} and all(k["@id"] in row for k in self.many(r.get("key"))), f"{r['@id']}: data {row}")
            if "cr:Split" in self.many(r.get("dataType")):
                self.want({"splits/name", "splits/url"} <= {f["@id"] for f in fields}, f"{r['@id']}: a split has a name and a url")
                self.want(all(row.get("splits/url", "cr:TestSplit") in ("cr:TrainingSplit", "cr:ValidationSplit", "cr:TestSplit") for row in r["data"]), f"{r['@id']}: meaning")

    def check(self):
        self.check_context()
        self.check_dataset()
        self.check_ids()
        self.check_files()
        self.check_records()
        return self.wrong


def wrong_collection(c):
    """What breaks the rules of a STAC collection (1.1.0), and of the extensions file and raster."""
    wrong = []
    def want(condition, text):
        wrong.extend([] if condition else [text])
    want(c.get("type") == "Collection" and c.get("stac_version") == "1.1.0", "type")
    for key, kind in (("id", str), ("description", str), ("license", str), ("extent", dict), ("links", list), ("stac_extensions", list), ("summaries", dict), ("assets", dict)):
        want(isinstance(c.get(key), kind) and (c[key] or kind in (list, dict)), key)
    want(re.fullmatch(r"[\w\-.+]+", c["license"]), "license")
    for box in c["extent"]["spatial"]["bbox"]:
        want(len(box) == 4 and -180 <= box[0] <= 180 and -180 <= box[2] <= 180 and -90 <= box[1] <= box[3] <= 90, f"bbox {box}")
    for interval in c["extent"]["temporal"]["interval"]:
        want(len(interval) == 2 and all(t is None or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", t) for t in interval), f"interval {interval}")
    for p in c.get("providers", []):
        want(p.get("name") and set(p.get("roles", [])) <= {"licensor", "producer", "processor", "host"}, f"provider {p}")
    for link in c["links"]:
        want(link.get("href") and link.get("rel"), f"link {link}")
    for key, a in c["assets"].items():
        want(a.get("href") and isinstance(a.get("roles"), list), f"asset {key}")
        want("file:checksum" not in a or re.fullmatch("1220[0-9a-f]{64}", a["file:checksum"]), f"checksum of {key}")
    for s in c["summaries"].values():
        want(s, "an empty summary")
    return wrong


def jpeg_size(data):
    at = 2
    while at < len(data):
        marker, length = struct.unpack(">HH", data[at:at + 4])
        if marker in (0xFFC0, 0xFFC2):
            return struct.unpack(">HH", data[at + 5:at + 9])
        at += 2 + length


class Cards(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = os.path.realpath(tempfile.mkdtemp(prefix="stacchip_"))
        scene = os.path.join(host.ROOT, "build", "scenes", "sentinel-2")
        with open(os.path.join(scene, "item.json"), encoding="utf-8") as f:
            item = json.load(f)
        for a in item["assets"].values():
            a["href"] = os.path.join(scene, os.path.basename(a["href"]))
        cls.server = web.Scripted({"/collection.json": json.dumps({"type": "Collection", "id": "sentinel-2-l2a", "license": "CC-BY-SA-4.0", "links": [{"rel": "license", "href": "https://example.org/terms"}],
                                                                    "providers": [{"name": "ESA", "roles": ["producer", "licensor"], "url": "https://earth.esa.int"}, {"name": "Element 84 | more <b>", "roles": ["processor"]}]}).encode()})
        db = host.connect(os.path.join(cls.folder, "c.db"))
        db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)")
        for k, (day, cloud) in enumerate((("2024-03-11", 12.5), ("2024-06-17", 80))):
            it = json.loads(json.dumps(item))
            it["id"] = f"scene{k}"
            it["properties"].update({"datetime": f"{day}T14:11:54Z", "eo:cloud_cover": cloud})
            it["links"] = [{"rel": "collection", "href": f"{cls.server.url}/collection.json"}]
            db.execute("INSERT INTO chips(item_json) VALUES (?)", (json.dumps(it),))
        cls.chips = db.execute("SELECT item, chip_index_x, chip_index_y, cloud_cover_percentage FROM chips").fetchall()
        db.close()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        shutil.rmtree(cls.folder)

    QUERY = "SELECT row, cloud_cover_percentage, CASE WHEN chip_index_x < 3 THEN 'train' WHEN chip_index_x < 4 THEN 'val' END AS part, 'class|' || (chip_index_y % 2) AS label FROM chips"

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def run_it(self, *arguments, code=0, **env):
        r = subprocess.run([PROGRAM, "freeze", self.path("c.db"), *arguments], capture_output=True, text=True, timeout=300, env={**CLEAN, "STACCHIP_RETRIES": "0", "STACCHIP_HOSTS": "127.0.0.1", **env})
        self.assertEqual(r.returncode, code, r.stderr)
        return r.stderr

    def read(self, *names):
        with open(self.path(*names), encoding="utf-8") as f:
            return f.read()

    def tables(self, readme):
        """{title: [[cells] of each line]} of the page's tables of counts."""
        out = {}
        for title, table in re.findall(r"^## ([^\n]+)\n\n(\|.*?)\n(?:\n|\Z)", readme, re.M | re.S):
            lines = [[re.sub(r"\\(.)", r"\1", c.strip()) for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines()]
            out[title] = [lines[0]] + lines[2:]
        return out

    def check(self, folder, prefix, data):
        """What holds for every card; returns the three documents and the rows of the table."""
        croissant, collection, readme = json.loads(self.read(folder, prefix + "croissant.json")), json.loads(self.read(folder, prefix + "collection.json")), self.read(folder, prefix + "README.md")
        self.assertEqual(Croissant(croissant).check(), [])
        self.assertEqual(wrong_collection(collection), [])
        for f in croissant["distribution"]:
            if f["@type"] == "cr:FileObject":
                with open(self.path(folder, f["contentUrl"]), "rb") as g:
                    content = g.read()
                self.assertEqual((hashlib.sha256(content).hexdigest(), f"{len(content)} B"), (f["sha256"], f["contentSize"]))
                self.assertIn(f["sha256"], readme)
                self.assertEqual(collection["assets"][f["@id"]]["file:checksum"], "1220" + f["sha256"])
        for a in collection["assets"].values():
            self.assertTrue(os.path.exists(self.path(folder, a["href"])), a)
        rows = list(csv.DictReader(io.StringIO(self.read(folder, prefix + "chips.csv"))))
        columns = [f["source"]["extract"]["column"] for f in croissant["recordSet"][0]["field"]]
        self.assertEqual(columns, list(rows[0]))
        db = sqlite3.connect(data)
        self.assertEqual([int(r["position"]) for r in rows], [p for p, in db.execute("SELECT position FROM chips ORDER BY 1")])
        version = db.execute("SELECT value FROM dataset WHERE key = 'hash'").fetchone()[0]
        self.assertEqual((croissant["identifier"], croissant["version"]), (version, f"1.0.0+{version}"))
        self.assertIn(version, readme)
        return croissant, collection, readme, rows

    def test_labels_of_any_name(self):
        """v, s, k, n and the names of the card's own columns: counts are those of the months, and there is a picture."""
        query = "SELECT row, chip_index_x AS v, chip_index_y AS s, chip_index_x AS k, 1 AS n, 'x' AS platform, 'y' AS datetime, 'z' AS collection, iif(chip_index_x < 3, 'a', 'b') AS part FROM chips"
        said = self.run_it(self.path("names", "x.db"), "--query", query, "--splits", "part")
        self.assertNotIn("no picture", said)
        _, _, readme, rows = self.check("names", "x.", self.path("names", "x.db"))
        want = collections.Counter(({"scene0": "2024-03", "scene1": "2024-06"}[i], "a" if x < 3 else "b") for i, x, _, _ in self.chips)
        got = {line[0]: line[1:3] for line in self.tables(readme)["Months"][1:]}
        self.assertEqual(got, {m: [str(want[m, p]) for p in "ab"] for m in ("2024-03", "2024-06")})
        self.assertEqual({r["v"] for r in rows}, {str(x) for _, x, _, _ in self.chips})

    def test_the_card_of_a_file(self):
        said = self.run_it(self.path("one", "train.db"), "--query", self.QUERY, "--splits", "part", "--with", '{"assets": ["red", "green", "blue", "nir"]}')
        chips = [c for c in self.chips if c[1] < 4]  # those without a split are left out
        self.assertIn(f"{len(chips)} chips", said)
        self.assertEqual(sorted(os.listdir(self.path("one"))), ["train.README.md", "train.chips.csv", "train.collection.json", "train.croissant.json", "train.db", "train.preview.jpg"])
        croissant, collection, readme, rows = self.check("one", "train.", self.path("one", "train.db"))
        # Counts by Python, of the index.
        part = lambda x: "train" if x < 3 else "val"
        tables = self.tables(readme)
        def counts(of):
            n = collections.Counter((of(c), part(c[1])) for c in chips)
            return {v: [n[v, "train"], n[v, "val"], n[v, "train"] + n[v, "val"]] for v in {v for v, _ in n}}
        for title, of in (("label", lambda c: f"class|{c[2] % 2}"), ("Months", lambda c: "2024-03" if c[0] == "scene0" else "2024-06"), ("Platforms", lambda c: "sentinel-2-l2a"),
                          ("Clouds", lambda c: "unknown" if c[3] is None else "%02d to %d %%" % (min(int(c[3] * 10), 9) * 10, min(int(c[3] * 10), 9) * 10 + 10))):
            table = tables[title]
            self.assertEqual(table[0][1:4], ["train", "val", "chips"], title)
            self.assertEqual({r[0]: [int(n.replace(" ", "")) for n in r[1:4]] for r in table[1:]}, counts(of), title)
            self.assertAlmostEqual(sum(float(r[4].split()[0]) for r in table[1:]), 100, delta=0.3)
        self.assertEqual(tables["Clouds"][0][0], "of the chip")
        self.assertEqual([r[:2] for r in tables["Splits"][1:]], [[p, str(sum(part(c[1]) == p for c in chips))] for p in ("train", "val")])
        # The collection was asked for what the items do not say, and nothing of it is markup.
        self.assertEqual(collection["license"], "CC-BY-SA-4.0")
        self.assertEqual([p["name"] for p in collection["providers"]], ["ESA", "Element 84 | more <b>"])
        self.assertEqual(croissant["license"], ["https://spdx.org/licenses/CC-BY-SA-4.0.html", "https://example.org/terms"])
        self.assertIn("- ESA (producer, licensor), <https://earth.esa.int>", readme)
        self.assertIn(r"- Element 84 \| more &lt;b>", readme)
        # Bands and extent.
        self.assertEqual([b["name"] for b in collection["summaries"]["bands"]], ["red", "green", "blue", "nir"])
        self.assertEqual((collection["summaries"]["bands"][0]["nodata"], collection["summaries"]["bands"][0]["raster:scale"], collection["summaries"]["bands"][0]["data_type"]), (0, 0.0001, "uint16"))
        box = host.connect(self.path("c.db")).execute("SELECT min(MbrMinX(geometry)), min(MbrMinY(geometry)), max(MbrMaxX(geometry)), max(MbrMaxY(geometry)) FROM chips WHERE chip_index_x < 4").fetchone()
        for a, b in zip(collection["extent"]["spatial"]["bbox"][0], box):
            self.assertAlmostEqual(a, b, places=6)
        self.assertEqual(collection["extent"]["temporal"]["interval"], [["2024-03-11T14:11:54Z", "2024-06-17T14:11:54Z"]])
        # Splits, records and the picture.
        splits = next(r for r in croissant["recordSet"] if r["@id"] == "splits")
        self.assertEqual(splits["data"], [{"splits/name": "train", "splits/url": "cr:TrainingSplit"}, {"splits/name": "val", "splits/url": "cr:ValidationSplit"}])
        self.assertEqual(collections.Counter(r["label"] for r in rows), collections.Counter(f"class|{c[2] % 2}" for c in chips))
        types = {f["name"]: f["dataType"] for f in croissant["recordSet"][0]["field"]}
        self.assertEqual((types["label"], types["cloud_cover_percentage"], types["position"]), ("sc:Text", "sc:Float", "sc:Integer"))
        pixels = next(r for r in croissant["recordSet"] if r["@id"] == "pixels")["field"][0]
        self.assertEqual((pixels["arrayShape"], pixels["source"]["fileObject"]["@id"]), ("4,256,256", "train.db"))
        with open(self.path("one", "train.preview.jpg"), "rb") as f:
            height, width = jpeg_size(f.read())
        self.assertTrue(512 <= height <= 2300 and 512 <= width <= 2300, (height, width))
        # What the page says of reading it, said to SQLite.
        sql = re.search(r"## Reading it\n.*?```sql\n(.*?)```", readme, re.S)[1]
        self.assertEqual(len(host.connect(self.path("one", "train.db")).execute(sql).fetchall()), 1)
        # Again: the card alone.
        before = {n: self.read("one", n) for n in os.listdir(self.path("one")) if n.endswith((".md", ".json", ".csv"))}
        self.run_it(self.path("one", "train.db"), "--query", self.QUERY, "--splits", "part", "--with", '{"assets": ["red", "green", "blue", "nir"]}')
        self.assertEqual({n: self.read("one", n) for n in before}, before)

    def test_the_cards_of_other_formats(self):
        for form, name in (("manifest", "m.sqlite"), ("webdataset", "shards"), ("npy", "arrays")):
            with self.subTest(form):
                words = ("--format", form, "--with", '{"assets": ["red", "scl"], "shard_bytes": 5000000}' if form in ("webdataset", "npy") else '{"assets": ["red", "scl"]}', "--license", "MIT", "--creator", "A. Person", "--title", "Fields & more", "--description", "Red *alone*.", "--url", "https://example.org/d")
                self.run_it(self.path("other", name), *words)
                folder, prefix, data = ("other", "m.", self.path("other", name)) if form == "manifest" else (f"other/{name}", "", self.path("other", name, "dataset.db"))
                croissant, collection, readme, rows = self.check(folder, prefix, data)
                self.assertEqual((croissant["name"], croissant["description"], croissant["license"], croissant["creator"], croissant["url"]),
                                 ("Fields & more", "Red *alone*.", ["https://spdx.org/licenses/MIT.html"], [{"@type": "Organization", "name": "A. Person"}], "https://example.org/d"))
                self.assertIn(r"Red \*alone\*.", readme)
                sets = {r["@id"]: r for r in croissant["recordSet"]}
                self.assertEqual("pixels" in sets, form != "manifest")
                if form == "webdataset":
                    files = next(f for f in croissant["distribution"] if f["@type"] == "cr:FileSet")
                    self.assertEqual(sorted(c["@id"] for c in files["containedIn"]), sorted(os.path.basename(p) for p in glob.glob(self.path("other", name, "*.tar"))))
                    self.assertGreater(len(files["containedIn"]), 1)
                if form in ("webdataset", "npy"):
                    code = re.search(r"```python\n(.*?)```", readme, re.S)[1] + "\nprint(pixels.shape[-3:], pixels.dtype)\n"
                    r = subprocess.run(["/usr/bin/python3", "-c", code], cwd=self.path("other", name), capture_output=True, text=True, env=CLEAN)
                    self.assertEqual((r.stdout, r.stderr), ("(2, 256, 256) uint16\n", ""))

    def test_what_the_check_finds(self):
        """It can fail: documents that break one rule each."""
        self.run_it(self.path("judge.db"), "--format", "manifest", "--query", "SELECT row FROM chips LIMIT 2")
        whole = self.read("judge.croissant.json")
        self.assertEqual(Croissant(json.loads(whole)).check(), [])
        def broken(change):
            d = json.loads(whole)
            change(d)
            return Croissant(d).check()
        for change in (lambda d: d.pop("license"), lambda d: d.update(datePublished="today"), lambda d: d["distribution"][0].pop("sha256"), lambda d: d["distribution"][1].update({"@id": "x"}),
                       lambda d: d["recordSet"][0]["field"][0].pop("source"), lambda d: d["recordSet"][0]["key"].update({"@id": "chips/none"}), lambda d: d["@context"].pop("column"),
                       lambda d: d["recordSet"][0]["field"][1].update(dataType="text"), lambda d: d.update(conformsTo="http://mlcommons.org/croissant/0.8")):
            self.assertTrue(broken(change))

    def test_a_collection_that_cannot_be_asked(self):
        path = self.path("lonely.db")
        said = self.run_it(path, "--format", "manifest", STACCHIP_HOSTS="example.org")
        self.assertIn("licence and providers of the collection", said)
        croissant, collection, readme, _ = self.check(".", "lonely.", path)
        self.assertEqual((collection["license"], croissant["license"]), ("other", [{"@type": "CreativeWork", "name": "not stated by the source items"}]))
        self.assertIn("Licence: not stated by the items", readme)

    def test_extents(self):
        """Boxes across the antimeridian, round the globe, on one side of it, by the shortest arc."""
        path = self.path("wide.db")
        self.run_it(path, "--format", "manifest", "--query", "SELECT row FROM chips LIMIT 3")
        for boxes, want in (([(179, -1, -179, 1), (-178, 2, -177, 3), (177, 0, 178, 1)], [177, -1, -177, 3]), ([(-170, 0, -10, 1), (-10, 0, 100, 1), (100, 0, -170, 1)], [-180, 0, 180, 1]), ([(-170, 0, -160, 1), (150, 0, 160, 1), (155, 2, 165, 4)], [150, 0, -160, 4]),
                            ([(-10, -5, 10, 5), (20, 0, 30, 1), (25, 0, 28, 1)], [-10, -5, 30, 5])):
            db = sqlite3.connect(path)
            db.executemany("UPDATE chips SET west = ?, south = ?, east = ?, north = ? WHERE position = ?", [(*b, k) for k, b in enumerate(boxes)])
            db.commit()
            db.close()
            self.run_it(path, "--format", "manifest", "--query", "SELECT row FROM chips LIMIT 3")
            self.assertEqual(json.loads(self.read("wide.collection.json"))["extent"]["spatial"]["bbox"], [want])

    def test_killed_at_random_points_and_started_again(self):
        def tree(name):
            out = {}
            for d, _, names in os.walk(self.path(name)):
                for n in names:
                    with open(os.path.join(d, n), "rb") as f:
                        out[os.path.relpath(os.path.join(d, n), self.path(name))] = f.read()
            return out
        words = ("--query", self.QUERY, "--splits", "part", "--format", "webdataset", "--title", "T", "--with", '{"shard_bytes": 4000000}')
        began = time.time()
        self.run_it(self.path("whole"), *words)
        rng, killed, took = random.Random(2), 0, time.time() - began
        while killed < 6:
            p = subprocess.Popen([PROGRAM, "freeze", self.path("c.db"), self.path("killed"), *words], stderr=subprocess.DEVNULL, env={**CLEAN, "STACCHIP_HOSTS": "127.0.0.1"})
            time.sleep(rng.uniform(0.1, 0.9) * took)
            p.kill()
            killed += p.wait() == -9
            if p.returncode == 0:  # it came to its end: from the start
                shutil.rmtree(self.path("killed"))
        self.run_it(self.path("killed"), *words)
        self.assertEqual({k: hashlib.sha256(v).hexdigest() for k, v in tree("killed").items()}, {k: hashlib.sha256(v).hexdigest() for k, v in tree("whole").items()})

    def test_wrong_usage(self):
        self.assertIn("needs a database and a path", self.run_it(code=2))
        self.assertIn("--with: expected a JSON object", self.run_it(self.path("x.db"), "--with", "[1]", code=2))
        self.assertIn("unknown option 'foo'", self.run_it(self.path("x.db"), "--with", '{"foo": 1}', code=1))
        self.assertIn("no such table: fields", self.run_it(self.path("x.db"), "--table", "fields", code=1))
        self.assertIn(f"would freeze {len(self.chips)} chips", self.run_it(self.path("x.db"), "--dry-run"))
        self.assertFalse(glob.glob(self.path("x.*")))
        r = subprocess.run([PROGRAM, "freeze", self.path("none.db"), self.path("x.db")], capture_output=True, text=True, env=CLEAN)
        self.assertEqual((r.returncode, "no such database" in r.stderr), (1, True))


if __name__ == "__main__":
    host.main()
