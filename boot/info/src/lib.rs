//! What the loader knows before it acts: pure, and tested on the host.
//!
//! Invariant: bytes from outside (firmware, kernel file) come in, validated values go out. Nothing
//! here reads memory by address, and no damage in the bytes makes anything here panic.

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod exit;
