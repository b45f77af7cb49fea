//! Rights that descriptors have, and tests of them.

use crate::at_path::{
    Open, create_directory, file_at, made, put, rename, set_times_at, symlink, unlink,
};
use crate::at_path::{link, make_directory, read_link, remove_directory};
use crate::calls::{
    ACCESSED_NOW, APPEND, CREATE, STDIN, STDOUT, TMP, TOP, TRUNCATE, advise, allocate, close,
    data_sync, file, pread, pwrite, read, read_directory, seek, set_flags, set_rights, set_size,
    set_times, status, sync, tell, write,
};
use crate::errno::NOTCAPABLE;
use crate::poll::{Wanted, poll};
use crate::tests;

pub const DATA_SYNC: u64 = 1 << 0;
pub const READ: u64 = 1 << 1;
pub const SEEK: u64 = 1 << 2;
pub const SET_FLAGS: u64 = 1 << 3;
pub const SYNC: u64 = 1 << 4;
pub const TELL: u64 = 1 << 5;
pub const WRITE: u64 = 1 << 6;
pub const ADVISE: u64 = 1 << 7;
pub const ALLOCATE: u64 = 1 << 8;
pub const CREATE_DIRECTORY: u64 = 1 << 9;
pub const CREATE_FILE: u64 = 1 << 10;
pub const LINK_SOURCE: u64 = 1 << 11;
pub const LINK_TARGET: u64 = 1 << 12;
pub const OPEN: u64 = 1 << 13;
pub const READ_DIRECTORY: u64 = 1 << 14;
pub const READ_LINK: u64 = 1 << 15;
pub const RENAME_SOURCE: u64 = 1 << 16;
pub const RENAME_TARGET: u64 = 1 << 17;
pub const PATH_FILESTAT: u64 = 1 << 18;
pub const PATH_SET_SIZE: u64 = 1 << 19;
pub const PATH_SET_TIMES: u64 = 1 << 20;
pub const FILESTAT: u64 = 1 << 21;
pub const SET_SIZE: u64 = 1 << 22;
pub const SET_TIMES: u64 = 1 << 23;
pub const SYMLINK: u64 = 1 << 24;
pub const REMOVE_DIRECTORY: u64 = 1 << 25;
pub const UNLINK_FILE: u64 = 1 << 26;
pub const POLL: u64 = 1 << 27;

pub const OF_FILES: u64 = DATA_SYNC
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
pub const OF_DIRECTORIES: u64 = SYNC
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

tests![
    a_file_has_the_rights_that_it_was_opened_with,
    rights_that_a_file_cannot_have_fall_away,
    preopened_directories_have_and_pass_on_rights,
    streams_have_the_right_of_their_direction,
    rights_can_be_given_up,
    rights_cannot_be_taken,
    inherited_rights_cannot_be_taken,
    what_is_not_passed_on_cannot_be_asked_for,
    a_directory_passes_on_what_it_was_opened_with,
    without_the_right_a_file_is_not_read,
    without_the_right_a_file_is_not_written,
    without_the_right_a_file_is_not_sought_in,
    the_right_to_seek_is_one_to_tell,
    without_the_right_a_file_is_not_resized,
    without_the_right_nothing_is_advised_or_allocated,
    without_the_right_attributes_are_not_shown_or_set,
    without_the_right_a_file_is_not_synchronised,
    without_the_right_flags_are_not_set,
    without_the_right_a_file_is_not_waited_for,
    without_the_right_nothing_is_opened,
    without_the_right_nothing_is_created,
    without_the_right_nothing_is_truncated,
    without_the_right_nothing_is_removed,
    without_the_right_nothing_is_renamed,
    without_the_right_nothing_is_linked,
    without_the_right_a_directory_is_not_read,
    without_the_right_nothing_is_said_of_a_path,
];

/// A file with something in it, that allows only these.
fn file_with(rights: u64) -> u32 {
    put("file", b"contents");
    let open = Open {
        rights,
        ..Open::READ
    };
    open.at(TMP, "file").expect("an open file")
}

/// A directory with a file, a link and a directory in it, that allows all but these.
fn directory_without(rights: u64) -> u32 {
    make_directory("d");
    make_directory("d/inner");
    put("d/file", b"contents");
    symlink("file", TMP, "d/link").expect("a link");
    let fd = Open::DIRECTORY.at(TMP, "d").expect("a directory");
    let all = status(fd).expect("its status");
    set_rights(fd, all.rights & !rights, all.inheriting).expect("rights are given up");
    fd
}

