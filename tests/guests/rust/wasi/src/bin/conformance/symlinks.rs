//! `path_symlink`, `path_readlink`, and how links are followed.

use crate::at_path::{
    Open, contents, create_directory, file_at, is_there, make_directory, put, read_link, symlink,
    unlink,
};
use crate::calls::{CREATE, EXCLUSIVE, FOLLOW, IS_DIRECTORY, IS_LINK, TMP};
use crate::errno::{EXIST, INVAL, LOOP, NOENT, NOTDIR};
use crate::tests;

tests![
    a_link_says_where_it_points_to,
    a_link_is_read_as_far_as_there_is_room,
    what_is_no_link_is_not_read_as_one,
    a_link_may_point_to_nothing,
    a_link_is_followed_to_a_file,
    a_link_is_followed_in_the_middle_of_a_path,
    a_link_is_relative_to_where_it_lies,
    a_link_that_is_not_followed_is_not_opened,
    a_link_to_a_directory_is_opened_as_one,
    a_slash_follows_a_link,
    links_that_point_to_each_other_are_a_loop,
    forty_links_are_followed_and_no_more,
    a_name_that_is_taken_exists,
    opening_makes_what_a_link_points_to,
    what_must_be_new_is_no_link,
    removing_a_link_leaves_what_it_points_to,
    a_link_sees_what_comes_later,
    a_link_wants_a_name,
];

fn a_link_says_where_it_points_to() {
    assert_eq!(symlink("some/where", TMP, "link"), Ok(()));
    assert_eq!(read_link(TMP, "link", 100).unwrap(), b"some/where");
    assert_eq!(file_at(TMP, 0, "link").unwrap().kind, IS_LINK);
}

fn a_link_is_read_as_far_as_there_is_room() {
    symlink("target", TMP, "link").unwrap();
    assert_eq!(read_link(TMP, "link", 3).unwrap(), b"tar");
    assert_eq!(read_link(TMP, "link", 6).unwrap(), b"target");
    assert_eq!(read_link(TMP, "link", 0).unwrap(), b"");
}

fn what_is_no_link_is_not_read_as_one() {
    put("file", b"");
    assert_eq!(read_link(TMP, "file", 10), Err(INVAL));
    assert_eq!(read_link(TMP, ".", 10), Err(INVAL));
    assert_eq!(read_link(TMP, "missing", 10), Err(NOENT));
}

fn a_link_may_point_to_nothing() {
    symlink("nowhere", TMP, "link").unwrap();
    assert_eq!(Open::READ.at(TMP, "link"), Err(NOENT));
    assert!(file_at(TMP, 0, "link").is_ok());
}

fn a_link_is_followed_to_a_file() {
    put("file", b"contents");
    symlink("file", TMP, "link").unwrap();
    symlink("link", TMP, "second").unwrap();
    assert_eq!(contents(TMP, "link").unwrap(), b"contents");
    assert_eq!(contents(TMP, "second").unwrap(), b"contents");
}

fn a_link_is_followed_in_the_middle_of_a_path() {
    make_directory("d");
    put("d/file", b"contents");
    symlink("d", TMP, "link").unwrap();
    assert_eq!(contents(TMP, "link/file").unwrap(), b"contents");
    assert_eq!(file_at(TMP, 0, "link/file"), file_at(TMP, 0, "d/file"));
    assert_eq!(create_directory(TMP, "link/new"), Ok(()));
    assert!(is_there("d/new"));
}

fn a_link_is_relative_to_where_it_lies() {
    make_directory("d");
    put("file", b"above");
    put("d/file", b"beside");
    symlink("file", TMP, "d/link").unwrap();
    symlink("../file", TMP, "d/up").unwrap();
    assert_eq!(contents(TMP, "d/link").unwrap(), b"beside");
    assert_eq!(contents(TMP, "d/up").unwrap(), b"above");
}

fn a_link_that_is_not_followed_is_not_opened() {
    put("file", b"");
    symlink("file", TMP, "link").unwrap();
    let open = Open {
        lookup: 0,
        ..Open::READ
    };
    assert_eq!(open.at(TMP, "link"), Err(LOOP));
    assert!(open.at(TMP, "file").is_ok());
}

fn a_link_to_a_directory_is_opened_as_one() {
    make_directory("d");
    symlink("d", TMP, "link").unwrap();
    assert!(Open::DIRECTORY.at(TMP, "link").is_ok());
    let kept = Open {
        lookup: 0,
        ..Open::DIRECTORY
    };
    let refused = kept.at(TMP, "link");
    assert!([Err(LOOP), Err(NOTDIR)].contains(&refused), "{refused:?}");
    put("file", b"");
    symlink("file", TMP, "other").unwrap();
    assert_eq!(Open::DIRECTORY.at(TMP, "other"), Err(NOTDIR));
}

fn a_slash_follows_a_link() {
    make_directory("d");
    symlink("d", TMP, "link").unwrap();
    assert_eq!(file_at(TMP, 0, "link/").unwrap().kind, IS_DIRECTORY);
    put("file", b"");
    symlink("file", TMP, "other").unwrap();
    assert_eq!(file_at(TMP, 0, "other/"), Err(NOTDIR));
}

fn links_that_point_to_each_other_are_a_loop() {
    symlink("b", TMP, "a").unwrap();
    symlink("a", TMP, "b").unwrap();
    symlink("self", TMP, "self").unwrap();
    for path in ["a", "b", "self", "a/x", "self/"] {
        assert_eq!(Open::READ.at(TMP, path), Err(LOOP), "{path}");
    }
}

fn forty_links_are_followed_and_no_more() {
    put("link-0", b"contents");
    for number in 1..=41 {
        let (target, name) = (format!("link-{}", number - 1), format!("link-{number}"));
        symlink(&target, TMP, &name).unwrap();
    }
    assert_eq!(contents(TMP, "link-40").unwrap(), b"contents");
    assert_eq!(contents(TMP, "link-41"), Err(LOOP));
}

fn a_name_that_is_taken_exists() {
    put("file", b"");
    symlink("nowhere", TMP, "link").unwrap();
    for name in ["file", "link", "."] {
        assert_eq!(symlink("target", TMP, name), Err(EXIST), "{name}");
    }
}

fn opening_makes_what_a_link_points_to() {
    symlink("new", TMP, "link").unwrap();
    assert!(Open::ALL.at(TMP, "link").is_ok());
    assert!(file_at(TMP, FOLLOW, "link").is_ok() && is_there("new"));
}

fn what_must_be_new_is_no_link() {
    symlink("new", TMP, "link").unwrap();
    let open = Open {
        how: CREATE | EXCLUSIVE,
        ..Open::ALL
    };
    assert_eq!(open.at(TMP, "link"), Err(EXIST));
    assert!(!is_there("new"));
}

fn removing_a_link_leaves_what_it_points_to() {
    put("file", b"contents");
    symlink("file", TMP, "link").unwrap();
    assert_eq!(unlink(TMP, "link"), Ok(()));
    assert!(!is_there("link"));
    assert_eq!(contents(TMP, "file").unwrap(), b"contents");
}

fn a_link_sees_what_comes_later() {
    symlink("file", TMP, "link").unwrap();
    put("file", b"later");
    assert_eq!(contents(TMP, "link").unwrap(), b"later");
}

fn a_link_wants_a_name() {
    assert_eq!(symlink("target", TMP, "link/"), Err(NOENT));
    make_directory("d");
    assert_eq!(symlink("target", TMP, "d/"), Err(EXIST));
    assert_eq!(symlink("target", TMP, "no/link"), Err(NOENT));
}
