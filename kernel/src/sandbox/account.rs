//! What a sandbox is charged with, what it may still have, and what it owes at its end.

use core::sync::atomic::Ordering::Relaxed;

use log::{Level, log_enabled, warn};
use luge_sandbox::Outcome;
use luge_sched::{Measured, Ticket};
use luge_spec::OnMiss;
use luge_trace::Kind;

use super::{LIVE, Sandbox};
use crate::arch::time::Instant;
use crate::sched::{self, admission};

/// Has those fall behind whose bookings were taken back for the request that was let in last.
#[inline]
pub(super) fn tell_recalled() {
    if admission::has_recalled() {
        tell(&admission::take_recalled());
    }
}

#[cold]
fn tell(recalled: &[u64]) {
    for sandbox in LIVE.lock().values() {
        let ticket = sandbox.ticket.lock();
        let number = ticket.as_ref().map(Ticket::number);
        drop(ticket);
        if number.is_some_and(|number| recalled.contains(&number)) {
            sandbox.fall_behind();
        }
    }
}

impl Sandbox {
    /// CPU time that it was charged with: its own, that of its host calls, and what the kernel did to make it
    /// and take it down, in nanoseconds.
    #[must_use]
    pub fn charged_ns(&self) -> u64 {
        self.standing.lock().ran_ns()
    }

    /// Whether its deadline passed before it was done.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.is_late.load(Relaxed)
    }

    /// Has the timer end its turn when that must end.
    pub(super) fn arm_turn(&self) {
        let standing = self.standing.lock();
        let budget_ns = self.request.budget_ns.map_or(u64::MAX, |budget_ns| {
            budget_ns.saturating_sub(standing.ran_ns())
        });
        sched::arm_turn(&standing, budget_ns);
    }

    /// It has stopped after `ran_ns` on the CPU. One that has used up its budget is doomed.
    pub(super) fn has_run(&self, ran_ns: u64) {
        let mut standing = self.standing.lock();
        let was_booked = standing.is_booked();
        standing.charge(ran_ns);
        self.count_cpu(ran_ns);
        sched::worked_for_sandboxes(ran_ns);
        sched::stopped(&standing, ran_ns);
        if let Some(ticket) = &mut *self.ticket.lock() {
            admission::ran(ticket, ran_ns);
            if was_booked
                && !standing.is_booked()
                && let Some(more_ns) = admission::extend(ticket)
            {
                standing.extend(more_ns);
            }
        }
        let charged_ns = standing.ran_ns();
        drop(standing);
        if self
            .request
            .budget_ns
            .is_some_and(|most| charged_ns >= most)
        {
            self.doom.lock().get_or_insert(Outcome::OverBudget);
        }
    }

    /// The kernel has worked for it for `took_ns`.
    pub(super) fn charge(&self, took_ns: u64) {
        let mut standing = self.standing.lock();
        standing.charge(took_ns);
        self.count_cpu(took_ns);
        sched::worked_for_sandboxes(took_ns);
        sched::charge(&standing, took_ns);
        drop(standing);
        if let Some(ticket) = &*self.ticket.lock() {
            admission::charge(ticket, took_ns);
        }
    }

    fn count_cpu(&self, ns: u64) {
        if let Some(meter) = self.meter {
            meter.cpu_ns.add(ns);
        }
    }

    /// It has ended: how, and how its time went.
    pub(super) fn count_end(&self) {
        let life = self.life.lock();
        if let (Some(meter), Some(outcome)) = (self.meter, life.outcome()) {
            meter.ended(outcome, &life.times(0), life.counters());
            self.record(outcome, &life);
        }
    }

    /// Its deadline has come, and it is not done.
    pub(super) fn miss(&self) {
        self.count_miss();
        match self.request.on_miss {
            OnMiss::Kill => self.doom(Outcome::OverDeadline),
            OnMiss::Run => {
                if log_enabled!(Level::Warn) && self.may_log_end() {
                    warn!(
                        "sandbox {} ({}) missed its deadline and goes on",
                        self.id,
                        self.name()
                    );
                }
                self.fall_behind();
            }
        }
    }

    /// It ends now. If it was not noticed that its deadline came before, since the kernel did something else, that is
    /// counted all the same.
    pub(super) fn count_late_end(&self, now: Instant) {
        if now > self.deadline && now > self.due_at(now) && !self.is_late.swap(true, Relaxed) {
            self.count_miss();
        }
    }

    fn count_miss(&self) {
        self.note(Kind::Miss);
        if let Some(meter) = self.meter {
            meter.misses.count();
        }
        if let Some(ticket) = &*self.ticket.lock() {
            admission::missed(ticket);
        }
    }

    /// What goes on after its deadline comes behind what has a promise.
    fn fall_behind(&self) {
        let standing = &mut self.standing.lock();
        standing.miss();
        sched::requeue(self.task(), self.group, standing);
    }

    /// It has ended: what was promised to it is free again.
    pub(super) fn give_ticket_back(&self) {
        let Some(ticket) = self.ticket.lock().take() else {
            return;
        };
        let charged_ns = self.charged_ns();
        let (outcome, counters) = {
            let life = self.life.lock();
            (life.outcome(), life.counters())
        };
        admission::preempted(&ticket, counters.preemptions.into());
        if let Some(Outcome::OverDeadline | Outcome::OverBudget) = outcome {
            admission::killed(&ticket);
        }
        let measured = match outcome {
            Some(
                Outcome::Exit(_)
                | Outcome::Trap(_)
                | Outcome::NoResponseFile
                | Outcome::ResponseTooLong,
            ) => Measured::Took(charged_ns),
            _ => Measured::AtLeast(charged_ns),
        };
        admission::give_back(ticket, measured);
    }
}
