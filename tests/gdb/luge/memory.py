"""The machine's memory, and its page tables."""

import re
import struct

import gdb

PAGE = 4096
PRESENT, WRITABLE, ACCESSED, DIRTY, LARGE = 1 << 0, 1 << 1, 1 << 5, 1 << 6, 1 << 7
NO_EXECUTE = 1 << 63
# The bits of an entry that name a frame. SDM Vol. 3A, "4-Level Paging".
FRAME = 0x000F_FFFF_FFFF_F000
LEVELS = ("page", "directory", "directory pointers", "root")


def read(address, size):
    """Bytes of the machine's memory."""
    return gdb.selected_inferior().read_memory(address, size).tobytes()


def number(address, size=8):
    """A number of `size` bytes."""
    return int.from_bytes(read(address, size), "little")


def numbers(address, count, size=8):
    """So many numbers, one after the other."""
    data = read(address, count * size)
    return [int.from_bytes(data[at : at + size], "little") for at in range(0, len(data), size)]


class Pages:
    """Memory that is read page by page, each page once: for long chains."""

    def __init__(self):
        self.pages = {}

    def number(self, address):
        page, offset = address & -PAGE, address % PAGE
        if page not in self.pages:
            self.pages[page] = read(page, PAGE)
        return int.from_bytes(self.pages[page][offset : offset + 8], "little")


class Core:
    """The file of a core. It holds all of physical memory, but its headers do not show all of the kernel's map of it:
    QEMU cuts a range short that begins in one block of RAM and goes on in the next."""

    PT_LOAD = 1

    def __init__(self, path):
        self.file = open(path, "rb")
        head = self._at(0, 64)
        (place,) = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        headers = [struct.unpack("<IIQQQQ", self._at(place + size * index, 40)) for index in range(count)]
        self.blocks = sorted((physical, offset) for kind, _, offset, _, physical, _ in headers if kind == self.PT_LOAD)

    def _at(self, offset, size):
        self.file.seek(offset)
        return self.file.read(size)

    def read_physical(self, address, size):
        physical, offset = max(block for block in self.blocks if block[0] <= address)
        return self._at(offset + address - physical, size)


def core():
    """The core that is looked into, if it is no machine that lives."""
    found = re.search(r"core dump file:\s*`(.*)', file type", gdb.execute("info target", to_string=True))
    return Core(found[1]) if found else None


class Tables:
    """The page tables, which lie in physical memory; the kernel has a map of that."""

    def __init__(self, root, physical_offset):
        self.root, self.offset = root & FRAME, physical_offset
        self.tables, self.core = {}, core()

    def table(self, frame):
        if frame not in self.tables:
            read_it = self.core.read_physical if self.core else lambda at, size: read(at + self.offset, size)
            self.tables[frame] = struct.unpack("<512Q", read_it(frame, PAGE))
        return self.tables[frame]

    def walk(self, address):
        """(level, entry) from the root down, to the entry that maps the address or is not present."""
        frame = self.root
        for level in (3, 2, 1, 0):
            entry = self.table(frame)[address >> (12 + 9 * level) & 511]
            yield level, entry
            if not entry & PRESENT or level == 0 or entry & LARGE:
                return
            frame = entry & FRAME

    def mapped(self, start, end):
        """(address, entry) of every mapped 4 KiB page from `start` to `end`, lowest first."""
        yield from self._mapped(self.root, 3, 0xFFFF_0000_0000_0000, start, end)

    def _mapped(self, frame, level, base, start, end):
        span = PAGE << (9 * level)
        for index, entry in enumerate(self.table(frame)):
            # The upper half of the root's entries are the upper half of all addresses, sign-extended.
            address = base + index * span if level < 3 or index > 255 else index * span
            if not entry & PRESENT or address >= end or address + span <= start:
                continue
            if level == 0:
                yield address, entry
            elif not entry & LARGE:
                yield from self._mapped(entry & FRAME, level - 1, address, start, end)
