//! How fast a client takes an answer: as fast as it likes, but at a least rate, and with an end.
//!
//! The clock of a client runs while there is something to send that its side of the connection has no room for; while
//! its function has nothing to say, it stands. It begins with a pause to go ([`Limits::body_pause_ns`]), each byte that is
//! taken adds its share of a second ([`Limits::body_rate`]), and there is never more than a pause to go: the rule for
//! bodies, the other way round. In all it may run for [`Limits::answer_time_ns`] with each answer.

use crate::Limits;

/// One second in nanoseconds.
const SECOND_NS: u64 = 1_000_000_000;

/// Why a client is given up that takes an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooSlow {
    /// It has taken less than the least rate for so long that no time is left.
    Rate,
    /// It has taken longer than an answer may be taken for, at whatever rate.
    End,
}

/// A client that takes an answer.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    pause_ns: u64,
    rate: u64,
    /// What is left to it if it takes nothing more, up to `since_ns`.
    left_ns: u64,
    /// What is left to it of the time for the whole answer, up to `since_ns`.
    answer_left_ns: u64,
    /// Up to when its time is reckoned, while its clock runs.
    since_ns: Option<u64>,
}

impl Reading {
    /// Nothing has been sent yet.
    #[must_use]
    pub const fn new(limits: &Limits) -> Self {
        Self {
            pause_ns: limits.body_pause_ns,
            rate: if limits.body_rate == 0 {
                1
            } else {
                limits.body_rate
            },
            left_ns: limits.body_pause_ns,
            answer_left_ns: limits.answer_time_ns,
            since_ns: None,
        }
    }

    /// The client has taken so many bytes. Whether that was all there were, or more wait for room on its side.
    pub fn took(&mut self, bytes: usize, now_ns: u64, has_more: bool) {
        if let Some(since_ns) = self.since_ns {
            let ran_ns = now_ns.saturating_sub(since_ns);
            self.left_ns = self.left_ns.saturating_sub(ran_ns);
            self.answer_left_ns = self.answer_left_ns.saturating_sub(ran_ns);
        }
        if bytes > 0 && self.left_ns < self.pause_ns {
            let earned_ns = (bytes as u64).saturating_mul(SECOND_NS) / self.rate;
            self.left_ns = self.left_ns.saturating_add(earned_ns).min(self.pause_ns);
        }
        self.since_ns = has_more.then_some(now_ns);
    }

    /// How long it has left at `now_ns` if it takes nothing more, while its clock runs.
    #[must_use]
    pub fn left_ns(&self, now_ns: u64) -> Option<u64> {
        let ran_ns = now_ns.saturating_sub(self.since_ns?);
        Some(self.left_ns.saturating_sub(ran_ns))
    }

    /// When it has to be given up if it takes nothing more.
    #[must_use]
    pub fn ends_at_ns(&self) -> Option<u64> {
        let left_ns = self.left_ns.min(self.answer_left_ns);
        Some(self.since_ns?.saturating_add(left_ns))
    }

    /// Why it has to be given up at `now_ns`, if it has.
    #[must_use]
    pub fn too_slow(&self, now_ns: u64) -> Option<TooSlow> {
        if self.ends_at_ns()? > now_ns {
            return None;
        }
        Some(if self.answer_left_ns < self.left_ns {
            TooSlow::End
        } else {
            TooSlow::Rate
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 bytes a second, 10 s to begin with, 60 s in all.
    fn reading() -> Reading {
        Reading::new(&Limits {
            body_pause_ns: 10 * SECOND_NS,
            body_rate: 100,
            answer_time_ns: 60 * SECOND_NS,
            ..Limits::default()
        })
    }

    #[test]
    fn who_takes_nothing_has_a_pause_and_no_more() {
        let mut reading = reading();
        reading.took(0, 5 * SECOND_NS, true);
        assert_eq!(reading.ends_at_ns(), Some(15 * SECOND_NS));
        assert_eq!(reading.too_slow(15 * SECOND_NS - 1), None);
        assert_eq!(reading.too_slow(15 * SECOND_NS), Some(TooSlow::Rate));
    }

    #[test]
    fn nobody_is_slow_while_there_is_nothing_to_take() {
        let mut reading = reading();
        reading.took(50, 0, false);
        assert_eq!(reading.ends_at_ns(), None);
        assert_eq!(reading.too_slow(u64::MAX), None);
    }

    #[test]
    fn who_takes_more_than_the_least_rate_is_not_too_slow() {
        let mut reading = reading();
        reading.took(0, 0, true);
        for second in 1..60 {
            assert_eq!(reading.too_slow(second * SECOND_NS), None, "{second}");
            reading.took(101, second * SECOND_NS, true);
        }
    }

    #[test]
    fn who_takes_less_is_in_the_end() {
        let mut reading = reading();
        reading.took(0, 0, true);
        let ended = (1..60).find(|second| {
            let is_over = reading.too_slow(second * SECOND_NS) == Some(TooSlow::Rate);
            reading.took(50, second * SECOND_NS, true);
            is_over
        });
        assert_eq!(ended, Some(19), "half of each second is lost");
    }

    #[test]
    fn taking_all_at_the_last_moment_gives_back_no_more_than_it_was_worth() {
        let mut reading = reading();
        reading.took(0, 0, true);
        reading.took(200, 9 * SECOND_NS, false);
        reading.took(0, 30 * SECOND_NS, true);
        assert_eq!(reading.left_ns(30 * SECOND_NS), Some(3 * SECOND_NS));
        assert_eq!(reading.too_slow(33 * SECOND_NS), Some(TooSlow::Rate));
    }

    #[test]
    fn who_takes_enough_has_an_end_all_the_same() {
        let mut reading = reading();
        reading.took(0, 0, true);
        let ended = (1..100).find(|second| {
            let is_over = reading.too_slow(second * SECOND_NS) == Some(TooSlow::End);
            reading.took(10_000, second * SECOND_NS, true);
            is_over
        });
        assert_eq!(ended, Some(60));
    }

    #[test]
    fn the_time_in_which_nothing_waits_is_not_the_clients() {
        let mut reading = reading();
        for turn in 0..100 {
            reading.took(0, turn * 1_000 * SECOND_NS, true);
            reading.took(10_000, turn * 1_000 * SECOND_NS + SECOND_NS / 2, false);
        }
        reading.took(0, 200_000 * SECOND_NS, true);
        let end_ns = 200_010 * SECOND_NS;
        assert_eq!(reading.ends_at_ns(), Some(end_ns));
        assert_eq!(reading.too_slow(end_ns), Some(TooSlow::Rate));
    }

    #[test]
    fn a_burst_earns_no_more_than_a_pause() {
        let mut reading = reading();
        reading.took(0, 0, true);
        reading.took(1 << 40, SECOND_NS, true);
        assert_eq!(reading.left_ns(SECOND_NS), Some(10 * SECOND_NS));
    }
}
