//! Who runs next: the run queue, the timer and idleness.
//!
//! The policies are in `luge_sched::Ready`, tested on the host. This file is the glue: [`run_forever`] is
//! the dispatcher's loop, which polls the devices, enters the task that comes first, and halts the CPU when
//! there is none. [`admission`] lets requests in, [`trace`] keeps what happened.
//!
//! The timer is armed for the next moment at which something is due, and for nothing else: a task that
//! runs alone is not interrupted.
//!
//! Invariant: only the dispatcher touches the queue, or a sandbox inside its gate; both run with no
//! other kernel code beside them.

#![deny(unsafe_code)]

pub mod admission;
mod share;
pub mod trace;

use alloc::collections::BTreeSet;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use luge_sched::{Bell, Comeback, Group, Ready, Settings, Standing, TaskId};
use spin::Once;
use x86_64::instructions::interrupts;

use crate::arch::apic;
use crate::arch::lock::{Lock, LockGuard};
use crate::arch::serial::{self, Sent};
use crate::arch::time::{Instant, boot_ticks, ticks};
use crate::mm::bodies;

/// Every task that is entered gets at least this long, in nanoseconds.
const SHORTEST_TURN_NS: u64 = 20_000;
/// The longest that the CPU sleeps or a task runs when nothing is due, in nanoseconds. The timer's counter
/// has no more than 32 bits.
const LONGEST_SLEEP_NS: u64 = 1_000_000_000;

/// For how long the log is sent at a time, in nanoseconds.
const LOG_STEP_NS: u64 = 50_000;
/// How soon a serial port is looked at again that took nothing, in nanoseconds. At 115,200 baud its FIFO is empty
/// after 1.4 ms.
const LOG_RETRY_NS: u64 = 1_000_000;

/// How long a turn may be, so that what waits of the log is sent.
static LOG_TURN_NS: AtomicU64 = AtomicU64::new(u64::MAX);

static READY: Once<Lock<Ready>> = Once::new();
static SLEEPERS: Lock<BTreeSet<(Instant, u64)>> = Lock::new(BTreeSet::new());
/// When the turn of the running task must end at the latest, in nanoseconds since boot.
static TURN_ENDS_NS: AtomicU64 = AtomicU64::new(0);
static ATTENTION: Bell = Bell::rung();
static BUSY_TICKS: AtomicU64 = AtomicU64::new(0);
static WOKE_AT: AtomicU64 = AtomicU64::new(0);

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

/// Makes the queue and opens the books. With `tests_demand`, requests are refused that could not be done by
/// their deadlines.
pub fn start(settings: Settings, tests_demand: bool) {
    WOKE_AT.store(boot_ticks(), Relaxed);
    READY.call_once(|| Lock::new(Ready::new(settings)));
    admission::start(tests_demand);
    trace::start();
}

fn ready() -> LockGuard<'static, Ready> {
    READY.get().expect("it is started at boot").lock()
}

/// Makes room in the queue for this many tasks, now that all groups are known.
pub fn reserve_room(tasks: usize) {
    ready().reserve_room(tasks);
}

/// Puts a task into the queue now.
pub fn make_ready(
    task: TaskId,
    group: Group,
    standing: &mut Standing,
    comeback: Comeback,
    now: Instant,
) {
    ready().insert(task, group, standing, comeback, now.as_ns());
}

/// Queues a task anew whose standing has changed, if it is queued.
pub fn requeue(task: TaskId, group: Group, standing: &mut Standing) {
    let now_ns = Instant::now().as_ns();
    ready().requeue(task, group, standing, now_ns);
}

/// Takes a task out of the queue. Whether it was there.
pub fn forget(task: TaskId, standing: &Standing) -> bool {
    ready().remove(task, standing)
}

/// The running task has stopped after `ran_ns` of CPU time.
pub fn stopped(standing: &Standing, ran_ns: u64) {
    if !standing.shares() {
        ready().stopped(standing, ran_ns);
    }
}

pub use share::{for_sandboxes_ns, worked_for_sandboxes};

