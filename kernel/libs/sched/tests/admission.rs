//! Who is let in, and who is refused and why; tickets and limits.

mod terms;

use luge_sched::{
    Admission, Counts, Measured, Ready, Refusal, Reservation, RouteId, RouteTerms, SHARED,
    Settings, TenantId, TenantTerms,
};

use terms::{MS, route, tenant};

/// One tenant without a reservation, one route with these terms.
fn simple(terms: impl Fn(TenantId) -> RouteTerms) -> (Admission, Ready, RouteId) {
    let mut admission = Admission::new(true);
    let id = admission.add_tenant(tenant(SHARED));
    let route = admission.add_route(terms(id));
    (admission, Ready::new(Settings::default()), route)
}

#[test]
fn a_route_whose_program_changed_is_measured_anew_and_what_was_let_in_before_counts_till_its_end() {
    let mut admission = Admission::new(true);
    let owner = admission.add_tenant(TenantTerms {
        most_memory: Some(10),
        ..tenant(SHARED)
    });
    let terms = |memory, estimate_ns| RouteTerms {
        memory,
        ..route(owner, 100 * MS, estimate_ns)
    };
    let id = admission.add_route(terms(7, MS));
    let ready = Ready::new(Settings::default());
    let old = admission.admit(id, 0, &ready).unwrap();
    admission.change_route(id, terms(4, 2 * MS));
    let estimate = admission.estimate_ns(id);
    let refusal = admission.admit(id, 0, &ready).unwrap_err();
    assert_eq!(refusal, Refusal::TenantMemory(10), "the old one has 7");
    admission.give_back(old, Measured::Took(50 * MS));
    assert_eq!(
        admission.estimate_ns(id),
        estimate,
        "another program took that"
    );
    let new = [0, 0].map(|now| admission.admit(id, now, &ready).unwrap());
    let refusal = admission.admit(id, 0, &ready).unwrap_err();
    assert_eq!(refusal, Refusal::TenantMemory(10));
    for ticket in new {
        admission.give_back(ticket, Measured::Took(5 * MS));
    }
    for _ in 0..64 {
        let ticket = admission.admit(id, 0, &ready).unwrap();
        admission.give_back(ticket, Measured::Took(5 * MS));
    }
    assert_ne!(admission.estimate_ns(id), estimate);
    assert_eq!(admission.counts(id).admitted, 67);
    assert!(admission.out() == 0 && admission.nothing_is_booked());
}

#[test]
fn what_does_not_fit_is_refused_with_the_time_until_it_might() {
    let (mut admission, ready, id) = simple(|tenant| route(tenant, 10_000 * MS, 4_000 * MS));
    let first = admission.admit(id, 0, &ready).expect("nothing is booked");
    let second = admission
        .admit(id, 0, &ready)
        .expect("8 s and a margin of 9.5 s");
    let refused = admission
        .admit(id, 0, &ready)
        .expect_err("three times as much is 12.4 s");
    assert_eq!(refused, Refusal::NoTime { retry_after_s: 4 });
    admission.give_back(first, Measured::Nothing);
    let third = admission
        .admit(id, 0, &ready)
        .expect("one is done, so there is time again");
    admission.give_back(second, Measured::Nothing);
    admission.give_back(third, Measured::Nothing);
    let counts = admission.counts(id);
    assert_eq!((counts.admitted, counts.refused), (3, 1));
}

#[test]
fn who_runs_over_its_booking_gets_as_much_again_where_that_breaks_no_promise() {
    let (mut admission, ready, id) = simple(|tenant| route(tenant, 1_000 * MS, 300 * MS));
    let mut first = admission.admit(id, 0, &ready).expect("nothing is booked");
    let booked = first.booked_ns().expect("it is booked");
    admission.charge(&first, booked);
    assert_eq!(admission.extend(&mut first, booked, &ready), Some(booked));
    assert_eq!(admission.extend(&mut first, booked, &ready), None, "once");
    // The extension is booked like everything else: 310 of it, and twice 310, are more than there is.
    let second = admission.admit(id, booked, &ready).expect("620 of 950 ms");
    let third = admission.admit(id, booked, &ready).expect("930 of 950 ms");
    let mut fourth = admission
        .admit(id, booked, &ready)
        .expect_err("1240 of 950 ms");
    assert!(matches!(fourth, Refusal::NoTime { .. }));
    admission.give_back(first, Measured::Nothing);
    let last = admission
        .admit(id, booked, &ready)
        .expect("there is time again");
    fourth = admission
        .admit(id, booked, &ready)
        .expect_err("and used up");
    assert!(matches!(fourth, Refusal::NoTime { .. }));
    for ticket in [second, third, last] {
        admission.give_back(ticket, Measured::Nothing);
    }
}

