//! Who is let in: limits, the test of demand, and the tickets that must come back.
//!
//! A request of a tenant with a reservation is tried on that first, and on what everybody shares if it
//! does not fit; a request of any other on what everybody shares. Let in means booked: from then on
//! nothing that is let in can take its time away, see [`crate::Ready`] for how that is kept.
//!
//! Invariant: for each [`Ticket`] that is out there is one entry in one book (if anything is booked for it)
//! and one in each count of its route and tenant; [`Admission::give_back`] takes out just those. Dropping
//! a ticket is a bug, and panics.

mod time;

use alloc::boxed::Box;
use alloc::vec::Vec;

use luge_memory::shares::{Holder, Shares};

use crate::book::{Book, Booking, Recall};
use crate::estimate::Estimate;
use crate::ready::{Group, Lane, Ready, SHARED};
use crate::terms::{Counts, Refusal, RouteId, RouteTerms, TenantId, TenantTerms};
use crate::ticket::{Measured, Ticket};

/// Of a route's deadline, the part that is booked for a request while nothing is known of the route: one in so many.
const FIRST_PART: u64 = 256;
/// The longest that is booked then, in nanoseconds. What runs longer falls behind, so little depends on it.
const FIRST_NS: u64 = 5_000_000;
/// A request that has waited for less than one part in so many of its deadline is tested as if it came now, which the
/// margins bear: the moment that passes before any request is looked at would else cost a tenant the last period of its
/// reservation, which may be all that there is until the deadline.
const SHORT_WAIT_PART: u64 = 64;

/// Tenants, routes, and what is promised.
pub struct Admission {
    /// Whether demand is tested. If not, nothing is booked, and only the limits hold.
    tests_demand: bool,
    tenants: Vec<Tenant>,
    #[expect(
        clippy::vec_box,
        reason = "room for many routes is to cost little until they come"
    )]
    routes: Vec<Box<Route>>,
    books: Vec<(Lane, Book)>,
    /// How many tenants without a reservation share a book.
    equals: u64,
    recall: Recall,
    /// The places of sandboxes, of which each request that is let in takes one.
    places: Shares,
    most_places: u64,
    next: u64,
    out: usize,
}

struct Tenant {
    terms: TenantTerms,
    places: Holder,
    at_once: u32,
    waiting: u32,
    memory: u64,
}

struct Route {
    terms: RouteTerms,
    estimate: Estimate,
    at_once: u32,
    /// How many of those run over their bookings.
    over: u32,
    waiting: u32,
    counts: Counts,
    /// How often its program was changed.
    version: u32,
}

impl Admission {
    /// With nobody in it, and places for everybody.
    #[must_use]
    pub fn new(tests_demand: bool) -> Self {
        Self {
            tests_demand,
            tenants: Vec::new(),
            routes: Vec::new(),
            books: alloc::vec![(SHARED.booked(), Book::default())],
            equals: 0,
            recall: Recall::new(),
            places: Shares::new(),
            most_places: u64::MAX,
            next: 0,
            out: 0,
        }
    }

    /// Adds a tenant.
    pub fn add_tenant(&mut self, terms: TenantTerms) -> TenantId {
        let is_equal = terms.group.booked() == SHARED.booked();
        self.equals += u64::from(is_equal);
        if !is_equal {
            self.books.push((terms.group.booked(), Book::default()));
        }
        let places = self
            .places
            .add(terms.most_at_once.map_or(u64::MAX, u64::from));
        self.tenants.push(Tenant {
            terms,
            places,
            at_once: 0,
            waiting: 0,
            memory: 0,
        });
        TenantId(self.tenants.len() - 1)
    }

    /// There are places for so many requests at once in all.
    pub fn set_places(&mut self, most: u64) {
        self.most_places = most;
        self.places.set_total(most);
    }

    /// Makes room for so many routes in all: until there are more, a route asks for a small piece of memory and
    /// no large one.
    pub fn reserve_routes(&mut self, most: usize) {
        let more = most.saturating_sub(self.routes.len());
        self.routes.reserve_exact(more);
    }

