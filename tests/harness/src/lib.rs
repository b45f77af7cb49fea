//! Boots Luge under QEMU and watches what it does.
//!
//! A [`Lab`] has everything that can be booted: kernels, loader, guests. It turns a [`Boot`], which
//! describes a machine, into a running [`Machine`] by way of `qemu-run.sh`, so that nothing here knows
//! QEMU's flags. Around that: an HTTP client ([`http`]), text that is a contract ([`golden`]) and tiny
//! images that go wrong in a known way ([`stub`]), with which the harness itself is tested.
//!
//! Invariant: what is waited for comes, or its machine ends, which it does at its limit of processor time at the
//! latest; and a [`Machine`] that is dropped has ended its QEMU. Nothing depends on how fast the host is.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod boot;
pub mod browser;
pub mod conformance;
pub mod disk;
pub mod gdb;
pub mod golden;
pub mod http;
pub mod lab;
pub mod machine;
pub mod ports;
pub mod process;
pub mod replay;
pub mod stub;
pub mod transcript;
pub mod wire;

pub use boot::{Boot, Disk, Kernel};
pub use browser::Browser;
pub use gdb::Gdb;
pub use lab::Lab;
pub use machine::{End, Machine};
pub use wire::Wire;
