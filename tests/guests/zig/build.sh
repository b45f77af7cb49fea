#!/bin/sh
# Builds the guests in Zig: `build.sh OUTPUT` makes OUTPUT/NAME.wasm of each NAME.zig. Ends with status 3 where
# there is no Zig.
set -eu
output=$(cd "$1" && pwd)
cd "$(dirname "$0")"
command -v zig > /dev/null || { echo "zig is missing: https://ziglang.org/download" >&2; exit 3; }
for source in *.zig; do
    module=$output/$(basename "$source" .zig).wasm
    zig build-exe "$source" -target wasm32-wasi -O ReleaseSmall --cache-dir "$output/cache" \
        --global-cache-dir "$output/cache" -femit-bin="$module"
    rm -f "$module.o"
done
