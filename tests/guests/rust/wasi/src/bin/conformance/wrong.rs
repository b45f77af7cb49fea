//! The negative control: tests of which each expects something wrong, in each of the ways in which a test can fail.

use std::thread;
use std::time::Duration;

use crate::at_path::Open;
use crate::calls::{STDOUT, TMP, write};
use crate::errno::NOTCAPABLE;
use crate::tests;

tests![
    another_error_than_the_one_that_comes,
    another_answer_than_the_one_that_is_given => "exit 0", "something else",
    an_exit_that_does_not_come => "exit 3", "",
    a_trap_that_does_not_come => "trap unreachable", "",
    a_route_that_lacks_what_is_needed on BARE,
    more_than_the_answer,
];

fn another_error_than_the_one_that_comes() {
    assert_eq!(Open::READ.at(TMP, "missing"), Err(NOTCAPABLE));
}

fn another_answer_than_the_one_that_is_given() {
    write(STDOUT, b"something").unwrap();
}

fn an_exit_that_does_not_come() {}

fn a_trap_that_does_not_come() {
    thread::sleep(Duration::from_millis(1));
}

fn a_route_that_lacks_what_is_needed() {
    assert!(Open::ALL.at(TMP, "file").is_ok());
}

fn more_than_the_answer() {
    write(STDOUT, b"more than ").unwrap();
}
