//! `fd_readdir`.

use crate::at_path::{Open, file_at, make_directory, put, rename, symlink, unlink};
use crate::calls::{FREE, IS_DIRECTORY, IS_FILE, IS_LINK, TMP, TOP, read_directory};
use crate::errno::{BADF, NOTDIR};
use crate::tests;

tests![
    an_empty_directory_has_two_dots,
    entries_say_what_they_are,
    entries_have_the_numbers_of_the_files,
    entries_are_cut_off_where_the_buffer_ends,
    a_buffer_that_is_not_full_is_the_end,
    reading_goes_on_at_every_cookie,
    a_small_buffer_sees_everything_in_time,
    no_room_is_no_error,
    behind_the_last_there_is_nothing,
    a_cookie_stays_right_when_others_are_removed,
    what_is_made_meanwhile_disturbs_nothing,
    many_entries_are_each_seen_once,
    two_dots_are_the_directory_above,
    the_folder_is_listed,
    a_file_is_no_directory,
];

const HEAD: usize = 24;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    next: u64,
    node: u64,
    kind: u8,
    name: String,
}

/// The entries that are whole in these bytes.
fn entries(bytes: &[u8]) -> Vec<Entry> {
    let (mut found, mut rest) = (Vec::new(), bytes);
    while let Some((head, tail)) = rest.split_first_chunk::<HEAD>() {
        let word = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap());
        let length = word(16) as u32 as usize;
        let Some((name, tail)) = tail.split_at_checked(length) else {
            break;
        };
        found.push(Entry {
            next: word(0),
            node: word(8),
            kind: head[20],
            name: String::from_utf8(name.to_vec()).unwrap(),
        });
        rest = tail;
    }
    found
}

fn from(fd: u32, cookie: u64) -> Vec<Entry> {
    let mut buffer = vec![0; 1 << 16];
    let used = read_directory(fd, &mut buffer, cookie).unwrap();
    entries(&buffer[..used])
}

fn names(entries: &[Entry]) -> Vec<&str> {
    let mut names: Vec<&str> = entries.iter().map(|entry| &*entry.name).collect();
    names.sort_unstable();
    names
}

fn an_empty_directory_has_two_dots() {
    let all = from(TMP, 0);
    assert_eq!(names(&all), [".", ".."]);
    assert!(all.iter().all(|entry| entry.kind == IS_DIRECTORY));
}

fn entries_say_what_they_are() {
    put("file", b"");
    make_directory("d");
    symlink("nowhere", TMP, "link").unwrap();
    let all = from(TMP, 0);
    assert_eq!(names(&all), [".", "..", "d", "file", "link"]);
    let kind = |name| all.iter().find(|entry| entry.name == name).unwrap().kind;
    assert_eq!(
        (kind("d"), kind("file"), kind("link")),
        (IS_DIRECTORY, IS_FILE, IS_LINK)
    );
}

fn entries_have_the_numbers_of_the_files() {
    put("file", b"");
    make_directory("d");
    for entry in from(TMP, 0).iter().filter(|entry| entry.name != "..") {
        let found = file_at(TMP, 0, &entry.name).unwrap();
        assert_eq!(entry.node, found.node, "{}", entry.name);
    }
}

fn entries_are_cut_off_where_the_buffer_ends() {
    put("file", b"");
    let all = from(TMP, 0);
    let whole: usize = all.iter().map(|entry| HEAD + entry.name.len()).sum();
    for room in 1..whole {
        let mut buffer = vec![0xaa; room + 8];
        let used = read_directory(TMP, &mut buffer[..room], 0);
        assert_eq!(used, Ok(room));
        assert_eq!(buffer[room..], [0xaa; 8]);
        let seen = entries(&buffer[..room]);
        assert_eq!(seen[..], all[..seen.len()]);
    }
}

fn a_buffer_that_is_not_full_is_the_end() {
    put("file", b"");
    let whole: usize = from(TMP, 0)
        .iter()
        .map(|entry| HEAD + entry.name.len())
        .sum();
    assert_eq!(read_directory(TMP, &mut vec![0; whole + 1], 0), Ok(whole));
}

