//! States, events and the time between them.

use core::fmt;
use core::mem::offset_of;

use crate::Outcome;

/// Where a sandbox is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Ready, waiting for the CPU.
    Queued,
    /// On the CPU.
    Running,
    /// Waiting for something other than the CPU.
    Blocked(Wait),
    /// Over; nothing follows.
    Ended(Outcome),
}

/// What a blocked sandbox waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Room for more output: the client takes it slower than the sandbox makes it.
    Output,
    /// A moment, in nanoseconds since boot.
    Until(u64),
}

/// What happens to a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was given the CPU.
    Dispatched,
    /// The CPU was taken from it.
    Preempted,
    /// It gave the CPU away, to wait.
    Blocked(Wait),
    /// What it waited for is there.
    Woken,
    /// It ended while running: by its own will, or for what it did.
    Finished(Outcome),
    /// Its deadline passed, and it is to be ended for that, wherever it is.
    DeadlinePassed,
    /// Its CPU time is used up, and it is to be ended for that.
    BudgetUsedUp,
    /// Its client left, wherever it is.
    Cancelled,
    /// Its client took its answer too slowly, wherever it is.
    ReaderGivenUp,
    /// It wrote more than a response may be, and it is to be ended for that.
    WroteTooMuch,
}

/// The event cannot happen in that state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IllegalTransition {
    /// The state that the sandbox is in, and stays in.
    pub from: State,
    /// What cannot happen there.
    pub event: Event,
}

impl fmt::Display for IllegalTransition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} cannot follow {:?}", self.event, self.from)
    }
}

impl core::error::Error for IllegalTransition {}

impl State {
    /// The state after `event`.
    ///
    /// # Errors
    /// [`IllegalTransition`] if the event cannot happen here.
    pub const fn after(self, event: Event) -> Result<Self, IllegalTransition> {
        match (self, event) {
            (Self::Queued, Event::Dispatched) => Ok(Self::Running),
            (Self::Running, Event::Preempted) | (Self::Blocked(_), Event::Woken) => {
                Ok(Self::Queued)
            }
            (Self::Running, Event::Blocked(wait)) => Ok(Self::Blocked(wait)),
            (Self::Running, Event::Finished(outcome)) => Ok(Self::Ended(outcome)),
            (Self::Queued | Self::Running | Self::Blocked(_), Event::DeadlinePassed) => {
                Ok(Self::Ended(Outcome::OverDeadline))
            }
            (Self::Queued | Self::Running | Self::Blocked(_), Event::BudgetUsedUp) => {
                Ok(Self::Ended(Outcome::OverBudget))
            }
            (Self::Queued | Self::Running | Self::Blocked(_), Event::Cancelled) => {
                Ok(Self::Ended(Outcome::Cancelled))
            }
            (Self::Queued | Self::Running | Self::Blocked(_), Event::ReaderGivenUp) => {
                Ok(Self::Ended(Outcome::SlowReader))
            }
            (Self::Queued | Self::Running | Self::Blocked(_), Event::WroteTooMuch) => {
                Ok(Self::Ended(Outcome::ResponseTooLong))
            }
            (from, event) => Err(IllegalTransition { from, event }),
        }
    }
}

/// How long a sandbox was in each state, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Ready, but without the CPU.
    pub queued_ns: u64,
    /// On the CPU.
    pub run_ns: u64,
    /// Waiting for something other than the CPU.
    pub blocked_ns: u64,
    /// Of that, waiting for its client to take output. It does not count towards the deadline.
    pub reader_ns: u64,
    /// From its birth to its end, or to now: the sum of the states.
    pub total_ns: u64,
}

/// How often things happened to a sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// How often it was given the CPU.
    pub dispatches: u32,
    /// How often the CPU was taken from it.
    pub preemptions: u32,
    /// How often it gave the CPU away, to wait.
    pub waits: u32,
}

