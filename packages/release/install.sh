#!/bin/sh
# install.sh [PREFIX]: put stacchip into PREFIX, ~/.local where none is given, without root. It takes the archive that lies
# beside it, checked by SHA256SUMS where that lies there too, or the unpacked archive that it is part of.
# install.sh --remove [PREFIX]: take it out again.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
remove=
[ "${1:-}" = --remove ] && { remove=1; shift; }
[ $# -le 1 ] && case ${1:-} in -*) false ;; esac || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
prefix=${1:-${HOME:?is not set: say where, install.sh PREFIX}/.local}
case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
folder=$prefix/lib/stacchip program=$prefix/bin/stacchip

fail() { echo "install.sh: $*" >&2; exit 1; }
unlink_ours() { # only what this script made
  if [ -L "$program" ] && [ "$(readlink "$program")" = ../lib/stacchip/stacchip ]; then rm "$program"; fi
}

if [ -n "$remove" ]; then
  [ -f "$folder/stacchip.so" ] || fail "nothing is installed in $folder"
  unlink_ours
  rm -rf "$folder"
  echo "removed $folder"
  exit
fi

new=$folder.new
rm -rf "$new"
mkdir -p "$new" "$prefix/bin"
trap 'rm -rf "$new"' EXIT
if [ -f "$here/stacchip.so" ]; then
  cp -R "$here/." "$new"
else
  archive=
  for a in "$here"/stacchip-*-loadable-linux-"$(uname -m)".tar.gz; do archive=$a; done # the last by name
  [ -f "$archive" ] || fail "no stacchip-*-loadable-linux-$(uname -m).tar.gz lies beside it"
  if [ -f "$here/SHA256SUMS" ]; then
    (cd "$here" && grep " ${archive##*/}\$" SHA256SUMS | sha256sum -c --quiet -) || fail "${archive##*/} is not what SHA256SUMS says"
  fi
  tar -xzf "$archive" -C "$new" --no-same-owner
fi
rm -rf "$folder"
mv "$new" "$folder"
chmod 755 "$folder/stacchip" # an unpacker may have lost it
if [ -L "$program" ] || [ ! -e "$program" ]; then ln -sf ../lib/stacchip/stacchip "$program"; else echo "$program is there already and stays" >&2; fi
cat <<END
stacchip is in $folder. From any host: load_extension('$folder/stacchip').
  sqlite3 -cmd ".load $folder/stacchip"
By bare name, .load stacchip: export LD_LIBRARY_PATH=$folder
END
