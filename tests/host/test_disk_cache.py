"""The disk cache: a second epoch without the network, its bound, kills, full disks, damage, changed files, secrets."""
import ctypes
import json
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

os.environ.setdefault("STACCHIP_HOSTS", "127.0.0.1,localhost")
import host
import web

CHIPS = "SELECT hex(stacchip_chip(row, '{\"assets\": [\"r\"]}')) FROM stacchip_index(?, '{\"platform\": \"none\", \"max_nodata\": 1}') ORDER BY %s"
SIZE = 1536

# One epoch in a process of its own: argv is the item, the order, and how many times over. Prints hashes of the chips.
PROGRAM = """
import hashlib, json, sys; sys.path.insert(0, %r)
import host
db = host.connect()
db.execute('PRAGMA temp_store = memory')
for _ in range(int(sys.argv[3])):
    db.execute("SELECT stacchip_config('cache_bytes', 0)")
    rows = db.execute(%r %% sys.argv[2], (sys.argv[1],)).fetchall()
print(json.dumps(sorted(hashlib.sha256(r[0].encode()).hexdigest() for r in rows)))
""" % (os.path.join(host.ROOT, "tests", "support"), CHIPS)


def item_of(url, query="", kind="tif"):
    return {"type": "Feature", "id": "x", "properties": {"datetime": None}, "assets": {"r": {
            "href": f"{url}/red.{kind}{query}", "type": "image/tiff", "proj:epsg": 32720, "proj:shape": [SIZE, SIZE], "proj:transform": [10, 0, 499980, 0, -10, 6400000]}}}


