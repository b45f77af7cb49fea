//! Time: the TSC as the clock, calibrated against the 8254 at boot ([`calibration`]) and corrected by the
//! battery-backed clock ([`rtc`], [`wall`]) while the machine runs.
//!
//! Key type: [`Instant`], nanoseconds since the kernel's first line. Its rate is corrected, in small parts; it is never
//! set. The time of day ([`wall_clock_ns`]) is set forward where it is behind.
//!
//! Invariant: after [`calibrate`], `Instant::now` never goes back on one CPU.

mod calibration;
mod rtc;
mod wall;

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU64};

use calibration::{Measured, measure_twice};

use super::apic;

pub use wall::{poll, wall_clock_ns};

/// A moment, in nanoseconds since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Instant(u64);

impl Instant {
    /// The present moment.
    #[inline]
    #[must_use]
    pub fn now() -> Self {
        Line::current().at(ticks())
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
/// What calibration found of [`NS_PER_TICK`] and [`COUNTS_PER_NS`], which is never changed.
static CALIBRATED: AtomicU64 = AtomicU64::new(1 << FRACTION_BITS);
static CALIBRATED_COUNTS: AtomicU64 = AtomicU64::new(1 << FRACTION_BITS);

/// The clock as a straight line: which ticks were zero, and at which rate it goes.
struct Line {
    zero_ticks: AtomicU64,
    ns_per_tick: AtomicU64,
}

/// The line of now and the one before. A line is not changed while somebody may be reading it: the rate changes at most
/// once in [`wall::RATE_NS`].
static LINES: [Line; 2] = [const {
    Line {
        zero_ticks: AtomicU64::new(0),
        ns_per_tick: AtomicU64::new(1 << FRACTION_BITS),
    }
}; 2];
static LINE: AtomicPtr<Line> = AtomicPtr::new((&raw const LINES).cast_mut().cast());

impl Line {
    /// The line of now.
    #[inline]
    fn current() -> &'static Line {
        // SAFETY: it is one of `LINES`, at the beginning and whenever it is stored.
        unsafe { &*LINE.load(Acquire) }
    }

    #[inline]
    fn at(&self, ticks: u64) -> Instant {
        let passed = ticks.wrapping_sub(self.zero_ticks.load(Relaxed));
        Instant(scale(passed, self.ns_per_tick.load(Relaxed)))
    }
}

/// Has the clock go by another line.
fn follow(zero_ticks: u64, ns_per_tick: u64) {
    let [one, other] = &LINES;
    let is_one = core::ptr::eq(Line::current(), one);
    let next = if is_one { other } else { one };
    next.zero_ticks.store(zero_ticks, Relaxed);
    next.ns_per_tick.store(ns_per_tick, Relaxed);
    // Release: whoever finds the line finds what it is.
    LINE.store(core::ptr::from_ref(next).cast_mut(), Release);
}

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
    follow(boot_ticks(), 1 << FRACTION_BITS);
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

/// Nanoseconds since boot by the rate that calibration found.
fn counter_ns() -> u64 {
    scale(ticks().wrapping_sub(boot_ticks()), CALIBRATED.load(Relaxed))
}

#[inline]
fn scale(value: u64, ratio: u64) -> u64 {
    ((u128::from(value) * u128::from(ratio)) >> FRACTION_BITS) as u64
}

fn ratio(numerator: u64, denominator: u64) -> u64 {
    ((u128::from(numerator) << FRACTION_BITS) / u128::from(denominator.max(1))) as u64
}

/// Measures both counters against the 8254 and reads the battery-backed clock. Interrupts must be off and the local APIC
/// on.
pub fn calibrate() -> Rates {
    let Measured { ns, ticks, counts } = measure_twice();
    CALIBRATED.store(ratio(ns, ticks), Relaxed);
    TICKS_PER_NS.store(ratio(ticks, ns), Relaxed);
    COUNTS_PER_NS.store(ratio(counts, ns), Relaxed);
    CALIBRATED_COUNTS.store(ratio(counts, ns), Relaxed);
    NS_PER_TICK.store(ratio(ns, ticks), Relaxed);
    follow(boot_ticks(), ratio(ns, ticks));
    wall::start();
    Rates {
        tsc_hz: hz(ticks, ns),
        timer_hz: hz(counts, ns),
    }
}

/// Has the clock run faster than calibration found, by so many parts per billion, from here on.
fn correct_rate(ppb: i64) {
    let calibrated = CALIBRATED.load(Relaxed);
    let corrected = i128::from(calibrated) * i128::from(BILLION + ppb) / i128::from(BILLION);
    let ns_per_tick = corrected as u64;
    let now = ticks();
    let now_ns = Line::current().at(now).as_ns();
    // A tick more than it would take, so that the clock does not go back.
    let since_zero = ratio(now_ns, ns_per_tick) + 1;
    follow(now.wrapping_sub(since_zero), ns_per_tick);
    NS_PER_TICK.store(ns_per_tick, Relaxed);
    TICKS_PER_NS.store(ratio(1 << FRACTION_BITS, ns_per_tick), Relaxed);
    // The timer's counter was measured by the same clock.
    let counts = CALIBRATED_COUNTS.load(Relaxed);
    COUNTS_PER_NS.store(scale(counts, ratio(calibrated, ns_per_tick)), Relaxed);
}

/// For scenarios.
#[cfg(feature = "scenarios")]
pub mod scenario {
    use super::{CALIBRATED, Relaxed, scale};

    pub use super::rtc::scenario::{be_off, break_down};
    pub use super::wall::scenario::on_look;

    /// What calibration found was wrong by so many parts per million: too fast, if above 0.
    pub fn miscalibrate(ppm: i64) {
        let wrong = (1_000_000 + ppm).cast_unsigned() * (1 << 32) / 1_000_000;
        CALIBRATED.store(scale(CALIBRATED.load(Relaxed), wrong), Relaxed);
        super::correct_rate(0);
    }
}

/// Parts of a whole by which rates are corrected.
const BILLION: i64 = 1_000_000_000;

fn hz(counts: u64, ns: u64) -> u64 {
    (u128::from(counts) * 1_000_000_000 / u128::from(ns.max(1))) as u64
}
