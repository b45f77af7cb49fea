//! Slices: what keeps a task that runs on and on from holding up those that do not.
//!
//! Under plain EDF a task past its deadline is the most urgent of all, for ever. Here a task runs in
//! slices. If something was booked for it, that is the first, and in that time its place is that of its deadline.
//!
//! *Beyond its booking* it has no promise any more and comes after all that have one. Among its like, its place is
//! then the moment at which it came there, moved back by [`AGING`] times what it has run since: who is least beyond
//! comes first, so that one that needs a little more does not wait for one that never ends; and whoever waits
//! comes first in the end, since those that come later begin later.
//!
//! Of a task *without a booking*, each slice that it uses up moves its deadline for the queue back, as a
//! constant-bandwidth server's does (Abeni and Buttazzo, "Integrating Multimedia Applications in Hard Real-Time
//! Systems", RTSS 1998): the first time by five slices, then by twice as much each time. A task that needs a
//! little more than a slice falls behind a little, one that never ends falls behind everything soon.

/// The first postponement, in slices: a task that uses no more than every fifth moment keeps up.
const FIRST: u64 = 5;

/// By how much its own time moves a task back that is beyond its booking: a millisecond counts as a second of
/// waiting. So twenty that never end, which share the 2 % that are theirs, fall behind newcomers all the same.
const AGING: u64 = 1_000;

/// A task's place in time: its deadline in the queue and what is left of its slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    deadline_ns: u64,
    length_ns: u64,
    left_ns: u64,
    postponement_ns: u64,
    is_booked: bool,
    beyond: Option<Beyond>,
}

/// A task that has used up its booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Beyond {
    /// When it was queued first since then; [`Beyond::NOT_YET`] until it is.
    since_ns: u64,
    /// CPU time that it has had since.
    over_ns: u64,
}

impl Beyond {
    const NOT_YET: u64 = u64::MAX;
    const BEGIN: Self = Self {
        since_ns: Self::NOT_YET,
        over_ns: 0,
    };
}

impl Slice {
    /// Where two of its fields lie, in bytes: the deadline in the queue, and whether there is a booking.
    pub(crate) const LAYOUT: [usize; 2] = [
        core::mem::offset_of!(Self, deadline_ns),
        core::mem::offset_of!(Self, is_booked),
    ];

    /// For a task whose deadline is `deadline_ns`, and for which nothing is booked: with slices of
    /// `length_ns` of CPU time.
    #[must_use]
    pub const fn new(deadline_ns: u64, length_ns: u64) -> Self {
        Self {
            deadline_ns,
            length_ns,
            left_ns: length_ns,
            postponement_ns: length_ns.saturating_mul(FIRST),
            is_booked: false,
            beyond: None,
        }
    }

    /// As [`new`](Self::new), after a first slice of `booked_ns`.
    #[must_use]
    pub const fn booked(deadline_ns: u64, booked_ns: u64, length_ns: u64) -> Self {
        Self {
            left_ns: booked_ns,
            is_booked: true,
            ..Self::new(deadline_ns, length_ns)
        }
    }

    /// The deadline to queue under, in nanoseconds.
    #[must_use]
    pub const fn deadline_ns(&self) -> u64 {
        self.deadline_ns
    }

    /// Whether the task still runs within what was booked for it.
    #[must_use]
    pub const fn is_booked(&self) -> bool {
        self.is_booked
    }

    /// The task is queued now. What it is ordered by, among those that have a booking or those that have none.
    pub(crate) const fn queued(&mut self, now_ns: u64) -> u64 {
        let Some(beyond) = &mut self.beyond else {
            return self.deadline_ns;
        };
        if beyond.since_ns == Beyond::NOT_YET {
            beyond.since_ns = now_ns;
        }
        let moved_ns = beyond.over_ns.saturating_mul(AGING);
        beyond.since_ns.saturating_add(moved_ns)
    }

    /// CPU time that the task has had beyond its booking, in nanoseconds, if it is there.
    pub(crate) const fn over_ns(&self) -> Option<u64> {
        match self.beyond {
            Some(Beyond { over_ns, .. }) => Some(over_ns),
            None => None,
        }
    }

    /// CPU time after which the task's place changes, in nanoseconds.
    #[must_use]
    pub const fn left_ns(&self) -> u64 {
        self.left_ns
    }

    /// Charges `ran_ns` of CPU time.
    pub const fn charge(&mut self, mut ran_ns: u64) {
        if self.is_booked && ran_ns >= self.left_ns {
            ran_ns -= self.left_ns;
            self.exceed();
        }
        if let Some(beyond) = &mut self.beyond {
            beyond.over_ns = beyond.over_ns.saturating_add(ran_ns);
            return;
        }
        while ran_ns >= self.left_ns && self.deadline_ns < u64::MAX {
            ran_ns -= self.left_ns;
            self.end();
        }
        self.left_ns = self.left_ns.saturating_sub(ran_ns);
    }

