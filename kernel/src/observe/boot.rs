//! How long the machine took to come up, stage by stage.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::arch::time::{ns_of_ticks, ticks};

/// The stages, in their order: what `main` does up to serving.
pub const STAGES: [&str; 7] = [
    "cpu",
    "memory",
    "faults",
    "clocks",
    "sandboxes",
    "devices",
    "functions",
];

/// The time stamp at the end of each stage; 0 while it has not ended. In ticks, since what a tick is
/// is known only once there are clocks.
static ENDED: [AtomicU64; STAGES.len()] = [const { AtomicU64::new(0) }; STAGES.len()];
static BEGAN: AtomicU64 = AtomicU64::new(0);

/// The first stage begins.
// Whoever breaks on `kernel_main` in gdb is to find himself there, and not in what was inlined into its first line.
#[inline(never)]
pub fn begin() {
    BEGAN.store(ticks(), Relaxed);
}

/// A stage of [`STAGES`] has ended.
pub fn ended(stage: &str) {
    if let Some(place) = STAGES.iter().position(|name| *name == stage) {
        ENDED[place].store(ticks(), Relaxed);
    }
}

/// How long each stage took, in nanoseconds. For one that was left out, or has not ended, 0.
pub fn stages() -> impl Iterator<Item = (&'static str, u64)> {
    let mut last = BEGAN.load(Relaxed);
    STAGES.into_iter().zip(&ENDED).map(move |(name, ended)| {
        let ended = ended.load(Relaxed).max(last);
        let took = ns_of_ticks(ended - last);
        last = ended;
        (name, took)
    })
}
