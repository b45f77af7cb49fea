//! The descriptors of a command: three streams, the directories that are mounted, and what it opens.

use alloc::vec::Vec;

use crate::files::{ROOT, Volume};
use crate::memory::Memory;
use crate::{Errno, right};

/// Most descriptors at once.
pub const MOST_DESCRIPTORS: usize = 64;

/// What a descriptor leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    /// Something that goes by.
    Stream(Stream),
    /// A file.
    File(Place),
    /// A directory.
    Directory(Place),
}

/// Something that can only be read, or only be written, from one end to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// The body of the request.
    Body,
    /// The body of the response.
    Response,
    /// The log.
    Log,
}

/// A node of one of the file systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) volume: Volume,
    pub(crate) node: u32,
}

/// The bits of preview 1's `fdflags`.
pub(crate) mod flag {
    pub(crate) const APPEND: u32 = 1;
    pub(crate) const NONBLOCK: u32 = 4;
    /// `append`, `dsync`, `nonblock`, `rsync`, `sync`: whatever is written to a file is there at once.
    pub(crate) const ALL: u32 = 0b1_1111;
}

/// What a stream can have: it is always appended to, and it waits all the same: there is nothing that
/// a command could do meanwhile.
const OF_STREAMS: u32 = flag::APPEND | flag::NONBLOCK;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Descriptor {
    pub(crate) object: Object,
    /// What it allows.
    pub(crate) rights: u64,
    /// What descriptors may allow that are opened through it.
    pub(crate) inheriting: u64,
    /// Where in a file the next byte is read or written.
    pub(crate) position: u64,
    pub(crate) flags: u32,
    /// Whether it was there from the beginning, under the name of its volume's mount.
    pub(crate) preopened: bool,
}

impl Descriptor {
    const fn stream(stream: Stream) -> Self {
        let direction = match stream {
            Stream::Body => right::READ,
            Stream::Response | Stream::Log => right::WRITE,
        };
        let rights = direction | right::SET_FLAGS | right::FILESTAT | right::POLL;
        Self::new(Object::Stream(stream), rights, 0)
    }

    /// The top directory of a volume.
    pub(crate) const fn mount(volume: Volume) -> Self {
        let object = Object::Directory(Place { volume, node: ROOT });
        let inheriting = right::OF_DIRECTORIES | right::OF_FILES;
        Self {
            preopened: true,
            ..Self::new(object, right::OF_DIRECTORIES, inheriting)
        }
    }

    pub(crate) const fn new(object: Object, rights: u64, inheriting: u64) -> Self {
        Self {
            object,
            rights,
            inheriting,
            position: 0,
            flags: 0,
            preopened: false,
        }
    }

    /// Checks that it allows at least one of these.
    pub(crate) fn allow(&self, rights: u64) -> Result<(), Errno> {
        match self.rights & rights {
            0 => Err(Errno::NotCapable),
            _ => Ok(()),
        }
    }

    /// The directory that it leads to.
    pub(crate) fn directory(&self) -> Result<Place, Errno> {
        match self.object {
            Object::Directory(place) => Ok(place),
            Object::File(_) | Object::Stream(_) => Err(Errno::NotADirectory),
        }
    }

    /// `filetype`: the log is a character device, so that the C library writes it line by line; the
    /// other streams are pipes, which preview 1 has no number for but "unknown".
    pub(crate) const fn file_type(&self) -> u8 {
        match self.object {
            Object::Stream(Stream::Body | Stream::Response) => 0,
            Object::Stream(Stream::Log) => 2,
            Object::Directory(_) => 3,
            Object::File(_) => 4,
        }
    }

    /// `fdstat`, 24 bytes: file type, flags at 2, rights at 8, inherited rights at 16.
    pub(crate) fn put_status(&self, memory: &mut Memory, pointer: u32) -> Result<(), Errno> {
        let mut status = [0; 24];
        status[0] = self.file_type();
        status[2..4].copy_from_slice(&(self.flags as u16).to_le_bytes());
        status[8..16].copy_from_slice(&self.rights.to_le_bytes());
        status[16..24].copy_from_slice(&self.inheriting.to_le_bytes());
        memory.put(pointer, status)
    }

