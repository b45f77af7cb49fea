//! All that is counted of one route.

use luge_sandbox::{Counters as Happened, Outcome, Times};
use luge_trap::Trap;

use crate::{Bucket, Counter, Counters, Histogram};

/// The status codes that are counted, in their order; whatever else is sent counts as the last.
pub const STATUSES: [&str; 25] = [
    "200", "201", "204", "400", "401", "403", "404", "405", "408", "409", "411", "413", "414",
    "415", "417", "422", "429", "431", "500", "501", "503", "504", "505", "507", "other",
];

/// How sandboxes end, as labels: the names of traps, and what else an outcome can be.
pub const OUTCOMES: [&str; Trap::ALL.len() + 8] = {
    let mut labels = [""; Trap::ALL.len() + 8];
    labels[0] = "exit-0";
    labels[1] = "exit-nonzero";
    labels[2] = "over-deadline";
    labels[3] = "over-budget";
    labels[4] = "cancelled";
    labels[5] = "no-response-file";
    labels[6] = "response-too-long";
    labels[7] = "slow-reader";
    let mut trap = 0;
    while trap < Trap::ALL.len() {
        labels[8 + trap] = Trap::ALL[trap].as_str();
        trap += 1;
    }
    labels
};

/// Why requests are not let in, as labels.
pub const REFUSALS: [&str; 10] = [
    "no-time",
    "route-at-once",
    "route-waiting",
    "tenant-at-once",
    "tenant-waiting",
    "tenant-memory",
    "no-room",
    "not-ready",
    "other",
    "tenant-places",
];

/// The label of an outcome. Exit codes are the guest's to choose, so they are not told apart.
#[must_use]
pub fn outcome_label(outcome: Outcome) -> &'static str {
    OUTCOMES[place_of(outcome)]
}

fn place_of(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Exit(0) => 0,
        Outcome::Exit(_) => 1,
        Outcome::OverDeadline => 2,
        Outcome::OverBudget => 3,
        Outcome::Cancelled => 4,
        Outcome::NoResponseFile => 5,
        Outcome::ResponseTooLong => 6,
        Outcome::SlowReader => 7,
        // Traps are numbered in the order of `Trap::ALL`; a test holds that to be so.
        Outcome::Trap(trap) => 8 + trap as usize,
    }
}

/// How many lines of stderr of a route's requests reach the log at once, and then in each second.
const LINES_AT_ONCE: u64 = 64;
const LINES_A_SECOND: u64 = 32;

/// How many traps and kills of a route's requests reach the log at once, and then in each second.
const ENDS_AT_ONCE: u64 = 32;
const ENDS_A_SECOND: u64 = 8;

/// All that is counted of one route since boot.
#[derive(Debug)]
pub struct RouteMeter {
    /// Answers, by [`STATUSES`].
    pub answers: Counters<{ STATUSES.len() }>,
    /// Sandboxes that ended, by [`OUTCOMES`].
    pub outcomes: Counters<{ OUTCOMES.len() }>,
    /// Requests that were not let in, by [`REFUSALS`].
    pub refusals: Counters<{ REFUSALS.len() }>,
    /// Sandboxes that were not done at their deadlines.
    pub misses: Counter,
    /// How often the CPU was taken from a sandbox. Counted when it ends.
    pub preemptions: Counter,
    /// How often a sandbox was given the CPU. Counted when it ends.
    pub turns: Counter,
    /// CPU time that sandboxes were charged with, in nanoseconds.
    pub cpu_ns: Counter,
    /// Lines of stderr that were logged.
    pub lines: Counter,
    /// Lines of stderr that were not, because there were too many.
    pub lines_dropped: Counter,
    /// From which lines of stderr take what lets them into the log.
    pub line_bucket: Bucket,
    /// Traps and kills that were not logged, because there were too many.
    pub ends_dropped: Counter,
    /// From which they take what lets them into the log.
    pub end_bucket: Bucket,
    /// From a request's arrival to its sandbox's end.
    pub latency: Histogram,
    /// How long a sandbox was ready without having the CPU.
    pub queued: Histogram,
    /// How long a sandbox had the CPU.
    pub ran: Histogram,
}

