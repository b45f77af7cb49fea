//! Postponement: what keeps a task that never ends from holding up those that do.
//!
//! Under plain EDF a task past its deadline is the most urgent of all, for ever. Here a task runs in
//! slices: each time that it has used one up, its deadline for the queue moves back, as a
//! constant-bandwidth server's does (Abeni and Buttazzo, "Integrating Multimedia Applications in Hard
//! Real-Time Systems", RTSS 1998). The first time by five slices, then by twice as much each time: a
//! task that needs a little more than a slice falls behind a little, one that never ends falls
//! behind everything soon.

/// The first postponement, in slices: a task that uses no more than every fifth moment keeps up.
const FIRST: u64 = 5;

/// A task's place in time: its deadline in the queue and what it has used of its slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    deadline_ns: u64,
    length_ns: u64,
    used_ns: u64,
    postponement_ns: u64,
}

impl Slice {
    /// For a task whose deadline is `deadline_ns`, with slices of `length_ns` of CPU time.
    #[must_use]
    pub const fn new(deadline_ns: u64, length_ns: u64) -> Self {
        Self {
            deadline_ns,
            length_ns,
            used_ns: 0,
            postponement_ns: length_ns.saturating_mul(FIRST),
        }
    }

    /// The deadline to queue under, in nanoseconds.
    #[must_use]
    pub const fn deadline_ns(&self) -> u64 {
        self.deadline_ns
    }

    /// Charges `ran_ns` of CPU time.
    pub const fn charge(&mut self, ran_ns: u64) {
        self.used_ns = self.used_ns.saturating_add(ran_ns);
        if self.used_ns >= self.length_ns {
            self.used_ns = 0;
            self.deadline_ns = self.deadline_ns.saturating_add(self.postponement_ns);
            self.postponement_ns = self.postponement_ns.saturating_mul(2);
        }
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
