//! Load that changes: what becomes of requests that are not what was measured.
//!
//! *Goodput* is the part of the CPU's time that went to requests that were done.

mod simulated;
mod terms;

use luge_sched::{Reservation, RouteId, RouteTerms, TenantId};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

use simulated::{Arrival, ENDLESS, Fate, Simulation};
use terms::{MS, route};

const SECOND: u64 = 1_000 * MS;

/// A route by the defaults: nothing is known of it, and the 95th percentile counts.
fn unknown(tenant: TenantId, deadline_ns: u64) -> RouteTerms {
    RouteTerms {
        given_estimate_ns: None,
        percentile: 95,
        ..route(tenant, deadline_ns, 0)
    }
}

/// A machine with one route of a tenant without a reservation, for which so many requests of a size were done.
fn measured(deadline_ns: u64, size_ns: u64, times: usize) -> (Simulation, RouteId) {
    let mut machine = Simulation::new();
    let tenant = machine.add_tenant(None);
    let route = machine.add_route(unknown(tenant, deadline_ns));
    for _ in 0..times {
        let fates = burst(&mut machine, route, size_ns, 1);
        assert_eq!(
            fates,
            Fates {
                done: 1,
                ..Fates::default()
            }
        );
    }
    (machine, route)
}

/// Requests that come one every so often; which of the sizes each has is drawn.
fn stream(
    route: RouteId,
    (from_ns, until_ns): (u64, u64),
    every_ns: u64,
    sizes_ns: &[u64],
) -> Vec<Arrival> {
    let random = &mut ChaCha8Rng::seed_from_u64(every_ns);
    let moments = (from_ns..until_ns).step_by(every_ns as usize);
    let size_ns = |random: &mut ChaCha8Rng| sizes_ns[random.next_u64() as usize % sizes_ns.len()];
    moments
        .map(|at_ns| Arrival {
            at_ns,
            route,
            needs_ns: size_ns(random),
        })
        .collect()
}

/// A stream that asks for so many times the CPU's time from now on, for so long.
fn overload(
    machine: &Simulation,
    route: RouteId,
    sizes_ns: &[u64],
    times: u64,
    for_ns: u64,
) -> Vec<Arrival> {
    let from_ns = machine.now_ns();
    let mean_ns = sizes_ns.iter().sum::<u64>() / sizes_ns.len() as u64;
    stream(
        route,
        (from_ns, from_ns + for_ns),
        mean_ns / times,
        sizes_ns,
    )
}

/// So many requests at once.
fn burst(machine: &mut Simulation, route: RouteId, needs_ns: u64, count: usize) -> Fates {
    let at_ns = machine.now_ns();
    let arrival = Arrival {
        at_ns,
        route,
        needs_ns,
    };
    Fates::count(&machine.play(&vec![arrival; count]))
}

/// How many requests were done, refused, and ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fates {
    done: usize,
    refused: usize,
    ended: usize,
}

impl Fates {
    fn count(fates: &[Fate]) -> Self {
        fates.iter().fold(Self::default(), |mut sum, fate| {
            match fate {
                Fate::Done(_) => sum.done += 1,
                Fate::Refused => sum.refused += 1,
                Fate::Ended => sum.ended += 1,
            }
            sum
        })
    }

    const fn all_done(count: usize) -> Self {
        Self {
            done: count,
            refused: 0,
            ended: 0,
        }
    }
}

/// The goodput between two moments, in percent.
fn goodput(arrivals: &[Arrival], fates: &[Fate], (from_ns, until_ns): (u64, u64)) -> u64 {
    let done = arrivals.iter().zip(fates);
    let done = done.filter_map(|(arrival, fate)| match fate {
        Fate::Done(at_ns) if (from_ns..until_ns).contains(at_ns) => Some(arrival.needs_ns),
        _ => None,
    });
    100 * done.sum::<u64>() / (until_ns - from_ns)
}

/// The goodput in each whole second of the arrivals, in percent.
fn by_seconds(arrivals: &[Arrival], fates: &[Fate]) -> Vec<u64> {
    let first_ns = arrivals[0].at_ns;
    let last_ns = arrivals[arrivals.len() - 1].at_ns;
    let seconds = (first_ns..last_ns).step_by(SECOND as usize);
    seconds
        .map(|from_ns| goodput(arrivals, fates, (from_ns, from_ns + SECOND)))
        .collect()
}

