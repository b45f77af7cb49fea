//! How long a route's requests run: a percentile of those that were done, and what the others say.
//!
//! A request that is ended, or still runs, after more than its booking is a *censored* sample: it takes at least what
//! it has had. Such samples do not count for the percentile, because an endless loop gives one each time. But when
//! there are too many of them, the percentile is out of date, and the estimate is [unsettled](Estimate::is_unsettled).

use crate::outlook::Outlook;

/// How many samples are looked back on.
pub(crate) const WINDOW: usize = 64;
/// So many executions that were done replace an estimate that was given, and the samples of an older program.
const FEW: u64 = 8;
/// The estimate is unsettled if more than so many samples are censored, and more than the percentile leaves out.
const TOLERATED: usize = 3;
/// What is booked while the estimate is unsettled, at most: so many times the percentile.
const MOST_GROWTH: u64 = 4;

/// What is known of one request: the CPU time that it took, or has had without being done. In order, those that were
/// done come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sample(u64);

impl Sample {
    const CENSORED: u64 = 1 << 63;

    /// It was done after so many nanoseconds.
    pub(crate) const fn took(ns: u64) -> Self {
        Self(ns & !Self::CENSORED)
    }

    /// It has had so many nanoseconds, and was not done.
    pub(crate) const fn at_least(ns: u64) -> Self {
        Self(ns | Self::CENSORED)
    }

    pub(crate) const fn is_censored(self) -> bool {
        self.0 & Self::CENSORED != 0
    }

    pub(crate) const fn ns(self) -> u64 {
        self.0 & !Self::CENSORED
    }
}

/// Names the sample of a request that has not ended yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(u64);

/// A route's estimate.
#[derive(Clone, Debug)]
pub struct Estimate {
    percentile: u8,
    /// What holds until something was measured.
    first_ns: u64,
    /// Whether `first_ns` was given by somebody who knows, and has not been measured often enough since.
    is_given: bool,
    /// The most that a request may take: it is ended then.
    budget_ns: u64,
    /// By their numbers.
    samples: [Sample; WINDOW],
    /// Places in `samples` of the last ones, in the order of their times. Each request changes one, which is cheaper
    /// than to sort all.
    order: [u8; WINDOW],
    /// How many are kept, and how many of these are censored.
    kept: usize,
    censored: usize,
    /// How many samples there were ever.
    count: u64,
    /// At how many those of an older program are forgotten.
    forget_at: u64,
    /// Whether samples have changed since the rest was reckoned.
    is_stale: bool,
    /// The rest is kept, since it is asked for more often than it changes. The percentile:
    done_ns: u64,
    /// What is expected while the estimate is unsettled.
    outlook: Option<Outlook>,
}

impl Estimate {
    /// An estimate by `percentile` (50 to 99), which is `given_ns` at first, or `hoped_ns` if nothing is given.
    #[must_use]
    pub const fn new(percentile: u8, given_ns: Option<u64>, hoped_ns: u64) -> Self {
        let (first_ns, is_given) = match given_ns {
            Some(given_ns) => (given_ns, true),
            None => (hoped_ns, false),
        };
        Self {
            percentile,
            first_ns,
            is_given,
            budget_ns: u64::MAX,
            samples: [Sample::took(0); WINDOW],
            order: [0; WINDOW],
            kept: 0,
            censored: 0,
            count: 0,
            forget_at: 0,
            is_stale: false,
            done_ns: first_ns,
            outlook: None,
        }
    }

    /// The same for requests that are ended after `budget_ns` of CPU time.
    #[must_use]
    pub const fn with_budget(self, budget_ns: u64) -> Self {
        Self { budget_ns, ..self }
    }

    /// Another program takes this one's place, or other terms hold, which `first` is for. What was measured holds until
    /// enough is known of the new program.
    pub fn change(&mut self, first: Self) {
        if self.count == 0 {
            *self = first;
            return;
        }
        self.percentile = first.percentile;
        self.budget_ns = first.budget_ns;
        self.forget_at = self.count + FEW;
        self.reckon();
    }

