//! A book of promises: how much CPU time by when, and whether one more can be kept.
//!
//! The test is the processor demand criterion (Baruah, Rosier and Howell, "Algorithms and Complexity
//! Concerning the Preemptive Scheduling of Periodic, Real-Time Tasks on One Processor", 1990) for jobs
//! that are all here: under EDF every one of them meets its deadline if, up to each deadline, what is
//! booked until then is no more than what the CPU is sure to give. It is exact, and looks at each booking
//! once.

use alloc::collections::BTreeMap;

use crate::supply::Supply;

/// The name of a booking: its deadline, and a number that no other has.
pub(crate) type Entry = (u64, u64);

/// What is booked on one group's supply, in nanoseconds of CPU time still to be given.
#[derive(Default)]
pub(crate) struct Book(BTreeMap<Entry, u64>);

impl Book {
    /// Whether `cost_ns` more by `deadline_ns` can be promised without breaking what is promised, where
    /// `supply` is the CPU time that is sure within so many nanoseconds from now.
    ///
    /// # Errors
    /// By how many nanoseconds the first promise that would be broken is.
    pub(crate) fn test(
        &self,
        now_ns: u64,
        (deadline_ns, cost_ns): (u64, u64),
        supply: &Supply,
    ) -> Result<(), u64> {
        let check = |deadline: u64, demand_ns: u64| {
            let sure_ns = supply.within_ns(deadline.saturating_sub(now_ns));
            match demand_ns.checked_sub(sure_ns) {
                None | Some(0) => Ok(()),
                Some(lacking_ns) => Err(lacking_ns),
            }
        };
        let after = (deadline_ns, u64::MAX);
        let before: u64 = self.0.range(..=after).map(|(_, left_ns)| left_ns).sum();
        let mut demand_ns = before.saturating_add(cost_ns);
        check(deadline_ns, demand_ns)?;
        for (&(deadline, _), left_ns) in self.0.range(after..) {
            demand_ns = demand_ns.saturating_add(*left_ns);
            check(deadline, demand_ns)?;
        }
        Ok(())
    }

    pub(crate) fn enter(&mut self, entry: Entry, cost_ns: u64) {
        self.0.insert(entry, cost_ns);
    }

    /// Of what was booked, `ran_ns` has been given.
    pub(crate) fn charge(&mut self, entry: Entry, ran_ns: u64) {
        if let Some(left_ns) = self.0.get_mut(&entry) {
            *left_ns = left_ns.saturating_sub(ran_ns);
        }
    }

    pub(crate) fn strike_out(&mut self, entry: Entry) {
        self.0.remove(&entry);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Book;
    use crate::supply::{Free, Supply};

    const WHOLE: Supply = Supply::Free(Free::new(1_000_000));

    fn book(entries: &[(u64, u64)]) -> Book {
        let mut book = Book::default();
        for (number, &(deadline, cost)) in (0..).zip(entries) {
            book.enter((deadline, number), cost);
        }
        book
    }

    #[test]
    fn an_empty_book_takes_what_the_cpu_can_give_until_the_deadline() {
        assert_eq!(book(&[]).test(100, (150, 50), &WHOLE), Ok(()));
        assert_eq!(book(&[]).test(100, (150, 51), &WHOLE), Err(1));
    }

    #[test]
    fn a_newcomer_with_an_early_deadline_must_leave_time_for_the_later_ones() {
        let book = book(&[(100, 60)]);
        assert_eq!(book.test(0, (50, 40), &WHOLE), Ok(()));
        assert_eq!(book.test(0, (50, 41), &WHOLE), Err(1));
    }

    #[test]
    fn a_newcomer_with_a_late_deadline_has_what_the_earlier_ones_leave() {
        let book = book(&[(100, 60), (100, 20)]);
        assert_eq!(book.test(0, (100, 20), &WHOLE), Ok(()));
        assert_eq!(book.test(0, (100, 21), &WHOLE), Err(1));
    }

    #[test]
    fn work_past_its_deadline_still_takes_its_time() {
        assert_eq!(book(&[(10, 30)]).test(50, (100, 21), &WHOLE), Err(1));
    }

    #[test]
    fn what_has_been_given_is_not_asked_for_again() {
        let mut book = book(&[(100, 60)]);
        book.charge((100, 0), 50);
        assert_eq!(book.test(50, (100, 40), &WHOLE), Ok(()));
        book.charge((100, 0), 50);
        book.strike_out((100, 0));
        assert!(book.is_empty());
    }
}
