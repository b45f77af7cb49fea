#!/usr/bin/env bash
# Runs all tests: set-up, format, clippy, host tests, guests, the scenarios under QEMU, the benchmark, which
# fails if a figure misses its aim, and short forms of the experiments with the scheduler.
#
#     tests/run.sh            everything but what is long
#     tests/run.sh PART…      only some parts, by the names that stand below
#     tests/run.sh shipped    programs as people ship them, from pip, npm, cargo and Debian: an hour, and much to download
#     tests/run.sh setup      only sets up what is missing
#     tests/run.sh long       the scenarios that take long and find little that the others do not (tests/README.md)
#
# Each part prints one line; its log is shown only if it fails, why it failed first, and stays in
# `target/test-logs`. The last line is `N passed, M failed`: the tests that cargo and the scenario runner counted, and one for each
# part that has no tests of its own. The exit status is 0 only if nothing failed.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 2
# shellcheck source=.cargo/setup.sh
. .cargo/setup.sh

logs=${CARGO_TARGET_DIR:-$root/target}/test-logs
passed=0 failed=0

# count LOG WORD — the sum of the numbers before WORD in the result lines: `test result: …` of cargo and
# the scenarios, `N passed, M failed` of everything else.
count() {
    awk -v word="$2" '/^test result: / || /^[0-9]+ passed, [0-9]+ failed$/ {
        for (i = 2; i <= NF; i++) if ($i ~ "^" word) sum += $(i - 1)
    } END { print sum + 0 }' "$1"
}

# reasons LOG — what a failed part has to say first: the first failures that its tests reported, or its
# last lines. Whoever keeps only the beginning of a long output still reads why.
reasons() {
    if grep -q '^failures:' "$1"; then
        sed -n '/^failures:/,$p' "$1" | head -n 60
    else
        tail -n 30 "$1"
    fi | cut -c 1-400
}

# slowest LOG — the scenarios that took longest, if the log has them.
slowest() { sed -n '/^the slowest, /,/^$/p' "$1" | sed '1d; s/^/    /' | head -n 5; }

# part NAME COMMAND… — runs a part and reports it.
part() {
    local name=$1 log=$logs/$1.log start=$SECONDS status=0 good bad
    shift
    printf '%-16s' "$name"
    "$@" >"$log" 2>&1 </dev/null || status=$?
    good=$(count "$log" passed)
    bad=$(count "$log" failed)
    # A part without tests of its own is one test; and a failure counts even if no test saw it.
    if [ "$status" = 0 ] && [ "$((good + bad))" = 0 ]; then good=1; fi
    if [ "$status" != 0 ] && [ "$bad" = 0 ]; then bad=1; fi
    passed=$((passed + good)) failed=$((failed + bad))
    printf '%4d passed, %d failed  (%d s)\n' "$good" "$bad" $((SECONDS - start))
    slowest "$log"
    [ "$status" = 0 ] && return
    reasons "$log" | sed 's/^/    /'
    printf '    --- the whole log of %s ---\n' "$name"
    sed 's/^/    /' "$log"
}

host_clippy() {
    # The second two have the compiler of native code in them, so they are none of the default members.
    cargo clippy --all-targets -- -D warnings &&
        cargo clippy -p luge-compile -p luge-spec-tests --all-targets -- -D warnings
}

documents() {
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps &&
        RUSTDOCFLAGS="-D warnings" cargo doc --no-deps -p luge-compile &&
        RUSTC_BOOTSTRAP=1 RUSTDOCFLAGS="-D warnings" cargo bare-doc -p luge-pvh -p luge-kernel
}

# What became of WebAssembly's official suite, of random and of odd modules and of WASI's tests, in a line for each engine.
conformance() {
    local report
    for report in "${CARGO_TARGET_DIR:-$root/target}"/scenarios/conformance/{suite,random,odd,wasi}-*.txt; do
        [ -f "$report" ] && printf '    %-9s %s\n' "$(basename "${report%%-*}")" "$(tail -n 1 "$report")"
    done
    return 0
}

bare_clippy() {
    RUSTC_BOOTSTRAP=1 cargo bare-clippy -p luge-pvh -- -D warnings &&
        RUSTC_BOOTSTRAP=1 cargo bare-clippy -p luge-kernel -- -D warnings &&
        RUSTC_BOOTSTRAP=1 cargo bare-clippy -p luge-kernel --features scenarios -- -D warnings
}

run_part() {
    case $1 in
    # It has been done by now.
    setup) part setup true ;;
    format)
        if setup_formats; then
            part format cargo fmt --check -- --color=never
        else
            echo "format          left out: there is no rustfmt for this edition beside Debian's tool chain"
        fi
        ;;
    clippy) part clippy host_clippy ;;
    clippy-bare) part clippy-bare bare_clippy ;;
    documents) part documents documents ;;
    host) part host cargo test --no-fail-fast ;;
    guests) part guests tests/guests/check.sh "${CARGO_TARGET_DIR:-$root/target}/functions" ;;
    scenarios)
        part scenarios cargo run -q -p luge-harness --bin luge-scenarios
        conformance
        ;;
    shipped)
        setup reference
        part shipped-controls python3 tests/shipped/test_run.py
        part shipped tests/shipped/run.py
        ;;
    long) part long cargo run -q -p luge-harness --bin luge-scenarios -- --ignored ;;
    bench)
        part bench cargo run -q -p luge-harness --bin luge-bench
        part experiments cargo run -q -p luge-harness --bin luge-experiments -- --quick
        ;;
    *)
        echo "tests/run.sh: there is no part '$1'" >&2
        exit 2
        ;;
    esac
}

mkdir -p "$logs"
setup rust lint guests programs wasi npm zig go qemu disk gdb curl browser
[ $# -gt 0 ] || set -- format clippy clippy-bare documents host guests scenarios bench
for name in "$@"; do
    run_part "$name"
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
