//! `path_open`: from a path to a descriptor.

use crate::context::{Context, output};
use crate::descriptor::{Descriptor, Object, Place, Stream, flag};
use crate::files::{Content, Device, Kind, Last, Volume};
use crate::memory::Memory;
use crate::path::{Path, Target, last_of};
use crate::{Errno, Host, right};

/// The bits of `oflags`.
mod oflag {
    pub(super) const CREATE: u32 = 1;
    pub(super) const DIRECTORY: u32 = 2;
    pub(super) const EXCLUSIVE: u32 = 4;
    pub(super) const TRUNCATE: u32 = 8;
    pub(super) const ALL: u32 = 0b1111;
}

/// The arguments of `path_open` beside the path.
pub(crate) struct Open {
    pub(crate) lookup: u32,
    pub(crate) how: u32,
    pub(crate) rights: u64,
    pub(crate) inheriting: u64,
    pub(crate) flags: u32,
    /// Where the descriptor goes.
    pub(crate) opened: u32,
}

impl Open {
    /// Checks what is wrong in itself, and what the directory does not allow.
    fn check(&self, memory: &Memory, directory: &Descriptor) -> Result<(), Errno> {
        let all = right::OF_FILES | right::OF_DIRECTORIES;
        let wanted = (self.rights | self.inheriting) & all;
        let both = oflag::CREATE | oflag::DIRECTORY;
        if self.has(oflag::CREATE) {
            directory.allow(right::CREATE_FILE)?;
        }
        if self.has(oflag::TRUNCATE) {
            directory.allow(right::PATH_SET_SIZE)?;
        }
        if wanted & !directory.inheriting != 0 {
            return Err(Errno::NotCapable);
        }
        if self.how & !oflag::ALL != 0 || self.how & both == both || self.flags & !flag::ALL != 0 {
            return Err(Errno::Invalid);
        }
        memory.bytes(self.opened, 4).map(|_| ())
    }

    const fn has(&self, bit: u32) -> bool {
        self.how & bit != 0
    }

    /// What becomes of a link at the end. One that is there is no new file.
    fn last(&self) -> Result<Last, Errno> {
        let last = last_of(self.lookup)?;
        let is_new = self.has(oflag::CREATE) && self.has(oflag::EXCLUSIVE);
        Ok(if is_new { Last::Keep } else { last })
    }

    const fn writes(&self) -> bool {
        self.rights & right::WRITE != 0
    }

    /// What the new descriptor leads to, if it is something that is there. `output` is what standard output
    /// is.
    fn existing(&self, place: Place, kind: Kind, output: Stream) -> Result<Object, Errno> {
        if self.has(oflag::CREATE) && self.has(oflag::EXCLUSIVE) {
            return Err(Errno::Exists);
        }
        match kind {
            Kind::Link => Err(Errno::Loop),
            Kind::Directory
                if self.writes() || self.has(oflag::CREATE) || self.has(oflag::TRUNCATE) =>
            {
                Err(Errno::IsADirectory)
            }
            Kind::Directory => Ok(Object::Directory(place)),
            Kind::File | Kind::Device if self.has(oflag::DIRECTORY) => Err(Errno::NotADirectory),
            Kind::File
                if place.volume == Volume::Folder
                    && (self.writes() || self.has(oflag::TRUNCATE)) =>
            {
                Err(Errno::ReadOnly)
            }
            Kind::File => Ok(Object::File(place)),
            Kind::Device => Ok(Object::Stream(stream_of(place.node, output)?)),
        }
    }

    /// The new descriptor; rights that mean nothing for what it leads to fall away.
    fn descriptor(&self, object: Object) -> Descriptor {
        let (rights, inheriting) = match object {
            Object::Directory(_) => (right::OF_DIRECTORIES, self.inheriting),
            Object::File(_) => (right::OF_FILES, 0),
            Object::Stream(stream) => {
                return Descriptor {
                    flags: self.flags,
                    ..Descriptor::device(stream, self.rights)
                };
            }
        };
        Descriptor {
            flags: self.flags,
            ..Descriptor::new(object, self.rights & rights, inheriting)
        }
    }
}

/// The stream that a node of `/dev` is.
fn stream_of(node: u32, output: Stream) -> Result<Stream, Errno> {
    Ok(match Device::of(node).ok_or(Errno::NoEntry)? {
        Device::Null => Stream::Null,
        Device::Error => Stream::Log,
        Device::Input => Stream::Body,
        Device::Output => output,
    })
}

impl<H: Host> Context<H> {
    /// `path_open`
    pub(crate) fn open(
        &mut self,
        memory: &mut Memory,
        path: Path,
        call: &Open,
    ) -> Result<(), Errno> {
        let directory = self.descriptors.get(path.descriptor)?;
        directory.directory()?;
        call.check(memory, directory)?;
        let output = output(&self.host);
        let target = self.find(memory, path, right::OPEN, call.last()?)?;
        let Self {
            host, descriptors, ..
        } = self;
        let number = host.in_own_memory(|| descriptors.reserve())?;
        let object = if target.node.is_none() && call.has(oflag::CREATE) {
            self.create(&target)?
        } else {
            let (place, kind) = target.existing()?;
            call.existing(place, kind, output)?
        };
        if let Object::File(place) | Object::Directory(place) = object
            && place.volume == Volume::Scratch
        {
            if call.has(oflag::TRUNCATE) {
                let now_ns = self.host.realtime_ns();
                self.scratch.resize(place.node, 0, now_ns)?;
            }
            self.scratch.open(place.node);
        }
        self.descriptors.put(number, call.descriptor(object));
        memory.put_u32(call.opened, number)
    }

    fn create(&mut self, target: &Target) -> Result<Object, Errno> {
        if target.slash {
            return Err(Errno::IsADirectory);
        }
        let node = self.make(target.name()?, Content::empty_file())?;
        let volume = Volume::Scratch;
        Ok(Object::File(Place { volume, node }))
    }
}
