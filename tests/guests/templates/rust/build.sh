#!/bin/sh
# `build.sh OUTPUT` makes OUTPUT/rust.wasm. Needs Rust's target: rustup target add wasm32-wasip1
set -eu
output=$(cd "$1" && pwd)
cd "$(dirname "$0")"
command -v cargo > /dev/null || { echo "cargo is missing: https://rustup.rs" >&2; exit 3; }
CARGO_TARGET_DIR=target cargo build --quiet --release --target wasm32-wasip1
cp target/wasm32-wasip1/release/rust.wasm "$output/rust.wasm"
