//! How much of what sandboxes do reaches the log: what guests write to their stderr, and that they were ended by force.
//!
//! A line takes a token of its route, so that no route silences another, and one of the machine, since the
//! serial port is slow and everybody's. What finds none is dropped and counted; `observe::dropped` says so. A trap or
//! a kill takes one for all its lines: a report of up to ten.

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use luge_metrics::{Bucket, Counter};

use super::Sandbox;
use crate::arch::time::Instant;

/// How many lines of all guests reach the log at once, and then in each second.
const AT_ONCE: u64 = 512;
const A_SECOND: u64 = 256;
/// How many traps and kills do.
const ENDS_AT_ONCE: u64 = 128;
const ENDS_A_SECOND: u64 = 32;

static TOKENS: Bucket = Bucket::new(AT_ONCE, A_SECOND);
static END_TOKENS: Bucket = Bucket::new(ENDS_AT_ONCE, ENDS_A_SECOND);
static ALL_ENDS: AtomicBool = AtomicBool::new(false);
/// Lines of stderr that were dropped, of all guests.
pub static DROPPED: Counter = Counter::new();
/// Traps and kills that were not logged.
pub static ENDS_DROPPED: Counter = Counter::new();

/// Every trap and kill is logged, however many there are.
pub fn log_all_ends() {
    ALL_ENDS.store(true, Relaxed);
}

impl Sandbox {
    /// Whether it may log a line now, which is then counted as logged, or else as dropped.
    pub fn may_log(&self) -> bool {
        let now_ns = Instant::now().as_ns();
        let of_route = self
            .meter
            .is_none_or(|meter| meter.line_bucket.take(now_ns));
        let may = of_route && TOKENS.take(now_ns);
        if let Some(meter) = self.meter {
            let counter = if may {
                &meter.lines
            } else {
                &meter.lines_dropped
            };
            counter.count();
        }
        if !may {
            DROPPED.count();
        }
        may
    }

    /// Whether it is logged how it was ended by force. Of one sandbox the answer is always the same.
    pub(super) fn may_log_end(&self) -> bool {
        *self.is_end_logged.call_once(|| {
            let now_ns = Instant::now().as_ns();
            let of_route = self.meter.is_none_or(|meter| meter.end_bucket.take(now_ns));
            let may = ALL_ENDS.load(Relaxed) || of_route && END_TOKENS.take(now_ns);
            if !may {
                ENDS_DROPPED.count();
                if let Some(meter) = self.meter {
                    meter.ends_dropped.count();
                }
            }
            may
        })
    }
}
