//! A file system on a device, and its files.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use ext4_view::{DirEntry, Ext4, Ext4Error, File};

use crate::files::{Listed, ListedKind};
use crate::reader::{ReadError, Reader};
use crate::sectors::Sectors;
use crate::superblock;

/// How many entries of the top folder are looked at.
pub const MOST_FILES: usize = 4096;

/// Longest target of a symbolic link that is read, in bytes: Linux's `PATH_MAX`.
const LONGEST_LINK: u64 = 4096;

/// A file system that has been found sound enough to read from.
pub struct Volume {
    files: Ext4,
    block_bytes: u32,
    faults: Arc<AtomicU32>,
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
    /// A folder has more entries than the caller takes.
    TooManyEntries {
        /// How many the caller takes.
        most: usize,
    },
    /// A folder is wanted, and it is none.
    NoFolder,
    /// The device failed while a place in the file was looked for.
    Unsteady,
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
    ///
    /// # Errors
    /// [`OpenError`]: there is none, or it is damaged, or wants more memory or disk than there is.
    pub fn open(device: impl Sectors + 'static) -> Result<Volume, OpenError> {
        let mut reader = Reader::new(device);
        let block_bytes = superblock::check(&mut reader)?;
        let faults = reader.faults();
        let files = Ext4::load(Box::new(reader)).map_err(OpenError::FileSystem)?;
        Ok(Volume {
            files,
            block_bytes,
            faults,
        })
    }

    /// How many requests to the device have failed.
    pub(crate) fn faults(&self) -> u32 {
        self.faults.load(Relaxed)
    }

    /// The size of the file system's blocks: what reading from it allocates in one piece.
    pub fn block_bytes(&self) -> u32 {
        self.block_bytes
    }

    /// What is in a folder, by names, the first `most` that are text. `path` is relative to the top
    /// folder.
    ///
    /// # Errors
    /// [`FileError::TooManyEntries`] if there are more than `most`, and what else may be wrong.
    pub fn list(&self, path: &str, most: usize) -> Result<Vec<Listed>, FileError> {
        let top = alloc::format!("/{path}");
        let found = self.files.symlink_metadata(top.as_str());
        if !found.map_err(file_error)?.is_dir() {
            return Err(FileError::NoFolder);
        }
        let mut listed = Vec::new();
        for entry in self.files.read_dir(top.as_str()).map_err(file_error)? {
            let entry = entry.map_err(file_error)?;
            let name = match entry.file_name().as_str() {
                Ok("." | "..") | Err(_) => continue,
                Ok(name) => name.to_owned(),
            };
            if listed.len() == most {
                return Err(FileError::TooManyEntries { most });
            }
            listed.push(self.listed(&entry, name)?);
        }
        listed.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(listed)
    }

    fn listed(&self, entry: &DirEntry, name: String) -> Result<Listed, FileError> {
        let metadata = entry.metadata().map_err(file_error)?;
        let kind = metadata.file_type();
        let kind = if kind.is_dir() {
            ListedKind::Folder
        } else if kind.is_regular_file() {
            let bytes = metadata.len();
            ListedKind::File { bytes }
        } else if kind.is_symlink() && metadata.len() <= LONGEST_LINK {
            let target = self.files.read_link(&entry.path()).map_err(file_error)?;
            let text = target.to_str().map(ToOwned::to_owned);
            text.map_or(ListedKind::Other, |target| ListedKind::Link { target })
        } else {
            ListedKind::Other
        };
        let modified = metadata.modified();
        let seconds = u64::try_from(modified.seconds()).unwrap_or(0);
        let modified_ns = seconds
            .saturating_mul(1_000_000_000)
            .saturating_add(modified.nanoseconds().into());
        Ok(Listed {
            name,
            modified_ns,
            kind,
        })
    }

    /// Opens a file. `path` is relative to the top folder.
    pub(crate) fn open_file(&self, path: &str) -> Result<File, FileError> {
        let path = alloc::format!("/{path}");
        self.files.open(path.as_str()).map_err(file_error)
    }

    /// Names of the regular files in the top folder, in order. Names that are no text are left out:
    /// no spec can name such a file.
    ///
    /// # Errors
    /// [`FileError::TooManyFiles`] beyond [`MOST_FILES`], and what else may be wrong with the folder.
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

    /// Names of everything in the top folder, in order; none if they cannot be read, or are more than
    /// [`MOST_FILES`].
    pub(crate) fn names(&self) -> Option<Vec<Box<[u8]>>> {
        let mut names = Vec::new();
        for entry in self.files.read_dir("/").ok()? {
            if names.len() == MOST_FILES {
                return None;
            }
            names.push(entry.ok()?.file_name().as_ref().into());
        }
        names.sort_unstable();
        Some(names)
    }

    /// All of a file, if it is at most `most` bytes long. `path` is relative to the top folder.
    ///
    /// # Errors
    /// [`FileError::TooLong`], [`FileError::NoMemory`] if there is no room for all of it, and what else may be
    /// wrong with the file.
    pub fn read(&self, path: &str, most: u64) -> Result<Vec<u8>, FileError> {
        let mut file = self.open_file(path)?;
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

pub(crate) fn file_error(error: Ext4Error) -> FileError {
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
            FileError::TooManyEntries { most } => write!(f, "it has more than {most} entries"),
            FileError::NoFolder => f.write_str("it is no folder"),
            FileError::Unsteady => f.write_str("the disk failed meanwhile"),
            FileError::Incomplete { length, found } => {
                write!(f, "only {found} of its {length} bytes are there")
            }
            FileError::FileSystem(error) => write!(f, "{error}"),
        }
    }
}
