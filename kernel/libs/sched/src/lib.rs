//! Who runs next, and when the timer must fire.
//!
//! [`Queue`] holds what is ready, ordered by deadline; [`should_preempt`] says whether the earliest
//! of it may take the CPU from who has it; [`timer::next_event`] says how long the CPU may be left
//! alone. Time comes in as an argument, in nanoseconds since boot: the kernel's `sched` reads the
//! clock, switches stacks and programs the timer.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod queue;
pub mod slice;
pub mod timer;

pub use queue::{Entry, Queue, TaskId, should_preempt};
