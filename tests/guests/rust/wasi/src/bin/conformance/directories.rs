//! `path_create_directory`, `path_remove_directory`, and what of files cannot be done with directories.

use crate::at_path::{
    Open, create_directory, file_at, is_there, made, make_directory, put, remove_directory,
    symlink, unlink,
};
use crate::calls::{
    APPEND, CREATE, DIRECTORY, EXCLUSIVE, IS_DIRECTORY, SET, TMP, TRUNCATE, allocate, close, pread,
    pwrite, read, seek, set_size, status, tell, write,
};
use crate::errno::{BADF, EXIST, INVAL, ISDIR, NOENT, NOTDIR, NOTEMPTY, PERM};
use crate::{rights, tests};

tests![
    a_directory_is_there_once_it_was_made,
    a_name_that_is_taken_exists,
    the_directory_above_must_be_there,
    a_file_is_no_directory_above,
    a_slash_behind_a_new_name_is_fine,
    directories_lie_in_directories,
    an_empty_directory_can_be_removed,
    a_directory_with_something_in_it_cannot,
    a_file_is_not_removed_as_a_directory,
    a_directory_is_not_removed_as_a_file,
    a_link_to_a_directory_is_no_directory,
    what_is_not_there_cannot_be_removed,
    a_directory_is_not_removed_by_a_dot,
    the_preopened_directory_stays,
    a_directory_is_opened_as_one,
    a_file_is_not_opened_as_a_directory,
    a_directory_is_not_opened_to_be_written,
    a_directory_is_not_created_or_truncated_by_opening,
    bytes_are_not_read_or_written,
    a_directory_has_no_position_and_no_size,
    a_descriptor_of_a_file_has_no_names_in_it,
];

fn a_directory_is_there_once_it_was_made() {
    assert_eq!(create_directory(TMP, "d"), Ok(()));
    assert_eq!(file_at(TMP, 0, "d").unwrap().kind, IS_DIRECTORY);
}

fn a_name_that_is_taken_exists() {
    make_directory("d");
    put("file", b"");
    symlink("nowhere", TMP, "link").unwrap();
    for name in ["d", "d/", "file", "link", "."] {
        assert_eq!(create_directory(TMP, name), Err(EXIST), "{name}");
    }
}

fn the_directory_above_must_be_there() {
    assert_eq!(create_directory(TMP, "no/such"), Err(NOENT));
}

fn a_file_is_no_directory_above() {
    put("file", b"");
    assert_eq!(create_directory(TMP, "file/d"), Err(NOTDIR));
}

fn a_slash_behind_a_new_name_is_fine() {
    assert_eq!(create_directory(TMP, "d/"), Ok(()));
    assert_eq!(create_directory(TMP, "d/inner///"), Ok(()));
    assert!(is_there("d/inner"));
}

fn directories_lie_in_directories() {
    let mut path = String::from("d");
    for _ in 0..40 {
        make_directory(&path);
        path.push_str("/d");
    }
    let fd = Open::DIRECTORY.at(TMP, "d/d/d").unwrap();
    assert_eq!(create_directory(fd, "here"), Ok(()));
    assert!(is_there("d/d/d/here"));
}

fn an_empty_directory_can_be_removed() {
    make_directory("d");
    assert_eq!(remove_directory(TMP, "d"), Ok(()));
    assert!(!is_there("d"));
    make_directory("d");
    assert_eq!(remove_directory(TMP, "d/"), Ok(()));
}

fn a_directory_with_something_in_it_cannot() {
    make_directory("d");
    put("d/file", b"");
    assert_eq!(remove_directory(TMP, "d"), Err(NOTEMPTY));
    unlink(TMP, "d/file").unwrap();
    make_directory("d/inner");
    assert_eq!(remove_directory(TMP, "d"), Err(NOTEMPTY));
    remove_directory(TMP, "d/inner").unwrap();
    assert_eq!(remove_directory(TMP, "d"), Ok(()));
}

fn a_file_is_not_removed_as_a_directory() {
    put("file", b"");
    assert_eq!(remove_directory(TMP, "file"), Err(NOTDIR));
    assert_eq!(remove_directory(TMP, "file/"), Err(NOTDIR));
    assert!(is_there("file"));
}