class Served(unittest.TestCase):
    """A server of one file, and a folder for the cache."""

    bytes = 1 << 30

    def setUp(self):
        with open(os.path.join(web.scene("sentinel-2", SIZE), "red.tif"), "rb") as f:
            self.data = f.read()
        self.tags = {}
        self.server = web.Scripted({"/red.tif": self.data}, etag=lambda path, data: self.tags.get(path, '"one"'))
        self.folder = tempfile.mkdtemp()
        self.inner = f"{self.folder}/stacchip-{os.geteuid()}"

    def tearDown(self):
        self.server.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def setting(self, **more):
        return json.dumps({"path": self.folder, "bytes": self.bytes, **more})

    def start(self, item=None, order="row", times=1, setting=None, env={}, **more):
        return subprocess.Popen([sys.executable, "-c", PROGRAM, json.dumps(item or item_of(self.server.url)), order, str(times)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env={**os.environ, "STACCHIP_DISK_CACHE": self.setting() if setting is None else setting, **env}, **more)

    def finish(self, process):
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, err[-800:])
        return json.loads(out)

    def epoch(self, *args, **more):
        """(the chips' hashes, how many requests it made)"""
        self.server.clear()
        got = self.finish(self.start(*args, **more))
        return got, len(self.server.requests)

    def entries(self):
        return [os.path.join(d, n) for d, _, names in os.walk(self.inner) for n in names if n not in ("usage", "lock")]

    def room(self):
        return sum(-(-os.path.getsize(p) // 4096) * 4096 for p in self.entries())

    def usage(self):
        with open(f"{self.inner}/usage", "rb") as f:
            return struct.unpack("<Q", f.read()[:8])[0]

    def plain(self):
        """The chips without a cache."""
        return self.epoch(setting="")[0]


class Epochs(Served):
    def test_second_epoch_in_another_process_asks_nothing(self):
        want, without = self.epoch(setting="")
        first, n = self.epoch()
        self.assertEqual(first, want)
        self.assertLessEqual(n, without)
        for order in ("row", "row DESC", "stacchip_hash(row, 1)"):
            self.assertEqual(self.epoch(order=order), (want, 0), order)

    def test_a_merged_index_and_its_stored_headers(self):
        db = f"{self.folder}/chips.db"
        env = {"STACCHIP_DISK_CACHE": self.setting()}
        web.cold(db, ["CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1, platform='none')"],
                 ["INSERT INTO chips(item_json) VALUES (?)", [json.dumps(item_of(self.server.url))]])
        sql = ["SELECT group_concat(hex(stacchip_chip(row, '{\"assets\": [\"r\"]}'))) FROM chips"]
        want = web.cold(db, sql)
        self.assertEqual(web.cold(db, sql, env=env), want)
        self.server.clear()
        self.assertEqual(web.cold(db, sql, env=env), want)
        self.assertEqual(self.server.requests, [])

    @unittest.skipUnless(shutil.which("gdal_translate"), "gdal_translate is not there")
    def test_what_only_gdal_reads(self):
        for kind, options in (("jp2", ["-of", "JP2OpenJPEG", "-co", "REVERSIBLE=YES", "-co", "QUALITY=100"]), ("lzw", ["-of", "GTiff", "-co", "COMPRESS=LZW", "-co", "TILED=YES"])):
            with self.subTest(kind):
                subprocess.run(["gdal_translate", "-q", *options, os.path.join(web.scene("sentinel-2", SIZE), "red.tif"), f"{self.folder}/red.{kind}"], check=True)
                with open(f"{self.folder}/red.{kind}", "rb") as f:
                    self.server.files[f"/red.{kind}"] = f.read()
                item = item_of(self.server.url, kind=kind)
                want = self.plain()
                self.assertEqual(self.epoch(item)[0], want)
                self.assertEqual(self.epoch(item, order="stacchip_hash(row, 1)"), (want, 0))

    def test_set_in_sql_and_unset(self):
        db = host.connect()
        self.assertEqual(db.execute("SELECT stacchip_config('disk_cache')").fetchone(), ("",))
        try:
            self.assertEqual(db.execute("SELECT stacchip_config('disk_cache', ?)", (self.setting(),)).fetchone(), (self.setting(),))
            db.execute(CHIPS % "row", (json.dumps(item_of(self.server.url)),)).fetchall()
            self.assertGreater(len(self.entries()), 0)
            counts = json.loads(db.execute("SELECT stacchip_debug()").fetchone()[0])["disk_cache"]
            self.assertGreater(counts["misses"], 0)
            n = len(os.listdir("/proc/self/fd"))
            for _ in range(8):
                db.execute("SELECT stacchip_config('disk_cache', '')")
                db.execute("SELECT stacchip_config('disk_cache', ?)", (self.setting(),))
            self.assertEqual(len(os.listdir("/proc/self/fd")), n)
            self.assertEqual(self.epoch()[1], 0)
        finally:
            db.execute("SELECT stacchip_config('disk_cache', '')")

    def test_after_fork(self):
        code = PROGRAM.replace("db = host.connect()", "a = host.connect(); a.execute(%r, (sys.argv[1],)).fetchone()\nimport os\nif os.fork(): sys.exit(os.wait()[1] != 0)\ndb = host.connect()" % (CHIPS % "row"))
        want = self.plain()
        self.epoch()
        self.server.clear()
        r = subprocess.run([sys.executable, "-c", code, json.dumps(item_of(self.server.url)), "row", "1"], capture_output=True, text=True, env={**os.environ, "STACCHIP_DISK_CACHE": self.setting()}, timeout=60)
        self.assertEqual((r.returncode, json.loads(r.stdout or "null")), (0, want), r.stderr[-500:])
        self.assertEqual(self.server.requests, [])


class Freshness(Served):
    def change(self):
        data = bytearray(self.data)
        with open(os.path.join(web.scene("sentinel-2", SIZE), "nir.tif"), "rb") as f:
            data = f.read()
        self.server.files["/red.tif"] = bytes(data)
        self.tags["/red.tif"] = '"two"'

    def test_a_changed_file_is_noticed_after_max_age_and_has_entries_of_its_own(self):
        old = self.epoch()[0]
        self.change()
        new = self.plain()
        self.assertNotEqual(new, old)
        self.assertEqual(self.epoch(), (old, 0))  # within its age it is believed
        time.sleep(1.1)
        got, n = self.epoch(setting=self.setting(max_age=0))
        self.assertEqual(got, new)
        self.assertGreater(n, 0)
        self.assertEqual(self.epoch(), (new, 0))

    def test_an_unchanged_file_costs_one_request_after_max_age(self):
        old = self.epoch()[0]
        time.sleep(3.1)
        self.assertEqual(self.epoch(setting=self.setting(max_age=2)), (old, 1))

    def test_a_block_that_is_missing_tells_of_the_change(self):
        old = self.epoch()[0]
        self.change()
        new = self.plain()
        biggest = sorted(self.entries(), key=os.path.getsize)
        for path in biggest[-3:]:
            os.unlink(path)
        self.assertLessEqual(set(self.epoch()[0]), {*old, *new})  # each chip is of one state
        self.assertEqual(self.epoch()[0], new)
        self.assertEqual(self.epoch(), (new, 0))

    def test_a_stored_header_of_an_older_state(self):
        db = f"{self.folder}/chips.db"
        web.cold(db, ["CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1, platform='none')"],
                 ["INSERT INTO chips(item_json) VALUES (?)", [json.dumps(item_of(self.server.url))]])
        sql = ["SELECT group_concat(hex(stacchip_chip(row, '{\"assets\": [\"r\"]}'))) FROM chips"]
        self.change()
        want = web.cold(db, sql)
        for _ in range(2):
            self.assertEqual(web.cold(db, sql, env={"STACCHIP_DISK_CACHE": self.setting()}), want)

    def test_no_etag_no_entries_but_the_time_of_modification_does(self):
        want = self.plain()
        self.server.etag = None
        self.epoch()
        self.assertEqual(self.entries(), [])
        plain = self.server.fault

        def modified(handler):
            send = handler.send_header
            sent = []

            def also(name, value):
                if not sent:
                    sent.append(send("Last-Modified", "Wed, 01 Jan 2020 00:00:00 GMT"))
                send(name, value)
            handler.send_header = also
        self.server.fault = modified
        self.epoch()
        self.server.fault = plain
        self.assertEqual(self.epoch(), (want, 0))

    def test_bytes_that_are_no_raster_are_asked_for_again(self):
        self.server.files["/red.tif"] = b"<html>sorry</html>" * 4000
        process = self.start()
        self.assertIn("red.tif", process.communicate()[1])
        self.server.files["/red.tif"] = self.data
        got, n = self.epoch()
        self.assertEqual(got, self.plain())
        self.assertGreater(n, 0)


class Damage(Served):
    def test_damaged_truncated_and_foreign_entries_are_fetched_again(self):
        want = self.epoch()[0]
        rng = random.Random(3)

        def flip(p):
            with open(p, "r+b") as f:
                at = rng.randrange(os.path.getsize(p))
                f.seek(at)
                byte = f.read(1)[0]
                f.seek(at)
                f.write(bytes([byte ^ 1 << rng.randrange(8)]))

        def swap(p):
            shutil.copy(rng.choice(self.entries()), p + "x")
            os.rename(p + "x", p)

        def folder(p):
            os.unlink(p)
            os.mkdir(p)

        def link(p):
            os.unlink(p)
            os.symlink("/etc/passwd", p)

        def pipe(p):
            os.unlink(p)
            os.mkfifo(p)
        for damage in (flip, lambda p: os.truncate(p, os.path.getsize(p) // 2), lambda p: os.truncate(p, 0), lambda p: os.truncate(p, os.path.getsize(p) + 9), swap, link, pipe, folder):
            for p in self.entries():
                damage(p)
            got, n = self.epoch()
            self.assertEqual(got, want)
            if damage is not swap:
                self.assertGreater(n, 0)
            for d, folders, _ in os.walk(self.inner):
                for name in folders:
                    if len(name) > 2:
                        os.rmdir(os.path.join(d, name))
            self.epoch()
            self.assertEqual(self.epoch(), (want, 0))

    def test_a_sum_that_is_damaged_is_counted_anew(self):
        want = self.epoch()[0]
        room = self.room()
        for bad in (b"", b"x" * 16, b"\0" * 16, b"\xff" * 100):
            with open(f"{self.inner}/usage", "wb") as f:
                f.write(bad)
            self.assertEqual(self.epoch(), (want, 0))
            self.assertEqual(self.usage(), room)

    def test_killed_at_any_time(self):
        want = self.plain()
        rng = random.Random(7)
        for i in range(12):
            if i % 4 == 0:
                shutil.rmtree(self.inner, ignore_errors=True)
            process = self.start(times=3)
            time.sleep(0.1 + rng.random() * 0.5)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            if i % 3 == 2:
                self.assertEqual(self.epoch()[0], want)
        self.epoch()
        self.assertEqual(self.epoch(), (want, 0))
        self.assertGreaterEqual(self.usage(), self.room())


class Bound(Served):
    bytes = 2 << 20

    def test_several_processes_keep_the_bound(self):
        want = self.plain()
        items = []
        for i in range(6):
            self.server.files[f"/{i}/red.tif"] = self.data
            items.append(item_of(f"{self.server.url}/{i}"))
        processes = [self.start(item, times=2) for item in items]
        most = 0
        while any(p.poll() is None for p in processes):
            time.sleep(0.02)
            for sign in (signal.SIGSTOP, signal.SIGCONT):  # so that nothing comes or goes while we look
                for p in processes:
                    p.send_signal(sign)
                if sign == signal.SIGSTOP:
                    time.sleep(0.01)
                    most = max(most, self.room())
        got = [self.finish(p) for p in processes]
        self.assertEqual(got, [want] * len(items))
        self.assertGreater(most, self.bytes // 2)
        self.assertLessEqual(most, self.bytes)
        self.assertGreaterEqual(self.usage(), self.room())

    def test_the_oldest_use_goes_first(self):
        self.bytes = 1 << 30
        self.epoch()
        one = self.room()
        old = time.time() - 1000
        for i, p in enumerate(self.entries()):
            os.utime(p, (old + i % 2, old + i % 2))
        self.epoch()  # is a use
        for p in self.entries():
            self.assertGreater(os.path.getmtime(p), old + 500)
        self.server.files["/b/red.tif"] = self.data
        b = item_of(f"{self.server.url}/b")
        first = set(self.entries())
        self.epoch(b)
        for p in first:
            os.utime(p, (old, old))
        self.bytes = max(one + one // 2, 1 << 20)
        self.assertEqual(self.epoch(b)[1], 0)  # of the second nothing went when the bound shrank
        self.assertLessEqual(self.room(), self.bytes)

    def test_left_overs_of_killed_writers_go(self):
        self.epoch()
        p = self.entries()[0] + "-0123abcd"
        young = self.entries()[0] + "-0123abce"
        for path in (p, young, f"{self.inner}/notes.txt"):
            with open(path, "wb") as f:
                f.write(b"x" * 5000)
        os.utime(p, (1, 1))
        os.unlink(f"{self.inner}/usage")
        self.epoch()
        self.assertEqual((os.path.exists(p), os.path.exists(young), os.path.exists(f"{self.inner}/notes.txt")), (False, True, True))


class Folders(Served):
    def refused(self, setting):
        db = host.connect()
        with self.assertRaises(Exception) as e:
            db.execute("SELECT stacchip_config('disk_cache', ?)", (setting,))
        self.assertEqual(db.execute("SELECT stacchip_config('disk_cache')").fetchone(), ("",))
        return str(e.exception)

    def test_values(self):
        for bad in ("x", "[]", "{}", '{"path": "/tmp"}', '{"path": "tmp", "bytes": 2000000}', '{"path": "/tmp", "bytes": 1}', '{"path": "/tmp", "bytes": 2000000.5}',
                    '{"path": "/tmp", "bytes": 2000000, "age": 1}', '{"path": 1, "bytes": 2000000}', '{"path": "/tmp", "bytes": 2000000, "max_age": -1}', '{"path": "/tmp", "path": "/", "bytes": 1e300}'):
            self.assertRegex(self.refused(bad), "stacchip_config: setting 'disk_cache': expected .*bytes.*found")
            self.assertIn("STACCHIP_DISK_CACHE: expected", self.start(setting=bad).communicate()[1])

    def test_others_folders_and_traps(self):
        os.mkdir(self.inner, 0o755)
        self.assertIn("mode 0700), found one of user %d with mode 0755" % os.geteuid(), self.refused(self.setting()))
        os.rmdir(self.inner)
        os.mkdir(f"{self.folder}/elsewhere", 0o700)
        os.symlink("elsewhere", self.inner)
        self.assertIn("is no folder that this user can open", self.refused(self.setting()))
        self.assertEqual(os.listdir(f"{self.folder}/elsewhere"), [])
        os.unlink(self.inner)
        with open(self.inner, "w"):
            pass
        self.assertIn("is no folder that this user can open", self.refused(self.setting()))
        os.unlink(self.inner)
        if os.geteuid() == 0:
            os.mkdir(self.inner, 0o700)
            os.chown(self.inner, 12345, 12345)
            self.assertIn("found one of user 12345", self.refused(self.setting()))
            os.rmdir(self.inner)
        os.mkdir(self.inner, 0o700)
        os.symlink("/etc/hostname.stacchip", f"{self.inner}/usage")
        self.assertIn("cannot be written to", self.refused(self.setting()))
        os.unlink(f"{self.inner}/usage")
        gone = json.dumps({"path": f"{self.folder}/gone", "bytes": 1 << 20})
        self.assertIn("No such file", self.refused(gone))
        error = self.start(setting=gone).communicate()[1]
        self.assertIn("setting disk_cache (STACCHIP_DISK_CACHE)", error)
        self.assertIn("No such file", error)

    def test_access_rules_hold_for_the_folder(self):
        db = host.connect()
        before = db.execute("SELECT stacchip_config('local_roots')").fetchone()[0]
        try:
            db.execute("SELECT stacchip_config('local_roots', 'deny')")
            self.assertIn("local files are denied", self.refused(self.setting()))
        finally:
            db.execute("SELECT stacchip_config('local_roots', ?)", (before,))

    @unittest.skipUnless(os.geteuid() == 0, "needs root to become another user")
    def test_read_only(self):
        os.chmod(self.folder, 0o555)

        def drop():
            os.setuid(12345)
        error = self.start(preexec_fn=drop).communicate()[1]
        if "import host" in error or "can't open" in error or "not authorized" in error:
            self.skipTest("another user cannot read this checkout")
        self.assertIn("no folder can be made in it", error)

    def test_a_folder_that_vanishes(self):
        want = self.plain()
        process = self.start(times=4)
        while not os.path.exists(f"{self.inner}/usage") and process.poll() is None:
            time.sleep(0.01)
        for _ in range(200):
            time.sleep(0.01)
            shutil.rmtree(self.folder, ignore_errors=True)
            if process.poll() is not None:
                break
            os.makedirs(self.folder, exist_ok=True)
        self.assertEqual(self.finish(process), want)

    def test_nobody_else_can_look(self):
        os.umask(0)
        try:
            self.epoch()
        finally:
            os.umask(0o022)
        self.assertEqual(os.stat(self.inner).st_mode & 0o777, 0o700)
        for p in self.entries() + [f"{self.inner}/usage"]:
            self.assertEqual(os.stat(p).st_mode & 0o777, 0o600)
            self.assertEqual(os.stat(os.path.dirname(p)).st_mode & 0o777, 0o700)

    def test_full_disks(self):
        """Files that may not grow further, as on a full disk; then room again."""
        want = self.plain()

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))
        self.assertEqual(self.epoch(preexec_fn=limit)[0], want)
        self.assertTrue(all(os.path.getsize(p) <= 100000 for p in self.entries()))
        self.assertEqual(self.epoch()[0], want)
        self.assertEqual(self.epoch(), (want, 0))

    def test_a_small_file_system(self):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"none", self.folder.encode(), b"tmpfs", 0, b"size=300k") != 0:
            self.skipTest("no file system can be mounted")
        try:
            want = self.plain()
            for _ in range(3):
                self.assertEqual(self.epoch()[0], want)
            self.assertGreater(len(self.entries()), 0)
        finally:
            libc.umount2(self.folder.encode(), 2)


class Rules(Served):
    SECRETS = "?X-Amz-Signature=5ecre7c0ffee5ecre7c0ffee5ecre7c0ffee&X-Amz-Credential=AKIDEXAMPLE99%2F20260101&sig=tOpSeCrEtSiGnAtUrE1234567890%3D&se=2026-12-01&versionId=7"

    def everything(self):
        text = b""
        for d, _, names in os.walk(self.inner):
            for n in names:
                text += os.path.join(d, n).encode()
                with open(os.path.join(d, n), "rb") as f:
                    text += f.read()
        return text

    def test_no_secret_and_no_url_is_written_and_other_signatures_find_the_same(self):
        url = self.server.url.replace("//", "//user:pa55w0rd@")
        want, n = self.epoch(item_of(url, self.SECRETS))
        self.assertGreater(n, 0)
        text = self.everything()
        for secret in (b"5ecre7c0ffee", b"AKIDEXAMPLE99", b"tOpSeCrEt", b"pa55w0rd", b"127.0.0.1", b"red.tif"):
            self.assertNotIn(secret, text)
        self.assertEqual(self.epoch(item_of(self.server.url, self.SECRETS.replace("5ecre7", "0ther5").replace("tOpSeCrEt", "oThErOnE9"))), (want, 0))
        self.assertGreater(self.epoch(item_of(self.server.url, self.SECRETS.replace("versionId=7", "versionId=8")))[1], 0)

    def test_keys_of_stores_are_not_written_and_the_endpoint_counts(self):
        self.server.files["/bucket/red.tif"] = self.data
        env = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE77", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI5ecret", "AWS_SESSION_TOKEN": "t0kent0kent0ken", "AWS_S3_ENDPOINT": self.server.url.split("//")[1], "AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "FALSE"}
        item = item_of("s3://bucket")
        want, n = self.epoch(item, env=env)
        self.assertGreater(n, 0)
        for secret in (b"AKIDEXAMPLE77", b"wJalrX", b"t0ken"):
            self.assertNotIn(secret, self.everything())
        self.assertEqual(self.epoch(item, env={**env, "AWS_SESSION_TOKEN": "another"}), (want, 0))
        other = web.Scripted({"/bucket/red.tif": b"not it"})
        try:
            process = self.start(item, env={**env, "AWS_S3_ENDPOINT": other.url.split("//")[1]})
            process.communicate()
            self.assertGreater(len(other.requests), 0)
        finally:
            other.close()
        error = self.start(item, env={**env, "STACCHIP_HOSTS": "example.com"}).communicate()[1]
        self.assertIn("host '127.0.0.1' is not allowed", error)

    def test_hosts_are_asked_for_on_a_hit(self):
        self.epoch()
        denied = {"STACCHIP_HOSTS": "example.com"}
        error = self.start(env=denied).communicate()[1].splitlines()[-1]
        self.assertIn("host '127.0.0.1' is not allowed", error)
        self.assertEqual(self.start(env=denied, setting="").communicate()[1].splitlines()[-1], error)

    def test_a_redirect_that_is_no_longer_allowed(self):
        """What came by a redirect under one rule is not there under another."""
        target = web.Scripted({"/red.tif": self.data}, etag=lambda p, d: '"one"')
        try:
            self.server.fault = lambda h: lambda h: h.answer(302, b"", Location=target.url.replace("127.0.0.1", "localhost") + "/red.tif")
            want = self.epoch()[0]
            self.assertEqual(self.epoch(), (want, 0))
            error = self.start(env={"STACCHIP_HOSTS": "127.0.0.1"}).communicate()[1]
            self.assertIn("host 'localhost' is not allowed", error)
        finally:
            target.close()


if __name__ == "__main__":
    host.main()
