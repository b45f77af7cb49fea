#!/bin/sh
# `build.sh OUTPUT` makes OUTPUT/zig.wasm. Needs Zig 0.14; Python has it as a package, ziglang.
set -eu
output=$(cd "$1" && pwd)
cd "$(dirname "$0")"
command -v zig > /dev/null || { echo "zig is missing: https://ziglang.org/download" >&2; exit 3; }
zig build-exe hello.zig -target wasm32-wasi -O ReleaseSmall --cache-dir cache --global-cache-dir cache \
    -femit-bin="$output/zig.wasm"
rm -f "$output/zig.wasm.o"
