"""Sandboxes, processors, faults and events, read from the kernel's memory."""

import gdb

from .landmarks import landmarks
from .memory import Tables, number, numbers, read

EXCEPTIONS = (
    "#DE #DB NMI #BP #OF #BR #UD #NM #DF 9 #TS #NP #SS #GP #PF 15 #MF #AC #MC #XM".split()
)
# The general-purpose registers of a fault's frame and of an interrupt's, lowest address first.
REGISTERS = "r15 r14 r13 r12 r11 r10 r9 r8 rdi rsi rbp rdx rcx rbx rax".split()


def started():
    """Where the kernel has its map of physical memory. Fails if it has not got so far yet, or is another kernel."""
    try:
        if not landmarks().is_checked:
            landmarks().check()
        offset = number(landmarks()["paging.physical_offset"])
    except gdb.MemoryError:
        offset = 0
    if offset == 0:
        raise gdb.GdbError("the kernel has not come up yet: break kernel_main, continue, and some steps more")
    return offset


def tables():
    """The page tables as they are now."""
    return Tables(number(landmarks()["paging.root"]), started())


class Sandbox:
    """A sandbox that lives."""

    def __init__(self, address):
        mark = landmarks()
        field = lambda name, size=8: number(address + mark[f"sandbox.{name}"], size)
        self.address, self.id, self.route = address, field("id"), field("route", 2)
        self.deadline_ns, self.arena = field("deadline_ns"), field("arena")
        self.name = read(field("name"), field("name_bytes")).decode(errors="backslashreplace")
        self._read_life(field("life"))
        self._read_standing(field("standing"))
        self._read_native(field("native"))

    def _read_life(self, life):
        mark = landmarks()
        self.state = mark.names("state").get(number(life + mark["life.state"], 1), "?")
        self.since_ns = number(life + mark["life.since_ns"])
        self.preemptions = number(life + mark["life.preemptions"], 4)
        if self.state == "blocked until":
            self.state += f" {seconds(number(life + mark['life.until_ns']))}"

    def _read_standing(self, standing):
        mark = landmarks()
        field = lambda name, size=8: number(standing + mark[f"standing.{name}"], size)
        self.ran_ns, self.arrival, self.turn = field("ran_ns"), field("arrival"), field("turn")
        self.queue_deadline_ns, self.is_booked = field("deadline_ns"), field("is_booked", 1) == 1
        self.estimate_ns, self.lane = field("estimate_ns"), field("lane")

    def _read_native(self, native):
        mark = landmarks()
        self.rsp = number(native + mark["native.rsp"])
        self.host_calls = number(native + mark["native.host_calls"], 4)
        slot = number(native + mark["native.stack"] + mark["stack.slot"], 4)
        start = mark["layout.stacks"] + slot * mark["layout.stack_slot_bytes"]
        end = start + mark["layout.stack_slot_bytes"]
        self.stack = range(end - number(mark["stacks.bytes"] + 4 * slot, 4), end)
        self.kernel_stack = kernel_stack(start)

    @property
    def cpu(self):
        """The processor that runs it, if one does."""
        return next((cpu for cpu in cpus() if cpu.sandbox == self.address), None)

    @property
    def is_in_host_call(self):
        cpu = self.cpu
        return (cpu.host_calls if cpu else self.host_calls) > 0

    def says_state(self):
        return self.state + (", in a host call" if self.is_in_host_call else "")

    def memories(self):
        """(what, address, bytes) of its linear memories, and what else is large."""
        mark, found = landmarks(), []
        slot = number(self.arena + mark["arena.slot"], 4)
        holders = numbers(mark["arenas.of_memories"], mark["layout.memory_slots"], 4)
        for memory in (index for index, holder in enumerate(holders) if holder == slot + 1):
            accessible = number(mark["memories"] + memory * mark["memories.bytes"] + mark["memory.accessible"])
            start = mark["layout.memories"] + memory * mark["layout.memory_slot_bytes"] + mark["layout.memory_guard_bytes"]
            if accessible:
                found.append(("linear memory", start, accessible))
        arena = mark["layout.arenas"] + slot * mark["layout.arena_slot_bytes"]
        sizes = numbers(self.arena + mark["arena.large_bytes"], mark["layout.arena_large_ranges"])
        for index, size in enumerate(sizes):
            if size:
                start = arena + (index + 1) * mark["layout.arena_part_bytes"] + 4096
                found.append(("large object (the interpreter's linear memory is one)", start, size))
        return found


