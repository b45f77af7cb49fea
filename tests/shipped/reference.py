"""Runs a command in the reference runtime, the module wasmtime of Python, as Luge would: `reference.py < JSON`.

The JSON names `module`, `name` (the first argument), `asked` (the others), `stdin`, `data` (the folder at `/`, which
cannot be changed) and `work` (an empty folder for `/tmp` and the streams). One line of JSON comes out: `outcome`, and
where it ended by itself the answer is in `work`/stdout.
"""

import json
import sys
from pathlib import Path

import wasmtime


def main():
    case = json.load(sys.stdin)
    work = Path(case["work"])
    (work / "tmp").mkdir(parents=True)
    (work / "stdin").write_text(case["stdin"])
    engine = wasmtime.Engine()
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    try:
        module = wasmtime.Module.from_file(engine, case["module"])
        store = wasmtime.Store(engine)
        store.set_wasi(wasi(case, work))
        start = linker.instantiate(store, module).exports(store)["_start"]
    except (wasmtime.WasmtimeError, KeyError) as error:
        return {"outcome": "refused", "reason": str(error)[-400:]}
    try:
        start(store)
    except wasmtime.ExitTrap as trap:
        return {"outcome": f"exit {trap.code}"}
    except wasmtime.Trap as trap:
        return {"outcome": f"trap {trap}"[:2000]}
    return {"outcome": "exit 0"}


def wasi(case, work):
    config = wasmtime.WasiConfig()
    config.argv = [case["name"], *case["asked"]]
    config.stdin_file = work / "stdin"
    config.stdout_file = work / "stdout"
    config.stderr_file = work / "stderr"
    config.preopen_dir(case["data"], "/", fs_mutable=False)
    config.preopen_dir(str(work / "tmp"), "/tmp")
    return config


print(json.dumps(main()))
