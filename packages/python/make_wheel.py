#!/usr/bin/env python3
"""make_wheel.py BUNDLE VERSION OUT: write the wheel of the folder BUNDLE (stacchip.so, its other half, the program, what they
need) into the folder OUT, and print its path.

The same files give the same bytes: names are sorted, times are SOURCE_DATE_EPOCH. The tag says what the files need: of glibc
the newest version that any of them asks for; where they need more than glibc and the C++ runtime it is linux_..., which
no index takes.
"""
import base64
import hashlib
import os
import platform
import re
import subprocess
import sys
import time
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# What PEP 600 lets a wheel expect of the system, as far as we need it.
SYSTEM = re.compile(r"lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s)\.so\.\d|ld-linux-[\w-]+\.so\.\d")
METADATA = """Metadata-Version: 2.1
Name: stacchip
Version: {version}
Summary: Chips of satellite and aerial imagery in SQL: a loadable SQLite extension
License: MIT
Requires-Python: >=3.9
Provides-Extra: numpy
Requires-Dist: numpy; extra == 'numpy'
Provides-Extra: torch
Requires-Dist: numpy; extra == 'torch'
Requires-Dist: torch; extra == 'torch'
Provides-Extra: geopandas
Requires-Dist: geopandas; extra == 'geopandas'
Classifier: Operating System :: POSIX :: Linux
Classifier: Topic :: Scientific/Engineering :: GIS
Classifier: Typing :: Typed
Description-Content-Type: text/markdown

"""
WHEEL = "Wheel-Version: 1.0\nGenerator: stacchip\nRoot-Is-Purelib: false\nTag: py3-none-{platform}\n"
ENTRY_POINTS = "[console_scripts]\nstacchip = stacchip.__main__:main\n"


def read(*path):
    with open(os.path.join(*path), "rb") as f:
        return f.read()


def files_in(folder):
    """(path relative to folder, path), links followed: a wheel has none."""
    for where, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(f for f in folders if f != "__pycache__")
        for name in sorted(names):
            path = os.path.join(where, name)
            yield os.path.relpath(path, folder), path


def platform_tag(bundle):
    """manylinux_2_N_<machine>, or linux_<machine> where more is needed than it may expect."""
    machine = platform.machine()
    names = {os.path.basename(path) for _, path in files_in(bundle)}
    minor, alien = 0, set()
    for _, path in files_in(bundle):
        if read(path)[:4] != b"\x7fELF":
            continue
        head = subprocess.run(["objdump", "-p", path], check=True, capture_output=True, text=True).stdout
        minor = max([minor, *map(int, re.findall(r"GLIBC_2\.(\d+)", head))])
        alien |= {n for n in re.findall(r"NEEDED\s+(\S+)", head) if n not in names and not SYSTEM.fullmatch(n)}
    return f"linux_{machine}" if alien else f"manylinux_2_{minor}_{machine}"


def members(bundle, version, tag):
    """(name in the wheel, bytes, is executable)."""
    for name, path in files_in(os.path.join(HERE, "stacchip")):
        yield f"stacchip/{name}", read(path), False
    yield "stacchip/_version.py", f'__version__ = "{version}"\n'.encode(), False
    for name, path in files_in(bundle):
        yield f"stacchip/native/{name}", read(path), os.access(path, os.X_OK)
    info = f"stacchip-{version}.dist-info"
    yield f"{info}/METADATA", METADATA.format(version=version).encode() + read(HERE, "README.md"), False
    yield f"{info}/WHEEL", WHEEL.format(platform=tag).encode(), False
    yield f"{info}/entry_points.txt", ENTRY_POINTS.encode(), False
    yield f"{info}/licenses/LICENSE", read(ROOT, "LICENSE"), False


def record_line(name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


def write_wheel(path, bundle, version, tag):
    when = time.gmtime(max(int(os.environ.get("SOURCE_DATE_EPOCH", 0)), 315532800))[:6]  # no earlier than a ZIP can say, 1980
    record = ""

    def add(name, data, executable=False):
        entry = zipfile.ZipInfo(name, when)
        entry.create_system = 3  # Unix, so that the next line is understood
        entry.external_attr = (0o100755 if executable else 0o100644) << 16
        wheel.writestr(entry, data, zipfile.ZIP_DEFLATED, 9)

    with zipfile.ZipFile(path, "w") as wheel:
        for name, data, executable in members(bundle, version, tag):
            add(name, data, executable)
            record += record_line(name, data)
        name = f"stacchip-{version}.dist-info/RECORD"
        add(name, f"{record}{name},,\n".encode())


def main():
    bundle, version, out = sys.argv[1:]
    tag = platform_tag(bundle)
    path = os.path.join(out, f"stacchip-{version}-py3-none-{tag}.whl")
    os.makedirs(out, exist_ok=True)
    write_wheel(path + ".part", bundle, version, tag)
    os.replace(path + ".part", path)
    print(path)


if __name__ == "__main__":
    main()
