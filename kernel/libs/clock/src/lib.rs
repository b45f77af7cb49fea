//! Time of day from a free-running counter, corrected by the battery-backed clock.
//!
//! The counter (the TSC) has a fine step and a rate that was measured in 2 ms at boot; it stands still while the
//! virtual machine is paused. The battery-backed clock (RTC) counts whole seconds and goes on. [`Discipline`] is shown
//! what the RTC says at moments that it asks for, and works out how far the counter is off and how wrong its rate is.
//! [`Registers`] turns what is read into a moment, or finds that it is none.
//!
//! No look waits for anything. That the RTC shows second `s` at counter `t` means that the truth is in `[s, s + 1)`:
//! each look narrows an interval, and looks near the end of a second halve it.
//!
//! Invariant: the time of day never goes back. What is behind is set forward; what is ahead runs slower.

#![no_std]
#![forbid(unsafe_code)]

mod discipline;
mod estimate;
mod registers;
mod wall;

pub use discipline::{Discipline, Event, Look, Reading};
pub use registers::Registers;
pub use wall::Wall;

/// Nanoseconds in a second.
pub(crate) const SECOND_NS: i64 = 1_000_000_000;

/// What `ppb` parts per billion of `ns` are.
pub(crate) fn parts(ns: i64, ppb: i64) -> i64 {
    // Between two looks it is short enough for this, and a long division is not needed.
    if let Some(product) = ns.checked_mul(ppb) {
        return product / SECOND_NS;
    }
    let product = i128::from(ns) * i128::from(ppb) / i128::from(SECOND_NS);
    product.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}
