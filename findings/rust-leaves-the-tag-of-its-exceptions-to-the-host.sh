#!/usr/bin/env bash
# A Rust program that unwinds on wasm32-wasip1 imports the tag of its exceptions, which no host has to give.
#
# Seen with rustc and rust-src 1.95.0 (LLVM 22) and wasmtime 50.0.1 from PyPI. A program that catches a panic of its own is
# built with its library for unwinding and for the exceptions of WebAssembly 3.0. Everything that throws and everything that
# catches is in the one module. Expected: it defines the tag, and runs wherever exceptions do. But nothing in Rust's library
# defines `__cpp_exception`, and the module imports it from `env`. The build says nothing of that. Whoever runs it has to
# know, and to make a tag first.
#
#     imported: env __cpp_exception
#     unknown import: `env::__cpp_exception` has not been defined
#
# Runs without Luge; wants rustup's rustc 1.95.0 with rust-src and wasm32-wasip1, and python3 with venv. Ends with 0 if it
# still behaves like this.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv runtime
runtime/bin/pip -q install wasmtime==50.0.1 >log 2>&1 || { cat log && exit 2; }
mkdir src
cat >Cargo.toml <<'END_OF_FILE'
[package]
name = "catch"
version = "0.1.0"
edition = "2024"
END_OF_FILE
cat >src/main.rs <<'END_OF_PROGRAM'
fn main() {
    let caught = std::panic::catch_unwind(|| panic!("thrown"));
    println!("{}", caught.is_err());
}
END_OF_PROGRAM
cat >run.py <<'END_OF_PROGRAM'
import re, sys, wasmtime
engine = wasmtime.Engine()
module = wasmtime.Module.from_file(engine, sys.argv[1])
for it in module.imports:
    if it.module == "env":
        print("imported:", it.module, it.name)
linker, store = wasmtime.Linker(engine), wasmtime.Store(engine)
linker.define_wasi()
store.set_wasi(wasmtime.WasiConfig())
try:
    linker.instantiate(store, module)
    print("instantiated")
except wasmtime.WasmtimeError as error:
    print(re.search(r"unknown import: .* has not been defined|$", str(error))[0])
END_OF_PROGRAM

export CARGO_TARGET_DIR=$folder/target RUSTC_BOOTSTRAP=1
export RUSTFLAGS='-Cpanic=unwind -Cllvm-args=-wasm-use-legacy-eh=false -Ctarget-feature=+exception-handling'
cargo +1.95.0 -q build --release --target wasm32-wasip1 -Zbuild-std=std,panic_unwind 2>log || { cat log && exit 2; }
runtime/bin/python run.py target/wasm32-wasip1/release/catch.wasm | tee output
diff output - <<'END_OF_OUTPUT'
imported: env __cpp_exception
unknown import: `env::__cpp_exception` has not been defined
END_OF_OUTPUT
