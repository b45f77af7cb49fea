//! `fd_filestat_get`, `path_filestat_get`, and the calls that set times.

use crate::at_path::{
    Open, contents, file_at, link, made, make_directory, put, rename, set_times_at, symlink,
};
use crate::calls::{
    ACCESSED, ACCESSED_NOW, FOLLOW, FREE, IS_DIRECTORY, IS_FILE, IS_LINK, MODIFIED, MODIFIED_NOW,
    TMP, TOP, file, set_times, time, write,
};
use crate::clocks::REALTIME;
use crate::errno::{BADF, INVAL, NOENT, NOTDIR};
use crate::tests;

tests![
    a_file_is_a_file,
    a_directory_is_a_directory,
    a_link_is_a_link_unless_it_is_followed,
    a_path_and_a_descriptor_say_the_same,
    every_file_has_a_number_of_its_own,
    the_two_file_systems_have_numbers_of_their_own,
    a_file_keeps_its_number_when_it_is_renamed,
    a_second_name_is_counted,
    what_is_not_there_has_no_attributes,
    a_slash_behind_a_file_is_refused,
    a_new_file_has_the_time_at_which_it_was_made,
    writing_changes_the_time_of_modification,
    reading_changes_no_time,
    both_times_can_be_set,
    each_time_can_be_set_alone,
    a_time_can_be_set_to_now,
    setting_times_is_a_change,
    a_time_is_not_two_things_at_once,
    unknown_times_are_invalid,
    times_can_be_set_by_a_path,
    times_of_a_link_are_its_own_unless_it_is_followed,
    times_of_a_directory_can_be_set,
    what_is_closed_has_no_times,
];

fn a_file_is_a_file() {
    let found = file(made("file", b"contents")).unwrap();
    assert_eq!((found.kind, found.size, found.links), (IS_FILE, 8, 1));
}

fn a_directory_is_a_directory() {
    make_directory("d");
    assert_eq!(file_at(TMP, 0, "d").unwrap().kind, IS_DIRECTORY);
    assert_eq!(file(TMP).unwrap().kind, IS_DIRECTORY);
    assert_eq!(file_at(TMP, 0, ".").unwrap().node, file(TMP).unwrap().node);
}

fn a_link_is_a_link_unless_it_is_followed() {
    put("file", b"contents");
    symlink("file", TMP, "link").unwrap();
    let found = file_at(TMP, 0, "link").unwrap();
    assert_eq!((found.kind, found.size), (IS_LINK, 4));
    assert_eq!(file_at(TMP, FOLLOW, "link"), file_at(TMP, 0, "file"));
}

fn a_path_and_a_descriptor_say_the_same() {
    let fd = made("file", b"contents");
    assert_eq!(file(fd), file_at(TMP, 0, "file"));
    assert_eq!(file(fd), file_at(TMP, FOLLOW, "./file"));
}

fn every_file_has_a_number_of_its_own() {
    let names = ["a", "b", "c", "d"];
    let mut nodes = names.map(|name| file(made(name, b"")).unwrap().node);
    nodes.sort_unstable();
    assert!(nodes.windows(2).all(|pair| pair[0] != pair[1]), "{nodes:?}");
}

fn the_two_file_systems_have_numbers_of_their_own() {
    assert_ne!(file(TOP).unwrap().device, file(TMP).unwrap().device);
}

fn a_file_keeps_its_number_when_it_is_renamed() {
    put("old", b"");
    let before = file_at(TMP, 0, "old").unwrap();
    rename(TMP, "old", TMP, "new").unwrap();
    let after = file_at(TMP, 0, "new").unwrap();
    assert_eq!((after.device, after.node), (before.device, before.node));
}

fn a_second_name_is_counted() {
    put("file", b"");
    link((TMP, 0), "file", TMP, "again").unwrap();
    let both = ["file", "again"].map(|name| file_at(TMP, 0, name).unwrap());
    assert_eq!(both[0], both[1]);
    assert_eq!(both[0].links, 2);
}

fn what_is_not_there_has_no_attributes() {
    assert_eq!(file_at(TMP, 0, "file"), Err(NOENT));
    assert_eq!(file_at(TMP, 0, "no/file"), Err(NOENT));
    symlink("nowhere", TMP, "link").unwrap();
    assert_eq!(file_at(TMP, FOLLOW, "link"), Err(NOENT));
}

fn a_slash_behind_a_file_is_refused() {
    put("file", b"");
    assert_eq!(file_at(TMP, 0, "file/"), Err(NOTDIR));
}

fn a_new_file_has_the_time_at_which_it_was_made() {
    let before = time(REALTIME);
    let found = file(made("file", b"")).unwrap();
    let after = time(REALTIME);
    for at in [found.accessed, found.modified, found.changed] {
        assert!((before..=after).contains(&at), "{before} {at} {after}");
    }
}

