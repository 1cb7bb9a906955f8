#!/bin/bash
# demo.sh [ITEM]: run examples/demo.sql on an item, printing each statement and its result.
# Without ITEM on a small synthetic scene, made first. Results go to build/demo.
set -eu
cd "$(dirname "$0")/.."
out=build/demo
mkdir -p "$out"
item=${1:-}
if [ -z "$item" ]; then
  item=$out/scene/item.json
  [ -f "$item" ] || build/release/make_scene sentinel-2 "$out/scene"
fi
quote() { printf '%s' "$1" | sed "s/'/''/g; s/[&|\\\\]/\\\\&/g"; }
sed "s|{ITEM}|$(quote "$item")|; s|{OUT}|$out|" examples/demo.sql >"$out/demo.sql"
sqlite3 -batch -bail -box -cmd '.echo on' :memory: <"$out/demo.sql"
echo "Pictures and arrays: $out/chip.png, $out/chip.npy"