    pub(crate) fn set_flags(&mut self, flags: u32) -> Result<(), Errno> {
        self.allow(right::SET_FLAGS)?;
        let (possible, errno) = match self.object {
            Object::Stream(_) => (OF_STREAMS, Errno::NotSupported),
            Object::File(_) | Object::Directory(_) => (flag::ALL, Errno::Invalid),
        };
        if flags & !possible != 0 {
            return Err(errno);
        }
        self.flags = flags;
        Ok(())
    }

    /// Rights can be given up, never taken.
    pub(crate) fn set_rights(&mut self, base: u64, inheriting: u64) -> Result<(), Errno> {
        if base & !self.rights != 0 || inheriting & !self.inheriting != 0 {
            return Err(Errno::NotCapable);
        }
        self.rights = base;
        self.inheriting = inheriting;
        Ok(())
    }
}

/// How many of them are there from the start: few programs have more, and a table costs every request its
/// making.
const NEAR: usize = 6;

/// The table, by number.
pub(crate) struct Descriptors {
    near: [Option<Descriptor>; NEAR],
    far: Vec<Option<Descriptor>>,
}

impl Descriptors {
    /// The three streams, and after them the volumes that are mounted. Allocates nothing.
    pub(crate) const fn new(volumes: [Option<Volume>; 2]) -> Self {
        let mut near = [
            Some(Descriptor::stream(Stream::Body)),
            Some(Descriptor::stream(Stream::Response)),
            Some(Descriptor::stream(Stream::Log)),
            None,
            None,
            None,
        ];
        match volumes {
            [Some(first), second] => {
                near[3] = Some(Descriptor::mount(first));
                if let Some(second) = second {
                    near[4] = Some(Descriptor::mount(second));
                }
            }
            [None, Some(only)] => near[3] = Some(Descriptor::mount(only)),
            [None, None] => {}
        }
        Self {
            near,
            far: Vec::new(),
        }
    }

    fn slot(&mut self, number: u32) -> Option<&mut Option<Descriptor>> {
        match (number as usize).checked_sub(NEAR) {
            None => self.near.get_mut(number as usize),
            Some(place) => self.far.get_mut(place),
        }
    }

    pub(crate) fn get(&self, number: u32) -> Result<&Descriptor, Errno> {
        let slot = match (number as usize).checked_sub(NEAR) {
            None => self.near.get(number as usize),
            Some(place) => self.far.get(place),
        };
        slot.and_then(Option::as_ref).ok_or(Errno::BadDescriptor)
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Result<&mut Descriptor, Errno> {
        let slot = self.slot(number);
        slot.and_then(Option::as_mut).ok_or(Errno::BadDescriptor)
    }

    /// The lowest number that is free, with a place for a descriptor. Allocates.
    pub(crate) fn reserve(&mut self) -> Result<u32, Errno> {
        let mut slots = self.near.iter().chain(&self.far);
        if let Some(number) = slots.position(Option::is_none) {
            return Ok(number as u32);
        }
        let number = NEAR + self.far.len();
        if number == MOST_DESCRIPTORS || self.far.try_reserve(1).is_err() {
            return Err(Errno::TooManyDescriptors);
        }
        self.far.push(None);
        Ok(number as u32)
    }

    /// Puts a descriptor where none is.
    pub(crate) fn put(&mut self, number: u32, descriptor: Descriptor) {
        if let Some(slot) = self.slot(number) {
            *slot = Some(descriptor);
        }
    }

    /// Takes a descriptor away, and returns what it led to.
    pub(crate) fn close(&mut self, number: u32) -> Result<Object, Errno> {
        let closed = self.slot(number).and_then(Option::take);
        closed
            .map(|closed| closed.object)
            .ok_or(Errno::BadDescriptor)
    }

    /// `fd_renumber`: `to` becomes what `from` was, and `from` is closed. Both must be open. Returns what
    /// `to` led to, unless they are the same.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Result<Option<Object>, Errno> {
        let moved = *self.get(from)?;
        self.get(to)?;
        if from == to {
            return Ok(None);
        }
        let closed = self.close(to)?;
        self.close(from)?;
        self.put(to, moved);
        Ok(Some(closed))
    }
}
