//! What guests wrote to stderr that did not reach the log: said there, once in a while.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use log::warn;

use crate::arch::lock::Lock;
use crate::arch::time::Instant;
use crate::functions::{Table, table};
use crate::sandbox::stderr::DROPPED;
use crate::sched::admission;

/// From the first line that is dropped to when that is said, in nanoseconds. So often it is said at most.
const PERIOD_NS: u64 = 1_000_000_000;
/// How many functions are named at a time.
const MOST_NAMED: usize = 8;

/// How many lines it has been said of that they were dropped.
static SAID: AtomicU64 = AtomicU64::new(0);
/// The same of each route, by its place in the table.
static SAID_OF: Lock<Vec<u64>> = Lock::new(Vec::new());
/// When it is to be said next.
static DUE_NS: AtomicU64 = AtomicU64::new(NEVER);
const NEVER: u64 = u64::MAX;

/// Says what there is to say, when it is time. Returns when it is.
pub fn poll(now: Instant) -> Option<Instant> {
    let due_ns = DUE_NS.load(Relaxed);
    if due_ns <= now.as_ns() {
        say();
    } else if due_ns == NEVER && DROPPED.get() > SAID.load(Relaxed) {
        DUE_NS.store(now.plus_ns(PERIOD_NS).as_ns(), Relaxed);
    }
    let due_ns = DUE_NS.load(Relaxed);
    (due_ns != NEVER).then(|| Instant::from_ns(due_ns))
}

/// Says what was dropped and has not been said.
pub fn say() {
    DUE_NS.store(NEVER, Relaxed);
    let all = DROPPED.get();
    let new = all - SAID.swap(all, Relaxed);
    if new == 0 {
        return;
    }
    let others = new.saturating_sub(name_some(&table()));
    if others > 0 {
        warn!(target: "guest", "{others} lines of stderr of other functions were dropped");
    }
}

/// Names the first functions of which lines were dropped, and says how many lines those were.
fn name_some(table: &Table) -> u64 {
    let mut said_of = SAID_OF.lock();
    let more = table.places().saturating_sub(said_of.len());
    if said_of.try_reserve(more).is_err() {
        return 0;
    }
    said_of.extend((0..more).map(|_| 0));
    let (mut named, mut lines) = (0, 0);
    for (place, said) in said_of.iter_mut().enumerate() {
        let Some(function) = table.function_at(place) else {
            continue;
        };
        let dropped = admission::meter(function.id).lines_dropped.get();
        let new = dropped - *said;
        *said = dropped;
        if new > 0 && named < MOST_NAMED {
            (named, lines) = (named + 1, lines + new);
            warn!(target: "guest", "{}: {new} lines of stderr were dropped", function.name);
        }
    }
    lines
}
