//! How long a route's requests run: a percentile of what was measured last.

/// How many measurements are looked back on.
const WINDOW: usize = 64;
/// Below so many, the longest counts: too few to speak of percentiles.
const FEW: usize = 8;

/// A route's estimate.
#[derive(Clone, Debug)]
pub struct Estimate {
    percentile: u8,
    /// What holds until something was measured.
    first_ns: u64,
    /// Whether `first_ns` was given by somebody who knows, so that it holds until percentiles can be
    /// spoken of.
    is_given: bool,
    measured: [u64; WINDOW],
    /// Places in `measured`, the shortest time first. Each request changes one, which is cheaper than to sort all.
    order: [u8; WINDOW],
    count: usize,
    next: usize,
    /// Kept, since it is asked for more often than it changes.
    present_ns: u64,
}

impl Estimate {
    /// An estimate by `percentile` (50 to 99), which is `given_ns` at first, or `cautious_ns` if nothing is
    /// given.
    #[must_use]
    pub fn new(percentile: u8, given_ns: Option<u64>, cautious_ns: u64) -> Self {
        let first_ns = given_ns.unwrap_or(cautious_ns);
        Self {
            percentile,
            first_ns,
            is_given: given_ns.is_some(),
            measured: [0; WINDOW],
            order: [0; WINDOW],
            count: 0,
            next: 0,
            present_ns: first_ns,
        }
    }

    /// The estimate now, in nanoseconds.
    #[must_use]
    pub const fn ns(&self) -> u64 {
        self.present_ns
    }

    /// Takes a measured time in.
    pub fn measured(&mut self, took_ns: u64) {
        let place = self.next as u8;
        let others = self.order[..self.count].iter().position(|at| *at == place);
        let others = match others {
            Some(oldest) => {
                self.order.copy_within(oldest + 1..self.count, oldest);
                self.count - 1
            }
            None => self.count,
        };
        let shorter = |at: &u8| self.measured[usize::from(*at)] <= took_ns;
        let rank = self.order[..others].partition_point(shorter);
        self.order.copy_within(rank..others, rank + 1);
        self.order[rank] = place;
        self.measured[self.next] = took_ns;
        self.next = (self.next + 1) % WINDOW;
        self.count = others + 1;
        self.present_ns = self.reckon();
    }

    fn reckon(&self) -> u64 {
        if self.count < FEW && self.is_given {
            return self.first_ns;
        }
        let place = if self.count < FEW {
            self.count
        } else {
            (self.count * usize::from(self.percentile)).div_ceil(100)
        };
        self.measured[usize::from(self.order[place - 1])]
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn before_anything_is_measured_the_first_value_holds() {
        assert_eq!(Estimate::new(70, None, 500).ns(), 500);
        assert_eq!(Estimate::new(70, Some(20), 500).ns(), 20);
    }

    #[test]
    fn of_a_few_measurements_the_longest_counts() {
        let mut estimate = Estimate::new(50, None, 500);
        [30, 10, 20]
            .into_iter()
            .for_each(|ns| estimate.measured(ns));
        assert_eq!(estimate.ns(), 30);
    }

    #[test]
    fn what_is_given_holds_until_there_are_enough_measurements() {
        let mut estimate = Estimate::new(50, Some(500), 0);
        (0..7).for_each(|_| estimate.measured(10));
        assert_eq!(estimate.ns(), 500);
        estimate.measured(10);
        assert_eq!(estimate.ns(), 10);
    }

    #[test]
    fn a_percentile_is_the_time_that_so_many_did_not_exceed() {
        for (percentile, expected) in [(50, 5), (70, 7), (90, 9), (99, 10)] {
            let mut estimate = Estimate::new(percentile, None, 0);
            (1..=10).rev().for_each(|ns| estimate.measured(ns));
            assert_eq!(estimate.ns(), expected, "percentile {percentile}");
        }
    }

    #[test]
    fn a_percentile_is_that_of_the_last_measurements_in_order() {
        let (mut estimate, mut all, mut state) = (Estimate::new(70, None, 0), vec![], 1_u64);
        for _ in 0..1_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            // Few values, so that many are the same.
            let ns = (state >> 33) % 50;
            estimate.measured(ns);
            all.push(ns);
            let mut last = all[all.len().saturating_sub(WINDOW)..].to_vec();
            last.sort_unstable();
            if last.len() >= FEW {
                assert_eq!(estimate.ns(), last[(last.len() * 70).div_ceil(100) - 1]);
            }
        }
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let mut estimate = Estimate::new(99, None, 0);
        estimate.measured(1_000_000);
        (0..WINDOW).for_each(|_| estimate.measured(7));
        assert_eq!(estimate.ns(), 7);
    }
}
