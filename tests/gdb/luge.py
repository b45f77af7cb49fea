"""Debugs Luge: a machine that `./qemu-run.sh --gdb` has stopped, or the core that `--core FILE` has kept.

    gdb -x tests/gdb/luge.py                       (in the top folder of the tree)
    gdb -c luge.core -x tests/gdb/luge.py

The symbols of loader and kernel are there from the first instruction, so `break kernel_main` works before the
kernel is in memory. The machine starts in 16-bit code of the firmware, which no symbol describes; the first
instruction of ours is `pvh_entry`. `help luge` lists the commands.

`set $luge_kernel = "…"`, `$luge_loader` and `$luge_port` before this file is read debug other images or another
port, for instance `gdb -ex 'set $luge_port = 4321' -x tests/gdb/luge.py`.
"""

import os
import sys

import gdb

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
BUILT = os.path.join(os.environ.get("CARGO_TARGET_DIR") or os.path.join(TREE, "target"), "x86_64-unknown-unknown/release")
PORT = 1234


def setting(name, otherwise):
    """The convenience variable `name`, or another value where it was not set."""
    value = gdb.convenience_variable(name)
    if value is None:
        return otherwise
    return value.string() if value.type.code == gdb.TYPE_CODE_ARRAY else int(value)


def image(name, otherwise):
    path = setting(name, os.path.join(BUILT, otherwise))
    if not os.path.exists(path):
        raise gdb.GdbError(f"there is no {path}; build it: ./qemu-run.sh, or: set ${name} = \"…\"")
    return path


def settle():
    for parameter in (
        "pagination off",
        "confirm off",
        # QEMU describes the machine by 64-bit registers in every mode of the CPU.
        "architecture i386:x86-64",
        # The kernel's addresses are not mapped before the loader has done its work; its code is in the file.
        "trust-readonly-sections on",
    ):
        gdb.execute(f"set {parameter}")


def load_and_connect():
    has_core = bool(gdb.selected_inferior().threads())
    gdb.execute(f'file {image("luge_kernel", "luge-kernel")}')
    gdb.execute(f'add-symbol-file {image("luge_loader", "luge-pvh")}', to_string=True)
    if has_core:
        return
    port = setting("luge_port", PORT)
    try:
        gdb.execute(f"target remote 127.0.0.1:{port}")
    except gdb.error as error:
        raise gdb.GdbError(f"{error}\nnobody waits on port {port}; start the machine: ./qemu-run.sh --gdb") from None


sys.path.insert(0, HERE)
# The tree stays as it is.
sys.dont_write_bytecode = True
import luge.commands  # noqa: E402

settle()
luge.commands.register()
load_and_connect()
