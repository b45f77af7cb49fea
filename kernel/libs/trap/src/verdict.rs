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
    /// The kernel was doing something for the sandbox, with room on the stack that was checked.
    HostCall,
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
    if sandbox.locks_held > 0 {
        return Verdict::Panic(Reason::LockHeld);
    }
    if sandbox.host_calls > 0 {
        return Verdict::Panic(Reason::HostCall);
    }
    if ran_off_its_stack(fault, sandbox) {
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

/// Whether the fault is the sandbox's stack running into its guard.
///
/// Both addresses must agree: a wild store of kernel code that happens to hit some guard while the
/// stack pointer is elsewhere is not an overflow. A frame larger than what is left may put the stack
/// pointer itself into the guard before anything is touched, so the guard counts as its stack here.
fn ran_off_its_stack(fault: &Fault, sandbox: &Running) -> bool {
    let on_its_stack = sandbox.guard.start <= fault.rsp && fault.rsp <= sandbox.stack.end;
    fault.vector == vector::PAGE_FAULT && on_its_stack && sandbox.guard.contains(&fault.cr2)
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
mod tests {
    use super::*;

    const GUEST: u64 = 0xffff_ffff_8010_0040;
    const NATIVE: u64 = 0xffff_fa00_0000_1234;
    const KERNEL: u64 = 0xffff_ffff_8000_1000;
    const IN_GUARD: u64 = 0x7ff8;

    fn running() -> Running {
        Running {
            guest_code: 0xffff_ffff_8010_0000..0xffff_ffff_8011_0000,
            native_code: 0xffff_fa00_0000_0000..0xffff_fa01_0000_0000,
            stack: 0x8000..0x1_0000,
            guard: 0x1000..0x8000,
            host_calls: 0,
            locks_held: 0,
        }
    }

    fn fault(number: u8, rip: u64) -> Fault {
        Fault {
            vector: number,
            error_code: 0,
            rip,
            rsp: 0x9000,
            cr2: 0,
        }
    }

    fn overflow(rip: u64) -> Fault {
        Fault {
            vector: vector::PAGE_FAULT,
            error_code: 2,
            rip,
            rsp: 0x8000,
            cr2: IN_GUARD,
        }
    }

    #[test]
    fn a_fault_in_the_stack_guard_is_a_stack_overflow() {
        assert_eq!(
            judge(&overflow(GUEST), Some(&running())),
            Verdict::End(Trap::StackOverflow)
        );
    }

    #[test]
    fn an_overflow_in_a_host_call_is_a_panic_because_its_room_was_checked() {
        let sandbox = Running {
            host_calls: 1,
            ..running()
        };
        assert_eq!(
            judge(&overflow(KERNEL), Some(&sandbox)),
            Verdict::Panic(Reason::HostCall)
        );
    }

    #[test]
    fn an_overflow_of_the_engine_between_guest_code_and_the_gate_is_a_stack_overflow() {
        assert_eq!(
            judge(&overflow(KERNEL), Some(&running())),
            Verdict::End(Trap::StackOverflow)
        );
    }

    #[test]
    fn an_overflow_with_the_stack_pointer_already_in_the_guard_is_a_stack_overflow() {
        let fault = Fault {
            rsp: 0x2000,
            ..overflow(GUEST)
        };
        assert_eq!(
            judge(&fault, Some(&running())),
            Verdict::End(Trap::StackOverflow)
        );
    }

    #[test]
    fn an_overflow_under_a_lock_is_a_panic() {
        let sandbox = Running {
            host_calls: 1,
            locks_held: 1,
            ..running()
        };
        assert_eq!(
            judge(&overflow(KERNEL), Some(&sandbox)),
            Verdict::Panic(Reason::LockHeld)
        );
    }

    #[test]
    fn a_touch_of_the_guard_from_another_stack_is_a_panic() {
        let fault = Fault {
            rsp: 0x20_0000,
            ..overflow(KERNEL)
        };
        assert_eq!(
            judge(&fault, Some(&running())),
            Verdict::Panic(Reason::KernelCode)
        );
    }

    #[test]
    fn a_wild_touch_from_guest_code_is_memory_out_of_bounds() {
        let fault = Fault {
            cr2: 0xdead_0000,
            ..fault(vector::PAGE_FAULT, GUEST)
        };
        assert_eq!(
            judge(&fault, Some(&running())),
            Verdict::End(Trap::MemoryOutOfBounds)
        );
    }

    #[test]
    fn the_same_fault_from_kernel_code_is_a_panic() {
        for number in [
            vector::PAGE_FAULT,
            vector::DIVIDE_ERROR,
            vector::GENERAL_PROTECTION,
        ] {
            let verdict = judge(&fault(number, KERNEL), Some(&running()));
            assert_eq!(verdict, Verdict::Panic(Reason::KernelCode));
        }
    }

    #[test]
    fn a_fault_of_guest_code_below_a_host_call_is_a_panic() {
        let sandbox = Running {
            host_calls: 1,
            ..running()
        };
        let verdict = judge(&fault(vector::DIVIDE_ERROR, GUEST), Some(&sandbox));
        assert_eq!(verdict, Verdict::Panic(Reason::HostCall));
    }

    #[test]
    fn a_divide_error_in_guest_code_is_a_division_by_zero() {
        let verdict = judge(&fault(vector::DIVIDE_ERROR, GUEST), Some(&running()));
        assert_eq!(verdict, Verdict::End(Trap::IntegerDivideByZero));
    }

    #[test]
    fn an_invalid_opcode_in_guest_code_is_unreachable() {
        let verdict = judge(&fault(vector::INVALID_OPCODE, GUEST), Some(&running()));
        assert_eq!(verdict, Verdict::End(Trap::Unreachable));
    }

    #[test]
    fn an_exception_that_guest_code_can_raise_ends_the_sandbox_with_a_name() {
        for number in [7, 12, 13, 16, 17, 19] {
            let verdict = judge(&fault(number, GUEST), Some(&running()));
            assert_eq!(verdict, Verdict::End(Trap::ProcessorException));
        }
    }

    #[test]
    fn an_exception_that_no_guest_raises_is_a_panic_even_in_guest_code() {
        for number in [1, 3, 4, 5, 9, 10, 11, 15, 20, 21, 28, 31] {
            for code in [GUEST, NATIVE] {
                let verdict = judge(&fault(number, code), Some(&running()));
                assert_eq!(verdict, Verdict::Panic(Reason::NoGuestsException));
            }
        }
    }

    #[test]
    fn a_trap_of_compiled_code_is_a_question_to_the_engine() {
        for (number, otherwise) in [
            (vector::PAGE_FAULT, Trap::MemoryOutOfBounds),
            (vector::DIVIDE_ERROR, Trap::IntegerDivideByZero),
            (vector::INVALID_OPCODE, Trap::Unreachable),
        ] {
            let verdict = judge(&fault(number, NATIVE), Some(&running()));
            assert_eq!(verdict, Verdict::AskEngine(otherwise));
        }
    }

    #[test]
    fn other_exceptions_of_compiled_code_end_the_sandbox_without_a_question() {
        for number in [7, 12, 13, 16, 17, 19] {
            let verdict = judge(&fault(number, NATIVE), Some(&running()));
            assert_eq!(verdict, Verdict::End(Trap::ProcessorException));
        }
    }

    #[test]
    fn an_overflow_of_compiled_code_is_not_the_engines_to_judge() {
        assert_eq!(
            judge(&overflow(NATIVE), Some(&running())),
            Verdict::End(Trap::StackOverflow)
        );
    }

    #[test]
    fn a_fault_of_compiled_code_below_a_host_call_or_under_a_lock_is_a_panic() {
        let in_host_call = Running {
            host_calls: 1,
            ..running()
        };
        let under_lock = Running {
            locks_held: 1,
            ..running()
        };
        for (sandbox, reason) in [
            (in_host_call, Reason::HostCall),
            (under_lock, Reason::LockHeld),
        ] {
            let verdict = judge(&fault(vector::PAGE_FAULT, NATIVE), Some(&sandbox));
            assert_eq!(verdict, Verdict::Panic(reason));
        }
    }

    #[test]
    fn a_fault_with_no_sandbox_is_a_panic() {
        for number in 0..32 {
            assert!(matches!(
                judge(&fault(number, GUEST), None),
                Verdict::Panic(_)
            ));
        }
    }

    #[test]
    fn double_faults_and_machine_checks_are_never_a_guests() {
        for number in [
            vector::DOUBLE_FAULT,
            vector::NON_MASKABLE,
            vector::MACHINE_CHECK,
        ] {
            let verdict = judge(&fault(number, GUEST), Some(&running()));
            assert_eq!(verdict, Verdict::Panic(Reason::NeverAGuests));
        }
    }

    #[test]
    fn every_trap_has_a_name_of_its_own() {
        for (index, trap) in Trap::ALL.iter().enumerate() {
            for other in &Trap::ALL[index + 1..] {
                assert_ne!(trap.as_str(), other.as_str());
            }
        }
    }
}
