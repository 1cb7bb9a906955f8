"""The pages of docs name exactly the options, keys, arguments and settings that the code has. The code is asked: whatever takes
options answers an unknown one with its whole table."""
import glob
import os
import re
import subprocess
import unittest

import host

PROGRAM = os.path.join(os.path.dirname(host.EXT), "stacchip")
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("STACCHIP_") and k != "LD_PRELOAD"}
PAGES = {os.path.basename(p): open(p, encoding="utf-8").read() for p in sorted(glob.glob(os.path.join(host.ROOT, "docs", "*.md")))}
INDEX, CHIP = "stacchip_index", "stacchip_chip"


def table(page, kind, of=None):
    """First column of a page's tables whose head begins with `kind`; of those rows alone that are of one function."""
    names = []
    for head, rows in re.findall(r"^\| ([\w ]+) \|[^\n]*\n\|[-|]+\|\n((?:\|[^\n]*\n)+)", PAGES[page], re.M):
        for row in rows.splitlines() if head == kind else []:
            cells = row.strip("|").split("|")
            if of is None or cells[1].strip() == f"`{of}`":
                names += re.findall(r"`(\w+)`", cells[0])
    return names


def sentence(page, pattern, word=r"`(\w+)`"):
    """Names in backquotes in a sentence of a page."""
    return re.findall(word, re.search(pattern, PAGES[page], re.S)[1])


def documented():
    """{who says it: the names that docs gives it}"""
    return {
        INDEX: table("indexing.md", "option"),
        CHIP: table("chips.md", "option"),
        "stacchip_stack": table("chips.md", "option") + table("stacks.md", "option"),
        "stacchip_composite": [n for n in table("chips.md", "option") if n != "overlay"] + table("composites.md", "option"),
        "stacchip_band_stats": sentence("statistics.md", r"\nOptions: (.*?) as in") + table("statistics.md", "option"),
        "stacchip_split": table("samples.md", "option"),
        "stacchip_rasterize": table("labels.md", "option", "stacchip_rasterize"),
        "stacchip_classes": table("labels.md", "option", "stacchip_classes"),
        "stacchip_row_export": sentence("chips.md", r"\nOr an object with (.*?)\.\n", r"`(\w+)` \("),
        "stacchip_mosaic": table("maps.md", "option"),
        "stacchip_polygons": table("maps.md", "option of polygons"),
        "stacchip_freeze": table("freeze.md", "option"),
        "stacchip_tile": table("pictures.md", "option"),
        "stacchip_zonal": table("zonal.md", "option") + table("zonal.md", "zonal"),
        "stacchip_sample": table("zonal.md", "option") + table("zonal.md", "sample"),
        "stacchip_export": table("parquet.md", "option"),
        "stacchip_items": table("items.md", "option", "stacchip_items"),
        "stacchip_search": table("items.md", "option", "stacchip_search"),
        "stacchip_merge_items": sentence("merged-index.md", r"Its options are (.*?)\.\n", r"`(\w+)` \("),
        "stacchip_merge": table("indexing.md", "option") + table("merged-index.md", "argument"),
        "stacchip_config": table("config.md", "setting"),
        "stacchip_platform_set": table("rules.md", "key"),
        "chip handle": list(dict.fromkeys(re.findall(r'`(\w+)`|"(\w+)":', PAGES["chips.md"].split("## Handles")[1].split("NULL gives")[0]))),
    }


def whole_list(text):
    """Who answers, and its list; or None."""
    m = re.search(r"(?:position \d+: )?([\w ]+?)(?: x)?: unknown \w+ '\?'; (?:options|settings|keys|there are): ([\w, ]+)", str(text))
    return m and ("stacchip_platform_set" if m[1].startswith("platform rule") else m[1].strip(), m[2].split(", "))


class Options(unittest.TestCase):
    @staticmethod
    def lists_of_the_code():
        """{who says it: its options} of all functions and tables, asked with '?' at each place of their arguments."""
        db, found = host.connect(), {}
        asked = ["CREATE VIRTUAL TABLE asked USING stacchip_merge(?=1)",
                 "SELECT stacchip_config('?')", "SELECT stacchip_platform_set('x', '{\"?\":1}')"]
        names = [(f"SELECT {n}(%s)", range(1, 5) if narg < 0 else [narg]) for n, narg in
                 db.execute("SELECT DISTINCT name, narg FROM pragma_function_list WHERE name LIKE 'stacchip%'")]
        names += [(f"SELECT * FROM {n}(%s)", range(1, 5)) for n, in db.execute("SELECT name FROM pragma_module_list WHERE name LIKE 'stacchip%'")]
        for sql, counts in names:
            for n in counts:
                for place in range(n):
                    asked.append(sql % ", ".join("'{\"?\":1}'" if i == place else "'x'" for i in range(n)))
        for sql in asked:
            try:
                db.execute(sql).fetchone()
            except Exception as e:  # of the sanitizer's build too
                answer = whole_list(e)
                if answer:
                    found[answer[0]] = answer[1]
        return found

    def test_docs_name_what_the_code_takes_and_nothing_else(self):
        code, docs = self.lists_of_the_code(), documented()
        self.assertEqual(sorted(code), sorted(docs))
        for who in sorted(set(code) - {"chip handle"}):
            self.assertEqual(sorted(set(docs[who])), sorted(code[who]), who)

    def test_a_handle_has_its_keys_on_its_page(self):
        names = {a or b for a, b in documented()["chip handle"]}
        self.assertEqual(set(self.lists_of_the_code()["chip handle"]) - names, set())

    def test_variables_of_settings_and_commands(self):
        """What docs calls STACCHIP_X is read by the code, and docs names what commands and settings read."""
        sources = "".join(open(p, encoding="utf-8").read() for p in glob.glob(os.path.join(host.ROOT, "ext/**/*.[ch]"), recursive=True))
        read = set(re.findall(r'"(STACCHIP_[A-Z0-9_]+)"', sources))
        named = set(re.findall(r"STACCHIP_[A-Z0-9_]*[A-Z0-9]", "".join(PAGES.values())))
        others = {"STACCHIP_VERSION", "STACCHIP_VERSION_NUMBER", "STACCHIP_MAX_REQUEUES"}  # of the header, of examples/batch
        self.assertEqual(named - read - others, set())
        self.assertEqual(read - named - {"STACCHIP_"}, set())

    def test_flags_in_docs_are_those_of_the_program(self):
        def ask(*arguments):
            return subprocess.run([PROGRAM, *arguments, "--help"], capture_output=True, text=True, env=CLEAN, check=True).stdout
        has = set()
        for command in re.findall(r"^  ([\w-]+) ", ask(), re.M):
            has |= set(re.findall(r"^  (--[\w-]+)", ask(command), re.M))
        named = set()
        for page in ("processors.md", "from-python-package.md", "security.md"):
            named |= set(re.findall(r"`(--[\w-]+)", PAGES[page]))
        self.assertGreater(len(named), 10)
        self.assertEqual(named - has - {"--dependency"}, set())  # Slurm's


if __name__ == "__main__":
    host.main()
