//! Clients that are given up because they take their answers too slowly: why, and who has need of what they hold.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use luge_http::TooSlow;
use luge_metrics::Counters;
use luge_sched::RouteId;

/// Why they are given up, as labels.
pub const REASONS: [&str; 3] = ["least-rate", "end", "made-room"];

/// How many were, by [`REASONS`].
pub static GIVEN_UP: Counters<{ REASONS.len() }> = Counters::new();

static ANSWER_TIME_NS: AtomicU64 = AtomicU64::new(0);

/// What a request lacked, of which a function that waits for a slow client may have some.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lacks {
    /// Memory, or another place for a sandbox.
    Room,
    /// What its tenant has in all.
    OfTenant,
    /// A place among the requests that a route serves at once.
    OfRoute(RouteId),
}

/// From now on a client may take so long for an answer.
pub(super) fn start(answer_time_ns: u64) {
    ANSWER_TIME_NS.store(answer_time_ns, Relaxed);
}

/// How long a client may take for an answer, in nanoseconds.
pub(super) fn answer_time_ns() -> u64 {
    ANSWER_TIME_NS.load(Relaxed)
}

/// One is given up by its own rate or end.
pub(super) fn count(too_slow: TooSlow) {
    let place = match too_slow {
        TooSlow::Rate => 0,
        TooSlow::End => 1,
    };
    GIVEN_UP.at(place).count();
}

/// One is given up for another.
pub(super) fn count_made_room() {
    GIVEN_UP.at(2).count();
}
