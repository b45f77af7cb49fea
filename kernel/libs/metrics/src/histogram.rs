//! Durations, counted by how long they are.

use crate::{Counter, Counters};

/// The longest duration of each bucket but the last, which has no end, in nanoseconds: from 10 µs to 10 s.
pub const BOUNDS_NS: [u64; BOUNDS] = {
    let mut bounds = [0; BOUNDS];
    let (mut place, mut decade) = (0, 10_000);
    while place < BOUNDS {
        bounds[place] = [decade, decade * 5 / 2, decade * 5][place % 3];
        if place % 3 == 2 {
            decade *= 10;
        }
        place += 1;
    }
    bounds
};
const BOUNDS: usize = 19;

/// For each number of bits, the first bucket that a duration with so many may be in: from there it is two
/// steps at most.
const FIRST: [u8; 65] = {
    let mut first = [0; 65];
    let mut bits = 1;
    while bits <= 64 {
        let least = 1 << (bits - 1);
        let mut place = 0;
        while place < BOUNDS && BOUNDS_NS[place] < least {
            place += 1;
        }
        first[bits] = place as u8;
        bits += 1;
    }
    first
};

/// How many durations of what length there were. The buckets are the same for all, so that they can be added up.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: Counters<{ BOUNDS + 1 }>,
    sum_ns: Counter,
}

impl Histogram {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            buckets: Counters::new(),
            sum_ns: Counter::new(),
        }
    }

    /// Takes a duration in.
    #[inline]
    pub fn record(&self, ns: u64) {
        let bits = u64::BITS - ns.leading_zeros();
        let mut place = usize::from(FIRST[bits as usize]);
        while BOUNDS_NS.get(place).is_some_and(|bound| ns > *bound) {
            place += 1;
        }
        self.buckets.at(place).count();
        self.sum_ns.add(ns);
    }

    /// How many durations there were up to each bound, and how many in all behind them.
    pub fn cumulated(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let bounds = BOUNDS_NS.into_iter().map(Some).chain([None]);
        let mut all = 0;
        bounds.enumerate().map(move |(place, bound)| {
            all += self.buckets.at(place).get();
            (bound, all)
        })
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.cumulated().last().map_or(0, |(_, all)| all)
    }

    /// How long they were together, in nanoseconds.
    #[must_use]
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_first_bucket_that_it_fits() {
        let edges = BOUNDS_NS.iter().flat_map(|ns| [ns - 1, *ns, ns + 1]);
        for ns in edges
            .chain([0, 1, u64::MAX])
            .chain((0..64).map(|bit| 1 << bit))
        {
            let histogram = Histogram::new();
            histogram.record(ns);
            let fits = |bound: Option<u64>| bound.is_none_or(|bound| ns <= bound);
            let wanted = histogram
                .cumulated()
                .all(|(bound, all)| (all == 1) == fits(bound));
            assert!(wanted, "{ns} ns");
            assert_eq!((histogram.count(), histogram.sum_ns()), (1, ns));
        }
    }

    #[test]
    fn bounds_grow_from_ten_microseconds_to_ten_seconds() {
        assert!(BOUNDS_NS.is_sorted());
        assert_eq!(BOUNDS_NS[..4], [10_000, 25_000, 50_000, 100_000]);
        assert_eq!(BOUNDS_NS[BOUNDS - 1], 10_000_000_000);
    }
}
