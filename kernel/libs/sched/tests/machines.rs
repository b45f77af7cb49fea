//! Machines in which time passes: whatever comes, what is promised is kept, and every ticket comes back.

mod terms;

use luge_sched::{
    Admission, Comeback, Group, Measured, Ready, Reservation, RouteId, Settings, Standing, TaskId,
    Ticket,
};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

use terms::{MS, route, tenant};

fn draw(random: &mut ChaCha8Rng, from: u64, to: u64) -> u64 {
    from + random.next_u64() % (to - from)
}

/// A request in a machine that takes no time for anything but running.
struct Job {
    ticket: Option<Ticket>,
    group: Group,
    standing: Standing,
    deadline: u64,
    left: u64,
    keeps_estimate: bool,
}

struct Machine {
    admission: Admission,
    ready: Ready,
    now: u64,
    jobs: Vec<Job>,
    /// Promises that were kept, and that were not although the job took no more than its estimate.
    kept: u64,
    broken: Vec<usize>,
    refused: u64,
    recalled: u64,
}

impl Machine {
    fn arrive(&mut self, route: RouteId, deadline: u64, needs: u64, estimate: u64) {
        let Ok(ticket) = self.admission.admit(route, self.now, &self.ready) else {
            self.refused += 1;
            return;
        };
        for number in self.admission.recalled() {
            let index = self.jobs.iter().position(|job| {
                let ticket = job.ticket.as_ref();
                ticket.is_some_and(|ticket| ticket.number() == number)
            });
            let index = index.expect("it is not done");
            let job = &mut self.jobs[index];
            job.keeps_estimate = false;
            job.standing.miss();
            let task = TaskId(index as u64);
            self.ready
                .requeue(task, job.group, &mut job.standing, self.now);
            self.recalled += 1;
        }
        let deadline = self.now + deadline;
        let arrival = self.jobs.len() as u64;
        let mut standing = Standing::new(arrival, deadline, ticket.booked_ns(), estimate);
        let group = ticket.group();
        let id = TaskId(arrival);
        self.ready
            .insert(id, group, &mut standing, Comeback::Woken, self.now);
        let keeps_estimate = needs <= estimate && ticket.booked_ns().is_some();
        self.jobs.push(Job {
            ticket: Some(ticket),
            group,
            standing,
            deadline,
            left: needs,
            keeps_estimate,
        });
    }

    /// Runs until `until`, or through if everything is done before.
    fn run(&mut self, until: u64) {
        while self.now < until {
            let Some(task) = self.ready.take_first(self.now) else {
                self.now = until;
                return;
            };
            let index = task.0 as usize;
            let job = &mut self.jobs[index];
            let turn = self.ready.turn_ns(&job.standing);
            let replenished = self.ready.next_replenishment_ns().unwrap_or(u64::MAX);
            let until = until.min(replenished.max(self.now + 1));
            let ran = job.left.min(turn).min(until - self.now);
            self.now += ran;
            job.left -= ran;
            job.standing.charge(ran);
            self.ready.stopped(&job.standing, ran);
            let ticket = job.ticket.as_mut().expect("who is ready has its ticket");
            self.admission.charge(ticket, ran);
            if ticket.booked_ns().is_some()
                && !job.standing.is_booked()
                && let Some(more) = self.admission.extend(ticket, self.now, &self.ready)
            {
                job.standing.extend(more);
            }
            if job.left > 0 {
                let comeback = Comeback::Preempted;
                self.ready
                    .insert(task, job.group, &mut job.standing, comeback, self.now);
                continue;
            }
            self.done(index);
        }
    }

    fn done(&mut self, index: usize) {
        let job = &mut self.jobs[index];
        let ticket = job.ticket.take().expect("it was done once");
        self.admission.give_back(ticket, Measured::Nothing);
        if self.now > job.deadline && job.keeps_estimate {
            self.broken.push(index);
        } else {
            self.kept += 1;
        }
    }
}

