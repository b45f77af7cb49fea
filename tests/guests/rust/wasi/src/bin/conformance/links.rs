//! `path_link`: a second name of a file.

use crate::at_path::{
    Open, contents, file_at, is_there, link, made, make_directory, put, symlink, unlink,
};
use crate::calls::{FOLLOW, IS_LINK, TMP, file, pwrite};
use crate::errno::{EXIST, INVAL, NOENT, NOTDIR, PERM};
use crate::tests;

tests![
    a_second_name_leads_to_the_same_file,
    what_is_written_by_one_name_is_read_by_the_other,
    a_file_stays_while_it_has_a_name,
    links_are_counted,
    a_name_that_is_taken_exists,
    a_directory_has_one_name,
    what_is_not_there_is_not_linked,
    the_directory_of_the_new_name_must_be_there,
    a_slash_behind_either_name_is_refused,
    a_link_is_linked_itself,
    following_a_link_is_invalid,
    a_name_in_another_directory_works_as_well,
];

fn a_second_name_leads_to_the_same_file() {
    put("file", b"contents");
    assert_eq!(link((TMP, 0), "file", TMP, "again"), Ok(()));
    assert_eq!(file_at(TMP, 0, "file"), file_at(TMP, 0, "again"));
    assert_eq!(contents(TMP, "again").unwrap(), b"contents");
}

fn what_is_written_by_one_name_is_read_by_the_other() {
    let fd = made("file", b"contents");
    link((TMP, 0), "file", TMP, "again").unwrap();
    pwrite(fd, b"CON", 0).unwrap();
    assert_eq!(contents(TMP, "again").unwrap(), b"CONtents");
}

fn a_file_stays_while_it_has_a_name() {
    put("file", b"contents");
    link((TMP, 0), "file", TMP, "again").unwrap();
    unlink(TMP, "file").unwrap();
    assert!(!is_there("file"));
    assert_eq!(contents(TMP, "again").unwrap(), b"contents");
}

fn links_are_counted() {
    let fd = made("file", b"");
    for (name, links) in [("a", 2), ("b", 3), ("c", 4)] {
        link((TMP, 0), "file", TMP, name).unwrap();
        assert_eq!(file(fd).unwrap().links, links);
    }
    for (name, links) in [("b", 3), ("file", 2), ("a", 1), ("c", 0)] {
        unlink(TMP, name).unwrap();
        assert_eq!(file(fd).unwrap().links, links);
    }
}

fn a_name_that_is_taken_exists() {
    put("file", b"");
    put("other", b"");
    make_directory("d");
    for name in ["other", "d", "file", "."] {
        assert_eq!(link((TMP, 0), "file", TMP, name), Err(EXIST), "{name}");
    }
}

fn a_directory_has_one_name() {
    make_directory("d");
    assert_eq!(link((TMP, 0), "d", TMP, "again"), Err(PERM));
    assert!(!is_there("again"));
}

fn what_is_not_there_is_not_linked() {
    assert_eq!(link((TMP, 0), "file", TMP, "again"), Err(NOENT));
}

fn the_directory_of_the_new_name_must_be_there() {
    put("file", b"");
    assert_eq!(link((TMP, 0), "file", TMP, "no/again"), Err(NOENT));
    assert_eq!(link((TMP, 0), "file", TMP, "file/again"), Err(NOTDIR));
}

fn a_slash_behind_either_name_is_refused() {
    put("file", b"");
    assert_eq!(link((TMP, 0), "file/", TMP, "again"), Err(NOTDIR));
    assert_eq!(link((TMP, 0), "file", TMP, "again/"), Err(NOENT));
}

fn a_link_is_linked_itself() {
    symlink("nowhere", TMP, "link").unwrap();
    assert_eq!(link((TMP, 0), "link", TMP, "again"), Ok(()));
    assert_eq!(file_at(TMP, 0, "again").unwrap().kind, IS_LINK);
}

fn following_a_link_is_invalid() {
    put("file", b"");
    symlink("file", TMP, "link").unwrap();
    assert_eq!(link((TMP, FOLLOW), "link", TMP, "again"), Err(INVAL));
}

fn a_name_in_another_directory_works_as_well() {
    make_directory("d");
    put("file", b"contents");
    let fd = Open::DIRECTORY.at(TMP, "d").unwrap();
    assert_eq!(link((TMP, 0), "file", fd, "again"), Ok(()));
    assert_eq!(contents(fd, "again").unwrap(), b"contents");
}
