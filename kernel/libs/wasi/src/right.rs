//! What a descriptor allows: the bits of preview 1's `rights`.

pub(crate) const DATASYNC: u64 = 1 << 0;
pub(crate) const READ: u64 = 1 << 1;
pub(crate) const SEEK: u64 = 1 << 2;
pub(crate) const SET_FLAGS: u64 = 1 << 3;
pub(crate) const SYNC: u64 = 1 << 4;
pub(crate) const TELL: u64 = 1 << 5;
pub(crate) const WRITE: u64 = 1 << 6;
pub(crate) const ADVISE: u64 = 1 << 7;
pub(crate) const ALLOCATE: u64 = 1 << 8;
pub(crate) const CREATE_DIRECTORY: u64 = 1 << 9;
pub(crate) const CREATE_FILE: u64 = 1 << 10;
pub(crate) const LINK_SOURCE: u64 = 1 << 11;
pub(crate) const LINK_TARGET: u64 = 1 << 12;
pub(crate) const OPEN: u64 = 1 << 13;
pub(crate) const READ_DIRECTORY: u64 = 1 << 14;
pub(crate) const READ_LINK: u64 = 1 << 15;
pub(crate) const RENAME_SOURCE: u64 = 1 << 16;
pub(crate) const RENAME_TARGET: u64 = 1 << 17;
pub(crate) const PATH_FILESTAT: u64 = 1 << 18;
pub(crate) const PATH_SET_SIZE: u64 = 1 << 19;
pub(crate) const PATH_SET_TIMES: u64 = 1 << 20;
pub(crate) const FILESTAT: u64 = 1 << 21;
pub(crate) const SET_SIZE: u64 = 1 << 22;
pub(crate) const SET_TIMES: u64 = 1 << 23;
pub(crate) const SYMLINK: u64 = 1 << 24;
pub(crate) const REMOVE_DIRECTORY: u64 = 1 << 25;
pub(crate) const UNLINK_FILE: u64 = 1 << 26;
pub(crate) const POLL: u64 = 1 << 27;

/// All that mean something for a file.
pub(crate) const OF_FILES: u64 = DATASYNC
    | READ
    | SEEK
    | SET_FLAGS
    | SYNC
    | TELL
    | WRITE
    | ADVISE
    | ALLOCATE
    | FILESTAT
    | SET_SIZE
    | SET_TIMES
    | POLL;

/// All that mean something for a directory.
pub(crate) const OF_DIRECTORIES: u64 = SET_FLAGS
    | SYNC
    | CREATE_DIRECTORY
    | CREATE_FILE
    | LINK_SOURCE
    | LINK_TARGET
    | OPEN
    | READ_DIRECTORY
    | READ_LINK
    | RENAME_SOURCE
    | RENAME_TARGET
    | PATH_FILESTAT
    | PATH_SET_SIZE
    | PATH_SET_TIMES
    | FILESTAT
    | SET_TIMES
    | SYMLINK
    | REMOVE_DIRECTORY
    | UNLINK_FILE;
