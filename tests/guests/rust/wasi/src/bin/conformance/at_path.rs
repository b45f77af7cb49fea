//! The calls on paths as tests make them, and what most tests begin with.

use crate::calls::{Answer, CREATE, DIRECTORY, FOLLOW, File, TMP, answer, at, close, of, write};
use crate::raw;
use crate::rights;

/// The arguments of `path_open` that few tests care for.
#[derive(Clone, Copy)]
pub struct Open {
    pub lookup: u32,
    pub how: u32,
    pub rights: u64,
    pub inheriting: u64,
    pub flags: u32,
}

impl Open {
    /// To read what is there, links followed.
    pub const READ: Self = Self {
        lookup: FOLLOW,
        how: 0,
        rights: rights::READ | rights::SEEK | rights::TELL | rights::FILESTAT,
        inheriting: 0,
        flags: 0,
    };

    /// To do with a file what can be done, and to make it if it is not there.
    pub const ALL: Self = Self {
        rights: rights::OF_FILES,
        how: CREATE,
        ..Self::READ
    };

    /// A directory, with all that can be done in it.
    pub const DIRECTORY: Self = Self {
        how: DIRECTORY,
        rights: rights::OF_DIRECTORIES,
        inheriting: rights::OF_DIRECTORIES | rights::OF_FILES,
        ..Self::READ
    };

    pub fn at(self, fd: u32, path: &str) -> Answer<u32> {
        self.at_bytes(fd, path.as_bytes())
    }

    pub fn at_bytes(self, fd: u32, path: &[u8]) -> Answer<u32> {
        let Self {
            lookup,
            how,
            rights,
            inheriting,
            flags,
        } = self;
        let mut opened = u32::MAX;
        let place = at(&mut opened);
        // SAFETY: the path is readable, and the last argument leads to a word.
        answer(unsafe {
            raw::path_open(
                fd,
                lookup,
                of(path),
                path.len(),
                how,
                rights,
                inheriting,
                flags,
                place,
            )
        })?;
        Ok(opened)
    }
}

/// Defines calls that want nothing but a path.
macro_rules! of_one_path {
    ($($name:ident = $import:ident;)*) => {
        $(pub fn $name(fd: u32, path: &str) -> Answer<()> {
            // SAFETY: the path is readable.
            answer(unsafe { raw::$import(fd, of(path), path.len()) })
        })*
    };
}

of_one_path! {
    create_directory = path_create_directory;
    remove_directory = path_remove_directory;
    unlink = path_unlink_file;
}

pub fn file_at(fd: u32, lookup: u32, path: &str) -> Answer<File> {
    let mut file = File::default();
    let place = at(&mut file);
    // SAFETY: the path is readable, and the last argument leads to room for the answer.
    answer(unsafe { raw::path_filestat_get(fd, lookup, of(path), path.len(), place) })?;
    Ok(file)
}

/// Sets the times of access and of modification.
pub fn set_times_at(
    (fd, lookup): (u32, u32),
    path: &str,
    (accessed, modified): (u64, u64),
    flags: u32,
) -> Answer<()> {
    let (text, length) = (of(path), path.len());
    // SAFETY: the path is readable.
    answer(unsafe {
        raw::path_filestat_set_times(fd, lookup, text, length, accessed, modified, flags)
    })
}

pub fn link((from, lookup): (u32, u32), path: &str, to: u32, new: &str) -> Answer<()> {
    let (text, length) = (of(path), path.len());
    // SAFETY: both paths are readable.
    answer(unsafe { raw::path_link(from, lookup, text, length, to, of(new), new.len()) })
}

pub fn rename(from: u32, path: &str, to: u32, new: &str) -> Answer<()> {
    // SAFETY: both paths are readable.
    answer(unsafe { raw::path_rename(from, of(path), path.len(), to, of(new), new.len()) })
}

pub fn symlink(target: &str, fd: u32, path: &str) -> Answer<()> {
    // SAFETY: both texts are readable.
    answer(unsafe { raw::path_symlink(of(target), target.len(), fd, of(path), path.len()) })
}

/// What a link points to, as far as there is room for it.
pub fn read_link(fd: u32, path: &str, room: usize) -> Answer<Vec<u8>> {
    let mut text = vec![0; room];
    let (buffer, mut used) = (at(&mut *text), 0usize);
    let place = at(&mut used);
    // SAFETY: the path is readable, the buffer writable, and the last argument leads to a word.
    answer(unsafe { raw::path_readlink(fd, of(path), path.len(), buffer, room, place) })?;
    text.truncate(used);
    Ok(text)
}

/// A new file in `/tmp` with these contents, open and at its end.
pub fn made(path: &str, contents: &[u8]) -> u32 {
    let fd = Open::ALL.at(TMP, path).expect("a new file");
    assert_eq!(write(fd, contents), Ok(contents.len()));
    fd
}

/// The same, and closed.
pub fn put(path: &str, contents: &[u8]) {
    close(made(path, contents)).expect("it was open");
}

/// A new directory in `/tmp`.
pub fn make_directory(path: &str) {
    create_directory(TMP, path).expect("a new directory");
}

/// The contents of a file.
pub fn contents(fd: u32, path: &str) -> Answer<Vec<u8>> {
    let fd = Open::READ.at(fd, path)?;
    let bytes = crate::calls::read(fd, 1 << 16);
    close(fd)?;
    bytes
}

/// Whether there is something of that name, be it a link.
pub fn is_there(path: &str) -> bool {
    file_at(TMP, 0, path).is_ok()
}
