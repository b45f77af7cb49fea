# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # The parts share their variables.
# What is booted: the loader, the kernel and the disk; found, or built.

target=${CARGO_TARGET_DIR:-$root/target}
image_tool=$target/debug/luge-image
compiler=$target/debug/luge-compile

build() { [ "$build" = yes ]; }

set_up() {
    local parts=(qemu)
    if [ "$gdb" = yes ]; then parts+=(gdb); fi
    if build; then
        # An image is asked for its ports, by a tool that is built.
        if [ -z "$kernel" ] || [ -z "$loader" ] || [ "$image" != none ]; then parts+=(rust); fi
        if [ -z "$image" ]; then parts+=(disk); fi
        if [ -z "$image$modules" ]; then parts+=(guests); fi
    fi
    setup "${parts[@]}"
}

# in_tree COMMAND… — runs it in the top folder of the tree.
in_tree() { (cd "$root" && "$@"); }

# bare WHAT PACKAGE — builds a package for the bare machine; its path goes into `built`.
bare() {
    built=$target/x86_64-unknown-unknown/release/$2
    if build; then
        step "building the $1" in_tree env RUSTC_BOOTSTRAP=1 cargo bare "${quietly[@]}" -p "$2" ||
            die 1 "the $1 did not build"
    fi
    expect_built "$built"
}

# expect_built FILE — what should have been built is there.
expect_built() {
    [ -e "$1" ] || die 2 "$1 is not there, and --no-build forbids to build it" "leave --no-build out"
}

# The compiler of native code takes minutes to build, so it is built only where it is needed. It is built by a command
# of its own: cargo would build both packages with the features of either, and thus luge-image anew.
build_image_tool() {
    step "building luge-image" in_tree cargo build "${quietly[@]}" -p luge-image || die 1 "luge-image did not build"
    if [ "$engine" = wasmtime ] && [ -z "$image" ]; then
        step "building luge-compile, the compiler of native code (minutes, the first time)" \
            in_tree cargo build "${quietly[@]}" -p luge-compile || die 1 "luge-compile did not build"
    fi
}

build_everything() {
    if [ -z "$loader" ]; then
        bare loader luge-pvh
        loader=$built
    fi
    if [ -z "$kernel" ]; then
        bare kernel luge-kernel
        kernel=$built
    fi
    if build && [ "$image" != none ]; then build_image_tool; fi
    if [ -z "$image" ]; then make_disk; fi
}

make_disk() {
    if [ -z "$modules" ]; then
        modules=$target/functions/examples
        if ! build; then
            expect_built "$modules"
        else
            step "building the example functions" "$root/tests/guests/build.sh" "$target/functions" ||
                die 1 "the example functions did not build" "your own need no build: ./qemu-run.sh --modules DIR"
        fi
    fi
    image=$run/disk.img
    expect_built "$image_tool"
    local options=() what="making a disk of $modules"
    if [ "$engine" = wasmtime ]; then
        expect_built "$compiler"
        options=(--native)
        what+=", compiling its modules"
    fi
    if [ "$allow_invalid" = yes ]; then options+=(--allow-invalid); fi
    step "$what" "$image_tool" build "${options[@]}" "$modules" "$image" || die 1 "there is no disk to boot from" \
        "put what is wrong right, or see what the kernel would refuse: $image_tool verify $modules"
}

# What belongs to this run alone, the disk among it. Runs that were killed could not clean up.
make_run_directory() {
    local other
    for other in "$target"/run.*; do
        [ -d "/proc/${other##*.}" ] || rm -rf "$other"
    done
    run=$target/run.$$
    mkdir -p "$run"
}
