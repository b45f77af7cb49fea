//! Clocks that are wrong, for ten minutes.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use log::info;

use crate::arch::power;
use crate::arch::time::{Instant, scenario, ticks, wall_clock_ns};

/// By how much calibration was wrong, in parts per million.
const WRONG_PPM: i64 = -233;
/// Moments at which the clocks are read, in ticks since power-on: where time is counted in instructions, nanoseconds.
const READ_AT: [u64; 2] = [2_000_000_000, 602_000_000_000];
/// When the battery-backed clock begins to lie.
const LIES_AT: u64 = 300_000_000_000;
const HOUR_S: i64 = 3_600;
const YEARS_S: i64 = 5 * 366 * 24 * HOUR_S;

static READ: AtomicUsize = AtomicUsize::new(0);
/// Which lie it is, as an index of [`LIES`].
static LIE: AtomicUsize = AtomicUsize::new(0);

const LIES: [(&str, fn()); 4] = [
    ("wrong-rate", || ()),
    ("clock-goes-back", || scenario::be_off(-HOUR_S)),
    ("clock-leaps", || scenario::be_off(YEARS_S)),
    ("clock-breaks", scenario::break_down),
];

/// Has the clocks go wrong as `name` says.
pub fn begin(name: &str) {
    let lie = LIES.iter().position(|(other, _)| *other == name);
    LIE.store(lie.unwrap_or(0), Relaxed);
    scenario::miscalibrate(WRONG_PPM);
    scenario::on_look(go_on);
}

fn go_on() {
    let now = ticks();
    if now >= LIES_AT {
        LIES[LIE.load(Relaxed)].1();
    }
    let read = READ.load(Relaxed);
    if now < READ_AT[read] {
        return;
    }
    let (now, wall_ns, clock) = (ticks(), wall_clock_ns(), Instant::now());
    info!("clocks: {now} {wall_ns} {}", clock.as_ns());
    READ.store(read + 1, Relaxed);
    if read + 1 == READ_AT.len() {
        power::off();
    }
}

/// Has the dispatcher hang when it has come round for two seconds.
pub fn hang_soon() {
    scenario::on_look(|| {
        if Instant::now() > Instant::from_ns(READ_AT[0]) {
            super::hang();
        }
    });
}
