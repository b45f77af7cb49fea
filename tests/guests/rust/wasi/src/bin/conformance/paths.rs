//! What a path may be.

use crate::at_path::{
    Open, contents, create_directory, file_at, is_there, make_directory, put, symlink, unlink,
};
use crate::calls::{TMP, close};
use crate::errno::{BADF, ILSEQ, INVAL, NAMETOOLONG, NOENT, NOTDIR};
use crate::tests;

tests![
    dots_and_slashes_mean_nothing,
    a_path_starts_at_its_directory,
    an_empty_path_leads_nowhere,
    a_slash_at_the_end_means_a_directory,
    what_lies_behind_a_file_is_refused,
    names_differ_by_case,
    names_may_be_of_any_letters,
    names_may_be_odd,
    what_is_no_utf_8_is_refused,
    a_nul_is_refused,
    the_longest_name_is_255_bytes,
    the_longest_path_is_4096_bytes,
    a_name_that_is_missing_is_noticed_in_the_middle,
    a_path_wants_a_directory_that_is_open,
];

fn dots_and_slashes_mean_nothing() {
    make_directory("d");
    put("d/file", b"contents");
    for path in [
        "./d/file",
        "d//file",
        "d/./file",
        ".//d///.//file",
        "d/../d/file",
    ] {
        assert_eq!(contents(TMP, path).unwrap(), b"contents", "{path}");
    }
}

fn a_path_starts_at_its_directory() {
    make_directory("d");
    put("d/file", b"inside");
    put("file", b"outside");
    let fd = Open::DIRECTORY.at(TMP, "d").unwrap();
    assert_eq!(contents(fd, "file").unwrap(), b"inside");
    assert_eq!(contents(TMP, "file").unwrap(), b"outside");
}

fn an_empty_path_leads_nowhere() {
    assert_eq!(Open::READ.at(TMP, ""), Err(NOENT));
    assert_eq!(create_directory(TMP, ""), Err(NOENT));
    assert_eq!(unlink(TMP, ""), Err(NOENT));
    assert_eq!(file_at(TMP, 0, ""), Err(NOENT));
    assert_eq!(symlink("", TMP, "link"), Err(NOENT));
}

fn a_slash_at_the_end_means_a_directory() {
    make_directory("d");
    put("file", b"");
    assert!(file_at(TMP, 0, "d/").is_ok() && file_at(TMP, 0, "d//").is_ok());
    assert_eq!(file_at(TMP, 0, "file/"), Err(NOTDIR));
    assert_eq!(unlink(TMP, "file/"), Err(NOTDIR));
    assert_eq!(unlink(TMP, "file//"), Err(NOTDIR));
    assert!(is_there("file"));
}

fn what_lies_behind_a_file_is_refused() {
    put("file", b"");
    for path in ["file/x", "file/.", "file/..", "file/x/y"] {
        assert_eq!(file_at(TMP, 0, path), Err(NOTDIR), "{path}");
    }
}

fn names_differ_by_case() {
    put("Name", b"large");
    put("name", b"small");
    assert_eq!(contents(TMP, "Name").unwrap(), b"large");
    assert_eq!(contents(TMP, "name").unwrap(), b"small");
}

fn names_may_be_of_any_letters() {
    for name in ["größe", "日本語", "🦀", "a\u{301}", "\u{e1}"] {
        put(name, name.as_bytes());
        assert_eq!(contents(TMP, name).unwrap(), name.as_bytes());
    }
}

fn names_may_be_odd() {
    for name in [
        " ", "...", "-rf", "a b", "\n", "\\", "C:", "~", ".hidden", "..x",
    ] {
        put(name, name.as_bytes());
        assert_eq!(contents(TMP, name).unwrap(), name.as_bytes());
    }
}

fn what_is_no_utf_8_is_refused() {
    for path in [&b"\xff"[..], b"d/\xc3", b"\xed\xa0\x80", b"x\x80"] {
        assert_eq!(Open::ALL.at_bytes(TMP, path), Err(ILSEQ), "{path:?}");
    }
}

fn a_nul_is_refused() {
    put("file", b"");
    assert_eq!(Open::READ.at(TMP, "file\0"), Err(INVAL));
    assert_eq!(Open::READ.at(TMP, "fi\0le"), Err(INVAL));
    assert_eq!(create_directory(TMP, "\0"), Err(INVAL));
    assert_eq!(symlink("a\0b", TMP, "link"), Err(INVAL));
}

fn the_longest_name_is_255_bytes() {
    let longest = "n".repeat(255);
    put(&longest, b"contents");
    assert_eq!(contents(TMP, &longest).unwrap(), b"contents");
    let longer = "n".repeat(256);
    assert_eq!(Open::ALL.at(TMP, &longer), Err(NAMETOOLONG));
    assert_eq!(create_directory(TMP, &longer), Err(NAMETOOLONG));
    assert_eq!(file_at(TMP, 0, &longer), Err(NAMETOOLONG));
}

fn the_longest_path_is_4096_bytes() {
    put("f", b"contents");
    let dots = |length: usize| "./".repeat((length - 1) / 2) + "f";
    assert_eq!(contents(TMP, &dots(4095)).unwrap(), b"contents");
    assert_eq!(Open::READ.at(TMP, &dots(4097)), Err(NAMETOOLONG));
    assert_eq!(Open::READ.at(TMP, &dots(60_001)), Err(NAMETOOLONG));
}

fn a_name_that_is_missing_is_noticed_in_the_middle() {
    make_directory("d");
    assert_eq!(file_at(TMP, 0, "d/no/file"), Err(NOENT));
    assert_eq!(file_at(TMP, 0, "d/no/../x"), Err(NOENT));
}

fn a_path_wants_a_directory_that_is_open() {
    let fd = Open::DIRECTORY.at(TMP, ".").unwrap();
    close(fd).unwrap();
    assert_eq!(file_at(fd, 0, "."), Err(BADF));
    assert_eq!(create_directory(fd, "x"), Err(BADF));
}
