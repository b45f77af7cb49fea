//! Who is let in: the one [`Admission`] of the machine, with the clock and the trace around it.
//!
//! Tenants and routes are added while the disk is read, before the first request. From then on a request
//! asks with [`admit`], and its [`Ticket`] goes with its sandbox, which gives it back when it ends.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use luge_metrics::RouteMeter;
use luge_sched::{
    Admission, Counts, Measured, Refusal, Reservation, RouteId, RouteTerms, TenantId, TenantTerms,
    Ticket,
};
use spin::Once;

use super::{ready, share, trace};
use crate::arch::lock::{Lock, LockGuard};
use crate::arch::time::Instant;
use crate::mm::arena;

/// The numbers of tickets that have lost their bookings, until their sandboxes are told.
static RECALLED: Lock<Vec<u64>> = Lock::new(Vec::new());
static HAS_RECALLED: AtomicBool = AtomicBool::new(false);

static ADMISSION: Once<Lock<Admission>> = Once::new();
/// What is counted of each route, by its number. It stays for good, so that nothing counted ever goes back.
static METERS: Lock<Vec<&'static RouteMeter>> = Lock::new(Vec::new());

/// Opens the books. With `tests_demand`, what could not be done by its deadline is refused.
pub(super) fn start(tests_demand: bool) {
    ADMISSION.call_once(|| Lock::new(Admission::new(tests_demand)));
}

fn admission() -> LockGuard<'static, Admission> {
    let admission = ADMISSION.get();
    admission.expect("it is started at boot").lock()
}

/// Adds a tenant, and says whether all that is reserved is still less than there is to promise.
pub fn add_tenant(reservation: Option<Reservation>, terms: TenantTerms) -> (TenantId, bool) {
    let mut ready = ready();
    let group = match reservation {
        Some(share) => ready.reserve_share(share),
        None => ready.share_equally(),
    };
    let fits = ready.reserved_ppm() < luge_sched::CAPACITY_PPM;
    drop(ready);
    let terms = TenantTerms { group, ..terms };
    (admission().add_tenant(terms), fits)
}

/// Makes room for so many routes in all, so that adding one asks for no large piece of memory.
pub fn reserve_routes(most: usize) {
    let mut meters = METERS.lock();
    let more = most.saturating_sub(meters.len());
    meters.reserve_exact(more);
    drop(meters);
    admission().reserve_routes(most);
}

/// Adds a route.
pub fn add_route(terms: RouteTerms) -> RouteId {
    METERS.lock().push(Box::leak(Box::default()));
    admission().add_route(terms)
}

/// From now on other terms hold for a route, and another program runs.
pub fn change_route(route: RouteId, terms: RouteTerms) {
    admission().change_route(route, terms);
}

/// What is counted of a route.
pub fn meter(route: RouteId) -> &'static RouteMeter {
    METERS.lock()[route.index()]
}

/// Lets a request in that arrived at `arrived`, from which on its deadline counts, or says why not.
///
/// # Errors
/// The [`Refusal`].
pub fn admit(route: RouteId, arrived: Instant, now: Instant) -> Result<Ticket, Refusal> {
    let mut admission = admission();
    let mut ready = ready();
    if let Some(ppm) = share::of_the_kernel() {
        ready.set_kernel_share(ppm);
    }
    admission.set_places(arena::for_requests().into());
    let admitted = admission.admit_since(route, arrived.as_ns(), now.as_ns(), &ready);
    if admission.recalled().next().is_some() {
        RECALLED.lock().extend(admission.recalled());
        HAS_RECALLED.store(true, Relaxed);
    }
    drop((ready, admission));
    admitted.inspect_err(|refusal| note(route, refusal))
}

/// Whether tickets have lost their bookings, so that somebody else has its share.
#[inline]
pub fn has_recalled() -> bool {
    HAS_RECALLED.load(Relaxed)
}

/// The numbers of those. Their sandboxes go on without a promise; each is told once.
pub fn take_recalled() -> Vec<u64> {
    HAS_RECALLED.store(false, Relaxed);
    core::mem::take(&mut *RECALLED.lock())
}

/// Why a request would be refused if it arrived now. It is then, and counts so.
pub fn refuse_early(route: RouteId, now: Instant) -> Option<Refusal> {
    let mut admission = admission();
    admission.set_places(arena::for_requests().into());
    let refusal = admission.refuse_early(route, now.as_ns(), &ready())?;
    drop(admission);
    note(route, &refusal);
    Some(refusal)
}

fn note(route: RouteId, refusal: &Refusal) {
    trace::refused(route);
    meter(route).refusals.at(place_of(refusal)).count();
}

/// The place of a reason in `luge_metrics::REFUSALS`.
fn place_of(refusal: &Refusal) -> usize {
    match refusal {
        Refusal::NoTime { .. } => 0,
        Refusal::RouteAtOnce(_) => 1,
        Refusal::RouteWaiting(_) => 2,
        Refusal::TenantAtOnce(_) => 3,
        Refusal::TenantWaiting(_) => 4,
        Refusal::TenantMemory(_) => 5,
        Refusal::TenantPlaces(_) => 9,
    }
}

/// The ticket's sandbox has run for so long.
pub fn ran(ticket: &mut Ticket, ran_ns: u64) {
    let mut admission = admission();
    admission.begun(ticket);
    admission.charge(ticket, ran_ns);
}

/// The ticket's sandbox has used up what was booked for it. What is booked for it beyond that, in
/// nanoseconds, if anything is.
pub fn extend(ticket: &mut Ticket) -> Option<u64> {
    let now_ns = Instant::now().as_ns();
    admission().extend(ticket, now_ns, &ready())
}

/// The deadline of the ticket's sandbox has come while that waits for its client.
pub fn lapse(ticket: &Ticket) {
    admission().lapse(ticket);
}

/// So much CPU time was spent for the ticket's sandbox.
pub fn charge(ticket: &Ticket, ran_ns: u64) {
    admission().charge(ticket, ran_ns);
}

/// The ticket's sandbox was not done at its deadline.
pub fn missed(ticket: &Ticket) {
    admission().missed(ticket);
}

/// The ticket's sandbox has ended, or there was none.
pub fn give_back(ticket: Ticket, measured: Measured) {
    admission().give_back(ticket, measured);
}

/// The host has ended the ticket's sandbox, at its deadline or budget.
pub fn killed(ticket: &Ticket) {
    admission().killed(ticket);
}

/// The CPU was taken so many times from the ticket's sandbox.
pub fn preempted(ticket: &Ticket, times: u64) {
    if times > 0 {
        admission().preempted(ticket, times);
    }
}

/// How many tickets are out.
pub fn out() -> usize {
    admission().out()
}

/// What happened to a route's requests so far.
pub fn counts(route: RouteId) -> Counts {
    admission().counts(route)
}
