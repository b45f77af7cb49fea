//! Numbers of descriptors: `fd_close`, `fd_renumber`, `fd_fdstat_get`, `fd_fdstat_set_flags`.

use std::iter;

use crate::at_path::{
    Open, contents, is_there, made, make_directory, put, remove_directory, unlink,
};
use crate::calls::{
    APPEND, FREE, IS_DIRECTORY, IS_FILE, NONBLOCK, SET, STDOUT, TMP, TOP, close, read,
    read_directory, renumber, seek, set_flags, status, tell, write,
};
use crate::errno::{BADF, INVAL, MFILE, NOENT};
use crate::tests;

tests![
    the_first_that_is_opened_is_behind_the_preopened,
    a_number_that_was_closed_is_used_again,
    the_lowest_that_is_free_is_taken,
    what_is_closed_cannot_be_used,
    what_was_never_open_cannot_be_closed,
    two_descriptors_of_a_file_have_a_position_each,
    two_descriptors_of_a_file_see_what_the_other_writes,
    a_renumbered_descriptor_keeps_its_position,
    a_renumbered_descriptor_takes_the_place_of_another,
    renumbering_to_itself_changes_nothing,
    renumbering_wants_two_that_are_open,
    a_stream_can_be_renumbered => "exit 0", "passed",
    three_thousand_files_may_be_open_at_once,
    flags_are_those_that_it_was_opened_with,
    flags_can_be_changed,
    unknown_flags_are_invalid,
    a_descriptor_says_what_it_leads_to,
    a_file_that_was_removed_stays_until_it_is_closed,
    nothing_is_made_in_a_directory_that_was_removed,
];

fn the_first_that_is_opened_is_behind_the_preopened() {
    assert_eq!(made("one", b""), FREE);
    assert_eq!(made("two", b""), FREE + 1);
}

fn a_number_that_was_closed_is_used_again() {
    for _ in 0..200 {
        let fd = made("file", b"");
        assert_eq!(fd, FREE);
        assert_eq!(close(fd), Ok(()));
    }
}

fn the_lowest_that_is_free_is_taken() {
    let all = [made("a", b""), made("b", b""), made("c", b"")];
    close(all[1]).unwrap();
    close(all[0]).unwrap();
    assert_eq!(made("d", b""), all[0]);
    assert_eq!(made("e", b""), all[1]);
    assert_eq!(made("f", b""), all[2] + 1);
}

fn what_is_closed_cannot_be_used() {
    let fd = made("file", b"");
    close(fd).unwrap();
    assert_eq!(read(fd, 1), Err(BADF));
    assert_eq!(write(fd, b"x"), Err(BADF));
    assert_eq!(status(fd), Err(BADF));
    assert_eq!(close(fd), Err(BADF));
}

fn what_was_never_open_cannot_be_closed() {
    for fd in [FREE, 1000, 1 << 31, u32::MAX] {
        assert_eq!(close(fd), Err(BADF));
    }
}

fn two_descriptors_of_a_file_have_a_position_each() {
    put("file", b"contents");
    let both = [
        Open::READ.at(TMP, "file").unwrap(),
        Open::READ.at(TMP, "file").unwrap(),
    ];
    assert_eq!(read(both[0], 3).unwrap(), b"con");
    assert_eq!(read(both[1], 5).unwrap(), b"conte");
    assert_eq!(both.map(tell), [Ok(3), Ok(5)]);
}

fn two_descriptors_of_a_file_see_what_the_other_writes() {
    let one = made("file", b"contents");
    let other = Open::READ.at(TMP, "file").unwrap();
    seek(one, 0, SET).unwrap();
    write(one, b"CON").unwrap();
    assert_eq!(read(other, 8).unwrap(), b"CONtents");
}

fn a_renumbered_descriptor_keeps_its_position() {
    let (from, to) = (made("from", b"contents"), made("to", b""));
    seek(from, 3, SET).unwrap();
    assert_eq!(renumber(from, to), Ok(()));
    assert_eq!(read(to, 8).unwrap(), b"tents");
}

fn a_renumbered_descriptor_takes_the_place_of_another() {
    let (from, to) = (made("from", b"x"), made("to", b"y"));
    let old = status(from).unwrap();
    renumber(from, to).unwrap();
    assert_eq!(status(to), Ok(old));
    assert_eq!(status(from), Err(BADF));
    assert_eq!(made("next", b""), from);
}

fn renumbering_to_itself_changes_nothing() {
    let fd = made("file", b"contents");
    assert_eq!(renumber(fd, fd), Ok(()));
    assert_eq!(tell(fd), Ok(8));
}

