"""What the Python host tests share: a connection with the extension, and unittest with the closing line."""
import collections
import json
import os
import sqlite3
import sys
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
EXT = os.environ.get("STACCHIP_EXT", os.path.join(ROOT, "build", "release", "stacchip"))
SHARED = os.path.abspath(os.environ.get("STACCHIP_SHARED", os.path.join(ROOT, "..", "shared")))
IS_BUNDLE = os.environ.get("VARIANT") == "bundle"  # `make test-bundle`: EXT is the self-contained build
HELPERS = os.path.join(ROOT, "build", "release") if IS_BUNDLE else os.path.dirname(EXT)  # programs that tests need
HAS_SHARED = os.path.isdir(SHARED)
needs_shared = unittest.skipUnless(HAS_SHARED, "../shared is not there")


def connect(path=":memory:"):
    """A connection in autocommit mode with stacchip loaded."""
    db = sqlite3.connect(path, isolation_level=None)
    db.enable_load_extension(True)
    db.load_extension(EXT)
    return db


def counts(result):
    """The numbers of what stacchip_merge_items() gives, without its examples of failures."""
    return {k: v for k, v in json.loads(result).items() if k != "failures"}


def main():
    """unittest.main() that ends with "N passed, N failed, N skipped"."""
    program = unittest.main(module="__main__", exit=False, verbosity=1, argv=sys.argv, warnings="ignore")  # of connections left open
    r = program.result
    bad = len(r.failures) + len(r.errors)
    for why, n in collections.Counter(why for _, why in r.skipped).items():
        print(f"skipped {n}: {why}")
    print(f"{r.testsRun - bad - len(r.skipped)} passed, {bad} failed, {len(r.skipped)} skipped")
    sys.exit(1 if bad else 0)
