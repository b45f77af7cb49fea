//! The file systems of a command, without a thought of descriptors or memory.
//!
//! [`Folder`] is a folder of the disk, mounted read-only; [`Scratch`] is what the command writes, in
//! memory of its own; [`Devices`] are names for its streams. All are a [`Tree`], through which [`resolve`]
//! follows a path; none knows the others.
//!
//! Invariant: a path never leads out of the directory that it starts from, whatever `..` and
//! symbolic links are in it, and following one takes bounded time.

mod blocks;
mod devices;
mod folder;
mod resolve;
mod scratch;

use crate::Errno;

pub(crate) use devices::{Device, Devices};
pub use folder::{Folder, Refused};
pub(crate) use resolve::{Found, Last, resolve};
pub use scratch::MOST_NODES;
pub(crate) use scratch::{Content, Scratch, text};

/// Longest name of a file, in bytes, as ext4 has it.
pub const LONGEST_NAME: usize = 255;
/// Longest path and longest target of a symbolic link, in bytes: Linux's `PATH_MAX`.
pub const LONGEST_PATH: usize = 4096;
/// Largest size of a file, in bytes: what ext4 can have in blocks of 4 KiB, whose numbers have 32 bits.
pub const LARGEST_FILE: u64 = u32::MAX as u64 * 4096;
/// The number of the top directory of a tree.
pub const ROOT: u32 = 0;

/// Which of the file systems; as a number, its `device`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Volume {
    /// The folder of the disk, at `/`.
    Folder = 1,
    /// What the command writes, at `/tmp`.
    Scratch = 2,
    /// Names for streams, at `/dev`.
    Devices = 3,
}

impl Volume {
    /// Where it is mounted.
    pub(crate) const fn mount(self) -> &'static str {
        match self {
            Self::Folder => "/",
            Self::Scratch => "/tmp",
            Self::Devices => "/dev",
        }
    }
}

/// What a node of a tree is; as a number, its `filetype`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Device = 2,
    Directory = 3,
    File = 4,
    Link = 7,
}

/// What there is to know of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes {
    pub(crate) kind: Kind,
    /// Names that lead to it.
    pub(crate) links: u32,
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) times: Times,
}

/// When something happened to a node, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) accessed_ns: u64,
    pub(crate) modified_ns: u64,
    pub(crate) changed_ns: u64,
}

impl Times {
    /// Everything at once.
    pub(crate) const fn at(ns: u64) -> Self {
        Self {
            accessed_ns: ns,
            modified_ns: ns,
            changed_ns: ns,
        }
    }
}

/// One entry of a directory.
pub(crate) struct Entry<'t> {
    /// What the search for the next entry begins after.
    pub(crate) cookie: u64,
    pub(crate) node: u32,
    pub(crate) kind: Kind,
    pub(crate) name: &'t str,
}

/// A tree of directories, files and symbolic links, whose nodes have numbers.
pub(crate) trait Tree {
    /// What a node is.
    fn attributes(&self, node: u32) -> Attributes;

    /// The directory above; the root is its own.
    fn parent(&self, directory: u32) -> u32;

    /// The node of this name in a directory, and what it is.
    fn lookup(&self, directory: u32, name: &str) -> Option<(u32, Kind)>;

    /// Where a symbolic link points to.
    fn target(&self, link: u32) -> Option<&str>;

    /// The first entry of a directory after the one with this cookie; 0 is before the first.
    fn entry_after(&self, directory: u32, cookie: u64) -> Option<Entry<'_>>;
}

/// A name, kept while the tree that it comes from changes.
#[derive(Clone, Copy)]
pub(crate) struct Name {
    bytes: [u8; LONGEST_NAME],
    length: u8,
}

impl Name {
    /// A copy of `name`, which is at most [`LONGEST_NAME`] bytes long; what is longer is cut off.
    pub(crate) fn new(name: &str) -> Self {
        let length = name.len().min(LONGEST_NAME);
        let mut bytes = [0; LONGEST_NAME];
        bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
        Self {
            bytes,
            length: length as u8,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

/// A guest's bytes as a path, or as what a symbolic link points to.
///
/// # Errors
/// What of a path is wrong in itself: empty, too long, with a NUL, no UTF-8, absolute.
pub(crate) fn checked_path(bytes: &[u8]) -> Result<&str, Errno> {
    if bytes.len() > LONGEST_PATH {
        return Err(Errno::NameTooLong);
    }
    if bytes.contains(&0) {
        return Err(Errno::Invalid);
    }
    let path = core::str::from_utf8(bytes).map_err(|_| Errno::NoText)?;
    match path.chars().next() {
        None => Err(Errno::NoEntry),
        Some('/') => Err(Errno::NotPermitted),
        Some(_) => Ok(path),
    }
}