fn renumbering_wants_two_that_are_open() {
    let fd = made("file", b"");
    assert_eq!(renumber(fd, fd + 1), Err(BADF));
    assert_eq!(renumber(fd + 1, fd), Err(BADF));
    assert_eq!(renumber(fd + 1, fd + 1), Err(BADF));
    assert!(status(fd).is_ok());
}

/// What is written to a file that has the number of the response is no response. The answer of the test goes out
/// as it has its number back.
fn a_stream_can_be_renumbered() {
    let (file, other) = (made("file", b""), made("other", b""));
    renumber(STDOUT, other).unwrap();
    assert_eq!(write(STDOUT, b"text"), Err(BADF));
    let open = Open::ALL.at(TMP, "third").unwrap();
    assert_eq!(open, STDOUT);
    renumber(file, STDOUT).unwrap();
    assert_eq!(write(STDOUT, b"text"), Ok(4));
    assert_eq!(contents(TMP, "file").unwrap(), b"text");
    renumber(other, STDOUT).unwrap();
}

fn three_thousand_files_may_be_open_at_once() {
    put("file", b"");
    let open = || Open::READ.at(TMP, "file");
    let opened: Vec<u32> = iter::from_fn(|| open().ok()).collect();
    assert!(opened.len() >= 3000, "{}", opened.len());
    assert!(opened.iter().copied().eq(FREE..FREE + opened.len() as u32));
    assert_eq!(open(), Err(MFILE));
    assert_eq!(Open::ALL.at(TMP, "new"), Err(MFILE));
    assert!(!is_there("new"));
    for number in [2900, 20] {
        close(number).unwrap();
        assert_eq!(open(), Ok(number));
    }
}

fn flags_are_those_that_it_was_opened_with() {
    for flags in [0, APPEND, NONBLOCK, APPEND | NONBLOCK] {
        let fd = Open { flags, ..Open::ALL }.at(TMP, "file").unwrap();
        assert_eq!(u32::from(status(fd).unwrap().flags), flags);
    }
}

fn flags_can_be_changed() {
    let fd = made("file", b"contents");
    assert_eq!(set_flags(fd, APPEND), Ok(()));
    seek(fd, 0, SET).unwrap();
    write(fd, b"!").unwrap();
    assert_eq!(contents(TMP, "file").unwrap(), b"contents!");
    assert_eq!(set_flags(fd, 0), Ok(()));
    assert_eq!(status(fd).unwrap().flags, 0);
    seek(fd, 0, SET).unwrap();
    write(fd, b"C").unwrap();
    assert_eq!(contents(TMP, "file").unwrap(), b"Contents!");
}

fn unknown_flags_are_invalid() {
    let fd = made("file", b"");
    assert_eq!(set_flags(fd, 1 << 5), Err(INVAL));
    let open = Open {
        flags: 1 << 5,
        ..Open::READ
    };
    assert_eq!(open.at(TMP, "file"), Err(INVAL));
}

fn a_descriptor_says_what_it_leads_to() {
    assert_eq!(status(made("file", b"")).unwrap().kind, IS_FILE);
    assert_eq!(status(TOP).unwrap().kind, IS_DIRECTORY);
    let fd = Open::DIRECTORY.at(TMP, ".").unwrap();
    assert_eq!(status(fd).unwrap().kind, IS_DIRECTORY);
}

fn a_file_that_was_removed_stays_until_it_is_closed() {
    let fd = made("file", b"contents");
    unlink(TMP, "file").unwrap();
    assert!(!is_there("file"));
    seek(fd, 0, SET).unwrap();
    assert_eq!(read(fd, 8).unwrap(), b"contents");
    write(fd, b" go on").unwrap();
    assert_eq!(tell(fd), Ok(14));
    put("file", b"another");
    seek(fd, 0, SET).unwrap();
    assert_eq!(read(fd, 20).unwrap(), b"contents go on");
}

fn nothing_is_made_in_a_directory_that_was_removed() {
    make_directory("d");
    let fd = Open::DIRECTORY.at(TMP, "d").unwrap();
    remove_directory(TMP, "d").unwrap();
    assert_eq!(Open::ALL.at(fd, "new"), Err(NOENT));
    assert_eq!(crate::at_path::create_directory(fd, "new"), Err(NOENT));
    assert_eq!(crate::at_path::symlink("x", fd, "new"), Err(NOENT));
    put("file", b"");
    assert_eq!(crate::at_path::rename(TMP, "file", fd, "new"), Err(NOENT));
    assert_eq!(
        crate::at_path::link((TMP, 0), "file", fd, "new"),
        Err(NOENT)
    );
    let listed = read_directory(fd, &mut [0; 200], 0);
    assert!(listed.is_ok_and(|used| used < 60), "{listed:?}");
}
