//! What the kernel's own work costs: `bench` on the command line.
//!
//! Each figure is a line `bench: NAME TICKS`, in TSC ticks. Under QEMU's `-icount shift=0,sleep=off` a
//! tick is an instruction, and the figures repeat exactly; `tests/bench` runs it so.
//!
//! The first workloads here stand for guest code: they lie where the executor's handlers do, so that they
//! can be preempted and may fault. Then come functions of the disk, in the engine that they are loaded in.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::hint::black_box;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use luge_sandbox::Outcome;
use luge_sched::{Comeback, Ready, Reservation, SHARED, Settings, Standing, TaskId};
use luge_spec::OnMiss;
use x86_64::instructions::interrupts;

use crate::arch::stand_in;
use crate::arch::time::{Instant, ticks};
use crate::disk;
use crate::functions::{Function, loading, table};
use crate::mm::bodies::Body;
use crate::observe::logger::line;
use crate::observe::metrics::Metrics;
use crate::observe::text::{Rest, Text};
use crate::sandbox::{self, Current, Request, Sandbox, Workload};

/// How often each thing is done; the least counts, since the first pays for page tables.
const TURNS: usize = 16;
/// How often the long ones are.
const LONG_TURNS: usize = 2;
/// How often a file is read, at least once more than what is counted.
const READS: usize = 8;
/// How long a sandbox looks out for interruptions, in TSC ticks: some quanta.
const LOOKOUT: u64 = 10_000_000;

const MEBIBYTE: usize = 1 << 20;
/// Over how many dispatches the cost of one is averaged.
const DISPATCHES: u64 = 1_000;
/// A deadline that does not come, in nanoseconds, and what scatters others behind it.
const FAR_NS: u64 = 1 << 40;
const SCATTER: u64 = 0x9e37_79b9_7f4a_7c15;

static FAULTED_AT: AtomicU64 = AtomicU64::new(0);
static BEGUN_AT: AtomicU64 = AtomicU64::new(0);

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

/// Notes when it begins.
struct Begin;

impl Workload for Begin {
    fn run(&self, _: Current) -> Outcome {
        BEGUN_AT.store(ticks(), Relaxed);
        Outcome::Exit(0)
    }
}

/// Looks out for interruptions, and leaves the length of the shortest.
struct Watch(AtomicU64);

impl Workload for Watch {
    fn run(&self, _: Current) -> Outcome {
        stand_in::watch(ticks() + LOOKOUT, &self.0);
        Outcome::Exit(0)
    }
}

/// Another workload, with nothing to interrupt it.
struct Undisturbed(Arc<dyn Workload>);

