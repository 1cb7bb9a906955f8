"""better-sqlite3, as the tests of Node share it."""
import fcntl
import functools
import os
import shutil
import subprocess

import host

NODE = os.path.join(host.ROOT, "build", "node")


@functools.lru_cache(maxsize=None)
def better_sqlite():
    """A folder with better-sqlite3 built from source, which also brings SQLite's own sources; None where npm cannot."""
    folder = os.path.join(NODE, "node_modules", "better-sqlite3")
    os.makedirs(NODE, exist_ok=True)
    with open(os.path.join(NODE, ".better_sqlite"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if shutil.which("npm") and not os.path.isdir(os.path.join(folder, "build", "Release")):
            build()
    return folder if os.path.isdir(os.path.join(folder, "build", "Release")) else None


def build():
    env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    env["npm_config_build_from_source"] = "true"  # prebuilt binaries come from elsewhere
    if os.path.exists("/usr/include/node/node.h"):
        env["npm_config_nodedir"] = "/usr"  # and so do Node's headers, where the system has none
    for words in (["init", "-y"], ["install", "--no-audit", "--no-fund", "better-sqlite3@11.10.0"]):
        subprocess.run(["npm", *words], cwd=NODE, env=env, capture_output=True, timeout=900)
