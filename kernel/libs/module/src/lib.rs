//! Whether bytes are a WebAssembly module that this host runs: valid, of a bearable shape, a WASI
//! command, and wanting nothing that is not there.
//!
//! [`check_outline`] looks at the names that a module takes and gives, which is cheap and tells most.
//! [`validate`] checks the rules of WebAssembly, with the proposals of the kernel's engines, and
//! the limits of a module's shape. A module with exceptions is valid, and [`NativeOnly`]. [`Interface::check_command`] checks what a module takes and
//! gives. The image tool does both where a mistake can be mended; the kernel does the first before
//! its interpreter sees a module. [`cost`] says beforehand what an interpreter's program of a module takes of
//! memory.
//!
//! The interpreter validates, too, but while it translates, and so trusts what it has not seen yet:
//! wasmi 2.0.0 panics over some code sections whose parts do not fit each other. None of those passes here. Nor does it
//! find, in what is valid, the stores that it cannot translate: [`Interface::for_interpreter`] replaces them.
//!
//! [`slim`] makes a module smaller that will be served; nothing up to the end of its code moves.
//!
//! Invariant: nothing here panics, and memory and time are linear in the module's size.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod command;
mod cost;
mod exceptions;
mod function;
mod limits;
mod operands;
mod outline;
mod sections;
mod shadow_stack;
mod slim;
mod stores;
mod validate;

pub use command::{NoCommand, Unsuited};
pub use cost::{Cost, MOST_COST, cost};
pub use exceptions::NativeOnly;
pub use limits::Excess;
pub use outline::check_outline;
pub use shadow_stack::ShadowStack;
pub use slim::{Saved, Slim, slim};
pub use stores::with_every_store_replaced;
pub use validate::{Interface, Invalid, Place, has_start, validate};

/// The longest module that is looked at, in bytes.
pub const LARGEST: usize = 64 << 20;
