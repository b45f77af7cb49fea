//! What a fault means: the end of one sandbox, or of the kernel.
//!
//! The kernel's trap handlers read registers and hand them over as a [`Fault`]; [`judge`] says what
//! is to be done. It is a function of values, so every rule below is tested on the host.
//!
//! Invariant: [`Verdict::End`] is given only when no kernel data can have been left half-changed,
//! that is for a fault in guest code, or for one that ran off the sandbox's own stack outside of any
//! host call and with no lock held. Everything else is a bug in the kernel and stops it.
#![no_std]
#![forbid(unsafe_code)]

mod name;
mod verdict;

pub use name::Trap;
pub use verdict::{Fault, Reason, Running, Verdict, judge, vector};
