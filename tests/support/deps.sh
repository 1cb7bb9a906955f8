#!/bin/bash
# deps.sh PACKAGE...: install the Debian packages that are missing. As root by apt-get; else with
# sudo when YES=1; else print the line to run, and fail.
set -eu
missing=()
for p; do
  dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing+=("$p")
done
[ ${#missing[@]} = 0 ] && exit 0
command -v apt-get >/dev/null || { echo "missing: ${missing[*]} (this is no Debian: install their like)" >&2; exit 1; }
install="apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" = 0 ]; then sudo=; elif [ "${YES:-}" = 1 ]; then sudo=sudo; else
  echo "Missing packages. Run this, or call make with YES=1:" >&2
  echo "  sudo $install" >&2
  exit 1
fi
if [ -n "$sudo" ] && ! command -v sudo >/dev/null; then
  echo "YES=1 wants sudo, which is not installed. As root, run:" >&2
  echo "  $install" >&2
  exit 1
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo $install >/dev/null
