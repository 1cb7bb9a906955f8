#!/bin/bash
# bench_parquet.sh PROGRAM N: export of N chips beside DuckDB's, file sizes, import, box query.
# We write from a merged index and from a plain table, along the Hilbert curve and with the bbox
# column that GeoParquet readers prune by; DuckDB writes the nine columns from its own table, as
# they come, to zstd: from memory, and from a database file as ours are. Each side has as many
# threads as there are processors, its own default settings, a process of its own, and syncs its
# file. Import is of the same rows: from the table, from our file, and from a table in our file's
# order. All in turn, ROUNDS (3) times: the machine may be shared; ratios are of pairs, their median
# and range.
set -e
program=$1 n=$2 rounds=${ROUNDS:-3}
here=$(dirname "$0")
dir=${BENCH_DIR:-$(mktemp -d)}
[ -n "$BENCH_DIR" ] || trap 'rm -rf "$dir"' EXIT
db=$dir/chips.db merged=$dir/merged.db ordered=$dir/ordered.db new=$dir/new.db
[ -f "$db" ] || "$program" fill "$db" "$n"
size() { stat -c %s "$1"; }
rate() { sed -n 's/ rows\/s.*//p' | head -n 1; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f\n", a / b }'; }
middle() { sort -n "$dir/$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)], "(" v[1] " to " v[NR] ")" }'; }
note() { echo "$2" >>"$dir/$1.rates"; }
pair() { ratio "$2" "$3" >>"$dir/$1.ratios"; }
export_of() { "$program" export "$1" "$dir/ours.parquet" '{}' | rate; }
import_of() { "$program" import "$new" "$1" | rate; }
duck() { node "$here/bench_parquet.js" "$dir/plain.parquet" "$dir/duck.parquet" "$@" | rate; }

"$program" export "$db" "$dir/plain.parquet" '{"sort":"none"}' >"$dir/plain.txt"
"$program" import "$merged" "$db" >/dev/null
export_of "$db" >/dev/null
[ -f "$ordered" ] || "$program" order "$ordered" "$dir/ours.parquet"
rm -f "$dir"/*.rates "$dir"/*.ratios "$dir/duck.db"
duck "$dir/duck.db" >/dev/null
for ((i = 0; i < rounds; i++)); do
  m=$(export_of "$merged") d=$(duck :memory:) o=$(export_of "$db") f=$(duck "$dir/duck.db")
  note merged "$m"; note duck "$d"; note table "$o"; note duckfile "$f"
  pair merged "$m" "$d"; pair table "$o" "$d"; pair mergedfile "$m" "$f"; pair tablefile "$o" "$f"
done
for ((i = 0; i < rounds; i++)); do
  t=$(import_of "$db") p=$(import_of "$dir/ours.parquet") o=$(import_of "$ordered")
  note in_table "$t"; note in_parquet "$p"; note in_ordered "$o"
  pair in_table "$p" "$t"; pair in_ordered "$p" "$o"
done
rm -f "$new"
node "$here/bench_parquet.js" "$dir/plain.parquet" "$dir/duckbox.parquet" :memory: bbox >/dev/null
echo "export of $n chips, Hilbert order, zstd, rows/s: median (range)"
echo "  from a merged index                      $(middle merged.rates)"
echo "  from a table                             $(middle table.rates)"
echo "  from a table, without sorting            $(rate <"$dir/plain.txt")"
echo "  DuckDB, from its own table in memory     $(middle duck.rates)"
echo "  DuckDB, from its own table in a file     $(middle duckfile.rates)"
echo "  merged index / DuckDB in memory          $(middle merged.ratios) (aim 1, accept 0.6)"
echo "  table / DuckDB in memory                 $(middle table.ratios) (aim 1, accept 0.6)"
echo "  merged index / DuckDB in a file          $(middle mergedfile.ratios)"
echo "  table / DuckDB in a file                 $(middle tablefile.ratios)"
echo "file size, ours / DuckDB with bbox         $(ratio "$(size "$dir/ours.parquet")" "$(size "$dir/duckbox.parquet")") (accept 1.1)"
echo "file size, ours / DuckDB without bbox      $(ratio "$(size "$dir/ours.parquet")" "$(size "$dir/duck.parquet")")"
echo "import into a new merged index, rows/s:"
echo "  from a table                             $(middle in_table.rates)"
echo "  from our Parquet                         $(middle in_parquet.rates)"
echo "  from a table in the order of our Parquet $(middle in_ordered.rates)"
echo "  Parquet / table                          $(middle in_table.ratios) (accept 0.8)"
echo "  Parquet / table in its order             $(middle in_ordered.ratios)"
echo "box of half a degree (accept 5 %):"; "$program" box "$dir/ours.parquet" "$(size "$dir/ours.parquet")" | sed 's/^/  /'
