//! `path_rename`.

use crate::at_path::{
    Open, contents, file_at, is_there, link, made, make_directory, put, rename, symlink,
};
use crate::calls::{IS_LINK, TMP, file, pwrite};
use crate::errno::{INVAL, ISDIR, NOENT, NOTDIR, NOTEMPTY};
use crate::tests;

tests![
    a_file_gets_another_name,
    a_file_takes_the_place_of_a_file,
    a_file_moves_to_another_directory,
    a_directory_moves_with_what_is_in_it,
    a_directory_takes_the_place_of_an_empty_one,
    a_directory_with_something_in_it_keeps_its_place,
    a_file_does_not_take_the_place_of_a_directory,
    a_directory_does_not_take_the_place_of_a_file,
    a_directory_does_not_go_into_itself,
    its_own_name_changes_nothing,
    another_name_of_the_same_file_changes_nothing,
    what_is_not_there_is_not_renamed,
    the_directory_of_the_new_name_must_be_there,
    a_slash_means_a_directory,
    a_dot_is_no_name,
    a_link_is_renamed_itself,
    a_link_has_its_place_taken,
    what_is_open_stays_open,
    what_lost_its_place_stays_until_it_is_closed,
];

fn a_file_gets_another_name() {
    put("old", b"contents");
    assert_eq!(rename(TMP, "old", TMP, "new"), Ok(()));
    assert!(!is_there("old"));
    assert_eq!(contents(TMP, "new").unwrap(), b"contents");
}

fn a_file_takes_the_place_of_a_file() {
    put("old", b"old");
    put("new", b"new");
    assert_eq!(rename(TMP, "old", TMP, "new"), Ok(()));
    assert_eq!(contents(TMP, "new").unwrap(), b"old");
    assert!(!is_there("old"));
}

fn a_file_moves_to_another_directory() {
    make_directory("d");
    put("file", b"contents");
    let fd = Open::DIRECTORY.at(TMP, "d").unwrap();
    assert_eq!(rename(TMP, "file", fd, "inside"), Ok(()));
    assert_eq!(contents(TMP, "d/inside").unwrap(), b"contents");
    assert_eq!(rename(fd, "inside", TMP, "file"), Ok(()));
    assert_eq!(contents(TMP, "file").unwrap(), b"contents");
}

fn a_directory_moves_with_what_is_in_it() {
    make_directory("a");
    make_directory("a/b");
    put("a/b/file", b"contents");
    make_directory("c");
    assert_eq!(rename(TMP, "a", TMP, "c/a"), Ok(()));
    assert_eq!(contents(TMP, "c/a/b/file").unwrap(), b"contents");
    assert!(!is_there("a"));
    let above = file_at(TMP, 0, "c/a/..").unwrap();
    assert_eq!(above.node, file_at(TMP, 0, "c").unwrap().node);
}

fn a_directory_takes_the_place_of_an_empty_one() {
    make_directory("old");
    put("old/file", b"");
    make_directory("new");
    assert_eq!(rename(TMP, "old", TMP, "new"), Ok(()));
    assert!(is_there("new/file") && !is_there("old"));
}

fn a_directory_with_something_in_it_keeps_its_place() {
    make_directory("old");
    make_directory("new");
    put("new/file", b"");
    assert_eq!(rename(TMP, "old", TMP, "new"), Err(NOTEMPTY));
    assert!(is_there("old") && is_there("new/file"));
}

fn a_file_does_not_take_the_place_of_a_directory() {
    put("file", b"");
    make_directory("d");
    assert_eq!(rename(TMP, "file", TMP, "d"), Err(ISDIR));
    assert!(is_there("file"));
}

fn a_directory_does_not_take_the_place_of_a_file() {
    put("file", b"contents");
    make_directory("d");
    assert_eq!(rename(TMP, "d", TMP, "file"), Err(NOTDIR));
    assert_eq!(contents(TMP, "file").unwrap(), b"contents");
}

