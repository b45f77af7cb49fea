//! What is known of the difference between the truth and the counter, and of how it changes.
//!
//! Both are intervals that only looks narrow and only time widens. The rate's follows from how the difference was at an
//! *anchor*, a moment of the past, and how it is now.

use core::ops::Range;

use crate::{SECOND_NS, parts};

/// How wrong the counter's rate may be at first, and ever, in parts per billion: two measurements at boot agree within
/// one part in 128.
const RATE_MOST_PPB: i64 = 8_000_000;
/// By how much a rate may change in a second: 12 parts per million in ten minutes.
const AGE_PPB: i64 = 20;
/// By how much it may have changed, beyond that, where looks contradict it: the RTC's owner corrects its rate, too.
const WANDER_PPB: i64 = 100_000;
/// How old an anchor gets: what the rate was before is forgotten.
const ANCHOR_NS: i64 = 600 * SECOND_NS;
/// The rate is worked out over no less than this.
const BASE_NS: i64 = SECOND_NS;

/// The difference is known if it is known so well.
const FOUND_NS: i64 = 50_000_000;

/// The difference at one moment of the counter.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    at: i64,
    least: i64,
    most: i64,
}

/// How a look fits what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It fits, and has been taken in.
    Yes,
    /// The RTC is ahead of the latest that could be expected, by this or more.
    Ahead(i64),
    /// The RTC is behind the earliest that could be expected, by this or more.
    Behind(i64),
}

#[derive(Clone, Debug)]
pub(crate) struct Estimate {
    here: Anchor,
    anchor: Anchor,
    /// How much the truth gains on the counter, in parts per billion: least and most.
    slow: i64,
    fast: i64,
    /// The RTC has gone on to another second since the difference could be anything.
    has_seen_end: bool,
}

impl Estimate {
    /// The difference is in `bounds` at `at`, the rate anything.
    pub(crate) fn new(at: i64, bounds: &Range<i64>) -> Estimate {
        let here = Anchor {
            at,
            least: bounds.start,
            most: bounds.end,
        };
        Estimate {
            here,
            anchor: here,
            slow: -RATE_MOST_PPB,
            fast: RATE_MOST_PPB,
            has_seen_end: false,
        }
    }

    /// The difference is in `bounds` at `at`, whatever it was before. The rate is as it was.
    pub(crate) fn restart(&mut self, at: i64, bounds: &Range<i64>) {
        self.advance(at);
        (self.here.least, self.here.most) = (bounds.start, bounds.end);
        self.anchor = self.here;
        self.has_seen_end = false;
    }

    /// What is known at the counter's `at` with no further look.
    pub(crate) fn advance(&mut self, at: i64) {
        let passed = (at - self.here.at).max(0);
        let aged = parts(passed, AGE_PPB);
        self.slow = (self.slow - aged).max(-RATE_MOST_PPB);
        self.fast = (self.fast + aged).min(RATE_MOST_PPB);
        self.here = Anchor {
            at,
            least: self.here.least + parts(passed, self.slow),
            most: self.here.most + parts(passed, self.fast),
        };
    }

    /// A look at the present moment puts the difference into `bounds`.
    pub(crate) fn fit(&mut self, bounds: &Range<i64>) -> Fit {
        let here = &mut self.here;
        let (ahead, behind) = (bounds.start - here.most, here.least - bounds.end);
        if ahead > 0 {
            return Fit::Ahead(ahead);
        }
        if behind > 0 {
            return Fit::Behind(behind);
        }
        self.has_seen_end |= bounds.start > here.least;
        here.least = here.least.max(bounds.start);
        here.most = here.most.min(bounds.end);
        self.learn_rate();
        Fit::Yes
    }

    /// The rate has changed, by no more than is usual.
    pub(crate) fn wander(&mut self) {
        self.slow = (self.slow - WANDER_PPB).max(-RATE_MOST_PPB);
        self.fast = (self.fast + WANDER_PPB).min(RATE_MOST_PPB);
        self.anchor = self.here;
    }

    fn learn_rate(&mut self) {
        let (here, anchor) = (self.here, self.anchor);
        let passed = here.at - anchor.at;
        if passed >= BASE_NS {
            let rate =
                |gained: i64| i128::from(gained) * i128::from(SECOND_NS) / i128::from(passed);
            let slow = rate(here.least - anchor.most).max(self.slow.into()) as i64;
            let fast = rate(here.most - anchor.least).min(self.fast.into()) as i64;
            if slow > fast {
                return self.wander();
            }
            (self.slow, self.fast) = (slow, fast);
        }
        let is_finer = self.width() < (anchor.most - anchor.least) / 2;
        if is_finer || passed > ANCHOR_NS {
            self.anchor = here;
        }
    }

    /// How far apart the least and the greatest difference are that may be.
    pub(crate) fn width(&self) -> i64 {
        self.here.most - self.here.least
    }

    /// Whether the difference is known since looks were last contradicted.
    pub(crate) fn is_found(&self) -> bool {
        self.has_seen_end && self.width() <= FOUND_NS
    }

    /// The least difference that may be.
    pub(crate) fn least(&self) -> i64 {
        self.here.least
    }

    /// The greatest difference that may be.
    pub(crate) fn most(&self) -> i64 {
        self.here.most
    }

    /// The middle of the differences that may be.
    pub(crate) fn middle(&self) -> i64 {
        self.here.least + self.width() / 2
    }

    /// The middle of the rates that may be.
    pub(crate) fn rate_ppb(&self) -> i64 {
        self.slow + (self.fast - self.slow) / 2
    }
}
