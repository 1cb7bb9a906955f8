#!/bin/bash
# link.sh ROOT: compile ROOT/stacchip, link it with the libraries of ROOT/prefix (see build.sh) and lay out ROOT/out.
# stacchip_raster.so holds the raster half, SpatiaLite and the program: one copy of SQLite, PROJ, GEOS, OpenSSL and the
# codecs. mod_spatialite.so and the program itself only open it.
set -euo pipefail
root=$1 prefix=$1/prefix out=$1/out
export SOURCE_DATE_EPOCH=1700000000 LC_ALL=C TZ=UTC CCACHE_DIR=$root/ccache
export PKG_CONFIG_LIBDIR=$prefix/lib/pkgconfig CPPFLAGS="-isystem $prefix/include"
# Nothing is kept that nobody calls, nothing but the entries is exported, all addresses are bound when it is opened.
link="-Wl,--gc-sections -Wl,-O1 -Wl,--as-needed -Wl,-z,relro,-z,now -Wl,--build-id=none -s -L$prefix/lib"
codecs="-lcjson -lsnappy -lbrotlidec -lbrotlicommon -llz4 -lzstd -lz -ldeflate"
pictures="-ltiff -lwebp -lLerc -ljpeg -llzma -lpng16 -lopenjp2"
all="-lgdal -lproj -lgeos_c -lgeos -lsqlite3 $pictures -lcurl -lnghttp2 -lssl -lcrypto -lmicrohttpd $codecs"
system="-lstdc++ -lm -ldl -lpthread"
# Nothing that is opened here could meet a copy of the host's, so RTLD_DEEPBIND, which a replaced malloc() forbids, has
# no use. Warnings are for compilers of this decade: GCC 10 sees some where there is nothing.
options=(CC="ccache gcc" WARN= OPT_release="-O2 -ffunction-sections -fdata-sections -fno-unwind-tables -fno-asynchronous-unwind-tables -ffile-prefix-map=$root/= -DSC_NO_DEEPBIND")

cd "$root/stacchip"
# A part that exports only its entry: program and SpatiaLite each have a pointer to SQLite, and names, of their own.
isolate() { # isolate FILE OLD NEW: the entry OLD of an object becomes NEW, all else local to it
  local object=$1.o
  objcopy --redefine-sym "$2=$3" --keep-global-symbol="$3" "$1" "$object"
}
make -s -j "${BUNDLE_JOBS:-$(nproc)}" "${options[@]}" build/release/libstacchip.a $(make -s "${options[@]}" print-cli)
ld -r -o cli $(make -s "${options[@]}" print-cli) build/release/libstacchip.a
isolate cli main program_main
ld -r -o spatialite --undefined=sqlite3_modspatialite_init "$root/build/spatialite/src/.libs/mod_spatialite.a"
isolate spatialite sqlite3_modspatialite_init spatialite_init
gcc -O2 -fPIC -fvisibility=hidden $CPPFLAGS -c -o parts.o "$root/recipe/parts.c"
printf '{ global: stacchip_raster_api; stacchip_spatialite_init; stacchip_main; local: *; };\n' >raster.map
make -s -j "${BUNDLE_JOBS:-$(nproc)}" "${options[@]}" LDFLAGS="$link" CORE_SO_LIBS="-Wl,--exclude-libs,ALL $codecs $system" \
  RASTER_LIBS="cli.o spatialite.o parts.o -Wl,-z,muldefs -Wl,--version-script=raster.map -Wl,--start-group $all -Wl,--end-group $system" \
  build/release/stacchip.so build/release/stacchip_raster.so

rm -rf "$out"
mkdir -p "$out/share/proj" "$out/licenses"
install -m 755 build/release/{stacchip.so,stacchip_raster.so} "$out"
gcc -O2 -fPIC -fvisibility=hidden -shared $CPPFLAGS $link -o "$out/mod_spatialite.so" "$root/recipe/mod_spatialite.c" -ldl
gcc -O2 -fPIE -pie $link -o "$out/stacchip" "$root/recipe/program.c" -ldl
install -m 644 "$prefix"/share/proj/proj.{db,ini} "$out/share/proj"
install -m 644 LICENSE "$out/licenses/stacchip"
[ -f build/gen/page/licenses.txt ] && install -m 644 build/gen/page/licenses.txt "$out/licenses/stacchip-browse"
for copyright in "$root"/src/*/debian/copyright; do
  name=${copyright%/debian/copyright}
  install -m 644 "$copyright" "$out/licenses/${name##*/}"
done
grep -v '^#' "$root/recipe/sources" | awk '{ n = split($3, p, "/"); sub(/\.dsc$/, "", p[n]); print $1, p[n] }' >"$out/licenses/SOURCES"
# The oldest glibc that has every symbol used.
for file in "$out"/*.so "$out/stacchip"; do objdump -T "$file"; done | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1 | sed s/GLIBC_// >"$out/glibc"
find "$out" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