    /// Adds a route.
    pub fn add_route(&mut self, terms: RouteTerms) -> RouteId {
        self.routes.push(Box::new(Route {
            terms,
            estimate: first_estimate(&terms),
            at_once: 0,
            over: 0,
            waiting: 0,
            counts: Counts::default(),
            version: 0,
        }));
        RouteId(self.routes.len() - 1)
    }

    /// From now on other terms hold for a route, of the same tenant, and another program runs. What was measured of
    /// the old one holds until enough is known of the new one, unless another estimate is given. Requests that were
    /// let in before stay what they were, and count as the route's.
    ///
    /// # Panics
    /// If the route would go to another tenant.
    pub fn change_route(&mut self, route: RouteId, terms: RouteTerms) {
        let route = &mut self.routes[route.0];
        assert_eq!(route.terms.tenant, terms.tenant, "a route stays a tenant's");
        let first = first_estimate(&terms);
        if terms.given_estimate_ns == route.terms.given_estimate_ns {
            route.estimate.change(first);
        } else {
            route.estimate = first;
        }
        route.terms = terms;
        route.version = route.version.wrapping_add(1);
    }

    /// Lets a request in that arrives now, if the limits and what is promised allow. What others have booked beyond their
    /// shares may have to go for it, see [`recalled`](Self::recalled).
    ///
    /// # Errors
    /// The [`Refusal`]; nothing has changed then but its count.
    pub fn admit(&mut self, route: RouteId, now_ns: u64, ready: &Ready) -> Result<Ticket, Refusal> {
        self.admit_since(route, now_ns, now_ns, ready)
    }

    /// The same for a request that arrived at `arrived_ns`, from which on its deadline counts.
    ///
    /// # Errors
    /// As for [`Self::admit`].
    pub fn admit_since(
        &mut self,
        route: RouteId,
        arrived_ns: u64,
        now_ns: u64,
        ready: &Ready,
    ) -> Result<Ticket, Refusal> {
        let state = &mut *self.routes[route.0];
        state.estimate.refresh();
        let relative_ns = state.terms.relative_deadline_ns;
        let deadline_ns = arrived_ns.saturating_add(relative_ns);
        let is_short = now_ns.saturating_sub(arrived_ns) <= relative_ns / SHORT_WAIT_PART;
        let now_ns = if is_short { arrived_ns } else { now_ns };
        self.recall.forget();
        let admitted = self
            .check_limits(route)
            .and_then(|()| self.find_time(route, deadline_ns, now_ns, ready));
        let counts = &mut self.routes[route.0].counts;
        match admitted {
            Ok((group, booking)) => {
                counts.admitted += 1;
                for entry in self.recall.recalled() {
                    let shared = self.books.iter_mut().find(|(of, _)| *of == SHARED.booked());
                    let (_, shared) = shared.expect("it is there from the beginning");
                    shared.strike_out(*entry);
                }
                Ok(self.issue(route, deadline_ns, group, booking))
            }
            Err(refusal) => {
                counts.refused += 1;
                Err(refusal)
            }
        }
    }

    /// The [numbers](Ticket::number) of the tickets that have lost their bookings for the request that was let in last.
    pub fn recalled(&self) -> impl Iterator<Item = u64> {
        self.recall.recalled().iter().map(|(_, number)| *number)
    }

    /// Why a request would be refused if it arrived now, if it would be; then it counts as refused.
    pub fn refuse_early(&mut self, route: RouteId, now_ns: u64, ready: &Ready) -> Option<Refusal> {
        let state = &mut *self.routes[route.0];
        state.estimate.refresh();
        let deadline_ns = now_ns.saturating_add(state.terms.relative_deadline_ns);
        let found = self.check_limits(route);
        let found =
            found.and_then(|()| self.find_time(route, deadline_ns, now_ns, ready).map(drop));
        self.recall.forget();
        let refusal = found.err()?;
        self.routes[route.0].counts.refused += 1;
        Some(refusal)
    }

