//! Time: the TSC as the clock, calibrated once against the 8254, and the battery-backed clock.
//!
//! Key type: [`Instant`], nanoseconds since the kernel's first line.
//!
//! Invariant: after [`calibrate`], `Instant::now` never goes back on one CPU.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use luge_sched::counted_down;
use x86_64::instructions::port::Port;

use super::apic;

/// A moment, in nanoseconds since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Instant(u64);

impl Instant {
    /// The present moment.
    #[inline]
    #[must_use]
    pub fn now() -> Self {
        let ticks = ticks().wrapping_sub(BOOT_TICKS.load(Relaxed));
        Self(scale(ticks, NS_PER_TICK.load(Relaxed)))
    }

    /// The moment `ns` nanoseconds after boot.
    #[must_use]
    pub const fn from_ns(ns: u64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since boot.
    #[must_use]
    pub const fn as_ns(self) -> u64 {
        self.0
    }

    /// The moment `ns` nanoseconds later, or the end of time.
    #[must_use]
    pub const fn plus_ns(self, ns: u64) -> Self {
        Self(self.0.saturating_add(ns))
    }

    /// Nanoseconds since `earlier`, 0 if that is in the future.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The earlier of two moments that may not come.
#[must_use]
pub fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

/// Ratios are kept with 32 binary places.
const FRACTION_BITS: u32 = 32;

static BOOT_TICKS: AtomicU64 = AtomicU64::new(0);
static NS_PER_TICK: AtomicU64 = AtomicU64::new(1 << FRACTION_BITS);
static TICKS_PER_NS: AtomicU64 = AtomicU64::new(1 << FRACTION_BITS);
static COUNTS_PER_NS: AtomicU64 = AtomicU64::new(1 << FRACTION_BITS);
/// Wall-clock time at boot, ns since 1970.
static BOOT_WALL_NS: AtomicU64 = AtomicU64::new(0);

/// What calibration found, in Hz.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// The time stamp counter.
    pub tsc_hz: u64,
    /// The local APIC timer's counter.
    pub timer_hz: u64,
}

/// The time stamp counter.
#[inline]
#[must_use]
pub fn ticks() -> u64 {
    // SAFETY: every x86_64 processor has `rdtsc`, and CR4.TSD does not concern ring 0.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Starts the clock, uncalibrated: until [`calibrate`], a tick counts as a nanosecond.
pub fn init() {
    BOOT_TICKS.store(ticks(), Relaxed);
}

/// What the time stamp counter was at boot: it counts from power-on.
#[must_use]
pub fn boot_ticks() -> u64 {
    BOOT_TICKS.load(Relaxed)
}

/// TSC ticks in `ns` nanoseconds.
#[must_use]
pub fn ticks_of_ns(ns: u64) -> u64 {
    scale(ns, TICKS_PER_NS.load(Relaxed))
}

/// Nanoseconds that `ticks` TSC ticks take.
#[inline]
#[must_use]
pub fn ns_of_ticks(ticks: u64) -> u64 {
    scale(ticks, NS_PER_TICK.load(Relaxed))
}

/// Counts of the local APIC timer in `ns` nanoseconds.
#[inline]
#[must_use]
pub fn timer_counts_of_ns(ns: u64) -> u64 {
    scale(ns, COUNTS_PER_NS.load(Relaxed))
}

/// Time since 1970 in nanoseconds.
#[must_use]
pub fn wall_clock_ns() -> u64 {
    BOOT_WALL_NS.load(Relaxed) + Instant::now().as_ns()
}

#[inline]
fn scale(value: u64, ratio: u64) -> u64 {
    ((u128::from(value) * u128::from(ratio)) >> FRACTION_BITS) as u64
}

fn ratio(numerator: u64, denominator: u64) -> u64 {
    ((u128::from(numerator) << FRACTION_BITS) / u128::from(denominator.max(1))) as u64
}

/// Measures both counters against the 8254 and reads the wall clock. Interrupts must be off and the
/// local APIC on.
pub fn calibrate() -> Rates {
    let Measured { ns, ticks, counts } = measure_twice();
    NS_PER_TICK.store(ratio(ns, ticks), Relaxed);
    TICKS_PER_NS.store(ratio(ticks, ns), Relaxed);
    COUNTS_PER_NS.store(ratio(counts, ns), Relaxed);
    let wall = wall_clock::read_seconds() * 1_000_000_000;
    BOOT_WALL_NS.store(wall.saturating_sub(Instant::now().as_ns()), Relaxed);
    Rates {
        tsc_hz: hz(ticks, ns),
        timer_hz: hz(counts, ns),
    }
}

fn hz(counts: u64, ns: u64) -> u64 {
    (u128::from(counts) * 1_000_000_000 / u128::from(ns.max(1))) as u64
}

/// The 8254's rate. Its data sheet gives 14.31818 MHz / 12 for the PC.
const PIT_HZ: u64 = 1_193_182;
/// How long to measure: about 2 ms, long against the read-out, short against boot.
const PIT_TICKS: u16 = 2_386;
/// How often to try before the last figures are taken as they are.
const MEASUREMENTS: usize = 16;

/// What went by in one measurement.
#[derive(Clone, Copy)]
struct Measured {
    ns: u64,
    ticks: u64,
    counts: u64,
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
fn measure_twice() -> Measured {
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

/// The MC146818 real-time clock. MC146818 data sheet, "Register A" and "Register B".
mod wall_clock {
    use super::Port;

    const STATUS_A: u8 = 0x0a;
    const STATUS_B: u8 = 0x0b;
    const UPDATE_IN_PROGRESS: u8 = 0x80;
    const BINARY: u8 = 0x04;
    /// Reads before giving up on two equal answers.
    const TRIES: usize = 8;

    fn register(index: u8) -> u8 {
        // SAFETY: the ports are the clock's on every PC. NMI stays enabled (bit 7 clear).
        unsafe {
            Port::<u8>::new(0x70).write(index);
            Port::<u8>::new(0x71).read()
        }
    }

    /// Seconds since 1970, UTC; 0 when the clock makes no sense.
    pub fn read_seconds() -> u64 {
        let mut before = fields();
        for _ in 0..TRIES {
            let now = fields();
            if now == before && register(STATUS_A) & UPDATE_IN_PROGRESS == 0 {
                break;
            }
            before = now;
        }
        seconds_since_1970(before)
    }

    /// Year of the century, month, day, hour, minute, second.
    fn fields() -> [u64; 6] {
        let binary = register(STATUS_B) & BINARY != 0;
        [9, 8, 7, 4, 2, 0].map(|index| {
            let value = u64::from(register(index));
            if binary {
                value
            } else {
                (value >> 4) * 10 + (value & 0xf)
            }
        })
    }

    /// Days by the civil calendar, for years 2000 to 2099.
    fn seconds_since_1970([year, month, day, hour, minute, second]: [u64; 6]) -> u64 {
        const BEFORE_MONTH: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        let Some(before_month) = (month as usize)
            .checked_sub(1)
            .and_then(|m| BEFORE_MONTH.get(m))
        else {
            return 0;
        };
        let leap_days = year.div_ceil(4) + u64::from(year % 4 == 0 && month > 2);
        let days_to_2000 = 10_957;
        let days = days_to_2000 + year * 365 + leap_days + before_month + day.saturating_sub(1);
        ((days * 24 + hour) * 60 + minute) * 60 + second
    }
}
