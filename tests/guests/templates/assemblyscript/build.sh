#!/bin/sh
# `build.sh OUTPUT` makes OUTPUT/assemblyscript.wasm. Needs npm, which brings the compiler (package.json).
set -eu
output=$(cd "$1" && pwd)
cd "$(dirname "$0")"
command -v npm > /dev/null || { echo "npm is missing: apt-get install npm" >&2; exit 3; }
[ -d node_modules ] || npm ci --silent --no-audit --no-fund
npx --no-install asc assembly/index.ts --config node_modules/@assemblyscript/wasi-shim/asconfig.json \
    --optimize --outFile "$output/assemblyscript.wasm"
