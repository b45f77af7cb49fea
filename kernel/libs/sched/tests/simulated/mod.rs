//! A machine in which time passes: requests arrive, run in the order that the scheduler says, and are ended at
//! their deadlines, as the kernel does it. Nothing but running takes time.

use std::collections::BTreeSet;

use luge_sched::{
    Admission, Comeback, Group, Measured, Ready, Reservation, RouteId, RouteTerms, Settings,
    Standing, TaskId, TenantId, Ticket,
};

use crate::terms::tenant;

/// A request that never ends by itself.
pub const ENDLESS: u64 = u64::MAX / 4;

/// A request to come.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When it comes, in nanoseconds.
    pub at_ns: u64,
    /// What it is for.
    pub route: RouteId,
    /// CPU time that it takes, in nanoseconds.
    pub needs_ns: u64,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was not let in (429).
    Refused,
    /// It was done, at this time (200).
    Done(u64),
    /// It was ended at its deadline (504).
    Ended,
}

/// The machine.
pub struct Simulation {
    /// Who is let in.
    pub admission: Admission,
    ready: Ready,
    now_ns: u64,
    jobs: Vec<Job>,
    /// The deadlines of those that are not done.
    ends: BTreeSet<(u64, usize)>,
    routes: Vec<RouteTerms>,
}

struct Job {
    ticket: Option<Ticket>,
    group: Group,
    standing: Standing,
    deadline_ns: u64,
    left_ns: u64,
    fate: Fate,
}

impl Simulation {
    /// A machine without tenants.
    pub fn new() -> Self {
        Self {
            admission: Admission::new(true),
            ready: Ready::new(Settings::default()),
            now_ns: 0,
            jobs: Vec::new(),
            ends: BTreeSet::new(),
            routes: Vec::new(),
        }
    }

    /// Adds a tenant with this reservation, or none.
    pub fn add_tenant(&mut self, reservation: Option<Reservation>) -> TenantId {
        let group = match reservation {
            Some(share) => self.ready.reserve_share(share),
            None => self.ready.share_equally(),
        };
        self.admission.add_tenant(tenant(group))
    }

    /// Adds a route.
    pub fn add_route(&mut self, terms: RouteTerms) -> RouteId {
        self.routes.push(terms);
        self.admission.add_route(terms)
    }

    /// Another program answers for the route from now on.
    pub fn deploy(&mut self, route: RouteId) {
        let terms = self.routes[route.index()];
        self.admission.change_route(route, terms);
    }

    /// What time it is, in nanoseconds.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Lets these come, and time pass until all of them have ended. Their fates, in the same order; times that
    /// are past are now.
    pub fn play(&mut self, arrivals: &[Arrival]) -> Vec<Fate> {
        let mut order: Vec<_> = (0..arrivals.len()).collect();
        order.sort_by_key(|&index| arrivals[index].at_ns);
        let mut jobs = vec![None; arrivals.len()];
        for index in order {
            self.run_until(arrivals[index].at_ns);
            jobs[index] = self.arrive(&arrivals[index]);
        }
        while let Some(&(end_ns, _)) = self.ends.first() {
            self.run_until(end_ns);
        }
        assert!(self.admission.out() == 0 && self.admission.nothing_is_booked());
        let fate = |job: Option<usize>| job.map_or(Fate::Refused, |index| self.jobs[index].fate);
        jobs.into_iter().map(fate).collect()
    }

    fn arrive(&mut self, arrival: &Arrival) -> Option<usize> {
        let route = arrival.route;
        let ticket = self.admission.admit(route, self.now_ns, &self.ready).ok()?;
        self.recall();
        let index = self.jobs.len();
        let deadline_ns = self.now_ns + self.routes[route.index()].relative_deadline_ns;
        let (group, booked_ns) = (ticket.group(), ticket.booked_ns());
        let estimate_ns = ticket.estimate_ns();
        let mut standing = Standing::new(index as u64, deadline_ns, booked_ns, estimate_ns);
        let task = TaskId(index as u64);
        self.ready
            .insert(task, group, &mut standing, Comeback::Woken, self.now_ns);
        self.ends.insert((deadline_ns, index));
        self.jobs.push(Job {
            ticket: Some(ticket),
            group,
            standing,
            deadline_ns,
            left_ns: arrival.needs_ns,
            fate: Fate::Ended,
        });
        Some(index)
    }

    /// Those that have lost their bookings fall behind.
    fn recall(&mut self) {
        for number in self.admission.recalled() {
            let index = self.jobs.iter().position(|job| {
                let ticket = job.ticket.as_ref();
                ticket.is_some_and(|ticket| ticket.number() == number)
            });
            let index = index.expect("it is not over");
            let job = &mut self.jobs[index];
            job.standing.miss();
            let task = TaskId(index as u64);
            self.ready
                .requeue(task, job.group, &mut job.standing, self.now_ns);
        }
    }

    fn run_until(&mut self, until_ns: u64) {
        while self.now_ns < until_ns {
            self.end_late();
            let next_end = self.ends.first().map_or(u64::MAX, |&(end_ns, _)| end_ns);
            let due_ns = until_ns.min(next_end);
            match self.ready.take_first(self.now_ns) {
                Some(task) => self.run(task.0 as usize, due_ns),
                None => self.now_ns = due_ns,
            }
        }
        self.end_late();
    }

    fn run(&mut self, index: usize, due_ns: u64) {
        let job = &mut self.jobs[index];
        let turn_ns = self.ready.turn_ns(&job.standing);
        let replenished_ns = self.ready.next_replenishment_ns().unwrap_or(u64::MAX);
        let due_ns = due_ns.min(replenished_ns.max(self.now_ns + 1));
        let ran_ns = job.left_ns.min(turn_ns).min(due_ns - self.now_ns);
        self.now_ns += ran_ns;
        job.left_ns -= ran_ns;
        let was_booked = job.standing.is_booked();
        job.standing.charge(ran_ns);
        self.ready.stopped(&job.standing, ran_ns);
        let ticket = job.ticket.as_mut().expect("who is ready has its ticket");
        self.admission.begun(ticket);
        self.admission.charge(ticket, ran_ns);
        if was_booked
            && !job.standing.is_booked()
            && let Some(more_ns) = self.admission.extend(ticket, self.now_ns, &self.ready)
        {
            job.standing.extend(more_ns);
        }
        if job.left_ns == 0 {
            job.fate = Fate::Done(self.now_ns);
            let took = Measured::Took(job.standing.ran_ns());
            self.over(index, took);
            return;
        }
        let (task, comeback) = (TaskId(index as u64), Comeback::Preempted);
        self.ready
            .insert(task, job.group, &mut job.standing, comeback, self.now_ns);
    }

    /// Ends all whose deadline has come.
    fn end_late(&mut self) {
        while let Some(&(end_ns, index)) = self.ends.first()
            && end_ns <= self.now_ns
        {
            let job = &mut self.jobs[index];
            let task = TaskId(index as u64);
            assert!(self.ready.remove(task, &job.standing), "it is queued");
            let ticket = job.ticket.as_ref().expect("it is not over");
            self.admission.missed(ticket);
            self.admission.killed(ticket);
            let ran = Measured::AtLeast(job.standing.ran_ns());
            self.over(index, ran);
        }
    }

    fn over(&mut self, index: usize, measured: Measured) {
        let job = &mut self.jobs[index];
        let ticket = job.ticket.take().expect("it was over once");
        self.admission.give_back(ticket, measured);
        self.ends.remove(&(job.deadline_ns, index));
    }
}
