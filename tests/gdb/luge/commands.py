"""The commands: `luge`, and what follows it."""

import gdb

from . import breaks, kernel, native, space, stacks
from .kernel import milliseconds, seconds
from .memory import DIRTY, LARGE, LEVELS, NO_EXECUTE, PRESENT, WRITABLE

FRAME_BYTES = (4 << 10, 2 << 20, 1 << 30)


class Luge(gdb.Command):
    """What runs on this machine, what is late, what died and why. Type one of the commands below."""

    def __init__(self):
        super().__init__("luge", gdb.COMMAND_DATA, prefix=True)

    def invoke(self, argument, from_tty):
        if argument:
            raise gdb.GdbError(f"there is no luge {argument}; help luge lists what there is")
        gdb.execute("help luge")


class Command(gdb.Command):
    """A command `luge NAME`, which says what `lines` gives."""

    def __init__(self):
        super().__init__(f"luge {self.name}", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        try:
            for line in self.lines(argument.strip()):
                print(line)
        except gdb.MemoryError as error:
            raise gdb.GdbError(f"the machine's memory cannot be read: {error}") from None


class Sandboxes(Command):
    """luge sandboxes: a line for each sandbox that lives, oldest first.

    TO GO is the time from the last event to its deadline, negative if it is late; RAN is what it was charged
    with of the CPU's time; STACK is how large its stack is."""

    name = "sandboxes"

    def lines(self, argument):
        now, living = kernel.now_ns(), kernel.sandboxes()
        yield f"{'ID':>6}  {'ROUTE':<20} {'STATE':<28} {'TO GO':>14} {'RAN':>12} {'STACK':>9}"
        for one in living:
            to_go = milliseconds(one.deadline_ns - now)
            yield (
                f"{one.id:>6}  {one.name:<20} {one.says_state():<28} {to_go:>14} {milliseconds(one.ran_ns):>12} {len(one.stack):>9}"
            )
        yield f"{len(living)} alive at {seconds(now)}"


class OneSandbox(Command):
    """luge sandbox ID: its state, its stacks, its linear memory, and where it is, by a backtrace through host call,
    engine and guest code. Without ID, the one that runs."""

    name = "sandbox"

    def lines(self, argument):
        one = self.find(argument)
        yield f"sandbox {one.id} ({one.name}): {one.says_state()} since {seconds(one.since_ns)}"
        left = one.deadline_ns - kernel.now_ns()
        late = f"{milliseconds(left)} to go" if left >= 0 else f"late by {milliseconds(-left)}"
        yield f"deadline {seconds(one.deadline_ns)}, {late}; ran {milliseconds(one.ran_ns)}, preempted {one.preemptions} times"
        yield self.stack(one)
        yield f"stack for host calls: {one.kernel_stack.start:#x}..{one.kernel_stack.stop:#x}"
        for what, address, size in one.memories():
            yield f"{what}: {size} bytes at {address:#x}"
        yield "backtrace:"
        for line in stacks.backtrace(one):
            yield f"  {line}"

    @staticmethod
    def find(argument):
        if not argument:
            one = breaks.running()
            if one is None:
                raise gdb.GdbError("no sandbox runs; luge sandboxes lists those that live")
            return one
        if not argument.isdigit():
            raise gdb.GdbError(f"'{argument}' is not the number of a sandbox")
        for one in kernel.sandboxes():
            if one.id == int(argument):
                return one
        raise gdb.GdbError(f"no sandbox {argument} lives; luge sandboxes lists those that do")

    @staticmethod
    def stack(one):
        rsp = stacks.own_stack_pointer(one)
        used = f"{one.stack.stop - rsp} bytes in use" if rsp else "in use as far as is not known"
        pages = kernel.tables().mapped(one.stack.start, one.stack.stop)
        deepest = min((page for page, entry in pages if entry & DIRTY), default=one.stack.stop)
        most = one.stack.stop - deepest
        return f"stack: {used}, never more than {most}, of {len(one.stack)}; {one.stack.start:#x}..{one.stack.stop:#x}"


class Where(Command):
    """luge where: the backtrace of the processor that has stopped, through faults and interrupts, whichever stacks they
    are on."""

    name = "where"

    def lines(self, argument):
        kernel.started()
        yield from stacks.backtrace_of_cpu()


class Cpus(Command):
    """luge cpus: what each processor does."""

    name = "cpus"

    def lines(self, argument):
        for cpu in kernel.cpus():
            if cpu.sandbox:
                one = kernel.Sandbox(cpu.sandbox)
                what = f"runs sandbox {one.id} ({one.name})"
                what += f", in {cpu.host_calls} host call" if cpu.host_calls else ""
            else:
                what = "runs the dispatcher"
            fault = f", in a fault's handling or in last words (last fault at rip={cpu.fault_rip:#x})" if cpu.in_fault else ""
            yield f"cpu {cpu.index}: {what}; {cpu.locks_held} locks held{fault}"


class Queue(Command):
    """luge queue: the sandboxes that wait for the CPU, in the order of their group's queue.

    Groups are told apart by number: 0 are those with a promise, 1 those without, and each tenant with a reservation
    has one of its own. Whose group comes first is decided when the CPU is free (kernel/docs/scheduling.md)."""

    name = "queue"
    KEYS = {
        "edf": lambda one: (not one.is_booked, one.queue_deadline_ns, one.arrival),
        "fifo": lambda one: one.arrival,
        "sjf": lambda one: (one.estimate_ns - one.ran_ns, one.arrival),
        "rr": lambda one: one.turn,
    }

    def lines(self, argument):
        policy = kernel.policy()
        waiting = [one for one in kernel.sandboxes() if one.state == "queued"]
        waiting.sort(key=lambda one: (one.lane, self.KEYS[policy](one)))
        yield f"policy {policy}: {len(waiting)} wait for the CPU"
        for place, one in enumerate(waiting, 1):
            promise = "promised" if one.is_booked else "without a promise"
            yield f"{place:>4}. sandbox {one.id} ({one.name}): group {one.lane}, by {seconds(one.queue_deadline_ns)}, {promise}, ran {milliseconds(one.ran_ns)}"


class Faults(Command):
    """luge faults [N]: the last traps that ended sandboxes, newest last (default: all that are kept)."""

    name = "faults"

    def lines(self, argument):
        found, taken = kernel.faults(count(argument, 32))
        for fault in found:
            how = f"{fault.frame}, {fault.stack_used} bytes of stack used" if fault.frame else "found by its engine, in software"
            yield f"{seconds(fault.at_ns)}  sandbox {fault.sandbox} ({fault.name}): trap {fault.trap}: {how}"
        yield f"{len(found)} of {taken} since boot"


class Trace(Command):
    """luge trace [N]: the last events of the schedule, newest last (default: 20)."""

    name = "trace"

    def lines(self, argument):
        found, taken = kernel.events(count(argument, 20))
        for at_ns, task, route, kind in found:
            whose = f"sandbox {task}" if task else "a request"
            yield f"{seconds(at_ns)}  {whose:<14} route {route if route != 0xFFFF else '-':<4} {kind}"
        yield f"{len(found)} of {taken} since boot"


class Pt(Command):
    """luge pt ADDRESS: the way through the page tables, what the address may be used for, whose it is, and whether it
    is in a guard."""

    name = "pt"

    def lines(self, argument):
        if not argument:
            raise gdb.GdbError("which address? for instance: luge pt $rsp")
        address = int(gdb.parse_and_eval(argument)) & 0xFFFF_FFFF_FFFF_FFFF
        is_mapped, rights = True, PRESENT | WRITABLE
        for level, entry in kernel.tables().walk(address):
            yield f"{LEVELS[level]:<18} {entry:#018x} {self.flags(entry)}"
            is_mapped = bool(entry & PRESENT)
            rights = rights & entry | (rights | entry) & NO_EXECUTE
        if is_mapped:
            frame = entry & 0x000F_FFFF_FFFF_F000 & -FRAME_BYTES[level]
            use = "data that is written" if rights & WRITABLE else "data that is read"
            use = use if rights & NO_EXECUTE else "code" if not rights & WRITABLE else "code AND data: this must not be"
            yield f"{address:#x} is mapped: {use}; physical address {frame + address % FRAME_BYTES[level]:#x}"
        else:
            yield f"{address:#x} is not mapped"
        whose, guard = space.owner(address)
        yield f"it belongs to {whose}"
        yield f"guard: {'yes, ' + guard if guard else 'no'}"

    @staticmethod
    def flags(entry):
        if not entry & PRESENT:
            return "not present"
        words = ["writable" if entry & WRITABLE else "read-only"]
        words += ["no-execute"] if entry & NO_EXECUTE else []
        words += ["written"] if entry & DIRTY else []
        return " ".join(words)


class Break(Command):
    """luge break start [ROUTE]: stop before a sandbox, of this route, runs its first instruction.
    luge break fault [ROUTE]: stop when a fault or trap is about to end a sandbox; `backtrace` then leads through the
    handler to what faulted, and `luge symbols` names the functions of native code in it."""

    name = "break"
    KINDS = {"start": breaks.at_start, "fault": breaks.at_fault}

    def lines(self, argument):
        kind, _, route = argument.partition(" ")
        if kind not in self.KINDS:
            raise gdb.GdbError("luge break start [ROUTE], or luge break fault [ROUTE]")
        numbers = [one.number for one in self.KINDS[kind](route.strip())]
        yield f"stops at the {kind} of {'every sandbox' if not route else 'a sandbox of ' + route.strip()} (breakpoint {', '.join(map(str, numbers))})"


class Symbols(Command):
    """luge symbols: read the symbols of all native code that the kernel has loaded, out of the machine's memory."""

    name = "symbols"

    def lines(self, argument):
        said = native.load_symbols()
        yield from said
        yield f"{len(said)} modules of native code"


def count(argument, otherwise):
    if argument and not argument.isdigit():
        raise gdb.GdbError(f"'{argument}' is not a number")
    return int(argument) if argument else otherwise


def register():
    Luge()
    for command in (Sandboxes, OneSandbox, Where, Cpus, Queue, Faults, Trace, Pt, Break, Symbols):
        command()
    stacks.register()
