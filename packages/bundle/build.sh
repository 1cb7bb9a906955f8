#!/bin/bash
# build.sh ROOT: build the libraries of ROOT/src (see fetch.sh), without what the extension does not use, as static
# libraries into ROOT/prefix. What was built from the same source by the same recipe is left alone. Run in the tree that tree.sh makes, always at the same ROOT: same bytes.
set -euo pipefail
root=$1
src=$root/src prefix=$root/prefix
jobs=${BUNDLE_JOBS:-$(nproc)}
export SOURCE_DATE_EPOCH=1700000000 LC_ALL=C TZ=UTC PKG_CONFIG_PATH=$prefix/lib/pkgconfig
export CCACHE_DIR=$root/ccache CC="ccache gcc" CXX="ccache g++"
# Sections, so that the linker drops what nobody calls; no tables to unwind C, which no exception passes; no unique
# symbols, which the loader would share with the host's copies whatever their visibility.
common="-O2 -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections -ffile-prefix-map=$root/= -DNDEBUG"
export CFLAGS="$common -fno-unwind-tables -fno-asynchronous-unwind-tables" CXXFLAGS="$common -fvisibility-inlines-hidden -fno-gnu-unique"
export CPPFLAGS="-I$prefix/include" LDFLAGS="-L$prefix/lib"

cmake_build() { # cmake_build NAME [OPTION...]: configure, build and install the source in src/NAME
  local name=$1; shift
  cmake -G Ninja -S "$src/$name" -B "$root/build/$name" -DCMAKE_BUILD_TYPE=None -DCMAKE_INSTALL_PREFIX="$prefix" \
    -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_FIND_ROOT_PATH="$prefix" -DBUILD_SHARED_LIBS=OFF \
    -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_C_COMPILER=gcc -DCMAKE_CXX_COMPILER=g++ \
    -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DBUILD_TESTING=OFF "$@"
  ninja -C "$root/build/$name" -j "$jobs" install
}
configure_build() { # configure_build NAME [OPTION...]: in a copy, since some take headers from beside their sources
  local name=$1; shift
  cp -a "$src/$name" "$root/build/"; cd "$root/build/$name"
  ./configure --prefix="$prefix" --disable-shared --enable-static --with-pic --disable-dependency-tracking "$@"
  make -j "$jobs"
  make install
}
make_copy() { # make_copy NAME[/FOLDER] ARGUMENT...: of what builds in its own folder only
  local folder=$1; shift
  cp -a "$src/${folder%%/*}" "$root/build/"
  make -C "$root/build/$folder" -j "$jobs" CFLAGS="$CFLAGS" PREFIX="$prefix" "$@"
}

