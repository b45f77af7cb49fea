//! What part of the time the kernel takes for itself: for packets, connections and choosing.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::busy_ticks_until_now;
use crate::arch::lock::Lock;
use crate::arch::time::{Instant, ns_of_ticks};

/// Over how long it is measured, in nanoseconds.
const WINDOW_NS: u64 = 100_000_000;

static FOR_SANDBOXES_NS: AtomicU64 = AtomicU64::new(0);
static LAST: Lock<Reading> = Lock::new(Reading {
    at: Instant::from_ns(0),
    busy_ns: 0,
    for_sandboxes_ns: 0,
});

/// What the clocks said.
struct Reading {
    at: Instant,
    busy_ns: u64,
    for_sandboxes_ns: u64,
}

/// So much time went to a sandbox.
pub fn worked_for_sandboxes(ns: u64) {
    FOR_SANDBOXES_NS.fetch_add(ns, Relaxed);
}

/// How much time went to sandboxes since boot, in nanoseconds.
#[must_use]
pub fn for_sandboxes_ns() -> u64 {
    FOR_SANDBOXES_NS.load(Relaxed)
}

/// Begins to measure: what came before was the boot.
pub(super) fn start() {
    *LAST.lock() = Reading::now();
}

impl Reading {
    fn now() -> Self {
        Self {
            at: Instant::now(),
            busy_ns: ns_of_ticks(busy_ticks_until_now()),
            for_sandboxes_ns: FOR_SANDBOXES_NS.load(Relaxed),
        }
    }
}

/// The kernel's own part of the time, in millionths, since this was measured last; nothing while that is
/// too short ago. Called by the dispatcher's side.
pub(super) fn of_the_kernel() -> Option<u64> {
    let mut last = LAST.lock();
    let passed_ns = Instant::now().since(last.at);
    if passed_ns < WINDOW_NS {
        return None;
    }
    let reading = Reading::now();
    let busy_ns = reading.busy_ns.saturating_sub(last.busy_ns);
    let own_ns = busy_ns.saturating_sub(reading.for_sandboxes_ns - last.for_sandboxes_ns);
    *last = reading;
    Some((own_ns.min(passed_ns) as u128 * 1_000_000 / u128::from(passed_ns)) as u64)
}
