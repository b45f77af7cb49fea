//! What the kernel's own work costs: `bench` on the command line.
//!
//! Each figure is a line `bench: NAME TICKS`, in TSC ticks. Under QEMU's `-icount shift=0,sleep=off` a
//! tick is an instruction, and the figures repeat exactly; `tests/bench` runs it so.
//!
//! The workloads here are native and stand for guest code: they lie where the executor's handlers
//! do, so that they can be preempted and may fault.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use luge_sandbox::Outcome;

use crate::arch::stand_in;
use crate::arch::time::{Instant, ticks};
use crate::functions::table;
use crate::observe::logger::line;
use crate::sandbox::{self, Current, Request, Sandbox, Workload};

/// How often each thing is done; the least counts, since the first pays for page tables.
const TURNS: usize = 16;

static FAULTED_AT: AtomicU64 = AtomicU64::new(0);

/// Ends at once.
struct Nothing;

impl Workload for Nothing {
    fn run(&self, _: Current) -> Outcome {
        Outcome::Exit(0)
    }
}

/// Divides by zero.
struct Divide;

impl Workload for Divide {
    fn run(&self, _: Current) -> Outcome {
        FAULTED_AT.store(ticks(), Relaxed);
        Outcome::Exit(stand_in::divide(1, 0))
    }
}

/// Sleeps until a moment that has passed, so that it leaves the CPU and comes back at once.
struct ComeBack;

impl Workload for ComeBack {
    fn run(&self, sandbox: Current) -> Outcome {
        for _ in 0..TURNS {
            let _ = sandbox.step_aside();
        }
        Outcome::Exit(0)
    }
}

/// Measures and prints everything; last the function `empty`, if the disk has it.
pub fn all() {
    report("boot-to-ready", ticks());
    native();
    if let Some(empty) = table()
        .functions()
        .find(|function| &*function.name == "empty")
    {
        report("sandbox-empty", least(|| whole(empty.workload.clone())));
    }
}

fn native() {
    report("sandbox-native", least(|| whole(Arc::new(Nothing))));
    report("fault-to-recovered", least(fault));
    report("context-switch", switches());
}

/// From the request to the end of its teardown.
fn whole(workload: Arc<dyn Workload>) -> u64 {
    let start = ticks();
    let _ = finish(&submit(workload));
    ticks() - start
}

/// From a division by zero to its sandbox's end.
fn fault() -> u64 {
    let outcome = finish(&submit(Arc::new(Divide)));
    let recovered = ticks();
    assert!(!outcome.is_success(), "a division by zero is no success");
    recovered - FAULTED_AT.load(Relaxed)
}

/// The cost of one switch into a sandbox or out of it, with what the dispatcher does around it.
fn switches() -> u64 {
    let sandbox = submit(Arc::new(ComeBack));
    let _ = sandbox::run_next();
    let one = least(|| {
        let start = ticks();
        let _ = sandbox::run_next();
        (ticks() - start) / 2
    });
    let _ = finish(&sandbox);
    one
}

fn least(mut once: impl FnMut() -> u64) -> u64 {
    (0..TURNS - 2)
        .map(|_| once())
        .min()
        .expect("there is more than one turn")
}

fn submit(workload: Arc<dyn Workload>) -> Arc<Sandbox> {
    let request = Request {
        name: "bench".into(),
        workload,
        stack_bytes: 512 << 10,
        memory_bytes: 64 << 20,
        output_bytes: 1 << 20,
        arguments: alloc::vec!["bench".into()],
        environment: alloc::vec![],
        body: alloc::vec![],
        relative_deadline_ns: 1_000_000_000,
    };
    sandbox::submit(request, Instant::now()).expect("there is room for one sandbox")
}

fn finish(sandbox: &Sandbox) -> Outcome {
    loop {
        if let Some(outcome) = sandbox.outcome() {
            return outcome;
        }
        assert!(sandbox::run_next(), "a sandbox that has not ended is ready");
    }
}

fn report(name: &str, figure: u64) {
    line(format_args!("bench: {name} {figure}"));
}
