//! Pointers that no program would hand over: an answer that has no room is `fault`, and nothing else has happened.
//!
//! What each function makes of every odd value in every place is what the guest `bad-pointers` asks.

use std::arch::wasm32;

use crate::at_path::{Open, file_at, is_there, made, make_directory, put, symlink};
use crate::calls::{
    Buffer, CURRENT, FREE, SET, STDERR, STDIN, STDOUT, TMP, TOP, answer, at, close, of, read, seek,
    tell, to_write,
};
use crate::errno::{BADF, FAULT, INVAL, NOENT};
use crate::{raw, tests};

tests![
    an_answer_without_room_is_a_fault,
    a_path_outside_of_memory_is_a_fault,
    a_list_outside_of_memory_is_a_fault,
    a_buffer_outside_of_memory_is_a_fault,
    a_read_without_room_for_its_answer_reads_nothing,
    a_write_without_room_for_its_answer_writes_nothing,
    a_seek_without_room_for_its_answer_stays,
    an_open_without_room_for_its_answer_opens_and_makes_nothing,
    a_link_is_not_read_into_what_is_outside,
    lengths_that_overflow_are_refused,
    a_zero_length_buffer_outside_memory_is_a_success,
    an_empty_path_outside_memory_is_an_empty_path,
    unknown_lookup_flags_are_refused,
    nothing_may_lie_at_the_very_end,
    the_start_of_memory_is_memory,
    a_buffer_may_be_named_twice,
    a_call_may_answer_into_its_own_arguments,
];

/// The first address behind memory.
pub fn end() -> usize {
    wasm32::memory_size::<0>() * 65536
}

fn an_answer_without_room_is_a_fault() {
    let fd = made("file", b"contents");
    let path = "file";
    let (text, length) = (of(path), path.len());
    // SAFETY: what does not fit cannot be written.
    let all = unsafe {
        [
            raw::fd_fdstat_get(fd, end() - 23),
            raw::fd_filestat_get(fd, end() - 63),
            raw::fd_tell(fd, end() - 7),
            raw::fd_prestat_get(TMP, end() - 7),
            raw::path_filestat_get(TMP, 0, text, length, end() - 63),
        ]
    };
    assert_eq!(all.map(answer), [Err(FAULT); 5]);
}

fn a_path_outside_of_memory_is_a_fault() {
    let mut word = 0usize;
    let (out, length) = (end() - 3, 4);
    // SAFETY: nothing is read that is outside of memory, and the answers have room.
    let all = unsafe {
        [
            raw::path_create_directory(TMP, out, length),
            raw::path_remove_directory(TMP, out, length),
            raw::path_unlink_file(TMP, out, length),
            raw::path_filestat_set_times(TMP, 0, out, length, 0, 0, 0),
            raw::path_open(TMP, 0, out, length, 0, 0, 0, 0, at(&mut word)),
            raw::path_rename(TMP, out, length, TMP, out, length),
            raw::path_symlink(out, length, TMP, of("x"), 1),
            raw::path_symlink(of("x"), 1, TMP, out, length),
            raw::path_link(TMP, 0, out, length, TMP, of("x"), 1),
        ]
    };
    assert_eq!(all.map(answer), [Err(FAULT); 9]);
    assert!(!is_there("x"));
}

fn a_list_outside_of_memory_is_a_fault() {
    let fd = made("file", b"contents");
    let mut done = 0usize;
    // SAFETY: there is no list whose buffers could be read or written.
    let all = unsafe {
        [
            raw::fd_read(fd, end() - 7, 1, at(&mut done)),
            raw::fd_write(fd, end() - 7, 1, at(&mut done)),
            raw::fd_pread(fd, end() - 15, 2, 0, at(&mut done)),
            raw::fd_pwrite(fd, usize::MAX - 3, 1, 0, at(&mut done)),
        ]
    };
    assert_eq!(all.map(answer), [Err(FAULT); 4]);
}

