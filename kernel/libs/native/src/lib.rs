//! What the compiler on the host and the kernel must agree on about native code.
//!
//! `luge-compile` turns a module into machine code ahead of time; the kernel maps that code and
//! runs it. Both sides take the engine's settings from here ([`settings`], and `configure` with the
//! feature `engine`), so they cannot disagree. [`artefact`] is the file in which the code travels: it
//! says which module it was made from and what it needs of the processor, and carries digests that
//! tell a damaged or foreign one. [`names`] tells which function an instruction of it is in.
//!
//! Invariant: a change of anything here that code depends on changes [`artefact::VERSION`] or is
//! found by the engine's own comparison of settings, so that old code is refused and never run.
#![no_std]
#![forbid(unsafe_code)]

pub mod artefact;
#[cfg(feature = "engine")]
mod engine;
pub mod names;
pub mod settings;

#[cfg(feature = "engine")]
pub use engine::configure;
