#!/usr/bin/env bash
# clang's -fwasm-exceptions writes exceptions of the form that was never standardised, which wasmtime refuses.
#
# Seen with ziglang 0.14.1 (clang of LLVM 19) and 0.15.2 (LLVM 20) and wasmtime 50.0.1, all from PyPI. A C++ function that
# catches an int is compiled for wasm32-wasi. WebAssembly 3.0 has exceptions (`try_table`, `exnref`), and wasmtime has them
# on without being asked. Expected: what a compiler of 2025 writes with -fwasm-exceptions is what an engine with exceptions
# runs. But LLVM 20 writes the old form (`try`) unless it is told otherwise by an option of its back end, which has no name
# among clang's own; and LLVM 19 does not know that option, so it cannot write the new form at all.
#
#     LLVM 19: legacy_exceptions feature required for try instruction
#     LLVM 19, -wasm-use-legacy-eh=false: Unknown command line argument
#     LLVM 20: legacy_exceptions feature required for try instruction
#     LLVM 20, -wasm-use-legacy-eh=false: accepted
#
# Runs without Luge; wants python3 with venv. Ends with 0 if they still behave like this.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for name in 19=ziglang==0.14.1 20=ziglang==0.15.2 runtime=wasmtime==50.0.1; do
    python3 -m venv "${name%%=*}"
    "${name%%=*}/bin/pip" -q install "${name#*=}" >log 2>&1 || { cat log && exit 2; }
done
cat >catch.cc <<'END_OF_PROGRAM'
extern "C" int run(int n) {
    try {
        if (n > 2) throw n;
        return 0;
    } catch (int thrown) {
        return thrown;
    }
}
END_OF_PROGRAM
cat >load.py <<'END_OF_PROGRAM'
import re, sys, wasmtime
try:
    wasmtime.Module(wasmtime.Engine(), open(sys.argv[1], "rb").read())
    print("accepted")
except wasmtime.WasmtimeError as error:
    print(re.search(r"legacy_exceptions feature required for \w+ instruction|$", str(error))[0])
END_OF_PROGRAM

# seen VERSION OPTION… — what becomes of the program.
seen() {
    local version=$1
    shift
    rm -f catch.o
    if "$version/bin/python" -m ziglang c++ --target=wasm32-wasi -fwasm-exceptions "$@" -c catch.cc -o catch.o 2>log; then
        runtime/bin/python load.py catch.o
    else
        grep -o 'Unknown command line argument' log
    fi
}

new=(-mllvm -wasm-use-legacy-eh=false)
{
    echo "LLVM 19: $(seen 19)"
    echo "LLVM 19, ${new[1]}: $(seen 19 "${new[@]}")"
    echo "LLVM 20: $(seen 20)"
    echo "LLVM 20, ${new[1]}: $(seen 20 "${new[@]}")"
} | tee output
diff output - <<'END_OF_OUTPUT'
LLVM 19: legacy_exceptions feature required for try instruction
LLVM 19, -wasm-use-legacy-eh=false: Unknown command line argument
LLVM 20: legacy_exceptions feature required for try instruction
LLVM 20, -wasm-use-legacy-eh=false: accepted
END_OF_OUTPUT
