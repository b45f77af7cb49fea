#!/usr/bin/env bash
# wasmtime answers `io` where a guest of WASI preview 1 opens more files than the process may have.
#
# Seen with the Python package wasmtime 48.0.0 on Linux (x86_64). `path_open` of a file that is there, again and again,
# while RLIMIT_NOFILE of the process is 64: the host's EMFILE becomes errno 29 (`io`). Expected: errno 33 (`mfile`), which
# the specification has for it, and by which a program knows to close some of its files and try again; Rust
# and Go show "I/O error" instead, as of a broken disk.
#
#     wasmtime 48.0.0: path_open, when the process may have no more files: errno 29
#
# Runs without Luge; wants python3 with venv. Ends with 0 if wasmtime still behaves like this.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip -q install wasmtime==48.0.0

cat >probe.py <<'END_OF_PROBE'
import os, resource
from importlib.metadata import version
from wasmtime import Engine, Linker, Module, Store, WasiConfig

MODULE = """(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "f")
  (func (export "open") (result i32)
    (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 0)
      (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 32))))"""

os.mkdir("files")
open("files/f", "w").close()
engine, name = Engine(), f"wasmtime {version('wasmtime')}"
store, linker, config = Store(engine), Linker(engine), WasiConfig()
linker.define_wasi()
config.preopen_dir("files", "/")
store.set_wasi(config)
exports = linker.instantiate(store, Module(engine, MODULE)).exports(store)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
while (errno := exports["open"](store)) == 0:
    pass
print(f"{name}: path_open, when the process may have no more files: errno {errno}")
END_OF_PROBE

venv/bin/python probe.py | tee seen
grep -q "no more files: errno 29$" seen
