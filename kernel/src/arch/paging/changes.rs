//! How often the page tables were changed, counted in kernels built with the feature `scenarios` only: to
//! see that some work does without.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

static COUNT: AtomicU64 = AtomicU64::new(0);

/// An entry is mapped, unmapped or allows something else now. To mark a page clean is no such change.
pub(super) fn note() {
    if cfg!(feature = "scenarios") {
        COUNT.fetch_add(1, Relaxed);
    }
}

/// How many entries have been changed so far.
#[cfg(feature = "scenarios")]
#[must_use]
pub fn count() -> u64 {
    COUNT.load(Relaxed)
}
