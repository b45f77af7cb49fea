//! Listing, moving, linking and removing what there is, and its times and rights.

mod world;

use luge_wasi::{Errno, Function as F};
use world::{Command, DIRECTORY, RESULT, TEXT, TMP, TOP};

const START: u64 = 0;

#[test]
fn a_directory_is_listed_whole_however_small_the_buffer_is_and_whatever_is_removed() {
    let mut command = Command::with_files();
    let top = [
        ".", "..", "absolute", "deep", "file", "link", "loop", "out", "to-deep",
    ];
    for length in [48, 60, 100, 4096] {
        assert_eq!(command.list(TOP, length), top, "{length}");
    }
    for name in ["a", "b", "c", "d"] {
        command.create(name, b"");
    }
    // The cookie behind `b` means the same when `a` and `b` are gone.
    let call = [TMP.into(), 0x2000, 4096, 0, RESULT.into()];
    assert_eq!(command.call(F::FdReaddir, &call), Errno::Success);
    let behind_b = command.u64_at(0x2000 + 25 + 26 + 25);
    for name in ["a", "b"] {
        assert_eq!(
            command.at(F::PathUnlinkFile, TMP, name, &[]),
            Errno::Success
        );
    }
    let call = [TMP.into(), 0x2000, 25, behind_b, RESULT.into()];
    assert_eq!(command.call(F::FdReaddir, &call), Errno::Success);
    assert_eq!(command.bytes_at(0x2000 + 24, 1), b"c");
    assert_eq!(command.list(TMP, 64), [".", "..", "c", "d"]);
}

/// Renames within `/tmp`.
fn rename(command: &mut Command, from: &str, to: &str) -> Errno {
    let [pointer, length] = command.path(from);
    let [other, other_length] = command.other_path(to);
    let tmp = u64::from(TMP);
    command.call(
        F::PathRename,
        &[tmp, pointer, length, tmp, other, other_length],
    )
}

#[test]
fn a_rename_replaces_what_is_like_it() {
    let mut command = Command::with_files();
    command.create("file", b"file");
    command.create("other", b"other");
    for directory in ["empty", "full", "full/below"] {
        assert_eq!(
            command.at(F::PathCreateDirectory, TMP, directory, &[]),
            Errno::Success
        );
    }
    for (from, to, errno) in [
        ("none", "x", Errno::NoEntry),
        ("file", "empty", Errno::IsADirectory),
        ("empty", "file", Errno::NotADirectory),
        ("empty", "full", Errno::NotEmpty),
        ("full", "full/below/x", Errno::Invalid),
        ("full", "full", Errno::Success),
        ("file", "x/", Errno::NotADirectory),
        ("file", "none/x", Errno::NoEntry),
        (".", "x", Errno::Invalid),
        ("file", "full/below/moved", Errno::Success),
        ("full/below/moved", "other", Errno::Success),
        ("full/below", "empty", Errno::Success),
        ("empty", "full/again/", Errno::Success),
    ] {
        assert_eq!(rename(&mut command, from, to), errno, "{from} to {to}");
    }
    assert_eq!(command.list(TMP, 4096), [".", "..", "full", "other"]);
    assert_eq!(command.stat(TMP, "other"), Ok((4, 4, 1)));
    assert_eq!(command.stat(TMP, "full/again/.."), Ok((0, 3, 1)));
    assert_eq!(
        command.at(F::PathRemoveDirectory, TMP, "full", &[]),
        Errno::NotEmpty
    );
}

#[test]
fn nothing_moves_or_is_linked_between_the_file_systems() {
    let mut command = Command::with_files();
    let [pointer, length] = command.path("file");
    let [other, other_length] = command.other_path("new");
    let (top, tmp) = (u64::from(TOP), u64::from(TMP));
    assert_eq!(
        command.call(
            F::PathRename,
            &[top, pointer, length, tmp, other, other_length]
        ),
        Errno::CrossDevice
    );
    assert_eq!(
        command.call(
            F::PathLink,
            &[top, 0, pointer, length, tmp, other, other_length]
        ),
        Errno::CrossDevice
    );
}

