//! What is remembered of sandboxes that have ended and of the log, and how it is written.
//!
//! Key types: [`Record`], what one sandbox did with its time, a line of `/records`; [`Fault`], how one was ended by
//! force, an element of `/faults`; [`Lines`], the last lines of the log, for `/logs`; [`Text`], any text as
//! JSON. Nothing here allocates while something is remembered, only where it is written. Times are in
//! nanoseconds since boot.
#![no_std]
#![forbid(unsafe_code)]

mod fault;
mod json;
mod lines;
mod record;

pub use fault::{Exception, Fault, MOST_FRAMES, Place};
pub use json::{Escaping, Text};
pub use lines::{Entry, Format, Lines, Written};
pub use record::{CSV_HEADER, Record};
