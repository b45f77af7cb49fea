//! `fd_prestat_get`, `fd_prestat_dir_name`: what is there from the start.

use crate::at_path::{Open, contents, is_there, made, put};
use crate::calls::{DEV, FREE, STDIN, TMP, TOP, close, file, prestat, prestat_name, renumber};
use crate::errno::{BADF, NAMETOOLONG};
use crate::tests;

tests![
    the_folder_the_scratch_and_the_devices_are_there,
    their_names_have_no_nul,
    a_name_needs_room,
    more_room_than_needed_stays_as_it_is,
    the_number_behind_the_last_is_no_directory,
    streams_and_what_is_opened_are_not_preopened,
    a_preopened_directory_can_be_closed,
    a_preopened_directory_can_be_another,
    a_route_without_files_has_devices_alone on BARE,
    a_scratch_alone_comes_first on SMALL,
];

fn name(fd: u32) -> Vec<u8> {
    let (tag, length) = prestat(fd).unwrap();
    assert_eq!(tag, 0);
    let mut name = vec![0xaa; length as usize];
    prestat_name(fd, &mut name).unwrap();
    name
}

fn the_folder_the_scratch_and_the_devices_are_there() {
    assert_eq!(name(TOP), b"/");
    assert_eq!(name(TMP), b"/tmp");
    assert_eq!(name(DEV), b"/dev");
}

fn their_names_have_no_nul() {
    let mut room = [0xaa; 6];
    assert_eq!(prestat_name(TMP, &mut room[..4]), Ok(()));
    assert_eq!(&room, b"/tmp\xaa\xaa");
}

fn a_name_needs_room() {
    let mut room = [0xaa; 3];
    assert_eq!(prestat_name(TMP, &mut room), Err(NAMETOOLONG));
    assert_eq!(prestat_name(TOP, &mut []), Err(NAMETOOLONG));
    assert_eq!(room, [0xaa; 3]);
}

fn more_room_than_needed_stays_as_it_is() {
    let mut room = [0xaa; 20];
    assert_eq!(prestat_name(TMP, &mut room), Ok(()));
    assert_eq!(&room[..4], b"/tmp");
    assert_eq!(room[4..], [0xaa; 16]);
}

fn the_number_behind_the_last_is_no_directory() {
    assert_eq!(prestat(FREE), Err(BADF));
    assert_eq!(prestat_name(FREE, &mut [0; 10]), Err(BADF));
}

fn streams_and_what_is_opened_are_not_preopened() {
    assert_eq!(prestat(STDIN), Err(BADF));
    let fd = Open::DIRECTORY.at(TMP, ".").unwrap();
    assert_eq!(prestat(fd), Err(BADF));
    assert_eq!(prestat(made("file", b"")), Err(BADF));
}

fn a_preopened_directory_can_be_closed() {
    assert_eq!(close(TMP), Ok(()));
    assert_eq!(prestat(TMP), Err(BADF));
    assert_eq!(Open::ALL.at(TMP, "file"), Err(BADF));
    assert_eq!(Open::DIRECTORY.at(TOP, "poems"), Ok(TMP));
    assert_eq!(prestat(TMP), Err(BADF));
}

fn a_preopened_directory_can_be_another() {
    put("file", b"contents");
    let fd = Open::DIRECTORY.at(TMP, ".").unwrap();
    assert_eq!(renumber(fd, TOP), Ok(()));
    assert_eq!(contents(TOP, "file").unwrap(), b"contents");
    assert_eq!(prestat(TOP), Err(BADF));
}

fn a_route_without_files_has_devices_alone() {
    assert_eq!(name(TOP), b"/dev");
    for fd in TMP..10 {
        assert_eq!(prestat(fd), Err(BADF));
        assert_eq!(file(fd), Err(BADF));
    }
}

fn a_scratch_alone_comes_first() {
    assert_eq!(name(TOP), b"/tmp");
    assert_eq!(name(TMP), b"/dev");
    assert_eq!(prestat(DEV), Err(BADF));
    assert!(!is_there("file"));
    assert!(Open::ALL.at(TOP, "file").is_ok());
}