#[test]
fn a_file_of_two_names_goes_with_the_last() {
    let mut command = Command::with_files();
    let file = command.create("one", b"text");
    assert_eq!(command.call(F::FdClose, &[file.into()]), Errno::Success);
    let [pointer, length] = command.path("one");
    let other = command.other_path("two");
    let call = [&[TMP.into(), 0, pointer, length, TMP.into()], &other[..]].concat();
    assert_eq!(command.call(F::PathLink, &call), Errno::Success);
    assert_eq!(command.call(F::PathLink, &call), Errno::Exists);
    assert_eq!(command.stat(TMP, "one"), Ok((4, 4, 2)));
    assert_eq!(
        command.at(F::PathUnlinkFile, TMP, "one", &[]),
        Errno::Success
    );
    assert_eq!(command.stat(TMP, "two"), Ok((4, 4, 1)));
    assert_eq!(
        command.at(F::PathUnlinkFile, TMP, "two", &[]),
        Errno::Success
    );
    assert_eq!(command.stat(TMP, "two"), Err(Errno::NoEntry));
}

#[test]
fn times_are_those_of_the_clock_or_those_that_are_set() {
    let mut command = Command::with_files();
    command.create("f", b"x");
    let times = |command: &mut Command| {
        assert_eq!(command.stat(TMP, "f").unwrap().1, 4);
        [40, 48, 56].map(|offset| command.u64_at(RESULT + offset))
    };
    assert_eq!(times(&mut command), [1_000_000_000_000; 3]);
    command.host().realtime_ns += 5;
    for (flags, expected) in [
        (1, [11, 1_000_000_000_000]),
        (4, [11, 22]),
        (2, [1_000_000_000_005, 22]),
        (8, [1_000_000_000_005, 1_000_000_000_005]),
    ] {
        let rest = [11, 22, flags];
        assert_eq!(
            command.at_with(F::PathFilestatSetTimes, (TMP, 0), "f", &rest),
            Errno::Success
        );
        assert_eq!(times(&mut command)[..2], expected, "{flags}");
    }
    for flags in [3, 12, 16] {
        let rest = [11, 22, flags];
        assert_eq!(
            command.at_with(F::PathFilestatSetTimes, (TMP, 0), "f", &rest),
            Errno::Invalid
        );
    }
}

#[test]
fn a_descriptor_does_what_its_rights_say_and_gives_on_no_more() {
    let mut command = Command::with_files();
    command.create("f", TEXT);
    let reader = command.open(TMP, "f", 0, 1 << 1).unwrap();
    assert_eq!(command.read(reader, 3).unwrap(), b"The");
    assert_eq!(command.seek(reader, 0, START), Err(Errno::NotCapable));
    assert_eq!(command.write(reader, b"x"), Err(Errno::NotCapable));
    // A directory that passes on the right to read, and no other.
    let (open, read) = (1 << 13, 1 << 1);
    assert_eq!(
        command.call(F::FdFdstatSetRights, &[TMP.into(), open, read]),
        Errno::Success
    );
    let may = [0, read, 0, 0, RESULT.into()];
    assert_eq!(
        command.at_with(F::PathOpen, (TMP, 0), "f", &may),
        Errno::Success
    );
    let must_not = [0, read | 1 << 6, 0, 0, RESULT.into()];
    assert_eq!(
        command.at_with(F::PathOpen, (TMP, 0), "f", &must_not),
        Errno::NotCapable
    );
    assert_eq!(
        command.at(F::PathUnlinkFile, TMP, "f", &[]),
        Errno::NotCapable
    );
}

#[test]
fn the_directories_that_are_there_from_the_start_have_names() {
    let mut command = Command::with_files();
    for (number, name) in [(TOP, "/"), (TMP, "/tmp")] {
        let number = u64::from(number);
        assert_eq!(command.call(F::FdPrestatGet, &[number, 64]), Errno::Success);
        assert_eq!(
            (command.u32_at(64), command.u32_at(68)),
            (0, name.len() as u32)
        );
        let short = [number, 128, name.len() as u64 - 1];
        assert_eq!(
            command.call(F::FdPrestatDirName, &short),
            Errno::NameTooLong
        );
        let long = [number, 128, 100];
        assert_eq!(command.call(F::FdPrestatDirName, &long), Errno::Success);
        assert_eq!(command.bytes_at(128, name.len() as u32), name.as_bytes());
    }
    let deep = command.open(TOP, "deep", DIRECTORY, 1 << 14).unwrap();
    assert_eq!(
        command.call(F::FdPrestatGet, &[deep.into(), 64]),
        Errno::BadDescriptor
    );
}
