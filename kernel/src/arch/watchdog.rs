//! The watchdog: ends a machine whose dispatcher does not come round any more.
//!
//! QEMU's `ib700` counts down in the machine's time, in which a machine that is paused does not age, and raises an NMI at
//! the end (`qemu-run.sh --restart` has it do that). So even a kernel that hangs with interrupts off says where, and
//! leaves with the status of last words.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use x86_64::instructions::port::PortWriteOnly;

use super::apic;
use super::time::Instant;

/// The port that starts the countdown anew, and the value for the longest one, which is 30 s. IB700 user manual, "Watchdog
/// Timer".
const START_PORT: u16 = 0x443;
const LONGEST: u8 = 0;
/// How often it is fed, in nanoseconds.
const MEAL_NS: u64 = 2_000_000_000;

static IS_ON: AtomicBool = AtomicBool::new(false);
static NEXT_NS: AtomicU64 = AtomicU64::new(0);

/// Begins.
pub fn start() {
    apic::take_nmi();
    IS_ON.store(true, Relaxed);
}

/// Whether an NMI is the watchdog's.
#[must_use]
pub fn is_on() -> bool {
    IS_ON.load(Relaxed)
}

/// The dispatcher has come round, and serves. Returns when it has to say so again.
pub fn feed(now: Instant) -> Option<Instant> {
    if !is_on() {
        return None;
    }
    if NEXT_NS.load(Relaxed) <= now.as_ns() {
        NEXT_NS.store(now.plus_ns(MEAL_NS).as_ns(), Relaxed);
        // SAFETY: the write starts the watchdog's countdown or, without one, goes nowhere.
        unsafe { PortWriteOnly::<u8>::new(START_PORT).write(LONGEST) };
    }
    Some(Instant::from_ns(NEXT_NS.load(Relaxed)))
}