fn a_file_has_the_rights_that_it_was_opened_with() {
    let fd = file_with(READ | TELL);
    let status = status(fd).unwrap();
    assert_eq!((status.rights, status.inheriting), (READ | TELL, 0));
}

fn rights_that_a_file_cannot_have_fall_away() {
    let fd = file_with(READ | OPEN | READ_DIRECTORY);
    assert_eq!(status(fd).unwrap().rights, READ);
}

fn preopened_directories_have_and_pass_on_rights() {
    for fd in [TOP, TMP] {
        let status = status(fd).unwrap();
        assert_eq!(status.rights & OF_DIRECTORIES, OF_DIRECTORIES);
        let passed_on = OF_DIRECTORIES | OF_FILES;
        assert_eq!(status.inheriting & passed_on, passed_on);
    }
}

fn streams_have_the_right_of_their_direction() {
    let of = |fd| status(fd).unwrap().rights & (READ | WRITE | SEEK | TELL);
    assert_eq!((of(STDIN), of(STDOUT)), (READ, WRITE));
}

fn rights_can_be_given_up() {
    let fd = file_with(READ | WRITE);
    assert_eq!(set_rights(fd, READ, 0), Ok(()));
    assert_eq!(status(fd).unwrap().rights, READ);
    assert_eq!(write(fd, b"x"), Err(NOTCAPABLE));
    assert_eq!(read(fd, 3).unwrap(), b"con");
}

fn rights_cannot_be_taken() {
    let fd = file_with(READ);
    assert_eq!(set_rights(fd, READ | WRITE, 0), Err(NOTCAPABLE));
    assert_eq!(set_rights(fd, u64::MAX, 0), Err(NOTCAPABLE));
    assert_eq!(status(fd).unwrap().rights, READ);
}

fn inherited_rights_cannot_be_taken() {
    let old = status(TMP).unwrap();
    assert_eq!(set_rights(TMP, old.rights, READ), Ok(()));
    let more = set_rights(TMP, old.rights, READ | WRITE);
    assert_eq!(more, Err(NOTCAPABLE));
    assert_eq!(status(TMP).unwrap().inheriting, READ);
}

fn what_is_not_passed_on_cannot_be_asked_for() {
    put("file", b"");
    let old = status(TMP).unwrap();
    set_rights(TMP, old.rights, old.inheriting & !WRITE).unwrap();
    assert_eq!(Open::ALL.at(TMP, "file"), Err(NOTCAPABLE));
    assert!(Open::READ.at(TMP, "file").is_ok());
}

fn a_directory_passes_on_what_it_was_opened_with() {
    make_directory("d");
    put("d/file", b"");
    let open = Open {
        inheriting: READ,
        ..Open::DIRECTORY
    };
    let fd = open.at(TMP, "d").unwrap();
    assert_eq!(status(fd).unwrap().inheriting, READ);
    let with = |rights| Open {
        rights,
        ..Open::READ
    };
    assert!(with(READ).at(fd, "file").is_ok());
    assert_eq!(with(READ | SEEK).at(fd, "file"), Err(NOTCAPABLE));
}

fn without_the_right_a_file_is_not_read() {
    let fd = file_with(OF_FILES & !READ);
    assert_eq!(read(fd, 1), Err(NOTCAPABLE));
    assert_eq!(pread(fd, 1, 0), Err(NOTCAPABLE));
}

fn without_the_right_a_file_is_not_written() {
    let fd = file_with(OF_FILES & !WRITE);
    assert_eq!(write(fd, b"x"), Err(NOTCAPABLE));
    assert_eq!(pwrite(fd, b"x", 0), Err(NOTCAPABLE));
}

fn without_the_right_a_file_is_not_sought_in() {
    let fd = file_with(OF_FILES & !SEEK);
    assert_eq!(seek(fd, 1, 0), Err(NOTCAPABLE));
    assert_eq!(pread(fd, 1, 0), Err(NOTCAPABLE));
    assert_eq!(pwrite(fd, b"x", 0), Err(NOTCAPABLE));
    assert_eq!(tell(fd), Ok(0));
}

fn the_right_to_seek_is_one_to_tell() {
    assert_eq!(tell(file_with(SEEK)), Ok(0));
    assert_eq!(tell(file_with(READ)), Err(NOTCAPABLE));
}

fn without_the_right_a_file_is_not_resized() {
    let fd = file_with(OF_FILES & !SET_SIZE);
    assert_eq!(set_size(fd, 1), Err(NOTCAPABLE));
}

