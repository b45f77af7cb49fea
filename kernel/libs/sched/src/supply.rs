//! How much CPU time is sure by when.

use crate::part_of;
use crate::server::Server;

/// So many servers' arrears are told apart. Those of the others are taken to be due as early as the first.
const MOST: usize = 8;

/// CPU time that a group is sure to have.
pub(crate) enum Supply {
    /// What its server gives.
    Reserved { server: Server, now_ns: u64 },
    /// What is left without the servers.
    Free(Free),
}

/// A part of the time, less what servers are owed.
///
/// Servers' work counts with their shares of the time. A server that has waited is owed more than that by its deadline,
/// since what it may still use is due then: its arrears. All that is promised up to some moment, theirs included, must be
/// no more than what there is; between two deadlines of promises that is to be looked at where arrears are due.
pub(crate) struct Free {
    ppm: u64,
    /// By when arrears are due, in nanoseconds from now, in this order; and how much until then, with all before.
    due: [(u64, u64); MOST],
    count: usize,
}

impl Free {
    /// So many millionths of the time, for now.
    pub(crate) const fn new(ppm: u64) -> Self {
        Self {
            ppm,
            due: [(0, 0); MOST],
            count: 0,
        }
    }

    /// A server, which is not idle, is owed `arrears_ns` beyond its share within `within_ns`.
    pub(crate) fn owe(&mut self, within_ns: u64, arrears_ns: u64) {
        if arrears_ns == 0 {
            return;
        }
        let place = if self.count < MOST {
            let place = self.due[..self.count].partition_point(|(due, _)| *due < within_ns);
            let before = place.checked_sub(1).map_or(0, |before| self.due[before].1);
            self.due.copy_within(place..self.count, place + 1);
            self.due[place] = (within_ns, before);
            self.count += 1;
            place
        } else {
            self.due[0].0 = self.due[0].0.min(within_ns);
            0
        };
        for (_, owed_ns) in &mut self.due[place..self.count] {
            *owed_ns = owed_ns.saturating_add(arrears_ns);
        }
    }

    fn within_ns(&self, within_ns: u64) -> u64 {
        let due = &self.due[..self.count];
        let passed = due.partition_point(|(due_ns, _)| *due_ns <= within_ns);
        let owed_ns = passed.checked_sub(1).map_or(0, |last| due[last].1);
        let until = |(ns, owed_ns): (u64, u64)| part_of(ns, self.ppm).saturating_sub(owed_ns);
        // What is done by then must leave the time for what is due later.
        let later = due[passed..].iter().copied().map(until);
        later.fold(until((within_ns, owed_ns)), u64::min)
    }
}

impl Supply {
    /// Within so many nanoseconds from now, in nanoseconds.
    pub(crate) fn within_ns(&self, within_ns: u64) -> u64 {
        match self {
            Supply::Reserved { server, now_ns } => server.supply_ns(*now_ns, within_ns),
            Supply::Free(free) => free.within_ns(within_ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Free, MOST};

    fn half() -> Free {
        Free::new(500_000)
    }

    #[test]
    fn without_arrears_it_is_a_part_of_the_time() {
        assert_eq!(half().within_ns(100), 50);
    }

    #[test]
    fn arrears_are_taken_from_what_is_sure_when_they_are_due() {
        let mut free = half();
        free.owe(100, 20);
        free.owe(50, 10);
        assert_eq!(free.within_ns(200), 70);
        assert_eq!(free.within_ns(100), 20);
        assert_eq!(
            free.within_ns(60),
            20,
            "and not before, as far as there is time later"
        );
        assert_eq!(free.within_ns(50), 15);
        assert_eq!(free.within_ns(10), 5);
    }

    #[test]
    fn what_is_promised_by_a_moment_leaves_time_for_what_is_due_later() {
        let mut free = half();
        free.owe(100, 40);
        assert_eq!(free.within_ns(99), 10);
        assert_eq!(free.within_ns(15), 7);
    }

    #[test]
    fn of_many_servers_the_rest_is_due_as_early_as_the_first() {
        let mut free = half();
        for number in 0..MOST as u64 {
            free.owe(1_000 + number, 1);
        }
        free.owe(5_000, 100);
        free.owe(500, 10);
        assert_eq!(free.within_ns(1_000), 385, "503 until 1,007, less 118");
        assert_eq!(free.within_ns(10_000), 5_000 - 110 - MOST as u64);
    }
}
