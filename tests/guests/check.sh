#!/bin/sh
# Builds the guests and runs every case of cases.json on the host, with the kernel's own engine and
# WASI: `check.sh [OUTPUT]`.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
output=${1:-$root/target/functions}

"$here/build.sh" "$output"
# The interpreter's dispatch by `become` asks for the switch, as in the kernel.
cd "$here/host"
CARGO_TARGET_DIR="$root/target/guests" RUSTC_BOOTSTRAP=1 \
    cargo run --quiet --locked --bin check -- "$output" "$here/cases.json"