    /// What to book for a request, in nanoseconds.
    #[must_use]
    pub fn ns(&self) -> u64 {
        let ns = match &self.outlook {
            Some(outlook) => {
                let most_ns = self.done_ns.saturating_mul(MOST_GROWTH);
                outlook.booked_ns.clamp(self.done_ns, most_ns)
            }
            None => self.done_ns,
        };
        ns.min(self.budget_ns)
    }

    /// Whether too many requests run over their bookings for the estimate to be right.
    #[must_use]
    pub const fn is_unsettled(&self) -> bool {
        self.outlook.is_some()
    }

    /// What this many requests are expected to take together, in nanoseconds, `over` of which run over their bookings
    /// and `within` of which do not; or none if the estimate is settled.
    #[must_use]
    pub fn demand_ns(&self, over: u32, within: u32) -> Option<u64> {
        let outlook = self.outlook.as_ref()?;
        let over_ns = outlook.over_ns.saturating_mul(over.into());
        Some(over_ns.saturating_add(outlook.mean_ns.saturating_mul(within.into())))
    }

    /// Takes in what a request took that was done.
    pub fn measured(&mut self, took_ns: u64) {
        self.take_in(Sample::took(took_ns));
    }

    /// Takes in that a request has had `ran_ns`, more than was booked for it, and goes on.
    pub(crate) fn exceeded(&mut self, ran_ns: u64) -> Mark {
        self.take_in(Sample::at_least(ran_ns));
        Mark(self.count - 1)
    }

    /// The request of this sample has had `ran_ns` more.
    pub(crate) fn ran_on(&mut self, mark: Mark, ran_ns: u64) {
        if let Some(place) = self.find(mark)
            && self.samples[place].is_censored()
        {
            let had_ns = self.samples[place].ns();
            self.replace(place, Sample::at_least(had_ns.saturating_add(ran_ns)));
            self.is_stale = true;
        }
    }

    /// The request of this sample was done after `took_ns`.
    pub(crate) fn done(&mut self, mark: Mark, took_ns: u64) {
        self.end(mark, Sample::took(took_ns));
    }

    /// The request of this sample was ended after `ran_ns`.
    pub(crate) fn ended(&mut self, mark: Mark, ran_ns: u64) {
        self.end(mark, Sample::at_least(ran_ns));
    }

    fn end(&mut self, mark: Mark, sample: Sample) {
        match self.find(mark) {
            Some(place) => {
                self.replace(place, sample);
                self.reckon();
            }
            None => self.take_in(sample),
        }
    }

    /// Reckons with what requests have had that go on.
    pub(crate) fn refresh(&mut self) {
        if self.is_stale {
            self.reckon();
        }
    }

    /// The place of a sample that is kept.
    fn find(&self, Mark(number): Mark) -> Option<usize> {
        let is_kept = number + self.kept as u64 >= self.count;
        is_kept.then_some(number as usize % WINDOW)
    }

    fn take_in(&mut self, sample: Sample) {
        let place = self.count as usize % WINDOW;
        self.count += 1;
        if self.kept == WINDOW {
            self.replace(place, sample);
        } else {
            self.insert(place, sample);
        }
        if self.count == self.forget_at {
            (self.kept, self.censored) = (0, 0);
            for number in self.count - FEW..self.count {
                let place = number as usize % WINDOW;
                self.insert(place, self.samples[place]);
            }
        }
        self.reckon();
    }

    fn replace(&mut self, place: usize, sample: Sample) {
        let order = &mut self.order[..self.kept];
        let mut places = order.iter();
        let at = places.position(|other| usize::from(*other) == place);
        let at = at.expect("only one that is kept is replaced");
        order.copy_within(at + 1.., at);
        self.kept -= 1;
        self.censored -= usize::from(self.samples[place].is_censored());
        self.insert(place, sample);
    }

