"""The program's manual page and bash's completion say what its commands take."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import host

PROGRAM = os.path.join(os.path.dirname(host.EXT), "stacchip")
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("STACCHIP_") and k != "LD_PRELOAD"}


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, env=CLEAN).stdout


def commands():
    return re.findall(r"^  ([\w-]+) ", run(PROGRAM, "--help"), re.M)


def flags(command):
    return re.findall(r"^  (--[\w-]+)", run(PROGRAM, command, "--help"), re.M)


class Manual(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.page, cls.script = os.path.join(cls.folder, "stacchip.1"), os.path.join(cls.folder, "stacchip")
        for path, how in ((cls.page, "--manual"), (cls.script, "--completion")):
            with open(path, "w", encoding="utf-8") as f:
                f.write(run(PROGRAM, how))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def complete(self, *words):
        script = f'source "{self.script}"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _stacchip; printf "%s\\n" "${{COMPREPLY[@]}}"'
        return run("bash", "-c", script, "bash", *words).split()

    def test_the_page_has_the_options_of_each_command(self):
        with open(self.page, encoding="utf-8") as f:
            sections = re.split(r"^\.Ss stacchip ", f.read(), flags=re.M)[1:]
        self.assertEqual([s.split()[0] for s in sections], commands())
        for s in sections:
            shown = ["--" + n for n in re.findall(r"^\.It Fl \\-([\w-]+)", s, re.M)]
            self.assertEqual(shown + ["--help", "--version"], flags(s.split()[0]))

    @unittest.skipUnless(shutil.which("man"), "no man here")
    def test_man_shows_it_without_warnings(self):
        r = subprocess.run(["man", "--warnings", "-l", self.page], capture_output=True, text=True, check=True,
                           env=dict(CLEAN, MANWIDTH="100", LC_ALL="C.UTF-8"))
        self.assertEqual(r.stderr, "")
        self.assertIn("stacchip index [options] DB SOURCE...", r.stdout)
        self.assertRegex(r.stdout, r"--mgrs-source LAYER\n")

    @unittest.skipUnless(shutil.which("mandoc"), "no mandoc here")
    def test_mandoc_lints_it(self):
        r = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", self.page], capture_output=True, text=True)
        self.assertEqual((r.stdout + r.stderr, r.returncode), ("", 0))

    def test_completion_of_commands_and_options(self):
        self.assertEqual(self.complete("stacchip", ""), commands() + ["--help", "--version"])
        self.assertEqual(self.complete("stacchip", "sent"), ["sentinel-2", "sentinel-1"])
        self.assertEqual(self.complete("/usr/bin/stacchip-naip", "--s"), ["--sample-source", "--stac-api"])
        self.assertEqual(self.complete("stacchip", "index", "chips.db", ""), [])  # bash's own: files
        for c in commands():
            self.assertEqual(self.complete("stacchip", c, "--"), flags(c))


if __name__ == "__main__":
    host.main()
