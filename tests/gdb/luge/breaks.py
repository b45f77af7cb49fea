"""Stopping where the life of a sandbox turns: at its start, and at its fault."""

import gdb

from . import kernel, space, stacks
from .landmarks import landmarks

# The sandbox whose fault was stopped at last: its engine tells of the same trap again.
_told = None


def register(name):
    return int(gdb.newest_frame().read_register(name)) & 0xFFFF_FFFF_FFFF_FFFF


def running():
    """The sandbox that the CPU runs that has stopped."""
    place = next((cpu.sandbox for cpu in kernel.cpus() if cpu.sandbox), 0)
    return kernel.Sandbox(place) if place else None


class At(gdb.Breakpoint):
    """A breakpoint for sandboxes: of one route, or of all."""

    def __init__(self, landmark, route):
        super().__init__(f"*{landmarks()[landmark]:#x}")
        self.silent, self.route = True, route.strip("/")

    def stop(self):
        sandbox = self.sandbox()
        if sandbox is None or (self.route and sandbox.name.strip("/") != self.route):
            return False
        is_told = self.tell(sandbox)
        gdb.flush()
        return is_told


class Start(At):
    """Before the first instruction that a sandbox runs."""

    def sandbox(self):
        return kernel.Sandbox(register("rdi"))

    def tell(self, sandbox):
        print(f"sandbox {sandbox.id} ({sandbox.name}) starts; luge sandbox {sandbox.id} says more")
        return True


class Fault(At):
    """When the processor has found what ends a sandbox."""

    def sandbox(self):
        return running()

    def tell(self, sandbox):
        global _told
        _told = sandbox.id
        frame = kernel.Frame(register("rdi"))
        print(f"sandbox {sandbox.id} ({sandbox.name}) faults: {frame}")
        print(f"  in {stacks.name_of(frame.rip, False)}")
        if frame.exception == "#PF":
            whose, guard = space.owner(frame.cr2)
            print(f"  it touched {whose}{': ' + guard if guard else ''}")
        print(f"  {sandbox.stack.stop - frame.rsp} bytes of its stack are in use; luge sandbox {sandbox.id} says more")
        return True


class EngineTrap(At):
    """When an engine has told of a trap that it found in software."""

    def sandbox(self):
        return kernel.Sandbox(register("rdi"))

    def tell(self, sandbox):
        if sandbox.id == _told:
            return False
        trap = landmarks().names("trap").get(register("rsi") & 0xFF, "?")
        print(f"sandbox {sandbox.id} ({sandbox.name}) traps: {trap}")
        print("  its engine found that in software, and has left the frames of the guest already")
        return True


def at_start(route):
    return [Start("sandbox.starts", route)]


def at_fault(route):
    return [Fault("fault.ends_sandbox", route), EngineTrap("sandbox.traps_in_engine", route)]
