//! The time that no promise wants: tenants share it equally, however much one of them asks for.

#[expect(dead_code, reason = "nothing is deployed here")]
mod simulated;
mod terms;

use luge_sched::{
    Comeback, Group, Ready, Reservation, RouteId, RouteTerms, Settings, Standing, TaskId, TenantId,
};

use simulated::{Arrival, ENDLESS, Fate, Simulation};
use terms::{MS, route};

/// The shortest turn of a task, as in the kernel.
const SHORTEST: u64 = 20_000;

/// Tasks that never end and have no promise, of these groups.
struct Endless {
    ready: Ready,
    tasks: Vec<(Group, Standing, u64)>,
    now: u64,
}

impl Endless {
    fn begin(&mut self, group: Group) {
        let number = self.tasks.len();
        let mut standing = Standing::new(number as u64, self.now + 1_000 * MS, None, 0);
        let task = TaskId(number as u64);
        self.ready
            .insert(task, group, &mut standing, Comeback::Woken, self.now);
        self.tasks.push((group, standing, 0));
    }

    fn run(&mut self, for_ns: u64) {
        let until = self.now + for_ns;
        while self.now < until {
            let Some(task) = self.ready.take_first(self.now) else {
                self.now = until;
                return;
            };
            let (group, standing, ran) = &mut self.tasks[task.0 as usize];
            let turn = self.ready.turn_ns(standing).max(SHORTEST);
            let turn = turn.min(until - self.now);
            self.now += turn;
            *ran += turn;
            standing.charge(turn);
            self.ready.stopped(standing, turn);
            self.ready
                .insert(task, *group, standing, Comeback::Preempted, self.now);
        }
    }

    /// What tasks of a group have had since this was asked last, in milliseconds.
    fn had(&mut self, group: Group) -> u64 {
        let of = self.tasks.iter_mut().filter(|(other, ..)| *other == group);
        of.map(|(.., ran)| std::mem::take(ran)).sum::<u64>() / MS
    }
}

fn endless(ready: Ready) -> Endless {
    Endless {
        ready,
        tasks: Vec::new(),
        now: 0,
    }
}

#[test]
fn of_the_time_that_no_promise_wants_tenants_have_equal_parts_however_many_tasks_they_have() {
    let mut ready = Ready::new(Settings::default());
    let [greedy, modest] = [(); 2].map(|()| ready.share_equally());
    let mut machine = endless(ready);
    for _ in 0..20 {
        machine.begin(greedy);
    }
    machine.begin(modest);
    machine.run(1_000 * MS);
    let had = (machine.had(greedy), machine.had(modest));
    assert!((498..=502).contains(&had.1), "{had:?}");
}

#[test]
fn who_has_wanted_nothing_for_long_has_saved_nothing_up() {
    let mut ready = Ready::new(Settings::default());
    let [busy, late] = [(); 2].map(|()| ready.share_equally());
    let mut machine = endless(ready);
    machine.begin(busy);
    machine.run(5_000 * MS);
    machine.begin(late);
    machine.had(busy);
    machine.run(1_000 * MS);
    let had = (machine.had(busy), machine.had(late));
    assert!((497..=503).contains(&had.1), "{had:?}");
}

#[test]
fn a_tenant_beyond_its_reservation_has_an_equal_part_of_what_is_left() {
    let mut ready = Ready::new(Settings::default());
    let share = Reservation::new(4 * MS, 10 * MS).expect("neither is zero");
    let [reserved, plain] = [ready.reserve_share(share), ready.share_equally()];
    let mut machine = endless(ready);
    machine.begin(reserved);
    machine.begin(plain);
    machine.run(1_000 * MS);
    let had = (machine.had(reserved), machine.had(plain));
    assert!((300 - 15..=300 + 15).contains(&had.1), "{had:?}");
}

/// A flood of booked work takes all that may be promised, and what is left.
#[test]
fn of_the_little_that_is_set_aside_each_tenant_has_an_equal_part() {
    let mut ready = Ready::new(Settings::default());
    let groups = [(); 4].map(|()| ready.share_equally());
    let mut machine = endless(ready);
    for _ in 0..20 {
        machine.begin(groups[0]);
    }
    for group in &groups[1..] {
        machine.begin(*group);
    }
    let long = 100_000 * MS;
    let mut booked = Standing::new(99, long, Some(long), long);
    let (ready, number) = (&mut machine.ready, machine.tasks.len());
    let task = TaskId(number as u64);
    ready.insert(task, groups[0], &mut booked, Comeback::Woken, 0);
    machine.tasks.push((groups[0], booked, 0));
    machine.run(10_000 * MS);
    for group in &groups[1..] {
        assert_eq!(machine.had(*group), 50, "100 us in 20 ms");
    }
}

