//! The route's folder at `/`: it can be read, and never changes.

use crate::at_path::{
    Open, contents, create_directory, file_at, link, put, read_link, remove_directory, rename,
    set_times_at, symlink, unlink,
};
use crate::calls::{
    ACCESSED_NOW, CREATE, FOLLOW, IS_DIRECTORY, IS_FILE, IS_LINK, MODIFIED, TMP, TOP, TRUNCATE,
    advise, allocate, data_sync, file, pread, read, set_size, set_times, sync,
};
use crate::errno::{ISDIR, NOENT, NOTDIR, PERM, ROFS, XDEV};
use crate::{rights, tests};

tests![
    a_file_is_read,
    a_file_is_read_at_a_place,
    a_file_in_a_directory_is_read,
    a_link_is_followed,
    a_link_can_be_read,
    attributes_are_those_of_the_disk,
    what_is_not_there_is_not_found,
    a_file_cannot_be_opened_to_be_written,
    a_file_cannot_be_truncated,
    nothing_can_be_made,
    nothing_can_be_removed,
    nothing_can_be_renamed_or_linked,
    no_size_and_no_time_can_be_set,
    what_changes_nothing_is_done,
    nothing_moves_between_the_file_systems,
    a_directory_can_be_opened_and_looked_into,
];

const SQUARES: &str = "squares.txt";

/// All that can be had of a file that cannot be written.
fn opened(path: &str) -> u32 {
    let open = Open {
        rights: rights::OF_FILES & !rights::WRITE,
        ..Open::READ
    };
    open.at(TOP, path).expect("a file of the folder")
}

fn a_file_is_read() {
    let fd = opened(SQUARES);
    let bytes = read(fd, 1 << 16).unwrap();
    assert_eq!(bytes.len() as u64, file(fd).unwrap().size);
    assert_eq!(read(fd, 10).unwrap(), b"");
}

fn a_file_is_read_at_a_place() {
    let all = contents(TOP, SQUARES).unwrap();
    let fd = opened(SQUARES);
    for (offset, length) in [(0, 1), (4095, 2), (4096, 10), (7990, 100), (8000, 5)] {
        let wanted = &all[offset..all.len().min(offset + length)];
        assert_eq!(pread(fd, length, offset as u64).unwrap(), wanted);
    }
}

fn a_file_in_a_directory_is_read() {
    let all = contents(TOP, "poems/fog.txt").unwrap();
    assert_eq!(all, contents(TOP, "./poems/../poems//fog.txt").unwrap());
    let fd = Open::DIRECTORY.at(TOP, "poems").unwrap();
    assert_eq!(all, contents(fd, "fog.txt").unwrap());
}

fn a_link_is_followed() {
    assert_eq!(contents(TOP, "link.txt"), contents(TOP, "poems/fog.txt"));
}

fn a_link_can_be_read() {
    assert_eq!(read_link(TOP, "link.txt", 100).unwrap(), b"poems/fog.txt");
    assert_eq!(file_at(TOP, 0, "link.txt").unwrap().kind, IS_LINK);
}

fn attributes_are_those_of_the_disk() {
    let found = file_at(TOP, 0, SQUARES).unwrap();
    assert_eq!((found.kind, found.size, found.links), (IS_FILE, 8000, 1));
    assert_eq!(file_at(TOP, FOLLOW, "poems").unwrap().kind, IS_DIRECTORY);
    assert_eq!(file(opened(SQUARES)), Ok(found));
    assert_ne!(found.node, file_at(TOP, 0, "greeting.txt").unwrap().node);
}

fn what_is_not_there_is_not_found() {
    assert_eq!(Open::READ.at(TOP, "missing"), Err(NOENT));
    assert_eq!(Open::READ.at(TOP, "poems/missing"), Err(NOENT));
    assert_eq!(Open::READ.at(TOP, "greeting.txt/x"), Err(NOTDIR));
    assert_eq!(Open::READ.at(TOP, "Greeting.txt"), Err(NOENT));
    assert_eq!(Open::READ.at(TOP, "tmp"), Err(NOENT));
}

fn a_file_cannot_be_opened_to_be_written() {
    assert_eq!(Open::ALL.at(TOP, SQUARES), Err(ROFS));
    let write = Open {
        rights: rights::WRITE,
        ..Open::READ
    };
    assert_eq!(write.at(TOP, "poems"), Err(ISDIR));
}

fn a_file_cannot_be_truncated() {
    let truncate = Open {
        how: TRUNCATE,
        ..Open::READ
    };
    assert_eq!(truncate.at(TOP, SQUARES), Err(ROFS));
    assert_eq!(file_at(TOP, 0, SQUARES).unwrap().size, 8000);
}

fn nothing_can_be_made() {
    let create = Open {
        how: CREATE,
        ..Open::READ
    };
    assert_eq!(create.at(TOP, "new"), Err(ROFS));
    assert_eq!(create_directory(TOP, "new"), Err(ROFS));
    assert_eq!(symlink("greeting.txt", TOP, "new"), Err(ROFS));
    assert_eq!(file_at(TOP, 0, "new"), Err(NOENT));
    assert!(create.at(TOP, "greeting.txt").is_ok());
}

fn nothing_can_be_removed() {
    assert_eq!(unlink(TOP, "greeting.txt"), Err(ROFS));
    let answer = remove_directory(TOP, "poems");
    assert_eq!(answer, Err(ROFS));
    assert!(file_at(TOP, 0, "poems/fog.txt").is_ok());
}

fn nothing_can_be_renamed_or_linked() {
    assert_eq!(rename(TOP, "greeting.txt", TOP, "new"), Err(ROFS));
    assert_eq!(link((TOP, 0), "greeting.txt", TOP, "new"), Err(ROFS));
}

fn no_size_and_no_time_can_be_set() {
    let fd = opened("greeting.txt");
    assert_eq!(set_size(fd, 0), Err(ROFS));
    assert_eq!(allocate(fd, 0, 100), Err(ROFS));
    assert_eq!(set_times(fd, 0, 0, MODIFIED), Err(ROFS));
    let set = set_times_at((TOP, 0), "greeting.txt", (0, 0), ACCESSED_NOW);
    assert_eq!(set, Err(ROFS));
}

fn what_changes_nothing_is_done() {
    let fd = opened("greeting.txt");
    assert_eq!((sync(fd), data_sync(fd)), (Ok(()), Ok(())));
    assert_eq!(advise(fd, 0, 0, 1), Ok(()));
}

fn nothing_moves_between_the_file_systems() {
    put("file", b"");
    assert_eq!(rename(TMP, "file", TOP, "new"), Err(XDEV));
    assert_eq!(rename(TOP, "greeting.txt", TMP, "new"), Err(XDEV));
    let linked = link((TOP, 0), "greeting.txt", TMP, "new");
    assert_eq!(linked, Err(XDEV));
}

fn a_directory_can_be_opened_and_looked_into() {
    let fd = Open::DIRECTORY.at(TOP, "poems").unwrap();
    assert_eq!(file_at(fd, 0, "gold.txt").unwrap().kind, IS_FILE);
    assert_eq!(Open::READ.at(fd, "../greeting.txt"), Err(PERM));
}
