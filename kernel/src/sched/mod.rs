//! Who runs next: the run queue, the timer and idleness.
//!
//! The policy (earliest deadline first) is `luge_sched::Queue`, tested on the host. This file is the
//! glue: [`run_forever`] is the dispatcher's loop, which polls the devices, enters the task with the
//! earliest deadline, and halts the CPU when there is none.
//!
//! Invariant: only the dispatcher touches the queue, or a sandbox inside its gate; both run with no
//! other kernel code beside them.

#![deny(unsafe_code)]

use alloc::collections::BTreeSet;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use luge_sched::{Queue, TaskId};
use x86_64::instructions::interrupts;

use crate::arch::apic;
use crate::arch::lock::Lock;
use crate::arch::time::{Instant, ticks};

/// Every task that is entered gets at least this long, in nanoseconds.
const SHORTEST_TURN_NS: u64 = 20_000;
/// The longest that the CPU sleeps when nothing is due, in nanoseconds.
const LONGEST_SLEEP_NS: u64 = 1_000_000_000;

static READY: Lock<Queue> = Lock::new(Queue::new());
static SLEEPERS: Lock<BTreeSet<(Instant, u64)>> = Lock::new(BTreeSet::new());
/// When the turn of the running task must end at the latest, in nanoseconds since boot.
static TURN_ENDS_NS: AtomicU64 = AtomicU64::new(0);
static ATTENTION: AtomicBool = AtomicBool::new(true);
static BUSY_TICKS: AtomicU64 = AtomicU64::new(0);
static WOKE_AT: AtomicU64 = AtomicU64::new(0);
static QUANTUM_NS: AtomicU64 = AtomicU64::new(1_000_000);

/// What the dispatcher calls up to.
#[derive(Clone, Copy)]
pub struct Hooks {
    /// Lets devices and connections go on; says when it wants to be called again at the latest.
    pub poll: fn(Instant) -> Option<Instant>,
    /// Runs a task until it gives the CPU back.
    pub run: fn(TaskId),
    /// Tells a task that a moment it asked for has come.
    pub wake: fn(TaskId),
    /// Called when nothing is ready, before the CPU is halted.
    pub idle: fn(),
}

/// How long a task may run before the dispatcher looks around, in nanoseconds.
pub fn set_quantum(ns: u64) {
    QUANTUM_NS.store(ns, Relaxed);
}

/// Makes room in the queue for this many tasks.
pub fn reserve(tasks: usize) {
    READY.lock().reserve(tasks);
}

/// Puts a task into the queue.
pub fn make_ready(task: TaskId, deadline: Instant, arrival: u64) {
    READY.lock().insert(task, deadline.as_ns(), arrival);
}

/// Takes a task out of the queue, if it is there.
pub fn forget(task: TaskId) {
    READY.lock().remove(task);
}

/// Takes back what [`wake_at`] asked for.
pub fn forget_wake(task: TaskId, moment: Instant) {
    SLEEPERS.lock().remove(&(moment, task.0));
}

/// Has `task` woken at `moment`.
pub fn wake_at(task: TaskId, moment: Instant) {
    SLEEPERS.lock().insert((moment, task.0));
}

/// Asks the dispatcher to poll soon. For interrupt handlers, and for tasks that made progress.
pub fn want_attention() {
    ATTENTION.store(true, Relaxed);
}

/// The dispatcher. Interrupts are off here, except while the CPU is halted.
pub fn run_forever(hooks: Hooks) -> ! {
    let mut poll_at = Instant::now();
    loop {
        let now = Instant::now();
        wake_sleepers(now, hooks.wake);
        if ATTENTION.swap(false, Relaxed) || poll_at <= now {
            let next = (hooks.poll)(now);
            poll_at = next.unwrap_or(now.plus_ns(LONGEST_SLEEP_NS));
        }
        if !run_until(poll_at, hooks.run) {
            idle(poll_at, hooks.idle);
        }
    }
}

/// TSC ticks that the CPU was not halted, up to when it last was.
#[must_use]
pub fn busy_ticks() -> u64 {
    BUSY_TICKS.load(Relaxed)
}

/// Runs the task with the earliest deadline for a quantum at most. False when none is ready.
pub fn run_one(run: fn(TaskId)) -> bool {
    run_until(Instant::from_ns(u64::MAX), run)
}

fn run_until(limit: Instant, run: fn(TaskId)) -> bool {
    let Some(entry) = READY.lock().pop_earliest() else {
        return false;
    };
    TURN_ENDS_NS.store(next_due(limit).as_ns(), Relaxed);
    run(entry.task);
    apic::disarm_timer();
    true
}

/// The moment of the first sleeper, or `limit` if that is earlier.
fn next_due(limit: Instant) -> Instant {
    let first_sleeper = SLEEPERS.lock().first().map(|(moment, _)| *moment);
    first_sleeper.map_or(limit, |moment| moment.min(limit))
}

fn wake_sleepers(now: Instant, wake: fn(TaskId)) {
    loop {
        let mut sleepers = SLEEPERS.lock();
        let due = sleepers
            .first()
            .copied()
            .filter(|(moment, _)| *moment <= now);
        let Some(sleeper) = due else { return };
        sleepers.remove(&sleeper);
        drop(sleepers);
        wake(TaskId(sleeper.1));
    }
}

/// Arms the timer for the turn of a task that is about to be entered: its quantum, or less if
/// something else is due before. The floor is what lets every turn make progress.
pub fn arm_turn() {
    let now = Instant::now();
    let due = Instant::from_ns(TURN_ENDS_NS.load(Relaxed));
    let quantum = QUANTUM_NS.load(Relaxed);
    apic::arm_timer_in(
        due.since(now)
            .clamp(SHORTEST_TURN_NS, quantum.max(SHORTEST_TURN_NS)),
    );
}

/// Halts the CPU until an interrupt, unless there is something to do.
fn idle(poll_at: Instant, before: fn()) {
    BUSY_TICKS.fetch_add(ticks() - WOKE_AT.load(Relaxed), Relaxed);
    before();
    let until = next_due(poll_at);
    if !ATTENTION.load(Relaxed) && until > Instant::now() {
        arm(until);
        // Interrupts are off up to `hlt` itself, so what happens after the check still ends it.
        interrupts::enable_and_hlt();
        interrupts::disable();
    }
    WOKE_AT.store(ticks(), Relaxed);
}

fn arm(moment: Instant) {
    apic::arm_timer_in(moment.since(Instant::now()));
}
