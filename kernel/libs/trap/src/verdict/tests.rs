//! One rule of the verdict each.

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
        guard: 0x5000..0x8000,
        kernel_stack: 0x3000..0x5000,
        kernel_guard: 0x1000..0x3000,
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
fn an_overflow_of_the_kernel_stack_in_a_host_call_is_a_panic_that_says_so() {
    let fault = Fault {
        rsp: 0x3000,
        cr2: 0x2ff8,
        ..overflow(KERNEL)
    };
    for locks_held in [0, 1] {
        let sandbox = Running {
            host_calls: 1,
            locks_held,
            ..running()
        };
        assert_eq!(
            judge(&fault, Some(&sandbox)),
            Verdict::Panic(Reason::KernelStack)
        );
    }
}

#[test]
fn a_touch_of_the_sandboxs_guard_in_a_host_call_is_a_panic() {
    let sandbox = Running {
        host_calls: 1,
        ..running()
    };
    for rsp in [0x8000, 0x4000] {
        let fault = Fault {
            rsp,
            ..overflow(KERNEL)
        };
        assert_eq!(
            judge(&fault, Some(&sandbox)),
            Verdict::Panic(Reason::HostCall)
        );
    }
}

#[test]
fn a_touch_of_the_sandboxs_guard_from_the_kernel_stack_is_no_overflow() {
    let fault = Fault {
        rsp: 0x4000,
        ..overflow(KERNEL)
    };
    assert_eq!(
        judge(&fault, Some(&running())),
        Verdict::Panic(Reason::KernelCode)
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
        rsp: 0x6000,
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
