//! `fd_advise`, `fd_sync`, `fd_datasync`: nothing is to be done, and files do not change.

use crate::at_path::{Open, contents, made};
use crate::calls::{FREE, TMP, advise, close, data_sync, file, sync};
use crate::errno::{BADF, INVAL};
use crate::tests;

tests![
    every_advice_may_be_given,
    there_is_no_seventh_advice,
    advice_may_be_given_for_what_is_not_there,
    advice_changes_nothing,
    a_directory_takes_no_advice,
    what_is_written_is_there_without_and_with_a_sync,
    a_directory_can_be_synchronised,
    what_is_closed_takes_no_advice,
];

fn every_advice_may_be_given() {
    let fd = made("file", b"contents");
    for advice in 0..6 {
        assert_eq!(advise(fd, 0, 8, advice), Ok(()), "{advice}");
    }
}

fn there_is_no_seventh_advice() {
    let fd = made("file", b"contents");
    for advice in [6, 7, u32::MAX] {
        assert_eq!(advise(fd, 0, 8, advice), Err(INVAL));
    }
}

fn advice_may_be_given_for_what_is_not_there() {
    let fd = made("file", b"contents");
    assert_eq!(advise(fd, 1 << 40, 0, 0), Ok(()));
}

fn advice_changes_nothing() {
    let fd = made("file", b"contents");
    let before = file(fd).unwrap();
    advise(fd, 0, 100, 3).unwrap();
    assert_eq!(file(fd), Ok(before));
}

fn a_directory_takes_no_advice() {
    assert_eq!(advise(TMP, 0, 0, 0), Err(BADF));
}

fn what_is_written_is_there_without_and_with_a_sync() {
    let fd = made("file", b"contents");
    assert_eq!(contents(TMP, "file").unwrap(), b"contents");
    assert_eq!((sync(fd), data_sync(fd)), (Ok(()), Ok(())));
    assert_eq!(contents(TMP, "file").unwrap(), b"contents");
}

fn a_directory_can_be_synchronised() {
    let fd = Open::DIRECTORY.at(TMP, ".").unwrap();
    assert_eq!(sync(fd), Ok(()));
}

fn what_is_closed_takes_no_advice() {
    close(made("file", b"")).unwrap();
    assert_eq!(advise(FREE, 0, 0, 0), Err(BADF));
    assert_eq!((sync(FREE), data_sync(FREE)), (Err(BADF), Err(BADF)));
}