/// Three times as much as can be done, after requests of 2 ms; the last but two is twenty times as much.
#[test]
fn when_requests_become_longer_the_goodput_is_high_from_the_second_second_on() {
    for (old, new, times, deadline) in [
        (2, 50, 3, SECOND),
        (2, 50, 3, 10 * SECOND),
        (2, 4, 3, SECOND),
        (2, 20, 20, SECOND),
        (1, 30, 2, SECOND),
        (20, 40, 3, SECOND),
        (5, 8, 3, SECOND / 10),
        (50, 2, 3, SECOND),
    ] {
        let (mut machine, route) = measured(deadline, old * MS, 70);
        let arrivals = overload(&machine, route, &[new * MS], times, 5 * SECOND);
        let fates = machine.play(&arrivals);
        let (seconds, counts) = (by_seconds(&arrivals, &fates), Fates::count(&fates));
        let case = format!("{old} to {new} ms, {times} times: {seconds:?} %, {counts:?}");
        println!("{case}");
        assert!(seconds[1..].iter().all(|&percent| percent >= 80), "{case}");
        // Those that were let in before anything was known.
        assert!(counts.ended * 12 <= arrivals.len(), "{case}");
    }
}

/// What was let in before with short bookings keeps its promise, so that a second is lost, in the worst case two. The
/// first of the longer requests run after a second, since so much is booked before them.
#[test]
fn when_requests_become_longer_amid_an_overload_the_goodput_is_high_again_after_two_deadlines() {
    for (old, new) in [(2, 4), (2, 8), (20, 40), (2, 50)] {
        let (mut machine, route) = measured(SECOND, old * MS, 70);
        let mut arrivals = overload(&machine, route, &[old * MS], 3, 3 * SECOND);
        let from_ns = machine.now_ns() + 3 * SECOND;
        let longer = (from_ns, from_ns + 5 * SECOND);
        arrivals.extend(stream(route, longer, new * MS / 3, &[new * MS]));
        let fates = machine.play(&arrivals);
        let seconds = by_seconds(&arrivals, &fates);
        println!("{old} to {new} ms: {seconds:?} %");
        let mut steady = seconds[..3].iter().chain(&seconds[6..]);
        assert!(steady.all(|&percent| percent >= 80), "{seconds:?}");
    }
}

#[test]
fn a_route_with_requests_of_several_sizes_has_a_high_goodput_from_the_second_second_on() {
    for sizes in [
        &[2, 50][..],
        &[2, 2, 2, 2, 2, 2, 2, 50, 50, 50],
        &[2, 50, 50, 50, 50, 50, 50, 50, 50, 50],
        &[1, 10, 100],
    ] {
        let sizes: Vec<_> = sizes.iter().map(|ms| ms * MS).collect();
        for times_measured in [0, 70] {
            let (mut machine, route) = measured(SECOND, sizes[0], times_measured);
            let arrivals = overload(&machine, route, &sizes, 3, 6 * SECOND);
            let fates = machine.play(&arrivals);
            let (seconds, counts) = (by_seconds(&arrivals, &fates), Fates::count(&fates));
            println!("{sizes:?}: {seconds:?} %, {counts:?}");
            assert!(
                seconds[1..].iter().all(|&percent| percent >= 80),
                "{seconds:?}"
            );
        }
    }
}

/// 120 at once, or 60 with a deadline of a second.
#[test]
fn of_a_route_that_nothing_is_known_of_nothing_is_refused_that_can_be_done() {
    for (size, count, deadline) in [
        (MS, 120, 10 * SECOND),
        (MS, 60, SECOND),
        (3 * MS, 200, SECOND),
        (30 * MS, 20, SECOND),
        (450 * MS, 20, 10 * SECOND),
    ] {
        let (mut machine, route) = measured(deadline, 0, 0);
        let fates = burst(&mut machine, route, size, count);
        assert_eq!(fates, Fates::all_done(count), "{size} ns");
        let (mut machine, route) = measured(deadline, 0, 0);
        let arrivals = stream(route, (0, size * count as u64), size, &[size]);
        let fates = Fates::count(&machine.play(&arrivals));
        assert_eq!(fates, Fates::all_done(count), "{size} ns, in turn");
    }
}

#[test]
fn after_a_slow_request_no_burst_is_refused_that_can_be_done() {
    for fast in [0, 1, 2, 3, 5, 7, 20, 70] {
        let (mut machine, route) = measured(SECOND, MS, fast);
        burst(&mut machine, route, 460 * MS, 1);
        for _ in 0..4 {
            let fates = burst(&mut machine, route, MS, 20);
            assert_eq!(fates, Fates::all_done(20), "after {fast} fast ones");
        }
    }
}

#[test]
fn after_another_deployment_no_burst_is_refused_that_can_be_done() {
    let (mut machine, route) = measured(SECOND, 50 * MS, 70);
    for _ in 0..4 {
        machine.deploy(route);
        assert_eq!(machine.admission.estimate_ns(route), 50 * MS);
        let fates = burst(&mut machine, route, 50 * MS, 16);
        assert_eq!(fates, Fates::all_done(16));
    }
    // A program that is faster is soon known to be so.
    machine.deploy(route);
    burst(&mut machine, route, MS, 8);
    let fates = burst(&mut machine, route, MS, 200);
    assert_eq!(fates, Fates::all_done(200));
}

