//! The time of day, and the rate of the clock: what `luge_clock` makes of looks at the battery-backed clock.
//!
//! The dispatcher calls [`poll`], which looks when it is time, some six times a second. Anybody reads the time of day.

use core::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use log::{info, warn};
use luge_clock::{Discipline, Event, Reading, Wall};

use super::{Instant, correct_rate, counter_ns, rtc};
use crate::arch::lock::Lock;

static DISCIPLINE: Lock<Option<Discipline>> = Lock::new(None);
static WALL: Lock<Option<Wall>> = Lock::new(None);
/// When to look next, in nanoseconds since boot.
static NEXT_NS: AtomicU64 = AtomicU64::new(0);

/// How often the rate is corrected at most, in nanoseconds, and by no less than what, in parts per billion.
pub(super) const RATE_NS: u64 = 1_000_000_000;
const RATE_PPB: u64 = 1_000;
static RATE_AT_NS: AtomicU64 = AtomicU64::new(0);

/// How long a clock may be updated when it is first looked at, in nanoseconds. Data sheet, "Update Cycle": 2,228 µs.
const UPDATE_NS: u64 = 3_000_000;

/// Time since 1970 in nanoseconds; since boot if nobody knows.
#[must_use]
pub fn wall_clock_ns() -> u64 {
    let wall = *WALL.lock();
    wall.map_or(0, |wall| wall.ns(counter_ns()))
}

/// Looks at the clock for the first time.
pub(super) fn start() {
    let begun_ns = counter_ns();
    let first = loop {
        let look = rtc::look();
        if look.reading != Reading::Updating || look.after_ns - begun_ns > UPDATE_NS {
            break look;
        }
    };
    let discipline = Discipline::new(&first);
    if !discipline.is_trusted() {
        warn!("clock: no battery-backed clock shows a date; the time of day is not known");
    }
    *WALL.lock() = Some(discipline.wall());
    *DISCIPLINE.lock() = Some(discipline);
}

/// Looks at the clock if it is time. Returns when it is time next.
pub fn poll(now: Instant) -> Option<Instant> {
    if NEXT_NS.load(Relaxed) <= now.as_ns() {
        look();
        #[cfg(feature = "scenarios")]
        scenario::looked();
    }
    Some(Instant::from_ns(NEXT_NS.load(Relaxed)))
}

fn look() {
    let mut discipline = DISCIPLINE.lock();
    let Some(discipline) = discipline.as_mut() else {
        return;
    };
    let until_ns = discipline.next_ns().saturating_sub(counter_ns());
    if until_ns == 0 {
        let event = discipline.look(&rtc::look());
        *WALL.lock() = Some(discipline.wall());
        let now_ns = Instant::now().as_ns();
        if RATE_AT_NS.load(Relaxed) <= now_ns {
            RATE_AT_NS.store(now_ns + RATE_NS, Relaxed);
            follow_rate(discipline.rate_ppb());
        }
        if let Some(event) = event {
            tell(event);
        }
    }
    let until_ns = discipline.next_ns().saturating_sub(counter_ns());
    NEXT_NS.store(Instant::now().plus_ns(until_ns).as_ns(), Relaxed);
}

fn follow_rate(ppb: i64) {
    static FOLLOWED_PPB: AtomicI64 = AtomicI64::new(0);
    if ppb.abs_diff(FOLLOWED_PPB.load(Relaxed)) >= RATE_PPB {
        FOLLOWED_PPB.store(ppb, Relaxed);
        correct_rate(ppb);
    }
}

fn tell(event: Event) {
    match event {
        Event::SetForward(ns) => warn!(
            "clock: set forward by {} s, as after a pause of the machine",
            Seconds(ns)
        ),
        Event::RunsSlower(ns) => warn!(
            "clock: {} s ahead of the battery-backed clock; it runs slower until that is made up for",
            Seconds(ns)
        ),
        Event::WentBack(ns) => warn!(
            "clock: the battery-backed clock went back by {} s or more and is not followed any more",
            Seconds(ns)
        ),
        Event::Leapt(ns) => warn!(
            "clock: the battery-backed clock leapt by {} s and is not followed any more",
            Seconds(ns)
        ),
        Event::Nonsense => {
            warn!("clock: the battery-backed clock shows no date and is not followed any more")
        }
        Event::Trusted => info!("clock: the battery-backed clock is followed again"),
    }
}

/// Nanoseconds, shown as seconds.
struct Seconds(u64);

impl core::fmt::Display for Seconds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let ms = self.0 / 1_000_000;
        write!(f, "{}.{:03}", ms / 1_000, ms % 1_000)
    }
}

/// Whoever wants to know of looks, in scenarios.
#[cfg(feature = "scenarios")]
pub mod scenario {
    use spin::Once;

    static LOOKED: Once<fn()> = Once::new();

    /// From here on `handler` is called after each look.
    pub fn on_look(handler: fn()) {
        LOOKED.call_once(|| handler);
    }

    pub(super) fn looked() {
        if let Some(handler) = LOOKED.get() {
            handler();
        }
    }
}
