//! What people write for this host: the spec of the functions and the kernel's command line.
//!
//! [`command_line::parse`] reads the kernel's parameters.
//!
//! Invariant: nothing that a person wrote is passed over in silence. It is acted on, or it comes
//! back as an error or a warning that names it.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod command_line;
mod nearest;
