//! The rates of the time stamp counter and of the local APIC's timer, measured against the 8254.

use luge_sched::counted_down;
use x86_64::instructions::port::Port;

use super::{apic, hz, ticks};

/// The 8254's rate. Its data sheet gives 14.31818 MHz / 12 for the PC.
const PIT_HZ: u64 = 1_193_182;
/// How long to measure: about 2 ms, long against the read-out, short against boot.
const PIT_TICKS: u16 = 2_386;
/// How often to try before the last figures are taken as they are.
const MEASUREMENTS: usize = 16;

/// What went by in one measurement.
#[derive(Clone, Copy)]
pub(super) struct Measured {
    pub ns: u64,
    pub ticks: u64,
    pub counts: u64,
}

impl Measured {
    /// Whether the rates of both differ by less than one part in 128.
    fn agrees_with(&self, other: &Self) -> bool {
        let near = |a: u64, b: u64| a.abs_diff(b) <= a / 128;
        near(hz(self.ticks, self.ns), hz(other.ticks, other.ns))
            && near(hz(self.counts, self.ns), hz(other.counts, other.ns))
    }
}

/// Measures until two measurements in a row agree. A host that stops us for longer than the 8254
/// takes to wrap around (55 ms) would otherwise have all time run wrong, unnoticed.
pub(super) fn measure_twice() -> Measured {
    let mut last = measure();
    for _ in 0..MEASUREMENTS {
        let next = measure();
        if next.agrees_with(&last) {
            return next;
        }
        last = next;
    }
    log::warn!("the clocks do not agree with each other; times may be wrong");
    last
}

/// Lets the 8254 count.
fn measure() -> Measured {
    apic::start_counting();
    pit::start();
    let first = sample();
    let mut last = sample();
    // The host may have stopped us so long that the first count is a small one, and the next are beyond zero.
    while counted_down(first.pit, last.pit) < PIT_TICKS {
        last = sample();
    }
    apic::stop_counting();
    let pit_ticks = counted_down(first.pit, last.pit);
    let ns = u64::from(pit_ticks) * 1_000_000_000 / PIT_HZ;
    Measured {
        ns,
        ticks: last.tsc - first.tsc,
        counts: last.timer - first.timer,
    }
}

#[derive(Clone, Copy)]
struct Sample {
    pit: u16,
    tsc: u64,
    timer: u64,
}

/// Reads the three counters as close together as can be: the best of a few tries, since the host
/// may stop us in between.
fn sample() -> Sample {
    let one = || {
        let before = ticks();
        let timer = apic::counted();
        let pit = pit::read();
        let after = ticks();
        (
            after - before,
            Sample {
                pit,
                tsc: before + (after - before) / 2,
                timer,
            },
        )
    };
    (0..4)
        .map(|_| one())
        .min_by_key(|(spread, _)| *spread)
        .expect("four tries are not none")
        .1
}

/// The 8254 programmable interval timer, channel 0. 8254 data sheet, "Control Word Format" and "Counter Latch
/// Command".
mod pit {
    use super::Port;

    const COMMAND: u16 = 0x43;
    const CHANNEL_0: u16 = 0x40;
    /// Channel 0, low byte then high byte, mode 0 (interrupt on terminal count), binary.
    const MODE_0: u8 = 0b0011_0000;
    const LATCH_CHANNEL_0: u8 = 0;

    /// Counts down from 65,535. After zero the count goes on there.
    pub fn start() {
        // SAFETY: the ports are the timer's on every PC; its interrupt is masked.
        unsafe {
            Port::<u8>::new(COMMAND).write(MODE_0);
            Port::<u8>::new(CHANNEL_0).write(0xff);
            Port::<u8>::new(CHANNEL_0).write(0xff);
        }
    }

    /// The present count.
    pub fn read() -> u16 {
        // SAFETY: as in `start`.
        unsafe {
            Port::<u8>::new(COMMAND).write(LATCH_CHANNEL_0);
            let low = Port::<u8>::new(CHANNEL_0).read();
            let high = Port::<u8>::new(CHANNEL_0).read();
            u16::from_le_bytes([low, high])
        }
    }
}
