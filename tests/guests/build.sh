#!/usr/bin/env bash
# Builds all guests from source: `build.sh OUTPUT` fills OUTPUT/examples, OUTPUT/files (functions that want
# a folder), OUTPUT/hostile and OUTPUT/wasi (tests of the interface).
#
# Builds only what has changed, and says something only if it builds. Needs rustup's wasm targets for
# the Rust ones, and clang, lld and wasi-libc for those in C.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}/guests"

fail() {
    echo "build.sh: $*" >&2
    exit 1
}

[ $# -eq 1 ] || fail "usage: build.sh OUTPUT"
mkdir -p "$1/examples" "$1/files" "$1/hostile" "$1/wasi"
output=$(CDPATH='' cd -- "$1" && pwd)

need() {
    command -v "$1" > /dev/null || fail "$1 is missing; install it with: $2"
}

# Remembers that there is a source for module $1.
keep() {
    kept="${kept:-} $(basename "$(dirname "$1")")/$(basename "$1") "
}

# Whether $1 is missing or older than any of the others.
is_stale() {
    made=$1
    shift
    [ -e "$made" ] || return 0
    for made_of in "$@"; do
        [ "$made_of" -nt "$made" ] && return 0
    done
    return 1
}

# Replaces $2 by $1 only if they differ, so that what is made of it is not made again for nothing.
put() {
    keep "$2"
    cmp -s "$1" "$2" || cp "$1" "$2"
}

need_targets() {
    installed=$(rustup target list --installed 2> /dev/null || true)
    for target in wasm32-wasip1 wasm32-unknown-unknown; do
        case $installed in
            *$target* | '') ;;
            *) fail "the Rust target $target is missing; install it with: rustup target add $target" ;;
        esac
    done
}

# Builds Rust for the target $2. Debian has the standard library for these targets as source only, and
# takes the C library and its start file from wasi-libc.
build_package() {
    set -- build --quiet --locked --release --package "$1" --target "$2"
    wasi=/usr/lib/wasm32-wasi
    if [ "${LUGE_RUST:-}" = debian ]; then
        RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_abort \
            CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS="-Clink-self-contained=no -Lnative=$wasi \
                -Clink-arg=$wasi/crt1-command.o -Clink-arg=-zstack-size=65536" cargo "$@"
    else
        cargo "$@"
    fi
}

build_rust() {
    need cargo "https://rustup.rs"
    [ "${LUGE_RUST:-}" = debian ] || need_targets
    cd "$here/rust"
    build_package plain wasm32-wasip1
    build_package small wasm32-unknown-unknown
    build_package files wasm32-wasip1
    build_package wasi wasm32-wasip1
    put_all plain wasm32-wasip1 examples
    put_all small wasm32-unknown-unknown examples
    put_all files wasm32-wasip1 files
    put_all wasi wasm32-wasip1 wasi
}

# The modules of package $1, which was built for target $2, into folder $3.
put_all() {
    for program in "$here/rust/$1"/src/bin/*; do
        module=$(basename "$program" .rs).wasm
        put "$CARGO_TARGET_DIR/$2/release/$module" "$output/$3/$module"
    done
}

# Small stacks, for the same reason as in rust/.cargo/config.toml.
build_c() {
    for source in "$here"/c/*/*.c; do
        module=$output/$(basename "$(dirname "$source")")/$(basename "$source" .c).wasm
        keep "$module"
        is_stale "$module" "$source" "$here/build.sh" || continue
        need clang "apt install clang lld wasi-libc libclang-rt-dev-wasm32"
        need wasm-ld "apt install lld"
        [ -d /usr/include/wasm32-wasi ] || [ -n "${WASI_SYSROOT:-}" ] ||
            fail "wasi-libc is missing; install it with: apt install wasi-libc libclang-rt-dev-wasm32"
        echo "  guest $(basename "$module")"
        clang --target=wasm32-wasi ${WASI_SYSROOT:+--sysroot="$WASI_SYSROOT"} -std=c11 -D_GNU_SOURCE -Os \
            -Wall -Wextra -Werror -Wl,--strip-all -Wl,-z,stack-size=32768 "$source" -o "$module"
    done
}

build_wat() {
    for source in "$here"/wat/*/*.wat; do
        module=$output/$(basename "$(dirname "$source")")/$(basename "$source" .wat).wasm
        keep "$module"
        is_stale "$module" "$source" || continue
        assemble "$source" "$module"
    done
}

assemble() {
    if [ -z "${assembler:-}" ]; then
        cd "$here/assemble"
        cargo build --quiet --locked
        assembler=$CARGO_TARGET_DIR/debug/luge-assemble
    fi
    echo "  guest $(basename "$2")"
    "$assembler" "$1" "$2"
}

# What is no module: text, and the first half of one.
build_broken() {
    keep "$output/hostile/not-wasm.wasm"
    keep "$output/hostile/truncated.wasm"
    [ -e "$output/hostile/not-wasm.wasm" ] ||
        echo "This is a text that somebody called a module." > "$output/hostile/not-wasm.wasm"
    if is_stale "$output/hostile/truncated.wasm" "$output/examples/fib.wasm"; then
        head -c 4096 "$output/examples/fib.wasm" > "$output/hostile/truncated.wasm"
    fi
}

# What was built from a source that is not there any more.
remove_others() {
    for module in "$output"/*/*.wasm; do
        case $kept in
            *" $(basename "$(dirname "$module")")/$(basename "$module") "*) ;;
            *) rm "$module" ;;
        esac
    done
}

build_rust
build_c
build_wat
build_broken
remove_others
