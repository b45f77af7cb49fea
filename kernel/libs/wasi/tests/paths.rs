//! Following paths, and what must not be reached by them.

mod world;

use luge_wasi::{Errno, Function as F, LONGEST_NAME, LONGEST_PATH};
use world::{
    CREATE, Command, DIRECTORY, EXCLUSIVE, OTHER_PATH, PATH, READ, RESULT, TMP, TOP, WRITE,
};

/// What opening each path for reading answers.
fn opened(command: &mut Command, directory: u32, cases: &[(&str, Errno)]) {
    for (path, errno) in cases {
        let result = command.open(directory, path, 0, READ);
        assert_eq!(result.err().unwrap_or(Errno::Success), *errno, "{path:?}");
        if let Ok(file) = result {
            assert_eq!(command.call(F::FdClose, &[file.into()]), Errno::Success);
        }
    }
}

#[test]
fn a_path_is_followed_through_directories_and_links() {
    let mut command = Command::with_files();
    opened(
        &mut command,
        TOP,
        &[
            ("file", Errno::Success),
            ("./file", Errno::Success),
            ("deep//./inner", Errno::Success),
            ("deep/../deep/inner", Errno::Success),
            ("link", Errno::Success),
            ("to-deep/inner", Errno::Success),
            ("to-deep/../file", Errno::Success),
            ("deep/up", Errno::Success),
            (".", Errno::Success),
            ("deep/..", Errno::Success),
            ("deep/", Errno::Success),
            ("to-deep///", Errno::Success),
            ("none", Errno::NoEntry),
            ("none/inner", Errno::NoEntry),
            ("file/inner", Errno::NotADirectory),
            ("file/", Errno::NotADirectory),
            ("link/", Errno::NotADirectory),
            ("file/..", Errno::NotADirectory),
            ("", Errno::NoEntry),
        ],
    );
}

#[test]
fn no_path_leads_out_of_the_directory_that_it_starts_from() {
    let mut command = Command::with_files();
    let out = [
        ("..", Errno::NotPermitted),
        ("../file", Errno::NotPermitted),
        ("deep/../../file", Errno::NotPermitted),
        ("/file", Errno::NotPermitted),
        ("/", Errno::NotPermitted),
        ("out", Errno::NotPermitted),
        ("absolute", Errno::NotPermitted),
        ("to-deep/../../x", Errno::NotPermitted),
    ];
    opened(&mut command, TOP, &out);
    let deep = command.open(TOP, "deep", DIRECTORY, 0x3fff_ffbf).unwrap();
    opened(
        &mut command,
        deep,
        &[
            ("inner", Errno::Success),
            ("../file", Errno::NotPermitted),
            ("up", Errno::NotPermitted),
        ],
    );
}

#[test]
fn links_without_end_are_a_loop() {
    let mut command = Command::with_files();
    opened(
        &mut command,
        TOP,
        &[("loop", Errno::Loop), ("loop/x", Errno::Loop)],
    );
    // A chain of 40 is followed, one of 41 is not.
    command.create("link0", b"end");
    for number in 1..=41 {
        let [pointer, length] = command.path(&format!("link{}", number - 1));
        let other = command.other_path(&format!("link{number}"));
        let call = [&[pointer, length, TMP.into()], &other[..]].concat();
        assert_eq!(command.call(F::PathSymlink, &call), Errno::Success);
    }
    opened(
        &mut command,
        TMP,
        &[("link40", Errno::Success), ("link41", Errno::Loop)],
    );
}

#[test]
fn a_link_at_the_end_is_kept_unless_it_is_to_be_followed() {
    let mut command = Command::with_files();
    assert_eq!(command.stat(TOP, "link"), Ok((12, 7, 1)));
    assert_eq!(command.stat(TOP, "link/"), Err(Errno::NotADirectory));
    assert_eq!(command.stat(TOP, "to-deep/"), Ok((0, 3, 1)));
    let rest = [0, READ, 0, 0, RESULT.into()];
    assert_eq!(
        command.at_with(F::PathOpen, (TOP, 0), "link", &rest),
        Errno::Loop
    );
}

#[test]
fn names_and_paths_have_their_longest() {
    let mut command = Command::with_files();
    let longest = "n".repeat(LONGEST_NAME);
    command.create(&longest, b"x");
    assert_eq!(command.stat(TMP, &longest), Ok((1, 4, 1)));
    let longer = "n".repeat(LONGEST_NAME + 1);
    assert_eq!(
        command.open(TMP, &longer, CREATE, READ),
        Err(Errno::NameTooLong)
    );
    let path = "./".repeat(LONGEST_PATH / 2 - 1) + "xy";
    assert_eq!(command.stat(TMP, &path), Err(Errno::NoEntry));
    assert_eq!(command.stat(TMP, &(path + "z")), Err(Errno::NameTooLong));
}

