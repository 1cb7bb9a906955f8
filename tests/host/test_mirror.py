"""stacchip mirror: files of a merged index's items into a folder, verified, resumable, and read from there afterwards."""
import hashlib
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import tempfile
import time
import unittest

import host
import numpy
import tiff
import web

PROGRAM = os.path.join(os.path.dirname(host.EXT), "stacchip")
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "STACCHIP_")) and k != "LD_PRELOAD" and not k.lower().endswith("_proxy")}
NETWORK = {"stacchip:origin": "network"}
SIDE = 512


def multihash(code, digest):
    return bytes([b for n in (code, len(digest)) for b in ([n] if n < 128 else [n & 127 | 128, n >> 7])]).hex() + digest.hex()


class Work(unittest.TestCase):
    """A folder with a database; files come from a server of the test's own."""

    def setUp(self):
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="stacchip_"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.files = {}
        for n in range(4):
            path = tiff.write(self.path("image.tif"), numpy.random.default_rng(n).integers(1, 255, (1, SIDE, SIDE)).astype("u1"), epsg=32618, transform=(10, 0, 500000, 0, -10, 5000000))
            with open(path, "rb") as f:
                self.files[f"/{n}.tif"] = f.read()
        os.unlink(path)
        self.server = web.Scripted(self.files)
        self.addCleanup(self.server.close)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def asset(self, href, **more):
        return {"href": href, "type": "image/tiff; application=geotiff", "roles": ["data"], "proj:shape": [SIDE, SIDE], "proj:transform": [10, 0, 500000, 0, -10, 5000000], **more}

    def item(self, name, assets, **more):
        return {**NETWORK, "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": "fields", "geometry": None, "properties": {"datetime": "2024-05-01T10:00:00Z", "proj:epsg": 32618},
                "links": [{"rel": "self", "href": "https://example.org/items/a.json"}, {"rel": "parent", "href": "../collection.json"}, {"rel": "license", "href": "https://example.org/license"}], "assets": assets, **more}

    def items(self, n=3, **of_assets):
        """Items of two assets each."""
        return [self.item(f"F{k}", {key: self.asset(f"{self.server.url}/{(k + i) % 4}.tif", **of_assets) for i, key in enumerate(("red", "nir"))}) for k in range(n)]

    def database(self, items, name="c.db", arguments="platform='none'"):
        if os.path.exists(self.path(name)):
            os.unlink(self.path(name))
        db = host.connect(self.path(name))
        db.execute(f"CREATE VIRTUAL TABLE chips USING stacchip_merge({arguments})")
        for item in items:
            db.execute("INSERT INTO chips(item_json) VALUES (?)", (json.dumps(item),))
        db.close()

    def mirror(self, *arguments, code=0, db="c.db", to="out", **env):
        r = subprocess.run([PROGRAM, "mirror", self.path(db), self.path(to), *arguments], capture_output=True, text=True, timeout=120, env={**CLEAN, "STACCHIP_RETRIES": "0", "STACCHIP_HOSTS": "127.0.0.1", **env})
        self.assertEqual(r.returncode, code, r.stderr)
        return r.stderr

    def rows(self, sql, db="c.db"):
        db = host.connect(self.path(db))
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def tree(self, to="out"):
        out = {}
        for d, _, names in os.walk(self.path(to)):
            for n in names:
                with open(os.path.join(d, n), "rb") as f:
                    out[os.path.relpath(os.path.join(d, n), self.path(to))] = f.read()
        return out

    def stored(self, db="c.db"):
        return [json.loads(t) for t, in self.rows("SELECT item_json FROM chips_item ORDER BY id", db)]


class Edges(Work):
    def test_files_that_lie_where_their_copies_would_are_kept(self):
        """By another name of the folder, with a size or checksum in the item that they have not: no original is overwritten or removed."""
        os.makedirs(self.path("out", "none", "A"))
        os.symlink(self.path("out"), self.path("link"))
        for k, stated in enumerate(({"file:size": 7}, {"file:checksum": multihash(0x12, b"x" * 32)}, {})):
            with open(self.path("out", "none", "A", "0.tif"), "wb") as f:
                f.write(self.files["/0.tif"])
            item = self.item("A", {"red": self.asset(self.path("link", "none", "A", "0.tif"), **stated)})
            del item["stacchip:origin"]
            self.database([item])
            told = self.mirror(code=1 if stated else 0)
            self.assertEqual("lies in the mirror already" in told, bool(stated), told)
            with open(self.path("out", "none", "A", "0.tif"), "rb") as f:
                self.assertEqual(f.read(), self.files["/0.tif"])

    def test_no_assets_are_an_error(self):
        self.database(self.items())
        self.assertIn("item F0: no assets to copy", self.mirror("--assets", "", code=1))