class Cpu:
    """A processor."""

    def __init__(self, index):
        mark = landmarks()
        place = mark["cpus"] + index * mark["cpus.bytes"]
        field = lambda name, size=8: number(place + mark[f"cpu.{name}"], size)
        self.index, self.sandbox, self.is_running = index, field("sandbox"), field("running", 1) == 1
        self.locks_held, self.host_calls = field("locks_held", 4), field("host_calls", 4)
        self.in_fault, self.fault_rip = field("in_fault", 1) == 1, field("fault_rip")
        self.dispatcher_rsp, self.arena = field("dispatcher_rsp"), field("arena")


class Fault:
    """A trap that ended a sandbox."""

    def __init__(self, place):
        mark = landmarks()
        field = lambda name: number(place + mark[f"fault.{name}"])
        self.at_ns, self.sandbox, self.stack_used = field("at_ns"), field("sandbox"), field("stack_used")
        name = read(place + mark["fault.name"], field("name_bytes"))
        self.name = name.decode(errors="backslashreplace")
        self.trap = mark.names("trap").get(field("trap"), "?")
        self.frame = Frame(place + mark["fault.frame"]) if field("has_frame") else None


class Frame:
    """What a fault left behind: `arch::traps::FaultFrame`."""

    def __init__(self, place):
        mark = landmarks()
        field = lambda name: number(place + mark[f"frame.{name}"])
        self.cr2, self.vector, self.error_code = field("cr2"), field("vector"), field("error_code")
        self.rip, self.rsp, self.rbp = field("rip"), field("rsp"), field("rbp")

    @property
    def exception(self):
        return EXCEPTIONS[self.vector] if self.vector < len(EXCEPTIONS) else f"vector {self.vector}"

    def __str__(self):
        touched = f" cr2={self.cr2:#x}" if self.exception == "#PF" else ""
        return f"{self.exception} at rip={self.rip:#x}{touched} error={self.error_code:#x} rsp={self.rsp:#x}"


def kernel_stack(slot_start):
    """The stack of host calls in a stack's slot."""
    start = slot_start + landmarks()["layout.guard_bytes"]
    return range(start, start + landmarks()["layout.kernel_stack_bytes"])


def sandboxes():
    """All that live, oldest first."""
    started()
    places = numbers(landmarks()["sandboxes"], landmarks()["sandboxes.count"])
    return sorted((Sandbox(place) for place in places if place), key=lambda sandbox: sandbox.id)


def cpus():
    """All processors."""
    started()
    return [Cpu(index) for index in range(landmarks()["cpus.count"])]


def policy():
    """By which order sandboxes get the CPU."""
    return landmarks().names("policy").get(number(landmarks()["policy"]), "?")


def faults(count):
    """The newest faults, oldest first, and how many there ever were."""
    started()
    mark = landmarks()
    place = number(mark["faults"])
    if not place:
        return [], 0
    taken, kept = number(place + mark["faults.taken"]), mark["faults.count"]
    first = max(0, taken - min(kept, count))
    at = lambda index: place + mark["faults.records"] + index % kept * mark["fault.bytes"]
    return [Fault(at(index)) for index in range(first, taken)], taken


def events(count):
    """The newest events of the trace, oldest first: (nanoseconds, sandbox, route, what), and how many there were."""
    started()
    mark = landmarks()
    ring, place = number(mark["trace.ring"]), number(mark["trace.events"])
    if not ring:
        return [], 0
    room, oldest, taken = (number(ring + mark[f"ring.{name}"]) for name in ("room", "oldest", "taken"))
    there = min(room, taken)
    kinds, size = mark.names("kind"), mark["event.bytes"]
    found = []
    for index in range(max(0, there - count), there):
        event = place + (oldest + index) % max(1, there) * size
        field = lambda name, bytes=8: number(event + mark[f"event.{name}"], bytes)
        kind = kinds.get(field("kind", 1), "?")
        found.append((field("at_ns"), field("task"), field("route", 2), kind))
    return found, taken


def now_ns():
    """When the last thing happened. The clock itself cannot be asked from outside."""
    newest, _ = events(1)
    return max([at for at, *_ in newest] + [sandbox.since_ns for sandbox in sandboxes()], default=0)


def seconds(ns):
    """A moment, as the log writes it."""
    return f"{ns // 10**9}.{ns // 1000 % 10**6:06}"


def milliseconds(ns):
    """A time that something took, or takes."""
    return f"{ns / 1e6:.3f} ms"
