//! What did not reach the log: said there, once in a while. That is what guests wrote to stderr and how they were ended
//! by force, beyond what a route is allowed of each; and any line for which the serial port was too slow.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use log::warn;
use luge_metrics::RouteMeter;

use crate::arch::lock::Lock;
use crate::arch::serial;
use crate::arch::time::Instant;
use crate::functions::{Table, table};
use crate::sandbox::logged;
use crate::sched::admission;

/// From the first line that is dropped to when that is said, in nanoseconds. So often it is said at most.
const PERIOD_NS: u64 = 1_000_000_000;
/// How many functions are named at a time.
const MOST_NAMED: usize = 8;
/// What guests lose, in the order of [`lost_by`].
const KINDS: [&str; 2] = ["lines of stderr", "traps and kills"];

/// Of how much it has been said that it was dropped.
static SAID: AtomicU64 = AtomicU64::new(0);
/// The same of each route, by its place in the table.
static SAID_OF: Lock<Vec<[u64; 2]>> = Lock::new(Vec::new());
/// The same of lines for which the port was too slow.
static SAID_OF_PORT: AtomicU64 = AtomicU64::new(0);
/// When it is to be said next.
static DUE_NS: AtomicU64 = AtomicU64::new(NEVER);
const NEVER: u64 = u64::MAX;

/// Takes the memory that it needs, for the functions that there are.
pub fn start() {
    let _ = name_some(&table());
}

/// Says what there is to say, when it is time. Returns when it is.
pub fn poll(now: Instant) -> Option<Instant> {
    let due_ns = DUE_NS.load(Relaxed);
    if due_ns <= now.as_ns() {
        say();
    } else if due_ns == NEVER && (lost() > SAID.load(Relaxed) || is_port_owed()) {
        DUE_NS.store(now.plus_ns(PERIOD_NS).as_ns(), Relaxed);
    }
    let due_ns = DUE_NS.load(Relaxed);
    (due_ns != NEVER).then(|| Instant::from_ns(due_ns))
}

/// Says what was dropped and has not been said.
pub fn say() {
    DUE_NS.store(NEVER, Relaxed);
    say_of_port();
    let all = lost();
    let new = all - SAID.swap(all, Relaxed);
    if new == 0 {
        return;
    }
    let others = new.saturating_sub(name_some(&table()));
    if others > 0 {
        warn!(target: "guest", "{others} lines of stderr, traps and kills of other functions were dropped");
    }
}

/// All that guests have lost.
fn lost() -> u64 {
    logged::DROPPED.get() + logged::ENDS_DROPPED.get()
}

fn lost_by(meter: &RouteMeter) -> [u64; 2] {
    [meter.lines_dropped.get(), meter.ends_dropped.get()]
}

fn is_port_owed() -> bool {
    serial::DROPPED.get() > SAID_OF_PORT.load(Relaxed)
}

/// Once there is room, or the line that says so would be lost like the others.
fn say_of_port() {
    if is_port_owed() && serial::has_room() {
        let all = serial::DROPPED.get();
        let new = all - SAID_OF_PORT.swap(all, Relaxed);
        warn!("{new} lines of the log were dropped, because the serial port was too slow");
    }
}

/// Names the first functions that have lost something, and says how much that was.
fn name_some(table: &Table) -> u64 {
    let mut said_of = SAID_OF.lock();
    let more = table.places().saturating_sub(said_of.len());
    if said_of.try_reserve(more).is_err() {
        return 0;
    }
    said_of.extend((0..more).map(|_| [0; 2]));
    let (mut named, mut told) = (0, 0);
    for (place, said) in said_of.iter_mut().enumerate() {
        let Some(function) = table.function_at(place) else {
            continue;
        };
        let lost = lost_by(admission::meter(function.id));
        let before = core::mem::replace(said, lost);
        let new = [lost[0] - before[0], lost[1] - before[1]];
        if new == [0; 2] || named == MOST_NAMED {
            continue;
        }
        named += 1;
        for (count, kind) in new.into_iter().zip(KINDS).filter(|(count, _)| *count > 0) {
            told += count;
            warn!(target: "guest", "{}: {count} {kind} were dropped", function.name);
        }
    }
    told
}
