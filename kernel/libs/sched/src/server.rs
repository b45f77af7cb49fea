//! Constant-bandwidth servers: what makes a tenant's reservation hold, against others and against it.
//!
//! A server has a budget and a deadline. Its tenant's tasks run under the server's deadline, so that
//! servers and booked tasks are one EDF system; what they run is taken from the budget. With none left
//! the server is *throttled*: until its deadline, its tasks are tasks without a promise, and then the
//! budget is whole again and the deadline a period later (the hard reservation of Abeni and Buttazzo,
//! RTSS 1998). A tenant that floods is thus worth its share, and a tenant that does not keeps its own.

/// A tenant's share of the CPU: so much in each period, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    budget_ns: u64,
    period_ns: u64,
}

impl Reservation {
    /// `budget_ns` in each `period_ns`; none if either is zero. More than all is all.
    #[must_use]
    pub const fn new(budget_ns: u64, period_ns: u64) -> Option<Self> {
        if budget_ns == 0 || period_ns == 0 {
            return None;
        }
        let budget_ns = if budget_ns < period_ns {
            budget_ns
        } else {
            period_ns
        };
        Some(Self {
            budget_ns,
            period_ns,
        })
    }

    /// The share, in millionths of the CPU's time, rounded up.
    #[must_use]
    pub const fn ppm(&self) -> u64 {
        (self.budget_ns as u128 * 1_000_000).div_ceil(self.period_ns as u128) as u64
    }
}

/// A reservation over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    reservation: Reservation,
    left_ns: u64,
    deadline_ns: u64,
}

impl Server {
    /// A server that nobody has used yet.
    #[must_use]
    pub const fn new(reservation: Reservation) -> Self {
        Self {
            reservation,
            left_ns: reservation.budget_ns,
            deadline_ns: 0,
        }
    }

    /// What it was made from.
    #[must_use]
    pub const fn reservation(&self) -> Reservation {
        self.reservation
    }

    /// The deadline that its tasks run under.
    #[must_use]
    pub const fn deadline_ns(&self) -> u64 {
        self.deadline_ns
    }

    /// Its first task comes, after there was none. What is left of the budget may be used up to the old
    /// deadline if that is no more than its share of the time until then; else a period begins now.
    pub const fn wake(&mut self, now_ns: u64) {
        let ahead_ns = self.deadline_ns.saturating_sub(now_ns);
        if self.left_ns == 0 && ahead_ns > 0 {
            return;
        }
        let Reservation {
            budget_ns,
            period_ns,
        } = self.reservation;
        if self.left_ns as u128 * period_ns as u128 >= ahead_ns as u128 * budget_ns as u128 {
            self.left_ns = budget_ns;
            self.deadline_ns = now_ns.saturating_add(period_ns);
        }
    }

    /// Begins the period that `now_ns` is in, while there are tasks.
    pub const fn refresh(&mut self, now_ns: u64) {
        if now_ns >= self.deadline_ns {
            let period_ns = self.reservation.period_ns;
            let periods = (now_ns - self.deadline_ns) / period_ns + 1;
            self.deadline_ns = self.deadline_ns.saturating_add(periods * period_ns);
            self.left_ns = self.reservation.budget_ns;
        }
    }

    /// Takes `ran_ns` of CPU time from the budget. How much of it was beyond that.
    pub const fn charge(&mut self, ran_ns: u64) -> u64 {
        match self.left_ns.checked_sub(ran_ns) {
            Some(left_ns) => {
                self.left_ns = left_ns;
                0
            }
            None => ran_ns - core::mem::replace(&mut self.left_ns, 0),
        }
    }

    /// CPU time until the budget is used up, in nanoseconds.
    #[must_use]
    pub const fn left_ns(&self) -> u64 {
        self.left_ns
    }

    /// What is left of the budget beyond the server's share of the time until its deadline, in nanoseconds: it has waited.
    #[must_use]
    pub const fn arrears_ns(&self, now_ns: u64) -> u64 {
        let Reservation {
            budget_ns,
            period_ns,
        } = self.reservation;
        let ahead_ns = self.deadline_ns.saturating_sub(now_ns);
        let share_ns = ahead_ns as u128 * budget_ns as u128 / period_ns as u128;
        self.left_ns.saturating_sub(share_ns as u64)
    }

    /// CPU time that its tasks are sure to have within the next `within_ns`, whatever others do: what is
    /// left at its deadline, and a budget at the end of each period after.
    #[must_use]
    pub const fn supply_ns(&self, now_ns: u64, within_ns: u64) -> u64 {
        let first_ns = self.deadline_ns.saturating_sub(now_ns);
        if within_ns < first_ns {
            return 0;
        }
        let periods = (within_ns - first_ns) / self.reservation.period_ns;
        self.left_ns
            .saturating_add(periods.saturating_mul(self.reservation.budget_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quarter() -> Server {
        Server::new(Reservation::new(25, 100).expect("neither is zero"))
    }

    #[test]
    fn a_reservation_of_nothing_is_none() {
        assert_eq!(Reservation::new(0, 100), None);
        assert_eq!(Reservation::new(100, 0), None);
    }

    #[test]
    fn the_share_is_never_more_than_all_and_never_rounded_down() {
        let ppm = |budget, period| Reservation::new(budget, period).map(|one| one.ppm());
        assert_eq!(ppm(200, 100), Some(1_000_000));
        assert_eq!(ppm(1, 3), Some(333_334));
    }

    #[test]
    fn the_first_task_begins_a_period() {
        let mut server = quarter();
        server.wake(1_000);
        assert_eq!((server.left_ns(), server.deadline_ns()), (25, 1_100));
    }

    #[test]
    fn who_comes_back_soon_has_what_was_left() {
        let mut server = quarter();
        server.wake(1_000);
        server.charge(20);
        server.wake(1_030);
        assert_eq!((server.left_ns(), server.deadline_ns()), (5, 1_100));
    }

    #[test]
    fn what_is_left_is_not_saved_up_for_the_end_of_a_period() {
        let mut server = quarter();
        server.wake(1_000);
        server.wake(1_090);
        assert_eq!((server.left_ns(), server.deadline_ns()), (25, 1_190));
    }

    #[test]
    fn a_server_without_budget_waits_for_its_deadline_even_if_it_was_idle() {
        let mut server = quarter();
        server.wake(1_000);
        server.charge(25);
        server.wake(1_099);
        server.refresh(1_099);
        assert_eq!(server.left_ns(), 0);
        server.refresh(1_100);
        assert_eq!((server.left_ns(), server.deadline_ns()), (25, 1_200));
    }

    #[test]
    fn in_any_time_it_gives_its_share_and_a_budget_at_most() {
        let mut server = quarter();
        server.wake(0);
        let mut given = 0;
        for now in 0..10_000 {
            server.refresh(now);
            if server.left_ns() > 0 {
                server.charge(1);
                given += 1;
            }
            assert!(given <= now / 4 + 25);
        }
        assert_eq!(given, 2_500);
    }

    #[test]
    fn what_is_sure_comes_at_the_ends_of_periods() {
        let mut server = quarter();
        server.wake(0);
        assert_eq!(server.supply_ns(0, 99), 0);
        assert_eq!(server.supply_ns(0, 100), 25);
        assert_eq!(server.supply_ns(0, 199), 25);
        assert_eq!(server.supply_ns(0, 1_000), 250);
        server.charge(20);
        assert_eq!(server.supply_ns(50, 50), 5);
    }
}
