//! `path_open` of files, `fd_read`, `fd_write`, `fd_pread`, `fd_pwrite`.

use crate::at_path::{Open, contents, file_at, is_there, made, put};
use crate::calls::{
    APPEND, CREATE, EXCLUSIVE, FREE, SET, TMP, TRUNCATE, close, file, pread, pwrite, read,
    read_into, seek, tell, write, write_all_of,
};
use crate::errno::{BADF, EXIST, INVAL, NOENT, NOTCAPABLE};
use crate::{rights, tests};

tests![
    what_is_not_there_is_not_opened,
    what_is_not_there_can_be_made,
    what_is_there_is_opened_as_it_is,
    what_must_be_new_must_not_be_there,
    opening_can_truncate,
    unknown_ways_of_opening_are_invalid,
    a_new_file_is_empty,
    bytes_are_read_as_they_were_written,
    reading_goes_on_where_it_ended,
    reading_stops_at_the_end,
    buffers_are_filled_one_after_the_other,
    buffers_are_written_one_after_the_other,
    writing_over_what_is_there_keeps_the_rest,
    a_hole_is_filled_with_zeroes,
    nothing_can_be_read_and_written,
    a_write_at_a_place_moves_nothing,
    a_read_at_a_place_moves_nothing,
    a_read_behind_the_end_is_empty,
    a_write_at_a_place_leaves_a_hole,
    appending_writes_at_the_end,
    appending_reads_from_where_it_is,
    appending_keeps_the_place_of_a_write_at_a_place,
    a_megabyte_comes_back_as_it_went,
    what_is_open_to_be_read_is_not_written,
    what_is_open_to_be_written_is_not_read,
    a_file_may_be_opened_without_rights,
];

fn what_is_not_there_is_not_opened() {
    assert_eq!(Open::READ.at(TMP, "file"), Err(NOENT));
    assert_eq!(Open::READ.at(TMP, "no/such/file"), Err(NOENT));
    assert_eq!(close(FREE), Err(BADF));
}

fn what_is_not_there_can_be_made() {
    let fd = Open::ALL.at(TMP, "file").unwrap();
    assert!(is_there("file"));
    assert_eq!(close(fd), Ok(()));
    assert!(is_there("file"));
}

fn what_is_there_is_opened_as_it_is() {
    put("file", b"contents");
    let fd = Open::ALL.at(TMP, "file").unwrap();
    assert_eq!(read(fd, 100).unwrap(), b"contents");
}

fn what_must_be_new_must_not_be_there() {
    let open = Open {
        how: CREATE | EXCLUSIVE,
        ..Open::ALL
    };
    assert!(open.at(TMP, "file").is_ok());
    assert_eq!(open.at(TMP, "file"), Err(EXIST));
}

fn opening_can_truncate() {
    put("file", b"contents");
    let open = Open {
        how: TRUNCATE,
        ..Open::ALL
    };
    let fd = open.at(TMP, "file").unwrap();
    assert_eq!(file(fd).unwrap().size, 0);
    assert_eq!(open.at(TMP, "other"), Err(NOENT));
}

fn unknown_ways_of_opening_are_invalid() {
    put("file", b"");
    let open = Open {
        how: 1 << 4,
        ..Open::READ
    };
    assert_eq!(open.at(TMP, "file"), Err(INVAL));
}

fn a_new_file_is_empty() {
    let fd = made("file", b"");
    assert_eq!((file(fd).unwrap().size, tell(fd)), (0, Ok(0)));
    assert_eq!(read(fd, 10).unwrap(), b"");
}

fn bytes_are_read_as_they_were_written() {
    let bytes: Vec<u8> = (0..=255).collect();
    let fd = made("file", &bytes);
    seek(fd, 0, SET).unwrap();
    assert_eq!(read(fd, 1000).unwrap(), bytes);
}

fn reading_goes_on_where_it_ended() {
    let fd = made("file", b"contents");
    seek(fd, 0, SET).unwrap();
    for part in [&b"con"[..], b"ten", b"ts", b""] {
        assert_eq!(read(fd, 3).unwrap(), part);
    }
}

fn reading_stops_at_the_end() {
    let fd = made("file", b"contents");
    seek(fd, 6, SET).unwrap();
    assert_eq!(read(fd, 100).unwrap(), b"ts");
    assert_eq!(read(fd, 100).unwrap(), b"");
    assert_eq!(tell(fd), Ok(8));
}

fn buffers_are_filled_one_after_the_other() {
    let fd = made("file", b"contents");
    seek(fd, 0, SET).unwrap();
    let (mut one, mut other, mut last) = ([0; 3], [0; 4], [9; 4]);
    let length = read_into(fd, &mut [&mut one, &mut [], &mut other, &mut last]);
    assert_eq!(length, Ok(8));
    assert_eq!((&one, &other, &last), (b"con", b"tent", b"s\x09\x09\x09"));
}

fn buffers_are_written_one_after_the_other() {
    let fd = made("file", b"");
    let parts: [&[u8]; 4] = [b"one, ", b"", b"two", b", three"];
    assert_eq!(write_all_of(fd, &parts), Ok(15));
    assert_eq!(contents(TMP, "file").unwrap(), b"one, two, three");
}

