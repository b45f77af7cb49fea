#!/bin/sh
# `build.sh OUTPUT` makes OUTPUT/c.wasm. Needs Debian's clang, lld, wasi-libc and libclang-rt-dev-wasm32.
set -eu
output=$(cd "$1" && pwd)
cd "$(dirname "$0")"
command -v clang > /dev/null || { echo "clang is missing: apt-get install clang" >&2; exit 3; }
clang --target=wasm32-wasi -Os -Wall -Wextra -Wl,--strip-all -Wl,-z,stack-size=1048576 hello.c -o "$output/c.wasm"
