#!/bin/bash
# make.sh WORK OUT: the self-contained build, in OUT; see docs/bundle.md. Everything is compiled in a tree of
# Debian 11 at WORK/tree, for the age of its glibc, always at /bundle: so two builds have the same bytes.
# Needs root and debootstrap. What WORK has from an earlier build is used again; ccache keeps the rest short.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) repo=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
tree=$(cd "$1" && pwd)/tree out=$2
: "${BUNDLE_SUITE:=bullseye}" "${BUNDLE_MIRROR:=http://deb.debian.org}"
tools=gcc,g++,make,cmake,ninja-build,nasm,pkg-config,ccache,dpkg-dev,perl,tclsh,patch,sqlite3,curl,ca-certificates,xz-utils,bzip2,file

[ "$(id -u)" = 0 ] || { echo 'make bundle: debootstrap and chroot need root' >&2; exit 1; }
command -v debootstrap >/dev/null || { echo 'make bundle: debootstrap is missing (apt install debootstrap)' >&2; exit 1; }
if [ ! -f "$tree/.ready" ]; then
  rm -rf "$tree"
  debootstrap --variant=minbase --include="${tools/tclsh/tcl}" "$BUNDLE_SUITE" "$tree" "$BUNDLE_MIRROR/debian" >"$1/tree.log" 2>&1 ||
    { tail -n 20 "$1/tree.log" >&2; exit 1; }
  touch "$tree/.ready"
fi
cp -L /etc/resolv.conf "$tree/etc/resolv.conf"
in_tree() { chroot "$tree" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C "$@"; }

rm -rf "$tree/bundle/recipe" "$tree/bundle/stacchip"
mkdir -p "$tree/bundle/stacchip"
cp -r "$here" "$tree/bundle/recipe"
in_tree BUNDLE_MIRROR="$BUNDLE_MIRROR" /bundle/recipe/fetch.sh /bundle
in_tree BUNDLE_JOBS="${BUNDLE_JOBS:-}" /bundle/recipe/build.sh /bundle
# The sources as they are here, and what `make` has generated, which needs no compiler.
(cd "$repo" && { git ls-files -z --cached --others --exclude-standard -- Makefile '*.mk' LICENSE ext include sql tests/unit; find build/gen -type f -print0; } |
  tar --null -c --ignore-failed-read -T -) | tar -x -C "$tree/bundle/stacchip"
in_tree BUNDLE_JOBS="${BUNDLE_JOBS:-}" /bundle/recipe/link.sh /bundle
rm -rf "$out"
mkdir -p "$(dirname "$out")"
cp -a "$tree/bundle/out" "$out"
echo "$out: $(du -sk --apparent-size "$out" | cut -f1) KB, needs glibc $(cat "$out/glibc"), see $out/licenses"
