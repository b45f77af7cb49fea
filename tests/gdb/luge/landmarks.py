"""Where things lie in the kernel, by name: the table of `kernel/src/observe/debugger.rs`."""

import re
import struct

import gdb

from . import memory

VERSION = 1
SYMBOL = "LUGE_LANDMARKS"


def address_of(symbol):
    """Where a symbol of the kernel is."""
    try:
        found = gdb.execute(f"with language c -- output/x (unsigned long)&{symbol}", to_string=True)
    except gdb.error:
        raise gdb.GdbError(f"this is no kernel of Luge's: it has no {symbol}") from None
    # gdb may add a warning about the language.
    return int(re.match("0x[0-9a-f]+", found)[0], 16)


class Landmarks:
    """The landmarks of one kernel: `landmarks["cpu.sandbox"]`."""

    def __init__(self):
        self.place = address_of(SYMBOL)
        mark, version, count = struct.unpack("<8sQQ", memory.read(self.place, 24))
        if mark != b"landmark" or version != VERSION:
            raise gdb.GdbError(f"the landmarks of this kernel are of version {version}, not {VERSION}")
        # What the linker script gathers: the interpreter's executor.
        self.interpreter = range(address_of("__guest_code_start"), address_of("__guest_code_end"))
        self.values, self.is_checked = {}, False
        for first, length in struct.iter_unpack("<QQ", memory.read(self.place + 24, 16 * count)):
            self._read_list(first, length)

    def check(self):
        """Fails if the kernel in the machine is not the one in gdb's file. The table tells: it is full of addresses."""
        size = 24 + 16 * memory.number(self.place + 16)
        of_file = memory.read(self.place, size)
        gdb.execute("set trust-readonly-sections off")
        try:
            of_machine = memory.read(self.place, size)
        finally:
            gdb.execute("set trust-readonly-sections on")
        if of_file != of_machine:
            file = gdb.current_progspace().filename
            raise gdb.GdbError(f"the machine runs another kernel than {file}; set $luge_kernel = \"…\" before luge.py")
        self.is_checked = True

    def _read_list(self, first, length):
        for name, name_bytes, value in struct.iter_unpack("<QQQ", memory.read(first, 24 * length)):
            self.values[memory.read(name, name_bytes).decode()] = value

    def __getitem__(self, name):
        try:
            return self.values[name]
        except KeyError:
            raise gdb.GdbError(f"this kernel has no landmark {name}; is it of another version?") from None

    def names(self, prefix):
        """What values mean: {value: name} of all landmarks `PREFIX.name`."""
        start = prefix + "."
        return {value: name[len(start) :] for name, value in self.values.items() if name.startswith(start)}


_known = {}


def landmarks():
    """The landmarks of the kernel that is debugged. They are constants, so they are read once."""
    kernel = gdb.current_progspace().filename
    if kernel not in _known:
        _known[kernel] = Landmarks()
    return _known[kernel]
