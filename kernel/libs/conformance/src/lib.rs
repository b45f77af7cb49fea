//! Scripts of conformance tests: made on the host, carried out in the booted kernel by either engine.
//!
//! A [`Script`] is one file of tests: modules, and [`Step`]s that do something with them and say what must come
//! of it. Steps are in [`Group`]s, each of which is carried out in one sandbox; groups know nothing of each
//! other. What a step shows is a [`Seen`], and [`Expected::accepts`] judges it, so that what counts as passed is
//! decided here, under test, and in one place for both engines.
//!
//! Invariant: a script that [`Script::read`] gives has been written by [`Script::write`]; its numbers of
//! modules and instances are checked by whoever carries it out.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod script;
mod value;

pub use script::{Action, Expected, Group, Module, Script, Seen, Step};
pub use value::{Lane, Pattern, Value};
