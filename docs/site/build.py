"""Builds the pages of docs into a static site: build.py OUT, where OUT is a folder. `make docs` runs it, with mkdocs-material.

The navigation is what docs/README.md lists. A link out of docs becomes a page too, so that the site stands alone: text as it is, code
as a listing, a folder with all its files, the recipes with what they give. Nothing is loaded from elsewhere.
"""
import json
import os
import posixpath
import re
import shutil
import subprocess
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
LANGUAGES = {".py": "python", ".sql": "sql", ".c": "c", ".h": "c", ".sh": "sh", ".yaml": "yaml", ".json": "json", ".sbatch": "sh"}
RECIPES = "examples/recipes/README.md"
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def place(path):
    """Where the site has a file of the repository."""
    if path.startswith("docs/"):
        return path[5:]
    if path == RECIPES:
        return "recipes.md"
    return posixpath.join("code", path if path.endswith(".md") else path + ".md")


def listing(path):
    return f"```{LANGUAGES.get(os.path.splitext(path)[1], 'text')}\n{read(path).rstrip()}\n```\n"


def recipes():
    """The page of recipes: each script, and what it gives."""
    page = re.sub(r"\]\(([\w-]+)\.(sql|txt)\)", lambda m: f"](#{m[1]})", read(RECIPES))
    for name in re.findall(r"\]\(([\w-]+)\.sql\)", read(RECIPES)):
        sql, text = (read(f"examples/recipes/{name}.{kind}").rstrip() for kind in ("sql", "txt"))
        page += f"\n## {name}\n\n```sql\n{sql}\n```\n\n```text\n{text}\n```\n"
    return page


def text_of(path):
    """The Markdown that stands for a file or folder of the repository, before its links are rewritten."""
    if path == RECIPES:
        return recipes()
    if path.endswith(".md"):  # the pages have the same drawing as text
        return re.sub(r"^```mermaid\n.*?^```\n+(The same without a renderer:\n+)?", "", read(path), flags=re.S | re.M)
    if os.path.isdir(os.path.join(ROOT, path)):
        names = sorted(os.listdir(os.path.join(ROOT, path)))
        return f"# {path}\n" + "".join(f"\n## {n}\n\n{listing(posixpath.join(path, n))}" for n in names)
    return f"# {path}\n\n{listing(path)}"


class Stage:
    """Copies pages into a folder, and whatever they link to."""

    def __init__(self, folder):
        self.folder, self.done = folder, set()

    def add(self, path):
        if path in self.done:
            return
        self.done.add(path)
        target = os.path.join(self.folder, place(path))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w", encoding="utf-8") as f:
            f.write(self.relinked(path, text_of(path)))

    def relinked(self, path, page):
        parts = re.split(r"(^```.*?^```\n)", page, flags=re.S | re.M)  # no links in fences
        return "".join(p if p.startswith("```") else LINK.sub(lambda m: self.link(path, m), p) for p in parts)

    def link(self, path, m):
        target, _, anchor = m[3].partition("#")
        if re.match(r"[a-z]+:", m[3]) or not target:
            return m[0]
        there = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if m[1]:  # a picture
            new = posixpath.join("pictures", posixpath.basename(there))
            os.makedirs(os.path.join(self.folder, "pictures"), exist_ok=True)
            shutil.copy(os.path.join(ROOT, there), os.path.join(self.folder, new))
        else:
            new = place(there)
            self.add(there)
        new = posixpath.relpath(new, posixpath.dirname(place(path)) or ".")
        text = re.match(r"# (.*)", read(there))[1] if m[2] == posixpath.basename(there) and there.startswith("docs/") else m[2]
        return f"{m[1]}[{text}]({new}{'#' + anchor if anchor else ''})"


def navigation():
    """[{section: [pages]}] of docs/README.md."""
    nav = [{"Overview": "README.md"}]
    for title, body in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", read("docs/README.md"), re.S | re.M):
        pages = [place(posixpath.normpath(posixpath.join("docs", p))) for p in re.findall(r"^\| \[[^\]]*\]\(([^)#]+)\)", body, re.M)]
        if pages:
            nav.append({title: pages})
    return nav


CONFIG = """site_name: stacchip
site_description: Chips of satellite and aerial imagery, in SQL
docs_dir: pages
site_dir: {out}
use_directory_urls: false
strict: true
theme:
  name: material
  font: false
  icon:
    logo: material/grid
  palette:
    - scheme: default
      primary: teal
      accent: teal
  features: [navigation.top, navigation.sections, navigation.indexes, toc.follow, content.code.copy, search.highlight]
extra_css: [site.css]
extra:
  generator: false
plugins: [search]
markdown_extensions:
  - tables
  - attr_list
  - pymdownx.superfences
  - pymdownx.highlight:
      pygments_lang_class: true
  - toc:
      permalink: true
      toc_depth: 3
      slugify: !!python/object/apply:pymdownx.slugs.slugify {{kwds: {{case: lower}}}}
nav: {nav}
"""


def main():
    out = os.path.abspath(sys.argv[1])
    work = out + ".pages"
    shutil.rmtree(work, ignore_errors=True)
    stage = Stage(os.path.join(work, "pages"))
    for page in [os.path.join("docs", "README.md")] + [os.path.join(top, n)[len(ROOT) + 1:] for top, _, names in sorted(os.walk(os.path.join(ROOT, "docs")))
                                                     for n in sorted(names) if n.endswith(".md")]:
        stage.add(page)
    shutil.copy(os.path.join(ROOT, "docs", "site", "site.css"), os.path.join(work, "pages", "site.css"))
    with open(os.path.join(work, "mkdocs.yml"), "w", encoding="utf-8") as f:
        f.write(CONFIG.format(out=json.dumps(out), nav=json.dumps(navigation())))
    done = subprocess.run([sys.executable, "-m", "mkdocs", "build", "--clean", "-q", "-f", os.path.join(work, "mkdocs.yml")])
    shutil.rmtree(work)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
