//! Calls that name files by paths, relative to the directory of a descriptor.
//!
//! A path is looked up first, in whichever file system it lies, and comes out as a [`Target`]; what the
//! call does with that is checked, and then done, in the scratch alone: the folder never changes.

use crate::context::Context;
use crate::descriptor::Place;
use crate::file::{NewTimes, put_attributes};
use crate::files::{
    self, Content, Devices, Found, Kind, Last, Name, Tree, Volume, checked_path, resolve,
};
use crate::memory::Memory;
use crate::{Errno, Host, right};

/// The only bit of `lookupflags`: follow a symbolic link at the end.
const FOLLOW: u32 = 1;

/// A path as a guest gives it: the descriptor of a directory, and where the text is.
#[derive(Clone, Copy)]
pub(crate) struct Path {
    pub(crate) descriptor: u32,
    pub(crate) pointer: u32,
    pub(crate) length: u32,
}

/// Where a path leads.
pub(crate) struct Target {
    pub(crate) volume: Volume,
    /// The directory that the last name is in.
    directory: u32,
    /// The last name. None if the path means a directory by `.` or `..`.
    name: Option<Name>,
    pub(crate) node: Option<(u32, Kind)>,
    /// A slash at the end: only a directory is meant.
    pub(crate) slash: bool,
}

impl Target {
    fn new(volume: Volume, found: Found<'_>) -> Self {
        Self {
            volume,
            directory: found.directory,
            name: found.name.map(Name::new),
            node: found.node,
            slash: found.slash,
        }
    }

    /// What is there.
    pub(crate) fn existing(&self) -> Result<(Place, Kind), Errno> {
        let (node, kind) = self.node.ok_or(Errno::NoEntry)?;
        if self.slash && kind != Kind::Directory {
            return Err(Errno::NotADirectory);
        }
        let volume = self.volume;
        Ok((Place { volume, node }, kind))
    }

    /// The name in the scratch that is there, or is to be.
    pub(crate) fn name(&self) -> Result<(u32, &str), Errno> {
        if self.volume != Volume::Scratch {
            return Err(Errno::ReadOnly);
        }
        let name = self.name.as_ref().ok_or(Errno::Invalid)?;
        Ok((self.directory, name.as_str()))
    }

    /// The name in the scratch that nothing has yet.
    fn new_name(&self) -> Result<(u32, &str), Errno> {
        match self.node {
            Some((_, kind)) if self.slash && kind != Kind::Directory => Err(Errno::NotADirectory),
            Some(_) => Err(Errno::Exists),
            None => self.name(),
        }
    }

    /// The same, for anything but a directory.
    fn new_file_name(&self) -> Result<(u32, &str), Errno> {
        let name = self.new_name()?;
        if self.slash {
            return Err(Errno::NoEntry);
        }
        Ok(name)
    }
}

impl<H: Host> Context<H> {
    /// Follows a path from the directory of its descriptor, which must have these rights.
    pub(crate) fn find(
        &self,
        memory: &Memory,
        path: Path,
        rights: u64,
        last: Last,
    ) -> Result<Target, Errno> {
        let descriptor = self.descriptors.get(path.descriptor)?;
        let Place { volume, node } = descriptor.directory()?;
        descriptor.allow(rights)?;
        let text = checked_path(memory.bytes(path.pointer, path.length)?)?;
        let breathe = || self.host.breathe();
        let found = match volume {
            Volume::Scratch => resolve(&self.scratch, node, text, last, breathe)?,
            Volume::Devices => resolve(&Devices, node, text, last, breathe)?,
            Volume::Folder => {
                let folder = self.host.folder().ok_or(Errno::BadDescriptor)?;
                resolve(folder, node, text, last, breathe)?
            }
        };
        Ok(Target::new(volume, found))
    }

    /// Makes something in the scratch, under a name that is free.
    pub(crate) fn make(
        &mut self,
        (directory, name): (u32, &str),
        content: Content,
    ) -> Result<u32, Errno> {
        let now_ns = self.host.realtime_ns();
        let Self { host, scratch, .. } = self;
        host.in_own_memory(|| scratch.create(directory, name, content, now_ns))
    }

    /// `path_create_directory`
    pub(crate) fn create_directory(&mut self, memory: &Memory, path: Path) -> Result<(), Errno> {
        let target = self.find(memory, path, right::CREATE_DIRECTORY, Last::Keep)?;
        let name = target.new_name()?;
        self.make(name, Content::Directory(target.directory))?;
        Ok(())
    }

    /// `path_symlink`: what it points to need not be there, but it must not lead out.
    pub(crate) fn symlink(
        &mut self,
        memory: &Memory,
        (pointer, length): (u32, u32),
        path: Path,
    ) -> Result<(), Errno> {
        let target = self.find(memory, path, right::SYMLINK, Last::Keep)?;
        let text = checked_path(memory.bytes(pointer, length)?)?;
        let name = target.new_file_name()?;
        let text = self.host.in_own_memory(|| files::text(text))?;
        self.make(name, Content::Link(text))?;
        Ok(())
    }