    /// The request has the CPU for the first time.
    pub fn begun(&mut self, ticket: &mut Ticket) {
        if core::mem::replace(&mut ticket.has_begun, true) {
            return;
        }
        let route = &mut self.routes[ticket.route.0];
        route.waiting -= 1;
        self.tenants[route.terms.tenant.0].waiting -= 1;
    }

    /// The request has had `ran_ns` of CPU time.
    pub fn charge(&mut self, ticket: &Ticket, ran_ns: u64) {
        if ticket.booked_ns.is_some() {
            self.book(ticket.group.booked())
                .charge(ticket.entry, ran_ns);
        }
        let route = &mut self.routes[ticket.route.0];
        if let Some(mark) = ticket.exceeded
            && ticket.version == route.version
        {
            route.estimate.ran_on(mark, ran_ns);
        }
    }

    /// The request has used up what was booked for it. Books as much again, or a quarter of that, if no
    /// promise is broken by it; until it has twice what was booked at first, or some milliseconds. How much
    /// is booked now, in nanoseconds. Otherwise its route's estimate learns that it runs over its booking.
    pub fn extend(&mut self, ticket: &mut Ticket, now_ns: u64, ready: &Ready) -> Option<u64> {
        let booked_ns = ticket.booked_ns?;
        if let Some(more_ns) = self.find_more(ticket, booked_ns, now_ns, ready) {
            let booking = self.extension(ticket, more_ns, now_ns, ready);
            self.book(ticket.group.booked())
                .enter(ticket.entry, booking);
            ticket.extended_ns += more_ns;
            return Some(more_ns);
        }
        let route = &mut self.routes[ticket.route.0];
        if ticket.exceeded.is_none() && ticket.version == route.version {
            let had_ns = booked_ns.saturating_add(ticket.extended_ns);
            ticket.exceeded = Some(route.estimate.exceeded(had_ns));
            route.over += 1;
        }
        None
    }

    /// The request waits for its client when its deadline comes. What is left of its booking is nobody's from then on.
    pub fn lapse(&mut self, ticket: &Ticket) {
        if ticket.booked_ns.is_some() {
            self.book(ticket.group.booked()).strike_out(ticket.entry);
        }
    }

    /// The request was not done at its deadline.
    pub fn missed(&mut self, ticket: &Ticket) {
        self.routes[ticket.route.0].counts.missed += 1;
    }

    /// The host ends the request, at its deadline or budget.
    pub fn killed(&mut self, ticket: &Ticket) {
        self.routes[ticket.route.0].counts.killed += 1;
    }

    /// The CPU was taken from the request so many times in all.
    pub fn preempted(&mut self, ticket: &Ticket, times: u64) {
        self.routes[ticket.route.0].counts.preempted += times;
    }

    /// The request is over.
    pub fn give_back(&mut self, mut ticket: Ticket, measured: Measured) {
        self.begun(&mut ticket);
        ticket.is_given_back = true;
        self.out -= 1;
        if ticket.booked_ns.is_some() {
            self.book(ticket.group.booked()).strike_out(ticket.entry);
        }
        let route = &mut self.routes[ticket.route.0];
        route.at_once -= 1;
        if ticket.exceeded.is_some() {
            route.over -= 1;
        }
        let tenant = &mut self.tenants[route.terms.tenant.0];
        self.places.give_back(tenant.places, 1);
        tenant.at_once -= 1;
        tenant.memory -= ticket.memory;
        if ticket.version == route.version {
            match (measured, ticket.exceeded) {
                (Measured::Took(ns), Some(mark)) => route.estimate.done(mark, ns),
                (Measured::Took(ns), None) => route.estimate.measured(ns),
                (Measured::AtLeast(ns), Some(mark)) => route.estimate.ended(mark, ns),
                // It did not even have what was booked for it.
                (Measured::AtLeast(_), None) | (Measured::Nothing, _) => {}
            }
        }
    }

    /// How many tickets are out.
    #[must_use]
    pub const fn out(&self) -> usize {
        self.out
    }