/// Nothing is known of the route.
fn unknown(tenant: TenantId) -> RouteTerms {
    RouteTerms {
        given_estimate_ns: None,
        percentile: 95,
        ..route(tenant, 2_500 * MS, 1)
    }
}

fn every(period_ns: u64, route: RouteId, needs_ns: u64) -> impl Iterator<Item = Arrival> {
    let at = (0..).map(move |number| number * period_ns);
    at.take_while(|at_ns| *at_ns < 4_000 * MS)
        .map(move |at_ns| Arrival {
            at_ns,
            route,
            needs_ns,
        })
}

#[test]
fn twelve_endless_loops_a_second_leave_another_tenants_work_the_time_that_it_needs() {
    let mut machine = Simulation::new();
    let [hog, other] = [(); 2].map(|()| machine.add_tenant(None));
    let [loops, work] = [hog, other].map(|tenant| machine.add_route(unknown(tenant)));
    let mut arrivals: Vec<_> = every(1_000 * MS / 12, loops, ENDLESS).collect();
    let first = arrivals.len();
    arrivals.extend(every(500 * MS, work, 200 * MS).skip(1));
    let fates = machine.play(&arrivals);
    let took = |(arrival, fate): (&Arrival, &Fate)| match fate {
        Fate::Done(at_ns) => (at_ns - arrival.at_ns) / MS,
        _ => panic!("{fate:?}"),
    };
    let mut took: Vec<_> = arrivals.iter().zip(&fates).skip(first).map(took).collect();
    took.sort_unstable();
    assert!(took[took.len() / 2] < 230, "{took:?} ms");
}

/// A machine with two tenants without reservations, and a route of each: one that takes 30 ms.
fn two_tenants() -> (Simulation, [RouteId; 2]) {
    let mut machine = Simulation::new();
    let routes = [(); 2].map(|()| {
        let tenant = machine.add_tenant(None);
        machine.add_route(route(tenant, 1_000 * MS, 30 * MS))
    });
    (machine, routes)
}

fn done_in_time(fates: &[Fate]) -> usize {
    let done = |fate: &&Fate| matches!(fate, Fate::Done(_));
    fates.iter().filter(done).count()
}

/// It asks for three times what there is, the other for four tenths, and less than its half.
#[test]
fn all_of_a_tenants_work_within_its_share_is_done_beside_a_flood_of_anothers() {
    let (mut machine, [flood, steady]) = two_tenants();
    let mut arrivals: Vec<_> = every(10 * MS, flood, 30 * MS).collect();
    let first = arrivals.len();
    arrivals.extend(every(75 * MS, steady, 30 * MS));
    let fates = machine.play(&arrivals);
    let (of_flood, of_steady) = fates.split_at(first);
    assert_eq!(done_in_time(of_steady), of_steady.len());
    let done = done_in_time(of_flood) + done_in_time(of_steady);
    assert!(
        done * 30 >= 4_000 * 85 / 100,
        "{done} of 133 that there is time for"
    );
}

#[test]
fn a_tenant_alone_has_all_that_can_be_promised() {
    let (mut machine, [busy, _]) = two_tenants();
    let arrivals: Vec<_> = every(33 * MS, busy, 30 * MS).collect();
    let fates = machine.play(&arrivals);
    assert_eq!(done_in_time(&fates), arrivals.len());
}

/// Once what was booked before the other came is done.
#[test]
fn two_floods_have_equal_parts_however_large_they_are() {
    let (mut machine, [larger, smaller]) = two_tenants();
    let mut arrivals: Vec<_> = every(5 * MS, larger, 30 * MS).collect();
    let first = arrivals.len();
    arrivals.extend(every(20 * MS, smaller, 30 * MS));
    let fates = machine.play(&arrivals);
    let (of_larger, of_smaller) = fates.split_at(first);
    let settled = |fates: &[Fate]| {
        let at =
            |fate: &&Fate| matches!(fate, Fate::Done(at) if (1_500 * MS..4_000 * MS).contains(at));
        fates.iter().filter(at).count()
    };
    let done = (settled(of_larger), settled(of_smaller));
    assert!(done.1 * 100 >= (done.0 + done.1) * 45, "{done:?}");
}
