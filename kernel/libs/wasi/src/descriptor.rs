//! The descriptors of a command: three streams, the directories that are mounted, and what it opens.

mod table;

use crate::files::{ROOT, Volume};
use crate::memory::Memory;
use crate::{Errno, right};

pub(crate) use table::Descriptors;
pub use table::MOST_DESCRIPTORS;

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
    /// Nothing: it is empty, and takes everything.
    Null,
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
    /// Whether it is a stream that was opened below `/dev`.
    pub(crate) is_device: bool,
}

impl Descriptor {
    const fn stream(stream: Stream) -> Self {
        let direction = match stream {
            Stream::Body => right::READ,
            Stream::Response | Stream::Log => right::WRITE,
            Stream::Null => right::READ | right::WRITE,
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
            is_device: false,
        }
    }

    /// A stream that is opened below `/dev`, with those of `rights` that it can have.
    pub(crate) const fn device(stream: Stream, rights: u64) -> Self {
        let all = Self::stream(stream);
        Self {
            rights: all.rights & rights,
            is_device: true,
            ..all
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

    /// `filetype`: the log is a character device, as is everything below `/dev`, so that the C library writes it line by line; the
    /// other streams are pipes, which preview 1 has no number for but "unknown".
    pub(crate) const fn file_type(&self) -> u8 {
        match self.object {
            Object::Stream(Stream::Body | Stream::Response) if !self.is_device => 0,
            Object::Stream(_) => 2,
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
