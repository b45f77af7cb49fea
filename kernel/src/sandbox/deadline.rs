//! When a sandbox has to be done.
//!
//! A deadline is the function's: it bounds the time from the request's arrival to the end of its output, without the time
//! in which the function waits for its client to take what it has written (`luge_sandbox::Times::reader_ns`). A client
//! has its own limits, see [`crate::http`]. So the deadline moves back while a sandbox is blocked on its output. Nobody
//! computes that until the deadline as it was comes: then it is put off to where it is by now, and if the sandbox
//! waits at that moment, until it goes on; what was booked for it is nobody's from then on.
//!
//! Invariant: `looks_at` is the moment for which the sleepers hold an entry of this sandbox for its deadline; there is none
//! after it was missed, and while it waits for its client beyond it.

use core::sync::atomic::Ordering::Relaxed;

use luge_sandbox::{State, Wait};
use luge_sched::TaskId;

use super::{Sandbox, find};
use crate::arch::time::Instant;
use crate::sched::{self, admission};

/// What has come for a sandbox.
enum Came {
    /// Its deadline, and it is not done.
    Deadline,
    /// What would have been its deadline if it had not waited for its client.
    Postponed,
    /// Another moment that it asked for.
    Moment,
}

/// A moment that the sandbox asked for, or its deadline, has come.
pub fn wake(task: TaskId) {
    let Some(sandbox) = find(task) else { return };
    match sandbox.what_came(Instant::now()) {
        Came::Deadline => sandbox.miss(),
        Came::Postponed => sandbox.put_off(),
        Came::Moment => sandbox.wake_up(),
    }
}

impl Sandbox {
    /// When its deadline is, as far as is known at `now`.
    pub(super) fn due_at(&self, now: Instant) -> Instant {
        let waited_ns = self.life.lock().times(now.as_ns()).reader_ns;
        self.deadline.plus_ns(waited_ns)
    }

    fn what_came(&self, now: Instant) -> Came {
        if now < self.deadline {
            return Came::Moment;
        }
        let looks_at = *self.looks_at.lock();
        if looks_at.is_none_or(|moment| now < moment) {
            return Came::Moment;
        }
        *self.looks_at.lock() = None;
        if now < self.due_at(now) {
            return Came::Postponed;
        }
        self.is_late.store(true, Relaxed);
        Came::Deadline
    }

    fn put_off(&self) {
        if self.state() != State::Blocked(Wait::Output) {
            return self.go_on_after_deadline();
        }
        if let Some(ticket) = &*self.ticket.lock() {
            admission::lapse(ticket);
        }
        let mut standing = self.standing.lock();
        if standing.is_booked() {
            standing.miss();
        }
    }

    /// It goes on, and its deadline as it was has come before it was done.
    fn go_on_after_deadline(&self) {
        let due = self.due_at(Instant::now());
        *self.looks_at.lock() = Some(due);
        sched::wake_at(self.task(), due);
    }

    /// Its client has taken something, and it goes on.
    pub(super) fn has_been_read(&self) {
        let was_put_off = !self.is_late() && self.looks_at.lock().is_none();
        if was_put_off && self.doom.lock().is_none() {
            self.go_on_after_deadline();
        }
    }
}
