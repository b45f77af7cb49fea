//! Little stack: everything that a sandbox does on its own stack, done again and again with a little more of
//! the stack left, from nothing on. Where it does not suffice, the sandbox ends as a stack overflow, and that
//! is all that happens.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hint::black_box;

use log::{error, info};
use luge_sandbox::Outcome;
use luge_trap::Trap;

use super::run;
use crate::arch::{per_cpu, switch};
use crate::batch::request;
use crate::functions::{self, Function};
use crate::mm;
use crate::sandbox::{Current, EndNow, Workload, gate};

/// The most that anything is given, in bytes: as much as the smallest stack has, less what is below the
/// workload.
const MOST_ROOM: u64 = 31 << 10;
/// What it gets more each time, in bytes: a stack pointer is aligned to so many.
const STEP: u64 = 16;

/// A workload that has so much of its sandbox's stack, in bytes.
struct Starved {
    inner: Arc<dyn Workload>,
    room: u64,
}

impl Workload for Starved {
    fn run(&self, sandbox: Current) -> Outcome {
        let low = per_cpu::this()
            .stack_low
            .load(core::sync::atomic::Ordering::Relaxed);
        let mut outcome = None;
        let run = || outcome = Some(self.inner.run(sandbox));
        // SAFETY: nothing is on the lower part of the stack yet.
        unsafe { switch::call_on_stack(low + self.room, run) };
        outcome.expect("it has returned, so it has an outcome")
    }
}

/// Something that a sandbox's code may do, wherever its stack pointer is.
struct Native(fn(Current) -> Result<(), EndNow>);

impl Workload for Native {
    fn run(&self, sandbox: Current) -> Outcome {
        match (self.0)(sandbox) {
            Ok(()) => Outcome::Exit(0),
            Err(EndNow(outcome)) => outcome,
        }
    }
}

const NATIVE: &[(&str, Native)] = &[
    ("host call", Native(|_| gate(|| ()))),
    (
        "host call in a host call",
        Native(|_| gate(|| gate(|| ()))?),
    ),
    (
        "waiting host call",
        Native(|sandbox| gate(|| sandbox.step_aside()).map(drop)),
    ),
    (
        "output",
        Native(|sandbox| gate(|| sandbox.write_output(b"so much")).map(drop)),
    ),
    (
        "text",
        Native(|sandbox| gate(|| format!("{} was here", sandbox.name())).map(drop)),
    ),
    ("allocation", Native(|_| allocate(100))),
    ("large allocation", Native(|_| allocate(300 << 10))),
    (
        "growing allocation",
        Native(|_| {
            let mut bytes: Vec<u8> = Vec::new();
            for _ in 0..4 {
                bytes.reserve(100 << 10);
                bytes.resize(bytes.len() + (100 << 10), 1);
            }
            black_box(bytes);
            Ok(())
        }),
    ),
];

fn allocate(bytes: usize) -> Result<(), EndNow> {
    black_box(alloc::vec![1_u8; bytes]);
    Ok(())
}

/// Starves everything above, and the functions of the disk.
pub(super) fn all() {
    let table = functions::table();
    let functions: Vec<_> = table.functions().collect();
    let some = functions.first().expect("the disk has functions");
    for (name, workload) in NATIVE {
        let inner: Arc<dyn Workload> = Arc::new(Native(workload.0));
        starve(name, some, &inner);
    }
    for function in functions {
        let program = function.module.program().expect("it is ready");
        starve(&function.name, function, program);
    }
}

/// Runs `inner`, with the limits of `function`, in all sizes of stack.
fn starve(name: &str, function: &Function, inner: &Arc<dyn Workload>) {
    let once = |room| run_with(function, inner, room);
    let full = once(MOST_ROOM);
    let before = mm::statistics();
    let (mut rooms, mut enough) = (0, 0);
    for room in (0..MOST_ROOM).step_by(STEP as usize) {
        match once(room) {
            Outcome::Trap(Trap::StackOverflow) => {}
            outcome if outcome == full => enough += 1,
            other => error!("{name}: {other} with {room} bytes of stack"),
        }
        rooms += 1;
    }
    let after = mm::statistics();
    if before != after {
        error!("{name}: memory: {before:?}, then {after:?}");
    }
    info!(
        "starved: {name}: {enough} of {rooms} sizes of stack are enough, then {}",
        once(MOST_ROOM)
    );
}

fn run_with(function: &Function, inner: &Arc<dyn Workload>, room: u64) -> Outcome {
    let mut request = request(function);
    request.workload = Arc::new(Starved {
        inner: inner.clone(),
        room,
    });
    request.stack_bytes = 32 << 10;
    run(request)
}
