//! When to look at the RTC, whether to believe it, and what follows.

use core::ops::Range;

use crate::SECOND_NS;
use crate::estimate::{Estimate, Fit};
use crate::wall::Wall;

/// The longest time between two looks, so that the end of a pause is noticed.
const WATCH_NS: i64 = SECOND_NS / 4;
/// Looks come no closer than this.
const CLOSEST_NS: i64 = 100_000;
/// How well the end of a second has to be known; the RTC cannot be read in the last quarter of a millisecond before it.
const FINE_NS: i64 = 1_000_000;
/// Beyond this, the end of the second is looked for all the time, every [`SEARCH_NS`].
const COARSE_NS: i64 = 50_000_000;
const SEARCH_NS: i64 = 20_000_000;
/// So long before the earliest end of a second that the RTC can be read, and so long after the latest.
const BEFORE_END_NS: i64 = 600_000;
const AFTER_END_NS: i64 = 300_000;
/// How soon an RTC is looked at again that is being updated, and how often before it is taken for broken.
const UPDATE_NS: i64 = 500_000;
const UPDATES: u32 = 20;
/// How often an RTC is looked at that is not trusted.
const DISTRUSTED_NS: i64 = 10 * SECOND_NS;

/// Of a leap forward by more, the next looks must say the same.
const DOUBTED_NS: i64 = 2 * SECOND_NS;
/// So many looks in a row make an RTC trusted, or a leap believed.
const CONFIRMATIONS: u32 = 3;
/// A leap by more is no pause: a year.
const LEAP_MOST_NS: i64 = 366 * 86_400 * SECOND_NS;
/// An RTC that went back by less is followed, by running slower.
const BACK_MOST_NS: i64 = SECOND_NS;
/// A contradiction that is smaller may come of the rate.
const WANDER_NS: i64 = 1_000_000;
/// What is less is not worth telling.
const TOLD_NS: i64 = 100_000_000;

/// Nanoseconds of more seconds than these are too many for a number with a sign: it is the year 2242.
const SECONDS: i64 = 1 << 33;

/// What the RTC showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A moment, in whole seconds since 1970.
    Second(u64),
    /// Nothing, since it was being updated.
    Updating,
    /// No moment at all.
    Nonsense,
}

/// A look at the RTC.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// The counter before it, in nanoseconds.
    pub before_ns: u64,
    /// The counter after it.
    pub after_ns: u64,
    /// What was seen.
    pub reading: Reading,
}

/// What is worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The time of day was behind by about so many nanoseconds, and has been set forward.
    SetForward(u64),
    /// The time of day is ahead by about so many nanoseconds, and runs slower until it is right.
    RunsSlower(u64),
    /// The RTC is not followed any more: it shows no moment.
    Nonsense,
    /// The RTC is not followed any more: it went back by so many nanoseconds.
    WentBack(u64),
    /// The RTC is not followed any more: it leapt by so many nanoseconds, which is no pause.
    Leapt(u64),
    /// The RTC is followed again.
    Trusted,
}

/// A leap that is not yet believed.
#[derive(Clone, Debug)]
struct Doubted {
    estimate: Estimate,
    seen: u32,
}

/// The whole of it. All moments are the counter's, in nanoseconds.
#[derive(Clone, Debug)]
pub struct Discipline {
    /// `None` until the RTC has shown a moment.
    estimate: Option<Estimate>,
    doubted: Option<Doubted>,
    is_trusted: bool,
    /// What was known before looks contradicted it, until the new difference is known.
    before: Option<Estimate>,
    /// Looks in a row that fit, of an RTC that is not trusted.
    fitting: u32,
    /// Looks in a row that found it being updated.
    updates: u32,
    wall: Wall,
    next_ns: i64,
}

