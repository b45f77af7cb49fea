//! What is remembered of sandboxes that have ended and of the log, and how it is written.
//!
//! Key types: [`Record`], what one sandbox did with its time, a line of `/records`; [`Fault`], how one was ended by
//! a trap, an element of `/faults`, with the [`Place`]s in its module; [`Lines`], the last lines of the log, for `/logs`; [`Text`], any text as
//! JSON. Nothing here allocates while something is remembered, only where it is written. Times are in
//! nanoseconds since boot.
#![no_std]
#![forbid(unsafe_code)]

mod fault;
mod json;
mod lines;
mod place;
mod record;

pub use fault::{Exception, Fault};
pub use json::{Escaping, Text};
pub use lines::{Entry, Format, Lines, Written};
pub use place::{Backtrace, MOST_FRAMES, NAME_BYTES, Place};
pub use record::{CSV_HEADER, Record};
