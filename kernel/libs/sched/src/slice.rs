//! Postponement: what keeps a task that never ends from holding up those that do.
//!
//! Under plain EDF a task past its deadline is the most urgent of all, for ever. Here a task runs in
//! slices: each time that it has used one up, its deadline for the queue moves back by its relative
//! deadline, as if it had arrived again (the rule of the constant-bandwidth server: Abeni and
//! Buttazzo, "Integrating Multimedia Applications in Hard Real-Time Systems", RTSS 1998). Short
//! tasks never notice; a long one falls behind those that came after it.

/// A task's place in time: its deadline in the queue and what it has used of its slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    deadline_ns: u64,
    relative_ns: u64,
    length_ns: u64,
    used_ns: u64,
}

impl Slice {
    /// For a task that arrives at `arrival_ns` and is to be done `relative_ns` later, with slices of
    /// `length_ns` of CPU time.
    #[must_use]
    pub const fn new(arrival_ns: u64, relative_ns: u64, length_ns: u64) -> Self {
        Self {
            deadline_ns: arrival_ns.saturating_add(relative_ns),
            relative_ns,
            length_ns,
            used_ns: 0,
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
            self.deadline_ns = self.deadline_ns.saturating_add(self.relative_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Slice;

    #[test]
    fn a_task_keeps_its_deadline_within_its_slice() {
        let mut slice = Slice::new(100, 1_000, 50);
        slice.charge(49);
        assert_eq!(slice.deadline_ns(), 1_100);
    }

    #[test]
    fn a_task_that_used_its_slice_falls_behind_one_that_arrived_since() {
        let mut endless = Slice::new(0, 1_000, 50);
        let newcomer = Slice::new(900, 1_000, 50);
        endless.charge(50);
        assert!(newcomer.deadline_ns() < endless.deadline_ns());
    }

    #[test]
    fn each_slice_postpones_once_more() {
        let mut slice = Slice::new(0, 1_000, 50);
        for turn in 1..=10 {
            slice.charge(25);
            slice.charge(25);
            assert_eq!(slice.deadline_ns(), 1_000 + turn * 1_000);
        }
    }

    #[test]
    fn the_end_of_time_is_not_passed() {
        let mut slice = Slice::new(u64::MAX - 1, 1_000, 1);
        slice.charge(u64::MAX);
        assert_eq!(slice.deadline_ns(), u64::MAX);
    }
}
