//! The battery-backed clock, an MC146818. Data sheet, "Register A" and "Register B".
//!
//! Nothing here waits: a clock that is being updated says so.

use luge_clock::{Look, Reading, Registers};
use x86_64::instructions::port::Port;

use super::counter_ns;

const STATUS_A: u8 = 0x0a;
const STATUS_B: u8 = 0x0b;
/// Of status register A: the time changes within the next quarter of a millisecond, or is changing.
const UPDATE_IN_PROGRESS: u8 = 0x80;

/// Looks at the clock, by about ten reads of a port.
pub(super) fn look() -> Look {
    let before_ns = counter_ns();
    let reading = read();
    Look {
        before_ns,
        after_ns: counter_ns(),
        reading,
    }
}

fn read() -> Reading {
    if register(STATUS_A) & UPDATE_IN_PROGRESS != 0 {
        return Reading::Updating;
    }
    let [second, minute, hour, day, month, year, status_b] =
        [0, 2, 4, 7, 8, 9, STATUS_B].map(register);
    // Whoever runs us may have stopped us in between.
    if register(0) != second {
        return Reading::Updating;
    }
    let registers = Registers {
        second,
        minute,
        hour,
        day,
        month,
        year,
        status_b,
    };
    let unix_s = registers.unix_s();
    #[cfg(feature = "scenarios")]
    let unix_s = scenario::what_comes_of(unix_s);
    unix_s.map_or(Reading::Nonsense, Reading::Second)
}

fn register(index: u8) -> u8 {
    // SAFETY: the ports are the clock's on every PC. NMI stays enabled (bit 7 clear).
    unsafe {
        Port::<u8>::new(0x70).write(index);
        Port::<u8>::new(0x71).read()
    }
}

/// A clock that lies, for scenarios.
#[cfg(feature = "scenarios")]
pub mod scenario {
    use core::sync::atomic::{AtomicI64, Ordering::Relaxed};

    static OFF_S: AtomicI64 = AtomicI64::new(0);
    const NO_DATE: i64 = i64::MIN;

    /// From here on the clock shows a time that is so many seconds off.
    pub fn be_off(seconds: i64) {
        OFF_S.store(seconds, Relaxed);
    }

    /// From here on the clock shows no date.
    pub fn break_down() {
        OFF_S.store(NO_DATE, Relaxed);
    }

    pub(super) fn what_comes_of(unix_s: Option<u64>) -> Option<u64> {
        match OFF_S.load(Relaxed) {
            NO_DATE => None,
            off => unix_s.map(|it| it.saturating_add_signed(off)),
        }
    }
}