fn a_directory_does_not_go_into_itself() {
    make_directory("a");
    make_directory("a/b");
    for path in ["a/x", "a/b/x", "a/b"] {
        assert_eq!(rename(TMP, "a", TMP, path), Err(INVAL), "{path}");
    }
    assert_eq!(rename(TMP, "a/b", TMP, "a"), Err(NOTEMPTY));
    assert!(is_there("a/b"));
}

fn its_own_name_changes_nothing() {
    put("file", b"contents");
    make_directory("d");
    assert_eq!(rename(TMP, "file", TMP, "./file"), Ok(()));
    assert_eq!(rename(TMP, "d", TMP, "d"), Ok(()));
    assert_eq!(contents(TMP, "file").unwrap(), b"contents");
    assert!(is_there("d"));
}

fn another_name_of_the_same_file_changes_nothing() {
    put("file", b"contents");
    link((TMP, 0), "file", TMP, "again").unwrap();
    assert_eq!(rename(TMP, "file", TMP, "again"), Ok(()));
    assert!(is_there("file") && is_there("again"));
    assert_eq!(file_at(TMP, 0, "file").unwrap().links, 2);
}

fn what_is_not_there_is_not_renamed() {
    put("new", b"contents");
    assert_eq!(rename(TMP, "old", TMP, "new"), Err(NOENT));
    assert_eq!(contents(TMP, "new").unwrap(), b"contents");
}

fn the_directory_of_the_new_name_must_be_there() {
    put("file", b"");
    assert_eq!(rename(TMP, "file", TMP, "no/file"), Err(NOENT));
    assert_eq!(rename(TMP, "file", TMP, "file/x"), Err(NOTDIR));
    assert!(is_there("file"));
}

fn a_slash_means_a_directory() {
    put("file", b"");
    make_directory("d");
    assert_eq!(rename(TMP, "file/", TMP, "new"), Err(NOTDIR));
    assert_eq!(rename(TMP, "file", TMP, "new/"), Err(NOTDIR));
    assert_eq!(rename(TMP, "d/", TMP, "e/"), Ok(()));
    assert!(is_there("e"));
}

fn a_dot_is_no_name() {
    make_directory("d");
    assert_eq!(rename(TMP, "d/.", TMP, "e"), Err(INVAL));
    assert_eq!(rename(TMP, ".", TMP, "e"), Err(INVAL));
    assert!(rename(TMP, "d", TMP, ".").is_err());
    assert!(is_there("d"));
}

fn a_link_is_renamed_itself() {
    symlink("nowhere", TMP, "link").unwrap();
    assert_eq!(rename(TMP, "link", TMP, "new"), Ok(()));
    assert_eq!(file_at(TMP, 0, "new").unwrap().kind, IS_LINK);
}

fn a_link_has_its_place_taken() {
    put("file", b"contents");
    put("other", b"other");
    symlink("other", TMP, "link").unwrap();
    assert_eq!(rename(TMP, "file", TMP, "link"), Ok(()));
    assert_eq!(contents(TMP, "link").unwrap(), b"contents");
    assert_eq!(contents(TMP, "other").unwrap(), b"other");
}

fn what_is_open_stays_open() {
    let fd = made("old", b"contents");
    rename(TMP, "old", TMP, "new").unwrap();
    pwrite(fd, b"CON", 0).unwrap();
    assert_eq!(contents(TMP, "new").unwrap(), b"CONtents");
}

fn what_lost_its_place_stays_until_it_is_closed() {
    let fd = made("new", b"lost");
    put("old", b"contents");
    rename(TMP, "old", TMP, "new").unwrap();
    assert_eq!((file(fd).unwrap().size, file(fd).unwrap().links), (4, 0));
    pwrite(fd, b"LOST", 0).unwrap();
    assert_eq!(contents(TMP, "new").unwrap(), b"contents");
}
