//! What is expected of a route's requests when what was measured of them is out of date.

use crate::estimate::{Sample, WINDOW};

/// A request that is not done after some time is expected to take so many times as long in all.
const GROWTH: u64 = 4;
/// So many samples, the last ones, say whether requests have become longer.
const LAST: usize = 16;
/// But if the last so many took no more than is booked, they have not.
const AGAIN: usize = 2;
/// One that has had so many times as much as the longest that was done is taken for one that never ends.
const HOPELESS: u64 = 2;

/// What requests are expected to take, in nanoseconds of CPU time.
#[derive(Clone, Debug)]
pub(crate) struct Outlook {
    /// The longest, without some outliers.
    pub(crate) booked_ns: u64,
    /// One that has run over its booking, on average.
    pub(crate) over_ns: u64,
    /// One that comes, on average.
    pub(crate) mean_ns: u64,
}

impl Outlook {
    /// By these samples, the last one first, without so many outliers, where `done_ns` is booked for a request and
    /// none takes more than `budget_ns`.
    pub(crate) fn new(samples: &[Sample], outliers: usize, done_ns: u64, budget_ns: u64) -> Self {
        let last = &samples[..samples.len().min(LAST)];
        let is_over = |sample: &Sample| sample.is_censored() || sample.ns() > done_ns;
        let censored = last.iter().filter(|sample| sample.is_censored()).count();
        let have_grown = 2 * censored >= last.len() && last.iter().take(AGAIN).any(is_over);
        let samples = if have_grown { last } else { samples };
        let expected_ns = |sample: &Sample| match have_grown {
            true => grown_ns(*sample, budget_ns),
            false => hoped_ns(*sample, longest_ns(samples, done_ns)),
        };
        let mut all = [(0, false); WINDOW];
        for (place, sample) in all.iter_mut().zip(samples) {
            *place = (expected_ns(sample), is_over(sample));
        }
        let all = &mut all[..samples.len()];
        all.sort_unstable();
        let some = &all[..samples.len().saturating_sub(outliers).max(1)];
        let over = some.iter().filter(|(_, is_over)| *is_over);
        Self {
            booked_ns: some.last().map_or(0, |(ns, _)| *ns),
            over_ns: mean(over.map(|(ns, _)| *ns)),
            mean_ns: mean(some.iter().map(|(ns, _)| *ns)),
        }
    }
}

/// The longest that was done of those that took more than was booked, in nanoseconds.
fn longest_ns(samples: &[Sample], done_ns: u64) -> Option<u64> {
    let done = samples.iter().filter(|sample| !sample.is_censored());
    done.map(|sample| sample.ns())
        .max()
        .filter(|ns| *ns > done_ns)
}

/// Where most requests run over their bookings: those that are not done need as much time again, and more.
const fn grown_ns(sample: Sample, budget_ns: u64) -> u64 {
    if !sample.is_censored() {
        return sample.ns();
    }
    let grown_ns = sample.ns().saturating_mul(GROWTH);
    if grown_ns < budget_ns {
        grown_ns
    } else {
        budget_ns
    }
}

/// Where few do: those that are not done need as much as the longest that was done; or they never end, and nobody
/// has to be refused for their sake.
fn hoped_ns(sample: Sample, longest_ns: Option<u64>) -> u64 {
    let ns = sample.ns();
    match longest_ns {
        _ if !sample.is_censored() => ns,
        Some(longest_ns) if ns <= longest_ns.saturating_mul(HOPELESS) => {
            ns.saturating_mul(GROWTH).min(longest_ns).max(ns)
        }
        _ => 0,
    }
}

fn mean(ns: impl Iterator<Item = u64>) -> u64 {
    let (count, sum) = ns.fold((0, 0_u64), |(count, sum), ns| {
        (count + 1, sum.saturating_add(ns))
    });
    sum / u64::max(count, 1)
}
