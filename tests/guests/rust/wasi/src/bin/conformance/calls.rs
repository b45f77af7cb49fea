//! The calls as tests make them: with slices and structures, answered by results.
//!
//! Every pointer that is handed over here leads to something that lives until the call is over and is as large as
//! the call is told. What comes back is checked by the tests.

use std::mem;
use std::ptr;

use crate::errno::Errno;
use crate::raw;

pub type Answer<T> = Result<T, Errno>;

/// Streams, and the descriptors that are there from the start where a route has a folder and `/tmp`.
pub const STDIN: u32 = 0;
pub const STDOUT: u32 = 1;
pub const STDERR: u32 = 2;
pub const TOP: u32 = 3;
pub const TMP: u32 = 4;
pub const DEV: u32 = 5;
/// The first that is free.
pub const FREE: u32 = 6;

/// `lookupflags`: follow a symbolic link at the end.
pub const FOLLOW: u32 = 1;

/// `oflags`.
pub const CREATE: u32 = 1;
pub const DIRECTORY: u32 = 2;
pub const EXCLUSIVE: u32 = 4;
pub const TRUNCATE: u32 = 8;

/// `fdflags`.
pub const APPEND: u32 = 1;
pub const NONBLOCK: u32 = 4;

/// `filetype`.
pub const IS_DEVICE: u8 = 2;
pub const IS_DIRECTORY: u8 = 3;
pub const IS_FILE: u8 = 4;
pub const IS_LINK: u8 = 7;

/// `fstflags`.
pub const ACCESSED: u32 = 1;
pub const ACCESSED_NOW: u32 = 2;
pub const MODIFIED: u32 = 4;
pub const MODIFIED_NOW: u32 = 8;

/// `whence`.
pub const SET: u32 = 0;
pub const CURRENT: u32 = 1;
pub const END: u32 = 2;

/// A buffer of a list, `iovec` and `ciovec`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Buffer {
    pub pointer: usize,
    pub length: usize,
}

/// `fdstat`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    pub kind: u8,
    pub flags: u16,
    pub rights: u64,
    pub inheriting: u64,
}

/// `filestat`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct File {
    pub device: u64,
    pub node: u64,
    pub kind: u8,
    pub links: u64,
    pub size: u64,
    pub accessed: u64,
    pub modified: u64,
    pub changed: u64,
}

const _: () = assert!(mem::size_of::<Status>() == 24 && mem::size_of::<File>() == 64);

/// Where something is, for a call to write there.
pub fn at<T: ?Sized>(value: &mut T) -> usize {
    ptr::from_mut(value).cast::<u8>().expose_provenance()
}

/// Where something is, for a call to read it.
pub fn of<T: ?Sized>(value: &T) -> usize {
    ptr::from_ref(value).cast::<u8>().expose_provenance()
}

pub fn answer(code: u32) -> Answer<()> {
    if code == 0 { Ok(()) } else { Err(Errno(code)) }
}

/// Makes calls that answer with a value of their own.
fn value<T: Default>(call: impl FnOnce(usize) -> u32) -> Answer<T> {
    let mut value = T::default();
    answer(call(at(&mut value)))?;
    Ok(value)
}

/// Defines functions that hand their arguments on as they are.
macro_rules! plain {
    ($($name:ident = $import:ident($($argument:ident: $type:ty),*);)*) => {
        $(pub fn $name($($argument: $type),*) -> Answer<()> {
            // SAFETY: no argument is a pointer.
            answer(unsafe { raw::$import($($argument),*) })
        })*
    };
}

plain! {
    advise = fd_advise(fd: u32, offset: u64, length: u64, advice: u32);
    allocate = fd_allocate(fd: u32, offset: u64, length: u64);
    close = fd_close(fd: u32);
    data_sync = fd_datasync(fd: u32);
    set_flags = fd_fdstat_set_flags(fd: u32, flags: u32);
    set_rights = fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64);
    set_size = fd_filestat_set_size(fd: u32, size: u64);
    set_times = fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, flags: u32);
    renumber = fd_renumber(from: u32, to: u32);
    sync = fd_sync(fd: u32);
    raise = proc_raise(signal: u32);
    yield_now = sched_yield();
    shut_down = sock_shutdown(fd: u32, how: u32);
}

