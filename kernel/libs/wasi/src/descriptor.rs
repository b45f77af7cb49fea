//! The descriptors of a command: three streams, of which it may close and rename any.

use crate::Errno;
use crate::memory::Memory;

/// What a descriptor leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// The body of the request.
    Body,
    /// The body of the response.
    Response,
    /// The log.
    Log,
}

/// What a descriptor allows; the bits of preview 1.
pub(crate) mod right {
    pub(crate) const READ: u64 = 1 << 1;
    pub(crate) const SET_FLAGS: u64 = 1 << 3;
    pub(crate) const WRITE: u64 = 1 << 6;
    pub(crate) const FILESTAT: u64 = 1 << 21;
    pub(crate) const POLL: u64 = 1 << 27;
}

/// `fdflags` that a stream can have: append (0) and nonblock (2). It is always appended to, and it
/// waits all the same: there is nothing that a command could do meanwhile.
const FLAGS: u32 = 0b101;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Descriptor {
    pub(crate) stream: Stream,
    pub(crate) rights: u64,
    flags: u32,
}

impl Descriptor {
    const fn new(stream: Stream) -> Self {
        let direction = match stream {
            Stream::Body => right::READ,
            Stream::Response | Stream::Log => right::WRITE,
        };
        Self {
            stream,
            rights: direction | right::SET_FLAGS | right::FILESTAT | right::POLL,
            flags: 0,
        }
    }

    pub(crate) fn allow(&self, right: u64) -> Result<(), Errno> {
        match self.rights & right {
            0 => Err(Errno::NotCapable),
            _ => Ok(()),
        }
    }

    /// `filetype`: the log is a character device, so that the C library writes it line by line; the
    /// others are pipes, which preview 1 has no number for but "unknown".
    const fn file_type(&self) -> u8 {
        match self.stream {
            Stream::Body | Stream::Response => 0,
            Stream::Log => 2,
        }
    }

    /// `fdstat`, 24 bytes: file type, flags at 2, rights at 8, inherited rights at 16.
    pub(crate) fn put_status(&self, memory: &mut Memory, pointer: u32) -> Result<(), Errno> {
        let mut status = [0; 24];
        status[0] = self.file_type();
        status[2..4].copy_from_slice(&(self.flags as u16).to_le_bytes());
        status[8..16].copy_from_slice(&self.rights.to_le_bytes());
        memory.put(pointer, status)
    }

    /// `filestat`, 64 bytes: file type at 16, number of links at 24, size at 32.
    pub(crate) fn put_file_status(
        &self,
        memory: &mut Memory,
        pointer: u32,
        size: u64,
    ) -> Result<(), Errno> {
        self.allow(right::FILESTAT)?;
        let mut status = [0; 64];
        status[16] = self.file_type();
        status[24] = 1;
        status[32..40].copy_from_slice(&size.to_le_bytes());
        memory.put(pointer, status)
    }

    pub(crate) fn set_flags(&mut self, flags: u32) -> Result<(), Errno> {
        self.allow(right::SET_FLAGS)?;
        if flags & !FLAGS != 0 {
            return Err(Errno::NotSupported);
        }
        self.flags = flags;
        Ok(())
    }

    /// Rights can be given up, never taken.
    pub(crate) fn set_rights(&mut self, base: u64, inheriting: u64) -> Result<(), Errno> {
        if base & !self.rights != 0 || inheriting != 0 {
            return Err(Errno::NotCapable);
        }
        self.rights = base;
        Ok(())
    }
}

/// The table: descriptors 0, 1 and 2, or what the command left of them.
pub(crate) struct Descriptors([Option<Descriptor>; 3]);

impl Descriptors {
    pub(crate) const fn new() -> Self {
        Self([
            Some(Descriptor::new(Stream::Body)),
            Some(Descriptor::new(Stream::Response)),
            Some(Descriptor::new(Stream::Log)),
        ])
    }

    pub(crate) fn get(&self, number: u32) -> Result<&Descriptor, Errno> {
        let slot = self.0.get(number as usize).ok_or(Errno::BadDescriptor)?;
        slot.as_ref().ok_or(Errno::BadDescriptor)
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Result<&mut Descriptor, Errno> {
        let slot = self
            .0
            .get_mut(number as usize)
            .ok_or(Errno::BadDescriptor)?;
        slot.as_mut().ok_or(Errno::BadDescriptor)
    }

    pub(crate) fn close(&mut self, number: u32) -> Result<(), Errno> {
        self.get(number)?;
        self.0[number as usize] = None;
        Ok(())
    }

    /// `fd_renumber`: `to` becomes what `from` was, and `from` is closed. Both must be open.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Result<(), Errno> {
        let moved = *self.get(from)?;
        self.close(to)?;
        self.0[from as usize] = None;
        self.0[to as usize] = Some(moved);
        Ok(())
    }
}
