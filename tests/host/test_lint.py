"""make lint's own checks: a forbidden include, a function too long or of too many parameters, a call out of its place."""
import os
import shutil
import subprocess
import tempfile
import unittest

import host

LONG = "int sc_long(int x) {\n%s  return x;\n}\n"


class Lint(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        shutil.copytree(os.path.join(host.ROOT, "ext"), os.path.join(self.root, "ext"))
        os.makedirs(os.path.join(self.root, "docs"))
        shutil.copy(os.path.join(host.ROOT, "docs/ARCHITECTURE.md"), os.path.join(self.root, "docs"))

    def lint(self, *paths):
        env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        r = subprocess.run(["python3", os.path.join(host.ROOT, "tests/support/lint.py"), self.root, *paths], 
                           capture_output=True, text=True, env=env)
        self.assertEqual(r.stderr, "")
        self.assertEqual(r.returncode, 1 if r.stdout else 0)
        return r.stdout.splitlines()

    def complaint(self, path, text):
        """What one file more is blamed for, without its name."""
        with open(os.path.join(self.root, path), "w", encoding="utf-8") as f:
            f.write(text)
        lines = self.lint(path)
        os.remove(os.path.join(self.root, path))
        return [line[len(path) + 1:] for line in lines]

    def test_the_tree_is_clean(self):
        self.assertEqual(self.lint(), [])

    def test_include_against_the_table(self):
        got = self.complaint("ext/base/new.c", '#include "base/status.h"\n#include "stac/item.h"\n')
        self.assertEqual(len(got), 1)
        self.assertIn('2: includes "stac/item.h"; by docs/ARCHITECTURE.md ext/base', got[0])
        self.assertEqual(len(self.complaint("ext/index/new.h", '#include "raster/raster_api.h"\n#include "raster/gdal.h"\n')), 1)
        self.assertEqual(len(self.complaint("ext/index/new.c", '#  include "sql/merge.h"\n')), 1)
        self.assertEqual(self.complaint("ext/cli/new.c", '#include "raster/gdal.h"\n'), [])

    def test_folder_without_a_row(self):
        os.makedirs(os.path.join(self.root, "ext/attic"))
        self.assertEqual(self.complaint("ext/attic/new.c", ""), ["1: docs/ARCHITECTURE.md has no row for ext/attic"])

    def test_long_function(self):
        self.assertEqual(self.complaint("ext/base/new.c", LONG % ("  x++;\n" * 77)), [])
        self.assertEqual(self.complaint("ext/base/new.c", LONG % ("  x++;\n" * 78)), ["1: sc_long() has 81 lines; 80 are the most"])

    def test_many_parameters(self):
        seven = "static void f(int a, int b[2], int (*c)(int, int), int d,\n              int e, int f, int g) {\n}\n"
        self.assertEqual(self.complaint("ext/base/new.c", seven), [])
        eight = seven.replace("int g)", "int g, int h)")
        self.assertEqual(self.complaint("ext/base/new.c", "\n" + eight), ["2: f() has 8 parameters; 7 are the most"])
        self.assertEqual(len(self.complaint("ext/base/new.h", "int f(int a, int b, int c, int d, int e, int f, int g, int h);\n")), 1)

    def test_calls_and_texts(self):
        for call, n in (("strcpy(a, b)", 1), ("pthread_create(&t, 0, f, 0)", 1), ("fopen(a, b)", 1), ("exit(1)", 1), ("s->open(a)", 0),
                        ('f("open(a)")', 0), ("sqlite3_open(a, b) /* open() */", 0)):
            self.assertEqual(len(self.complaint("ext/base/new.c", f"void f(void) {{\n  {call};\n}}\n")), n, call)
        self.assertEqual(len(self.complaint("ext/base/new.c", "/* see DESIGN section 2 */\n")), 1)

    def test_without_its_tools_it_says_what_to_install(self):
        r = subprocess.run(["make", "-s", "lint", "CLANG_TIDY=no-such-tool"], cwd=host.ROOT, capture_output=True, text=True)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn("deps-lint", r.stderr)


if __name__ == "__main__":
    host.main()
