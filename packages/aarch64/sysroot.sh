#!/bin/bash
# sysroot.sh FOLDER PACKAGE...: the files of arm64's packages, and of all that they need, in FOLDER: what a cross-compiler's
# --sysroot and qemu-user's -L take. apt works on lists of its own there, so that nothing of this system changes and no
# root is needed.
set -eu
folder=$(realpath -m "$1"); shift
apt=$folder/var/lib/sysroot
mkdir -p "$apt"/{lists/partial,archives/partial} "$folder"/usr/{bin,sbin,lib}
for f in bin sbin lib; do ln -sfn usr/$f "$folder/$f"; done # before a package makes folders of them
: >"$apt/status"
options=(-qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$apt" -o Dir::State::Lists="$apt/lists" -o Dir::State::status="$apt/status"
  -o Dir::Cache="$apt" -o Dir::Cache::Archives="$apt/archives" -o Debug::NoLocking=1 -o APT::Sandbox::User= -o APT::Install-Recommends=0
  -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null)
. /etc/os-release
echo "deb ${DEBIAN_MIRROR:-http://deb.debian.org/debian} $VERSION_CODENAME main" >"$apt/sources.list"
apt-get "${options[@]}" update
apt-get "${options[@]}" --download-only -y install "$@"
for deb in "$apt"/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$folder" --keep-directory-symlink --no-same-owner --exclude=./usr/share/{doc,man,locale}
  rm "$deb"
done
# Links of alternatives, as packages' scripts would make them: the BLAS that GDAL's libraries ask for.
for lib in blas/libblas.so.3 lapack/liblapack.so.3; do
  name=usr/lib/aarch64-linux-gnu/${lib##*/}
  [ -e "$folder/$name" ] || [ ! -e "$folder/usr/lib/aarch64-linux-gnu/$lib" ] || ln -s "$lib" "$folder/$name"
done