fn a_buffer_outside_of_memory_is_a_fault() {
    let fd = made("file", b"contents");
    let mut done = 0usize;
    let list = [Buffer {
        pointer: end() - 4,
        length: 5,
    }];
    // SAFETY: a call that fails writes nothing.
    let all = unsafe {
        [
            raw::fd_pread(fd, of(&list), 1, 0, at(&mut done)),
            raw::fd_pwrite(fd, of(&list), 1, 0, at(&mut done)),
            raw::fd_readdir(TMP, end() - 4, 5, 0, at(&mut done)),
            raw::fd_prestat_dir_name(TMP, end() - 3, 4),
        ]
    };
    assert_eq!(all.map(answer), [Err(FAULT); 4]);
    assert_eq!(file_at(TMP, 0, "file").unwrap().size, 8);
}

fn a_read_without_room_for_its_answer_reads_nothing() {
    let fd = made("file", b"contents");
    seek(fd, 0, SET).unwrap();
    let mut bytes = [0u8; 4];
    let list = [Buffer {
        pointer: at(&mut bytes),
        length: 4,
    }];
    // SAFETY: the buffer is writable, and the answer cannot be written.
    let call = unsafe { raw::fd_read(fd, of(&list), 1, end() - 3) };
    assert_eq!(answer(call), Err(FAULT));
    assert_eq!((bytes, tell(fd)), ([0; 4], Ok(0)));
}

fn a_write_without_room_for_its_answer_writes_nothing() {
    let fd = made("file", b"contents");
    let list = to_write(&[b"more"]);
    // SAFETY: the buffer is readable, and the answer cannot be written.
    let call = unsafe { raw::fd_write(fd, of(&*list), 1, end() - 3) };
    assert_eq!(answer(call), Err(FAULT));
    assert_eq!(
        (file_at(TMP, 0, "file").unwrap().size, tell(fd)),
        (8, Ok(8))
    );
}

fn a_seek_without_room_for_its_answer_stays() {
    let fd = made("file", b"contents");
    // SAFETY: the answer cannot be written.
    let call = unsafe { raw::fd_seek(fd, 0, SET, end() - 7) };
    assert_eq!(answer(call), Err(FAULT));
    assert_eq!(seek(fd, 0, CURRENT), Ok(8));
}

fn an_open_without_room_for_its_answer_opens_and_makes_nothing() {
    let path = "new";
    let Open { rights, .. } = Open::ALL;
    // SAFETY: the path is readable, and the answer cannot be written.
    let call = unsafe { raw::path_open(TMP, 0, of(path), 3, 1, rights, 0, 0, end() - 3) };
    assert_eq!(answer(call), Err(FAULT));
    assert!(!is_there(path));
    assert_eq!(close(FREE), Err(BADF));
}

fn a_link_is_not_read_into_what_is_outside() {
    symlink("target", TMP, "link").unwrap();
    let path = "link";
    let mut used = 0usize;
    // SAFETY: a call that fails writes nothing.
    let call = unsafe { raw::path_readlink(TMP, of(path), 4, end() - 3, 6, at(&mut used)) };
    assert_eq!(answer(call), Err(FAULT));
}

fn lengths_that_overflow_are_refused() {
    let fd = made("file", b"contents");
    let (mut done, mut bytes) = (0usize, [0u8; 8]);
    let half = Buffer {
        pointer: at(&mut bytes),
        length: usize::MAX,
    };
    let list = [half; 2];
    // SAFETY: a call that fails writes nothing.
    let both = unsafe {
        [
            raw::fd_pread(fd, of(&list), 2, 0, at(&mut done)),
            raw::fd_pread(fd, of(&list), usize::MAX, 0, at(&mut done)),
        ]
    };
    assert_eq!(both.map(answer), [Err(FAULT), Err(FAULT)]);
}

/// Where Zig's empty slices point to.
const NOWHERE: usize = 0xaaaa_aaaa;

