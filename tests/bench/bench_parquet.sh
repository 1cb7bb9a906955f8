#!/bin/bash
# bench_parquet.sh PROGRAM N: export of N chips beside DuckDB's, file sizes, import, box query.
# We write from a merged index and from a plain table, along the Hilbert curve and with the bbox
# column that GeoParquet readers prune by; DuckDB writes the nine columns from its own table, as
# they come, to zstd, and once more with the bbox column. In turn, several times: the machine may
# be shared; ratios are of pairs, their median and range.
set -e
program=$1 n=$2
here=$(dirname "$0")
dir=${BENCH_DIR:-$(mktemp -d)}
[ -n "$BENCH_DIR" ] || trap 'rm -rf "$dir"' EXIT
db=$dir/chips.db merged=$dir/merged.db
[ -f "$db" ] || "$program" fill "$db" "$n"
size() { stat -c %s "$1"; }
rate() { sed -n 's/ rows\/s.*//p' | head -n 1; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f\n", a / b }'; }
middle() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)], "(" v[1] " to " v[NR] ")" }'; }
"$program" export "$db" "$dir/plain.parquet" '{"sort":"none"}' >"$dir/plain.txt"
"$program" export "$db" "$dir/ours.parquet" '{}' >"$dir/o.txt"
"$program" import "$merged" "$db" "$dir/ours.parquet" >"$dir/import.txt"
rm -f "$dir"/*.rates "$dir"/*.ratios
for i in 1 2 3; do
  "$program" export "$merged" "$dir/ours.parquet" '{}' >"$dir/m.txt"
  node "$here/bench_parquet.js" "$dir/plain.parquet" "$dir/duck.parquet" >"$dir/d.txt"
  "$program" export "$db" "$dir/ours.parquet" '{}' >"$dir/o.txt"
  m=$(rate <"$dir/m.txt") d=$(rate <"$dir/d.txt") o=$(rate <"$dir/o.txt")
  echo "$m" >>"$dir/merged.rates"; echo "$d" >>"$dir/duck.rates"; echo "$o" >>"$dir/table.rates"
  ratio "$m" "$d" >>"$dir/merged.ratios"; ratio "$o" "$d" >>"$dir/table.ratios"
done
node "$here/bench_parquet.js" "$dir/plain.parquet" "$dir/duckbox.parquet" bbox >/dev/null
echo "export of $n chips, Hilbert order, zstd, rows/s: median (range)"
echo "  from a merged index                      $(middle <"$dir/merged.rates")"
echo "  from a table                             $(middle <"$dir/table.rates")"
echo "  from a table, without sorting            $(rate <"$dir/plain.txt")"
echo "  DuckDB, from its own table               $(middle <"$dir/duck.rates")"
echo "  merged index / DuckDB                    $(middle <"$dir/merged.ratios") (aim 1, accept 0.6)"
echo "  table / DuckDB                           $(middle <"$dir/table.ratios")"
echo "file size, ours / DuckDB with bbox         $(ratio "$(size "$dir/ours.parquet")" "$(size "$dir/duckbox.parquet")") (accept 1.1)"
echo "file size, ours / DuckDB without bbox      $(ratio "$(size "$dir/ours.parquet")" "$(size "$dir/duck.parquet")")"
echo "import into a new merged index (accept 0.8):"; sed 's/^/  /' "$dir/import.txt"
echo "box of half a degree (accept 5 %):"; "$program" box "$dir/ours.parquet" "$(size "$dir/ours.parquet")" | sed 's/^/  /'
