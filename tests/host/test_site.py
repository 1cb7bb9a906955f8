"""The site of `make docs`: it builds without warnings, links lead somewhere, nothing is loaded from elsewhere, and search knows the words."""
import html.parser
import http.server
import importlib.util
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import unittest
import urllib.parse

import browser
import host

HAS_MKDOCS = subprocess.run(["/usr/bin/python3", "-c", "import mkdocs, material"], capture_output=True).returncode == 0 and \
    importlib.util.find_spec("mkdocs") is not None


class Links(html.parser.HTMLParser):
    """Of a page: where its links lead, what it loads, and its anchors."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loads, self.anchors = [], [], {""}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        self.anchors |= {a[k] for k in ("id", "name") if a.get(k)}
        if tag == "a" and a.get("href") is not None:
            self.links.append(a["href"])
        elif tag == "link" and a.get("href") and a.get("rel") not in ("canonical",):
            self.loads.append(a["href"])
        elif a.get("src"):
            self.loads.append(a["src"])


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *a):
        pass


@unittest.skipUnless(HAS_MKDOCS, "mkdocs-material is not there: make deps-docs")
class Site(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = os.path.join(tempfile.mkdtemp(prefix="stacchip_site_"), "site")
        env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        cls.built = subprocess.run(["/usr/bin/python3", os.path.join(host.ROOT, "docs", "site", "build.py"), cls.folder], capture_output=True, text=True, env=env)
        cls.pages = {}
        for top, _, names in os.walk(cls.folder):
            for n in names:
                if n.endswith(".html"):
                    with open(os.path.join(top, n), encoding="utf-8") as f:
                        cls.pages[os.path.relpath(os.path.join(top, n), cls.folder)] = f.read()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(os.path.dirname(cls.folder))

    def test_builds_without_a_word(self):
        self.assertEqual((self.built.returncode, self.built.stdout + self.built.stderr), (0, ""))
        docs = os.path.join(host.ROOT, "docs")
        there = {os.path.relpath(os.path.join(top, n), docs)[:-3] + ".html" for top, _, names in os.walk(docs) for n in names if n.endswith(".md")}
        self.assertEqual(there - {"README.html"} - set(self.pages), set())
        self.assertEqual(os.listdir(os.path.dirname(self.folder)), ["site"])  # what it was made of is gone

    def test_every_page_is_in_the_navigation(self):
        nav = re.search(r'<nav class="md-nav md-nav--primary.*?</nav>\s*</div>', self.pages["index.html"], re.S)[0]
        for page in self.pages:
            if not page.startswith("code/") and page not in ("404.html", "index.html"):
                self.assertIn(f'href="{page}"', nav)

    def test_no_link_is_dead(self):
        parsed = {page: Links(text) for page, text in self.pages.items()}
        count = 0
        for page, p in parsed.items():
            if page == "404.html":  # served from anywhere, so its links begin with /
                continue
            for link in p.links:
                if re.match(r"[a-z]+:", link):
                    continue
                path, _, anchor = link.partition("#")
                there = os.path.normpath(os.path.join(os.path.dirname(page), urllib.parse.unquote(path))) if path else page
                there = os.path.join(there, "index.html") if os.path.isdir(os.path.join(self.folder, there)) else there
                there = os.path.normpath(there)
                self.assertTrue(os.path.exists(os.path.join(self.folder, there)), (page, link))
                if anchor and there in parsed:
                    self.assertIn(urllib.parse.unquote(anchor), parsed[there].anchors, (page, link))
                count += 1
        self.assertGreater(count, 500)

    def test_nothing_is_loaded_from_elsewhere(self):
        for page, text in self.pages.items():
            for load in Links(text).loads:
                self.assertNotRegex(load, r"^([a-z]+:)?//", page)
        for top, _, names in os.walk(self.folder):
            for n in names:
                if n.endswith(".css"):
                    with open(os.path.join(top, n), encoding="utf-8") as f:
                        self.assertNotRegex(f.read(), r"url\(\s*['\"]?(https?:)?//|@import", n)

    def test_search_knows_the_words(self):
        with open(os.path.join(self.folder, "search", "search_index.json"), encoding="utf-8") as f:
            docs = json.load(f)["docs"]
        for word, page in (("stacchip_batches", "batches.html"), ("exclude_cloud", "statistics.html"), ("chip_size", "reference.html"), ("cubicspline", "chips.html"),
                           ("STACCHIP_THREADS", "config.html"), ("reprocessed", "recipes.html"), ("torchgeo", "from-torchgeo.html"), ("Slurm", "cluster.html")):
            self.assertTrue(any(word in d["text"] + d["title"] and d["location"].startswith(page) for d in docs), word)

    @unittest.skipUnless(browser.CHROMIUM, "chromium is not there")
    def test_a_browser_asks_nobody_else_finds_and_fits(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: Quiet(*a, directory=self.folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}/"
        try:
            for width in (1280, 390):
                b = browser.Browser(width=width)
                try:
                    b.open(base + "index.html")
                    b.evaluate("document.querySelector('[data-md-toggle=search]').click(), document.querySelector('.md-search__input').focus()")
                    ready = "document.querySelector('.md-search-result__meta').textContent.trim() != 'Initializing search'"
                    self.assertTrue(b.until(ready))  # what is typed before is lost
                    b.type("exclude_cloud")
                    self.assertGreater(b.until("document.querySelectorAll('.md-search-result__item').length"), 1)
                    for page in ("start", "rules", "parquet", "reference", "recipes"):  # wide tables and long lines scroll in themselves
                        b.open(base + page + ".html")
                        self.assertLessEqual(b.evaluate("document.documentElement.scrollWidth - window.innerWidth"), 0, (page, width))
                    self.assertEqual({u for u in b.requests if not u.startswith((base, "data:", "blob:", "about:"))}, set())
                finally:
                    b.close()
        finally:
            server.shutdown()
            server.server_close()


if __name__ == "__main__":
    host.main()
