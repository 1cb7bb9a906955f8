"""Hosts: Python, a C program, programs with a SQLite of their own, a replaced malloc, fork, threads."""
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

import host
import numpy
from node import NODE, better_sqlite

BUILD = os.path.dirname(host.EXT)
SCENE = os.path.join(host.ROOT, "build", "scenes", "sentinel-2", "item.json")
ASAN = os.environ.get("VARIANT") == "asan"


def setUpModule():
    if not os.path.exists(SCENE):
        os.makedirs(os.path.dirname(os.path.dirname(SCENE)), exist_ok=True)
        env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        subprocess.run([os.path.join(host.ROOT, "build/release/make_scene"), "sentinel-2", os.path.dirname(SCENE)], check=True, env=env)


def run(cmd, **kw):
    return subprocess.run(cmd, capture_output=True, text=True, timeout=900, **kw)


class Hosts(unittest.TestCase):
    def test_python_reads_a_chip_as_an_array(self):
        db = host.connect()
        blob = db.execute("SELECT stacchip_chip(row) FROM stacchip_index(?) LIMIT 1", (SCENE,)).fetchone()[0]
        self.assertEqual(numpy.load(io.BytesIO(blob)).shape, (10, 256, 256))

    def test_example_in_python(self):
        r = run(["/usr/bin/python3", os.path.join(host.ROOT, "examples/chips.py"), SCENE], cwd=host.ROOT,
                env={k: v for k, v in os.environ.items() if k != "LD_PRELOAD"})
        self.assertEqual(r.stdout.strip(), "(10, 256, 256)", r.stderr)

    @unittest.skipIf(host.IS_BUNDLE, "a bundle has no static library")
    def test_example_in_c(self):
        env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        r = run([os.path.join(BUILD, "embed"), SCENE], env=env)
        self.assertIn("bytes = 1310848", r.stdout, r.stderr)
        self.assertEqual(r.returncode, 0, r.stderr)

    @unittest.skipIf(ASAN, "the sanitizer replaces malloc")
    def test_node_with_its_own_sqlite(self):
        if not better_sqlite():
            self.skipTest("better-sqlite3 cannot be installed")
        js = """const D=require('better-sqlite3'); const db=new D(':memory:'); db.loadExtension(process.argv[1]);
        const q=db.prepare("SELECT count(*) n, sum(length(AsText(geometry))) g FROM stacchip_index(?)").get(process.argv[2]);
        const c=db.prepare("SELECT length(stacchip_chip(row)) n FROM stacchip_index(?) LIMIT 1").get(process.argv[2]);
        console.log(JSON.stringify([q.n, q.g>0, c.n, JSON.parse(db.prepare('SELECT stacchip_debug() d').get().d).deepbind]))"""
        r = run(["node", "-e", js, host.EXT, SCENE], cwd=NODE)
        self.assertEqual(r.returncode, 0, r.stderr[-500:])
        self.assertEqual(json.loads(r.stdout), [30, True, 1310848, 0 if host.IS_BUNDLE else 1])

    def own_sqlite_host(self):
        folder = better_sqlite()
        if not folder:
            self.skipTest("no sources of SQLite")
        binary = os.path.join(NODE, "own_host")
        if not os.path.exists(binary):
            source = os.path.join(folder, "deps", "sqlite3")
            r = run(["cc", "-O1", "-DSQLITE_ENABLE_LOAD_EXTENSION", "-DSQLITE_ENABLE_RTREE", "-o", binary, "-I", source,
                     os.path.join(host.ROOT, "tests/host/own_sqlite.c"), os.path.join(source, "sqlite3.c"), "-lm", "-ldl", "-lpthread", "-rdynamic"])
            self.assertEqual(r.returncode, 0, r.stderr[-500:])
        return binary

    @unittest.skipIf(ASAN, "the sanitizer replaces malloc")
    def test_c_program_with_its_own_sqlite(self):
        r = run([self.own_sqlite_host(), host.EXT, SCENE])
        self.assertEqual(r.returncode, 0, r.stderr[-500:])
        self.assertIn("1310848", r.stdout)

    @unittest.skipIf(ASAN, "the sanitizer replaces malloc")
    def test_replaced_malloc(self):
        jemalloc = [f"/usr/lib/{d}/libjemalloc.so.2" for d in os.listdir("/usr/lib") if os.path.exists(f"/usr/lib/{d}/libjemalloc.so.2")]
        if not jemalloc:
            self.skipTest("no libjemalloc")
        env = dict(os.environ, LD_PRELOAD=jemalloc[0])
        sql = f"SELECT length(stacchip_chip(row)) FROM stacchip_index('{SCENE}') LIMIT 1;"
        # The system's SQLite: it works. Not the shell's, which newer Debians link statically.
        code = "import sys, sqlite3; db = sqlite3.connect(':memory:'); db.enable_load_extension(True); db.load_extension(sys.argv[1]); print(db.execute(sys.argv[2]).fetchone()[0])"
        r = run([sys.executable, "-c", code, host.EXT, sql], env=env)
        self.assertEqual(r.stdout.strip(), "1310848", r.stderr)
        r = run([self.own_sqlite_host(), host.EXT, SCENE], env=env)
        self.assertGreaterEqual(r.returncode, 0, "a crash")  # its own SQLite: refused with a reason, where libraries could meet
        self.assertIn(*(("1310848", r.stdout) if host.IS_BUNDLE else ("replaces malloc()", r.stderr)))

    def test_missing_half_is_a_clear_error(self):
        with tempfile.TemporaryDirectory() as d:
            shutil.copy(host.EXT + ".so", os.path.join(d, "stacchip.so"))
            r = run(["sqlite3", ":memory:", f".load {d}/stacchip", f"SELECT * FROM stacchip_index('{SCENE}');"])
        self.assertIn("raster half", r.stderr)
        self.assertIn("stacchip_raster.so", r.stderr)

    def test_threads_with_a_connection_each(self):
        results = []

        def work():
            db = host.connect()
            results.append(db.execute("SELECT count(*), sum(length(stacchip_chip(row, '{\"assets\":[\"red\",\"swir16\"]}'))) FROM (SELECT row FROM stacchip_index(?))", (SCENE,)).fetchone())

        threads = [threading.Thread(target=work) for _ in range(4)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertEqual(results, [(30, 30 * 262272)] * 4)

    @unittest.skipIf(ASAN, "fork with the sanitizer's threads")
    def test_forked_child_opens_its_own(self):
        code = f"""
import os, sys
sys.path.insert(0, {os.path.join(host.ROOT, 'tests/support')!r})
import host
item = {SCENE!r}
q = "SELECT sum(length(stacchip_chip(row))) FROM (SELECT row FROM stacchip_index(?) LIMIT 6)"
db = host.connect()
a = db.execute(q, (item,)).fetchone()
children = []
for i in range(3):
    pid = os.fork()
    if pid == 0:
        try:
            db.execute(q, (item,)).fetchone()
            os._exit(3)
        except Exception as e:
            if 'before fork()' not in str(e): os._exit(4)
        b = host.connect().execute(q, (item,)).fetchone()
        os._exit(0 if a == b else 5)
    children.append(pid)
print([os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) for p in children], db.execute(q, (item,)).fetchone() == a)
"""
        r = run(["/usr/bin/python3", "-c", code])
        self.assertEqual(r.stdout.strip(), "[0, 0, 0] True", r.stderr)

    def test_interrupt_ends_a_long_read(self):
        db = host.connect()
        db.execute("SELECT stacchip_config('threads', 1)")
        rows = [r[0] for r in db.execute("SELECT row FROM stacchip_index(?)", (SCENE,))] * 40
        db.execute("CREATE TABLE t(r)")
        db.executemany("INSERT INTO t VALUES (?)", [(r,) for r in rows])
        timer = threading.Timer(0.05, db.interrupt)
        timer.start()
        with self.assertRaisesRegex(Exception, "interrupted"):
            while True:
                db.execute("SELECT stacchip_stack(r) FROM (SELECT r FROM t LIMIT 500)").fetchone()

    def test_locale_of_the_host_does_not_matter(self):
        env = dict(os.environ, LC_ALL="de_DE.UTF-8", LANG="de_DE.UTF-8")
        code = f"import locale\ntry: locale.setlocale(locale.LC_ALL, 'de_DE.UTF-8')\nexcept locale.Error: pass\nimport sys; sys.path.insert(0, {os.path.join(host.ROOT, 'tests/support')!r})\nimport host\ndb = host.connect()\nprint(db.execute(\"SELECT AsText(geometry), stacchip_chip_info(row) FROM stacchip_index(?) LIMIT 1\", ({SCENE!r},)).fetchone())"
        a = run(["/usr/bin/python3", "-c", code], env=env)
        b = run(["/usr/bin/python3", "-c", code])
        self.assertEqual(a.stdout, b.stdout, a.stderr)
        self.assertIn("POLYGON", a.stdout)


@unittest.skipIf(host.IS_BUNDLE, "test_bundle.py looks at what a bundle exports and links")
class Surface(unittest.TestCase):
    def test_exported_symbols_are_the_written_list(self):
        for name, expected in (("stacchip.so", ["sqlite3_extension_init", "sqlite3_stacchip_init"]), ("stacchip_raster.so", ["stacchip_raster_api"])):
            out = run(["nm", "-D", "--defined-only", os.path.join(BUILD, name)]).stdout
            symbols = sorted(line.split()[-1].split("@")[0] for line in out.splitlines())
            self.assertEqual([s for s in symbols if not s.startswith(("_", "__asan", "__odr"))], expected)

    def test_links_neither_gdal_nor_spatialite(self):
        out = run(["readelf", "-d", os.path.join(BUILD, "stacchip.so")]).stdout
        for library in ("gdal", "spatialite", "proj", "sqlite3", "curl", "tiff"):
            self.assertNotIn(f"lib{library}", out)


if __name__ == "__main__":
    host.main()
