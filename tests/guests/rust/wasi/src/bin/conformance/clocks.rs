//! `clock_res_get`, `clock_time_get`.

use std::hint::black_box;

use crate::calls::{answer, resolution, time, time_within};
use crate::errno::{FAULT, INVAL};
use crate::poll::sleep;
use crate::{hostile, raw, tests};

pub const REALTIME: u32 = 0;
pub const MONOTONIC: u32 = 1;
pub const PROCESS: u32 = 2;
pub const THREAD: u32 = 3;
const ALL: [u32; 4] = [REALTIME, MONOTONIC, PROCESS, THREAD];

const MS: u64 = 1_000_000;

tests![
    every_clock_has_a_resolution,
    an_unknown_clock_is_invalid,
    monotonic_time_never_goes_back,
    monotonic_time_goes_on,
    realtime_goes_on_as_monotonic_time_does,
    who_works_uses_processor_time,
    who_sleeps_uses_no_processor_time,
    both_clocks_of_the_processor_show_the_same,
    any_precision_may_be_asked_for,
    a_place_outside_of_memory_is_a_fault,
];

fn every_clock_has_a_resolution() {
    for clock in ALL {
        let resolution = resolution(clock).unwrap();
        assert!((1..=10 * MS).contains(&resolution), "{clock}: {resolution}");
    }
}

fn an_unknown_clock_is_invalid() {
    for clock in [4, 5, 1 << 16, u32::MAX] {
        assert_eq!(resolution(clock), Err(INVAL));
        assert_eq!(time_within(clock, 0), Err(INVAL));
    }
}

fn monotonic_time_never_goes_back() {
    let mut last = time(MONOTONIC);
    for _ in 0..2_000 {
        let now = time(MONOTONIC);
        assert!(now >= last, "{now} after {last}");
        last = now;
    }
}

fn monotonic_time_goes_on() {
    let before = time(MONOTONIC);
    sleep(5 * MS);
    assert!(time(MONOTONIC) - before >= 5 * MS);
}

fn realtime_goes_on_as_monotonic_time_does() {
    let before = time(REALTIME);
    assert!(before > 0);
    sleep(5 * MS);
    assert!(time(REALTIME) - before >= 5 * MS);
}

fn who_works_uses_processor_time() {
    let before = time(PROCESS);
    let mut sum = 0u64;
    for number in 0..100_000u64 {
        sum = black_box(sum + number);
    }
    assert!(time(PROCESS) > before, "{sum}");
}

/// A host that stops the whole machine for a while stops it at work, too: so one sleep of many is enough.
fn who_sleeps_uses_no_processor_time() {
    let used = |_| {
        let before = time(PROCESS);
        sleep(50 * MS);
        time(PROCESS) - before
    };
    assert!((0..100).map(used).any(|used| used < 25 * MS));
}

fn both_clocks_of_the_processor_show_the_same() {
    let (first, between, last) = (time(PROCESS), time(THREAD), time(PROCESS));
    assert!(first <= between && between <= last);
}

fn any_precision_may_be_asked_for() {
    for precision in [0, 1, u64::MAX] {
        assert!(time_within(MONOTONIC, precision).unwrap() > 0);
    }
}

fn a_place_outside_of_memory_is_a_fault() {
    let outside = hostile::end() - 7;
    // SAFETY: neither can write there.
    let both = unsafe {
        [
            raw::clock_res_get(0, outside),
            raw::clock_time_get(0, 0, outside),
        ]
    };
    assert_eq!(both.map(answer), [Err(FAULT); 2]);
}
