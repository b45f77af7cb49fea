//! Who lives, for who looks at the machine from outside.

use luge_sandbox::{State, Wait};

use super::LIVE;

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
