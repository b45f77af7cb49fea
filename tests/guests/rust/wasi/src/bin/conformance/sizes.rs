//! `fd_filestat_set_size`, `fd_allocate`.

use crate::at_path::{Open, contents, made};
use crate::calls::{FREE, TMP, allocate, file, pwrite, set_size, tell, write};
use crate::errno::{BADF, FBIG, INVAL, NOSPC, NOTCAPABLE};
use crate::tests;

tests![
    a_file_can_be_cut_off,
    a_file_can_be_made_longer,
    what_was_cut_off_does_not_come_back,
    a_size_leaves_the_position,
    a_size_that_it_has_changes_nothing,
    a_size_beyond_all_room_is_refused,
    a_size_beyond_the_largest_is_too_big,
    who_may_not_write_sets_no_size,
    what_is_allocated_is_zero,
    allocating_never_cuts_off,
    allocating_inside_changes_nothing,
    allocating_nothing_is_invalid,
    allocating_what_overflows_is_refused,
    allocating_leaves_the_position,
    what_is_closed_has_no_size,
];

fn a_file_can_be_cut_off() {
    let fd = made("file", b"contents");
    assert_eq!(set_size(fd, 3), Ok(()));
    assert_eq!(contents(TMP, "file").unwrap(), b"con");
    assert_eq!(set_size(fd, 0), Ok(()));
    assert_eq!(contents(TMP, "file").unwrap(), b"");
}

fn a_file_can_be_made_longer() {
    let fd = made("file", b"abc");
    assert_eq!(set_size(fd, 9_000), Ok(()));
    let all = contents(TMP, "file").unwrap();
    assert_eq!((all.len(), &all[..3]), (9_000, &b"abc"[..]));
    assert!(all[3..].iter().all(|byte| *byte == 0));
}

fn what_was_cut_off_does_not_come_back() {
    let fd = made("file", &[b'x'; 10_000]);
    set_size(fd, 10).unwrap();
    set_size(fd, 10_000).unwrap();
    let all = contents(TMP, "file").unwrap();
    assert_eq!(all[..10], [b'x'; 10]);
    assert!(all[10..].iter().all(|byte| *byte == 0));
}

fn a_size_leaves_the_position() {
    let fd = made("file", b"contents");
    set_size(fd, 2).unwrap();
    assert_eq!(tell(fd), Ok(8));
    write(fd, b"x").unwrap();
    assert_eq!(contents(TMP, "file").unwrap(), b"co\0\0\0\0\0\0x");
}

fn a_size_that_it_has_changes_nothing() {
    let fd = made("file", b"contents");
    assert_eq!(set_size(fd, 8), Ok(()));
    assert_eq!(contents(TMP, "file").unwrap(), b"contents");
}

fn a_size_beyond_all_room_is_refused() {
    let fd = made("file", b"contents");
    assert_eq!(set_size(fd, 1 << 40), Err(NOSPC));
    assert_eq!(contents(TMP, "file").unwrap(), b"contents");
}

fn a_size_beyond_the_largest_is_too_big() {
    let fd = made("file", b"contents");
    for size in [1 << 50, u64::MAX >> 1, u64::MAX] {
        assert_eq!(set_size(fd, size), Err(FBIG));
        assert_eq!(allocate(fd, size - 1, 1), Err(FBIG));
        assert_eq!(pwrite(fd, b"x", size - 1), Err(FBIG));
    }
    assert_eq!(contents(TMP, "file").unwrap(), b"contents");
}

fn who_may_not_write_sets_no_size() {
    made("file", b"contents");
    let fd = Open::READ.at(TMP, "file").unwrap();
    assert_eq!(set_size(fd, 0), Err(NOTCAPABLE));
    assert_eq!(allocate(fd, 0, 100), Err(NOTCAPABLE));
}

fn what_is_allocated_is_zero() {
    let fd = made("file", b"abc");
    assert_eq!(allocate(fd, 1, 9), Ok(()));
    assert_eq!(contents(TMP, "file").unwrap(), b"abc\0\0\0\0\0\0\0");
}

fn allocating_never_cuts_off() {
    let fd = made("file", b"contents");
    assert_eq!(allocate(fd, 0, 4), Ok(()));
    assert_eq!(file(fd).unwrap().size, 8);
}

fn allocating_inside_changes_nothing() {
    let fd = made("file", b"contents");
    assert_eq!(allocate(fd, 2, 3), Ok(()));
    assert_eq!(contents(TMP, "file").unwrap(), b"contents");
}

fn allocating_nothing_is_invalid() {
    let fd = made("file", b"contents");
    assert_eq!(allocate(fd, 0, 0), Err(INVAL));
}

fn allocating_what_overflows_is_refused() {
    let fd = made("file", b"contents");
    assert_eq!(allocate(fd, u64::MAX, 1), Err(FBIG));
    let refused = allocate(fd, 1 << 40, 1);
    assert!([Err(NOSPC), Err(FBIG)].contains(&refused), "{refused:?}");
    assert_eq!(file(fd).unwrap().size, 8);
}

fn allocating_leaves_the_position() {
    let fd = made("file", b"contents");
    allocate(fd, 0, 100).unwrap();
    assert_eq!(tell(fd), Ok(8));
}

fn what_is_closed_has_no_size() {
    assert_eq!(set_size(FREE, 0), Err(BADF));
    assert_eq!(allocate(FREE, 0, 1), Err(BADF));
}