#[test]
fn a_path_is_text_without_nul() {
    let mut command = Command::with_files();
    for (bytes, errno) in [
        (&b"fi\0le"[..], Errno::Invalid),
        (b"file\0", Errno::Invalid),
        (b"\xff\xfe", Errno::NoText),
        (b"caf\xc3", Errno::NoText),
        (b"\xed\xa0\x80", Errno::NoText),
    ] {
        command.put(PATH, bytes);
        let call = [
            TOP.into(),
            0,
            PATH.into(),
            bytes.len() as u64,
            RESULT.into(),
        ];
        assert_eq!(command.call(F::PathFilestatGet, &call), errno, "{bytes:?}");
    }
    command.create("grüße-日本", b"");
    assert_eq!(command.list(TMP, 4096), [".", "..", "grüße-日本"]);
}

#[test]
fn a_directory_as_deep_as_there_is_room_can_be_walked() {
    let mut command = Command::with_files();
    let mut directory = TMP;
    let mut depth = 0;
    // Each is opened from the one above, whose descriptor is then closed.
    while command.at(F::PathCreateDirectory, directory, "d", &[]) == Errno::Success {
        let below = command
            .open(directory, "d", DIRECTORY, 0x3fff_ffbf)
            .unwrap();
        if directory != TMP {
            assert_eq!(
                command.call(F::FdClose, &[directory.into()]),
                Errno::Success
            );
        }
        directory = below;
        depth += 1;
    }
    assert!(depth > 1_000, "{depth}");
    let path = "d/".repeat(LONGEST_PATH / 2);
    assert_eq!(command.stat(TMP, &path), Ok((0, 3, 1)));
    let back = "d/../".repeat(LONGEST_PATH / 5);
    assert_eq!(command.stat(TMP, &back), Ok((0, 3, 1)));
}

#[test]
fn a_symbolic_link_that_leads_out_cannot_be_made() {
    let mut command = Command::with_files();
    for (target, errno) in [
        ("/etc/passwd", Errno::NotPermitted),
        ("", Errno::NoEntry),
        ("a\0b", Errno::Invalid),
        ("../..", Errno::Success),
    ] {
        let [pointer, length] = command.path(target);
        let other = command.other_path("new");
        let call = [&[pointer, length, TMP.into()], &other[..]].concat();
        assert_eq!(command.call(F::PathSymlink, &call), errno, "{target:?}");
    }
    // That it leads out is seen when it is followed.
    opened(&mut command, TMP, &[("new", Errno::NotPermitted)]);
    assert_eq!(command.u32_at(OTHER_PATH), u32::from_le_bytes(*b"new\0"));
}

#[test]
fn nothing_is_created_through_a_slash_a_file_or_a_removed_directory() {
    let mut command = Command::with_files();
    command.create("file", b"");
    for (path, errno) in [
        ("new/", Errno::IsADirectory),
        ("file/new", Errno::NotADirectory),
        ("none/new", Errno::NoEntry),
        (".", Errno::IsADirectory),
    ] {
        assert_eq!(command.open(TMP, path, CREATE, READ), Err(errno), "{path}");
    }
    assert_eq!(
        command.open(TMP, "file", CREATE | EXCLUSIVE, READ),
        Err(Errno::Exists)
    );
    assert_eq!(
        command.at(F::PathCreateDirectory, TMP, "gone", &[]),
        Errno::Success
    );
    let gone = command.open(TMP, "gone", DIRECTORY, 0x3fff_ffbf).unwrap();
    assert_eq!(
        command.at(F::PathRemoveDirectory, TMP, "gone", &[]),
        Errno::Success
    );
    assert_eq!(
        command.open(gone, "new", CREATE, READ | WRITE),
        Err(Errno::NoEntry)
    );
    assert_eq!(command.list(gone, 4096), [".", ".."]);
}

#[test]
fn unknown_lookup_flags_are_invalid() {
    let mut command = Command::with_files();
    command.create("file", b"");
    for flags in [2, 3, 4, 1 << 31] {
        let result = u64::from(RESULT);
        let from = (TMP, flags);
        let open = [0, READ, 0, 0, result];
        let other = command.other_path("new");
        let link = [&[TMP.into()], &other[..]].concat();
        let answers = [
            command.at_with(F::PathOpen, from, "file", &open),
            command.at_with(F::PathFilestatGet, from, "file", &[result]),
            command.at_with(F::PathFilestatSetTimes, from, "file", &[0, 0, 0]),
            command.at_with(F::PathLink, from, "file", &link),
        ];
        assert_eq!(answers, [Errno::Invalid; 4], "{flags}");
    }
}
