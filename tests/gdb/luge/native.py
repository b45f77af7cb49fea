"""Ahead-of-time code: where it lies, and what its functions are called.

The kernel maps each module's code as the ELF file that the compiler made, symbols included, with an unmapped page
between two of them. So nothing but the machine's memory is needed to name a function.
"""

import atexit
import os
import shutil
import struct
import tempfile

import gdb

from . import kernel
from .memory import PAGE, read
from .space import region

SHT_SYMTAB, STT_FUNC = 2, 2


class Code:
    """The code of one module, mapped at `start`."""

    def __init__(self, start, size):
        self.start, self.file = start, read(start, size)
        if self.file[:4] != b"\x7fELF":
            raise ValueError(f"what lies at {start:#x} is no file of native code")
        self.sections = self._sections()
        text = self.sections[".text"]
        self.text = range(start + text["offset"], start + text["offset"] + text["size"])
        self.functions = sorted(self._functions())

    def _sections(self):
        (place,) = struct.unpack_from("<Q", self.file, 40)
        size, count, names = struct.unpack_from("<HHH", self.file, 58)
        keys = ("name", "type", "flags", "address", "offset", "size", "link", "info", "align", "entry")
        found = [dict(zip(keys, struct.unpack_from("<IIQQQQIIQQ", self.file, place + size * at))) for at in range(count)]
        self.by_number = found
        return {self._text(found[names], section["name"]): section for section in found}

    def _text(self, section, offset):
        start = section["offset"] + offset
        return self.file[start : self.file.index(b"\0", start)].decode(errors="backslashreplace")

    def _functions(self):
        table = next((section for section in self.by_number if section["type"] == SHT_SYMTAB), None)
        if table is None:
            return
        names = self.by_number[table["link"]]
        data = self.file[table["offset"] : table["offset"] + table["size"]]
        for name, info, _, _, value, size in struct.iter_unpack("<IBBHQQ", data):
            if info & 15 == STT_FUNC and size:
                yield self.text.start + value, size, self._text(names, name)

    def function_at(self, address):
        """(name, how far into it), if a function is there."""
        for start, size, name in self.functions:
            if start <= address < start + size:
                return name, address - start
        return None


_known = []


def codes():
    """The code of every module that is loaded."""
    if not _known:
        _known.extend(read_codes())
    return _known


def forget(_event):
    """The machine goes on, and may load other modules."""
    _known.clear()


gdb.events.cont.connect(forget)


def read_codes():
    start = size = 0
    space = region("native_code")
    for page, _ in [*kernel.tables().mapped(space.start, space.stop), (None, 0)]:
        if size and page == start + size:
            size += PAGE
            continue
        if size:
            yield Code(start, size)
        start, size = page, PAGE


def name_of(address):
    """The function of native code at an address, in words."""
    for code in codes():
        if address in code.text:
            found = code.function_at(address)
            return f"{readable(found[0])}+{found[1]:#x}" if found else "native code without a name"
    return "native code that is not mapped"


def readable(name):
    """`wasm[0]::function[7]::NAME`, with NAME as its author wrote it."""
    start, mark, mangled = name.partition("]::_")
    if not mark:
        return name
    try:
        return f"{start}]::" + gdb.execute(f"demangle -l rust -- _{mangled}", to_string=True).strip()
    except gdb.error:
        return name


_folder = None


def load_symbols():
    """Makes gdb read the symbols of all native code. Returns a line for each module."""
    global _folder
    if _folder is None:
        _folder = tempfile.mkdtemp(prefix="luge-gdb-")
        atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    said = []
    for code in codes():
        path = os.path.join(_folder, f"native-{code.text.start:x}.o")
        if not os.path.exists(path):
            with open(path, "wb") as file:
                file.write(code.file)
            gdb.execute(f"add-symbol-file {path} -s .text {code.text.start:#x}", to_string=True)
        named = sum(1 for *_, name in code.functions if name.count("::") > 1 and name.startswith("wasm["))
        said.append(f"{code.text.start:#x}..{code.text.stop:#x}  {len(code.functions)} functions, {named} with names of their own")
    return said
