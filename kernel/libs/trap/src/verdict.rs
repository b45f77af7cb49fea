//! From a fault's registers to what must be done about it.

use core::ops::Range;

use crate::Trap;

/// Exception vectors, SDM Vol. 3A, "Exception and Interrupt Vectors" (table 6-1).
pub mod vector {
    /// #DE, divide error.
    pub const DIVIDE_ERROR: u8 = 0;
    /// NMI.
    pub const NON_MASKABLE: u8 = 2;
    /// #BP, breakpoint.
    pub const BREAKPOINT: u8 = 3;
    /// #UD, invalid opcode.
    pub const INVALID_OPCODE: u8 = 6;
    /// #NM, device not available.
    pub const DEVICE_NOT_AVAILABLE: u8 = 7;
    /// #DF, double fault.
    pub const DOUBLE_FAULT: u8 = 8;
    /// #SS, stack-segment fault (also a non-canonical stack address).
    pub const STACK_SEGMENT: u8 = 12;
    /// #GP, general protection.
    pub const GENERAL_PROTECTION: u8 = 13;
    /// #PF, page fault.
    pub const PAGE_FAULT: u8 = 14;
    /// #MF, x87 floating-point error.
    pub const X87_FLOATING_POINT: u8 = 16;
    /// #AC, alignment check.
    pub const ALIGNMENT_CHECK: u8 = 17;
    /// #MC, machine check.
    pub const MACHINE_CHECK: u8 = 18;
    /// #XM, SIMD floating-point error.
    pub const SIMD_FLOATING_POINT: u8 = 19;
}

/// What the processor said when it faulted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The exception's vector, see [`vector`].
    pub vector: u8,
    /// The error code, 0 where the vector has none.
    pub error_code: u64,
    /// Where the faulting instruction is.
    pub rip: u64,
    /// The stack pointer at the fault.
    pub rsp: u64,
    /// The address that was touched; meaningful for #PF only.
    pub cr2: u64,
}

/// What is known of the sandbox that the CPU was running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Where guest code is that the kernel's image has: the interpreter's executor.
    pub guest_code: Range<u64>,
    /// Where guest code is that was compiled ahead of time.
    pub native_code: Range<u64>,
    /// The sandbox's stack, lowest address first.
    pub stack: Range<u64>,
    /// The unmapped pages below the stack.
    pub guard: Range<u64>,
    /// The stack of its host calls, lowest address first.
    pub kernel_stack: Range<u64>,
    /// The unmapped pages below the stack of its host calls.
    pub kernel_guard: Range<u64>,
    /// Host calls under way on behalf of the sandbox.
    pub host_calls: u32,
    /// Kernel locks held on this CPU.
    pub locks_held: u32,
}

/// What to do about a fault.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// End the sandbox; the kernel and all others go on.
    End(Trap),
    /// Ask the engine, which knows what its compiled code was doing at that address. If it does not
    /// know either, end the sandbox with this.
    AskEngine(Trap),
    /// The kernel is broken: last words, and out.
    Panic(Reason),
}

/// Why a fault is the kernel's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No sandbox was running.
    NoSandbox,
    /// A kernel lock was held, so what it protects may be half-changed.
    LockHeld,
    /// The kernel was doing something for the sandbox, on its own stack.
    HostCall,
    /// It needed more of that stack than there is.
    KernelStack,
    /// The instruction belongs to the kernel, not to a guest.
    KernelCode,
    /// #DF, NMI and #MC are never a guest's doing.
    NeverAGuests,
    /// An exception that no code of a guest causes: breakpoints, broken segments, reserved vectors.
    NoGuestsException,
}

impl Reason {
    /// A phrase for the last words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSandbox => "no sandbox was running",
            Self::LockHeld => "a kernel lock was held",
            Self::HostCall => "in a host call",
            Self::KernelStack => "the kernel stack of a host call overflowed",
            Self::KernelCode => "in kernel code",
            Self::NeverAGuests => "never a guest's doing",
            Self::NoGuestsException => "no exception of guest code",
        }
    }
}

