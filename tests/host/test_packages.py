"""The packages for Python and Node and the release archive, made of the ordinary build and installed here.

In empty systems, with Debian's packages: make check-packages.
"""
import base64
import csv
import functools
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

import host
from node import NODE, better_sqlite

PYTHON = "/usr/bin/python3"
SCENE = os.path.join(host.ROOT, "build", "scenes", "sentinel-2", "item.json")
released = unittest.skipUnless(os.environ.get("VARIANT", "release") == "release", "packages are of the release build")
ENV = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "MAKEFLAGS", "MFLAGS", "PYTHONPATH", "VARIANT") and not k.startswith(("STACCHIP_", "PIP_"))}


def run(*command, env=None, **kw):
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env={**ENV, **(env or {})}, **kw)


def checked(*command, **kw):
    r = run(*command, **kw)
    if r.returncode:
        raise AssertionError(f"{command}: {r.stdout[-1000:]}{r.stderr[-2000:]}")
    return r.stdout


def make(target, folder, **variables):
    words = [f"{k}={v}" for k, v in {"BUNDLE": "build/plain", "PACKAGES": folder, "SOURCE_DATE_EPOCH": 1700000000, **variables}.items()]
    checked("make", "-s", "-C", host.ROOT, target, *words)
    return sorted(os.listdir(folder))


@functools.lru_cache(maxsize=None)
def has(module):
    return run(PYTHON, "-c", f"import {module}").returncode == 0


@functools.lru_cache(maxsize=None)
def folder():
    """What all tests share; removed when they have ended."""
    return tempfile.TemporaryDirectory(prefix="stacchip packages ")


def tearDownModule():
    folder().cleanup()


@functools.lru_cache(maxsize=None)
def plain():
    """The ordinary build laid out as a bundle, made once: tests that run side by side would make it at once."""
    checked("make", "-s", "-C", host.ROOT, "build/plain")


@functools.lru_cache(maxsize=None)
def wheel():
    plain()
    out = os.path.join(folder().name, "wheel")
    name, = make("wheel", out)
    return os.path.join(out, name)


@functools.lru_cache(maxsize=None)
def python():
    """The Python of an environment that has the wheel, and what the system's has."""
    where = os.path.join(folder().name, "venv")
    checked(PYTHON, "-m", "venv", "--system-site-packages", where)
    checked(os.path.join(where, "bin", "pip"), "install", "-q", "--no-index", wheel())
    return os.path.join(where, "bin", "python")


HEAD = """
import io, json, os, sqlite3, sys
import numpy
import stacchip
item, = sys.argv[1:]
db = stacchip.connect(":memory:")
db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge()")
db.execute("INSERT INTO chips(item_json) VALUES (?)", (item,))
"""


def script(code, head=HEAD, **kw):
    return checked(python(), "-c", head + code, SCENE, cwd=folder().name, **kw).splitlines()


