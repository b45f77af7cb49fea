//! What a policy knows of one task, from its arrival to its end.

use core::mem::offset_of;

use crate::policy::{Policy, Settings};
use crate::queue::Place;
use crate::ready::{Lane, SHARED};
use crate::slice::Slice;

/// How much CPU time a task without a booking gets before its deadline in the queue is postponed, in
/// nanoseconds.
const SLICE_NS: u64 = 20_000_000;

/// Marks the keys of tasks without a promise: they come after all that have one.
pub(crate) const UNPROMISED: u64 = 1 << 63;
/// The last key of a time.
const LAST: u64 = UNPROMISED - 1;

/// A task's standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    arrival: u64,
    slice: Slice,
    /// How long it is expected to run in all.
    estimate_ns: u64,
    ran_ns: u64,
    /// Its turn, under round robin, and how much of it has been used.
    turn: u64,
    turn_used_ns: u64,
    /// Where it is queued, or was last: the queue, and the place in it.
    pub(crate) lane: Lane,
    pub(crate) place: Place,
}

impl Standing {
    /// Where its fields lie, in bytes, for a debugger.
    pub const LAYOUT: [(&'static str, usize); 7] = [
        ("standing.arrival", offset_of!(Self, arrival)),
        (
            "standing.deadline_ns",
            offset_of!(Self, slice) + Slice::LAYOUT[0],
        ),
        (
            "standing.is_booked",
            offset_of!(Self, slice) + Slice::LAYOUT[1],
        ),
        ("standing.estimate_ns", offset_of!(Self, estimate_ns)),
        ("standing.ran_ns", offset_of!(Self, ran_ns)),
        ("standing.turn", offset_of!(Self, turn)),
        ("standing.lane", offset_of!(Self, lane)),
    ];

    /// For a task that arrives now: its number in the order of arrival, its deadline, what is booked for
    /// it if anything is, and how long it is expected to run.
    #[must_use]
    pub const fn new(
        arrival: u64,
        deadline_ns: u64,
        booked_ns: Option<u64>,
        estimate_ns: u64,
    ) -> Self {
        let slice = match booked_ns {
            Some(booked_ns) => Slice::booked(deadline_ns, booked_ns, SLICE_NS),
            None => Slice::new(deadline_ns, SLICE_NS),
        };
        Self {
            arrival,
            slice,
            estimate_ns,
            ran_ns: 0,
            turn: 0,
            turn_used_ns: 0,
            lane: SHARED.booked(),
            place: Place::NONE,
        }
    }

    /// Its number in the order of arrival.
    #[must_use]
    pub const fn arrival(&self) -> u64 {
        self.arrival
    }

    /// CPU time that it was charged with, in nanoseconds.
    #[must_use]
    pub const fn ran_ns(&self) -> u64 {
        self.ran_ns
    }

    /// Whether it runs within what was booked for it.
    #[must_use]
    pub const fn is_booked(&self) -> bool {
        self.slice.is_booked()
    }

    /// Whether it was last queued where nothing is reserved, so that no reservation is charged.
    #[must_use]
    pub fn shares(&self) -> bool {
        self.lane == SHARED.booked()
    }

    /// Charges `ran_ns` of CPU time.
    pub const fn charge(&mut self, ran_ns: u64) {
        self.ran_ns = self.ran_ns.saturating_add(ran_ns);
        self.turn_used_ns = self.turn_used_ns.saturating_add(ran_ns);
        self.slice.charge(ran_ns);
    }

    /// The booking that it has used up is longer by `more_ns`. False if it has fallen behind already.
    pub const fn extend(&mut self, more_ns: u64) -> bool {
        self.slice.extend(more_ns)
    }

    /// It has missed its deadline and goes on.
    pub const fn miss(&mut self) {
        self.slice.miss();
    }

    /// Begins its next turn.
    pub(crate) const fn take_turn(&mut self, turn: u64) {
        self.turn = turn;
        self.turn_used_ns = 0;
    }

    /// CPU time that it has had beyond its booking, in nanoseconds, if it is there.
    pub(crate) const fn over_ns(&self) -> Option<u64> {
        self.slice.over_ns()
    }

    /// Whether its turn is used up.
    pub(crate) const fn turn_is_over(&self, settings: &Settings) -> bool {
        self.turn_used_ns >= settings.quantum_ns
    }

    /// What a queue orders it by that it comes into now.
    pub(crate) fn key(&mut self, policy: Policy, now_ns: u64) -> u64 {
        match policy {
            Policy::EarliestDeadline if self.slice.is_booked() => {
                self.slice.deadline_ns().min(LAST)
            }
            Policy::EarliestDeadline => UNPROMISED | self.slice.queued(now_ns).min(LAST),
            Policy::FirstIn => 0,
            Policy::ShortestJob => self.estimate_ns.saturating_sub(self.ran_ns),
            Policy::RoundRobin => self.turn,
        }
    }

    /// CPU time after which its place may change although nothing has happened, in nanoseconds.
    pub(crate) const fn place_holds_ns(&self, settings: &Settings) -> u64 {
        match settings.policy {
            Policy::EarliestDeadline => self.slice.left_ns(),
            Policy::RoundRobin => settings.quantum_ns.saturating_sub(self.turn_used_ns),
            Policy::FirstIn | Policy::ShortestJob => u64::MAX,
        }
    }
}
