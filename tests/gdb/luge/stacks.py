"""Frames: what a chain of them means, for a sandbox that does not run and for gdb itself.

All code keeps frame pointers, native code included. A host call runs on a stack of its own, above which the frame
pointer of its caller lies, so one chain leads through both stacks. What an exception or an interrupt pushed stands
between two frames of the chain; it holds all registers of what was interrupted.
"""

import re

import gdb
from gdb.unwinder import Unwinder, register_unwinder

from . import kernel, native
from .landmarks import landmarks
from .memory import Pages, number, numbers, read
from .space import region

STUB_BYTES = 256
# The longest chain, and how much of both ends of one is shown.
DEPTH = 1 << 20
HEAD, TAIL = 24, 16
# What the compiler appends to a crate's name.
DISAMBIGUATOR = re.compile(r"\[[0-9a-f]{8,16}\]")


def name_of(pc, is_return):
    """What an address in code is, in words; a return address belongs to the call before it."""
    at = pc - 1 if is_return else pc
    try:
        if at in region("native_code"):
            return f"{native.name_of(at)}  (WebAssembly, compiled)"
    except gdb.GdbError:
        pass
    names = inlined_at(at)
    line = gdb.find_pc_line(at)
    place = f" at {line.symtab.filename}:{line.line}" if line.symtab else ""
    if not names:
        symbol = gdb.execute(f"info symbol {at:#x}", to_string=True).strip()
        symbol = DISAMBIGUATOR.sub("", symbol.split(" in section")[0])
        names = ["nothing with a name"] if symbol.startswith("No symbol") else [symbol]
    inlined = f" (inlined in {names[-1]})" if len(names) > 1 else ""
    interpreter = "  (the interpreter, for a guest)" if at in landmarks().interpreter else ""
    return f"{names[0]}{inlined}{place}{interpreter}"


def short(name):
    """A function's name without what its generic parameters stand for, which can be pages long."""
    kept, depth = [], 0
    for letter in name.replace("->", "→"):
        depth += letter == "<"
        if depth == 0:
            kept.append(letter)
        depth -= letter == ">"
    return "".join(kept).replace("→", "->")


def inlined_at(pc):
    """The functions whose code is at `pc`, innermost first."""
    names = []
    try:
        block = gdb.block_for_pc(pc)
    except RuntimeError:
        block = None
    while block is not None:
        if block.function is not None:
            names.append(short(block.function.print_name))
        block = block.superblock
    return names


def stub_at(pc):
    """(what kind of stub, what it has on its stack below the frame that it pushed), if `pc` is in one."""
    mark = landmarks()
    for kind, room, prefix in (("fault", mark["fault.stub_room"], "frame"), ("interrupt", 0, "interrupt")):
        start = mark[f"{kind}.stub"]
        if start <= pc < start + STUB_BYTES:
            return prefix, room
    return None


def pushed_at(pc, rsp):
    """What an exception or an interrupt pushed, if `pc` is in its stub: registers by name. `rsp` is the stub's."""
    mark, stub = landmarks(), stub_at(pc)
    if stub is None:
        return None
    prefix, frame = stub[0], rsp + stub[1]
    values = numbers(frame + mark[f"{prefix}.registers"], len(kernel.REGISTERS))
    registers = dict(zip(kernel.REGISTERS, values))
    registers["rip"] = number(frame + mark[f"{prefix}.rip"])
    registers["rsp"] = number(frame + mark[f"{prefix}.rsp"])
    return registers


def follow(pc, rbp):
    """(pc, whether it is a return address) of a chain of frames, innermost first."""
    yield pc, False
    pages, seen = Pages(), set()
    # A fault in the handler of a fault may have overwritten the outer frame: then the chain is a ring.
    while rbp not in seen and len(seen) < DEPTH:
        seen.add(rbp)
        try:
            caller_rbp, caller = pages.number(rbp), pages.number(rbp + 8)
            registers = pushed_at(caller, rbp + 16)
        except gdb.MemoryError:
            return
        if caller == 0:
            return
        yield caller, True
        if registers:
            yield registers["rip"], False
            caller_rbp = registers["rbp"]
        elif caller_rbp <= rbp:
            return
        rbp = caller_rbp


def saved(sandbox):
    """(pc, rsp, rbp) of a sandbox that does not run."""
    mark = landmarks()
    pc = number(sandbox.rsp + mark["saved.rip"])
    return pc, sandbox.rsp + mark["saved.bytes"], number(sandbox.rsp + mark["saved.rbp"])