impl Discipline {
    /// Begins with a first look, which is believed.
    #[must_use]
    pub fn new(first: &Look) -> Discipline {
        let at = first.after_ns.cast_signed();
        let mut discipline = Discipline {
            estimate: None,
            doubted: None,
            is_trusted: false,
            before: None,
            fitting: 0,
            updates: 0,
            wall: Wall::new(0, 0),
            next_ns: at + DISTRUSTED_NS,
        };
        if let Reading::Second(second) = first.reading
            && let Some(bounds) = first.bounds(second)
        {
            discipline.wall = Wall::new(at, at + bounds.start);
            discipline.estimate = Some(Estimate::new(at, &bounds));
            discipline.is_trusted = true;
            discipline.next_ns = at + SEARCH_NS;
        }
        discipline
    }

    /// Whether the RTC is followed.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.is_trusted
    }

    /// The time of day.
    #[must_use]
    pub fn wall(&self) -> Wall {
        self.wall
    }

    /// How much faster the counter has to be taken to run, in parts per billion.
    #[must_use]
    pub fn rate_ppb(&self) -> i64 {
        self.estimate.as_ref().map_or(0, Estimate::rate_ppb)
    }

    /// When to look next.
    #[must_use]
    pub fn next_ns(&self) -> u64 {
        self.next_ns.cast_unsigned()
    }

    /// Takes a look in.
    pub fn look(&mut self, look: &Look) -> Option<Event> {
        let at = look.after_ns.cast_signed();
        if look.reading != Reading::Updating {
            self.updates = 0;
        }
        let event = match look.reading {
            Reading::Second(second) => match look.bounds(second) {
                Some(bounds) => self.take_in(at, &bounds),
                None => self.distrust(Event::Nonsense),
            },
            Reading::Updating if self.updates < UPDATES => {
                self.updates += 1;
                self.next_ns = at + UPDATE_NS;
                return None;
            }
            Reading::Updating | Reading::Nonsense => self.distrust(Event::Nonsense),
        };
        self.aim(at);
        self.next_ns = at + self.wait(at);
        event
    }

    fn take_in(&mut self, at: i64, bounds: &Range<i64>) -> Option<Event> {
        let Some(estimate) = &mut self.estimate else {
            return self.doubt(at, bounds);
        };
        estimate.advance(at);
        let before = estimate.clone();
        // The time of day may be further ahead than what is known, since it is not set back.
        let ahead_of_rtc = self.wall.at(at) - (at + bounds.end);
        match estimate.fit(bounds) {
            Fit::Yes => {
                self.doubted = None;
                self.has_fitted(at, before)
            }
            Fit::Ahead(by) if by > LEAP_MOST_NS => self.distrust(Event::Leapt(by.cast_unsigned())),
            Fit::Ahead(by) if by > DOUBTED_NS || !self.is_trusted => self.doubt(at, bounds),
            Fit::Behind(_) if ahead_of_rtc > BACK_MOST_NS || !self.is_trusted => {
                self.distrust(Event::WentBack(ahead_of_rtc.max(0).cast_unsigned()))
            }
            Fit::Ahead(by) | Fit::Behind(by) => {
                self.search_anew(at, bounds, by < WANDER_NS);
                None
            }
        }
    }

    /// A look contradicts what was known. How far off that was is seen when the end of the second is found.
    fn search_anew(&mut self, at: i64, bounds: &Range<i64>, may_be_the_rate: bool) {
        let Some(estimate) = &mut self.estimate else {
            return;
        };
        self.before.get_or_insert_with(|| estimate.clone());
        estimate.restart(at, bounds);
        if may_be_the_rate {
            estimate.wander();
        }
    }

    /// What has changed, when it is known.
    fn found(&mut self, at: i64) -> Option<Event> {
        let estimate = self.estimate.as_ref()?;
        if !estimate.is_found() {
            return None;
        }
        let mut before = self.before.take()?;
        before.advance(at);
        let changed = estimate.middle() - before.middle();
        let by = changed.unsigned_abs();
        let what = if changed > 0 {
            Event::SetForward(by)
        } else {
            Event::RunsSlower(by)
        };
        (changed.abs() > TOLD_NS).then_some(what)
    }

    /// The RTC leaps forward. It is believed if the next looks say the same.
    fn doubt(&mut self, at: i64, bounds: &Range<i64>) -> Option<Event> {
        self.fitting = 0;
        let doubted = self.doubted.get_or_insert_with(|| Doubted {
            estimate: Estimate::new(at, bounds),
            seen: 0,
        });
        doubted.estimate.advance(at);
        if doubted.estimate.fit(bounds) != Fit::Yes {
            self.doubted = None;
            return None;
        }
        doubted.seen += 1;
        if doubted.seen < CONFIRMATIONS {
            return None;
        }
        let found = doubted.estimate.clone();
        self.doubted = None;
        self.is_trusted = true;
        if self.estimate.is_some() {
            self.search_anew(at, &(found.least()..found.most()), false);
            return None;
        }
        self.wall = Wall::new(at, at + found.least());
        self.estimate = Some(found);
        Some(Event::Trusted)
    }

    /// A look has fitted. While the RTC is not trusted, nothing is learned of it.
    fn has_fitted(&mut self, at: i64, before: Estimate) -> Option<Event> {
        if self.is_trusted {
            return self.found(at);
        }
        self.fitting += 1;
        if self.fitting < CONFIRMATIONS {
            self.estimate = Some(before);
            return None;
        }
        self.is_trusted = true;
        Some(Event::Trusted)
    }

    /// The RTC lies. It is said once.
    fn distrust(&mut self, why: Event) -> Option<Event> {
        self.doubted = None;
        // What it last said was a lie, too.
        self.estimate = self.before.take().or(self.estimate.take());
        self.fitting = 0;
        core::mem::replace(&mut self.is_trusted, false).then_some(why)
    }

    /// Sets the time of day by what is known. While the end of the second is being looked for it is no later than it
    /// can be, since it cannot go back.
    fn aim(&mut self, at: i64) {
        let Some(estimate) = &mut self.estimate else {
            return;
        };
        estimate.advance(at);
        let is_coarse = estimate.width() > COARSE_NS && self.is_trusted;
        let difference = if is_coarse {
            estimate.least()
        } else {
            estimate.middle()
        };
        self.wall.aim(at, at + difference, estimate.rate_ppb());
    }

    /// How long to wait until the next look.
    fn wait(&self, at: i64) -> i64 {
        if self.doubted.is_some() {
            return SEARCH_NS;
        }
        let Some(estimate) = self.estimate.as_ref().filter(|_| self.is_trusted) else {
            return DISTRUSTED_NS;
        };
        let width = estimate.width();
        if width > COARSE_NS {
            return SEARCH_NS;
        }
        let until_end = |difference: i64| SECOND_NS - (at + difference).rem_euclid(SECOND_NS);
        let moments = [
            until_end(estimate.most()) - BEFORE_END_NS,
            if width > FINE_NS {
                until_end(estimate.middle())
            } else {
                SECOND_NS
            },
            until_end(estimate.least()) + AFTER_END_NS,
        ];
        let moments = moments.into_iter().filter(|&wait| wait >= CLOSEST_NS);
        let next = moments.fold(SECOND_NS, i64::min);
        // Looks that keep watch are not so close before the others that these would be left out.
        if next > WATCH_NS + WATCH_NS / 4 {
            WATCH_NS
        } else {
            next
        }
    }
}

impl Look {
    /// Between what the difference of truth and counter lies if the RTC shows `second`.
    fn bounds(&self, second: u64) -> Option<Range<i64>> {
        let start = i64::try_from(second).ok().filter(|&it| it < SECONDS)? * SECOND_NS;
        let least = start - self.after_ns.cast_signed();
        Some(least..start + SECOND_NS - self.before_ns.cast_signed())
    }
}