@released
@unittest.skipUnless(has("ensurepip") and has("venv"), "python3-venv is not there")
class Wheel(unittest.TestCase):
    def test_record_lists_every_file(self):
        with zipfile.ZipFile(wheel()) as z:
            names = z.namelist()
            record, = (n for n in names if n.endswith(".dist-info/RECORD"))
            rows = list(csv.reader(io.StringIO(z.read(record).decode())))
            self.assertEqual(sorted(r[0] for r in rows), sorted(names))
            for name, digest, size in rows:
                if name != record:
                    data = z.read(name)
                    expected = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                    self.assertEqual((digest, int(size)), (f"sha256={expected}", len(data)))

    def test_two_builds_have_the_same_bytes(self):
        with open(wheel(), "rb") as a:
            out = os.path.join(folder().name, "again")
            name, = make("wheel", out)
            with open(os.path.join(out, name), "rb") as b:
                self.assertEqual(a.read(), b.read())

    def test_tag_says_what_the_files_need(self):
        """The ordinary build needs libraries of the system: no manylinux. One of glibc alone has the version it asks for."""
        self.assertRegex(os.path.basename(wheel()), r"^stacchip-[\d.]+-py3-none-linux_\w+\.whl$")
        alone, source = (os.path.join(folder().name, n) for n in ("alone", "alone.c"))
        os.makedirs(alone, exist_ok=True)
        with open(source, "w") as f:
            f.write("#include <stdio.h>\nint answer(void) { return puts(\"\"); }\n")
        checked("cc", "-shared", "-fPIC", "-o", os.path.join(alone, "stacchip.so"), source)
        out = checked(PYTHON, os.path.join(host.ROOT, "packages/python/make_wheel.py"), alone, "1", os.path.join(folder().name, "out"))
        asked = max(int(n) for n in re.findall(r"GLIBC_2\.(\d+)", checked("readelf", "-V", os.path.join(alone, "stacchip.so"))))
        self.assertIn(f"-py3-none-manylinux_2_{asked}_", out)

    def test_five_lines_give_chips(self):
        lines = script("""
import stacchip, sys
db = stacchip.connect(":memory:")
query = "SELECT stacchip_chip(row) FROM stacchip_index(?) WHERE cloud_cover_percentage < 0.1 LIMIT 2"
for blob, in db.execute(query, sys.argv[1:]):
    print(stacchip.array(blob).shape)
""", head="")
        self.assertEqual(lines, ["(10, 256, 256)"] * 2)

    def test_version_path_and_program(self):
        version, path = script("print(stacchip.__version__); print(stacchip.loadable_path())")
        self.assertEqual(version, host.connect().execute("SELECT stacchip_version()").fetchone()[0])
        self.assertTrue(os.path.exists(path + ".so"))
        program = os.path.join(os.path.dirname(python()), "stacchip")
        self.assertEqual(checked(program, "--version"), f"stacchip {version}\n")
        db = os.path.join(folder().name, "by_program.db")
        self.assertIn("1 merged", run(program, "index", db, SCENE).stderr)

    def test_loading_of_further_extensions_stays_as_it_was(self):
        lines = script("""
for allowed in (True, False):
    db = sqlite3.connect(":memory:"); db.enable_load_extension(allowed)
    stacchip.load(db); stacchip.load(db)
    try: db.load_extension("/nowhere")
    except sqlite3.OperationalError as e: print("not authorized" in str(e))
""")
        self.assertEqual(lines, ["False", "True"])

    def test_python_without_extensions_is_told_the_ways_out(self):
        lines = script("""
class Bare: "as sqlite3.Connection where it was built without"
sqlite3.connect = lambda path: type("C", (Bare,), {"close": lambda self: print("closed")})()
try: stacchip.connect(":memory:")
except sqlite3.NotSupportedError as e: print(e)
""")
        self.assertEqual(lines[0], "closed")
        for way in ("PYTHON_CONFIGURE_OPTS=--enable-loadable-sqlite-extensions", "conda", "pip install apsw"):
            self.assertIn(way, lines[1])

    @unittest.skipUnless(has("apsw"), "python3-apsw is not there")
    def test_apsw(self):
        self.assertEqual(script("""
import apsw
a = apsw.Connection(":memory:"); a.enableloadextension(False)
stacchip.load(a)
try: a.loadextension("/nowhere")
except apsw.ExtensionLoadingError as e: print("not authorized" in str(e))
query = "SELECT row, chipid FROM stacchip_index('%s')" % item
one, two = (list((p.copy(), e) for p, e in stacchip.Batches(c, query, 8, shuffle=3, assets=["red"])) for c in (db, a))
print(len(one), all((p == q).all() and e == f for (p, e), (q, f) in zip(one, two, strict=True)))
"""), ["True", "4 True"])

    def test_array_is_a_view(self):
        self.assertEqual(script("""
blob, = db.execute("SELECT stacchip_chip(row) FROM chips").fetchone()
a, w = stacchip.array(blob), stacchip.array(blob, writable=True)
truth = numpy.load(io.BytesIO(blob))
print((a == truth).all(), a.dtype == truth.dtype, a.ctypes.data % 16)
print(numpy.shares_memory(a, numpy.frombuffer(blob, "u1")), a.flags.writeable, numpy.shares_memory(w, a), w.flags.writeable)
own = bytearray(blob); w, a = stacchip.array(own, writable=True), stacchip.array(own)
w[0, 0, 0] += 1
print(a[0, 0, 0] - truth[0, 0, 0], a.flags.writeable, (a == w).all())
"""), ["True True 0", "True False False True", "1 False True"])

    def test_array_reads_what_numpy_writes(self):
        script("""
for array in (numpy.arange(24.).reshape(2, 3, 4), numpy.asfortranarray(numpy.eye(3, 5)), numpy.arange(3, dtype=">u2"), numpy.array(7), numpy.zeros((0, 3)), numpy.array([True, False])):
    for version in ((1, 0), (2, 0), (3, 0)):
        f = io.BytesIO(); numpy.lib.format.write_array(f, array, version)
        read = stacchip.array(f.getvalue())
        assert read.dtype == array.dtype and read.shape == array.shape and (read == array).all(), (array, version)
        assert stacchip.array(f.getvalue(), writable=True).flags.writeable
for bad, word in ((b"", "begins with b''"), (b"PK\\x03\\x04" + bytes(90), "numpy.load"), (f.getvalue()[:-1], "")):
    try: stacchip.array(bad)
    except (ValueError, TypeError) as e: assert word in str(e)
    else: assert False
""")

    def test_batches_have_the_pixels_of_their_chips(self):
        lines = script("""
def epoch(most=99, **options):
    seen = []
    for k, (pixels, extra) in enumerate(stacchip.Batches(db, "SELECT row, chipid FROM chips", 7, assets=["nir", "red"], **options)):
        if k == most: break
        blob, = db.execute("SELECT stacchip_stack(row, '{\\"assets\\": [\\"nir\\", \\"red\\"]}', key) FROM json_each(?) JOIN chips ON chipid = value", (json.dumps(extra["chipid"]),)).fetchone()
        assert (stacchip.array(blob) == pixels).all() and pixels.flags.writeable
        seen.append((pixels.ctypes.data, extra["chipid"]))
    return seen
def memory(): return [f for f in os.listdir("/proc/self/fd") if os.path.realpath("/proc/self/fd/" + f).startswith("/memfd:")]
a, b = epoch(shuffle=1), epoch(1, shuffle=1, ahead=0, memory_slots=2)
assert not memory() and b[0][1] == a[0][1]
assert [address for address, _ in a[:2]] == [address for address, _ in a[3:5]] and len({c for _, names in a for c in names}) == 30
print(len(a), len(epoch(shuffle=1, drop_last=True)), len(epoch(start=3)))
print(len(list(stacchip.Batches(db, "SELECT row FROM chips WHERE FALSE", 4))), len(list(stacchip.Batches(db, "SELECT NULL UNION ALL SELECT row FROM chips", 4))))
try: next(iter(stacchip.Batches(db, "SELECT row FROM chips", 4, slot_bytes=1000)))
except sqlite3.Error as e: print(e)
try: next(iter(stacchip.Batches(db, "SELECT row FROM chips", 4, pinned=True)))
except (RuntimeError, ImportError): pass
assert not memory()
batches = iter(stacchip.Batches(db, "SELECT row FROM chips", 4)); next(batches); print(len(memory()) > 0)
""")
        self.assertEqual(lines[:2], ["5 4 2", "0 8"])
        self.assertRegex(lines[2], r"a slot has 1024: 'bytes' must be at least")
        self.assertEqual(lines[3:], ["True"])

    @unittest.skipUnless(has("torch"), "python3-torch is not there (make deps-torch)")
    def test_torch(self):
        db = os.path.join(folder().name, "chips.db")
        lines = script(f"""
import torch, stacchip.torch
db = stacchip.connect({db!r}); db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge()"); db.execute("INSERT INTO chips(item_json) VALUES (?)", (item,)); db.commit()
batches = stacchip.torch.Batches({db!r}, "SELECT row, chipid FROM chips", 4, assets=["red"], dtype="int16")
def epoch(b): return [extra["chipid"] for pixels, extra in b if pixels.shape == (4, 1, 256, 256)]
one = epoch(batches); again = epoch(batches); batches.set_epoch(1); other = epoch(batches)
print(len(one), one == again, one == other)
workers = epoch(torch.utils.data.DataLoader(stacchip.torch.Batches({db!r}, "SELECT row, chipid FROM chips", 4, assets=["red"], dtype="int16", drop_last=False), batch_size=None, num_workers=2))
names = [c for batch in workers for c in batch]
print(len(names) >= 24, len(names) == len(set(names)))
chips = stacchip.torch.Chips({db!r}, "cloud_cover_percentage < 0.5", assets=["red", "nir"], dtype="int16")
print(len(chips), tuple(chips[3].shape), (chips.__getitems__([5, 3])[1] == chips[3]).all().item())
for method in ("fork", "spawn"):
    loader = torch.utils.data.DataLoader(chips, batch_size=8, shuffle=True, num_workers=2, multiprocessing_context=method)
    print(sum(len(b) for b in loader))
""")
        n = host.connect().execute("SELECT count(*) FROM stacchip_index(?) WHERE cloud_cover_percentage < 0.5", (SCENE,)).fetchone()[0]
        self.assertEqual(lines, ["7 True False", "True True", f"{n} (2, 256, 256) True", str(n), str(n)])

    @unittest.skipUnless(has("geopandas"), "python3-geopandas is not there")
    def test_to_geopandas(self):
        self.assertEqual(script("""
t = stacchip.to_geopandas(db, "SELECT chipid, geometry, cloud_cover_percentage AS cloud FROM chips WHERE cloud_cover_percentage <= ? ORDER BY chipid;", (0.9,))
truth = db.execute("SELECT chipid, ST_Area(geometry), ST_MinX(geometry) FROM chips WHERE cloud_cover_percentage <= 0.9 ORDER BY chipid").fetchall()
print(type(t).__name__, list(t.columns), t.crs.to_epsg(), len(t) == len(truth) > 20)
print(list(t.chipid) == [r[0] for r in truth], numpy.allclose(t.geometry.area, [r[1] for r in truth]), numpy.allclose(t.bounds.minx, [r[2] for r in truth], atol=0))
t = stacchip.to_geopandas(db, 'SELECT 1 AS a, geometry AS "a b" FROM chips WHERE FALSE', geometry="a b")
print(len(t), list(t.columns), t.geometry.name)
t = stacchip.to_geopandas(db, "SELECT NULL AS geometry UNION ALL SELECT SetSRID(geometry, 32620) FROM chips")
print(len(t), t.crs.to_epsg(), t.geometry.isna().sum())
print(stacchip.to_geopandas(db, "SELECT geometry, 3 AS n FROM chips LIMIT 1").n[0])
try: stacchip.to_geopandas(db, "SELECT 1 AS a")
except KeyError as e: print(e)
try: import apsw
except ImportError: sys.exit()
a = apsw.Connection(":memory:"); stacchip.load(a)
query = "SELECT chipid, geometry FROM stacchip_index(?)"
one, other = (stacchip.to_geopandas(c, query, (item,)) for c in (db, a))
none = stacchip.to_geopandas(a, query + " WHERE FALSE;", (item,))
assert one.equals(other) and len(one) == 30 and list(none.columns) == ["chipid", "geometry"] and len(none) == 0
""", env={"PYTHONWARNINGS": "ignore"}), ["GeoDataFrame ['chipid', 'geometry', 'cloud'] 4326 True", "True True True", "0 ['a', 'a b'] a b", "31 32620 1", "3", "'geometry'"])

    def test_pages(self):
        """The blocks of the documentation that take the package, one session a page."""
        where = tempfile.mkdtemp(dir=folder().name)
        for name in os.listdir(os.path.dirname(SCENE)):
            shutil.copy(os.path.join(os.path.dirname(SCENE), name), where)
        for page in ("install", "python"):
            with open(os.path.join(host.ROOT, "docs", page + ".md"), encoding="utf-8") as f:
                blocks = re.findall(r"^```python\n(.*?)^```", f.read(), re.S | re.M)
            self.assertTrue(blocks)
            for block in blocks:
                if all(map(has, re.findall("torch|geopandas", block))):
                    with self.subTest(block=block):
                        out = checked(python(), "-W", "ignore", "-c", block, cwd=where)
                        self.assertEqual(out.splitlines(), re.findall(r"^print\(.*\)\s+# (.*)$", block, re.M))

    @unittest.skipUnless(shutil.which("mypy", path="/usr/bin"), "mypy is not there")
    def test_types(self):
        """Strictly, and as a user's program sees them; the types of others, which take a minute to read, are left out."""
        where = tempfile.mkdtemp(dir=folder().name)
        site = checked(python(), "-c", "import stacchip, os; print(os.path.dirname(os.path.dirname(stacchip.__file__)))", cwd=where).strip()
        with open(os.path.join(where, "user.py"), "w") as f:
            f.write("import stacchip\nreveal_type(stacchip.connect('x'))\nreveal_type(stacchip.__version__)\n"
                    "for pixels, extra in stacchip.Batches(stacchip.connect('x'), 'q', 3):\n    reveal_type(extra)\nstacchip.array(3)\n")
        with open(os.path.join(where, "mypy.ini"), "w") as f:
            f.write("[mypy]\nstrict = True\nwarn_unused_ignores = False\ndisallow_any_unimported = False\ndisallow_subclassing_any = False\n"
                    "[mypy-numpy.*,torch.*,pandas.*,geopandas.*]\nfollow_imports = skip\nignore_missing_imports = True\n")
        r = run("/usr/bin/mypy", "--config-file", os.path.join(where, "mypy.ini"), "--cache-dir", where, "-p", "stacchip", "-m", "user", cwd=site, env={"MYPYPATH": where})
        self.assertEqual(re.findall(r"Revealed type is \"(.*)\"", r.stdout), ["sqlite3.dbapi2.Connection", "builtins.str", "builtins.dict[builtins.str, Any]"], r.stdout)
        self.assertEqual(re.findall(r"error: (.*)", r.stdout), ['Argument 1 to "array" has incompatible type "int"; expected "Union[bytes, bytearray, memoryview]"  [arg-type]'], r.stdout)


