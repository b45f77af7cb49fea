//! Who runs next, for how long, and who is let in.
//!
//! - [`Ready`] holds what is ready to run, in the order of a [`Policy`]; tenants with a
//!   [`Reservation`] have a queue and a constant-bandwidth server each. [`Standing`] is what a
//!   policy knows of one task, [`Queue`] the heap below.
//! - [`Admission`] lets a request in, or refuses it, by what has been promised already; a [`Ticket`]
//!   is its promise, and must be given back.
//!
//! Time comes in as an argument, in nanoseconds since boot: the kernel's `sched` reads the clock,
//! switches stacks and programs the timer. Nothing here is shared but the [`Bell`], which interrupt
//! handlers ring: the kernel keeps each of the others behind one lock.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod admission;
mod bell;
mod book;
mod countdown;
mod estimate;
mod outlook;
mod policy;
mod queue;
mod ready;
mod server;
mod slice;
mod standing;
mod supply;
mod terms;
mod ticket;

pub use admission::Admission;
pub use bell::{Bell, Flag};
pub use countdown::counted_down;
pub use estimate::Estimate;
pub use policy::{Policy, Settings};
pub use queue::{Entry, Place, Queue, TaskId};
pub use ready::{Comeback, Group, Ready, SHARED};
pub use server::{Reservation, Server};
pub use slice::Slice;
pub use standing::Standing;
pub use terms::{Counts, Refusal, RouteId, RouteTerms, TenantId, TenantTerms};
pub use ticket::{Measured, Ticket};

/// What may be promised of the CPU's time to requests that arrive, in millionths. The rest is for what
/// runs over its estimate, and for the kernel's own work, for packets above all.
pub const CAPACITY_PPM: u64 = 940_000;
/// What the kernel's own work may take before less is promised, in millionths of the time.
const KERNEL_PPM: u64 = 20_000;
/// However much the kernel takes, so much of what may be promised is: a short time in which it did nothing
/// else, or stood still, is not the rule.
const MOST_KERNEL_PPM: u64 = 600_000;
/// What may be promised of it with what is promised beyond estimates.
const EXTENDED_PPM: u64 = 960_000;

/// A part of a time, in millionths.
const fn part_of(time_ns: u64, ppm: u64) -> u64 {
    (time_ns as u128 * ppm as u128 / 1_000_000) as u64
}
