#!/bin/sh
# vendor.sh LOCK CACHE OUT: what the page takes from others, into OUT: leaflet.js, leaflet.css, world.json, licenses.txt.
# Packages come from where LOCK says (npm's package-lock.json, `resolved`), are believed by its sha512 (`integrity`), and
# are kept in CACHE. Without a network Debian's libjs-leaflet is taken, and the map has no outline of the world. What is
# missing is said on stderr; that is no error, since the program works without its page.
set -u
lock=$1 cache=$2 out=$3
debian=${LEAFLET_DEBIAN:-/usr/share/javascript/leaflet}
mkdir -p "$cache" "$out"

# field PACKAGE KEY: its value in the lock file.
field() {
  awk -v name="\"node_modules/$1\":" -v key="\"$2\":" -F'"' \
    'index($0, name) {inside = 1} inside && index($0, key) {print $4; exit}' "$lock"
}
sum_is() { [ "$(sha512sum <"$1" | cut -d' ' -f1)" = "$(printf %s "${2#sha512-}" | base64 -d 2>/dev/null | od -An -v -tx1 | tr -d ' \n')" ]; }

# take PACKAGE FILE NAME: a file of a package, fetched unless it is there.
fetch() {
  url=$(field "$1" resolved) sum=$(field "$1" integrity) tar=$cache/$1-$(field "$1" version).tgz
  [ -n "$url" ] && case $sum in sha512-*) ;; *) false ;; esac || { echo "vendor: $lock names no $1 with a sha512" >&2; return 1; }
  [ -f "$tar" ] && sum_is "$tar" "$sum" && return
  command -v curl >/dev/null || { echo "vendor: there is no curl to fetch $1 with" >&2; return 1; }
  curl -fsSL --retry 1 --connect-timeout 8 --max-time 120 -o "$tar.part" "$url" || { rm -f "$tar.part"; return 1; }
  sum_is "$tar.part" "$sum" || { echo "vendor: $url is not what $lock says (sha512)" >&2; rm -f "$tar.part"; return 1; }
  mv "$tar.part" "$tar"
}
# Without carriage returns, which HTML drops from a script inside it: its hash would be another one.
take() { tar -xzOf "$tar" "package/$1" | tr -d '\r' >"$out/$2.part" && [ -s "$out/$2.part" ] && mv "$out/$2.part" "$out/$2"; }

rm -f "$out/leaflet.js" "$out/leaflet.css" "$out/world.json" "$out/licenses.txt"
: >"$out/licenses.txt"
if fetch leaflet && take dist/leaflet.js leaflet.js && take dist/leaflet.css leaflet.css; then
  { printf 'leaflet %s\n\n' "$(field leaflet version)"; tar -xzOf "$tar" package/LICENSE; } >>"$out/licenses.txt"
elif [ -f "$debian/leaflet.js" ]; then
  cp -L "$debian/leaflet.js" "$debian/leaflet.css" "$out" && chmod u+w "$out"/leaflet.*
  { printf 'leaflet\n\n'; cat /usr/share/doc/libjs-leaflet/copyright; } >>"$out/licenses.txt"
  echo "vendor: leaflet is Debian's" >&2
else
  echo "vendor: no leaflet, neither from npm nor Debian's libjs-leaflet: 'stacchip browse' will have no page (make clean-page tries again)" >&2
fi
if fetch world-atlas && take countries-50m.json world.json; then
  { printf '\n\nworld-atlas %s (data: Natural Earth, public domain)\n\n' "$(field world-atlas version)"; tar -xzOf "$tar" package/LICENSE; } >>"$out/licenses.txt"
else
  echo "vendor: no outline of the world (make clean-page tries again)" >&2
fi
