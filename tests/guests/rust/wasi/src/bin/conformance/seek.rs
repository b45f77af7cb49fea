//! `fd_seek`, `fd_tell`.

use crate::at_path::{Open, made};
use crate::calls::{CURRENT, END, FREE, SET, TMP, TOP, read, seek, tell, write};
use crate::errno::{BADF, INVAL, NOTCAPABLE};
use crate::{rights, tests};

tests![
    a_position_is_set_from_the_start,
    a_position_is_moved_from_where_it_is,
    a_position_is_set_from_the_end,
    a_position_may_lie_behind_the_end,
    a_position_never_lies_before_the_start,
    a_position_that_overflows_is_invalid,
    a_move_that_is_refused_moves_nothing,
    there_is_no_fourth_place_to_start_from,
    the_end_moves_with_what_is_written,
    a_position_is_told,
    to_tell_is_a_right_of_its_own,
    a_directory_is_no_place_to_seek_in,
    a_file_of_the_folder_has_a_position_too,
];

fn a_position_is_set_from_the_start() {
    let fd = made("file", b"contents");
    assert_eq!(seek(fd, 3, SET), Ok(3));
    assert_eq!(read(fd, 2).unwrap(), b"te");
    assert_eq!(seek(fd, 0, SET), Ok(0));
    assert_eq!(read(fd, 2).unwrap(), b"co");
}

fn a_position_is_moved_from_where_it_is() {
    let fd = made("file", b"contents");
    assert_eq!(seek(fd, -6, CURRENT), Ok(2));
    assert_eq!(read(fd, 1).unwrap(), b"n");
    assert_eq!(seek(fd, 2, CURRENT), Ok(5));
    assert_eq!(read(fd, 1).unwrap(), b"n");
    assert_eq!(seek(fd, 0, CURRENT), Ok(6));
}

fn a_position_is_set_from_the_end() {
    let fd = made("file", b"contents");
    assert_eq!(seek(fd, -2, END), Ok(6));
    assert_eq!(read(fd, 5).unwrap(), b"ts");
    assert_eq!(seek(fd, 0, END), Ok(8));
}

fn a_position_may_lie_behind_the_end() {
    let fd = made("file", b"contents");
    assert_eq!(seek(fd, 100, SET), Ok(100));
    assert_eq!(read(fd, 5).unwrap(), b"");
    assert_eq!(seek(fd, 5, END), Ok(13));
    assert_eq!(tell(fd), Ok(13));
}

fn a_position_never_lies_before_the_start() {
    let fd = made("file", b"contents");
    assert_eq!(seek(fd, -1, SET), Err(INVAL));
    assert_eq!(seek(fd, -9, CURRENT), Err(INVAL));
    assert_eq!(seek(fd, -9, END), Err(INVAL));
    assert_eq!(seek(fd, i64::MIN, END), Err(INVAL));
    assert_eq!(seek(fd, -8, END), Ok(0));
}

fn a_position_that_overflows_is_invalid() {
    let fd = made("file", b"contents");
    seek(fd, i64::MAX, SET).unwrap();
    seek(fd, i64::MAX, CURRENT).unwrap();
    assert_eq!(seek(fd, i64::MAX, CURRENT), Err(INVAL));
}

fn a_move_that_is_refused_moves_nothing() {
    let fd = made("file", b"contents");
    seek(fd, 3, SET).unwrap();
    assert_eq!(seek(fd, -4, CURRENT), Err(INVAL));
    assert_eq!(seek(fd, 0, 3), Err(INVAL));
    assert_eq!(tell(fd), Ok(3));
}

fn there_is_no_fourth_place_to_start_from() {
    let fd = made("file", b"contents");
    for whence in [3, 4, 255, u32::MAX] {
        assert_eq!(seek(fd, 0, whence), Err(INVAL));
    }
}

fn the_end_moves_with_what_is_written() {
    let fd = made("file", b"contents");
    write(fd, b" and more").unwrap();
    assert_eq!(seek(fd, 0, END), Ok(17));
}

fn a_position_is_told() {
    let fd = made("file", b"");
    for written in 1..20 {
        write(fd, b"x").unwrap();
        assert_eq!(tell(fd), Ok(written));
    }
    assert_eq!(tell(FREE + 1), Err(BADF));
}

fn to_tell_is_a_right_of_its_own() {
    made("file", b"contents");
    let open = Open {
        rights: rights::TELL | rights::READ,
        ..Open::READ
    };
    let fd = open.at(TMP, "file").unwrap();
    assert_eq!(tell(fd), Ok(0));
    assert_eq!(seek(fd, 0, CURRENT), Ok(0));
    assert_eq!(seek(fd, 1, CURRENT), Err(NOTCAPABLE));
    assert_eq!(seek(fd, 0, END), Err(NOTCAPABLE));
}

fn a_directory_is_no_place_to_seek_in() {
    assert_eq!(seek(TMP, 0, SET), Err(BADF));
    assert_eq!(seek(TOP, 1, CURRENT), Err(BADF));
    assert_eq!(tell(TOP), Err(BADF));
}

fn a_file_of_the_folder_has_a_position_too() {
    let fd = Open::READ.at(TOP, "greeting.txt").unwrap();
    let end = seek(fd, 0, END).unwrap();
    assert_eq!(read(fd, 1).unwrap(), b"");
    assert_eq!(seek(fd, -1, END), Ok(end - 1));
    assert_eq!(read(fd, 2).unwrap(), b"\n");
}