fn writing_changes_the_time_of_modification() {
    let fd = made("file", b"");
    set_times(fd, 5, 6, ACCESSED | MODIFIED).unwrap();
    let before = time(REALTIME);
    write(fd, b"x").unwrap();
    let found = file(fd).unwrap();
    assert!(found.modified >= before && found.changed >= before);
    assert_eq!(found.accessed, 5);
}

fn reading_changes_no_time() {
    put("file", b"contents");
    let before = file_at(TMP, 0, "file");
    contents(TMP, "file").unwrap();
    assert_eq!(file_at(TMP, 0, "file"), before);
}

fn both_times_can_be_set() {
    let fd = made("file", b"");
    assert_eq!(set_times(fd, 123, 1 << 60, ACCESSED | MODIFIED), Ok(()));
    let found = file(fd).unwrap();
    assert_eq!((found.accessed, found.modified), (123, 1 << 60));
}

fn each_time_can_be_set_alone() {
    let fd = made("file", b"");
    set_times(fd, 1, 2, ACCESSED | MODIFIED).unwrap();
    set_times(fd, 10, 20, ACCESSED).unwrap();
    assert_eq!(
        (file(fd).unwrap().accessed, file(fd).unwrap().modified),
        (10, 2)
    );
    set_times(fd, 30, 40, MODIFIED).unwrap();
    assert_eq!(
        (file(fd).unwrap().accessed, file(fd).unwrap().modified),
        (10, 40)
    );
    set_times(fd, 50, 60, 0).unwrap();
    assert_eq!(
        (file(fd).unwrap().accessed, file(fd).unwrap().modified),
        (10, 40)
    );
}

fn a_time_can_be_set_to_now() {
    let fd = made("file", b"");
    set_times(fd, 1, 2, ACCESSED | MODIFIED).unwrap();
    let before = time(REALTIME);
    set_times(fd, 7, 8, ACCESSED_NOW | MODIFIED).unwrap();
    let found = file(fd).unwrap();
    assert!(found.accessed >= before);
    assert_eq!(found.modified, 8);
    set_times(fd, 9, 0, ACCESSED | MODIFIED_NOW).unwrap();
    let found = file(fd).unwrap();
    assert!(found.modified >= before);
    assert_eq!(found.accessed, 9);
}

fn setting_times_is_a_change() {
    let fd = made("file", b"");
    let before = time(REALTIME);
    set_times(fd, 1, 2, ACCESSED | MODIFIED).unwrap();
    assert!(file(fd).unwrap().changed >= before);
}

fn a_time_is_not_two_things_at_once() {
    let fd = made("file", b"");
    let before = file(fd);
    assert_eq!(set_times(fd, 1, 2, ACCESSED | ACCESSED_NOW), Err(INVAL));
    assert_eq!(set_times(fd, 1, 2, MODIFIED | MODIFIED_NOW), Err(INVAL));
    assert_eq!(file(fd), before);
}

fn unknown_times_are_invalid() {
    let fd = made("file", b"");
    assert_eq!(set_times(fd, 1, 2, 1 << 4), Err(INVAL));
    assert_eq!(set_times_at((TMP, 0), "file", (1, 2), 1 << 4), Err(INVAL));
}

fn times_can_be_set_by_a_path() {
    put("file", b"");
    assert_eq!(
        set_times_at((TMP, 0), "file", (3, 4), ACCESSED | MODIFIED),
        Ok(())
    );
    let found = file_at(TMP, 0, "file").unwrap();
    assert_eq!((found.accessed, found.modified), (3, 4));
    let missing = set_times_at((TMP, 0), "other", (3, 4), ACCESSED);
    assert_eq!(missing, Err(NOENT));
}

fn times_of_a_link_are_its_own_unless_it_is_followed() {
    put("file", b"");
    symlink("file", TMP, "link").unwrap();
    set_times_at((TMP, 0), "link", (3, 4), ACCESSED | MODIFIED).unwrap();
    assert_eq!(file_at(TMP, 0, "link").unwrap().modified, 4);
    assert_ne!(file_at(TMP, 0, "file").unwrap().modified, 4);
    set_times_at((TMP, FOLLOW), "link", (5, 6), ACCESSED | MODIFIED).unwrap();
    assert_eq!(file_at(TMP, 0, "link").unwrap().modified, 4);
    assert_eq!(file_at(TMP, 0, "file").unwrap().modified, 6);
}

fn times_of_a_directory_can_be_set() {
    make_directory("d");
    let fd = Open::DIRECTORY.at(TMP, "d").unwrap();
    assert_eq!(set_times(fd, 3, 4, ACCESSED | MODIFIED), Ok(()));
    assert_eq!(file(fd).unwrap().modified, 4);
}

fn what_is_closed_has_no_times() {
    assert_eq!(file(FREE), Err(BADF));
    assert_eq!(set_times(FREE, 0, 0, 0), Err(BADF));
}