/// Defines functions that answer with a value.
macro_rules! valued {
    ($($name:ident = $import:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(pub fn $name($($argument: $type),*) -> Answer<$answer> {
            // SAFETY: the last argument leads to a value of the kind that the call writes.
            value(|place| unsafe { raw::$import($($argument,)* place) })
        })*
    };
}

valued! {
    resolution = clock_res_get(clock: u32) -> u64;
    time_within = clock_time_get(clock: u32, precision: u64) -> u64;
    status = fd_fdstat_get(fd: u32) -> Status;
    file = fd_filestat_get(fd: u32) -> File;
    seek = fd_seek(fd: u32, offset: i64, whence: u32) -> u64;
    tell = fd_tell(fd: u32) -> u64;
    accept = sock_accept(fd: u32, flags: u32) -> u32;
}

pub fn time(clock: u32) -> u64 {
    time_within(clock, 1).expect("a clock shows its time")
}

pub fn random(buffer: &mut [u8]) -> Answer<()> {
    // SAFETY: the buffer is writable.
    answer(unsafe { raw::random_get(at(buffer), buffer.len()) })
}

/// A preopened directory: its tag, and the length of its name.
pub fn prestat(fd: u32) -> Answer<(u8, u32)> {
    // SAFETY: the place has room for both words.
    let both: [u32; 2] = value(|place| unsafe { raw::fd_prestat_get(fd, place) })?;
    Ok((both[0] as u8, both[1]))
}

pub fn prestat_name(fd: u32, name: &mut [u8]) -> Answer<()> {
    // SAFETY: the buffer is writable.
    answer(unsafe { raw::fd_prestat_dir_name(fd, at(name), name.len()) })
}

/// The list of these buffers.
pub fn to_write(parts: &[&[u8]]) -> Vec<Buffer> {
    let buffer = |part: &&[u8]| Buffer {
        pointer: of(*part),
        length: part.len(),
    };
    parts.iter().map(buffer).collect()
}

/// The list of these buffers.
pub fn to_read(parts: &mut [&mut [u8]]) -> Vec<Buffer> {
    let buffer = |part: &mut &mut [u8]| Buffer {
        pointer: at(*part),
        length: part.len(),
    };
    parts.iter_mut().map(buffer).collect()
}

pub fn write_all_of(fd: u32, parts: &[&[u8]]) -> Answer<usize> {
    let list = to_write(parts);
    // SAFETY: the list names readable bytes, and the last argument leads to a word.
    value(|done| unsafe { raw::fd_write(fd, of(&*list), list.len(), done) })
}

pub fn write(fd: u32, bytes: &[u8]) -> Answer<usize> {
    write_all_of(fd, &[bytes])
}

pub fn read_into(fd: u32, parts: &mut [&mut [u8]]) -> Answer<usize> {
    let list = to_read(parts);
    // SAFETY: the list names writable bytes, and the last argument leads to a word.
    value(|done| unsafe { raw::fd_read(fd, of(&*list), list.len(), done) })
}

/// What one call reads, of at most so many bytes.
pub fn read(fd: u32, most: usize) -> Answer<Vec<u8>> {
    let mut bytes = vec![0; most];
    let length = read_into(fd, &mut [&mut bytes])?;
    bytes.truncate(length);
    Ok(bytes)
}

pub fn pwrite(fd: u32, bytes: &[u8], offset: u64) -> Answer<usize> {
    let list = to_write(&[bytes]);
    // SAFETY: the list names readable bytes, and the last argument leads to a word.
    value(|done| unsafe { raw::fd_pwrite(fd, of(&*list), list.len(), offset, done) })
}

pub fn pread(fd: u32, most: usize, offset: u64) -> Answer<Vec<u8>> {
    let mut bytes = vec![0; most];
    let list = to_read(&mut [&mut bytes]);
    // SAFETY: the list names writable bytes, and the last argument leads to a word.
    let length: usize =
        value(|done| unsafe { raw::fd_pread(fd, of(&*list), list.len(), offset, done) })?;
    bytes.truncate(length);
    Ok(bytes)
}

/// Fills a buffer with entries from a cookie on; gives how much of it is used.
pub fn read_directory(fd: u32, buffer: &mut [u8], cookie: u64) -> Answer<usize> {
    // SAFETY: the buffer is writable, and the last argument leads to a word.
    value(|used| unsafe { raw::fd_readdir(fd, at(buffer), buffer.len(), cookie, used) })
}
