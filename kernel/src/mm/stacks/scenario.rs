//! A hook for scenarios: stacks whose guard is mapped, all of it or only where the stack ends.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Stack, frames, map, paging};

/// How much of a guard is mapped, in bytes.
static MAPPED: AtomicU64 = AtomicU64::new(0);

/// From now on something is mapped in the guard of a new stack, for `bytes` bytes below the stack. More than
/// there are means all.
pub fn map_guards(bytes: u64) {
    MAPPED.store(bytes, Relaxed);
}

fn mapped_guard(stack: &Stack) -> Range<u64> {
    let guard = stack.guard();
    let start = guard.end.saturating_sub(MAPPED.load(Relaxed));
    start.max(guard.start)..guard.end
}

/// Maps as much of a new stack's guard as was asked for. None if there are not enough frames.
pub(super) fn map_guard(stack: &Stack) -> Option<()> {
    map(mapped_guard(stack))
}

/// The other way round.
///
/// # Safety
/// As for the unmapping of the stack itself.
pub(super) unsafe fn unmap_guard(stack: &Stack) {
    // SAFETY: as the caller promises.
    unsafe { paging::unmap(mapped_guard(stack), &mut |frame| frames::release(frame)) };
}