@released
@unittest.skipUnless(shutil.which("npm"), "npm is not there")
class Npm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        plain()
        cls.folder = os.path.join(folder().name, "npm")
        cls.packages = [os.path.join(cls.folder, n) for n in make("npm", cls.folder)]

    def installed(self, *packages):
        app = tempfile.mkdtemp(prefix="app", dir=folder().name)
        checked("npm", "init", "-y", cwd=app)
        checked("npm", "install", "--offline", "--no-audit", "--no-fund", *packages, cwd=app)
        return app

    def node(self, app, code, *options, **kw):
        return run("node", *options, "-e", code, SCENE, cwd=app, **kw)

    def test_loadable_path(self):
        app = self.installed(*self.packages)
        path = self.node(app, "console.log(require('stacchip').getLoadablePath())").stdout.strip()
        self.assertEqual(path, os.path.join(app, "node_modules/stacchip-linux-x64/stacchip.so"))
        self.assertTrue(os.path.exists(path))
        es = self.node(app, "import { getLoadablePath, load } from 'stacchip'; console.log(getLoadablePath(), typeof load)", "--input-type=module")
        self.assertEqual(es.stdout.strip(), path + " function", es.stderr)
        shutil.rmtree(os.path.dirname(path))
        r = self.node(app, "require('stacchip').getLoadablePath()")
        self.assertIn("the package stacchip-linux-x64 is not installed", r.stderr)

    def test_better_sqlite3(self):
        if not better_sqlite():
            self.skipTest("better-sqlite3 cannot be installed")
        r = self.node(self.installed(*self.packages), """
const db = new (require("better-sqlite3"))(":memory:");
require("stacchip").load(db);
const chips = db.prepare("SELECT stacchip_chip(row) AS chip FROM stacchip_index(?) LIMIT 2").all(process.argv[1]);
console.log(chips.map((c) => require("crypto").createHash("sha256").update(c.chip).digest("hex")).join("\\n"));""", env={"NODE_PATH": os.path.join(NODE, "node_modules")})
        truth = [hashlib.sha256(b).hexdigest() for b, in host.connect().execute("SELECT stacchip_chip(row) FROM stacchip_index(?) LIMIT 2", (SCENE,))]
        self.assertEqual(r.stdout.split(), truth, r.stderr)

    def test_page(self):
        """The block of the documentation."""
        if not better_sqlite():
            self.skipTest("better-sqlite3 cannot be installed")
        app = self.installed(*self.packages)
        for name in os.listdir(os.path.dirname(SCENE)):
            shutil.copy(os.path.join(os.path.dirname(SCENE), name), app)
        with open(os.path.join(host.ROOT, "docs", "install.md"), encoding="utf-8") as f:
            block, = re.findall(r"^```js\n(.*?)^```", f.read(), re.S | re.M)
        r = self.node(app, block, env={"NODE_PATH": os.path.join(NODE, "node_modules")})
        self.assertRegex(r.stdout, r"^(\S+ 1310848\n){5}$", r.stderr)

    def test_node_sqlite(self):
        if run("node", "-e", "require('node:sqlite')").returncode:
            self.skipTest("this Node has no node:sqlite")
        r = self.node(self.installed(*self.packages), """
const db = new (require("node:sqlite").DatabaseSync)(":memory:", { allowExtension: true });
require("stacchip").load(db);
console.log(db.prepare("SELECT length(stacchip_chip(row)) AS n FROM stacchip_index(?) LIMIT 1").get(process.argv[1]).n);""")
        self.assertEqual(r.stdout.strip(), "1310848", r.stderr)


