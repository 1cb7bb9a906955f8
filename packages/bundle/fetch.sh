#!/bin/bash
# fetch.sh WORK: the source packages of the list `sources`, checked, into WORK/fetched and unpacked, with
# Debian's patches, into WORK/src/NAME. What is there already is left alone.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) work=$1
: "${BUNDLE_MIRROR:=http://deb.debian.org}"
# A mirror drops a version when a newer one is out; the archive of snapshots has them all.
: "${BUNDLE_SNAPSHOT:=http://snapshot.debian.org/archive}"
mkdir -p "$work/fetched" "$work/src"

get() { # get PATH: a file below the mirror, or below a snapshot of any time later than its upload
  local to; to="$work/fetched/$(basename "$1")"
  [ -f "$to" ] && return
  local archive=${1%%/*} rest=${1#*/}
  curl -fsSL --retry 3 -o "$to.part" "$BUNDLE_MIRROR/$1" ||
    curl -fsSL --retry 3 -o "$to.part" "$BUNDLE_SNAPSHOT/$archive/20261101T000000Z/$rest"
  mv "$to.part" "$to"
}

files_of() { # files_of DSC: "SHA256 NAME" of each file that it lists
  awk '/^Checksums-Sha256:/ { on = 1; next } /^[^ ]/ { on = 0 } on { print $1, $3 }' "$1"
}

while read -r name sha path; do
  [[ $name == \#* ]] && continue
  dsc="$work/fetched/$(basename "$path")"
  to="$work/src/$name"
  [ "$(cat "$to.version" 2>/dev/null)" = "$sha" ] && continue
  echo "fetch $name: $(basename "$path" .dsc)"
  get "$path"
  echo "$sha  $dsc" | sha256sum --quiet -c
  files_of "$dsc" | while read -r file_sha file; do
    [[ $file == *.asc ]] && continue
    get "$(dirname "$path")/$file"
    echo "$file_sha  $work/fetched/$file" | sha256sum --quiet -c
  done
  rm -rf "$to"
  dpkg-source --no-check -x "$dsc" "$to" >/dev/null 2>&1
  for patch in "$here/patches/$name"*.patch; do
    [ -f "$patch" ] && patch -s -d "$to" -p1 <"$patch"
  done
  echo "$sha" >"$to.version"
done <"$here/sources"
