"""What gdb must know of Luge.

`memory` reads the machine's memory and page tables; `landmarks` finds things in it by name; `kernel` makes sandboxes,
processors, faults and events of them; `space` says whose an address is; `native` knows ahead-of-time code; `stacks`
follows frames; `breaks` and `commands` are what a person uses.

Nothing here changes the machine, and everything works on a core as well.
"""
