//! No path leads out of the directory that it starts from.

use crate::at_path::{
    Open, contents, create_directory, file_at, is_there, link, make_directory, put, read_link,
    remove_directory, rename, set_times_at, symlink, unlink,
};
use crate::calls::{ACCESSED_NOW, FOLLOW, TMP, TOP, close};
use crate::errno::{Errno, PERM};
use crate::tests;

tests![
    two_dots_at_the_top_lead_out,
    two_dots_lead_out_in_the_middle_of_a_path,
    two_dots_may_lead_back_to_where_the_path_starts,
    two_dots_lead_out_although_nothing_is_there,
    an_absolute_path_leads_out,
    a_link_leads_out_of_where_the_path_starts,
    a_link_leads_out_in_the_middle_of_a_path,
    a_link_to_a_link_leads_out,
    a_link_of_the_folder_leads_out,
    nothing_above_an_opened_directory_is_below_it,
    every_call_of_paths_refuses_to_leave,
    a_call_of_two_paths_refuses_either,
    a_link_with_an_absolute_target_is_not_made,
    a_directory_that_was_moved_leads_no_further_out,
    a_path_of_many_dots_ends,
];

/// Paths that lead out of every directory.
const OUT: [&str; 7] = [
    "..",
    "../",
    "../tmp",
    "./..",
    "d/../..",
    "d/../../d",
    "d/./../.././d",
];

fn two_dots_at_the_top_lead_out() {
    make_directory("d");
    for path in OUT {
        assert_eq!(Open::READ.at(TMP, path), Err(PERM), "{path}");
    }
    assert_eq!(Open::READ.at(TOP, ".."), Err(PERM));
    assert_eq!(Open::READ.at(TOP, "poems/../../greeting.txt"), Err(PERM));
}

fn two_dots_lead_out_in_the_middle_of_a_path() {
    make_directory("d");
    put("d/file", b"");
    assert_eq!(Open::READ.at(TMP, "d/../../tmp/d/file"), Err(PERM));
}

fn two_dots_may_lead_back_to_where_the_path_starts() {
    make_directory("d");
    put("file", b"contents");
    assert_eq!(contents(TMP, "d/../file").unwrap(), b"contents");
    assert_eq!(contents(TMP, "d/../d/.././/file").unwrap(), b"contents");
}

fn two_dots_lead_out_although_nothing_is_there() {
    assert_eq!(Open::READ.at(TMP, "../no/such/file"), Err(PERM));
    assert_eq!(Open::ALL.at(TMP, "../new"), Err(PERM));
}

fn an_absolute_path_leads_out() {
    put("file", b"");
    for path in ["/", "/file", "/tmp/file", "//file", "/.."] {
        assert_eq!(Open::READ.at(TMP, path), Err(PERM), "{path}");
    }
}

fn a_link_leads_out_of_where_the_path_starts() {
    symlink("../greeting.txt", TMP, "out").unwrap();
    assert_eq!(Open::READ.at(TMP, "out"), Err(PERM));
    assert_eq!(file_at(TMP, FOLLOW, "out"), Err(PERM));
    assert!(file_at(TMP, 0, "out").is_ok());
}

fn a_link_leads_out_in_the_middle_of_a_path() {
    make_directory("d");
    symlink("../..", TMP, "d/up").unwrap();
    assert_eq!(Open::READ.at(TMP, "d/up/tmp"), Err(PERM));
    assert_eq!(create_directory(TMP, "d/up/new"), Err(PERM));
    assert_eq!(unlink(TMP, "d/up/greeting.txt"), Err(PERM));
}

fn a_link_to_a_link_leads_out() {
    make_directory("d");
    symlink("d/two", TMP, "one").unwrap();
    symlink("../three", TMP, "d/two").unwrap();
    symlink("d/../../out", TMP, "three").unwrap();
    assert_eq!(Open::READ.at(TMP, "one"), Err(PERM));
}

fn a_link_of_the_folder_leads_out() {
    assert_eq!(Open::READ.at(TOP, "way-out.txt"), Err(PERM));
    assert!(file_at(TOP, 0, "way-out.txt").is_ok());
}

fn nothing_above_an_opened_directory_is_below_it() {
    make_directory("d");
    put("file", b"");
    symlink("../file", TMP, "d/link").unwrap();
    let fd = Open::DIRECTORY.at(TMP, "d").unwrap();
    assert_eq!(Open::READ.at(fd, "../file"), Err(PERM));
    assert_eq!(Open::READ.at(fd, "link"), Err(PERM));
    assert!(Open::READ.at(TMP, "d/link").is_ok());
}

fn every_call_of_paths_refuses_to_leave() {
    make_directory("d");
    for path in OUT {
        let answers: [Option<Errno>; 8] = [
            Open::ALL.at(TMP, path).err(),
            create_directory(TMP, path).err(),
            remove_directory(TMP, path).err(),
            unlink(TMP, path).err(),
            file_at(TMP, FOLLOW, path).err(),
            read_link(TMP, path, 10).err(),
            set_times_at((TMP, 0), path, (0, 0), ACCESSED_NOW).err(),
            symlink("target", TMP, path).err(),
        ];
        assert_eq!(answers, [Some(PERM); 8], "{path}");
    }
}

fn a_call_of_two_paths_refuses_either() {
    make_directory("d");
    put("file", b"");
    for path in OUT {
        assert_eq!(rename(TMP, path, TMP, "new"), Err(PERM));
        assert_eq!(rename(TMP, "file", TMP, path), Err(PERM));
        assert_eq!(link((TMP, 0), path, TMP, "new"), Err(PERM));
        assert_eq!(link((TMP, 0), "file", TMP, path), Err(PERM));
    }
    assert!(is_there("file") && !is_there("new"));
}

fn a_link_with_an_absolute_target_is_not_made() {
    assert_eq!(symlink("/", TMP, "link"), Err(PERM));
    assert_eq!(symlink("/tmp/file", TMP, "link"), Err(PERM));
    assert!(!is_there("link"));
}

fn a_directory_that_was_moved_leads_no_further_out() {
    make_directory("a");
    make_directory("a/b");
    let fd = Open::DIRECTORY.at(TMP, "a/b").unwrap();
    rename(TMP, "a/b", TMP, "b").unwrap();
    assert_eq!(Open::READ.at(fd, ".."), Err(PERM));
    put("b/file", b"here");
    assert_eq!(contents(fd, "file").unwrap(), b"here");
    close(fd).unwrap();
}

/// A path of the greatest length, of which nothing but dots is left.
fn a_path_of_many_dots_ends() {
    make_directory("d");
    let path = "d/../".repeat(4095 / 5);
    assert!(file_at(TMP, 0, &path).is_ok());
    let path = "d/../".repeat(4090 / 5) + "..";
    assert_eq!(file_at(TMP, 0, &path), Err(PERM));
}
