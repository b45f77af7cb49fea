"""Whose an address is, and whether it is in a guard: `kernel/libs/memory/src/layout.rs` in Python."""

from . import kernel
from .landmarks import landmarks
from .memory import number


def region(name):
    """The start of a region and its end."""
    mark = landmarks()
    start = mark[f"layout.{name}"]
    if f"layout.{name}_bytes" in mark.values:
        return range(start, start + mark[f"layout.{name}_bytes"])
    one = {"stacks": "stack", "arenas": "arena", "memories": "memory"}[name]
    return range(start, start + mark[f"layout.{one}_slots"] * mark[f"layout.{one}_slot_bytes"])


def slot_in(name, one, address):
    """The number of the slot, and how far the address is into it."""
    size = landmarks()[f"layout.{one}_slot_bytes"]
    return divmod(address - region(name).start, size)


def holder(arena_slot):
    """The sandbox that has this arena, in words."""
    place = number(landmarks()["sandboxes"] + 8 * arena_slot)
    if not place:
        return "no sandbox"
    sandbox = kernel.Sandbox(place)
    return f"sandbox {sandbox.id} ({sandbox.name})"


def owner(address):
    """(whose, guard): in words, and the guard's name if the address is in one."""
    mark = landmarks()
    if address in region("stacks"):
        return owner_of_stack(address)
    if address in region("arenas"):
        slot, offset = slot_in("arenas", "arena", address)
        part, into = divmod(offset, mark["layout.arena_part_bytes"])
        what = "heap" if part == 0 else f"large object {part - 1}"
        guard = "the page before every part of an arena" if into < 4096 else None
        return f"arena {slot}, {what}, of {holder(slot)}", guard
    if address in region("memories"):
        return owner_of_memory(address)
    for name, words in (
        ("native_code", "native code"),
        ("heap", "the kernel's heap"),
        ("image", "the kernel's image"),
        ("mmio", "device registers"),
    ):
        if address in region(name):
            return words, None
    offset = kernel.started()
    if offset <= address < offset + (1 << 46):
        return f"the map of physical memory: physical address {address - offset:#x}", None
    return "nobody's", None


def owner_of_stack(address):
    mark = landmarks()
    slot, offset = slot_in("stacks", "stack", address)
    size = number(mark["stacks.bytes"] + 4 * slot, 4)
    start = address - offset
    whose = f"no sandbox: slot {slot}, for faults or of the pool"
    for sandbox in kernel.sandboxes():
        if sandbox.kernel_stack == kernel.kernel_stack(start):
            whose = f"sandbox {sandbox.id} ({sandbox.name})"
    if size == 0:
        return f"no stack: slot {slot} is free", None
    if address >= start + mark["layout.stack_slot_bytes"] - size:
        return f"the stack of {whose}", None
    if address in kernel.kernel_stack(start):
        return f"the stack for host calls of {whose}", None
    if address < kernel.kernel_stack(start).start:
        return whose, "the guard of its stack for host calls"
    return whose, "the guard of its stack"


def owner_of_memory(address):
    mark = landmarks()
    slot, offset = slot_in("memories", "memory", address)
    arena = number(mark["arenas.of_memories"] + 4 * slot, 4)
    whose = f"linear memory {slot} of {holder(arena - 1) if arena else 'no sandbox'}"
    accessible = number(mark["memories"] + slot * mark["memories.bytes"] + mark["memory.accessible"])
    into = offset - mark["layout.memory_guard_bytes"]
    if into < 0:
        return whose, "the guard before a linear memory"
    if into >= accessible:
        return whose, f"beyond the {accessible} bytes that are accessible: nothing is mapped there"
    return f"{whose}, byte {into:#x}, which is mapped at the first touch", None
