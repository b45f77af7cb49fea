//! The arithmetic of memory: which frames are free, which slot is whose, what lies where.
//!
//! - [`frames`]: physical frames, one bit each;
//! - [`size_class`]: the front of the kernel's heap, from a size to a free list;
//! - [`slots`]: numbered places in virtual memory, for stacks and arenas;
//! - [`layout`]: the map of the kernel's virtual memory;
//! - [`shares`]: what each tenant is sure to get of what cannot be taken back;
//! - [`shortage`]: what to say where there is too little.
//!
//! Nothing here touches memory: the kernel's `mm` maps, zeroes and links what this crate counts.
//! So all of it runs under the host's tests.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod frames;
pub mod layout;
pub mod promises;
pub mod returns;
pub mod shares;
pub mod shortage;
pub mod size_class;
pub mod slots;
