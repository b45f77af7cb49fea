//! Registers: what one sandbox leaves in them, no other finds.

use alloc::boxed::Box;
use alloc::sync::Arc;

use log::{error, info};
use luge_sandbox::Outcome;
use x86_64::instructions::interrupts;

use super::{request_for, run};
use crate::arch::stand_in::registers::{self, Registers};
use crate::arch::switch::{self, Context};
use crate::arch::time::Instant;
use crate::mm::stacks;
use crate::sandbox::{self, Current, Workload, gate};

/// The size of the stacks here, in bytes.
const STACK: u64 = 64 << 10;
/// More than a sandbox may have waiting, in bytes.
const OUTPUT: usize = 400 << 10;

/// Where [`Registers::general`] has the stack pointer, the argument, and the two registers by which a context
/// is told where to begin.
const EXPECTED: [usize; 4] = [4, 7, 12, 13];

/// Looks at the registers, by the first instruction of a context and by sandboxes that run after others.
pub(super) fn all() {
    first_instruction();
    let endings: [(&str, extern "C" fn()); 2] = [
        ("returned", registers::spoil),
        ("faulted", registers::spoil_and_fault),
    ];
    for (how, spoil) in endings {
        run(request_for(Arc::new(Leaver(spoil)), STACK));
        look_after(how);
    }
    preempt_and_cancel();
    look_after("was preempted and cancelled");
    after_waiting();
    info!("registers: all looked at");
}

/// Everything is zero but the stack pointer, the argument, and where it begins.
fn first_instruction() {
    let stack = stacks::take(STACK).expect("there is room for a stack");
    let mut found = Box::new(Registers::new());
    let to = (&raw mut *found).cast();
    // SAFETY: the stack is new, and the function never returns.
    let mut context = unsafe { Context::new(stack.top(), registers::store_first, to) };
    interrupts::without_interrupts(|| {
        registers::spoil();
        // SAFETY: the context is new.
        let _ = unsafe { switch::enter(&mut context) };
    });
    let odd = (0..16).find(|index| found.general[*index] != 0 && !EXPECTED.contains(index));
    if odd.is_some() || !found.float_is_clean() {
        error!("registers at the first instruction: {odd:?}, {found:x?}");
    }
    // SAFETY: the context has left for good.
    unsafe { stacks::give_back(stack) };
}

/// Runs a sandbox that leaves its pattern and stays, until the timer takes the CPU from it.
fn preempt_and_cancel() {
    let stays = request_for(Arc::new(Stayer), STACK);
    let stays = sandbox::submit(stays, Instant::now()).expect("there is room");
    for _ in 0..2 {
        sandbox::run_next();
    }
    stays.cancel();
}

/// Has a sandbox look that runs right after one that ended so.
fn look_after(how: &str) {
    let outcome = run(request_for(Arc::new(Looker), STACK));
    if outcome != Outcome::Exit(0) {
        error!("after one that {how}: {outcome}");
    }
}

/// One sandbox waits, others leave their pattern meanwhile, and the first looks when it goes on.
fn after_waiting() {
    let waits = request_for(Arc::new(Waiter), STACK);
    let waits = sandbox::submit(waits, Instant::now()).expect("there is room");
    while waits.outcome().is_none() {
        while sandbox::run_next() {}
        run(request_for(Arc::new(Leaver(registers::spoil)), STACK));
        let taken = waits.take_output();
        assert!(taken.is_some(), "it waits for its output to be taken");
    }
    if waits.outcome() != Some(Outcome::Exit(0)) {
        error!("after waiting: {:?}", waits.outcome());
    }
}

/// Leaves the pattern and ends, one way or another.
struct Leaver(extern "C" fn());

impl Workload for Leaver {
    fn run(&self, _: Current) -> Outcome {
        (self.0)();
        Outcome::Exit(0)
    }
}

/// Leaves the pattern and never ends by itself.
struct Stayer;

impl Workload for Stayer {
    fn run(&self, _: Current) -> Outcome {
        registers::spoil_and_stay()
    }
}

/// Looks for the pattern.
struct Looker;

impl Workload for Looker {
    fn run(&self, _: Current) -> Outcome {
        look()
    }
}

/// Writes more than is taken of it without its waiting, and looks for the pattern when it has waited.
struct Waiter;

impl Workload for Waiter {
    fn run(&self, sandbox: Current) -> Outcome {
        let bytes = [0; 1 << 10];
        for _ in 0..OUTPUT / bytes.len() {
            let _ = gate(|| sandbox.write_output(&bytes));
            let outcome = look();
            if outcome != Outcome::Exit(0) {
                return outcome;
            }
        }
        Outcome::Exit(0)
    }
}

fn look() -> Outcome {
    let mut found = Registers::new();
    registers::store(&mut found);
    found
        .spoilt()
        .map_or(Outcome::Exit(0), |index| Outcome::Exit(1 + index as u32))
}