fn without_the_right_nothing_is_advised_or_allocated() {
    let fd = file_with(OF_FILES & !(ADVISE | ALLOCATE));
    assert_eq!(advise(fd, 0, 1, 0), Err(NOTCAPABLE));
    assert_eq!(allocate(fd, 0, 100), Err(NOTCAPABLE));
}

fn without_the_right_attributes_are_not_shown_or_set() {
    let fd = file_with(OF_FILES & !(FILESTAT | SET_TIMES));
    assert_eq!(file(fd), Err(NOTCAPABLE));
    assert_eq!(set_times(fd, 0, 0, ACCESSED_NOW), Err(NOTCAPABLE));
}

fn without_the_right_a_file_is_not_synchronised() {
    let fd = file_with(OF_FILES & !(SYNC | DATA_SYNC));
    assert_eq!(sync(fd), Err(NOTCAPABLE));
    assert_eq!(data_sync(fd), Err(NOTCAPABLE));
}

fn without_the_right_flags_are_not_set() {
    let fd = file_with(OF_FILES & !SET_FLAGS);
    assert_eq!(set_flags(fd, APPEND), Err(NOTCAPABLE));
}

fn without_the_right_a_file_is_not_waited_for() {
    let fd = file_with(OF_FILES & !POLL);
    let events = poll(&[Wanted::readable(1, fd)]).unwrap();
    assert_eq!(events[0].answer(), Err(NOTCAPABLE));
}

fn without_the_right_nothing_is_opened() {
    let fd = directory_without(OPEN);
    assert_eq!(Open::READ.at(fd, "file"), Err(NOTCAPABLE));
    assert_eq!(Open::DIRECTORY.at(fd, "inner"), Err(NOTCAPABLE));
}

fn without_the_right_nothing_is_created() {
    let fd = directory_without(CREATE_FILE | CREATE_DIRECTORY | SYMLINK);
    let create = Open {
        how: CREATE,
        ..Open::READ
    };
    assert_eq!(create.at(fd, "new"), Err(NOTCAPABLE));
    assert_eq!(create_directory(fd, "new"), Err(NOTCAPABLE));
    assert_eq!(symlink("file", fd, "new"), Err(NOTCAPABLE));
    assert!(Open::READ.at(fd, "file").is_ok());
}

fn without_the_right_nothing_is_truncated() {
    let fd = directory_without(PATH_SET_SIZE);
    let truncate = Open {
        how: TRUNCATE,
        ..Open::READ
    };
    assert_eq!(truncate.at(fd, "file"), Err(NOTCAPABLE));
    assert_eq!(file_at(TMP, 0, "d/file").unwrap().size, 8);
}

fn without_the_right_nothing_is_removed() {
    let fd = directory_without(UNLINK_FILE | REMOVE_DIRECTORY);
    assert_eq!(unlink(fd, "file"), Err(NOTCAPABLE));
    assert_eq!(remove_directory(fd, "inner"), Err(NOTCAPABLE));
}

fn without_the_right_nothing_is_renamed() {
    let fd = directory_without(RENAME_SOURCE);
    assert_eq!(rename(fd, "file", TMP, "new"), Err(NOTCAPABLE));
    let all = status(fd).unwrap();
    set_rights(fd, all.rights & !RENAME_TARGET, 0).unwrap();
    assert_eq!(rename(TMP, "d/file", fd, "new"), Err(NOTCAPABLE));
}

fn without_the_right_nothing_is_linked() {
    let fd = directory_without(LINK_SOURCE);
    assert_eq!(link((fd, 0), "file", TMP, "new"), Err(NOTCAPABLE));
    let all = status(fd).unwrap();
    set_rights(fd, all.rights & !LINK_TARGET, 0).unwrap();
    assert_eq!(link((TMP, 0), "d/file", fd, "new"), Err(NOTCAPABLE));
}

fn without_the_right_a_directory_is_not_read() {
    let fd = directory_without(READ_DIRECTORY);
    assert_eq!(read_directory(fd, &mut [0; 100], 0), Err(NOTCAPABLE));
}

fn without_the_right_nothing_is_said_of_a_path() {
    let fd = directory_without(PATH_FILESTAT | PATH_SET_TIMES | READ_LINK);
    assert_eq!(file_at(fd, 0, "file"), Err(NOTCAPABLE));
    let set = set_times_at((fd, 0), "file", (0, 0), ACCESSED_NOW);
    assert_eq!(set, Err(NOTCAPABLE));
    assert_eq!(read_link(fd, "link", 10), Err(NOTCAPABLE));
    close(fd).unwrap();
    close(made("other", b"")).unwrap();
}