/// `ran_ns` of CPU time was spent for a task.
pub fn charge(standing: &Standing, ran_ns: u64) {
    if !standing.shares() {
        ready().charge(standing, ran_ns);
    }
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
    ATTENTION.ring();
}

/// The dispatcher. Interrupts are off here, except while the CPU is halted.
pub fn run_forever(hooks: Hooks) -> ! {
    share::start();
    serial::defer();
    let mut poll_at = Instant::now();
    loop {
        let now = Instant::now();
        wake_sleepers(now, hooks.wake);
        if ATTENTION.answer() || poll_at <= now {
            let next = (hooks.poll)(now);
            poll_at = next.unwrap_or(now.plus_ns(LONGEST_SLEEP_NS));
            // A request may have waited until then for so long that its deadline is past.
            wake_sleepers(Instant::now(), hooks.wake);
        }
        let log = serial::send_some(LOG_STEP_NS);
        let turn_ns = if log == Sent::All {
            u64::MAX
        } else {
            LOG_RETRY_NS
        };
        LOG_TURN_NS.store(turn_ns, Relaxed);
        let gives_back = bodies::give_back_some();
        if !run_until(poll_at, hooks.run) && log != Sent::Some && !gives_back {
            idle(poll_at, hooks.idle);
        }
    }
}

/// TSC ticks that the CPU was not halted, up to when it last was.
#[must_use]
pub fn busy_ticks() -> u64 {
    BUSY_TICKS.load(Relaxed)
}

/// TSC ticks that the CPU was not halted, up to now. Called by the dispatcher's side.
#[must_use]
pub fn busy_ticks_until_now() -> u64 {
    busy_ticks() + ticks() - WOKE_AT.load(Relaxed)
}

/// Runs the task that comes first, for as long as it may. False when none is ready.
pub fn run_one(run: fn(TaskId)) -> bool {
    run_until(Instant::from_ns(u64::MAX), run)
}

fn run_until(limit: Instant, run: fn(TaskId)) -> bool {
    let mut ready = ready();
    let Some(task) = ready.take_first(Instant::now().as_ns()) else {
        return false;
    };
    let replenished = ready.next_replenishment_ns().map(Instant::from_ns);
    drop(ready);
    let due = next_due(limit);
    let due = replenished.map_or(due, |moment| moment.min(due));
    TURN_ENDS_NS.store(due.as_ns(), Relaxed);
    run(task);
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

/// Arms the timer for the turn of a task that is about to be entered: until something is due, another
/// task may come before it, or it has used the `budget_ns` that it has left. The floor is what lets every
/// turn make progress.
pub fn arm_turn(standing: &Standing, budget_ns: u64) {
    let now = Instant::now();
    let due = Instant::from_ns(TURN_ENDS_NS.load(Relaxed));
    let turn_ns = ready().turn_ns(standing);
    let most_ns = due.since(now).min(turn_ns).min(budget_ns);
    let most_ns = most_ns.min(LOG_TURN_NS.load(Relaxed));
    apic::arm_timer(now, most_ns.clamp(SHORTEST_TURN_NS, LONGEST_SLEEP_NS));
}

/// Halts the CPU until an interrupt, unless there is something to do.
fn idle(poll_at: Instant, before: fn()) {
    BUSY_TICKS.fetch_add(ticks() - WOKE_AT.load(Relaxed), Relaxed);
    before();
    let until = next_due(poll_at);
    let longest = Instant::now().plus_ns(match serial::send_some(LOG_STEP_NS) {
        Sent::All => LONGEST_SLEEP_NS,
        Sent::Busy => LOG_RETRY_NS,
        Sent::Some => 0,
    });
    let until = until.min(longest);
    if until > Instant::now() {
        ATTENTION.if_silent(|| {
            arm(until);
            interrupts::enable_and_hlt();
            interrupts::disable();
        });
    }
    WOKE_AT.store(ticks(), Relaxed);
}

fn arm(moment: Instant) {
    let now = Instant::now();
    apic::arm_timer(now, moment.since(now));
}