/// A machine with some tenants with reservations, some without, and a route or two each.
fn machine(random: &mut ChaCha8Rng) -> (Machine, Vec<(RouteId, u64, u64)>) {
    let mut ready = Ready::new(Settings::default());
    let mut admission = Admission::new(true);
    let mut routes = Vec::new();
    let (reserved, plain) = (draw(random, 0, 4), draw(random, 1, 4));
    for number in 0..reserved + plain {
        let group = if number >= reserved {
            ready.share_equally()
        } else {
            let period = draw(random, 5, 50) * MS;
            let budget = period * draw(random, 5, 25) / 100;
            ready.reserve_share(Reservation::new(budget, period).expect("neither is zero"))
        };
        let id = admission.add_tenant(tenant(group));
        for _ in 0..draw(random, 1, 3) {
            let deadline = draw(random, 4, 200) * MS;
            let estimate = draw(random, 1, deadline / MS / 2) * MS;
            let terms = route(id, deadline, estimate);
            routes.push((admission.add_route(terms), deadline, estimate));
        }
    }
    let machine = Machine {
        admission,
        ready,
        now: 0,
        jobs: Vec::new(),
        kept: 0,
        broken: Vec::new(),
        refused: 0,
        recalled: 0,
    };
    (machine, routes)
}

#[test]
fn whatever_comes_no_promise_to_a_job_that_keeps_its_estimate_is_broken() {
    let (mut kept, mut refused, mut recalled) = (0, 0, 0);
    for seed in 0..3_000 {
        let random = &mut ChaCha8Rng::seed_from_u64(seed);
        let (mut machine, routes) = machine(random);
        let pause = draw(random, 1, 40) * MS;
        for _ in 0..60 {
            let (route, deadline, estimate) = routes[draw(random, 0, routes.len() as u64) as usize];
            // One in eight runs on and on.
            let needs = match draw(random, 0, 8) {
                0 => estimate * draw(random, 2, 9),
                _ => estimate - draw(random, 0, estimate / 2),
            };
            machine.arrive(route, deadline, needs, estimate);
            let until = machine.now + draw(random, 1, pause);
            machine.run(until);
        }
        machine.run(u64::MAX);
        let broken = &machine.broken;
        assert!(broken.is_empty(), "seed {seed}: jobs {broken:?} were late");
        assert_eq!(machine.admission.out(), 0);
        assert!(machine.admission.nothing_is_booked());
        kept += machine.kept;
        recalled += machine.recalled;
        refused += machine.refused;
    }
    assert!(
        kept > 50_000 && refused > 40_000 && recalled > 500,
        "{kept} kept, {refused} refused, {recalled} recalled"
    );
}

/// Two tenants, each with 40 % reserved; the first floods with work that never keeps its estimate.
#[test]
fn a_tenant_that_floods_cannot_make_another_miss() {
    for tests_demand in [true, false] {
        let mut ready = Ready::new(Settings::default());
        let mut admission = Admission::new(tests_demand);
        let mut add = |deadline, estimate| {
            let share = Reservation::new(4 * MS, 10 * MS).expect("neither is zero");
            let id = admission.add_tenant(tenant(ready.reserve_share(share)));
            admission.add_route(route(id, deadline, estimate))
        };
        let (flood, steady) = (add(20 * MS, MS), add(20 * MS, 3 * MS));
        let mut machine = Machine {
            admission,
            ready,
            now: 0,
            jobs: Vec::new(),
            kept: 0,
            broken: Vec::new(),
            refused: 0,
            recalled: 0,
        };
        let mut steady_jobs = Vec::new();
        for round in 0..200 {
            for _ in 0..8 {
                machine.arrive(flood, 20 * MS, 50 * MS, MS);
            }
            steady_jobs.push(machine.jobs.len());
            machine.arrive(steady, 20 * MS, 3 * MS, 3 * MS);
            assert_eq!(machine.jobs.len(), steady_jobs[round] + 1, "it is let in");
            let until = machine.now + 10 * MS;
            machine.run(until);
            let late = steady_jobs.iter().find(|index| {
                let job = &machine.jobs[**index];
                job.left > 0 && job.deadline < machine.now
            });
            assert_eq!(late, None, "round {round}, admission {tests_demand}");
        }
        // The flood is ended as the kernel would end it.
        for job in &mut machine.jobs {
            if let Some(ticket) = job.ticket.take() {
                machine.admission.give_back(ticket, Measured::Nothing);
            }
        }
    }
}
