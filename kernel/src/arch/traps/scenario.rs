//! Hooks for scenarios: faults are counted; once told to, the fault handler itself faults, or a sandbox is preempted
//! at a bad moment. They do nothing in other kernels.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::arch::{interrupts, per_cpu};

/// The lower half is empty.
const UNMAPPED: *const u64 = 0x1000 as *const u64;
/// Exceptions, SDM Vol. 3A, "Exception and Interrupt Vectors".
const VECTORS: usize = 32;

static ARMED: AtomicBool = AtomicBool::new(false);
static PREEMPTS: AtomicBool = AtomicBool::new(false);
static FAULTS: [AtomicU64; VECTORS] = [const { AtomicU64::new(0) }; VECTORS];

/// The next fault's handler will touch an unmapped address.
#[cfg(feature = "scenarios")]
pub fn arm() {
    ARMED.store(true, Relaxed);
}

/// From now on, a sandbox loses the CPU as soon as it has noted what led to its end.
#[cfg(feature = "scenarios")]
pub fn preempt_once_noted() {
    PREEMPTS.store(true, Relaxed);
}

/// How many faults there were, by vector. First touches of pages are none.
#[cfg(feature = "scenarios")]
pub fn faults() -> [u64; VECTORS] {
    core::array::from_fn(|number| FAULTS[number].load(Relaxed))
}

pub(super) fn count(vector: u64) {
    if cfg!(feature = "scenarios") {
        FAULTS[vector as usize % VECTORS].fetch_add(1, Relaxed);
    }
}

pub(super) fn once_noted() {
    if cfg!(feature = "scenarios") && PREEMPTS.load(Relaxed) {
        per_cpu::this().preemption_due.store(true, Relaxed);
        interrupts::preemption_point();
    }
}

pub(super) fn inside_the_handler() {
    if cfg!(feature = "scenarios") && ARMED.load(Relaxed) {
        // SAFETY: on purpose not safe: the address is never mapped, and the fault that this
        // causes is what the scenario is about.
        unsafe { core::ptr::read_volatile(UNMAPPED) };
    }
}
