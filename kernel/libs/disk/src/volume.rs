//! A file system on a device, and its files.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

use ext4_view::{Ext4, Ext4Error, File};

use crate::reader::{ReadError, Reader};
use crate::sectors::Sectors;
use crate::superblock;

/// How many entries of the top folder are looked at.
pub const MOST_FILES: usize = 4096;

/// A file system that has been found sound enough to read from.
pub struct Volume {
    files: Ext4,
}

/// Why a disk cannot be used at all.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The superblock cannot be read.
    Read(ReadError),
    /// There is no ext2, ext3 or ext4 file system on it.
    NoFileSystem,
    /// The file system is larger than the disk.
    CutShort {
        /// Sectors of the disk.
        has: u64,
        /// Sectors of its file system.
        needs: u64,
    },
    /// The superblock gives blocks of an impossible size.
    BlockSize {
        /// The size's base-2 logarithm, less 10.
        log: u32,
    },
    /// The superblock gives impossibly small groups of blocks.
    BlocksPerGroup {
        /// Blocks in a group.
        blocks: u32,
    },
    /// Something else about the file system.
    FileSystem(Ext4Error),
}

/// Why a file cannot be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileError {
    /// It is not there.
    NotFound,
    /// It is longer than the caller takes.
    TooLong {
        /// Its length in bytes.
        length: u64,
        /// The longest that the caller takes.
        most: u64,
    },
    /// There is no memory for it.
    NoMemory {
        /// Its length in bytes.
        length: u64,
    },
    /// The top folder has more than [`MOST_FILES`] entries.
    TooManyFiles,
    /// The file system has less of it than it says.
    Incomplete {
        /// Its length in bytes.
        length: u64,
        /// How much of it there is.
        found: u64,
    },
    /// The file system is damaged there, or the disk.
    FileSystem(Ext4Error),
}

impl Volume {
    /// Opens the file system of a device.
    pub fn open(device: impl Sectors + 'static) -> Result<Volume, OpenError> {
        let mut reader = Reader::new(device);
        superblock::check(&mut reader)?;
        let files = Ext4::load(Box::new(reader)).map_err(OpenError::FileSystem)?;
        Ok(Volume { files })
    }

    /// Names of the regular files in the top folder, in order. Names that are no text are left out:
    /// no spec can name such a file.
    pub fn files(&self) -> Result<Vec<String>, FileError> {
        let mut names = Vec::new();
        for (index, entry) in self.files.read_dir("/").map_err(file_error)?.enumerate() {
            let entry = entry.map_err(file_error)?;
            if index == MOST_FILES {
                return Err(FileError::TooManyFiles);
            }
            let name = entry.file_name();
            let regular = entry.file_type().map_err(file_error)?.is_regular_file();
            if let (true, Ok(name)) = (regular, name.as_str()) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// All of a file, if it is at most `most` bytes long. `path` is relative to the top folder.
    pub fn read(&self, path: &str, most: u64) -> Result<Vec<u8>, FileError> {
        let path = alloc::format!("/{path}");
        let mut file = self.files.open(path.as_str()).map_err(file_error)?;
        let length = file.metadata().len();
        if length > most {
            return Err(FileError::TooLong { length, most });
        }
        let mut bytes = Vec::new();
        let size = usize::try_from(length).map_err(|_| FileError::NoMemory { length })?;
        bytes
            .try_reserve_exact(size)
            .map_err(|_| FileError::NoMemory { length })?;
        bytes.resize(size, 0);
        fill(&mut file, &mut bytes)?;
        Ok(bytes)
    }
}

/// Reads a file from its beginning into all of `into`.
fn fill(file: &mut File, into: &mut [u8]) -> Result<(), FileError> {
    let mut found = 0;
    while found < into.len() {
        match file.read_bytes(&mut into[found..]).map_err(file_error)? {
            0 => {
                let (length, found) = (into.len() as u64, found as u64);
                return Err(FileError::Incomplete { length, found });
            }
            read => found += read,
        }
    }
    Ok(())
}

fn file_error(error: Ext4Error) -> FileError {
    match error {
        Ext4Error::NotFound => FileError::NotFound,
        other => FileError::FileSystem(other),
    }
}

impl Error for OpenError {}
impl Error for FileError {}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Read(error) => write!(f, "cannot be read: {error}"),
            OpenError::NoFileSystem => f.write_str("has no ext2, ext3 or ext4 file system on it"),
            OpenError::CutShort { has, needs } => {
                write!(
                    f,
                    "is cut short: it has {has} sectors, its file system {needs}"
                )
            }
            OpenError::BlockSize { log } => {
                write!(
                    f,
                    "is damaged: its file system has blocks of 2^{} bytes",
                    *log as u64 + 10
                )
            }
            OpenError::BlocksPerGroup { blocks } => {
                write!(
                    f,
                    "is damaged: its file system has groups of {blocks} blocks"
                )
            }
            OpenError::FileSystem(error) => write!(f, "cannot be used: {error}"),
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::NotFound => f.write_str("there is no such file"),
            FileError::TooLong { length, most } => {
                write!(f, "it is {length} bytes long, and {most} are the most")
            }
            FileError::NoMemory { length } => write!(f, "no memory for its {length} bytes"),
            FileError::TooManyFiles => {
                write!(f, "the top folder has more than {MOST_FILES} entries")
            }
            FileError::Incomplete { length, found } => {
                write!(f, "only {found} of its {length} bytes are there")
            }
            FileError::FileSystem(error) => write!(f, "{error}"),
        }
    }
}
