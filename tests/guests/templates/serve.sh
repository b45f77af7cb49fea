#!/usr/bin/env bash
# From source to running functions in one command.
#
#     serve.sh FOLDER… [-- OPTION…]
#
# builds the function in each FOLDER, a template or a copy of one, and serves them with `qemu-run.sh OPTION…`:
# `tests/guests/templates/serve.sh tests/guests/templates/rust`. A FOLDER has a `build.sh OUTPUT`; it is built
# in a copy, so that nothing is left in it. One whose tool chain is missing is left out, which is said.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
# shellcheck source=.cargo/setup.sh
. "$root/.cargo/setup.sh"
copies=${CARGO_TARGET_DIR:-$root/target}/templates
output=$copies/functions

say() { printf 'serve.sh: %s\n' "$*" >&2; }

# needs FOLDER — what `setup` must bring for what is in it.
needs() {
    if [ -f "$1/Cargo.toml" ]; then echo rust; fi
    if compgen -G "$1/*.c" >/dev/null; then echo guests; fi
    if compgen -G "$1/*.zig" >/dev/null; then echo zig; fi
    if [ -f "$1/go.mod" ]; then echo go; fi
    if [ -f "$1/package.json" ]; then echo npm; fi
}

# build FOLDER — builds what is in it.
build() {
    local copy status=0
    copy=$copies/$(basename "$(cd "$1" && pwd)")
    mkdir -p "$copy"
    cp -r "$1/." "$copy"
    "$copy/build.sh" "$output" || status=$?
    [ "$status" != 3 ] || say "$1 is left out: its tool chain is missing"
    [ "$status" = 0 ] || [ "$status" = 3 ] || exit "$status"
}

folders=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    folders+=("$1")
    shift
done
[ ${#folders[@]} -gt 0 ] || { say "usage: serve.sh FOLDER… [-- OPTION…]"; exit 2; }
mapfile -t parts < <(for folder in "${folders[@]}"; do needs "$folder"; done | sort -u)
setup "${parts[@]}"
if [ "${LUGE_RUST:-}" = debian ]; then
    # Debian has the standard library for this target as source only (see ../build.sh).
    wasi=/usr/lib/wasm32-wasi
    export RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_abort
    export CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS="-Clink-self-contained=no -Lnative=$wasi \
        -Clink-arg=$wasi/crt1-command.o"
fi
rm -rf "$output"
mkdir -p "$output"
for folder in "${folders[@]}"; do
    build "$folder"
done
exec "$root/qemu-run.sh" --modules "$output" "${@:2}"
