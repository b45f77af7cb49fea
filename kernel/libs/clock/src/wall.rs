//! The time of day between two looks.

use crate::parts;

/// By how much the time of day runs slower or faster while it is brought right, in parts per billion.
const SLEW_PPB: i64 = 500_000;
/// What it is behind by no more than this is made up for by running faster; what is more, at once.
const SLEWED_NS: i64 = 10_000_000;

/// The time of day as a function of the counter. It never goes back, and [`Wall::aim`] never sets it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wall {
    at_ns: i64,
    wall_ns: i64,
    rate_ppb: i64,
    /// What is still to be made up for: behind if above 0.
    slew_ns: i64,
}

impl Wall {
    /// A time of day that is `wall_ns` at the counter's `at_ns`.
    pub(crate) fn new(at_ns: i64, wall_ns: i64) -> Wall {
        Wall {
            at_ns,
            wall_ns,
            ..Wall::default()
        }
    }

    /// Nanoseconds since 1970 when the counter is at `counter_ns`.
    #[must_use]
    pub fn ns(&self, counter_ns: u64) -> u64 {
        u64::try_from(self.at(counter_ns.cast_signed())).unwrap_or(0)
    }

    pub(crate) fn at(&self, counter_ns: i64) -> i64 {
        let passed = counter_ns.saturating_sub(self.at_ns).max(0);
        let most = parts(passed, SLEW_PPB);
        let slewed = self.slew_ns.clamp(-most, most);
        self.wall_ns + passed + parts(passed, self.rate_ppb) + slewed
    }

    /// From `counter_ns` on, when the truth is `wanted_ns`, makes for that.
    pub(crate) fn aim(&mut self, counter_ns: i64, wanted_ns: i64, rate_ppb: i64) {
        let wall_ns = self.at(counter_ns);
        let behind = wanted_ns - wall_ns;
        let is_step = behind > SLEWED_NS;
        *self = Wall {
            at_ns: counter_ns,
            wall_ns: if is_step { wanted_ns } else { wall_ns },
            rate_ppb,
            slew_ns: if is_step { 0 } else { behind },
        };
    }
}
