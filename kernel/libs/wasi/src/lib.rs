//! WASI preview 1 for a command whose world is a request: its body is stdin, the response is
//! stdout, the log is stderr, and its files are a folder of the disk and a scratch of its own.
//!
//! [`Function`] is the table of all 46 functions, from which an engine links them without knowing
//! any. [`Context`] holds what one command can see and carries a call out on the command's linear
//! memory; everything outside is behind [`Host`], so all of it runs on the host's tests. [`files`] are
//! the file systems by themselves; [`transfer`], [`file`], [`path`], [`mod@open`]
//! and [`listing`] are the calls on them.
//!
//! Invariant: a guest chooses every argument and every byte of its memory, and may change the memory
//! between two calls. So no number from a guest is used before the check that stands in [`memory`],
//! no path before the one in [`files`], nothing here panics, and every loop is bounded by a constant,
//! by the size of that memory or by that of the files.
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
mod file;
mod files;
mod function;
mod host;
mod lines;
mod listing;
mod memory;
mod open;
mod path;
mod poll;
mod respond;
mod right;
mod stream;
mod strings;
mod transfer;

pub use context::{Context, Ended, Exit};
pub use descriptor::MOST_DESCRIPTORS;
pub use errno::Errno;
pub use files::{Folder, LARGEST_FILE, LONGEST_NAME, LONGEST_PATH, MOST_NODES, ROOT, Refused};
pub use function::{Function, Parameter};
pub use host::{Host, Unreadable};
pub use respond::NoResponse;

/// The name under which modules import the functions.
pub const MODULE: &str = "wasi_snapshot_preview1";