/// Judges a fault. `running` is the sandbox that the CPU was running, if any.
pub fn judge(fault: &Fault, running: Option<&Running>) -> Verdict {
    use vector::{DOUBLE_FAULT, MACHINE_CHECK, NON_MASKABLE};
    if matches!(fault.vector, DOUBLE_FAULT | NON_MASKABLE | MACHINE_CHECK) {
        return Verdict::Panic(Reason::NeverAGuests);
    }
    let Some(sandbox) = running else {
        return Verdict::Panic(Reason::NoSandbox);
    };
    if ran_off(fault, &sandbox.kernel_stack, &sandbox.kernel_guard) {
        return Verdict::Panic(Reason::KernelStack);
    }
    if sandbox.locks_held > 0 {
        return Verdict::Panic(Reason::LockHeld);
    }
    if sandbox.host_calls > 0 {
        return Verdict::Panic(Reason::HostCall);
    }
    if ran_off(fault, &sandbox.stack, &sandbox.guard) {
        return Verdict::End(Trap::StackOverflow);
    }
    let native = sandbox.native_code.contains(&fault.rip);
    if !(native || sandbox.guest_code.contains(&fault.rip)) {
        return Verdict::Panic(Reason::KernelCode);
    }
    let Some(trap) = trap_of_guest_code(fault.vector) else {
        return Verdict::Panic(Reason::NoGuestsException);
    };
    if native && is_way_to_trap(fault.vector) {
        Verdict::AskEngine(trap)
    } else {
        Verdict::End(trap)
    }
}

/// Whether compiled code uses this exception to tell its engine of a trap: a touch of what is not
/// mapped, a division, and `ud2` for all that it checks in software.
const fn is_way_to_trap(number: u8) -> bool {
    use vector::{DIVIDE_ERROR, INVALID_OPCODE, PAGE_FAULT};
    matches!(number, PAGE_FAULT | DIVIDE_ERROR | INVALID_OPCODE)
}

/// Whether the fault is a stack running into its guard.
///
/// Both addresses must agree: a wild store of kernel code that happens to hit some guard while the
/// stack pointer is elsewhere is not an overflow. A frame larger than what is left may put the stack
/// pointer itself into the guard before anything is touched, so the guard counts as its stack here.
fn ran_off(fault: &Fault, stack: &Range<u64>, guard: &Range<u64>) -> bool {
    let on_that_stack = guard.start <= fault.rsp && fault.rsp <= stack.end;
    fault.vector == vector::PAGE_FAULT && on_that_stack && guard.contains(&fault.cr2)
}

/// What an exception of guest code means. None for those that such code has no instruction for: then it is
/// not what it was taken for.
fn trap_of_guest_code(number: u8) -> Option<Trap> {
    use vector::{
        ALIGNMENT_CHECK, DEVICE_NOT_AVAILABLE, DIVIDE_ERROR, GENERAL_PROTECTION, INVALID_OPCODE,
        PAGE_FAULT, SIMD_FLOATING_POINT, STACK_SEGMENT, X87_FLOATING_POINT,
    };
    match number {
        PAGE_FAULT => Some(Trap::MemoryOutOfBounds),
        // `div` by zero and a quotient that does not fit are one vector. Which it was can be told
        // from the operands only; engines that need the difference check `MIN / -1` in software.
        DIVIDE_ERROR => Some(Trap::IntegerDivideByZero),
        INVALID_OPCODE => Some(Trap::Unreachable),
        DEVICE_NOT_AVAILABLE | STACK_SEGMENT | GENERAL_PROTECTION | X87_FLOATING_POINT
        | ALIGNMENT_CHECK | SIMD_FLOATING_POINT => Some(Trap::ProcessorException),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
