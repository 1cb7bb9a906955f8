#!/bin/bash
# check.sh PACKAGES SCENE [SUITE...]: every package in empty trees of Debian (bookworm, trixie): built where it has to be,
# installed, used, taken out again; sizes and times are printed. Run by `make check-packages`, as root: trees are made with debootstrap,
# in build/trees (TREES), and kept there empty for the next run. PARTS="wheel deb" are some of twice, wheel, npm, archive, deb.
set -euo pipefail
packages=$(realpath "$1") scene=$(realpath "$2"); shift 2
suites=("${@:-bookworm}"); [ $# = 0 ] && suites=(bookworm trixie)
trees=$(realpath -m "${TREES:-build/trees}")
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
limit=20 # seconds that an installation may take once everything is there
failed=0
[ "$(id -u)" = 0 ] || { echo 'check-packages: skipped, it makes trees with debootstrap, which takes root'; exit 0; }
command -v debootstrap >/dev/null || { echo 'check-packages: skipped, there is no debootstrap (make deps-packages)'; exit 0; }

tree= # the one in use
leave() {
  [ -n "$tree" ] || return 0
  for m in dev proc; do ! mountpoint -q "$tree/$m" || umount "$tree/$m"; done
  rm -rf --one-file-system "$tree"
  tree=
}
trap leave EXIT
# enter SUITE: a fresh tree with nothing but Debian's smallest system, the packages and the scene.
enter() {
  leave
  [ -f "$trees/$1/.whole" ] || { rm -rf "${trees:?}/$1"; mkdir -p "$trees"; debootstrap --variant=minbase "$1" "$trees/$1" "$mirror" >"$trees/$1.log" && touch "$trees/$1/.whole"; }
  tree=$(mktemp -d -p "$trees" "$1.XXXXXX")
  cp -a --reflink=auto "$trees/$1/." "$tree"
  cp -L /etc/resolv.conf "$tree/etc/"
  for f in /etc/apt/apt.conf.d/99*; do [ ! -f "$f" ] || cp "$f" "$tree/etc/apt/apt.conf.d/"; done
  echo 'Dpkg::Use-Pty "0";' >"$tree/etc/apt/apt.conf.d/99check" # it has no terminals
  mkdir "$tree/packages" && cp -R "$packages/." "$tree/packages" && cp -R "$scene" "$tree/scene"
  mount -t proc proc "$tree/proc" && mount --bind /dev "$tree/dev"
  inside 'useradd -m user && apt-get update -qq'
}
inside() { chroot "$tree" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" bash -ec "$*"; }
as_user() { inside "exec setpriv --reuid=user --regid=user --clear-groups env HOME=/home/user bash -ec 'cd; $*'"; }
fetch() { inside "apt-get install -y --no-install-recommends $* >/tmp/apt.log 2>&1 || { tail -n 20 /tmp/apt.log; exit 1; }"; }
size() { stat -c %s "$@" | awk '{ n += $1 } END { printf "%.1f MB", n / 1e6 }'; }

# timed NAME SIZE COMMAND: run it, print how long it took. More than the limit of CPU is a failure; the clock may be shared.
timed() {
  local name=$1 bytes=$2 t; shift 2
  TIMEFORMAT='%R %U %S'
  t=$({ time "$@" >"$trees/log" 2>&1; } 2>&1) || { cat "$trees/log"; echo "$name: FAILED"; failed=1; return 0; }
  awk -v name="$name" -v bytes="$bytes" -v limit=$limit '{ printf "%-44s %10s %6.1f s, CPU %.1f s\n", name, bytes, $1, $2 + $3; exit $2 + $3 > limit }' <<<"$t" || failed=1
}
# gives NAME EXPECTED COMMAND: its output has to be this.
gives() {
  local name=$1 expected=$2 out; shift 2
  out=$("$@" 2>&1) || true
  [ "$out" = "$expected" ] || { echo "$name: expected $expected, got: $out"; failed=1; }
}

python_code='import stacchip
db = stacchip.connect(":memory:")
query = "SELECT chipid, stacchip_chip(row) FROM stacchip_index(?) WHERE cloud_cover_percentage < 0.1 LIMIT 5"
for chipid, pixels in db.execute(query, ["/scene/item.json"]):
    print(chipid, len(pixels))'
check_wheel() {
  enter "$1"; fetch python3-venv
  printf '%s\n' "$python_code" >"$tree/tmp/five.py"
  timed "$1: pip install" "$(size "$packages"/*.whl)" as_user 'python3 -m venv v && v/bin/pip install -q --no-index /packages/*.whl'
  timed "$1: five lines of Python" '' as_user 'v/bin/python /tmp/five.py | grep -c " 1310848$" | grep -qx 5'
  gives "$1: the program" "stacchip $VERSION" as_user 'v/bin/stacchip --version'
}

node_code='const db = new (require("better-sqlite3"))(":memory:");
require("stacchip").load(db);
const query = "SELECT chipid, stacchip_chip(row) AS pixels FROM stacchip_index(?) WHERE cloud_cover_percentage < 0.1 LIMIT 5";
for (const { chipid, pixels } of db.prepare(query).iterate("/scene/item.json"))
  console.log(chipid, pixels.length);'
check_npm() {
  enter "$1"; fetch nodejs npm libnode-dev build-essential python3 ca-certificates
  [ ! -f /etc/ssl/certs/ca-certificates.crt ] || cp /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/"
  printf '%s\n' "$node_code" >"$tree/tmp/five.js"
  as_user 'mkdir app && cd app && npm init -y >/dev/null && npm_config_build_from_source=true npm_config_nodedir=/usr NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt npm install --no-audit --no-fund better-sqlite3@11.10.0 >/tmp/npm.log 2>&1 || { tail -n 20 /tmp/npm.log; exit 1; }'
  timed "$1: npm install" "$(size "$packages"/*.tgz)" as_user 'cd app && npm install --offline --no-audit --no-fund /packages/stacchip*.tgz'
  timed "$1: five lines of JavaScript" '' as_user 'cd app && cp /tmp/five.js . && node five.js | grep -c " 1310848$" | grep -qx 5'
}

sql_code=".load .local/lib/stacchip/stacchip
.mode list
SELECT chipid, length(stacchip_chip(row))
FROM stacchip_index('/scene/item.json')
WHERE cloud_cover_percentage < 0.1 LIMIT 5;"
check_archive() {
  enter "$1"; fetch sqlite3
  printf '%s\n' "$sql_code" >"$tree/tmp/five.sql"
  timed "$1: install.sh" "$(size "$packages"/*loadable*.tar.gz)" as_user 'sh /packages/install.sh'
  timed "$1: five lines of SQL" '' as_user 'sqlite3 </tmp/five.sql | grep -c "|1310848$" | grep -qx 5'
  gives "$1: the program" "stacchip $VERSION" as_user '.local/bin/stacchip --version'
  as_user 'sh /packages/install.sh --remove >/dev/null'
  gives "$1: after --remove" '' as_user 'find .local ! -type d'
}

# check_deb SUITE SOURCES: built in a clean tree, then used in another.
check_deb() {
  enter "$1"; fetch make build-essential debhelper lintian fakeroot curl ca-certificates $DEPS_BUILD
  mkdir "$tree/src" && tar -xf "$2" -C "$tree/src"
  inside 'cd /src && make deb DEB_FLAGS=-j2 >/tmp/deb.log 2>&1 || { tail -n 40 /tmp/deb.log; exit 1; }'
  inside 'cd /src/build/deb && lintian --allow-root --fail-on error *.changes' || { echo "$1: lintian: FAILED"; failed=1; }
  local debs=$trees/$1.debs
  rm -rf "$debs" && mkdir "$debs" && cp "$tree"/src/build/deb/*_"$VERSION"_*.deb "$debs" && rm -f "$debs"/*dbgsym*
  inside "cd /src && apt-get install -y -qq --no-install-recommends ./build/deb/*dev*.deb ./build/deb/libsqlite3*[a-z]_*.deb >/dev/null 2>&1 && cc -o /tmp/embed examples/embed.c \$(pkg-config --static --cflags --libs stacchip sqlite3)"
  gives "$1: a program with libstacchip-dev" 1 inside '/tmp/embed /scene/item.json | grep -c "bytes = 1310848"'

  enter "$1"; fetch sqlite3
  cp -R "$debs" "$tree/debs"
  inside 'apt-get install -y --no-install-recommends --download-only /debs/libsqlite3*.deb /debs/stacchip_*.deb >/dev/null 2>&1'
  timed "$1: apt install" "$(size "$debs"/libsqlite3*.deb "$debs"/stacchip_*.deb)" inside 'apt-get install -y --no-install-recommends /debs/libsqlite3*.deb /debs/stacchip_*.deb'
  sed 's,.local/lib/stacchip/,,' <<<"$sql_code" >"$tree/tmp/five.sql"
  timed "$1: five lines of SQL" '' as_user 'sqlite3 </tmp/five.sql | grep -c "|1310848$" | grep -qx 5'
  gives "$1: the program" "stacchip $VERSION" as_user 'stacchip --version'
  inside 'apt-get remove -y -qq stacchip >/dev/null'
  gives "$1: the extension without the program" 30 as_user 'sqlite3 :memory: ".load stacchip" "SELECT count(*) FROM stacchip_index(\"/scene/item.json\")"'
  inside 'apt-get purge -y -qq libsqlite3-mod-stacchip >/dev/null && dpkg --purge stacchip >/dev/null 2>&1'
  gives "$1: after purge" '' inside "find / -xdev -name '*stacchip*' ! -path '/packages/*' ! -path '/debs/*'"
}

# Built twice, in folders of different names: the same bytes.
check_twice() {
  local folder sums=()
  for folder in "$trees/one" "$trees/another one"; do
    rm -rf "$folder" && mkdir -p "$folder" && tar -xf "$1" -C "$folder"
    env -u MAKEFLAGS -u MFLAGS CCACHE_DISABLE=1 make -s -j2 -C "$folder" release BUNDLE=build/plain >"$trees/log" 2>&1 || { tail -n 20 "$trees/log"; failed=1; return 0; }
    sums+=("$(cat "$folder/build/packages/SHA256SUMS")")
    rm -rf "$folder"
  done
  [ "${sums[0]}" = "${sums[1]}" ] && echo "two builds of a release: the same bytes" || { echo "two builds of a release differ"; printf '%s\n' "${sums[@]}"; failed=1; }
}

sources=$(mktemp)
tar -c --exclude=./build --exclude=./.git --exclude=node_modules --exclude=__pycache__ --exclude='./stacchip*.so' . >"$sources"
tar -rf "$sources" ./build/vendor # what the page takes from others: fetched once
parts=${PARTS:-twice wheel npm archive deb}
if ! ls "$packages"/*manylinux*.whl >/dev/null 2>&1; then
  echo 'the packages are of the ordinary build, which no empty system can load: make bundle first. Tried are Debian packages alone'
  parts=$(printf '%s\n' $parts | grep -vE 'wheel|npm|archive' || true)
fi
for part in $parts; do [ "$part" != twice ] || check_twice "$sources"; done
for suite in "${suites[@]}"; do
  for part in $parts; do [ "$part" = twice ] || "check_$part" "$suite" "$sources"; done
done
rm -f "$sources"
[ $failed = 0 ] && echo 'check-packages: all well' || { echo 'check-packages: FAILED'; exit 1; }