fn writing_over_what_is_there_keeps_the_rest() {
    let fd = made("file", b"contents");
    seek(fd, 3, SET).unwrap();
    assert_eq!(write(fd, b"--"), Ok(2));
    assert_eq!(contents(TMP, "file").unwrap(), b"con--nts");
}

fn a_hole_is_filled_with_zeroes() {
    let fd = made("file", b"abc");
    seek(fd, 10_000, SET).unwrap();
    assert_eq!(file(fd).unwrap().size, 3);
    write(fd, b"x").unwrap();
    let all = contents(TMP, "file").unwrap();
    assert_eq!(
        (all.len(), &all[..3], all[10_000]),
        (10_001, &b"abc"[..], b'x')
    );
    assert!(all[3..10_000].iter().all(|byte| *byte == 0));
}

fn nothing_can_be_read_and_written() {
    let fd = made("file", b"contents");
    seek(fd, 100, SET).unwrap();
    assert_eq!(write(fd, b""), Ok(0));
    assert_eq!(file(fd).unwrap().size, 8);
    seek(fd, 0, SET).unwrap();
    assert_eq!(read(fd, 0).unwrap(), b"");
    assert_eq!(read_into(fd, &mut []), Ok(0));
    assert_eq!(tell(fd), Ok(0));
}

fn a_write_at_a_place_moves_nothing() {
    let fd = made("file", b"contents");
    assert_eq!(pwrite(fd, b"--", 3), Ok(2));
    assert_eq!(tell(fd), Ok(8));
    assert_eq!(contents(TMP, "file").unwrap(), b"con--nts");
}

fn a_read_at_a_place_moves_nothing() {
    let fd = made("file", b"contents");
    assert_eq!(pread(fd, 3, 2).unwrap(), b"nte");
    assert_eq!(pread(fd, 3, 0).unwrap(), b"con");
    assert_eq!(tell(fd), Ok(8));
}

fn a_read_behind_the_end_is_empty() {
    let fd = made("file", b"contents");
    for offset in [8, 9, 1 << 40, u64::MAX] {
        assert_eq!(pread(fd, 3, offset).unwrap(), b"");
    }
    assert_eq!(pread(fd, 100, 5).unwrap(), b"nts");
}

fn a_write_at_a_place_leaves_a_hole() {
    let fd = made("file", b"ab");
    assert_eq!(pwrite(fd, b"x", 5), Ok(1));
    assert_eq!(contents(TMP, "file").unwrap(), b"ab\0\0\0x");
}

fn appending() -> u32 {
    put("file", b"contents");
    let open = Open {
        flags: APPEND,
        ..Open::ALL
    };
    open.at(TMP, "file").unwrap()
}

fn appending_writes_at_the_end() {
    let fd = appending();
    assert_eq!(write(fd, b" one"), Ok(4));
    seek(fd, 0, SET).unwrap();
    assert_eq!(write(fd, b" two"), Ok(4));
    assert_eq!(contents(TMP, "file").unwrap(), b"contents one two");
    assert_eq!(tell(fd), Ok(16));
}

fn appending_reads_from_where_it_is() {
    let fd = appending();
    assert_eq!(read(fd, 3).unwrap(), b"con");
    write(fd, b"!").unwrap();
    seek(fd, 3, SET).unwrap();
    assert_eq!(read(fd, 100).unwrap(), b"tents!");
}

fn appending_keeps_the_place_of_a_write_at_a_place() {
    let fd = appending();
    assert_eq!(pwrite(fd, b"CON", 0), Ok(3));
    assert_eq!(contents(TMP, "file").unwrap(), b"CONtents");
}

fn a_megabyte_comes_back_as_it_went() {
    let bytes: Vec<u8> = (0..1_100_000u32).map(|at| (at * 31 >> 3) as u8).collect();
    let fd = made("file", &bytes);
    seek(fd, 0, SET).unwrap();
    assert!(read(fd, bytes.len() + 1).unwrap() == bytes);
    assert!(pread(fd, 70_000, 500_001).unwrap() == bytes[500_001..570_001]);
}

fn what_is_open_to_be_read_is_not_written() {
    put("file", b"contents");
    let fd = Open::READ.at(TMP, "file").unwrap();
    assert_eq!(write(fd, b"x"), Err(NOTCAPABLE));
    assert_eq!(pwrite(fd, b"x", 0), Err(NOTCAPABLE));
}

fn what_is_open_to_be_written_is_not_read() {
    let open = Open {
        rights: rights::WRITE | rights::SEEK,
        ..Open::ALL
    };
    let fd = open.at(TMP, "file").unwrap();
    assert_eq!(read(fd, 1), Err(NOTCAPABLE));
    assert_eq!(pread(fd, 1, 0), Err(NOTCAPABLE));
    assert_eq!(write(fd, b"x"), Ok(1));
}

fn a_file_may_be_opened_without_rights() {
    put("file", b"contents");
    let open = Open {
        rights: 0,
        ..Open::READ
    };
    let fd = open.at(TMP, "file").unwrap();
    assert_eq!(read(fd, 1), Err(NOTCAPABLE));
    assert_eq!(file_at(TMP, 0, "file").unwrap().size, 8);
    assert_eq!(close(fd), Ok(()));
}
