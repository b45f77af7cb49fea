//! Tickets: a promise as a value, which cannot be copied and must not be lost.

use crate::book::Entry;
use crate::estimate::Mark;
use crate::ready::Group;
use crate::terms::RouteId;

/// What became of a request that was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// It took so much CPU time in all, in nanoseconds.
    Took(u64),
    /// It was ended after so much CPU time, by the host or because its client left.
    AtLeast(u64),
    /// Its end says nothing about how long it takes: it was never begun.
    Nothing,
}

/// The promise to a request that was let in.
#[must_use = "a ticket has to be given back"]
#[derive(Debug)]
pub struct Ticket {
    pub(crate) route: RouteId,
    pub(crate) group: Group,
    pub(crate) entry: Entry,
    pub(crate) estimate_ns: u64,
    pub(crate) booked_ns: Option<u64>,
    /// By how much the booking was made longer.
    pub(crate) extended_ns: u64,
    /// What its route's estimate knows of it since it has run over its booking.
    pub(crate) exceeded: Option<Mark>,
    /// What it may take of memory by the limits that it was let in with, in bytes.
    pub(crate) memory: u64,
    /// Which of the programs that its route has had will run.
    pub(crate) version: u32,
    pub(crate) has_begun: bool,
    pub(crate) is_given_back: bool,
}

impl Ticket {
    /// Where the request runs.
    #[must_use]
    pub const fn group(&self) -> Group {
        self.group
    }

    /// Its route.
    #[must_use]
    pub const fn route(&self) -> RouteId {
        self.route
    }

    /// A number that no other ticket has.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.entry.1
    }

    /// How long it is expected to run, in nanoseconds.
    #[must_use]
    pub const fn estimate_ns(&self) -> u64 {
        self.estimate_ns
    }

    /// CPU time that is booked for it, in nanoseconds, if any is.
    #[must_use]
    pub const fn booked_ns(&self) -> Option<u64> {
        self.booked_ns
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        assert!(self.is_given_back, "a ticket was dropped, not given back");
    }
}