fn a_zero_length_buffer_outside_memory_is_a_success() {
    let fd = made("file", b"contents");
    symlink("target", TMP, "link").unwrap();
    let mut done = 0usize;
    let buffers = [Buffer {
        pointer: NOWHERE,
        length: 0,
    }; 2];
    let (list, done) = (of(&buffers), at(&mut done));
    // SAFETY: there are no bytes.
    let all = unsafe {
        [
            raw::random_get(NOWHERE, 0),
            raw::fd_read(fd, list, 2, done),
            raw::fd_read(STDIN, list, 2, done),
            raw::fd_read(fd, NOWHERE, 0, done),
            raw::fd_write(fd, list, 2, done),
            raw::fd_write(STDOUT, list, 2, done),
            raw::fd_write(STDERR, NOWHERE, 0, done),
            raw::fd_pread(fd, list, 2, 0, done),
            raw::fd_pwrite(fd, list, 2, 0, done),
            raw::fd_readdir(TMP, NOWHERE, 0, 0, done),
            raw::path_readlink(TMP, of("link"), 4, NOWHERE, 0, done),
        ]
    };
    assert_eq!(all.map(answer), [Ok(()); 11]);
}

fn an_empty_path_outside_memory_is_an_empty_path() {
    let mut word = 0usize;
    let out = NOWHERE;
    // SAFETY: nothing is read, and the answers have room.
    let all = unsafe {
        [
            raw::path_create_directory(TMP, out, 0),
            raw::path_unlink_file(TMP, out, 0),
            raw::path_open(TMP, 0, out, 0, 0, 0, 0, 0, at(&mut word)),
            raw::path_rename(TMP, out, 0, TMP, out, 0),
            raw::path_symlink(out, 0, TMP, of("x"), 1),
        ]
    };
    assert_eq!(all.map(answer), [Err(NOENT); 5]);
}

fn unknown_lookup_flags_are_refused() {
    put("file", b"contents");
    for flags in [2, 3, 1 << 31] {
        assert_eq!(file_at(TMP, flags, "file"), Err(INVAL), "{flags}");
    }
}

fn nothing_may_lie_at_the_very_end() {
    let fd = made("file", b"contents");
    let mut done = 0usize;
    let list = [Buffer {
        pointer: end(),
        length: 0,
    }];
    // SAFETY: there are no bytes.
    let call = unsafe { raw::fd_pwrite(fd, of(&list), 1, 0, at(&mut done)) };
    assert_eq!((answer(call), done), (Ok(()), 0));
}

/// Address 0 is a place like any other. The tool chain puts nothing into the first kibibyte.
fn the_start_of_memory_is_memory() {
    make_directory("d");
    // SAFETY: nothing of this program is there.
    let call = unsafe { raw::fd_tell(made("d/file", b"text"), 0) };
    assert_eq!(answer(call), Ok(()));
}

fn a_buffer_may_be_named_twice() {
    let fd = made("file", b"");
    let bytes = b"twice ";
    let list = to_write(&[bytes, bytes]);
    let mut done = 0usize;
    // SAFETY: the bytes are readable.
    let call = unsafe { raw::fd_write(fd, of(&*list), 2, at(&mut done)) };
    assert_eq!((answer(call), done), (Ok(()), 12));
    seek(fd, 0, SET).unwrap();
    assert_eq!(read(fd, 20).unwrap(), b"twice twice ");
}

fn a_call_may_answer_into_its_own_arguments() {
    put("file", b"contents");
    let mut path = *b"greeting.txt";
    let place = at(&mut path);
    // SAFETY: the path is readable, and its first bytes are room for the answer.
    let call = unsafe { raw::path_open(TOP, 1, place, path.len(), 0, 2, 0, 0, place) };
    assert_eq!(answer(call), Ok(()));
    assert_eq!(u32::from_le_bytes(path[..4].try_into().unwrap()), FREE);
}
