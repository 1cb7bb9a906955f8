"""The pages of docs/hosts: the files that a page shows are written, its commands run, and what they print and the bytes of the chip are those of
Python's sqlite3. A host that is not there is skipped; `make deps-hosts` installs them."""
import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import host
import node
import test_docs

PAGES = sorted(glob.glob(os.path.join(host.ROOT, "docs", "hosts", "*.md")))
CACHE = os.path.join(host.ROOT, "build", "hosts")  # what Go and Rust compiled
ASAN = os.environ.get("VARIANT") == "asan"
CHIP = """SELECT stacchip_chip(row, '{"assets": "red"}') FROM stacchip_index('item.json') ORDER BY chipid LIMIT 1"""


def answers(*command, **more):
    """Does the program run and end well?"""
    try:
        return subprocess.run(command, capture_output=True, timeout=60, **more).returncode == 0
    except OSError:
        return False


def has_node_sqlite():
    return answers("node", "-e", "const {DatabaseSync} = require('node:sqlite'); new DatabaseSync(':memory:', {allowExtension: true}).enableLoadExtension")


# What must be there for a page.
HOSTS = {
    "python": lambda: True,
    "shell": lambda: shutil.which("sqlite3"),
    "c": lambda: shutil.which("cc") and answers("cc", "-E", "-include", "sqlite3.h", "-x", "c", "/dev/null"),
    "better-sqlite3": node.better_sqlite,
    "node-sqlite": has_node_sqlite,
    "r": lambda: answers("Rscript", "-e", "library(RSQLite)"),
    "go": lambda: shutil.which("go") and os.path.isdir("/usr/share/gocode/src/github.com/mattn/go-sqlite3"),
    "rust": lambda: os.path.exists("/usr/bin/cargo") and glob.glob("/usr/share/cargo/registry/rusqlite-*"),
    "java": lambda: shutil.which("java") and os.path.exists("/usr/share/java/sqlite-jdbc.jar"),
    "php": lambda: answers("php", "-r", "exit(class_exists('SQLite3') ? 0 : 1);"),
    "ruby": lambda: answers("ruby", "-r", "sqlite3", "-e", ""),
    "perl": lambda: answers("perl", "-MDBD::SQLite", "-e", ""),
    "tcl": lambda: shutil.which("tclsh") and answers("tclsh", input=b"package require sqlite3\n"),
}


class Languages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="stacchip_hosts_")
        test_docs.sandbox(cls.folder)
        for name in ("stacchip.so", "stacchip_raster.so"):  # files, as they are installed: PHP follows no links out of its folder
            there = os.path.join(cls.folder, name)
            real = os.path.realpath(there)
            os.remove(there)
            shutil.copy(real, there)
        if host.IS_BUNDLE:  # it looks beside its real path
            shutil.copy(os.path.join(os.path.dirname(host.EXT), "mod_spatialite.so"), cls.folder)
            shutil.copytree(os.path.join(os.path.dirname(host.EXT), "share"), os.path.join(cls.folder, "share"))
        db, before = host.connect(), os.getcwd()
        os.chdir(cls.folder)
        cls.chip = db.execute(CHIP).fetchone()[0]
        os.chdir(before)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def environment(self):
        """As a user has it, but with packages from Debian alone, and no network."""
        home = os.path.join(CACHE, "cargo")
        os.makedirs(home, exist_ok=True)
        with open(os.path.join(home, "config.toml"), "w", encoding="utf-8") as f:
            f.write('[source.crates-io]\nreplace-with = "debian"\n[source.debian]\ndirectory = "/usr/share/cargo/registry"\n')
        env = dict(os.environ, PATH="/usr/bin:/bin:" + os.environ["PATH"], GOPATH="/usr/share/gocode", GO111MODULE="off", GOFLAGS="",
                   GOCACHE=os.path.join(CACHE, "go"), CARGO_HOME=home, CARGO_NET_OFFLINE="true", CARGO_TARGET_DIR=os.path.join(CACHE, "rust"),
                   RUSTC="/usr/bin/rustc", NODE_NO_WARNINGS="1")
        better = os.path.dirname(node.better_sqlite() or "/")
        return dict(env, NODE_PATH=better, PATH=(os.path.dirname(shutil.which("node") or "/usr/bin/node") + ":" + env["PATH"]))

    def run_page(self, name):
        text = test_docs.read(os.path.join(host.ROOT, "docs", "hosts", name + ".md"))
        for path, program in re.findall(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```", text, re.S | re.M):
            os.makedirs(os.path.dirname(os.path.join(self.folder, path)), exist_ok=True)
            with open(os.path.join(self.folder, path), "w", encoding="utf-8") as f:
                f.write(program)
        blocks = test_docs.blocks(text)
        at = [language for language, _ in blocks].index("sh")
        self.assertEqual(blocks[at + 1][0], "text")
        r = subprocess.run(["bash", "-euc", blocks[at][1]], cwd=self.folder, capture_output=True, text=True, env=self.environment(), timeout=600)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(r.stdout.split(), blocks[at + 1][1].split(), r.stderr)
        with open(os.path.join(self.folder, "chip.npy"), "rb") as f:
            self.assertTrue(f.read() == self.chip, "other bytes than Python's")
        os.remove(os.path.join(self.folder, "chip.npy"))

    def test_every_page_has_a_host(self):
        self.assertEqual([os.path.basename(p)[:-3] for p in PAGES], sorted(HOSTS))
        overview = test_docs.read(os.path.join(host.ROOT, "docs", "hosts.md"))
        for name in HOSTS:
            self.assertIn(f"](hosts/{name}.md)", overview)


def page_test(name, is_there):
    def test(self):
        if ASAN and name not in ("python", "shell"):
            self.skipTest("the sanitizer wants to be loaded first")
        if not is_there():
            self.skipTest(f"{name} is not there: make deps-hosts")
        self.run_page(name)
    return test


for page, there in HOSTS.items():
    setattr(Languages, "test_" + page.replace("-", "_"), page_test(page, there))

if __name__ == "__main__":
    host.main()
