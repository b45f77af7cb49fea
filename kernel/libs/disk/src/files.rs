//! Files that stay on the disk and are read in parts, whenever somebody wants some.
//!
//! A part comes out of the [`Cache`] if it can, else off the disk. Files that were read last stay open,
//! since to open one is to follow its path through the file system.
//!
//! Invariant: `ext4-view` 1.0.0 panics in a `File` whose list of blocks was found damaged before. So
//! one that has failed is not used again; and since seeking keeps to itself what it finds damaged, a
//! place is sought only in a file that was once read from one end to the other, and not trusted if the
//! device failed meanwhile.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use ext4_view::File;

use crate::cache::{Cache, PIECE_BYTES};
use crate::volume::{FileError, Volume, file_error};

/// How many files stay open.
const MOST_OPEN: usize = 64;

/// A volume and the files of it that have numbers.
pub struct Files {
    volume: Volume,
    known: Vec<Known>,
    /// The last used is the last.
    open: Vec<(u32, File)>,
    cache: Cache,
    /// What is in the top folder, once it is listed, if it can be.
    names: Option<Option<Vec<Box<[u8]>>>>,
}

/// A file that has a number.
struct Known {
    path: Box<str>,
    /// Whether it was read to its end.
    sound: bool,
}

/// A part of a file that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// So many bytes, which were in memory; 0 is only the end of the file.
    Ready(usize),
    /// So many bytes, for which somebody had to wait; 0 is only the end of the file.
    Waited(usize),
    /// None yet: the file is being read towards where they are. To be asked for again.
    OnTheWay,
}

impl Files {
    /// No file has a number yet. The cache takes at most `cache_bytes` bytes, and only if there are.
    #[must_use]
    pub const fn new(volume: Volume, cache_bytes: usize) -> Self {
        Files {
            volume,
            known: Vec::new(),
            open: Vec::new(),
            cache: Cache::new(cache_bytes),
            names: None,
        }
    }

    /// The volume that they are on.
    #[must_use]
    pub const fn volume(&self) -> &Volume {
        &self.volume
    }

    /// Gives the file at `path`, which is relative to the top folder, a number: they count from 0.
    pub fn add(&mut self, path: &str) -> usize {
        self.known.push(Known {
            path: path.into(),
            sound: false,
        });
        self.known.len() - 1
    }

    /// Finds the file at `path`, which is relative to the top folder, and gives it a number as [`Self::add`] does;
    /// also says how long it is, in bytes. It stays open for whoever reads it next.
    ///
    /// # Errors
    /// [`FileError`]: there is no such file, or something is wrong with it.
    pub fn find(&mut self, path: &str) -> Result<(usize, u64), FileError> {
        if self.is_missing(path) {
            return Err(FileError::NotFound);
        }
        let file = self.volume.open_file(path)?;
        let length = file.metadata().len();
        let number = self.add(path);
        self.make_room();
        self.open.push((number as u32, file));
        Ok((number, length))
    }

    /// Copies what a file has from `offset` on into `into`: as much as lies in one piece.
    ///
    /// # Errors
    /// [`FileError`]
    pub fn read(&mut self, file: u32, offset: u64, into: &mut [u8]) -> Result<Part, FileError> {
        let number = offset / PIECE_BYTES as u64;
        let skipped = (offset % PIECE_BYTES as u64) as usize;
        // No file is so long.
        let Ok(number) = u32::try_from(number) else {
            return Ok(Part::Ready(0));
        };
        if let Some(piece) = self.cache.get((file, number)) {
            return Ok(Part::Ready(copy(piece, skipped, into)));
        }
        // It is put back unless it fails.
        let mut opened = self.take(file)?;
        let result = self.read_piece(file, &mut opened, number, (skipped, into));
        if result.is_ok() {
            self.open.push((file, opened));
        }
        result
    }

    /// Copies what a file has from `offset` on into `into`, past the cache: a piece at most, for who reads a
    /// long file once, from its beginning to its end.
    ///
    /// # Errors
    /// [`FileError`]
    pub fn read_once(
        &mut self,
        file: u32,
        offset: u64,
        into: &mut [u8],
    ) -> Result<Part, FileError> {
        let mut opened = self.take(file)?;
        if opened.position() > offset {
            opened = self.open_anew(file)?;
        }
        if offset >= opened.metadata().len() {
            return Ok(Part::Waited(0));
        }
        // One that was closed meanwhile is read up to the place.
        let before = offset - opened.position();
        let most = match before {
            0 => into.len(),
            before => into
                .len()
                .min(usize::try_from(before).unwrap_or(usize::MAX)),
        };
        let read = fill(&mut opened, &mut into[..most.min(PIECE_BYTES)])?;
        if read == 0 && !into.is_empty() {
            let (length, found) = (opened.metadata().len(), opened.position());
            return Err(FileError::Incomplete { length, found });
        }
        if opened.position() < opened.metadata().len() {
            self.open.push((file, opened));
        }
        Ok(match before {
            0 => Part::Waited(read),
            _ => Part::OnTheWay,
        })
    }