#[test]
fn what_the_kernel_takes_for_itself_is_not_promised() {
    let (mut admission, mut ready, id) = simple(|tenant| route(tenant, 1_000 * MS, 400 * MS));
    ready.set_kernel_share(500_000);
    let first = admission.admit(id, 0, &ready).expect("412 of 460 ms");
    assert!(first.booked_ns().is_some());
    assert!(admission.admit(id, 0, &ready).is_err());
    ready.set_kernel_share(1_000_000);
    let never_none = ready.supply_ns(SHARED, 0, 1_000 * MS, 940_000);
    assert_eq!(never_none, 360 * MS);
    ready.set_kernel_share(10_000);
    let second = admission.admit(id, 0, &ready).expect("824 of 940 ms");
    admission.give_back(first, Measured::Nothing);
    admission.give_back(second, Measured::Nothing);
}

#[test]
fn a_route_that_never_fits_by_its_estimate_may_try_one_at_a_time_without_a_promise() {
    let (mut admission, ready, id) = simple(|tenant| route(tenant, 10 * MS, 20 * MS));
    let first = admission.admit(id, 0, &ready).expect("it may try");
    assert_eq!(first.booked_ns(), None);
    assert!(admission.admit(id, 0, &ready).is_err());
    admission.give_back(first, Measured::Took(MS));
    for _ in 0..7 {
        let again = admission.admit(id, 0, &ready).expect("it may try");
        admission.give_back(again, Measured::Took(MS));
    }
    let known = admission.admit(id, 0, &ready).expect("it fits");
    assert!(
        known
            .booked_ns()
            .is_some_and(|ns| ns > MS && ns < MS + MS / 10)
    );
    admission.give_back(known, Measured::Nothing);
}

#[test]
fn a_client_that_left_says_nothing_about_how_long_its_request_takes() {
    let (mut admission, ready, id) = simple(|tenant| RouteTerms {
        given_estimate_ns: None,
        ..route(tenant, 40 * MS, 0)
    });
    let first_ns = admission.estimate_ns(id);
    assert!(first_ns < MS, "little is booked at first");
    let ticket = admission.admit(id, 0, &ready).expect("it fits");
    admission.give_back(ticket, Measured::Nothing);
    let ticket = admission.admit(id, 0, &ready).expect("it fits");
    admission.give_back(ticket, Measured::AtLeast(first_ns / 2));
    assert_eq!(admission.estimate_ns(id), first_ns);
    for _ in 0..2 {
        let ticket = admission.admit(id, 0, &ready).expect("it fits");
        admission.give_back(ticket, Measured::Took(2 * MS));
    }
    assert_eq!(admission.estimate_ns(id), 2 * MS);
}

#[test]
fn what_happens_to_a_routes_requests_is_counted_for_that_route() {
    let mut admission = Admission::new(true);
    let tenant = admission.add_tenant(tenant(SHARED));
    let (id, other) = (
        admission.add_route(route(tenant, 10 * MS, 6 * MS)),
        admission.add_route(route(tenant, 10 * MS, 6 * MS)),
    );
    let ready = Ready::new(Settings::default());
    let ticket = admission.admit(id, 0, &ready).expect("it fits");
    assert!(admission.admit(id, 0, &ready).is_err());
    admission.missed(&ticket);
    admission.killed(&ticket);
    admission.preempted(&ticket, 3);
    admission.give_back(ticket, Measured::Nothing);
    let expected = Counts {
        admitted: 1,
        refused: 1,
        missed: 1,
        killed: 1,
        preempted: 3,
    };
    assert_eq!(admission.counts(id), expected);
    assert_eq!(admission.counts(other), Counts::default());
}

#[test]
fn without_the_test_of_demand_nothing_is_booked_and_nothing_refused_for_time() {
    let mut admission = Admission::new(false);
    let id = admission.add_tenant(tenant(SHARED));
    let id = admission.add_route(route(id, MS, MS));
    let ready = Ready::new(Settings::default());
    for _ in 0..100 {
        let ticket = admission.admit(id, 0, &ready).expect("there is no test");
        assert_eq!(ticket.booked_ns(), None);
        admission.give_back(ticket, Measured::Nothing);
    }
}

