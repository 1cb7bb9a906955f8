#!/bin/bash
# run.sh ROOT TEST...: unit tests of the build for arm64 under qemu-user, which finds their libraries and data in ROOT.
root=$(realpath "$1"); shift
command -v qemu-aarch64 >/dev/null || { echo 'aarch64: compiled; its tests are skipped, no qemu-aarch64 (make deps-packages)'; exit 0; }
export SC_EMULATED=1
failed=0
for test; do
  line=$(qemu-aarch64 -L "$root" -E LD_LIBRARY_PATH="$PWD/build/aarch64" "build/aarch64/tests/$test" 2>&1 | tee "build/aarch64/$test.log" | tail -n 1)
  printf '%-40s %s\n' "$test" "$line"
  [[ $line =~ ^[0-9]+\ passed,\ 0\ failed ]] || { failed=1; tail -n 20 "build/aarch64/$test.log"; }
done
exit $failed