    fn insert(&mut self, place: usize, sample: Sample) {
        let before = |other: &u8| self.samples[usize::from(*other)] <= sample;
        let rank = self.order[..self.kept].partition_point(before);
        self.order.copy_within(rank..self.kept, rank + 1);
        self.order[rank] = place as u8;
        self.samples[place] = sample;
        self.kept += 1;
        self.censored += usize::from(sample.is_censored());
    }

    fn reckon(&mut self) {
        self.is_stale = false;
        self.done_ns = self.reckon_done();
        let is_unsettled = self.censored > TOLERATED.max(self.left_out_of(WINDOW));
        self.outlook = is_unsettled.then(|| self.look_out());
    }

    fn reckon_done(&mut self) -> u64 {
        let count = self.kept - self.censored;
        self.is_given &= (count as u64) < FEW;
        if count == 0 || self.is_given {
            return self.done_ns;
        }
        let ns = |rank: usize| self.samples[usize::from(self.order[rank])].ns();
        match count.checked_sub(self.left_out_of(count) + 1) {
            Some(rank) => ns(rank),
            // One, which may be the slow one.
            None => ns(0).min(self.first_ns),
        }
    }

    fn look_out(&self) -> Outlook {
        let mut last_first = [Sample::took(0); WINDOW];
        for (place, back) in last_first[..self.kept].iter_mut().zip(1..) {
            *place = self.samples[(self.count - back) as usize % WINDOW];
        }
        let samples = &last_first[..self.kept];
        Outlook::new(samples, TOLERATED, self.done_ns, self.budget_ns)
    }

