//! Who lives, for who looks at the machine from outside.

use alloc::sync::Arc;
use core::ops::Bound::{Excluded, Unbounded};

use luge_sandbox::{State, Wait};
use luge_trace::NO_ROUTE;

use super::{LIVE, Native, Sandbox, sight};
use crate::arch::time::Instant;

/// How many sandboxes live, by what they do. The dispatcher counts them, so none runs meanwhile.
#[derive(Clone, Copy, Debug, Default)]
pub struct Census {
    /// Wait for the CPU.
    pub ready: usize,
    /// Wait for a moment.
    pub sleeping: usize,
    /// Wait for their client to take what they wrote.
    pub waiting: usize,
}

/// Counts them.
#[must_use]
pub fn census() -> Census {
    let mut census = Census::default();
    for sandbox in LIVE.lock().values() {
        match sandbox.state() {
            State::Queued | State::Running => census.ready += 1,
            State::Blocked(Wait::Until(_)) => census.sleeping += 1,
            State::Blocked(Wait::Output) => census.waiting += 1,
            State::Ended(_) => {}
        }
    }
    census
}

/// One sandbox as it is now.
#[derive(Clone, Copy, Debug)]
pub struct Glimpse {
    /// Its number.
    pub id: u64,
    /// The number of its route; none if it works for the host.
    pub route: Option<u16>,
    /// What it does, in the words that [`Census`] is shown with.
    pub state: &'static str,
    /// Since its arrival, in nanoseconds.
    pub age_ns: u64,
    /// CPU time that it was charged with, in nanoseconds.
    pub charged_ns: u64,
    /// How long until its deadline, in nanoseconds; less than 0 afterwards.
    pub deadline_in_ns: i64,
    /// What it has of memory, its stack included, in bytes.
    pub memory_bytes: u64,
}

/// The sandbox with the lowest number above `id` that lives, to go from one to the next without a lock between.
#[must_use]
pub fn after(id: u64) -> Option<Arc<Sandbox>> {
    let live = LIVE.lock();
    let (_, sandbox) = live.range((Excluded(id), Unbounded)).next()?;
    Some(sandbox.clone())
}

/// What is said of a state.
const fn word_for(state: State) -> &'static str {
    match state {
        State::Queued | State::Running => "ready",
        State::Blocked(Wait::Until(_)) => "sleeping",
        State::Blocked(Wait::Output) => "waiting-for-client",
        State::Ended(_) => "ended",
    }
}

impl Sandbox {
    /// What there is to see of it at `now`.
    #[must_use]
    pub fn glimpse(&self, now: Instant) -> Glimpse {
        let due = self.due_at(now);
        Glimpse {
            id: self.id,
            route: (self.route != NO_ROUTE).then_some(self.route),
            state: word_for(self.state()),
            age_ns: self.life.lock().times(now.as_ns()).total_ns,
            charged_ns: self.charged_ns(),
            deadline_in_ns: due.as_ns().wrapping_sub(now.as_ns()).cast_signed(),
            memory_bytes: self.memory_bytes(),
        }
    }

    /// What it has of memory, in bytes; 0 once it has given it back, or while any sandbox runs.
    fn memory_bytes(&self) -> u64 {
        if sight::running().is_some() {
            return 0;
        }
        // SAFETY: no sandbox runs on this CPU, so this is the dispatcher, which keeps none of these meanwhile.
        let Some(Native { arena, stack, .. }) = (unsafe { self.native() }) else {
            return 0;
        };
        let [stack, kernel_stack] =
            [stack.range(), stack.kernel_range()].map(|it| it.end - it.start);
        // SAFETY: as above.
        stack + kernel_stack + unsafe { arena.bytes_in_use() }
    }
}
