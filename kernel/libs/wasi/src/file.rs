//! Calls on files that are open, beside `fd_read` and `fd_write`.

use crate::context::Context;
use crate::descriptor::{Descriptor, Object, Place};
use crate::files::{Attributes, Devices, Times, Tree, Volume};
use crate::memory::Memory;
use crate::transfer::Transfer;
use crate::{Errno, Host, right};

/// The bits of `fstflags`.
const ACCESSED: u32 = 1;
const ACCESSED_NOW: u32 = 2;
const MODIFIED: u32 = 4;
const MODIFIED_NOW: u32 = 8;

/// What `fd_filestat_set_times` and its relative for paths want: two times and which of them.
pub(crate) struct NewTimes {
    pub(crate) accessed_ns: u64,
    pub(crate) modified_ns: u64,
    pub(crate) flags: u32,
}

impl NewTimes {
    /// # Errors
    /// `inval` for a time that is to be two things at once.
    pub(crate) fn check(&self) -> Result<(), Errno> {
        let twice = |one, other| self.flags & one != 0 && self.flags & other != 0;
        let unknown = self.flags & !(ACCESSED | ACCESSED_NOW | MODIFIED | MODIFIED_NOW);
        if unknown != 0 || twice(ACCESSED, ACCESSED_NOW) || twice(MODIFIED, MODIFIED_NOW) {
            return Err(Errno::Invalid);
        }
        Ok(())
    }

    fn after(&self, old: Times, now_ns: u64) -> Times {
        let pick = |set, now, new, old| match self.flags {
            flags if flags & set != 0 => new,
            flags if flags & now != 0 => now_ns,
            _ => old,
        };
        Times {
            accessed_ns: pick(ACCESSED, ACCESSED_NOW, self.accessed_ns, old.accessed_ns),
            modified_ns: pick(MODIFIED, MODIFIED_NOW, self.modified_ns, old.modified_ns),
            changed_ns: now_ns,
        }
    }
}

impl<H: Host> Context<H> {
    /// What there is to know of a node.
    pub(crate) fn attributes(&self, place: Place) -> Result<Attributes, Errno> {
        match place.volume {
            Volume::Scratch => Ok(self.scratch.attributes(place.node)),
            Volume::Devices => Ok(Devices.attributes(place.node)),
            Volume::Folder => {
                let folder = self.host.folder().ok_or(Errno::BadDescriptor)?;
                Ok(folder.attributes(place.node))
            }
        }
    }

    /// The file that a descriptor leads to, with one of these rights.
    ///
    /// # Errors
    /// Those that libraries expect: `spipe` for a stream, `badf` for a directory.
    fn file(&self, number: u32, rights: u64) -> Result<(&Descriptor, Place), Errno> {
        let descriptor = self.descriptors.get(number)?;
        match descriptor.object {
            Object::Stream(_) => Err(Errno::NotSeekable),
            Object::Directory(_) => Err(Errno::BadDescriptor),
            Object::File(place) => {
                descriptor.allow(rights)?;
                Ok((descriptor, place))
            }
        }
    }

    /// The same, for a file that can be written to.
    fn scratch_file(&self, number: u32, rights: u64) -> Result<u32, Errno> {
        match self.file(number, rights)?.1 {
            Place {
                volume: Volume::Scratch,
                node,
            } => Ok(node),
            Place { .. } => Err(Errno::ReadOnly),
        }
    }

    /// `fd_pread`
    pub(crate) fn pread(
        &mut self,
        memory: &mut Memory,
        call: &Transfer,
        offset: u64,
    ) -> Result<(), Errno> {
        if let Object::Directory(_) = self.descriptors.get(call.descriptor)?.object {
            return Err(Errno::IsADirectory);
        }
        let (descriptor, place) = self.file(call.descriptor, right::READ)?;
        descriptor.allow(right::SEEK)?;
        let (call, _) = self.part(memory, call)?;
        let read = self.read_at(memory, &call, place, offset)?;
        memory.put_u32(call.done, u32::try_from(read).map_err(|_| Errno::Overflow)?)
    }

    /// `fd_pwrite`, at its offset also where `append` is set.
    pub(crate) fn pwrite(
        &mut self,
        memory: &mut Memory,
        call: &Transfer,
        offset: u64,
    ) -> Result<(), Errno> {
        if let Object::Directory(_) = self.descriptors.get(call.descriptor)?.object {
            return Err(Errno::IsADirectory);
        }
        let (descriptor, place) = self.file(call.descriptor, right::WRITE)?;
        descriptor.allow(right::SEEK)?;
        let (call, wanted) = self.part(memory, call)?;
        let written = self.write_at(memory, &call, place, offset, wanted)?;
        let written = u32::try_from(written).map_err(|_| Errno::Overflow)?;
        memory.put_u32(call.done, written)
    }

