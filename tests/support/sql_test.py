#!/usr/bin/python3
"""sql_test.py FILE...: what a user types into the sqlite3 shell and what comes back.

A file has many cases, each on a fresh database with the extension loaded:

    -- case: situation_and_result
    SELECT 1 + 1, 'a';
    -- expect: 2|a
    -- tolerance: 1e-9          (numbers in the expected lines may differ by this)
    -- case: another
    SELECT nonsense();
    -- error: no such function  (a part of the message; the shell must fail)

{SCENE} is the folder of a small synthetic scene (made once), {SHARED} the shared fixtures, {TMP} an empty
folder of the case. Cases that name {SHARED} are skipped where it is absent.
"""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
EXT = os.environ.get("STACCHIP_EXT", os.path.join(ROOT, "build", "release", "stacchip"))
SHARED = os.path.abspath(os.environ.get("STACCHIP_SHARED", os.path.join(ROOT, "..", "shared")))
SCENE = os.path.join(ROOT, "build", "scenes", "sentinel-2")
NUMBER = re.compile(r"-?\d+\.?\d*(?:[eE][-+]?\d+)?")


def scene():
    if not os.path.exists(os.path.join(SCENE, "item.json")):
        os.makedirs(os.path.dirname(SCENE), exist_ok=True)
        env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        subprocess.run([os.path.join(ROOT, "build", "release", "make_scene"), "sentinel-2", SCENE], check=True, env=env)


def cases(path):
    case = None
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        word = re.match(r"-- (case|expect|error|tolerance):\s?(.*)", line)
        if word and word[1] == "case":
            if case:
                yield case
            case = {"name": word[2].strip(), "line": number, "sql": "", "expect": [], "error": None, "tolerance": 0.0}
        elif word and word[1] == "expect":
            case["expect"].append(word[2].rstrip("\n"))
        elif word and word[1] == "error":
            case["error"] = word[2].strip()
        elif word and word[1] == "tolerance":
            case["tolerance"] = float(word[2].split()[0])
        elif case:
            case["sql"] += line
    if case:
        yield case


def same(expected, got, tolerance):
    if len(expected) != len(got):
        return False
    for e, g in zip(expected, got):
        if e == g:
            continue
        if not tolerance or NUMBER.sub("#", e) != NUMBER.sub("#", g):
            return False
        if any(abs(float(a) - float(b)) > tolerance for a, b in zip(NUMBER.findall(e), NUMBER.findall(g))):
            return False
    return True


def run(case):
    """None where the case holds, else what differs."""
    with tempfile.TemporaryDirectory() as tmp:
        fill = lambda s: s.replace("{SCENE}", SCENE).replace("{SHARED}", SHARED).replace("{TMP}", tmp)
        r = subprocess.run(["sqlite3", "-batch", "-bail", ":memory:"], input=f".load {EXT}\n" + fill(case["sql"]),
                           capture_output=True, text=True, errors="replace", timeout=120)
    if r.returncode < 0:
        return "no crash", f"signal {-r.returncode}: {r.stderr[-400:]}"
    if case["error"] is not None:
        want = fill(case["error"])
        return None if r.returncode and want in r.stderr else (f"error ...{want}...", r.stderr.strip() or r.stdout)
    got = r.stdout.splitlines()
    if r.returncode or r.stderr.strip():
        return "\n".join(case["expect"]), r.stderr.strip()
    want = [fill(e) for e in case["expect"]]
    return None if same(want, got, case["tolerance"]) else ("\n            ".join(want), "\n            ".join(got))


def main():
    passed = failed = skipped = 0
    scene()
    for path in sys.argv[1:]:
        for case in cases(path):
            if "{SHARED}" in case["sql"] and not os.path.isdir(SHARED):
                skipped += 1
                continue
            wrong = run(case)
            if wrong is None:
                passed += 1
                continue
            failed += 1
            print(f"{path}:{case['line']}: {case['name']}\n  sql       {case['sql'].strip()[:300]}\n"
                  f"  expected  {wrong[0]}\n  got       {wrong[1]}")
    if skipped:
        print(f"skipped {skipped}: ../shared is not there")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