fn a_directory_is_not_removed_as_a_file() {
    make_directory("d");
    assert_eq!(unlink(TMP, "d"), Err(ISDIR));
    assert_eq!(unlink(TMP, "d/"), Err(ISDIR));
    assert!(is_there("d"));
}

fn a_link_to_a_directory_is_no_directory() {
    make_directory("d");
    symlink("d", TMP, "link").unwrap();
    assert_eq!(remove_directory(TMP, "link"), Err(NOTDIR));
    assert!(is_there("d") && is_there("link"));
}

fn what_is_not_there_cannot_be_removed() {
    assert_eq!(remove_directory(TMP, "d"), Err(NOENT));
    assert_eq!(unlink(TMP, "file"), Err(NOENT));
}

fn a_directory_is_not_removed_by_a_dot() {
    make_directory("d");
    assert_eq!(remove_directory(TMP, "d/."), Err(INVAL));
    assert!(is_there("d"));
}

fn the_preopened_directory_stays() {
    assert_eq!(remove_directory(TMP, "."), Err(INVAL));
    assert_eq!(remove_directory(TMP, ".."), Err(PERM));
    put("file", b"");
}

fn a_directory_is_opened_as_one() {
    make_directory("d");
    for path in ["d", "d/", "./d", "."] {
        let fd = Open::DIRECTORY.at(TMP, path).unwrap();
        assert_eq!(status(fd).unwrap().kind, IS_DIRECTORY);
        close(fd).unwrap();
    }
    let plain = Open {
        how: 0,
        ..Open::DIRECTORY
    };
    assert!(plain.at(TMP, "d").is_ok());
}

fn a_file_is_not_opened_as_a_directory() {
    put("file", b"");
    assert_eq!(Open::DIRECTORY.at(TMP, "file"), Err(NOTDIR));
    assert_eq!(Open::READ.at(TMP, "file/"), Err(NOTDIR));
}

fn a_directory_is_not_opened_to_be_written() {
    make_directory("d");
    let open = Open {
        rights: rights::WRITE,
        ..Open::DIRECTORY
    };
    assert_eq!(open.at(TMP, "d"), Err(ISDIR));
}

fn a_directory_is_not_created_or_truncated_by_opening() {
    make_directory("d");
    let open = |how| Open { how, ..Open::READ }.at(TMP, "d");
    assert_eq!(open(CREATE), Err(ISDIR));
    assert_eq!(open(TRUNCATE), Err(ISDIR));
    assert_eq!(open(CREATE | EXCLUSIVE), Err(EXIST));
    assert_eq!(open(CREATE | DIRECTORY), Err(INVAL));
    let new = Open {
        how: CREATE,
        ..Open::READ
    };
    assert_eq!(new.at(TMP, "new/"), Err(ISDIR));
}

fn bytes_are_not_read_or_written() {
    let fd = Open::DIRECTORY.at(TMP, ".").unwrap();
    assert_eq!(read(fd, 1), Err(ISDIR));
    assert_eq!(write(fd, b"x"), Err(ISDIR));
    assert_eq!(pread(fd, 1, 0), Err(ISDIR));
    assert_eq!(pwrite(fd, b"x", 0), Err(ISDIR));
}

fn a_directory_has_no_position_and_no_size() {
    let fd = Open::DIRECTORY.at(TMP, ".").unwrap();
    assert_eq!(seek(fd, 0, SET), Err(BADF));
    assert_eq!(tell(fd), Err(BADF));
    assert_eq!(set_size(fd, 0), Err(BADF));
    assert_eq!(allocate(fd, 0, 1), Err(BADF));
}

fn a_descriptor_of_a_file_has_no_names_in_it() {
    let fd = made("file", b"");
    assert_eq!(Open::READ.at(fd, "x"), Err(NOTDIR));
    assert_eq!(create_directory(fd, "x"), Err(NOTDIR));
    assert_eq!(file_at(fd, 0, "x"), Err(NOTDIR));
    let append = Open {
        flags: APPEND,
        ..Open::READ
    };
    assert_eq!(append.at(fd, "."), Err(NOTDIR));
}
