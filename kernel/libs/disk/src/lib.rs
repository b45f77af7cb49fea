//! Files of a disk: an ext2, ext3 or ext4 file system, read through a device of sectors.
//!
//! The kernel puts a virtio disk behind [`Sectors`], the image tool a file, and both see the same
//! [`Volume`]. The `ext4-view` crate knows the file system; this one turns its byte ranges into
//! sectors ([`Reader`]) and refuses a superblock that it should not be shown. [`Files`] reads parts of
//! files again and again, through a bounded [`Cache`].
//!
//! Invariant: neither the device nor what is on it is trusted. Whatever they say, the answer is
//! files or an error that names the place, in bounded time and memory; never a panic.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod cache;
mod files;
mod reader;
mod sectors;
mod superblock;
mod volume;

pub use cache::{Cache, Key, PIECE_BYTES};
pub use files::{Files, Listed, ListedKind, Part};
pub use reader::{ReadError, Reader};
pub use sectors::{Fault, SECTOR_BYTES, Sectors};
pub use volume::{FileError, MOST_FILES, OpenError, Volume};