/// The life of one sandbox, from its birth in the queue.
#[derive(Clone, Debug)]
pub struct Life {
    state: State,
    /// When the state began.
    since_ns: u64,
    /// Up to `since_ns`.
    times: Times,
    counters: Counters,
    /// The state as a debugger can read it: one of the numbers below. The layout of [`State`] is the compiler's.
    shown: u8,
    /// The moment that it waits, or last waited, for.
    until_ns: u64,
}

const QUEUED: u8 = 0;
const RUNNING: u8 = 1;
const ON_OUTPUT: u8 = 2;
const UNTIL: u8 = 3;
const ENDED: u8 = 4;

impl Life {
    /// Where its fields lie, in bytes, and what the numbers of states mean: for a debugger.
    pub const LAYOUT: [(&'static str, usize); 11] = [
        ("life.state", offset_of!(Self, shown)),
        ("life.until_ns", offset_of!(Self, until_ns)),
        ("life.since_ns", offset_of!(Self, since_ns)),
        (
            "life.run_ns",
            offset_of!(Self, times) + offset_of!(Times, run_ns),
        ),
        (
            "life.preemptions",
            offset_of!(Self, counters) + offset_of!(Counters, preemptions),
        ),
        (
            "life.waits",
            offset_of!(Self, counters) + offset_of!(Counters, waits),
        ),
        ("state.queued", QUEUED as usize),
        ("state.running", RUNNING as usize),
        ("state.blocked on output", ON_OUTPUT as usize),
        ("state.blocked until", UNTIL as usize),
        ("state.ended", ENDED as usize),
    ];

    /// A life that begins now, in the queue.
    #[must_use]
    pub fn new(now_ns: u64) -> Self {
        Self {
            state: State::Queued,
            since_ns: now_ns,
            times: Times::default(),
            counters: Counters::default(),
            shown: QUEUED,
            until_ns: 0,
        }
    }

    /// Tells of an event and returns the state that follows.
    ///
    /// A `now_ns` before that of the last event counts as the same moment: clocks of different
    /// CPUs may disagree by a little.
    ///
    /// # Errors
    /// [`IllegalTransition`] if the event cannot happen in this state; nothing has changed then.
    pub fn apply(&mut self, event: Event, now_ns: u64) -> Result<State, IllegalTransition> {
        let next = self.state.after(event)?;
        self.times = self.times(now_ns);
        self.since_ns = self.since_ns.max(now_ns);
        self.state = next;
        self.show(next);
        self.count(event);
        Ok(next)
    }

    /// The state now.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// How it ended, if it has.
    #[must_use]
    pub const fn outcome(&self) -> Option<Outcome> {
        match self.state {
            State::Ended(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// How often things happened to it.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// How long it was in each state, the present one included. After its end, `now_ns` does not
    /// matter any more.
    #[must_use]
    pub const fn times(&self, now_ns: u64) -> Times {
        let mut times = self.times;
        let spent = now_ns.saturating_sub(self.since_ns);
        let part = match self.state {
            State::Queued => &mut times.queued_ns,
            State::Running => &mut times.run_ns,
            State::Blocked(wait) => {
                if matches!(wait, Wait::Output) {
                    times.reader_ns += spent;
                }
                &mut times.blocked_ns
            }
            State::Ended(_) => return times,
        };
        *part += spent;
        times.total_ns += spent;
        times
    }

    fn show(&mut self, state: State) {
        self.shown = match state {
            State::Queued => QUEUED,
            State::Running => RUNNING,
            State::Blocked(Wait::Output) => ON_OUTPUT,
            State::Blocked(Wait::Until(moment_ns)) => {
                self.until_ns = moment_ns;
                UNTIL
            }
            State::Ended(_) => ENDED,
        };
    }

    fn count(&mut self, event: Event) {
        match event {
            Event::Dispatched => self.counters.dispatches += 1,
            Event::Preempted => self.counters.preemptions += 1,
            Event::Blocked(_) => self.counters.waits += 1,
            Event::Woken
            | Event::Finished(_)
            | Event::DeadlinePassed
            | Event::BudgetUsedUp
            | Event::Cancelled
            | Event::ReaderGivenUp
            | Event::WroteTooMuch => {}
        }
    }
}
