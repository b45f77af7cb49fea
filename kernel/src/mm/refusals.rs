//! A hook for scenarios: refuses, one after the other, each request for memory that may be refused.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// How many may still be granted before one is not; none if that is not to be.
static LEFT: AtomicU32 = AtomicU32::new(NONE);
/// Which is refused next time.
static POINT: AtomicU32 = AtomicU32::new(0);
const NONE: u32 = u32::MAX;

/// From now on, the next request is refused that was not yet. 1 if the one before has come, or was the first; else 0.
pub fn refuse_next() -> u32 {
    let point = POINT.fetch_add(1, Relaxed);
    let has_come = LEFT.swap(point, Relaxed) == NONE;
    u32::from(has_come)
}

/// Whether this request is the one.
pub fn this_one() -> bool {
    let left = LEFT.load(Relaxed);
    if left != NONE {
        LEFT.store(left.checked_sub(1).unwrap_or(NONE), Relaxed);
    }
    left == 0
}
