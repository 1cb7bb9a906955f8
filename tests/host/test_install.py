"""The installed program and extension: from any folder, by links of any name, in folders with blanks."""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

import host

VARIANT = os.environ.get("VARIANT", "release")
BUILD = os.path.join(host.ROOT, "build", VARIANT)
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "STACCHIP_", "SLURM_", "JOB_", "MAKE", "LD_LIBRARY"))}
PROGRAM_ENV = {k: v for k, v in CLEAN.items() if k != "LD_PRELOAD"}
NAMES = ["sentinel-1", "sentinel-2", "landsat", "naip", "linz", "modis", "merge-index", "prechip", "stats"]
LOAD = """
import os, sqlite3, sys
db = sqlite3.connect(":memory:", isolation_level=None); db.enable_load_extension(True); db.load_extension(sys.argv[1]); os.chdir("/")
db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge()")
print(db.execute("SELECT stacchip_merge_items('chips', 'SELECT ' || quote(?))", (sys.argv[2],)).fetchone()[0])
"""


def run(*command, env=PROGRAM_ENV, cwd="/", **kw):
    return subprocess.run(command, capture_output=True, text=True, env=env, cwd=cwd, timeout=300, **kw)


@unittest.skipIf(host.IS_BUNDLE, "make install is of the ordinary build")
class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="stacchip install ")
        cls.prefix = os.path.join(cls.folder, "my prefix's")
        cls.bin, cls.lib = os.path.join(cls.prefix, "bin"), os.path.join(cls.prefix, "lib")
        cls.items = []
        for n in range(3):
            path = os.path.join(cls.folder, f"item{n}")
            subprocess.run([os.path.join(host.ROOT, "build/release/make_scene"), "naip", path, "512"], check=True, env=PROGRAM_ENV, stdout=subprocess.DEVNULL)
            cls.items.append(os.path.join(path, "item.json"))
            with open(cls.items[-1]) as f:
                item = json.load(f)
            item["id"] += str(n)
            with open(cls.items[-1], "w") as f:
                json.dump(item, f)
        cls.make("install", f"PREFIX={cls.prefix}")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @classmethod
    def make(cls, *words, tree=host.ROOT):
        r = run("make", "-s", "-C", tree, f"VARIANT={VARIANT}", *words)
        if r.returncode:
            raise AssertionError(r.stdout + r.stderr)

    def check_program(self, *command, **kw):
        db = os.path.join(tempfile.mkdtemp(dir=self.folder), "x.db")
        r = run(*command, "index", db, *self.items, **kw)
        self.assertEqual((r.returncode, r.stderr.count("1 merged, 0 done before, 0 failed")), (0, 3), r.stderr)
        self.assertEqual(sqlite3.connect(db).execute("SELECT count(*) FROM chips_item").fetchone(), (3,))

    def check_library(self, path, cwd="/"):
        r = run(sys.executable, "-c", LOAD, path, self.items[0], env=CLEAN, cwd=cwd)
        self.assertEqual(r.stdout.strip(), '{"merged":1,"skipped":0,"failed":0}', r.stderr)

    def link(self, to, name):
        folder = tempfile.mkdtemp(dir=self.folder)
        path = os.path.join(folder, name)
        os.symlink(to, path)
        return path

    def test_program_from_any_folder_and_by_its_bare_name(self):
        self.check_program(os.path.join(self.bin, "stacchip"))
        self.check_program("../bin/stacchip", cwd=self.lib)
        self.check_program("stacchip", env=dict(PROGRAM_ENV, PATH=self.bin + ":" + PROGRAM_ENV["PATH"]))

    def test_program_by_links(self):
        self.check_program(self.link(os.path.join(self.bin, "stacchip"), "chips"))
        self.check_program(self.link(self.link(os.path.join(self.bin, "stacchip"), "one"), "two"))
        for name in NAMES:
            r = run(os.path.join(self.bin, "stacchip-" + name), "--help")
            self.assertEqual((r.returncode, f"usage: stacchip {name} " in r.stdout), (0, True), name)

    def test_extension_installed_and_by_links_of_any_name(self):
        self.check_library(os.path.join(self.lib, "stacchip"))
        for name in ("stacchip.so", "link.so", "libx-1.so"):
            self.check_library(self.link(os.path.join(self.lib, "stacchip.so"), name))
        chain = self.link(self.link(os.path.join(self.lib, "stacchip.so"), "a.so"), "b.so")
        self.check_library("./" + os.path.basename(chain), cwd=os.path.dirname(chain))

    def test_raster_half_beside_the_link_alone(self):
        """A folder of links to files that lie in different folders."""
        folder = tempfile.mkdtemp(dir=self.folder)
        for name in ("stacchip.so", "stacchip_raster.so"):
            own = tempfile.mkdtemp(dir=self.folder)
            shutil.copy(os.path.join(self.lib, name), own)
            os.symlink(os.path.join(own, name), os.path.join(folder, name))
        self.check_library(os.path.join(folder, "stacchip"))

    def test_raster_half_on_the_library_path(self):
        folder = tempfile.mkdtemp(dir=self.folder)
        shutil.copy(os.path.join(self.lib, "stacchip.so"), folder)
        r = run(sys.executable, "-c", LOAD, os.path.join(folder, "stacchip"), self.items[0], env=dict(CLEAN, LD_LIBRARY_PATH=self.lib))
        self.assertEqual(r.stdout.strip(), '{"merged":1,"skipped":0,"failed":0}', r.stderr)
        r = run(sys.executable, "-c", LOAD.replace("stacchip_merge_items('chips', 'SELECT ' || quote(?))", "count(*) FROM stacchip_index(?)"), os.path.join(folder, "stacchip"), self.items[0], env=CLEAN)
        self.assertIn(f"stacchip_raster.so is neither in {os.path.realpath(folder)}, nor in ../lib from there, nor is it found: ", r.stderr)
        with open(os.path.join(folder, "stacchip_raster.so"), "w") as f:
            f.write("no library")
        r = run(sys.executable, "-c", LOAD.replace("stacchip_merge_items('chips', 'SELECT ' || quote(?))", "count(*) FROM stacchip_index(?)"), os.path.join(folder, "stacchip"), self.items[0], env=CLEAN)
        self.assertIn(f"{os.path.realpath(folder)}/stacchip_raster.so: ", r.stderr)

    def test_lib64(self):
        prefix = tempfile.mkdtemp(dir=self.folder)
        self.make("install", f"PREFIX={prefix}", f"LIBDIR={prefix}/lib64")
        self.check_program(os.path.join(prefix, "bin/stacchip"))

    def test_destdir_and_uninstall(self):
        stage = os.path.join(self.folder, "my stage")
        self.make("install", f"DESTDIR={stage}", "PREFIX=/usr")
        files = sorted(os.path.relpath(os.path.join(d, f), stage) for d, _, names in os.walk(stage) for f in names)
        self.assertEqual(files, sorted(["usr/bin/stacchip", "usr/include/stacchip.h", "usr/lib/libstacchip.a", "usr/lib/pkgconfig/stacchip.pc", "usr/lib/stacchip.so", "usr/lib/stacchip_raster.so"]
                                       + ["usr/bin/stacchip-" + n for n in NAMES] + ["usr/share/man/man1/stacchip.1"]
                                       + ["usr/share/bash-completion/completions/stacchip" + n for n in [""] + ["-" + n for n in NAMES]]))
        with open(os.path.join(stage, "usr/lib/pkgconfig/stacchip.pc")) as f:
            self.assertTrue(f.read().startswith("prefix=/usr\nlibdir=/usr/lib\n"))
        self.check_program(os.path.join(stage, "usr/bin/stacchip"))
        self.make("uninstall", f"DESTDIR={stage}", "PREFIX=/usr")
        self.assertEqual([f for _, _, names in os.walk(stage) for f in names], [])

    @unittest.skipUnless(shutil.which("sqlite3") and VARIANT == "release", "the shell has no sanitizer")
    def test_shell_loads_a_link(self):
        link = self.link(os.path.join(self.lib, "stacchip.so"), "link.so")
        r = run("sqlite3", ":memory:", ".load ./link.so", "SELECT length(stacchip_version()) > 0;", cwd=os.path.dirname(link))
        self.assertEqual(r.stdout.strip(), "1", r.stderr)

    def test_pkg_config_of_a_prefix_with_blanks(self):
        r = run("pkg-config", "--cflags", "stacchip", env=dict(PROGRAM_ENV, PKG_CONFIG_PATH=os.path.join(self.lib, "pkgconfig")))
        self.assertEqual(r.returncode, 0, r.stderr)
        words = run("sh", "-c", f"printf '%s\\n' {r.stdout}").stdout.splitlines()
        self.assertEqual(words[0], f"-I{self.prefix}/include")

    def test_from_a_folder_with_blanks(self):
        """The tree as it is built, elsewhere: one object is made anew, and all is linked and installed."""
        tree = os.path.join(self.folder, "my tree")
        os.makedirs(os.path.join(tree, "build"))
        for name in ("Makefile", "ext", "include", "sql", "packages", "build/gen", "build/" + VARIANT):
            subprocess.run(["cp", "-a", os.path.join(host.ROOT, name), os.path.join(tree, name)], check=True, env=PROGRAM_ENV)
        os.utime(os.path.join(tree, "ext/cli/main.c"))
        prefix = os.path.join(self.folder, "from there")
        self.make("install", f"PREFIX={prefix}", tree=tree)
        self.check_program(os.path.join(prefix, "bin/stacchip"))


if __name__ == "__main__":
    host.main()