build_zlib() {
  mkdir -p "$root/build/zlib"; cd "$root/build/zlib"
  "$src/zlib/configure" --static --prefix="$prefix"
  make -j "$jobs" libz.a && make install
}
build_libdeflate() {
  make_copy libdeflate DISABLE_SHARED=yes install
  rm -f "$prefix"/bin/libdeflate-*
}
build_zstd() { make_copy zstd/lib ZSTD_LEGACY_SUPPORT=0 ZSTD_LIB_DICTBUILDER=0 ZSTD_LIB_DEPRECATED=0 libzstd.a libzstd.pc install-static install-includes install-pc; }
build_lz4() { make_copy lz4/lib BUILD_SHARED=no install; }
build_brotli() { # both kinds are always made
  cmake_build brotli -DBROTLI_DISABLE_TESTS=ON
  rm -f "$prefix"/lib/libbrotli*.so*
  for part in common dec enc; do mv "$prefix/lib/libbrotli$part-static.a" "$prefix/lib/libbrotli$part.a"; done
}
build_snappy() { # Debian's patch makes a static library beside a shared one, never alone
  cmake_build snappy -DBUILD_SHARED_LIBS=ON -DSNAPPY_BUILD_TESTS=OFF -DSNAPPY_BUILD_BENCHMARKS=OFF
  rm "$prefix"/lib/libsnappy.so*
}
build_cjson() { cmake_build cjson -DENABLE_CJSON_TEST=OFF -DENABLE_CUSTOM_COMPILER_FLAGS=OFF; }
build_xz() { configure_build xz --disable-xz --disable-xzdec --disable-lzmadec --disable-lzmainfo --disable-scripts --disable-doc --disable-nls; }
build_jpeg() { # without its other interface the static library is made, and not installed
  cmake_build jpeg -DENABLE_SHARED=OFF -DWITH_TURBOJPEG=OFF
  cp "$root/build/jpeg/libjpeg.a" "$prefix/lib"
  cp "$root/build/jpeg/pkgscripts/libjpeg.pc" "$prefix/lib/pkgconfig"
}
build_png() { configure_build png --disable-tests --disable-tools; }
build_webp() { configure_build webp --disable-libwebpdemux --disable-libwebpmux --disable-png --disable-jpeg --disable-tiff --disable-gif --disable-sdl --disable-gl; }
build_lerc() { cmake_build lerc; }
build_openjpeg() { cmake_build openjpeg -DBUILD_CODEC=OFF; }
build_tiff() { cmake_build tiff -Dtiff-tools=OFF -Dtiff-tests=OFF -Dtiff-contrib=OFF -Dtiff-docs=OFF -Djbig=OFF -Dcxx=OFF; }
build_sqlite() { # for PROJ and the program, with Debian's options; an application has its own
  local on
  on=$(printf -- '-DSQLITE_ENABLE_%s ' COLUMN_METADATA RTREE FTS3 FTS3_PARENTHESIS FTS3_TOKENIZER FTS4 FTS5 MATH_FUNCTIONS DBSTAT_VTAB \
    UNLOCK_NOTIFY UPDATE_DELETE_LIMIT STMTVTAB LOAD_EXTENSION)
  CFLAGS="$CFLAGS $on -DSQLITE_SECURE_DELETE -DSQLITE_USE_URI=1 -DSQLITE_MAX_VARIABLE_NUMBER=250000 -DSQLITE_MAX_SCHEMA_RETRY=25 \
    -DSQLITE_LIKE_DOESNT_MATCH_BLOBS -DSQLITE_ALLOW_ROWID_IN_VIEW=1" configure_build sqlite --disable-tcl --disable-readline
}
build_openssl() {
  mkdir -p "$root/build/openssl"; cd "$root/build/openssl"
  # No file of the host's OpenSSL is read but its certificates: it may be of another version.
  perl "$src/openssl/Configure" linux-x86_64 --prefix="$prefix" --libdir=lib --openssldir=/etc/ssl no-shared no-dso no-module \
    no-engine no-legacy no-autoload-config no-tests no-ui-console no-comp no-srp no-psk no-dtls no-ssl3 no-weak-ssl-ciphers \
    no-idea no-seed no-camellia no-aria no-bf no-cast no-rc2 no-rc4 no-md4 no-mdc2 no-whirlpool no-sm2 no-sm3 no-sm4 \
    no-cms no-ts no-cmp no-ct no-gost no-rfc3779 no-deprecated
  make -j "$jobs" build_libs
  make install_dev
}
build_nghttp2() { cmake_build nghttp2 -DENABLE_LIB_ONLY=ON -DENABLE_STATIC_LIB=ON -DENABLE_SHARED_LIB=OFF; }
build_microhttpd() { configure_build microhttpd --disable-https --disable-doc --disable-examples --disable-curl; }
build_curl() {
  cmake_build curl -DBUILD_CURL_EXE=OFF -DHTTP_ONLY=ON -DCURL_USE_OPENSSL=ON -DOPENSSL_ROOT_DIR="$prefix" -DOPENSSL_USE_STATIC_LIBS=ON -DUSE_NGHTTP2=ON \
    -DCURL_BROTLI=ON -DCURL_ZSTD=ON -DCURL_USE_LIBPSL=OFF -DUSE_LIBIDN2=OFF -DCURL_USE_LIBSSH2=OFF -DCURL_CA_BUNDLE=none -DCURL_CA_PATH=none \
    -DCURL_DISABLE_NTLM=ON -DCURL_DISABLE_ALTSVC=ON -DCURL_DISABLE_HSTS=ON -DENABLE_MANUAL=OFF -DENABLE_THREADED_RESOLVER=ON
}
build_geos() { cmake_build geos -DBUILD_GEOSOP=OFF -DBUILD_BENCHMARKS=OFF; }
build_proj() {
  cmake_build proj -DCMAKE_C_COMPILER_LAUNCHER="$root/recipe/launch.sh" -DCMAKE_CXX_COMPILER_LAUNCHER="$root/recipe/launch.sh" -DBUILD_APPS=OFF -DENABLE_TIFF=ON -DENABLE_CURL=OFF -DPROJ_DATA_ENV_VAR_TRIED_LAST=ON -DEXE_SQLITE3="$root/recipe/sqlite3-fast.sh"
}
build_spatialite() { # only the archive of the module; link.sh makes the library. Its configure does not know what static ones need.
  local libs="-lgeos_c -lgeos -lproj -lsqlite3 -ltiff -lwebp -lLerc -ljpeg -llzma -lzstd -ldeflate -lz -lstdc++ -lm -ldl -lpthread"
  printf '#!/bin/sh\nexec ccache gcc "$@" %s\n' "$libs" >"$root/build/gcc-static"
  chmod +x "$root/build/gcc-static"
  CC="$root/build/gcc-static" CFLAGS="${CFLAGS/-O2 -fPIC -fvisibility=hidden/-Os -fPIC}" configure_build spatialite --enable-module-only --disable-freexl --disable-libxml2 \
    --disable-minizip --disable-rttopo --disable-gcp --disable-examples --enable-geos --enable-proj --with-geosconfig="$prefix/bin/geos-config"
  # Its list of SRIDs, compressed.
  local archive=src/.libs/mod_spatialite.a headers="-DLOADABLE_EXTENSION -I. -Isrc/headers"
  gcc -O2 -include stdio.h $headers $CPPFLAGS -o epsg_pack "$root/recipe/epsg_pack.c" $archive -L"$prefix/lib" $libs
  ./epsg_pack >epsg_table.h
  gcc $CFLAGS $headers $CPPFLAGS -c -o epsg_packed.o "$root/recipe/epsg_packed.c"
  ar d $archive $(ar t $archive | grep epsg_inlined)
  ar r $archive epsg_packed.o
}
build_gdal() {
  cmake_build gdal -DCMAKE_C_COMPILER_LAUNCHER="$root/recipe/launch.sh" -DCMAKE_CXX_COMPILER_LAUNCHER="$root/recipe/launch.sh" -DGDAL_BUILD_OPTIONAL_DRIVERS=OFF -DOGR_BUILD_OPTIONAL_DRIVERS=OFF -DBUILD_APPS=OFF -DBUILD_PYTHON_BINDINGS=OFF \
    -DBUILD_JAVA_BINDINGS=OFF -DBUILD_CSHARP_BINDINGS=OFF -DENABLE_GNM=OFF -DENABLE_PAM=ON -DGDAL_USE_EXTERNAL_LIBS=OFF -DGDAL_USE_INTERNAL_LIBS=OFF \
    -DGDAL_ENABLE_DRIVER_JPEG=ON -DGDAL_ENABLE_DRIVER_PNG=ON -DGDAL_ENABLE_DRIVER_JP2OPENJPEG=ON \
    -DOGR_ENABLE_DRIVER_FLATGEOBUF=ON -DOGR_ENABLE_DRIVER_CSV=ON \
    -DGDAL_USE_TIFF=ON -DGDAL_USE_GEOTIFF_INTERNAL=ON -DGDAL_USE_JSONC_INTERNAL=ON -DGDAL_USE_ZLIB=ON -DGDAL_USE_DEFLATE=ON \
    -DGDAL_USE_ZSTD=ON -DGDAL_USE_LERC=ON -DGDAL_USE_JPEG=ON -DGDAL_USE_PNG=ON -DGDAL_USE_OPENJPEG=ON -DGDAL_USE_CURL=ON -DGDAL_USE_OPENSSL=ON \
    -DGDAL_USE_GEOS=ON -DGDAL_USE_WEBP=ON -DGDAL_USE_LIBLZMA=ON
}

all="zlib libdeflate zstd lz4 brotli snappy cjson xz jpeg png webp lerc openjpeg tiff sqlite openssl nghttp2 microhttpd curl geos proj gdal spatialite"
mkdir -p "$root/done" "$root/log" "$root/build"
for name in $all; do
  # Of this source, this recipe, and all that was built before, of which it may use anything.
  recipe=$({ echo "${recipe:-$CFLAGS$CXXFLAGS}"; cat "$src/$name.version"; declare -f "build_$name" cmake_build configure_build make_copy; } | sha256sum)
  [ "$(cat "$root/done/$name" 2>/dev/null)" = "$recipe" ] && continue
  start=$SECONDS
  rm -rf "${root:?}/build/$name"
  set +e # in the condition of an `if` the steps of a function would not end it
  (set -e; cd "$root"; "build_$name") >"$root/log/$name" 2>&1 </dev/null
  code=$?
  set -e
  [ $code = 0 ] || { tail -n 30 "$root/log/$name" >&2; echo "build.sh: $name failed; all of it in $root/log/$name" >&2; exit 1; }
  echo "$recipe" >"$root/done/$name"
  echo "built $name ($((SECONDS - start)) s)"
done
