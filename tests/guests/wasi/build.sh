#!/usr/bin/env bash
# Builds tests of WASI that others wrote: `build.sh OUTPUT` fills the folder OUTPUT with a module for each.
#
# They are the C programs that Node.js tests its own WASI with (its licence is MIT), out of Debian's source package, which
# `setup wasi` has put aside. Without it there are none, which is said.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../../.." && pwd)
source=${CARGO_TARGET_DIR:-$root/target}/sources/nodejs/test/wasi/c

[ $# -eq 1 ] || { echo "usage: build.sh OUTPUT" >&2 && exit 1; }
mkdir -p "$1"
output=$(CDPATH='' cd -- "$1" && pwd)

if [ ! -d "$source" ]; then
    echo "build.sh: the tests of Node.js are left out: there are none in $source" >&2
    rm -f "$output"/*.wasm
    exit 0
fi
for program in "$source"/*.c; do
    module=$output/$(basename "$program" .c).wasm
    [ "$module" -nt "$program" ] && [ "$module" -nt "$here/sandbox.c" ] && [ "$module" -nt "$here/build.sh" ] &&
        continue
    # Their asserts are what tests. The emulation is what `getrusage` is made of.
    clang --target=wasm32-wasi ${WASI_SYSROOT:+--sysroot="$WASI_SYSROOT"} -Os -w -UNDEBUG -D_GNU_SOURCE \
        -D_WASI_EMULATED_PROCESS_CLOCKS -Wl,--strip-all -Wl,-z,stack-size=65536 "$program" "$here/sandbox.c" \
        -lwasi-emulated-process-clocks -o "$module"
done
