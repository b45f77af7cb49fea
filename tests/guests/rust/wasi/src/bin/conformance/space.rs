//! A scratch that is full: `nospc`, and room again for what is removed. The scratch of this route has 64 KiB.

use crate::at_path::{Open, create_directory, file_at, symlink, unlink};
use crate::calls::{
    Answer, TOP, allocate, close, file, pread, pwrite, seek, set_size, tell, write,
};
use crate::errno::NOSPC;
use crate::tests;

tests![
    a_full_scratch_says_so on SMALL,
    a_write_may_do_a_part on SMALL,
    what_is_removed_makes_room on SMALL,
    what_is_cut_off_makes_room on SMALL,
    what_is_open_keeps_its_room on SMALL,
    a_size_without_room_changes_nothing on SMALL,
    an_allocation_without_room_changes_nothing on SMALL,
    a_hole_takes_room on SMALL,
    names_and_directories_take_room on SMALL,
    a_full_scratch_can_be_read_and_overwritten on SMALL,
];

/// The only directory of this route.
const ROOM: u32 = TOP;
const KIB: usize = 1024;
const LIMIT: usize = 64 * KIB;

fn made(path: &str) -> u32 {
    Open::ALL.at(ROOM, path).expect("a new file")
}

/// Writes to a new file until there is no room. Gives the descriptor, and how much went in.
fn fill(path: &str) -> (u32, usize) {
    let fd = made(path);
    let mut sum = 0;
    loop {
        match write(fd, &[b'x'; KIB]) {
            Ok(written) => sum += written,
            Err(errno) => {
                assert_eq!(errno, NOSPC);
                return (fd, sum);
            }
        }
        assert!(sum <= LIMIT);
    }
}

fn a_full_scratch_says_so() {
    let (fd, sum) = fill("file");
    assert!(sum >= LIMIT - 8 * KIB, "{sum}");
    assert_eq!(file(fd).unwrap().size, sum as u64);
    assert_eq!(write(fd, b"x"), Err(NOSPC));
    assert_eq!(write(fd, b""), Ok(0));
}

fn a_write_may_do_a_part() {
    let fd = made("file");
    let written = write(fd, &[b'x'; 2 * LIMIT]).unwrap();
    assert!((1..=LIMIT).contains(&written), "{written}");
    assert_eq!(file(fd).unwrap().size, written as u64);
    assert_eq!(tell(fd), Ok(written as u64));
}

fn what_is_removed_makes_room() {
    let (fd, first) = fill("file");
    close(fd).unwrap();
    unlink(ROOM, "file").unwrap();
    for _ in 0..5 {
        let (fd, sum) = fill("file");
        assert_eq!(sum, first);
        close(fd).unwrap();
        unlink(ROOM, "file").unwrap();
    }
}

fn what_is_cut_off_makes_room() {
    let (fd, first) = fill("file");
    set_size(fd, 0).unwrap();
    seek(fd, 0, 0).unwrap();
    assert!(write(fd, &[b'y'; 4 * KIB]).is_ok());
    assert!(first > 4 * KIB);
}

fn what_is_open_keeps_its_room() {
    let (fd, _) = fill("file");
    unlink(ROOM, "file").unwrap();
    let refused = Open::ALL
        .at(ROOM, "other")
        .and_then(|fd| write(fd, &[0; 8 * KIB]));
    assert_eq!(refused, Err(NOSPC));
    close(fd).unwrap();
    let other = made("third");
    assert_eq!(write(other, &[0; 8 * KIB]), Ok(8 * KIB));
}

fn a_size_without_room_changes_nothing() {
    let fd = made("file");
    write(fd, b"contents").unwrap();
    assert_eq!(set_size(fd, 2 * LIMIT as u64), Err(NOSPC));
    assert_eq!(file(fd).unwrap().size, 8);
    assert_eq!(set_size(fd, 16 * KIB as u64), Ok(()));
}

fn an_allocation_without_room_changes_nothing() {
    let fd = made("file");
    write(fd, b"contents").unwrap();
    assert_eq!(allocate(fd, 0, 2 * LIMIT as u64), Err(NOSPC));
    assert_eq!(file(fd).unwrap().size, 8);
    assert_eq!(allocate(fd, 0, 16 * KIB as u64), Ok(()));
}

fn a_hole_takes_room() {
    let fd = made("file");
    assert_eq!(pwrite(fd, b"x", 2 * LIMIT as u64), Err(NOSPC));
    assert_eq!(file(fd).unwrap().size, 0);
    assert_eq!(pwrite(fd, b"x", 16 * KIB as u64), Ok(1));
}

fn names_and_directories_take_room() {
    let full =
        |call: &dyn Fn(usize) -> Answer<()>| (0..LIMIT).find_map(|number| call(number).err());
    let make = |number| create_directory(ROOM, &format!("{number}"));
    assert_eq!(full(&make), Some(NOSPC));
    assert_eq!(symlink("target", ROOM, "link"), Err(NOSPC));
    let create = || Open::ALL.at(ROOM, "file");
    assert_eq!(create(), Err(NOSPC));
    crate::at_path::remove_directory(ROOM, "0").unwrap();
    assert!(create().is_ok());
}

fn a_full_scratch_can_be_read_and_overwritten() {
    let (fd, sum) = fill("file");
    assert_eq!(pwrite(fd, b"begin", 0), Ok(5));
    assert_eq!(pread(fd, 6, 0).unwrap(), b"beginx");
    assert_eq!(file_at(ROOM, 0, "file").unwrap().size, sum as u64);
}