fn reading_goes_on_at_every_cookie() {
    for name in ["a", "b", "c"] {
        put(name, b"");
    }
    let all = from(TMP, 0);
    assert_eq!(all.len(), 5);
    for (index, entry) in all.iter().enumerate() {
        assert_eq!(from(TMP, entry.next), all[index + 1..]);
    }
}

fn a_small_buffer_sees_everything_in_time() {
    for number in 0..20 {
        put(&format!("file-{number}"), b"");
    }
    let (mut seen, mut cookie) = (Vec::new(), 0);
    loop {
        let mut buffer = [0; 2 * HEAD + 10];
        let used = read_directory(TMP, &mut buffer, cookie).unwrap();
        let some = entries(&buffer[..used]);
        let Some(last) = some.last() else { break };
        cookie = last.next;
        seen.extend(some);
    }
    assert_eq!(seen, from(TMP, 0));
    assert_eq!(seen.len(), 22);
}

fn no_room_is_no_error() {
    assert_eq!(read_directory(TMP, &mut [], 0), Ok(0));
}

fn behind_the_last_there_is_nothing() {
    put("file", b"");
    let last = from(TMP, 0).last().unwrap().next;
    assert_eq!(from(TMP, last), []);
    assert_eq!(from(TMP, u64::MAX), []);
}

fn a_cookie_stays_right_when_others_are_removed() {
    for name in ["a", "b", "c", "d"] {
        put(name, b"");
    }
    let all = from(TMP, 0);
    let behind_b = all.iter().find(|entry| entry.name == "b").unwrap().next;
    unlink(TMP, "a").unwrap();
    unlink(TMP, "b").unwrap();
    assert_eq!(names(&from(TMP, behind_b)), ["c", "d"]);
}

fn what_is_made_meanwhile_disturbs_nothing() {
    for name in ["a", "b", "c"] {
        put(name, b"");
    }
    let all = from(TMP, 0);
    let behind_a = all.iter().find(|entry| entry.name == "a").unwrap().next;
    put("new", b"");
    rename(TMP, "a", TMP, "z").unwrap();
    let rest = from(TMP, behind_a);
    for name in ["b", "c"] {
        let seen = rest.iter().filter(|entry| entry.name == name).count();
        assert_eq!(seen, 1, "{name}");
    }
}

fn many_entries_are_each_seen_once() {
    for number in 0..300 {
        put(&format!("{number:03}"), b"");
    }
    let (mut seen, mut cookie) = (Vec::new(), 0);
    loop {
        let mut buffer = [0; 500];
        let used = read_directory(TMP, &mut buffer, cookie).unwrap();
        seen.extend(entries(&buffer[..used]));
        cookie = seen.last().unwrap().next;
        if used < buffer.len() {
            break;
        }
    }
    assert_eq!(seen.len(), 302);
    let wanted: Vec<String> = (0..300).map(|number| format!("{number:03}")).collect();
    assert_eq!(names(&seen)[2..], wanted[..]);
}

fn two_dots_are_the_directory_above() {
    make_directory("d");
    let fd = Open::DIRECTORY.at(TMP, "d").unwrap();
    let above = from(fd, 0)
        .iter()
        .find(|entry| entry.name == "..")
        .unwrap()
        .node;
    assert_eq!(above, file_at(TMP, 0, ".").unwrap().node);
}

fn the_folder_is_listed() {
    let all = from(TOP, 0);
    let wanted = [
        ".",
        "..",
        "greeting.txt",
        "link.txt",
        "poems",
        "squares.txt",
        "way-out.txt",
    ];
    assert_eq!(names(&all), wanted);
    for entry in all.iter().filter(|entry| entry.name != "..") {
        let found = file_at(TOP, 0, &entry.name).unwrap();
        assert_eq!((entry.kind, entry.node), (found.kind, found.node));
    }
    for (index, entry) in all.iter().enumerate() {
        assert_eq!(from(TOP, entry.next), all[index + 1..]);
    }
}

fn a_file_is_no_directory() {
    put("file", b"");
    let fd = Open::READ.at(TMP, "file").unwrap();
    assert_eq!(read_directory(fd, &mut [0; 100], 0), Err(NOTDIR));
    assert_eq!(read_directory(FREE + 1, &mut [0; 100], 0), Err(BADF));
}
