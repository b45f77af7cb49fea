//! WASI preview 1 for a command whose world is a request: its body is stdin, the response is
//! stdout, the log is stderr, and there are no files.
//!
//! [`Function`] is the table of all 46 functions, from which an engine links them without knowing
//! any. [`Context`] holds what one command can see and carries a call out on the command's linear
//! memory; everything outside is behind [`Host`], so all of it runs on the host's tests.
//!
//! Invariant: a guest chooses every argument and every byte of its memory, and may change the memory
//! between two calls. So no number from a guest is used before the check that stands in [`memory`],
//! nothing here panics, and every loop is bounded by a constant or by the size of that memory.
//!
//! Source: `phases/snapshot/witx/wasi_snapshot_preview1.witx` of the WebAssembly/WASI repository for
//! layouts and errnos; wasi-libc for what C and Rust programs make of them.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod clock;
mod context;
mod descriptor;
mod errno;
mod function;
mod host;
mod lines;
mod memory;
mod poll;
mod stream;
mod strings;

pub use context::{Context, Ended, Exit};
pub use errno::Errno;
pub use function::{Function, Parameter};
pub use host::Host;

/// The name under which modules import the functions.
pub const MODULE: &str = "wasi_snapshot_preview1";
