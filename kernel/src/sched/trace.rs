//! The trace of the schedule: the last events of all requests, for `/trace`.

use luge_sched::{RouteId, TaskId, Ticket};
use luge_trace::{Event, Kind, NO_ROUTE, Ring};

use crate::arch::lock::{Lock, LockGuard};
use crate::arch::time::Instant;

/// How many events are kept: some hundred requests.
const EVENTS: usize = 4096;

static RING: Lock<Ring> = Lock::new(Ring::new());

/// Takes the memory for the events.
pub(super) fn start() {
    *RING.lock() = Ring::with_room(EVENTS);
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
