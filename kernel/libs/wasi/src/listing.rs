//! What directories there are, and what is in them: `fd_prestat_get`, `fd_prestat_dir_name`,
//! `fd_readdir`.

use crate::context::Context;
use crate::descriptor::Place;
use crate::file::inode;
use crate::files::{Devices, Entry, Kind, Tree, Volume};
use crate::memory::Memory;
use crate::{Errno, Host, right};

/// Size of a `dirent` without its name: cookie of the next, inode at 8, length of the name at 16, type
/// at 20.
const DIRENT: usize = 24;

/// The cookies behind `.` and `..`, which every directory begins with; those of its own entries follow.
const BEHIND_SELF: u64 = 1;
const BEHIND_PARENT: u64 = 2;

/// Entries that are listed before others may run.
const AT_ONCE: u32 = 64;

/// The arguments of `fd_readdir`.
pub(crate) struct Listing {
    pub(crate) descriptor: u32,
    pub(crate) buffer: u32,
    pub(crate) length: u32,
    /// Where the last one ended.
    pub(crate) cookie: u64,
    /// Where the number of bytes goes.
    pub(crate) used: u32,
}

impl<H: Host> Context<H> {
    /// The name under which a directory was there from the beginning.
    ///
    /// # Errors
    /// `badf`: this is how a program learns that there are no more.
    fn mount(&self, number: u32) -> Result<&'static str, Errno> {
        let descriptor = self.descriptors.get(number)?;
        if !descriptor.preopened {
            return Err(Errno::BadDescriptor);
        }
        Ok(descriptor.directory()?.volume.mount())
    }

    /// `fd_prestat_get`: a tag of 0 for a directory, and the length of its name at 4.
    pub(crate) fn prestat(
        &self,
        memory: &mut Memory,
        number: u32,
        result: u32,
    ) -> Result<(), Errno> {
        let length = self.mount(number)?.len() as u64;
        memory.put_u64(result, length << 32)
    }

    /// `fd_prestat_dir_name`: without a NUL.
    pub(crate) fn prestat_name(
        &self,
        memory: &mut Memory,
        number: u32,
        (pointer, length): (u32, u32),
    ) -> Result<(), Errno> {
        let name = self.mount(number)?.as_bytes();
        let target = memory.bytes_mut(pointer, length)?;
        let target = target.get_mut(..name.len()).ok_or(Errno::NameTooLong)?;
        target.copy_from_slice(name);
        Ok(())
    }

    /// `fd_readdir`: as many entries as fill the buffer, the last one cut off. A buffer that is not
    /// full is the end.
    pub(crate) fn list(&self, memory: &mut Memory, call: &Listing) -> Result<(), Errno> {
        let descriptor = self.descriptors.get(call.descriptor)?;
        let place = descriptor.directory()?;
        descriptor.allow(right::READ_DIRECTORY)?;
        memory.bytes(call.used, 4)?;
        let buffer = memory.bytes_mut(call.buffer, call.length)?;
        let breathe = || self.host.breathe();
        let used = match place.volume {
            Volume::Scratch => fill(&self.scratch, place, call.cookie, buffer, breathe),
            Volume::Devices => fill(&Devices, place, call.cookie, buffer, breathe),
            Volume::Folder => {
                let folder = self.host.folder().ok_or(Errno::BadDescriptor)?;
                fill(folder, place, call.cookie, buffer, breathe)
            }
        };
        memory.put_u32(call.used, used as u32)
    }
}

fn fill(
    tree: &impl Tree,
    place: Place,
    cookie: u64,
    buffer: &mut [u8],
    breathe: impl Fn() -> bool,
) -> usize {
    let mut used = 0;
    let mut listed = 0u32;
    let mut cookie = cookie;
    while used < buffer.len() {
        let Some(entry) = entry_after(tree, place.node, cookie) else {
            break;
        };
        cookie = entry.cookie;
        listed += 1;
        if listed.is_multiple_of(AT_ONCE) && !breathe() {
            break;
        }
        let mut head = [0; DIRENT];
        head[..8].copy_from_slice(&entry.cookie.to_le_bytes());
        head[8..16].copy_from_slice(&inode(entry.node).to_le_bytes());
        head[16..20].copy_from_slice(&(entry.name.len() as u32).to_le_bytes());
        head[20] = entry.kind as u8;
        for part in [&head[..], entry.name.as_bytes()] {
            let rest = &mut buffer[used..];
            let length = part.len().min(rest.len());
            rest[..length].copy_from_slice(&part[..length]);
            used += length;
        }
    }
    used
}

fn entry_after(tree: &impl Tree, directory: u32, cookie: u64) -> Option<Entry<'_>> {
    let dots = |cookie, node, name| Entry {
        cookie,
        node,
        kind: Kind::Directory,
        name,
    };
    match cookie {
        0 => Some(dots(BEHIND_SELF, directory, ".")),
        BEHIND_SELF => Some(dots(BEHIND_PARENT, tree.parent(directory), "..")),
        _ => {
            let entry = tree.entry_after(directory, cookie - BEHIND_PARENT)?;
            Some(Entry {
                cookie: entry.cookie + BEHIND_PARENT,
                ..entry
            })
        }
    }
}