/// Nothing of the first one can be done, two at once can.
#[test]
fn bursts_that_cannot_be_done_become_ones_of_which_all_that_are_let_in_are_done() {
    let (mut machine, route) = measured(SECOND, 0, 0);
    let bursts: Vec<_> = (0..6)
        .map(|_| burst(&mut machine, route, 460 * MS, 20))
        .collect();
    println!("{bursts:?}");
    for fates in &bursts[3..] {
        assert!(fates.done >= 1 && fates.ended == 0, "{bursts:?}");
    }
}

/// Endless loops, beside requests that are as short as ever.
#[test]
fn endless_loops_do_not_close_their_route_to_others_nor_hold_them_up() {
    for (loops, shorts, deadline) in [
        (5, 50, 10 * SECOND),
        (5, 50, SECOND),
        (20, 100, 10 * SECOND),
        (1, 10, 10 * SECOND),
    ] {
        let (mut machine, route) = measured(deadline, 2 * MS, 70);
        let times = (machine.now_ns(), machine.now_ns() + 20 * SECOND);
        let mut arrivals = stream(route, times, SECOND / shorts, &[2 * MS]);
        let count = arrivals.len();
        arrivals.extend(stream(route, times, SECOND / loops, &[ENDLESS]));
        let fates = &machine.play(&arrivals)[..count];
        assert_eq!(Fates::count(fates), Fates::all_done(count), "{loops}");
        let took = arrivals
            .iter()
            .zip(fates)
            .map(|(arrival, fate)| match fate {
                Fate::Done(at_ns) => at_ns - arrival.at_ns,
                _ => 0,
            });
        let longest = took.max().expect("there are some");
        assert!(longest < 30 * MS, "{loops} loops: {longest} ns");
        // Two that are done suffice to know that they were loops.
        let first = burst(&mut machine, route, 2 * MS, 2);
        let second = burst(&mut machine, route, 2 * MS, 50);
        assert_eq!((first, second), (Fates::all_done(2), Fates::all_done(50)));
    }
}

/// Loops that are the rule on one route are refused there, and no other route suffers.
#[test]
fn a_route_of_endless_loops_takes_nothing_from_another() {
    let (mut machine, loops) = measured(10 * SECOND, 0, 0);
    let tenant = machine.add_tenant(None);
    let other = machine.add_route(unknown(tenant, SECOND));
    let times = (0, 20 * SECOND);
    let mut arrivals = stream(other, times, 10 * MS, &[2 * MS, 5 * MS]);
    let count = arrivals.len();
    arrivals.extend(stream(loops, times, SECOND / 50, &[ENDLESS]));
    let fates = machine.play(&arrivals);
    assert_eq!(Fates::count(&fates[..count]), Fates::all_done(count));
    let loops = Fates::count(&fates[count..]);
    assert!(loops.refused > loops.ended && loops.done == 0, "{loops:?}");
}

#[test]
fn a_reservation_keeps_its_promise_whatever_changes_beside_it() {
    let floods: [&[u64]; 5] = [&[50], &[2, 50], &[400], &[2, ENDLESS / MS], &[ENDLESS / MS]];
    for sizes in floods {
        let (mut machine, flood) = measured(SECOND, 2 * MS, 70);
        let share = Reservation::new(4 * MS, 10 * MS);
        let tenant = machine.add_tenant(share);
        let steady = machine.add_route(route(tenant, 20 * MS, 3 * MS));
        let times = (machine.now_ns(), machine.now_ns() + 5 * SECOND);
        let mut arrivals = stream(steady, times, 10 * MS, &[3 * MS]);
        let count = arrivals.len();
        let sizes: Vec<_> = sizes.iter().map(|ms| ms * MS).collect();
        arrivals.extend(stream(flood, times, 10 * MS, &sizes));
        let fates = machine.play(&arrivals);
        let kept = Fates::count(&fates[..count]);
        assert_eq!(kept, Fates::all_done(count), "{sizes:?}");
    }
}

/// The tenant's own requests change: what it loses is its own, and it learns as others do.
#[test]
fn a_reserved_route_whose_requests_become_longer_has_a_high_goodput_of_its_share() {
    let mut machine = Simulation::new();
    let share = Reservation::new(40 * MS, 100 * MS);
    let owner = machine.add_tenant(share);
    let reserved = machine.add_route(unknown(owner, SECOND));
    let other = machine.add_tenant(None);
    let other = machine.add_route(unknown(other, SECOND));
    (0..70).for_each(|_| {
        burst(&mut machine, reserved, 2 * MS, 1);
        burst(&mut machine, other, 5 * MS, 1);
    });
    let mut arrivals = overload(&machine, reserved, &[50 * MS], 3, 5 * SECOND);
    let count = arrivals.len();
    arrivals.extend(overload(&machine, other, &[5 * MS], 3, 5 * SECOND));
    let fates = machine.play(&arrivals);
    let seconds = by_seconds(&arrivals[..count], &fates[..count]);
    println!("{seconds:?} %, {:?}", Fates::count(&fates[..count]));
    assert!(
        seconds[1..].iter().all(|&percent| percent >= 30),
        "{seconds:?}"
    );
}
