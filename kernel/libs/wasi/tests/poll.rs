//! Waiting.

mod world;

use luge_wasi::{Errno, Function as F};
use world::Command;

const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;
const RELATIVE: u16 = 0;
const ABSOLUTE: u16 = 1;

/// Subscriptions from 4096, events from 8192, their number at 0.
fn poll(command: &mut Command, count: u64) -> Errno {
    command.call(F::PollOneoff, &[4096, 8192, count, 0])
}

fn clock(command: &mut Command, index: u32, id: u32, timeout_ns: u64, flags: u16) {
    let at = 4096 + 48 * index;
    command.put(at, &u64::from(100 + index).to_le_bytes());
    command.put(at + 8, &[0]);
    command.put(at + 16, &id.to_le_bytes());
    command.put(at + 24, &timeout_ns.to_le_bytes());
    command.put(at + 40, &flags.to_le_bytes());
}

fn stream(command: &mut Command, index: u32, tag: u8, number: u32) {
    let at = 4096 + 48 * index;
    command.put(at, &u64::from(100 + index).to_le_bytes());
    command.put(at + 8, &[tag]);
    command.put(at + 16, &number.to_le_bytes());
}

/// User data, errno, type, bytes and flags of event `index`.
fn event(command: &Command, index: u32) -> (u64, u16, u8, u64, u8) {
    let at = 8192 + 32 * index;
    let errno = u16::from_le_bytes(command.bytes_at(at + 8, 2).try_into().unwrap());
    let (kind, flags) = (
        command.memory[at as usize + 10],
        command.memory[at as usize + 24],
    );
    (
        command.u64_at(at),
        errno,
        kind,
        command.u64_at(at + 16),
        flags,
    )
}

#[test]
fn a_relative_time_sleeps_that_long() {
    for id in [REALTIME, MONOTONIC] {
        let mut command = Command::with_body(b"");
        clock(&mut command, 0, id, 5_000, RELATIVE);
        assert_eq!(poll(&mut command, 1), Errno::Success);
        assert_eq!(command.host().sleeps, [10_000_005_000]);
        assert_eq!(
            (command.u32_at(0), event(&command, 0)),
            (1, (100, 0, 0, 0, 0))
        );
    }
}

#[test]
fn an_absolute_time_sleeps_until_then() {
    let mut command = Command::with_body(b"");
    clock(&mut command, 0, MONOTONIC, 11_000_000_000, ABSOLUTE);
    assert_eq!(poll(&mut command, 1), Errno::Success);
    clock(&mut command, 0, REALTIME, 1_000_000_000_007, ABSOLUTE);
    assert_eq!(poll(&mut command, 1), Errno::Success);
    assert_eq!(command.host().sleeps, [11_000_000_000, 11_000_000_007]);
}

#[test]
fn a_time_that_has_passed_does_not_sleep() {
    let mut command = Command::with_body(b"");
    clock(&mut command, 0, MONOTONIC, 1, ABSOLUTE);
    clock(&mut command, 1, REALTIME, 1, ABSOLUTE);
    clock(&mut command, 2, MONOTONIC, 0, RELATIVE);
    assert_eq!(poll(&mut command, 3), Errno::Success);
    assert!(command.host().sleeps.is_empty());
    assert_eq!(command.u32_at(0), 3);
}

#[test]
fn the_earliest_of_several_times_ends_the_wait() {
    let mut command = Command::with_body(b"");
    clock(&mut command, 0, MONOTONIC, 9_000, RELATIVE);
    clock(&mut command, 1, MONOTONIC, 3_000, RELATIVE);
    assert_eq!(poll(&mut command, 2), Errno::Success);
    assert_eq!((command.u32_at(0), event(&command, 0).0), (1, 101));
}

#[test]
fn a_time_beyond_the_end_of_time_is_the_end_of_time() {
    let mut command = Command::with_body(b"");
    clock(&mut command, 0, MONOTONIC, u64::MAX, RELATIVE);
    assert_eq!(poll(&mut command, 1), Errno::Success);
    assert_eq!(command.host().sleeps, [u64::MAX]);
    assert_eq!(command.u32_at(0), 1);
}

#[test]
fn streams_are_always_ready_so_nothing_waits() {
    let mut command = Command::with_body(b"body");
    clock(&mut command, 0, MONOTONIC, 9_000, RELATIVE);
    stream(&mut command, 1, 1, 0);
    stream(&mut command, 2, 2, 1);
    assert_eq!(poll(&mut command, 3), Errno::Success);
    assert!(command.host().sleeps.is_empty());
    assert_eq!(command.u32_at(0), 2);
    assert_eq!(event(&command, 0), (101, 0, 1, 4, 0));
    assert_eq!(event(&command, 1), (102, 0, 2, 4096, 0));
}

#[test]
fn the_end_of_a_body_is_a_hang_up() {
    let mut command = Command::with_body(b"");
    stream(&mut command, 0, 1, 0);
    assert_eq!(poll(&mut command, 1), Errno::Success);
    assert_eq!(event(&command, 0), (100, 0, 1, 0, 1));
}

#[test]
fn what_cannot_be_waited_for_is_an_event_with_its_errno() {
    let mut command = Command::with_body(b"");
    stream(&mut command, 0, 1, 9);
    stream(&mut command, 1, 1, 1);
    clock(&mut command, 2, 2, 5, RELATIVE);
    clock(&mut command, 3, 9, 5, RELATIVE);
    assert_eq!(poll(&mut command, 4), Errno::Success);
    let errnos: Vec<u16> = (0..4).map(|index| event(&command, index).1).collect();
    assert_eq!(errnos, [8, 76, 58, 28]);
}

#[test]
fn nothing_to_wait_for_and_unknown_kinds_are_invalid() {
    let mut command = Command::with_body(b"");
    assert_eq!(poll(&mut command, 0), Errno::Invalid);
    stream(&mut command, 0, 3, 0);
    assert_eq!(poll(&mut command, 1), Errno::Invalid);
}
