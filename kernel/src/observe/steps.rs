//! The longest steps: for how long each kind of the kernel's own work has kept the CPU from everybody else.
//!
//! A step is what the dispatcher does before it looks again at who comes first, or a part of a host call after which
//! others may run. What interrupts take meanwhile is in it.

#![deny(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use luge_wasi::Function;

use crate::arch::per_cpu;
use crate::arch::time::{ns_of_ticks, ticks};

/// Kinds that are not host calls.
const OWN: [&str; 1] = ["other-call"];
const KINDS: usize = OWN.len() + Function::ALL.len();

static LONGEST: [AtomicU64; KINDS] = [const { AtomicU64::new(0) }; KINDS];

/// A kind of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step(u8);

impl Step {
    /// A part of a call into the kernel that no module imports.
    pub const OTHER_CALL: Self = Self(0);

    /// A part of a host call.
    #[must_use]
    pub const fn call(function: Function) -> Self {
        Self((OWN.len() + function as usize) as u8)
    }
}

/// A step of this kind took so many TSC ticks.
#[inline]
fn took(step: Step, took: u64) {
    let Some(longest) = LONGEST.get(usize::from(step.0)) else {
        return;
    };
    // One CPU's sandbox or dispatcher at a time.
    if took > longest.load(Relaxed) {
        longest.store(took, Relaxed);
    }
}

/// A host call of this kind begins. Called by the sandbox itself.
#[inline]
pub fn begin(step: Step) {
    let cpu = per_cpu::this();
    cpu.step.store(step.0, Relaxed);
    cpu.step_began.store(ticks(), Relaxed);
}

/// A part of the host call that is under way is over, and another begins.
#[inline]
pub fn end_of_part() {
    let (cpu, now) = (per_cpu::this(), ticks());
    let began = cpu.step_began.load(Relaxed);
    took(Step(cpu.step.load(Relaxed)), now - began);
    cpu.step_began.store(now, Relaxed);
}

/// Each kind of which there was a step, and how long the longest took, in nanoseconds.
pub fn all() -> impl Iterator<Item = (&'static str, u64)> {
    let names = OWN.into_iter().chain(Function::ALL.map(Function::name));
    let all = names.zip(LONGEST.iter().map(|longest| longest.load(Relaxed)));
    all.filter(|(_, longest)| *longest > 0)
        .map(|(name, longest)| (name, ns_of_ticks(longest)))
}