def backtrace(sandbox):
    """The frames of a sandbox, a line each, innermost first."""
    if sandbox.cpu:
        return backtrace_of_cpu()
    pc, _, rbp = saved(sandbox)
    if pc == landmarks()["saved.first_entry"]:
        return ["it has not run yet"]
    return lines_of(list(follow(pc, rbp)))


def backtrace_of_cpu():
    """The frames of the processor that has stopped."""
    return lines_of(list(frames_of_cpu()))


def lines_of(frames):
    """A line for each frame; of a long chain, both ends."""
    lines = []
    for level, (pc, is_return) in enumerate(frames):
        if level < HEAD or level >= len(frames) - TAIL:
            lines.append(f"#{level:<2} {pc:#018x} {name_of(pc, is_return)}")
        elif level == HEAD:
            lines.append(f"    … {len(frames) - HEAD - TAIL} frames more …")
    return lines


def frames_of_cpu():
    """(pc, whether it is a return address) of the frames of the processor that has stopped, innermost first. gdb knows
    best where it stands. From native code on it knows less, and from a fault's stack to one at a lower address it does
    not go; there the chain is followed."""
    frame, is_first = gdb.newest_frame(), True
    while frame is not None and frame.pc() != 0:
        pc = frame.pc()
        rsp, rbp = (int(frame.read_register(name)) & 0xFFFF_FFFF_FFFF_FFFF for name in ("rsp", "rbp"))
        pushed = None if is_first else pushed_at(pc, rsp)
        if pushed:
            yield pc, True
            yield from follow(pushed["rip"], pushed["rbp"])
            return
        if not is_first and pc in region("native_code"):
            yield from ((pc, True) for pc, _ in follow(pc, rbp))
            return
        if frame.type() != gdb.INLINE_FRAME:
            yield pc, not is_first
            is_first = False
        frame = frame.older()


def own_stack_pointer(sandbox):
    """Where its own stack ends, whichever of the two it is on: the lowest frame of the chain that lies there."""
    if sandbox.cpu:
        frame = gdb.newest_frame()
        while frame is not None:
            rsp = int(frame.read_register("rsp")) & 0xFFFF_FFFF_FFFF_FFFF
            if rsp in sandbox.stack:
                return rsp
            frame = frame.older()
        return None
    pc, rsp, rbp = saved(sandbox)
    for _ in range(DEPTH):
        if rsp in sandbox.stack or rsp == sandbox.stack.stop:
            return rsp
        rsp, rbp = rbp, number(rbp)
    return None


def as_register(value):
    """A number as gdb has it in a register of 64 bits."""
    return gdb.Value(value).cast(gdb.selected_inferior().architecture().integer_type(64, False))


class Id:
    """How gdb tells frames apart."""

    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class LugeUnwinder(Unwinder):
    """Leads gdb's own `backtrace` through native code, and through what exceptions and interrupts pushed."""

    def __init__(self):
        super().__init__("luge")

    def __call__(self, pending):
        try:
            values = {name: int(pending.read_register(name)) & 0xFFFF_FFFF_FFFF_FFFF for name in ("rip", "rsp", "rbp")}
            caller = self.caller(values["rip"], values["rsp"], values["rbp"])
        except (gdb.MemoryError, gdb.GdbError):
            return None
        if caller is None:
            return None
        info = pending.create_unwind_info(Id(as_register(values["rsp"]), as_register(values["rip"])))
        for name, value in caller.items():
            info.add_saved_register(name, as_register(value))
        return info

    def caller(self, rip, rsp, rbp):
        """The caller's registers, if this is a frame that gdb could not unwind by itself."""
        pushed = pushed_at(rip, rsp)
        if pushed:
            return pushed
        if rip not in region("native_code"):
            return None
        # Before a function has made its frame, the return address is at the top of the stack.
        code = read(rip, 3)
        if code[:1] == b"\x55":
            return {"rip": number(rsp), "rsp": rsp + 8, "rbp": rbp}
        if code == b"\x48\x89\xe5":
            return {"rip": number(rsp + 8), "rsp": rsp + 16, "rbp": number(rsp)}
        return {"rip": number(rbp + 8), "rsp": rbp + 16, "rbp": number(rbp)}


def register():
    register_unwinder(None, LugeUnwinder(), replace=True)