impl Default for RouteMeter {
    fn default() -> Self {
        Self::new()
    }
}

impl RouteMeter {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            answers: Counters::new(),
            outcomes: Counters::new(),
            refusals: Counters::new(),
            misses: Counter::new(),
            preemptions: Counter::new(),
            turns: Counter::new(),
            cpu_ns: Counter::new(),
            lines: Counter::new(),
            lines_dropped: Counter::new(),
            line_bucket: Bucket::new(LINES_AT_ONCE, LINES_A_SECOND),
            ends_dropped: Counter::new(),
            end_bucket: Bucket::new(ENDS_AT_ONCE, ENDS_A_SECOND),
            latency: Histogram::new(),
            queued: Histogram::new(),
            ran: Histogram::new(),
        }
    }

    /// A request was answered with this status.
    pub fn answered(&self, status: u16) {
        count_status(&self.answers, status);
    }

    /// A sandbox has ended.
    pub fn ended(&self, outcome: Outcome, times: &Times, happened: Happened) {
        self.outcomes.at(place_of(outcome)).count();
        self.latency.record(times.total_ns);
        self.queued.record(times.queued_ns);
        self.ran.record(times.run_ns);
        self.preemptions.add(happened.preemptions.into());
        self.turns.add(happened.dispatches.into());
    }
}

/// Counts a status among [`STATUSES`].
pub fn count_status(counters: &Counters<{ STATUSES.len() }>, status: u16) {
    let digits = [status / 100 % 10, status / 10 % 10, status % 10].map(|digit| b'0' + digit as u8);
    let place = STATUSES.iter().position(|label| label.as_bytes() == digits);
    counters.at(place.unwrap_or(STATUSES.len())).count();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trap_is_counted_under_its_own_name() {
        for trap in Trap::ALL {
            assert_eq!(outcome_label(Outcome::Trap(trap)), trap.as_str());
        }
    }

    #[test]
    fn other_outcomes_are_counted_under_their_words() {
        let labels = [
            (Outcome::Exit(0), "exit-0"),
            (Outcome::Exit(7), "exit-nonzero"),
            (Outcome::OverDeadline, "over-deadline"),
            (Outcome::OverBudget, "over-budget"),
            (Outcome::Cancelled, "cancelled"),
            (Outcome::SlowReader, "slow-reader"),
            (Outcome::NoResponseFile, "no-response-file"),
            (Outcome::ResponseTooLong, "response-too-long"),
        ];
        for (outcome, label) in labels {
            assert_eq!(outcome_label(outcome), label);
        }
    }

    #[test]
    fn a_status_that_is_not_in_the_list_is_counted_all_the_same() {
        let meter = RouteMeter::new();
        for status in [200, 404, 200, 299] {
            meter.answered(status);
        }
        let counted = |wanted| {
            let mut all = meter.answers.with(&STATUSES);
            all.find(|(label, _)| **label == wanted).map(|(_, n)| n)
        };
        assert_eq!(counted("200"), Some(2));
        assert_eq!(counted("404"), Some(1));
        assert_eq!(counted("other"), Some(1));
    }

    #[test]
    fn a_life_is_counted_once() {
        let meter = RouteMeter::new();
        let times = Times {
            queued_ns: 5_000,
            run_ns: 70_000,
            blocked_ns: 0,
            reader_ns: 0,
            total_ns: 75_000,
        };
        let happened = Happened {
            dispatches: 3,
            preemptions: 2,
            waits: 0,
        };
        meter.ended(Outcome::Trap(Trap::Unreachable), &times, happened);
        let sums = [&meter.latency, &meter.queued, &meter.ran].map(|h| (h.count(), h.sum_ns()));
        assert_eq!(sums, [(1, 75_000), (1, 5_000), (1, 70_000)]);
        assert_eq!((meter.turns.get(), meter.preemptions.get()), (3, 2));
        let ends: u64 = meter.outcomes.with(&OUTCOMES).map(|(_, n)| n).sum();
        assert_eq!(ends, 1);
    }
}
