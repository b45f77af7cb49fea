//! Whether a client that has closed its sending side still waits for its answer.
//!
//! Some only say so that the request is complete; most have left. TCP does not tell the two apart: the segment is the
//! same, and the system of a client that has left acknowledges keep-alive probes for a minute more. Only new data is
//! answered with a reset at once. The only data that may come before an answer is an interim response, which each client
//! of HTTP/1.1 must pass over, expected or not (RFC 9110, "Informational 1xx", 15.2): so while a function runs for such a
//! client, it is sent `100 Continue` now and then. One of HTTP/1.0 gets keep-alive probes alone.

use luge_http::{Version, continue_line};

use super::{Client, Phase};
use crate::arch::time::Instant;
use crate::net::Stack;

/// How long nothing is sent at first, and between the first probes.
const PAUSE_NS: u64 = 1_000_000_000;
/// So many probes come one after the other: a proxy in between hears of the reset that the first one is answered with only
/// when it sends the next, and tells us only when the one after that comes. Then the pauses grow.
const AT_FIRST: u32 = 3;

/// The probes of one request.
#[derive(Clone, Copy, Default)]
pub(super) struct Probes {
    /// Whether the client knows interim responses.
    by_interim: bool,
    next_at: Option<Instant>,
    pause_ns: u64,
    sent: u32,
}

impl Probes {
    /// For a request of this version.
    pub(super) fn of(version: Version) -> Self {
        Self {
            by_interim: version == Version::Http11,
            pause_ns: PAUSE_NS,
            ..Self::default()
        }
    }

    /// Whether it is time for another one. When to ask again at the latest.
    fn is_due(&mut self, now: Instant) -> (bool, Instant) {
        let at = *self.next_at.get_or_insert(now.plus_ns(self.pause_ns));
        if now < at {
            return (false, at);
        }
        self.sent += 1;
        if self.sent >= AT_FIRST {
            self.pause_ns = self.pause_ns.saturating_mul(2);
        }
        let next_at = now.plus_ns(self.pause_ns);
        self.next_at = Some(next_at);
        (true, next_at)
    }
}

impl Client {
    /// Asks the client, which will send nothing more, whether it is still there, if it is time for that. When to do so
    /// again. A client that has left resets the connection.
    pub(super) fn probe(&mut self, stack: &mut Stack, now: Instant) -> Instant {
        let (is_due, next_at) = self.probes.is_due(now);
        let Phase::Running(work) = &self.phase else {
            return next_at;
        };
        if is_due && self.outgoing.is_empty() {
            stack.keep_alive(&self.link);
            if self.probes.by_interim && !work.is_answering() {
                self.outgoing.push_fixed(continue_line());
                self.flush(stack, now);
            }
        }
        next_at
    }
}
