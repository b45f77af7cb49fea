//! Places of sandboxes: what one tenant may take, and what is kept for the others.

mod terms;

use luge_sched::{
    Admission, Measured, Ready, Refusal, RouteId, SHARED, Settings, TenantTerms, Ticket,
};

use terms::{MS, route, tenant};

/// Tenants with these limits for requests at once, with a route each, where there are 12 places.
fn machine(limits: &[Option<u32>]) -> (Admission, Ready, Vec<RouteId>) {
    let mut admission = Admission::new(false);
    admission.set_places(12);
    let add = |&most_at_once: &Option<u32>| {
        let id = admission.add_tenant(TenantTerms {
            most_at_once,
            ..tenant(SHARED)
        });
        admission.add_route(route(id, 1_000 * MS, MS))
    };
    let routes = limits.iter().map(add).collect();
    (admission, Ready::new(Settings::default()), routes)
}

/// All that are let in of a route, until one is refused.
fn fill(admission: &mut Admission, ready: &Ready, route: RouteId) -> (Vec<Ticket>, Refusal) {
    let mut tickets = Vec::new();
    loop {
        match admission.admit(route, 0, ready) {
            Ok(ticket) => tickets.push(ticket),
            Err(refusal) => return (tickets, refusal),
        }
    }
}

fn give_back(admission: &mut Admission, tickets: Vec<Ticket>) {
    for ticket in tickets {
        admission.give_back(ticket, Measured::Nothing);
    }
}

#[test]
fn a_tenant_that_takes_all_it_can_leaves_each_other_its_part_of_one_half() {
    let (mut admission, ready, routes) = machine(&[None; 3]);
    let (first, refusal) = fill(&mut admission, &ready, routes[0]);
    assert_eq!((first.len(), refusal), (8, Refusal::TenantPlaces(8)));
    assert_eq!(
        admission.refuse_early(routes[0], 0, &ready),
        Some(Refusal::TenantPlaces(8))
    );
    let (second, refusal) = fill(&mut admission, &ready, routes[1]);
    assert_eq!((second.len(), refusal), (2, Refusal::TenantPlaces(2)));
    let third = [0, 0].map(|now| admission.admit(routes[2], now, &ready).unwrap());
    // What the first one gives back is anybody's.
    give_back(&mut admission, first);
    let (more, _) = fill(&mut admission, &ready, routes[1]);
    assert_eq!(more.len(), 6, "of 12 places 2 are kept for the first");
    give_back(&mut admission, second);
    give_back(&mut admission, more);
    give_back(&mut admission, third.into());
}

#[test]
fn no_place_is_kept_that_a_tenants_limit_keeps_it_from() {
    let (mut admission, ready, routes) = machine(&[None, Some(1)]);
    let (first, refusal) = fill(&mut admission, &ready, routes[0]);
    assert_eq!((first.len(), refusal), (11, Refusal::TenantPlaces(11)));
    let (second, refusal) = fill(&mut admission, &ready, routes[1]);
    assert_eq!((second.len(), refusal), (1, Refusal::TenantAtOnce(1)));
    give_back(&mut admission, first);
    give_back(&mut admission, second);
}

#[test]
fn who_is_alone_has_all_and_where_there_is_none_no_tenant_is_told_that_it_has_too_many() {
    let (mut admission, ready, routes) = machine(&[None]);
    // One more than there are: that it finds no place is for whoever gives them out to say.
    let tickets: Vec<_> = (0..13)
        .map(|_| admission.admit(routes[0], 0, &ready).unwrap())
        .collect();
    give_back(&mut admission, tickets);
}
