//! How much of what guests write to their stderr reaches the log.
//!
//! A line takes a token of its route, so that no route silences another, and one of the machine, since the
//! serial port is slow and everybody's. What finds none is dropped and counted; `observe::dropped` says so.

use luge_metrics::{Bucket, Counter};

use super::Sandbox;
use crate::arch::time::Instant;

/// How many lines of all guests reach the log at once, and then in each second.
const AT_ONCE: u64 = 512;
const A_SECOND: u64 = 256;

static TOKENS: Bucket = Bucket::new(AT_ONCE, A_SECOND);
/// Lines that were dropped, of all guests.
pub static DROPPED: Counter = Counter::new();

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
}