    /// `path_readlink`: as much as there is room for, without a NUL.
    pub(crate) fn read_link(
        &self,
        memory: &mut Memory,
        path: Path,
        (pointer, length): (u32, u32),
        used: u32,
    ) -> Result<(), Errno> {
        let target = self.find(memory, path, right::READ_LINK, Last::Keep)?;
        let (place, kind) = target.existing()?;
        if kind != Kind::Link {
            return Err(Errno::Invalid);
        }
        let text = match place.volume {
            Volume::Scratch => self.scratch.target(place.node),
            Volume::Folder => self.host.folder().and_then(|it| it.target(place.node)),
            Volume::Devices => None,
        };
        let text = text.ok_or(Errno::NoEntry)?.as_bytes();
        memory.bytes(used, 4)?;
        let buffer = memory.bytes_mut(pointer, length)?;
        let length = text.len().min(buffer.len());
        buffer[..length].copy_from_slice(&text[..length]);
        memory.put_u32(used, length as u32)
    }

    /// `path_filestat_get`
    pub(crate) fn path_filestat(
        &self,
        memory: &mut Memory,
        path: Path,
        lookup: u32,
        result: u32,
    ) -> Result<(), Errno> {
        let target = self.find(memory, path, right::PATH_FILESTAT, last_of(lookup)?)?;
        let (place, _) = target.existing()?;
        put_attributes(memory, result, place, &self.attributes(place)?)
    }

    /// `path_filestat_set_times`
    pub(crate) fn path_set_times(
        &mut self,
        memory: &Memory,
        path: Path,
        lookup: u32,
        new: &NewTimes,
    ) -> Result<(), Errno> {
        let target = self.find(memory, path, right::PATH_SET_TIMES, last_of(lookup)?)?;
        let (place, _) = target.existing()?;
        self.set_times_of(place, new)
    }

    /// `path_link`
    pub(crate) fn link(
        &mut self,
        memory: &Memory,
        (from, lookup): (Path, u32),
        to: Path,
    ) -> Result<(), Errno> {
        let source = self.find(memory, from, right::LINK_SOURCE, Last::Keep)?;
        let target = self.find(memory, to, right::LINK_TARGET, Last::Keep)?;
        if lookup != 0 {
            return Err(Errno::Invalid);
        }
        let (place, kind) = source.existing()?;
        if kind == Kind::Directory {
            return Err(Errno::NotPermitted);
        }
        let (directory, name) = target.new_file_name()?;
        if source.volume != target.volume {
            return Err(Errno::CrossDevice);
        }
        let now_ns = self.host.realtime_ns();
        let Self { host, scratch, .. } = self;
        host.in_own_memory(|| scratch.link(directory, name, place.node, now_ns))
    }

    /// `path_unlink_file`
    pub(crate) fn unlink_file(&mut self, memory: &Memory, path: Path) -> Result<(), Errno> {
        let target = self.find(memory, path, right::UNLINK_FILE, Last::Keep)?;
        let (_, kind) = target.existing()?;
        if kind == Kind::Directory {
            return Err(Errno::IsADirectory);
        }
        self.remove(&target)
    }

    /// `path_remove_directory`
    pub(crate) fn remove_directory(&mut self, memory: &Memory, path: Path) -> Result<(), Errno> {
        let target = self.find(memory, path, right::REMOVE_DIRECTORY, Last::Keep)?;
        let (place, kind) = target.existing()?;
        if kind != Kind::Directory {
            return Err(Errno::NotADirectory);
        }
        target.name()?;
        if !self.scratch.is_empty(place.node) {
            return Err(Errno::NotEmpty);
        }
        self.remove(&target)
    }

    fn remove(&mut self, target: &Target) -> Result<(), Errno> {
        let (directory, name) = target.name()?;
        let now_ns = self.host.realtime_ns();
        self.scratch.remove(directory, name, now_ns);
        Ok(())
    }

    /// `path_rename`
    pub(crate) fn rename(&mut self, memory: &Memory, from: Path, to: Path) -> Result<(), Errno> {
        let source = self.find(memory, from, right::RENAME_SOURCE, Last::Keep)?;
        let target = self.find(memory, to, right::RENAME_TARGET, Last::Keep)?;
        let moved = source.existing()?;
        if source.volume != target.volume {
            return Err(Errno::CrossDevice);
        }
        let (old, new) = (source.name()?, target.name()?);
        self.check_rename(moved, &target)?;
        if target.node.is_some_and(|(node, _)| node == moved.0.node) {
            return Ok(());
        }
        let now_ns = self.host.realtime_ns();
        let Self { host, scratch, .. } = self;
        host.in_own_memory(|| scratch.rename(old, new, now_ns))
    }

    /// A directory takes the place of an empty directory only, and never goes into itself; anything else
    /// takes the place of anything else.
    fn check_rename(&self, (place, kind): (Place, Kind), target: &Target) -> Result<(), Errno> {
        if kind == Kind::Directory && self.scratch.is_below(target.directory, place.node) {
            return Err(Errno::Invalid);
        }
        match (kind, target.node) {
            (Kind::Directory, None) => Ok(()),
            (Kind::Directory, Some((node, Kind::Directory))) => {
                match node == place.node || self.scratch.is_empty(node) {
                    true => Ok(()),
                    false => Err(Errno::NotEmpty),
                }
            }
            (Kind::Directory, Some(_)) => Err(Errno::NotADirectory),
            (_, Some((_, Kind::Directory))) => Err(Errno::IsADirectory),
            _ if target.slash => Err(Errno::NotADirectory),
            _ => Ok(()),
        }
    }
}

/// What becomes of a link at the end by `lookupflags`.
///
/// # Errors
/// `inval` for flags that mean nothing.
pub(crate) const fn last_of(lookup: u32) -> Result<Last, Errno> {
    match lookup {
        0 => Ok(Last::Keep),
        FOLLOW => Ok(Last::Follow),
        _ => Err(Errno::Invalid),
    }
}