@released
class Archive(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        plain()
        cls.out = os.path.join(folder().name, "archive")
        cls.names = make("archive", cls.out)
        cls.archive, = (n for n in cls.names if n.endswith(".tar.gz"))
        with open(os.path.join(cls.out, "SHA256SUMS"), "w") as f:
            f.write(checked("sha256sum", cls.archive, cwd=cls.out))

    def install(self, *arguments, **kw):
        return run("sh", os.path.join(self.out, "install.sh"), *arguments, **kw)

    def check_installed(self, prefix):
        for program in ("bin/stacchip", "lib/stacchip/stacchip"):
            self.assertRegex(checked(os.path.join(prefix, program), "--version"), "^stacchip ")
        code = "import sqlite3, sys; db = sqlite3.connect(':memory:'); db.enable_load_extension(True); db.load_extension(sys.argv[1]); print(db.execute('SELECT count(*) FROM stacchip_index(?)', sys.argv[2:]).fetchone()[0])"
        self.assertEqual(checked(PYTHON, "-c", code, os.path.join(prefix, "lib/stacchip/stacchip"), SCENE), "30\n")
        self.assertEqual(checked(PYTHON, "-c", code, "stacchip", SCENE, env={"LD_LIBRARY_PATH": os.path.join(prefix, "lib/stacchip")}), "30\n")

    def test_install_and_remove(self):
        home = tempfile.mkdtemp(dir=folder().name)
        r = self.install(env={"HOME": home})
        self.assertEqual(r.returncode, 0, r.stderr)
        self.check_installed(os.path.join(home, ".local"))
        self.assertEqual(self.install(env={"HOME": home}).returncode, 0)  # over itself
        self.check_installed(os.path.join(home, ".local"))
        self.assertEqual(self.install("--remove", env={"HOME": home}).returncode, 0)
        self.assertEqual([f for _, _, names in os.walk(home) for f in names], [])
        self.assertIn("nothing is installed", self.install("--remove", env={"HOME": home}).stderr)

    def test_install_from_the_unpacked_archive(self):
        unpacked, prefix = tempfile.mkdtemp(dir=folder().name), tempfile.mkdtemp(dir=folder().name)
        checked("tar", "-xzf", os.path.join(self.out, self.archive), "-C", unpacked)
        checked("sh", "./install.sh", prefix, cwd=unpacked)
        shutil.rmtree(unpacked)
        self.check_installed(prefix)

    def test_install_leaves_alone_what_is_not_ours(self):
        prefix = tempfile.mkdtemp(dir=folder().name)
        os.makedirs(os.path.join(prefix, "bin"))
        with open(os.path.join(prefix, "bin", "stacchip"), "w") as f:
            f.write("somebody's")
        r = self.install(prefix)
        self.assertIn("is there already and stays", r.stderr)
        self.assertEqual(self.install("--remove", prefix).returncode, 0)
        self.assertEqual(os.listdir(os.path.join(prefix, "bin")), ["stacchip"])

    def test_damaged_archive_is_refused(self):
        damaged, prefix = tempfile.mkdtemp(dir=folder().name), tempfile.mkdtemp(dir=folder().name)
        for name in [*self.names, "SHA256SUMS"]:
            shutil.copy(os.path.join(self.out, name), damaged)
        with open(os.path.join(damaged, self.archive), "ab") as f:
            f.write(b"x")
        r = run("sh", os.path.join(damaged, "install.sh"), prefix)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn("is not what SHA256SUMS says", r.stderr)
        self.assertFalse(os.path.exists(os.path.join(prefix, "lib/stacchip")))

    def test_what_sqlpkg_reads(self):
        """It makes no folders and no links."""
        with open(os.path.join(self.out, "sqlpkg.json")) as f:
            spec = json.load(f)
        self.assertEqual((spec["assets"]["files"], spec["assets"]["path"]), ({"linux-amd64": self.archive}, "."))
        with open(os.path.join(self.out, self.archive), "rb") as f:
            self.assertEqual(spec["assets"]["checksums"], {self.archive: "sha256-" + hashlib.sha256(f.read()).hexdigest()})
        lines = checked("tar", "-tvzf", os.path.join(self.out, self.archive)).splitlines()
        self.assertEqual([line for line in lines if not re.match(r"-.* [\w.]+$", line)], [])
        self.assertLess({"stacchip", "stacchip.so", "LICENSES"}, {line.split()[-1] for line in lines})
        defined = {r[0] for r in host.connect().execute("SELECT name FROM pragma_function_list UNION SELECT name FROM pragma_module_list")}
        self.assertLessEqual(set(spec["symbols"]), defined)

    def test_two_builds_have_the_same_bytes(self):
        out = os.path.join(folder().name, "archive again")
        make("archive", out)
        for name in self.names:
            with open(os.path.join(self.out, name), "rb") as a, open(os.path.join(out, name), "rb") as b:
                self.assertEqual(a.read(), b.read(), name)


class Debian(unittest.TestCase):
    def test_build_needs_what_make_deps_installs(self):
        with open(os.path.join(host.ROOT, "Makefile")) as f:
            makefile = f.read().replace("\\\n", " ")
        deps = set(re.search(r"^DEPS_BUILD := (.*)$", makefile, re.M)[1].split()) - {"gcc", "pkg-config", "curl", "ca-certificates", "sqlite3", "libsqlite3-mod-spatialite"}  # has them, or brings what they fetch
        with open(os.path.join(host.ROOT, "packages/debian/control")) as f:
            source = re.search(r"^Build-Depends: (.*?)^\w", f.read(), re.M | re.S)[1]
        self.assertEqual(deps - set(re.findall(r"[\w.+-]+", source)), set())


if __name__ == "__main__":
    host.main()
