#!/usr/bin/env bash
# Builds the guests, tests the kernel's own engine and WASI on the host, and runs every case of
# cases.json with them: `check.sh [OUTPUT]`.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
output=${1:-$target/functions}

"$here/build.sh" "$output"
# The interpreter's dispatch by `become` asks for the switch, as in the kernel.
export CARGO_TARGET_DIR="$target/guests" RUSTC_BOOTSTRAP=1
cd "$here/host"
cargo test --quiet --locked
cargo run --quiet --locked --bin check -- "$output" "$here/cases.json"
