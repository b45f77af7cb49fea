//! Who runs next.
//!
//! [`Queue`] holds what is ready, ordered by deadline; [`slice::Slice`] says under which deadline a
//! task is queued. Time comes in as an argument, in nanoseconds since boot: the kernel's `sched` reads
//! the clock, switches stacks and programs the timer.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod queue;
pub mod slice;

pub use queue::{Entry, Queue, TaskId};
