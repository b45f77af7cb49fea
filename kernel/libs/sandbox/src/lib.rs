//! The life of a sandbox: what may follow what, how long each part took, and how it ended.
//!
//! ```text
//!              Dispatched              Finished
//!   Queued ─────────────────▶ Running ──────────▶ Ended(Outcome)
//!     ▲ ▲       Preempted       │ │                 ▲
//!     │ └───────────────────────┘ │ Blocked         │ Cancelled, DeadlinePassed, BudgetUsedUp, ...:
//!     │  Woken                    ▼                 │ from every state but Ended
//!     └─────────────────────── Blocked              │
//! ```
//! [`Life`] is told of events with the time, in nanoseconds since boot; the kernel's `sandbox`
//! carries them out.
//!
//! Invariant: a life's queued, running and blocked time add up to its whole time, at every moment.
#![no_std]
#![forbid(unsafe_code)]

mod life;
mod outcome;

pub use life::{Counters, Event, IllegalTransition, Life, State, Times, Wait};
pub use outcome::Outcome;