class Copies(Work):
    def test_afterwards_everything_works_without_the_server(self):
        self.database(self.items())
        pixels = "SELECT chipid, stacchip_chip(row, '{\"assets\": [\"red\", \"nir\"]}') FROM chips ORDER BY rowid"
        before = self.rows(pixels)
        self.assertIn("3 items mirrored, 0 done before, 0 failed; 6 files", self.mirror())
        self.server.close()
        self.assertEqual(self.rows(pixels), before)
        self.rows("INSERT INTO chips(chips) VALUES ('integrity-check')")
        self.assertEqual(self.rows("SELECT count(*) FROM chips_asset WHERE header IS NOT NULL OR href NOT LIKE ? || '%'".replace("?", f"'{self.folder}/out/none/'")), [(0,)])
        for k, item in enumerate(self.stored()):
            self.assertNotIn("stacchip:origin", item)
            for i, key in enumerate(("red", "nir")):
                data, asset = self.files[f"/{(k + i) % 4}.tif"], item["assets"][key]
                with open(asset["href"], "rb") as f:
                    self.assertEqual(f.read(), data)
                self.assertEqual(asset["file:size"], len(data))
                self.assertEqual(asset["file:checksum"], multihash(0x12, hashlib.sha256(data).digest()))
                self.assertEqual(asset["alternate"], {"origin": {"href": f"{self.server.url}/{(k + i) % 4}.tif"}})
        # By the layout alone: handles of a bucket, and an index that other commands merge.
        handle = json.dumps({"bucket": self.path("out"), "platform": "none", "item": "F1", "chip_index_x": 0, "chip_index_y": 0})
        own = dict(before)["F1-0-0"]
        os.rename(self.path("out"), self.path("moved"))
        db = host.connect()
        self.assertEqual(db.execute("SELECT stacchip_chip(?, '{\"assets\": [\"red\", \"nir\"]}')", (handle.replace("/out", "/moved"),)).fetchone()[0], own)
        self.assertEqual(db.execute("SELECT count(*) FROM stacchip_parquet(?)", (self.path("moved", "index") + "/",)).fetchone()[0], len(before))
        with open(self.path("moved", "none", "F1", "stac_item.json"), encoding="utf-8") as f:
            item = json.load(f)
        self.assertEqual(sorted(a["href"] for a in item["assets"].values()), ["./1.tif", "./2.tif"])
        self.assertEqual([(ln["rel"], ln["href"]) for ln in item["links"]], [("canonical", "https://example.org/items/a.json"), ("license", "https://example.org/license")])

    def test_running_again_asks_for_nothing(self):
        self.database(self.items())
        self.mirror()
        tree, rows = self.tree(), self.rows("SELECT * FROM chips_item")
        self.server.clear()
        self.assertIn("0 items mirrored, 3 done before, 0 failed; 0 files", self.mirror())
        self.mirror("--verify")
        self.assertEqual((self.tree(), self.rows("SELECT * FROM chips_item"), self.server.requests), (tree, rows, []))

    def test_damaged_copies_come_anew_from_where_they_came(self):
        self.database(self.items())
        self.mirror()
        whole = self.tree()
        cases = [("none/F0/0.tif", lambda p: os.truncate(p, 1000), "1 items mirrored, 2 done before, 0 failed; 1 files"), ("none/F1/1.tif", os.unlink, "1 files"),
                 ("none/F2/stac_item.json", os.unlink, "1 items mirrored, 2 done before, 0 failed; 0 files"), ("index/none/F2/index_F2.parquet", os.unlink, "0 files"),
                 ("none/F2/stac_item.json", lambda p: os.truncate(p, 10), "1 items mirrored")]
        for name, damage, said in cases:
            damage(self.path("out", name))
            self.assertIn(said, self.mirror())
            self.assertEqual(self.tree(), whole)
        with open(self.path("out", "none/F0/0.tif"), "r+b") as f:
            f.seek(3000)
            f.write(b"\0" * 50)
        self.assertIn("3 done before", self.mirror())  # of the right size
        self.assertIn("1 items mirrored", self.mirror("--verify"))
        self.assertEqual(self.tree(), whole)

    def test_killed_at_random_points_and_started_again(self):
        slow = lambda h: (lambda h: (time.sleep(0.03), type(h).plain(h)))
        items = self.items(8)
        self.database(items)
        self.mirror()
        tree, stored = self.tree(), self.stored()
        shutil.rmtree(self.path("out"))
        self.server.fault = slow
        rng = random.Random(3)
        killed = 0
        self.database(items)
        while killed < 6:
            p = subprocess.Popen([PROGRAM, "mirror", self.path("c.db"), self.path("out"), "--threads", "2"], stderr=subprocess.DEVNULL, env={**CLEAN, "STACCHIP_HOSTS": "127.0.0.1"})
            time.sleep(rng.uniform(0.05, 0.3))
            p.kill()
            killed += p.wait() == -9
            if p.returncode == 0:  # it came to its end: from the start
                shutil.rmtree(self.path("out"))
                self.database(items)
        self.mirror()
        self.assertEqual((self.tree(), self.stored()), (tree, stored))  # no *.part of a killed one, either

    def test_some_items_and_assets_and_then_others(self):
        self.database(self.items())
        self.mirror("--where", "item = 'F1' AND chip_index_x = 0", "--assets", "nir")
        self.assertEqual(sorted(self.tree()), ["index/none/F1/index_F1.parquet", "none/F1/2.tif", "none/F1/stac_item.json"])
        one = self.stored()[1]["assets"]
        self.assertEqual((one["red"]["href"], one["nir"]["href"]), (f"{self.server.url}/1.tif", self.path("out", "none/F1/2.tif")))
        self.assertEqual(list(json.loads(self.tree()["none/F1/stac_item.json"])["assets"]), ["nir"])
        self.assertEqual(self.stored()[0]["stacchip:origin"], "network")
        self.server.clear()
        self.mirror("--assets", "red, nir")
        self.assertEqual([r[1] for r in self.server.requests].count("/2.tif"), 1)  # of F2: that of F1 is there
        self.assertEqual(list(json.loads(self.tree()["none/F1/stac_item.json"])["assets"]), ["red", "nir"])
        self.assertEqual(len(self.tree()), 12)

    def test_a_later_choice_keeps_the_copies_of_an_earlier_one(self):
        self.database(self.items(1))
        self.mirror("--assets", "nir")
        self.mirror("--assets", "red")
        item = json.loads(self.tree()["none/F0/stac_item.json"])
        self.assertEqual({k: a["href"] for k, a in item["assets"].items()}, {"red": "./0.tif", "nir": "./1.tif"})

    def test_dry_run(self):
        self.database(self.items(1))
        before = self.rows("SELECT * FROM chips_item")
        said = self.mirror("--dry-run")
        self.assertIn(f"would copy of F0:\n  red: {self.server.url}/0.tif\n  nir: {self.server.url}/1.tif", said)
        self.assertFalse(os.path.exists(self.path("out")))
        self.assertEqual(self.rows("SELECT * FROM chips_item"), before)

    def test_a_mirror_of_a_mirror_knows_the_first_source(self):
        self.database(self.items(1))
        self.mirror()
        self.server.close()
        self.mirror(to="second")
        asset = self.stored()[0]["assets"]["red"]
        self.assertEqual((asset["href"], asset["alternate"]["origin"]["href"]), (self.path("second", "none/F0/0.tif"), f"{self.server.url}/0.tif"))
        shutil.rmtree(self.path("out"))
        self.assertEqual(len(self.rows("SELECT stacchip_chip(row) FROM chips")), 4)

    def test_rows_of_index_files(self):
        self.database(self.items())
        self.mirror(to="bucket")
        self.server.close()
        db = host.connect(self.path("rows.db"))
        db.execute(f"CREATE VIRTUAL TABLE chips USING stacchip_merge(bucket='{self.path('bucket')}')")
        db.execute("INSERT INTO chips SELECT * FROM stacchip_parquet(?)", (self.path("bucket", "index") + "/",))
        before = db.execute("SELECT chipid, stacchip_chip(row) FROM chips ORDER BY 1").fetchall()
        db.close()
        self.mirror(db="rows.db")
        shutil.rmtree(self.path("bucket"))
        self.assertEqual(self.rows("SELECT chipid, stacchip_chip(row) FROM chips ORDER BY 1", "rows.db"), before)
        self.assertIn("3 done before", self.mirror(db="rows.db"))

    def test_a_mask_of_ones_own(self):
        items = self.items(2)
        for k in range(2):
            self.files[f"/masks/F{k}.tif"] = self.files[f"/{k}.tif"]
        self.database(items, arguments=f"platform='none', mask='{self.server.url}/masks/{{id}}.tif', cloud='v > 200'")
        ask = "SELECT chipid, stacchip_band_stats(row, '{\"exclude_cloud\": true}') FROM chips GROUP BY chipid"
        before = self.rows(ask)
        self.assertIn(f"\n  mask: {self.server.url}/masks/F0.tif\n", self.mirror("--dry-run"))
        self.assertIn("6 files", self.mirror())
        self.server.close()
        self.assertEqual(self.rows(ask), before)
        self.assertEqual([json.loads(r)["mask"] for r, in self.rows("SELECT rule FROM chips_item ORDER BY id")], [self.path("out", f"none/F{k}/mask_F{k}.tif") for k in range(2)])
        self.assertEqual({json.loads(o)["mask"] for o, in self.rows("SELECT DISTINCT index_options FROM chips")}, {self.path("out", f"none/F{k}/mask_F{k}.tif") for k in range(2)})
        self.assertIn("2 done before", self.mirror())

    def test_names_of_files(self):
        """Local sources, whose names are told apart, escaped and kept from the item's own."""
        names = {"a": "x/B 02.tif", "b": "y/B 02.tif", "c": "x/a%20b.tif", "d": "x/q?v#1.tif", "e": "x/stac_item.json", "f": "x/ü.tif", "g/h": "z/B 02.tif"}
        for n, name in enumerate(names.values()):
            os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
            with open(self.path(name), "wb") as f:
                f.write(self.files[f"/{n % 4}.tif"])
        item = self.item("L", {k: self.asset(self.path(v)) for k, v in names.items()})
        item["assets"]["again"] = self.asset(self.path(names["a"]))
        del item["stacchip:origin"]
        self.database([item])
        ask = "SELECT stacchip_chip(row, '{\"assets\": [%s]}') FROM chips LIMIT 1" % ", ".join(f'"{k}"' for k in item["assets"])
        before = self.rows(ask)
        self.assertIn("1 items mirrored, 0 done before, 0 failed; 7 files", self.mirror())
        for folder in "xyz":
            shutil.rmtree(self.path(folder))
        self.assertEqual(self.rows(ask), before)
        tree = self.tree()
        self.assertEqual(sorted(os.path.basename(p) for p in tree), sorted(["a_B 02.tif", "b_B 02.tif", "g_h_B 02.tif", "a%20b.tif", "q?v#1.tif", "e_stac_item.json", "ü.tif", "stac_item.json", "index_L.parquet"]))
        assets = json.loads(tree["none/L/stac_item.json"])["assets"]
        self.assertEqual([assets[k]["href"] for k in "cdf"], ["./a%2520b.tif", "./q%3Fv%231.tif", "./%C3%BC.tif"])
        self.assertNotIn(self.folder, tree["none/L/stac_item.json"].decode())  # who gets the folder learns no path
        handle = json.dumps({"bucket": self.path("out"), "platform": "none", "item": "L", "chip_index_x": 0, "chip_index_y": 0})
        self.assertEqual(host.connect().execute(ask.replace("row", "?1").replace(" FROM chips LIMIT 1", ""), (handle,)).fetchone(), before[0])
        self.assertIn("1 done before", self.mirror("--verify"))

    def test_an_object_store(self):
        with_keys = {"AWS_S3_ENDPOINT": f"127.0.0.1:{self.server.port}", "AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "FALSE", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
        self.files.update({"/bucket" + k: v for k, v in self.files.items()})
        item = self.item("S", {"red": self.asset("s3://bucket/0.tif"), "nir": self.asset("s3://bucket/1.tif")})
        self.database([item])
        self.mirror(**with_keys)
        self.assertTrue(all("Credential=k/" in r[2]["Authorization"] for r in self.server.requests))
        self.server.close()
        self.assertEqual(len(self.rows("SELECT stacchip_chip(row) FROM chips")), 4)
        self.assertEqual(self.stored()[0]["assets"]["red"]["alternate"]["origin"]["href"], "s3://bucket/0.tif")

    def test_a_server_without_ranges(self):
        self.server.fault = lambda h: (lambda h: h.answer(200, h.data()) if h.data() else h.answer(404))
        self.database(self.items(1))
        self.mirror()
        self.assertEqual(self.tree()["none/F0/0.tif"], self.files["/0.tif"])


class Failures(Work):
    def test_checksums(self):
        right = {"md5": 0xd5, "sha1": 0x11, "sha256": 0x12, "sha512": 0x13, "sha384": 0x20, "sha224": 0x1013, "sha3_256": 0x16, "sha3_512": 0x14}
        items = []
        for k, (name, code) in enumerate(right.items()):
            digest = hashlib.new(name, self.files["/0.tif"]).digest()
            items.append(self.item(f"good_{name}", {"red": self.asset(f"{self.server.url}/0.tif", **{"file:checksum" if k else "checksum:multihash": multihash(code, digest).upper() if k == 1 else multihash(code, digest)})}))
            items.append(self.item(f"bad_{name}", {"red": self.asset(f"{self.server.url}/0.tif", **{"file:checksum": multihash(code, digest[:-1] + bytes([digest[-1] ^ 1]))})}))
        self.database(items)
        said = self.mirror(code=1)
        self.assertIn("8 items mirrored, 0 done before, 8 failed", said)
        self.assertRegex(said, rf"failed: item bad_md5: asset red: {self.server.url}/0.tif: what was copied has not the checksum that the item says \(d501")
        names = {p.split("/")[1] for p in self.tree() if p.startswith("none/")}
        self.assertEqual(names, {f"good_{n}" for n in right})
        self.assertEqual([i["assets"]["red"]["href"].startswith("http") for i in self.stored()], [False, True] * 8)

    def test_checksums_that_nobody_knows(self):
        self.database([self.item(f"F{i}", {"red": self.asset(f"{self.server.url}/0.tif", **{"file:checksum": text})}) for i, text in enumerate(
            (hashlib.sha256(b"").hexdigest(), "1220", "zz", "", "1e20" + "00" * 32, "ffffffffffffff", "12" + "20" * 400))])
        said = self.mirror()
        self.assertIn("7 files have a checksum of a kind that is not known here: verified by their size", said)

    def test_a_source_of_another_size_than_the_item_says(self):
        items = self.items(2)
        items[0]["assets"]["nir"]["file:size"] = 17
        items[1]["assets"]["nir"]["file:size"] = len(self.files["/2.tif"])
        self.database(items)
        said = self.mirror(code=1)
        self.assertIn(f"failed: item F0: asset nir: {self.server.url}/1.tif: it has {len(self.files['/1.tif'])} bytes; the item says (file:size) 17", said)
        self.assertIn("1 items mirrored, 0 done before, 1 failed", said)
        self.assertNotIn("none/F0/1.tif", self.tree())

    def test_what_may_pass_and_what_does_not(self):
        self.database(self.items(2))
        self.server.fault = lambda h: (lambda h: h.answer(503))
        self.assertRegex(self.mirror(code=75), rf"failed: item F0: asset (red|nir): {self.server.url}/[01].tif: ")
        self.server.fault = lambda h: (lambda h: h.answer(404)) if h.path == "/1.tif" else None
        said = self.mirror(code=1)
        self.assertIn("2 failed", said)
        self.assertIn("404", said)
        self.server.fault = None
        self.assertIn("2 items mirrored", self.mirror())

    def test_a_source_that_changes_meanwhile(self):
        big = bytes(range(256)) * 4096 * 17
        self.files["/big.tif"] = big
        self.server.etag = lambda path, data: '"%d"' % len(self.server.requests)
        self.database(self.items(1))
        stored = self.stored()[0]
        db = sqlite3.connect(self.path("c.db"))
        stored["assets"]["red"]["href"] = f"{self.server.url}/big.tif"
        db.execute("UPDATE chips_item SET item_json = ?", (json.dumps(stored),))
        db.commit()
        db.close()
        self.assertRegex(self.mirror(code=1), "item F0: asset red: .*big.tif: the file has changed while it was copied")
        self.assertNotIn("none/F0/big.tif", self.tree())

    def test_an_item_of_the_network_names_no_local_file(self):
        secret = self.path("secret.tif")
        with open(secret, "wb") as f:
            f.write(self.files["/3.tif"])
        item = self.item("N", {"red": self.asset(f"{self.server.url}/0.tif", alternate={"origin": {"href": secret}}), "nir": self.asset(f"{self.server.url}/1.tif", alternate={"origin": {"href": secret}})}, links=[])
        self.database([item])
        db = sqlite3.connect(self.path("c.db"))
        item["assets"]["own"] = self.asset(secret)
        item["assets"]["taken"] = self.asset(self.path("out", "none/N/0.tif"))
        db.execute("UPDATE chips_item SET item_json = ?", (json.dumps(item),))
        db.commit()
        db.close()
        for name in ("own", "taken"):
            self.assertIn("may not name a local file", self.mirror("--assets", name, code=1))
        self.mirror("--assets", "red")
        assets = self.stored()[0]["assets"]
        self.assertEqual(sorted(assets), ["nir", "red"])
        self.assertNotIn("secret", json.dumps(assets))
        self.assertNotIn("secret", self.tree()["none/N/stac_item.json"].decode())

    def test_places_that_a_database_may_not_name(self):
        self.database(self.items(1))
        db = sqlite3.connect(self.path("c.db"))
        for platform in ("..", ".", "a/b", ""):
            db.execute("UPDATE chips_item SET platform = ?", (platform,))
            db.commit()
            self.assertIn(f"item F0: the platform '{platform}' names no folder", self.mirror(code=1))
        db.execute("UPDATE chips_item SET platform = 'none'")
        db.commit()
        os.makedirs(self.path("elsewhere"))
        os.makedirs(self.path("out"), exist_ok=True)
        os.symlink(self.path("elsewhere"), self.path("out", "none"))
        self.assertIn("local_roots", self.mirror(code=1, STACCHIP_LOCAL=f"{self.path('out')}:{self.path('c.db')}"))
        self.assertEqual(os.listdir(self.path("elsewhere")), [])

    def test_two_items_of_one_folder(self):
        items = self.items(1) + [dict(self.items(1)[0], collection="others")]
        self.database(items)
        said = self.mirror(code=1)
        self.assertIn(f"failed: item F0: {self.path('out/none/F0')} is the folder of an earlier item", said)
        self.assertIn("1 items mirrored", said)
        said = self.mirror("--where", "collection = 'others'", code=1)
        self.assertIn(f"failed: item F0: {self.path('out/none/F0/stac_item.json')} is item F0 of collection fields: the folder is taken", said)

    def test_a_copy_that_is_gone_where_nobody_knows_its_source(self):
        self.database(self.items(1))
        self.mirror()
        db = sqlite3.connect(self.path("c.db"))
        item = self.stored()[0]
        del item["assets"]["red"]["alternate"]
        db.execute("UPDATE chips_item SET item_json = ?", (json.dumps(item),))
        db.commit()
        os.unlink(self.path("out", "none/F0/0.tif"))
        self.assertIn("0.tif: gone or damaged, and the item does not say where it came from", self.mirror(code=1))

    def test_wrong_usage(self):
        self.database(self.items(1))
        self.assertIn("--where: no such column: foo", self.mirror("--where", "foo = 1", code=2))
        self.assertIn("item F0: no asset 'swir'; assets with pixels: red, nir", self.mirror("--assets", "red,swir", code=1))
        self.assertIn("no such database", self.mirror(db="d.db", code=1))
        self.assertFalse(os.path.exists(self.path("d.db")))
        self.assertIn("no such table: fields", self.mirror("--table", "fields", code=1))
        self.assertIn("--threads", self.mirror("--threads", "65", code=2))
        r = subprocess.run([PROGRAM, "mirror", self.path("c.db"), "s3://bucket"], capture_output=True, text=True, env=CLEAN)
        self.assertEqual((r.returncode, "a mirror is a local folder" in r.stderr), (2, True))
        r = subprocess.run([PROGRAM, "mirror", self.path("c.db")], capture_output=True, text=True, env=CLEAN)
        self.assertEqual((r.returncode, "needs a database and a folder" in r.stderr), (2, True))
        self.assertIn("0 items mirrored", self.mirror("--where", "item = 'F7'"))

    def test_secrets_are_not_stored(self):
        item = self.item("T", {"red": self.asset(f"{self.server.url}/0.tif"), "nir": self.asset(f"{self.server.url}/1.tif")})
        self.database([item])
        db = sqlite3.connect(self.path("c.db"))
        item["assets"]["red"]["href"] += "?sig=0123456789abcdef0123456789abcdef"
        db.execute("UPDATE chips_item SET item_json = ?", (json.dumps(item),))
        db.commit()
        self.mirror()
        self.assertTrue([r for r in self.server.requests if "sig=" in r[1]])
        self.assertNotIn("sig=", json.dumps(self.stored()) + self.tree()["none/T/stac_item.json"].decode())


if __name__ == "__main__":
    host.main()
