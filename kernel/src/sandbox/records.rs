//! What the last sandboxes did with their time, for `/records`.
//!
//! There is a record of every request that was let in, made when its sandbox has ended, before its client is
//! told. Work of the host has none, and neither has what was refused: that had no sandbox.

use luge_journal::{Record, Records};
use luge_sandbox::{Life, Outcome};

use super::Sandbox;
use crate::arch::lock::{Lock, LockGuard};

/// How many are kept.
const KEPT: usize = 4096;

static RECORDS: Lock<Records> = Lock::new(Records::new());

/// Takes the memory for them.
pub(super) fn start() {
    *RECORDS.lock() = Records::with_room(KEPT);
}

/// The records, for who writes them out.
pub fn kept() -> LockGuard<'static, Records> {
    RECORDS.lock()
}

impl Sandbox {
    /// It has ended with this `outcome`.
    pub(super) fn record(&self, outcome: Outcome, life: &Life) {
        let counters = life.counters();
        let relative_deadline_ns = self.request.relative_deadline_ns;
        RECORDS.lock().push(Record {
            id: self.id,
            route: self.route,
            outcome,
            succeeded: self.is_success(outcome),
            relative_deadline_ns,
            arrived_ns: self.deadline.as_ns() - relative_deadline_ns,
            times: life.times(0),
            charged_ns: self.charged_ns(),
            turns: (counters.dispatches, counters.preemptions),
            payload_bytes: self.request.body.len(),
        });
    }
}
