//! What is remembered of sandboxes that have ended and of the log, and how it is written.
//!
//! Key types: [`Record`], what one sandbox did with its time, a line of `/records`, and [`Records`], the last of them;
//! [`Fault`], how one was ended by a trap, an element of `/faults`, with the [`Place`]s in its module; [`Lines`], the
//! last lines of the log, for `/logs`, of what [`Levels`] allow; [`Outbox`], lines that wait for their port; [`Harmless`], what guests say; [`Text`], any text as
//! JSON. Nothing here allocates while something is remembered, only where it is written. Times are in
//! nanoseconds since boot.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod fault;
mod harmless;
mod json;
mod levels;
mod linear_stack;
mod lines;
mod outbox;
mod place;
mod record;
mod records;
mod short;

pub use fault::{Exception, Fault};
pub use harmless::{Harmless, HarmlessWriter};
pub use json::{Escaping, Text};
pub use levels::Levels;
pub use linear_stack::LinearStack;
pub use lines::{Entry, Format, Guest, Line, Lines, Tail};
pub use outbox::{Draft, Outbox};
pub use place::{Backtrace, MOST_FRAMES, NAME_BYTES, Place};
pub use record::{CSV_HEADER, Record};
pub use records::{Records, Table};