    /// Whether nothing is booked.
    #[must_use]
    pub fn nothing_is_booked(&self) -> bool {
        self.books.iter().all(|(_, book)| book.is_empty())
    }

    /// What happened to a route's requests so far.
    #[must_use]
    pub fn counts(&self, route: RouteId) -> Counts {
        self.routes[route.0].counts
    }

    /// How long a route's requests are expected to run, in nanoseconds.
    #[must_use]
    pub fn estimate_ns(&self, route: RouteId) -> u64 {
        self.routes[route.0].estimate.ns()
    }

    fn check_limits(&self, route: RouteId) -> Result<(), Refusal> {
        let route = &self.routes[route.0];
        let tenant = &self.tenants[route.terms.tenant.0];
        let below = |count: u32, most: Option<u32>, refusal: fn(u32) -> Refusal| {
            most.filter(|&most| count >= most)
                .map_or(Ok(()), |most| Err(refusal(most)))
        };
        below(
            route.at_once,
            route.terms.most_at_once,
            Refusal::RouteAtOnce,
        )?;
        below(
            route.waiting,
            route.terms.most_waiting,
            Refusal::RouteWaiting,
        )?;
        below(
            tenant.at_once,
            tenant.terms.most_at_once,
            Refusal::TenantAtOnce,
        )?;
        below(
            tenant.waiting,
            tenant.terms.most_waiting,
            Refusal::TenantWaiting,
        )?;
        let memory = tenant.memory.saturating_add(route.terms.memory);
        match tenant.terms.most_memory {
            Some(most) if memory > most => Err(Refusal::TenantMemory(most)),
            _ => self.check_places(tenant),
        }
    }

    /// Whether a place is left that is not kept for another tenant. Where there is none at all, that is not for tenants to
    /// be told.
    fn check_places(&self, tenant: &Tenant) -> Result<(), Refusal> {
        let free = self.most_places.saturating_sub(self.out as u64);
        if free == 0 || self.places.may_take(tenant.places, 1, free) {
            Ok(())
        } else {
            Err(Refusal::TenantPlaces(tenant.at_once))
        }
    }

    fn issue(
        &mut self,
        route: RouteId,
        deadline_ns: u64,
        group: Group,
        booking: Option<Booking>,
    ) -> Ticket {
        self.next += 1;
        self.out += 1;
        let Route {
            terms,
            estimate,
            at_once,
            waiting,
            version,
            ..
        } = &mut *self.routes[route.0];
        *at_once += 1;
        *waiting += 1;
        let tenant = &mut self.tenants[terms.tenant.0];
        self.places.take(tenant.places, 1);
        tenant.at_once += 1;
        tenant.waiting += 1;
        tenant.memory += terms.memory;
        let ticket = Ticket {
            route,
            group,
            entry: (deadline_ns, self.next),
            estimate_ns: estimate.ns(),
            booked_ns: booking.map(|booking| booking.left_ns),
            extended_ns: 0,
            exceeded: None,
            memory: terms.memory,
            version: *version,
            has_begun: false,
            is_given_back: false,
        };
        if let Some(booking) = booking {
            self.book(group.booked()).enter(ticket.entry, booking);
        }
        ticket
    }

    fn book_of(&self, lane: Lane) -> &Book {
        let found = self.books.iter().find(|(of, _)| *of == lane);
        &found.expect("every lane of booked tasks has a book").1
    }

    fn book(&mut self, lane: Lane) -> &mut Book {
        let found = self.books.iter_mut().find(|(of, _)| *of == lane);
        &mut found.expect("every lane of booked tasks has a book").1
    }
}

/// What is reckoned with for a route of which nothing was measured.
fn first_estimate(terms: &RouteTerms) -> Estimate {
    let hoped_ns = (terms.relative_deadline_ns / FIRST_PART).min(FIRST_NS);
    Estimate::new(terms.percentile, terms.given_estimate_ns, hoped_ns)
        .with_budget(terms.budget_ns.unwrap_or(u64::MAX))
}
