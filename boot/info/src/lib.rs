//! What the loader knows before it acts: pure, and tested on the host.
//!
//! The loader (`boot/pvh`) reads records and files that others wrote. Everything it concludes from
//! them is concluded here: [`start_info`] and [`memory_map`] read what the firmware left,
//! [`kernel`] reads the kernel's ELF and [`config`] what the kernel wishes, [`plan`] decides what
//! goes where, [`paging`] turns that into page tables and [`regions`] into the memory regions of
//! `BootInfo`. [`failure`] says which exit code each refusal ends in.
//!
//! Invariant: bytes from outside come in, validated values go out. Nothing here reads memory by
//! address, and no damage in the bytes makes anything here panic.

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(test)]
extern crate std;

pub mod config;
pub mod exit;
pub mod failure;
pub mod frames;
pub mod kernel;
pub mod memory_map;
pub mod paging;
pub mod plan;
pub mod range;
pub mod regions;
mod space;
pub mod start_info;

#[cfg(test)]
mod tests;
