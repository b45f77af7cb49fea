//! A book of promises: how much CPU time by when, and whether one more can be kept.
//!
//! The test is the processor demand criterion (Baruah, Rosier and Howell, "Algorithms and Complexity
//! Concerning the Preemptive Scheduling of Periodic, Real-Time Tasks on One Processor", 1990) for jobs
//! that are all here: under EDF every one of them meets its deadline if, up to each deadline, what is
//! booked until then is no more than what the CPU is sure to give. It is exact, and looks at each booking
//! once.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use crate::supply::Supply;

/// The name of a booking: its deadline, and a number that no other has.
pub(crate) type Entry = (u64, u64);

/// What is booked on one lane's supply.
#[derive(Default)]
pub(crate) struct Book(BTreeMap<Entry, Booking>);

/// CPU time that is promised.
#[derive(Clone, Copy)]
pub(crate) struct Booking {
    /// Still to be given, in nanoseconds.
    pub(crate) left_ns: u64,
    /// The tenant's number.
    pub(crate) tenant: usize,
    /// Whether it was beyond its tenant's share when it was made.
    pub(crate) is_lent: bool,
}

/// So many bookings can be taken back for one that is made.
const MOST_RECALLED: usize = 64;

/// Bookings that have to go so that a tenant has its share.
#[derive(Default)]
pub(crate) struct Recall {
    /// Those that could go, as far as the book was looked at: of many, the ones with the latest deadlines.
    lent: VecDeque<(Entry, u64)>,
    /// Those that have to.
    recalled: Vec<Entry>,
}

impl Recall {
    /// Of none.
    pub(crate) fn new() -> Self {
        Self {
            lent: VecDeque::with_capacity(MOST_RECALLED),
            recalled: Vec::with_capacity(MOST_RECALLED),
        }
    }

    /// What was found to have to go.
    pub(crate) fn recalled(&self) -> &[Entry] {
        &self.recalled
    }

    /// Nothing has to go.
    pub(crate) fn forget(&mut self) {
        self.recalled.clear();
    }

    fn could_take(&mut self, entry: Entry, left_ns: u64) {
        if self.lent.len() == MOST_RECALLED {
            self.lent.pop_front();
        }
        self.lent.push_back((entry, left_ns));
    }

    /// Takes back so much at least. How much; none if there is not so much.
    fn take(&mut self, lacking_ns: u64) -> Option<u64> {
        let mut taken_ns = 0;
        while taken_ns < lacking_ns {
            let (entry, left_ns) = self.lent.pop_back()?;
            if self.recalled.len() == MOST_RECALLED {
                return None;
            }
            self.recalled.push(entry);
            taken_ns += left_ns;
        }
        Some(taken_ns)
    }
}

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
        let before = self.0.range(..=after);
        let before: u64 = before.map(|(_, booking)| booking.left_ns).sum();
        let mut demand_ns = before.saturating_add(cost_ns);
        check(deadline_ns, demand_ns)?;
        for (&(deadline, _), booking) in self.0.range(after..) {
            demand_ns = demand_ns.saturating_add(booking.left_ns);
            check(deadline, demand_ns)?;
        }
        Ok(())
    }

    /// Whether `cost_ns` more by `deadline_ns` is within a tenant's `share`, with what it has booked of that.
    pub(crate) fn is_within(
        &self,
        now_ns: u64,
        (deadline_ns, cost_ns): (u64, u64),
        tenant: usize,
        share: &Supply,
    ) -> bool {
        let is_sure = |deadline: u64, demand_ns: u64| {
            demand_ns <= share.within_ns(deadline.saturating_sub(now_ns))
        };
        let own_ns = |booking: &Booking| match booking.tenant == tenant && !booking.is_lent {
            true => booking.left_ns,
            false => 0,
        };
        let after = (deadline_ns, u64::MAX);
        let before = self.0.range(..=after);
        let before: u64 = before.map(|(_, booking)| own_ns(booking)).sum();
        let mut demand_ns = before.saturating_add(cost_ns);
        is_sure(deadline_ns, demand_ns)
            && self.0.range(after..).all(|(&(deadline, _), booking)| {
                demand_ns = demand_ns.saturating_add(own_ns(booking));
                is_sure(deadline, demand_ns)
            })
    }

    /// As [`test`](Self::test), where bookings that are lent may go. Which of them have to is in `recall` then.
    pub(crate) fn test_with_recall(
        &self,
        now_ns: u64,
        (deadline_ns, cost_ns): (u64, u64),
        supply: &Supply,
        recall: &mut Recall,
    ) -> bool {
        recall.forget();
        recall.lent.clear();
        let newcomer = (deadline_ns, u64::MAX);
        let before = self.0.range(..newcomer).map(|(at, b)| (*at, *b));
        let after = self.0.range(newcomer..).map(|(at, b)| (*at, *b));
        let wanted = Booking {
            left_ns: cost_ns,
            tenant: 0,
            is_lent: false,
        };
        let mut demand_ns = 0_u64;
        for (entry, booking) in before.chain([(newcomer, wanted)]).chain(after) {
            demand_ns = demand_ns.saturating_add(booking.left_ns);
            if booking.is_lent && booking.left_ns > 0 {
                recall.could_take(entry, booking.left_ns);
            }
            if entry < newcomer {
                continue;
            }
            let sure_ns = supply.within_ns(entry.0.saturating_sub(now_ns));
            let lacking_ns = demand_ns.saturating_sub(sure_ns);
            match recall.take(lacking_ns) {
                Some(taken_ns) => demand_ns -= taken_ns,
                None => return false,
            }
        }
        true
    }

    pub(crate) fn enter(&mut self, entry: Entry, booking: Booking) {
        self.0.insert(entry, booking);
    }

    /// Whether a booking is lent; not if it is there no more.
    pub(crate) fn is_lent(&self, entry: Entry) -> bool {
        self.0.get(&entry).is_some_and(|booking| booking.is_lent)
    }

    /// Of what was booked, `ran_ns` has been given.
    pub(crate) fn charge(&mut self, entry: Entry, ran_ns: u64) {
        if let Some(booking) = self.0.get_mut(&entry) {
            booking.left_ns = booking.left_ns.saturating_sub(ran_ns);
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
    use super::{Book, Booking};
    use crate::supply::{Free, Supply};

    const WHOLE: Supply = Supply::Free(Free::new(1_000_000));

    fn book(entries: &[(u64, u64)]) -> Book {
        let mut book = Book::default();
        for (number, &(deadline, cost)) in (0..).zip(entries) {
            let booking = Booking {
                left_ns: cost,
                tenant: 0,
                is_lent: false,
            };
            book.enter((deadline, number), booking);
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