    /// The task has missed its deadline and goes on: it has no promise any more.
    pub const fn miss(&mut self) {
        if self.is_booked {
            self.exceed();
        } else if self.beyond.is_none() {
            self.end();
        }
    }

    /// The booking that was used up is longer by `more_ns`. False if there was none, or if the task has fallen
    /// behind by a slice already.
    pub const fn extend(&mut self, more_ns: u64) -> bool {
        match self.beyond {
            Some(Beyond { over_ns, .. }) if over_ns < self.length_ns => {}
            _ => return false,
        }
        self.beyond = None;
        self.left_ns = more_ns;
        self.is_booked = true;
        true
    }

    /// Its booking is over.
    const fn exceed(&mut self) {
        self.is_booked = false;
        self.left_ns = self.length_ns;
        self.beyond = Some(Beyond::BEGIN);
    }

    const fn end(&mut self) {
        self.left_ns = self.length_ns;
        self.deadline_ns = self.deadline_ns.saturating_add(self.postponement_ns);
        self.postponement_ns = self.postponement_ns.saturating_mul(2);
    }
}

#[cfg(test)]
mod tests {
    use super::Slice;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_task_keeps_its_deadline_within_its_slice() {
        let mut slice = Slice::new(1_100, 50);
        slice.charge(49);
        assert_eq!(slice.deadline_ns(), 1_100);
    }

    #[test]
    fn each_slice_postpones_twice_as_far() {
        let mut slice = Slice::new(1_000, 50);
        for expected in [1_250, 1_750, 2_750, 4_750] {
            slice.charge(25);
            slice.charge(25);
            assert_eq!(slice.deadline_ns(), expected);
        }
    }

    #[test]
    fn several_slices_at_once_count_as_several() {
        let mut slice = Slice::new(1_000, 50);
        slice.charge(125);
        assert_eq!((slice.deadline_ns(), slice.left_ns()), (1_750, 25));
    }

    #[test]
    fn within_its_booking_a_task_has_its_promise_however_long_that_is() {
        let mut slice = Slice::booked(1_000, 300, 50);
        slice.charge(299);
        assert!(slice.is_booked());
        assert_eq!(slice.deadline_ns(), 1_000);
    }

    #[test]
    fn beyond_its_booking_its_place_is_the_moment_of_that_and_moves_back_with_what_it_runs() {
        let mut slice = Slice::booked(1_000, 320, 50);
        assert_eq!(slice.queued(7), 1_000);
        slice.charge(320);
        assert!(!slice.is_booked());
        assert_eq!(slice.queued(400), 400);
        slice.charge(3);
        assert_eq!(slice.queued(500), 3_400);
        assert_eq!(slice.deadline_ns(), 1_000, "for whoever looks at it");
    }

    #[test]
    fn what_runs_beyond_its_booking_in_the_same_turn_counts() {
        let mut slice = Slice::booked(1_000, 320, 50);
        slice.charge(325);
        assert_eq!(slice.queued(400), 5_400);
    }

    #[test]
    fn a_longer_booking_gives_the_promise_back_to_who_has_not_fallen_behind() {
        let mut slice = Slice::booked(1_000, 300, 50);
        slice.charge(310);
        assert!(slice.extend(20));
        assert!(slice.is_booked() && slice.deadline_ns() == 1_000);
        slice.charge(20);
        assert!(!slice.is_booked());
        assert_eq!(slice.queued(900), 900, "it begins anew");
        slice.charge(50);
        assert!(!slice.extend(20));
    }

    #[test]
    fn a_booking_that_never_was_cannot_be_longer() {
        let mut slice = Slice::new(1_000, 50);
        assert!(!slice.extend(20));
    }

    #[test]
    fn who_goes_on_after_a_miss_has_no_promise_any_more() {
        let mut slice = Slice::booked(1_000, 300, 50);
        slice.miss();
        assert!(!slice.is_booked());
        assert_eq!(slice.queued(1_000), 1_000);
        slice.charge(2);
        slice.miss();
        assert_eq!(slice.queued(1_100), 3_000);
        let mut slice = Slice::new(1_000, 50);
        slice.miss();
        assert_eq!(slice.deadline_ns(), 1_250);
    }

    #[test]
    fn a_task_that_needs_three_slices_falls_behind_less_than_a_second() {
        let mut modest = Slice::new(10_000 * MS, 20 * MS);
        (0..3).for_each(|_| modest.charge(20 * MS));
        assert!(modest.deadline_ns() < 11_000 * MS);
    }

    #[test]
    fn a_task_that_never_ends_falls_behind_any_other_within_half_a_second_of_cpu_time() {
        let mut endless = Slice::new(0, 20 * MS);
        (0..25).for_each(|_| endless.charge(20 * MS));
        let patient_newcomer = 86_400_000 * MS;
        assert!(patient_newcomer < endless.deadline_ns());
    }

    #[test]
    fn the_end_of_time_is_not_passed() {
        let mut slice = Slice::new(u64::MAX - 1, 1);
        (0..100).for_each(|_| slice.charge(u64::MAX));
        assert_eq!(slice.deadline_ns(), u64::MAX);
    }
}
