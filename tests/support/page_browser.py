"""Headless Chromium for tests: runs of page_drive.mjs, and whether there is what they need."""
import json
import os
import shutil
import subprocess
import unittest

import host

CHROMIUM = shutil.which("chromium")
MODULES = os.path.join(host.ROOT, "tests", "host", "node")
DRIVER = os.path.join(MODULES, "node_modules", "playwright-core")
HAS_PAGE = os.path.exists(os.path.join(host.ROOT, "build", "gen", "page", "leaflet.js"))
CLEAN = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
needs_page = unittest.skipUnless(HAS_PAGE, "the program was built without its page: neither npm's registry nor libjs-leaflet was there")
needs_browser = unittest.skipUnless(CHROMIUM and os.path.isdir(DRIVER) and HAS_PAGE, "make deps-browser and make node-deps give Chromium and what drives it")


def drive(runs, arguments=()):
    """[{name, scenario, url, ...}] -> {name: result}, see page_drive.mjs."""
    config = {"chromium": CHROMIUM, "modules": MODULES, "runs": runs, "arguments": list(arguments)}
    run = subprocess.run(["node", os.path.join(host.ROOT, "tests", "support", "page_drive.mjs")], input=json.dumps(config), capture_output=True, text=True, env=CLEAN, timeout=600)
    if run.returncode:
        raise AssertionError(run.stderr[-4000:])
    return json.loads(run.stdout)