    /// How many of so many the percentile leaves out. Of a few it leaves out more, as many as of a whole window, but
    /// no more than half: that one of them was slow says little.
    fn left_out_of(&self, count: usize) -> usize {
        let part = |count| count * (100 - usize::from(self.percentile.min(100))) / 100;
        let of_a_few = part(WINDOW).min(TOLERATED).min(count.div_ceil(2));
        part(count).max(of_a_few)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn before_anything_is_measured_the_first_value_holds() {
        assert_eq!(Estimate::new(70, None, 500).ns(), 500);
        assert_eq!(Estimate::new(70, Some(20), 500).ns(), 20);
    }

    #[test]
    fn of_a_few_measurements_a_slow_one_does_not_count() {
        for (percentile, expected) in [(95, 10), (99, 30)] {
            let mut estimate = Estimate::new(percentile, None, 500);
            [30, 10, 20]
                .into_iter()
                .for_each(|ns| estimate.measured(ns));
            assert_eq!(estimate.ns(), expected, "percentile {percentile}");
        }
    }

    #[test]
    fn a_first_measurement_makes_the_estimate_shorter_and_not_longer() {
        for (took, expected) in [(400, 400), (600, 500)] {
            let mut estimate = Estimate::new(95, None, 500);
            estimate.measured(took);
            assert_eq!(estimate.ns(), expected);
        }
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
        for (percentile, expected) in [(50, 32), (70, 45), (90, 58), (95, 61), (99, 64)] {
            let mut estimate = Estimate::new(percentile, None, 0);
            (1..=64).rev().for_each(|ns| estimate.measured(ns));
            assert_eq!(estimate.ns(), expected, "percentile {percentile}");
        }
    }

    #[test]
    fn a_percentile_is_that_of_the_last_measurements_in_order() {
        let (mut estimate, mut all, mut state) = (Estimate::new(70, None, 0), Vec::new(), 1_u64);
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
            if last.len() >= 10 {
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

    #[test]
    fn a_changed_program_has_the_estimate_of_the_old_one_until_it_was_measured_a_few_times() {
        let mut estimate = Estimate::new(95, None, 500);
        (0..10).for_each(|_| estimate.measured(40));
        estimate.change(Estimate::new(95, None, 700));
        (0..7).for_each(|_| estimate.measured(9));
        assert_eq!(estimate.ns(), 40);
        estimate.measured(9);
        assert_eq!(estimate.ns(), 9);
        let mut unknown = Estimate::new(95, None, 500);
        unknown.change(Estimate::new(95, None, 700));
        assert_eq!(unknown.ns(), 700);
    }

    /// An estimate of 10 with so many requests that go on beyond it.
    fn with_long_ones(count: usize) -> (Estimate, Vec<Mark>) {
        let mut estimate = Estimate::new(95, None, 500);
        (0..WINDOW).for_each(|_| estimate.measured(10));
        let marks = (0..count).map(|_| estimate.exceeded(11)).collect();
        (estimate, marks)
    }

    #[test]
    fn an_estimate_is_unsettled_while_more_requests_exceed_it_than_the_percentile_leaves_out() {
        let (mut estimate, marks) = with_long_ones(3);
        assert!(!estimate.is_unsettled() && estimate.demand_ns(3, 1).is_none());
        let fourth = estimate.exceeded(11);
        assert!(estimate.is_unsettled());
        estimate.done(fourth, 10);
        assert!(!estimate.is_unsettled());
        marks.into_iter().for_each(|mark| estimate.done(mark, 12));
        assert_eq!(estimate.ns(), 10);
    }

    #[test]
    fn as_long_as_none_that_is_longer_was_done_a_few_that_go_on_do_not_count() {
        let (mut estimate, marks) = with_long_ones(7);
        marks.iter().for_each(|mark| estimate.ran_on(*mark, 1_000));
        estimate.refresh();
        assert_eq!(estimate.ns(), 10);
        assert_eq!(estimate.demand_ns(7, 0), Some(0));
    }

    #[test]
    fn a_few_that_go_on_are_expected_to_take_as_long_as_the_longest_that_was_done() {
        let (mut estimate, marks) = with_long_ones(7);
        estimate.done(marks[0], 40);
        assert_eq!(estimate.ns(), 40);
        // The one that is done and two others are the outliers.
        assert_eq!(estimate.demand_ns(4, 0), Some(160));
        // By now they have had more than twice as much.
        marks[1..]
            .iter()
            .for_each(|mark| estimate.ran_on(*mark, 90));
        estimate.refresh();
        assert_eq!(estimate.ns(), 10);
    }

    #[test]
    fn if_most_go_on_what_is_booked_grows_to_four_times_what_was_done_and_the_demand_without_bound()
    {
        let (mut estimate, marks) = with_long_ones(16);
        assert_eq!(estimate.ns(), 40);
        assert_eq!(estimate.demand_ns(1, 1), Some(88));
        marks.iter().for_each(|mark| estimate.ran_on(*mark, 89));
        estimate.refresh();
        assert_eq!(estimate.ns(), 40);
        assert_eq!(estimate.demand_ns(1, 1), Some(800));
    }

    #[test]
    fn no_more_is_expected_than_the_budget_allows() {
        let mut estimate = Estimate::new(95, Some(500), 0).with_budget(30);
        assert_eq!(estimate.ns(), 30);
        (0..16).for_each(|_| _ = estimate.exceeded(30));
        assert_eq!((estimate.ns(), estimate.demand_ns(1, 1)), (30, Some(60)));
    }

    #[test]
    fn the_end_of_a_request_counts_though_its_sample_was_forgotten() {
        let (mut estimate, marks) = with_long_ones(4);
        (0..WINDOW).for_each(|_| estimate.measured(10));
        assert!(!estimate.is_unsettled());
        marks.iter().for_each(|mark| estimate.ran_on(*mark, 5));
        assert_eq!(estimate.ns(), 10);
        marks[..2].iter().for_each(|mark| estimate.ended(*mark, 80));
        marks[2..].iter().for_each(|mark| estimate.ended(*mark, 80));
        assert!(estimate.is_unsettled());
    }
}
