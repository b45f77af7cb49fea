//! `proc_exit`, `proc_raise`, `sched_yield`, and the ends that are none of these.

use std::process;

use crate::calls::{STDOUT, raise, write, yield_now};
use crate::errno::NOSYS;
use crate::{raw, tests};

tests![
    a_command_that_returns_has_succeeded => "exit 0", "done",
    exit_0_is_success => "exit 0", "done",
    exit_1_is_none => "exit 1", "",
    an_exit_has_the_number_that_it_was_given => "exit 42", "",
    the_largest_number_is_one => "exit 4294967295", "",
    an_abort_is_a_trap => "trap unreachable", "",
    no_signal_can_be_raised,
    others_can_be_let_run,
];

/// Says that it is done, so that the answer shows whether that got out.
fn done() {
    write(STDOUT, b"done").unwrap();
}

fn exit(code: u32) {
    done();
    // SAFETY: it has no conditions.
    unsafe { raw::proc_exit(code) }
}

fn a_command_that_returns_has_succeeded() {
    done();
}

fn exit_0_is_success() {
    exit(0);
}

fn exit_1_is_none() {
    exit(1);
}

fn an_exit_has_the_number_that_it_was_given() {
    exit(42);
}

fn the_largest_number_is_one() {
    exit(u32::MAX);
}

fn an_abort_is_a_trap() {
    process::abort();
}

fn no_signal_can_be_raised() {
    for signal in [0, 2, 6, 9, 255] {
        assert_eq!(raise(signal), Err(NOSYS));
    }
}

fn others_can_be_let_run() {
    for _ in 0..100 {
        assert_eq!(yield_now(), Ok(()));
    }
}