    fn read_piece(
        &mut self,
        number: u32,
        file: &mut File,
        piece: u32,
        (skipped, into): (usize, &mut [u8]),
    ) -> Result<Part, FileError> {
        let start = u64::from(piece) * PIECE_BYTES as u64;
        let length = file.metadata().len();
        if start + skipped as u64 >= length {
            return Ok(Part::Ready(0));
        }
        let known = self
            .known
            .get_mut(number as usize)
            .ok_or(FileError::NotFound)?;
        if known.sound && file.position() != start {
            seek(&self.volume, file, start)?;
        }
        // Always the beginning of a piece.
        let at = (file.position() / PIECE_BYTES as u64) as u32;
        let mut read = |bytes: &mut Vec<u8>| {
            bytes.resize(PIECE_BYTES, 0);
            let read = fill(file, bytes)?;
            bytes.truncate(read);
            known.sound |= file.position() >= length;
            Ok(())
        };
        let mut uncached = Vec::new();
        let bytes = match self.cache.put((number, at), &mut read) {
            Some(bytes) => bytes?,
            None => {
                let reserved = uncached.try_reserve_exact(PIECE_BYTES);
                reserved.map_err(|_| FileError::NoMemory { length })?;
                read(&mut uncached)?;
                &uncached
            }
        };
        if at != piece {
            return Ok(Part::OnTheWay);
        }
        Ok(Part::Waited(copy(bytes, skipped, into)))
    }

    /// A file, opened if it is not open.
    fn take(&mut self, number: u32) -> Result<File, FileError> {
        if let Some(place) = self.open.iter().position(|(other, _)| *other == number) {
            return Ok(self.open.remove(place).1);
        }
        self.make_room();
        self.open_anew(number)
    }

    /// Whether the list of the top folder says that nothing is there. The file system would go through the whole folder
    /// for each file that is not, as native code is not for most modules.
    fn is_missing(&mut self, path: &str) -> bool {
        let volume = &self.volume;
        let names = self.names.get_or_insert_with(|| volume.names());
        let name = path.split('/').next().unwrap_or_default().as_bytes();
        names.as_ref().is_some_and(|names| {
            let place = names.binary_search_by(|other| (**other).cmp(name));
            place.is_err()
        })
    }

    /// Closes the file that was not used for longest if no other can be open beside it.
    fn make_room(&mut self) {
        if self.open.len() >= MOST_OPEN {
            self.open.remove(0);
        }
    }

    fn open_anew(&self, number: u32) -> Result<File, FileError> {
        let known = self.known.get(number as usize);
        self.volume
            .open_file(&known.ok_or(FileError::NotFound)?.path)
    }
}

/// Copies what a piece has behind its first `skipped` bytes.
fn copy(piece: &[u8], skipped: usize, into: &mut [u8]) -> usize {
    let rest = piece.get(skipped..).unwrap_or_default();
    let bytes = rest.len().min(into.len());
    into[..bytes].copy_from_slice(&rest[..bytes]);
    bytes
}

/// Finds a place in a file. It is looked for from the beginning, block by block.
fn seek(volume: &Volume, file: &mut File, start: u64) -> Result<(), FileError> {
    let faults = volume.faults();
    file.seek_to(start).map_err(file_error)?;
    if volume.faults() != faults {
        return Err(FileError::Unsteady);
    }
    Ok(())
}

/// Fills `into` from where a file stands, as far as the file goes.
fn fill(file: &mut File, into: &mut [u8]) -> Result<usize, FileError> {
    let mut done = 0;
    while done < into.len() {
        match file.read_bytes(&mut into[done..]).map_err(file_error)? {
            0 => break,
            read => done += read,
        }
    }
    Ok(done)
}

/// Something in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// When it was last modified, in nanoseconds since 1970; 0 for what was before.
    pub modified_ns: u64,
    /// What it is.
    pub kind: ListedKind,
}

/// What something in a folder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListedKind {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Its length.
        bytes: u64,
    },
    /// A symbolic link.
    Link {
        /// Where it points to.
        target: String,
    },
    /// Something else, or a link to what is no text.
    Other,
}
