//! The trace of the schedule: the last events of all requests, for `/trace`.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use luge_sched::{RouteId, TaskId, Ticket};
use luge_trace::{Event, Kind, NO_ROUTE, Ring};

use crate::arch::landmarks::Landmark;
use crate::arch::lock::{Lock, LockGuard};
use crate::arch::time::Instant;

/// How many events are kept: some hundred requests.
const EVENTS: usize = 4096;

static RING: Lock<Ring> = Lock::new(Ring::new());

/// Where the ring and its events lie, for a debugger.
static RING_AT: AtomicPtr<Ring> = AtomicPtr::new(null_mut());
static EVENTS_AT: AtomicPtr<Event> = AtomicPtr::new(null_mut());

/// The trace, for a debugger.
pub const LANDMARKS: &[Landmark] = &[
    Landmark::place("trace.ring", &raw const RING_AT),
    Landmark::place("trace.events", &raw const EVENTS_AT),
];

/// Takes the memory for the events.
pub(super) fn start() {
    let mut ring = RING.lock();
    *ring = Ring::with_room(EVENTS);
    RING_AT.store(core::ptr::from_mut(&mut *ring), Relaxed);
    EVENTS_AT.store(ring.place().cast_mut(), Relaxed);
}

/// The events, unless somebody is at them, for last words.
pub fn ring_if_free() -> Option<LockGuard<'static, Ring>> {
    RING.try_lock()
}

/// The events, for who writes them out.
pub fn ring() -> LockGuard<'static, Ring> {
    RING.lock()
}

/// The number of a ticket's route in events.
#[must_use]
pub fn route_of(ticket: Option<&Ticket>) -> u16 {
    ticket.map_or(NO_ROUTE, |ticket| number(ticket.route()))
}

/// Something happened to a sandbox.
#[inline]
pub fn push(task: TaskId, route: u16, kind: Kind, now: Instant) {
    RING.lock().push(Event {
        at_ns: now.as_ns(),
        task: task.0,
        route,
        kind,
    });
}

/// A request of this route was not let in.
pub(super) fn refused(route: RouteId) {
    push(TaskId(0), number(route), Kind::Refuse, Instant::now());
}

/// A spec of a mebibyte has no more routes than this holds.
fn number(route: RouteId) -> u16 {
    u16::try_from(route.index()).unwrap_or(NO_ROUTE)
}
