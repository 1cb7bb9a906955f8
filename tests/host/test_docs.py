"""The pages of docs: each statement runs and gives what the page shows, and no link leads nowhere.

A page is one session, in a folder made for it (sandbox() below), with the extension loaded. A ```text block right behind
a ```sql block is the block's result as the sqlite3 shell prints it; "..." in it stands for anything, "Error: ..." for a
statement that fails. A comment of one word behind a statement is its result, too.
"""
import glob
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

import catalogue
import host

SCENES = os.path.join(host.ROOT, "build", "scenes")
DOCS = os.path.join(host.ROOT, "docs")
PAGES = sorted(glob.glob(os.path.join(DOCS, "**", "*.md"), recursive=True))
LINKED = PAGES + [os.path.join(host.ROOT, n) for n in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
# Languages of blocks that are not run here: of the pages of hosts, by test_hosts_languages.py; of the
# reference, by test_help.py; of Node's package, by test_packages.py.
ELSEWHERE = {"hosts": None, "install.md": {"js"}, "reference.md": {""}, "ARCHITECTURE.md": {"mermaid"}}
SEARCHED = "https://earth-search.aws.element84.com/v1"


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def dated(item, date, mission="S2A"):
    """The item as of another day."""
    item = json.loads(json.dumps(item))
    item["id"] = f"{mission}_T20HNJ_{date.replace('-', '')}T140636_L2A"
    item["properties"]["datetime"] = f"{date}T14:11:54Z"
    return item


def sandbox(folder):
    """What the pages' examples find: an item, folders of items, a bare raster, the extension."""
    for name in os.listdir(os.path.join(SCENES, "sentinel-2")):
        shutil.copy(os.path.join(SCENES, "sentinel-2", name), folder)
    for name in ("stacchip", "stacchip_raster"):
        os.symlink(os.path.join(os.path.dirname(host.EXT), name + ".so"), os.path.join(folder, name + ".so"))
    item = json.loads(read(os.path.join(folder, "item.json")))
    for asset in item["assets"].values():
        asset["href"] = "../" + os.path.basename(asset["href"])
    items = {"scenes/march": dated(item, "2024-03-11"), "scenes/june": dated(item, "2024-06-17", "S2B"),
             "downloads/july": dated(item, "2024-07-22")}
    for name, it in items.items():
        os.makedirs(os.path.join(folder, os.path.dirname(name)), exist_ok=True)
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as f:
            json.dump(it, f)
    with open(os.path.join(folder, "downloads", "broken.json"), "w", encoding="utf-8") as f:
        f.write('{"type": "Feature", "id": "cut')
    os.symlink("red.tif", os.path.join(folder, "field.tif"))


class Search(catalogue.Catalogue):
    """Answers every search with one scene a month, whose files it serves."""

    def scenes(self, body):
        items = [dated(self.items["item"], f"2024-0{month}-11") for month in (6, 7, 8)]
        for n, it in enumerate(items):
            it["properties"]["eo:cloud_cover"] = 10.5 * n
            for asset in it["assets"].values():
                asset["href"] = f"{self.files_url}/{asset['href']}"
        return items


def blocks(page):
    """(language, text) of each fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```", page, re.S | re.M)


def statements(sql):
    part = ""
    for line in sql.splitlines(keepends=True):
        if line.startswith("."):
            continue  # of the shell: the extension is loaded
        part += line
        if sqlite3.complete_statement(part):
            yield part
            part = ""
    assert not part.strip(), f"no statement: {part}"


def shown(db, value):
    if value is None:
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(db.execute("SELECT CAST(? AS TEXT)", (value,)).fetchone()[0])


def results(db, sql):
    """The lines that the statements of a block print."""
    for statement in statements(sql):
        try:
            for row in db.execute(statement):
                yield "|".join(shown(db, v) for v in row)
        except sqlite3.Error as e:
            yield f"Error: {e}"


def pattern(text):
    return "".join(".*" if part == "..." else re.escape(part) for part in re.split(r"(\.\.\.)", text))


class Pages(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="stacchip_docs_")
        sandbox(cls.folder)
        with open(os.path.join(cls.folder, "item.json"), encoding="utf-8") as f:
            cls.search = Search(cls.folder, {"item": json.load(f)})

    @classmethod
    def tearDownClass(cls):
        cls.search.close()
        shutil.rmtree(cls.folder)

    def run_page(self, path):
        if ELSEWHERE.get(os.path.relpath(path, DOCS).split("/")[0], set()) is None:
            self.skipTest("run by the test of its own")
        db = host.connect()
        listed = blocks(read(path))
        for i, (language, text) in enumerate(listed):
            shown_text = listed[i + 1][1] if i + 1 < len(listed) and listed[i + 1][0] == "text" else None
            if language in ("python", "sh") and "import stacchip" not in text:  # test_packages.py runs those, with the package
                self.run_script(language, text, shown_text)
            if language != "sql":
                continue
            with self.subTest(sql=text):
                out = [line.replace(self.folder + "/", "/data/") for line in results(db, text.replace(SEARCHED, self.search.url))]
                if shown_text:
                    self.assertRegex("\n".join(out) + "\n", f"\\A(?s:{pattern(shown_text)})\\Z")
                else:
                    self.assertFalse([line for line in out if line.startswith("Error: ")])
                    wanted = re.findall(r";\s+-- (\S+)$", text, re.M)
                    self.assertTrue(not wanted or out == wanted, (out, wanted))

    def run_script(self, language, text, shown_text):
        with self.subTest(script=text):
            command = [sys.executable, "-c"] if language == "python" else ["bash", "-euc"]
            r = subprocess.run(command + [text.replace(SEARCHED, self.search.url)], cwd=self.folder, capture_output=True, text=True)
            self.assertEqual(r.returncode, 0, r.stderr)
            if shown_text:
                self.assertRegex(r.stdout, f"\\A(?s:{pattern(shown_text)})\\Z")
            else:
                self.assertEqual(r.stdout.splitlines(), re.findall(r"^print\(.*\)\s+# (.*)$", text, re.M))

    def test_every_block_is_run_somewhere(self):
        for path in PAGES:
            name = os.path.relpath(path, DOCS)
            others = ELSEWHERE.get(name.split("/")[0], set())
            for language, text in blocks(read(path)):
                if others is not None:
                    self.assertIn(language, {"sql", "python", "sh", "text"} | others, (name, text))

    def test_links_lead_somewhere(self):
        def anchors(path):
            names = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", read(path), flags=re.S | re.M), re.M)
            return [re.sub(r"[^\w\- ]", "", n.lower()).replace(" ", "-") for n in names]

        for path in LINKED:
            text = re.sub(r"^```.*?^```", "", read(path), flags=re.S | re.M)
            for link in re.findall(r"\]\(([^)\s]+)\)", text):
                if re.match(r"[a-z]+:", link):
                    continue
                target, _, anchor = link.partition("#")
                there = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
                with self.subTest(page=os.path.basename(path), link=link):
                    self.assertTrue(os.path.exists(there))
                    if anchor:
                        self.assertIn(anchor, anchors(there))

    def test_files_and_names_of_the_architecture_are_there(self):
        """What stands in backquotes: a file by its name or path, a function or a structure by a definition."""
        named = re.findall(r"`([^`\n]+)`", read(os.path.join(host.ROOT, "docs", "ARCHITECTURE.md")) + read(os.path.join(host.ROOT, "docs", "glossary.md")))
        files = {}
        for top in ("ext", "sql", "tests", "include"):
            for folder, _, names in os.walk(os.path.join(host.ROOT, top)):
                files.update({os.path.relpath(os.path.join(folder, n), host.ROOT): None for n in names})
        paths = set(files) | {os.path.dirname(f) for f in files} | {os.path.basename(f) for f in files}
        code = "".join(read(os.path.join(host.ROOT, f)) for f in files if f.startswith("ext/") and f.endswith((".c", ".h")))
        for name in sorted(set(named)):
            with self.subTest(name=name):
                if re.fullmatch(r"[\w/]+\.(c|h|sql|py|test)|(ext|sql)(/\w+)*", name):
                    self.assertTrue(name in paths, "there is no " + name)
                elif re.fullmatch(r"(struct |enum )?[sS][cC]_\w+|\w+\(\)", name):
                    self.assertIsNotNone(re.search(r"\b" + name.split()[-1].removesuffix("()") + r"\b", code))

    def test_every_page_is_listed(self):
        listed = read(os.path.join(host.ROOT, "docs", "README.md"))
        for path in PAGES:
            name = os.path.relpath(path, DOCS)
            if name != "README.md":
                self.assertIn(f"]({name})", listed)


def page_test(path):
    def test(self):
        before = os.getcwd()
        os.chdir(self.folder)
        try:
            self.run_page(path)
        finally:
            os.chdir(before)
    return test


for page in PAGES:
    setattr(Pages, "test_page_" + os.path.relpath(page, DOCS).removesuffix(".md").replace("-", "_").replace("/", "_"), page_test(page))

if __name__ == "__main__":
    host.main()