    /// `fd_seek`, and `fd_tell` as a seek to where it is.
    pub(crate) fn seek(
        &mut self,
        memory: &mut Memory,
        number: u32,
        (offset, whence): (i64, u32),
        result: u32,
    ) -> Result<(), Errno> {
        const START: u32 = 0;
        const CURRENT: u32 = 1;
        const END: u32 = 2;
        let rights = match (offset, whence) {
            (0, CURRENT) => right::SEEK | right::TELL,
            _ => right::SEEK,
        };
        let (descriptor, place) = self.file(number, rights)?;
        let from = match whence {
            START => 0,
            CURRENT => descriptor.position,
            END => self.attributes(place)?.size,
            _ => return Err(Errno::Invalid),
        };
        let position = from.checked_add_signed(offset).ok_or(Errno::Invalid)?;
        memory.put_u64(result, position)?;
        self.descriptors.get_mut(number)?.position = position;
        Ok(())
    }

    /// `fd_advise`: there is nothing to be done with it.
    pub(crate) fn advise(&self, number: u32, advice: u32) -> Result<(), Errno> {
        const MOST: u32 = 5;
        self.file(number, right::ADVISE)?;
        if advice > MOST {
            return Err(Errno::Invalid);
        }
        Ok(())
    }

    /// `fd_allocate`
    pub(crate) fn allocate(&mut self, number: u32, offset: u64, length: u64) -> Result<(), Errno> {
        let node = self.scratch_file(number, right::ALLOCATE)?;
        if length == 0 {
            return Err(Errno::Invalid);
        }
        let end = offset.checked_add(length).ok_or(Errno::TooLarge)?;
        self.grow_to(node, end)
    }

    /// `fd_filestat_set_size`
    pub(crate) fn set_size(&mut self, number: u32, size: u64) -> Result<(), Errno> {
        if let Object::Stream(_) = self.descriptors.get(number)?.object {
            return Err(Errno::Invalid);
        }
        let node = self.scratch_file(number, right::SET_SIZE)?;
        if size > self.scratch.size(node) {
            return self.grow_to(node, size);
        }
        self.cut_to(node, size)
    }

    /// `fd_sync`, `fd_datasync`: whatever is written is there at once.
    pub(crate) fn sync(&self, number: u32, right: u64) -> Result<(), Errno> {
        let descriptor = self.descriptors.get(number)?;
        match descriptor.object {
            Object::Stream(_) => Err(Errno::Invalid),
            Object::File(_) | Object::Directory(_) => descriptor.allow(right),
        }
    }

    /// `fd_filestat_get`
    pub(crate) fn filestat(
        &mut self,
        memory: &mut Memory,
        number: u32,
        result: u32,
    ) -> Result<(), Errno> {
        let descriptor = *self.descriptors.get(number)?;
        descriptor.allow(right::FILESTAT)?;
        match descriptor.object {
            Object::File(place) | Object::Directory(place) => {
                put_attributes(memory, result, place, &self.attributes(place)?)
            }
            Object::Stream(stream) => {
                let size = self.size_of(stream);
                put_filestat(
                    memory,
                    result,
                    (0, 0),
                    descriptor.file_type(),
                    (1, size),
                    [0; 3],
                )
            }
        }
    }

    /// `fd_filestat_set_times`
    pub(crate) fn set_times(&mut self, number: u32, new: &NewTimes) -> Result<(), Errno> {
        let descriptor = self.descriptors.get(number)?;
        let place = match descriptor.object {
            Object::Stream(_) => return Err(Errno::NotSupported),
            Object::File(place) | Object::Directory(place) => place,
        };
        descriptor.allow(right::SET_TIMES)?;
        self.set_times_of(place, new)
    }

    pub(crate) fn set_times_of(&mut self, place: Place, new: &NewTimes) -> Result<(), Errno> {
        new.check()?;
        if place.volume != Volume::Scratch {
            return Err(Errno::ReadOnly);
        }
        let now_ns = self.host.realtime_ns();
        let old = self.scratch.attributes(place.node).times;
        self.scratch.set_times(place.node, new.after(old, now_ns));
        Ok(())
    }

    /// What `fd_close` and `fd_renumber` leave behind.
    pub(crate) fn closed(&mut self, object: Object) {
        if let Object::File(place) | Object::Directory(place) = object
            && place.volume == Volume::Scratch
        {
            self.scratch.close(place.node);
        }
    }
}

/// Writes what there is to know of a node.
pub(crate) fn put_attributes(
    memory: &mut Memory,
    pointer: u32,
    place: Place,
    attributes: &Attributes,
) -> Result<(), Errno> {
    let Times {
        accessed_ns,
        modified_ns,
        changed_ns,
    } = attributes.times;
    put_filestat(
        memory,
        pointer,
        (place.volume as u64, inode(place.node)),
        attributes.kind as u8,
        (attributes.links.into(), attributes.size),
        [accessed_ns, modified_ns, changed_ns],
    )
}

/// A node's number as guests see it: 0 means to some that there is none.
pub(crate) const fn inode(node: u32) -> u64 {
    node as u64 + 1
}

/// `filestat`, 64 bytes: device, inode at 8, file type at 16, number of links at 24, size at 32, times
/// of access, modification and change from 40.
fn put_filestat(
    memory: &mut Memory,
    pointer: u32,
    (device, inode): (u64, u64),
    file_type: u8,
    (links, size): (u64, u64),
    [accessed, modified, changed]: [u64; 3],
) -> Result<(), Errno> {
    let words = [
        device,
        inode,
        file_type.into(),
        links,
        size,
        accessed,
        modified,
        changed,
    ];
    let mut status = [0; 64];
    for (place, word) in status.chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    memory.put(pointer, status)
}