#[test]
#[should_panic(expected = "a ticket was dropped, not given back")]
fn a_ticket_cannot_be_dropped() {
    let (mut admission, ready, id) = simple(|tenant| route(tenant, 10 * MS, MS));
    drop(admission.admit(id, 0, &ready).expect("nothing is booked"));
}

#[test]
fn each_limit_refuses_by_its_own_name_and_counts_what_is_here() {
    let limited: [(TenantTerms, RouteTerms, Refusal); 5] = {
        let plain = tenant(SHARED);
        let id = Admission::new(false).add_tenant(plain);
        let route = route(id, MS, 0);
        [
            (
                plain,
                RouteTerms {
                    most_at_once: Some(2),
                    ..route
                },
                Refusal::RouteAtOnce(2),
            ),
            (
                plain,
                RouteTerms {
                    most_waiting: Some(2),
                    ..route
                },
                Refusal::RouteWaiting(2),
            ),
            (
                TenantTerms {
                    most_at_once: Some(2),
                    ..plain
                },
                route,
                Refusal::TenantAtOnce(2),
            ),
            (
                TenantTerms {
                    most_waiting: Some(2),
                    ..plain
                },
                route,
                Refusal::TenantWaiting(2),
            ),
            (
                TenantTerms {
                    most_memory: Some(2),
                    ..plain
                },
                route,
                Refusal::TenantMemory(2),
            ),
        ]
    };
    let ready = Ready::new(Settings::default());
    for (tenant, route, expected) in limited {
        let mut admission = Admission::new(false);
        admission.add_tenant(tenant);
        let id = admission.add_route(route);
        let mut first = admission.admit(id, 0, &ready).expect("one of two");
        let second = admission.admit(id, 0, &ready).expect("two of two");
        assert_eq!(admission.admit(id, 0, &ready).err(), Some(expected));
        let waits = matches!(
            expected,
            Refusal::RouteWaiting(_) | Refusal::TenantWaiting(_)
        );
        admission.begun(&mut first);
        admission.begun(&mut first);
        let third = admission.admit(id, 0, &ready).ok();
        assert_eq!(
            third.is_some(),
            waits,
            "{expected:?} after one of them has begun"
        );
        admission.give_back(first, Measured::Nothing);
        let fourth = admission.admit(id, 0, &ready).ok();
        for ticket in [Some(second), third, fourth].into_iter().flatten() {
            admission.give_back(ticket, Measured::Nothing);
        }
        assert_eq!(admission.out(), 0);
    }
}

#[test]
fn a_request_that_has_waited_has_what_is_left_of_its_deadline() {
    let (mut admission, ready, id) = simple(|tenant| route(tenant, 100 * MS, 40 * MS));
    let early = admission.admit_since(id, 0, 50 * MS, &ready).unwrap();
    assert!(early.booked_ns().is_some(), "41 of 47 ms");
    admission.give_back(early, Measured::Nothing);
    let refused = admission.admit_since(id, 0, 60 * MS, &ready).unwrap_err();
    assert!(matches!(refused, Refusal::NoTime { .. }), "{refused:?}");
    let late = admission.admit_since(id, 0, 200 * MS, &ready).unwrap_err();
    assert!(matches!(late, Refusal::NoTime { .. }), "{late:?}");
    assert!(admission.nothing_is_booked());
}

#[test]
fn a_short_wait_does_not_cost_a_tenant_a_period_of_its_reservation() {
    let mut ready = Ready::new(Settings::default());
    let mut admission = Admission::new(true);
    let mut add = || {
        let share = Reservation::new(9 * MS, 20 * MS).expect("neither is zero");
        let id = admission.add_tenant(tenant(ready.reserve_share(share)));
        admission.add_route(route(id, 20 * MS, 8 * MS))
    };
    let (first, second) = (add(), add());
    for id in [first, second] {
        let ticket = admission.admit_since(id, MS, MS + MS / 4, &ready).unwrap();
        assert!(ticket.booked_ns().is_some());
        admission.give_back(ticket, Measured::Nothing);
    }
    let late = admission.admit_since(first, MS, 2 * MS, &ready).unwrap();
    assert_eq!(late.booked_ns(), None, "it is let in without a promise");
    admission.give_back(late, Measured::Nothing);
}