impl Workload for Undisturbed {
    fn run(&self, sandbox: Current) -> Outcome {
        interrupts::without_interrupts(|| self.0.run(sandbox))
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

/// Measures and prints everything: the kernel's own work, and the functions that are known here.
pub fn all() {
    report("boot-to-ready", since_boot());
    loading::finish_first();
    report("boot-to-first-function", since_boot());
    loading::finish();
    report("boot-to-functions", since_boot());
    stand_ins();
    for tasks in [1, 100, 10_000] {
        report(&format!("dispatch-of-{tasks}"), dispatch(tasks));
    }
    for name in ["empty", "unreachable"] {
        if let Some(workload) = function(name) {
            let figure = least(TURNS, || whole(workload.clone(), &[name]));
            report(&format!("sandbox-{name}"), figure);
        }
    }
    if let Some(fib) = function("fib") {
        let alone = Arc::new(Undisturbed(fib.clone()));
        let run = |workload: Arc<dyn Workload>| whole(workload, &["fib", "30"]);
        report("fib-30", least(LONG_TURNS, || run(fib.clone())));
        report(
            "fib-30-undisturbed",
            least(LONG_TURNS, || run(alone.clone())),
        );
    }
    files();
    report("scrape", least(TURNS, scrape));
}

/// Instructions so far, without those that looked whether the disk had answered: how many that takes is the host's
/// doing.
fn since_boot() -> u64 {
    ticks() - disk::WAITED_TICKS.get()
}

/// What it costs to write the metrics of all functions that are here.
fn scrape() -> u64 {
    let (start, table) = (ticks(), table());
    let (mut metrics, mut text) = (Metrics::default(), String::new());
    while metrics.write_next(&mut text, &table) == Ok(Rest::More) {}
    ticks() - start
}

fn function(name: &str) -> Option<Arc<dyn Workload>> {
    named(name)?.module.program().cloned()
}

fn named(name: &str) -> Option<Arc<Function>> {
    let table = table();
    let found = table.functions().find(|found| &*found.name == name);
    found.cloned()
}

/// What reading a mebibyte of the disk costs a guest, `reader`, that has been read before; and a copy of as
/// much. The guest reads its file once for each argument.
fn files() {
    let (Some(reader), Some(program)) = (named("reader"), function("reader")) else {
        return;
    };
    let run = |reads: usize| {
        least(LONG_TURNS, || {
            let start = ticks();
            let request = Request {
                files: reader.files.clone(),
                ..request(program.clone(), &["again"; 1 + READS][..reads])
            };
            let outcome = finish(&sandbox::submit(request, Instant::now()).expect("there is room"));
            assert!(outcome.is_success(), "the reader reads: {outcome}");
            ticks() - start
        })
    };
    let once = run(1);
    report("file-mebibyte", (run(1 + READS) - once) / READS as u64);
    report("copy-mebibyte", least(LONG_TURNS, copy));
}

fn copy() -> u64 {
    let (from, mut to) = (vec![1_u8; MEBIBYTE], vec![0_u8; MEBIBYTE]);
    let start = ticks();
    to.copy_from_slice(black_box(&from));
    let end = ticks();
    black_box(&to);
    end - start
}

fn stand_ins() {
    let nothing = Arc::new(Nothing);
    report(
        "sandbox-native",
        least(TURNS, || whole(nothing.clone(), &[])),
    );
    report("fault-to-recovered", least(TURNS, fault));
    report("fault-to-next-sandbox", least(TURNS, fault_to_next));
    report("context-switch", switches());
    report("preemption", preemption());
}

/// What it costs to choose who runs next and to put it back, with so many tasks that are ready: those of two
/// tenants, of which one has a reservation.
fn dispatch(tasks: u64) -> u64 {
    let mut ready = Ready::new(Settings::default());
    let share = Reservation::new(1_000_000, 10_000_000).expect("neither is zero");
    let groups = [SHARED, ready.reserve_share(share)];
    ready.reserve_room(tasks as usize);
    let mut standings: Vec<_> = (0..tasks)
        .map(|number| {
            let deadline_ns = FAR_NS + number.wrapping_mul(SCATTER) % FAR_NS;
            Standing::new(number, deadline_ns, Some(FAR_NS), FAR_NS)
        })
        .collect();
    for (number, standing) in (0..).zip(&mut standings) {
        let group = groups[(number % 2) as usize];
        ready.insert(TaskId(number), group, standing, Comeback::Woken, 0);
    }
    let began = ticks();
    for turn in 0..DISPATCHES {
        let task = ready.take_first(turn).expect("they all come back");
        let group = groups[(task.0 % 2) as usize];
        let standing = &mut standings[task.0 as usize];
        let _ = ready.turn_ns(standing);
        ready.stopped(standing, 1);
        // A task that comes back with another deadline goes all the way down.
        *standing = Standing::new(task.0, 2 * FAR_NS + turn, Some(FAR_NS), FAR_NS);
        ready.insert(task, group, standing, Comeback::Preempted, turn);
    }
    (ticks() - began) / DISPATCHES
}

/// From the request to the end of its teardown.
fn whole(workload: Arc<dyn Workload>, arguments: &[&str]) -> u64 {
    let start = ticks();
    let _ = finish(&submit(workload, arguments));
    ticks() - start
}

/// From a division by zero to its sandbox's end.
fn fault() -> u64 {
    let outcome = finish(&submit(Arc::new(Divide), &[]));
    let recovered = ticks();
    assert!(!outcome.is_success(), "a division by zero is no success");
    recovered - FAULTED_AT.load(Relaxed)
}

/// From a division by zero to the first line of the sandbox that waits behind it.
fn fault_to_next() -> u64 {
    let faulting = submit(Arc::new(Divide), &[]);
    let next = submit(Arc::new(Begin), &[]);
    let _ = finish(&faulting);
    let _ = finish(&next);
    BEGUN_AT.load(Relaxed) - FAULTED_AT.load(Relaxed)
}

/// What the timer takes from a sandbox while another is ready: its registers and the FPU's are saved, the dispatcher chooses again,
/// and a sandbox, here the same, goes on.
fn preemption() -> u64 {
    let watch = Arc::new(Watch(AtomicU64::new(u64::MAX)));
    let watching = submit(watch.clone(), &[]);
    let beside = submit(Arc::new(Nothing), &[]);
    let _ = finish(&watching);
    let _ = finish(&beside);
    watch.0.load(Relaxed)
}

/// The cost of one switch into a sandbox or out of it, with what the dispatcher does around it.
fn switches() -> u64 {
    let sandbox = submit(Arc::new(ComeBack), &[]);
    let _ = sandbox::run_next();
    let one = least(TURNS - 2, || {
        let start = ticks();
        let _ = sandbox::run_next();
        (ticks() - start) / 2
    });
    let _ = finish(&sandbox);
    one
}

fn least(turns: usize, mut once: impl FnMut() -> u64) -> u64 {
    (0..turns)
        .map(|_| once())
        .min()
        .expect("there is more than one turn")
}

fn submit(workload: Arc<dyn Workload>, arguments: &[&str]) -> Arc<Sandbox> {
    let request = request(workload, arguments);
    sandbox::submit(request, Instant::now()).expect("there is room for one sandbox")
}

fn request(workload: Arc<dyn Workload>, arguments: &[&str]) -> Request {
    Request {
        name: "bench".into(),
        workload,
        stack_bytes: 512 << 10,
        memory_bytes: 64 << 20,
        output_bytes: 1 << 20,
        scratch_bytes: 0,
        answer: None,
        files: None,
        arguments: arguments.iter().map(|word| (*word).into()).collect(),
        environment: Arc::default(),
        body: Body::default(),
        relative_deadline_ns: 10_000_000_000,
        on_miss: OnMiss::Kill,
        budget_ns: None,
        tenant: None,
        ticket: None,
    }
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
