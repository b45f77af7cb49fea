//! Whole schedules against a plain list that is searched anew at every step.

use std::collections::VecDeque;

use luge_sched::{Comeback, Policy, Ready, SHARED, Settings, Standing, TaskId};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

/// Sets of tasks in all, shared out among policies, with and without preemption.
const SETS: u64 = 100_000;
/// Later than every deadline of a set.
const UNPROMISED: u64 = 1_000;
/// By how much a missed deadline moves one back for which nothing was booked: later than all others.
const POSTPONED: u64 = 100_000_000;
/// By how much a step beyond its booking moves one back.
const AGING: u64 = 1_000;

/// A task of a set. Times are in steps.
#[derive(Clone, Copy, Debug)]
struct Job {
    arrives: u64,
    deadline: u64,
    /// For how many steps it has a promise, if it ever has one.
    booked: Option<u64>,
    needs: u64,
    /// After so many steps on the CPU it waits for so many.
    waits: (u64, u64),
    /// It is taken out, if it is ready then.
    leaves: u64,
    /// It has missed its deadline then, and goes on.
    misses: u64,
}

fn draw(random: &mut ChaCha8Rng, from: u64, to: u64) -> u64 {
    from + random.next_u64() % (to - from)
}

fn jobs(random: &mut ChaCha8Rng) -> Vec<Job> {
    let count = draw(random, 1, 9);
    let one = |random: &mut ChaCha8Rng| {
        let arrives = draw(random, 0, 20);
        Job {
            arrives,
            deadline: arrives + draw(random, 1, 30),
            booked: Some(draw(random, 1, 9)).filter(|_| draw(random, 0, 3) > 0),
            needs: draw(random, 1, 9),
            waits: (draw(random, 1, 12), draw(random, 1, 6)),
            leaves: draw(random, 0, 100),
            misses: draw(random, 0, 100),
        }
    };
    (0..count).map(|_| one(random)).collect()
}

/// A scheduler, told of events and asked who runs in the next step.
trait Scheduler {
    fn woken(&mut self, job: usize, now: u64);
    fn removed(&mut self, job: usize) -> bool;
    fn missed(&mut self, job: usize, now: u64);
    fn next(&mut self, now: u64) -> Option<usize>;
    /// The job that was chosen has run for a step; whether it still wants the CPU.
    fn ran(&mut self, job: usize, is_ready: bool, now: u64);
}

/// What is under test.
struct Real {
    ready: Ready,
    standings: Vec<Standing>,
}

impl Real {
    fn new(settings: Settings, jobs: &[Job]) -> Self {
        let standing = |(arrival, job): (u64, &Job)| {
            Standing::new(arrival, job.deadline, job.booked, job.needs)
        };
        Self {
            ready: Ready::new(settings),
            standings: (0..).zip(jobs).map(standing).collect(),
        }
    }

    fn insert(&mut self, job: usize, comeback: Comeback, now: u64) {
        let standing = &mut self.standings[job];
        self.ready
            .insert(TaskId(job as u64), SHARED, standing, comeback, now);
    }
}

impl Scheduler for Real {
    fn woken(&mut self, job: usize, now: u64) {
        self.insert(job, Comeback::Woken, now);
    }

    fn removed(&mut self, job: usize) -> bool {
        self.ready.remove(TaskId(job as u64), &self.standings[job])
    }

    fn missed(&mut self, job: usize, now: u64) {
        let standing = &mut self.standings[job];
        standing.miss();
        self.ready
            .requeue(TaskId(job as u64), SHARED, standing, now);
    }

    fn next(&mut self, now: u64) -> Option<usize> {
        self.ready.take_first(now).map(|task| task.0 as usize)
    }

    fn ran(&mut self, job: usize, is_ready: bool, now: u64) {
        self.standings[job].charge(1);
        self.ready.stopped(&self.standings[job], 1);
        if is_ready {
            self.insert(job, Comeback::Preempted, now);
        }
    }
}

/// The policies as simply as they can be said.
struct Oracle<'j> {
    settings: Settings,
    jobs: &'j [Job],
    /// In the order of turns.
    list: VecDeque<usize>,
    ran: Vec<u64>,
    /// Of these, steps without the promise that it had.
    over: Vec<u64>,
    /// When it was queued first without the promise that it had.
    since: Vec<Option<u64>>,
    missed: Vec<bool>,
    in_turn: u64,
    /// It ran in the last step and is still ready.
    running: Option<usize>,
}

impl<'j> Oracle<'j> {
    fn new(settings: Settings, jobs: &'j [Job]) -> Self {
        Self {
            settings,
            jobs,
            list: VecDeque::new(),
            ran: vec![0; jobs.len()],
            over: vec![0; jobs.len()],
            since: vec![None; jobs.len()],
            missed: vec![false; jobs.len()],
            in_turn: 0,
            running: None,
        }
    }

    /// Whether it has used up a promise, or missed its deadline with one.
    fn is_beyond(&self, job: usize) -> bool {
        let booked = self.jobs[job].booked;
        booked.is_some_and(|booked| self.missed[job] || self.ran[job] >= booked)
    }

    fn is_queued(&mut self, job: usize, now: u64) {
        if self.is_beyond(job) {
            self.since[job].get_or_insert(now);
        }
    }

    fn measure(&self, job: usize) -> u64 {
        let deadline = self.jobs[job].deadline;
        match self.settings.policy {
            // Who is beyond its booking comes after all that are not, the least so first.
            Policy::EarliestDeadline if self.is_beyond(job) => {
                let since = self.since[job].expect("it was queued");
                UNPROMISED + since + AGING * self.over[job]
            }
            Policy::EarliestDeadline if self.jobs[job].booked.is_some() => deadline,
            Policy::EarliestDeadline if self.missed[job] => UNPROMISED + POSTPONED + deadline,
            Policy::EarliestDeadline => UNPROMISED + deadline,
            Policy::ShortestJob => self.jobs[job].needs.saturating_sub(self.ran[job]),
            Policy::FirstIn | Policy::RoundRobin => 0,
        }
    }
}

impl Scheduler for Oracle<'_> {
    fn woken(&mut self, job: usize, now: u64) {
        self.is_queued(job, now);
        self.list.push_back(job);
    }

    fn removed(&mut self, job: usize) -> bool {
        let before = self.list.len();
        self.list.retain(|other| *other != job);
        if self.running == Some(job) {
            self.running = None;
            self.in_turn = 0;
        }
        self.list.len() < before
    }

    fn missed(&mut self, job: usize, now: u64) {
        self.missed[job] = true;
        let is_held = self.running == Some(job) && !self.settings.is_preemptive;
        if self.list.contains(&job) && !is_held {
            self.is_queued(job, now);
        }
    }

    fn next(&mut self, _: u64) -> Option<usize> {
        let chosen = match (self.running.take(), self.settings.policy) {
            (Some(running), _) if !self.settings.is_preemptive => running,
            (_, Policy::RoundRobin) => *self.list.front()?,
            _ => *self
                .list
                .iter()
                .min_by_key(|job| (self.measure(**job), **job))?,
        };
        self.list.retain(|other| *other != chosen);
        Some(chosen)
    }

    fn ran(&mut self, job: usize, is_ready: bool, now: u64) {
        self.over[job] += u64::from(self.is_beyond(job));
        self.ran[job] += 1;
        self.in_turn += 1;
        if !is_ready {
            self.in_turn = 0;
            return;
        }
        self.running = Some(job);
        if self.settings.is_preemptive {
            self.is_queued(job, now);
        }
        let turn_is_over = self.in_turn >= self.settings.quantum_ns;
        if turn_is_over && self.settings.is_preemptive {
            self.in_turn = 0;
            self.list.push_back(job);
        } else {
            self.list.push_front(job);
        }
    }
}

/// Who ran in each step, until all are done or have left.
fn schedule(scheduler: &mut dyn Scheduler, jobs: &[Job]) -> Vec<Option<usize>> {
    let mut wakes: Vec<u64> = jobs.iter().map(|job| job.arrives).collect();
    let mut ran = vec![0; jobs.len()];
    let mut steps = Vec::new();
    for now in 0..200 {
        for (job, wake) in wakes.iter().enumerate() {
            if *wake == now {
                scheduler.woken(job, now);
            }
        }
        for (job, told) in jobs.iter().enumerate() {
            if told.leaves == now && scheduler.removed(job) {
                wakes[job] = u64::MAX;
            }
            if told.misses == now {
                scheduler.missed(job, now);
            }
        }
        let chosen = scheduler.next(now);
        steps.push(chosen);
        let Some(job) = chosen else { continue };
        ran[job] += 1;
        let (after, pause) = jobs[job].waits;
        let is_done = ran[job] == jobs[job].needs;
        let waits = !is_done && ran[job] == after;
        if waits {
            wakes[job] = now + 1 + pause;
        }
        scheduler.ran(job, !is_done && !waits, now + 1);
    }
    steps
}

#[test]
fn every_policy_makes_the_schedules_of_a_plain_list() {
    for seed in 0..SETS {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let settings = Settings {
            policy: Policy::ALL[(seed % 4) as usize],
            is_preemptive: seed / 4 % 2 == 0,
            quantum_ns: draw(&mut random, 1, 5),
        };
        let jobs = jobs(&mut random);
        let real = schedule(&mut Real::new(settings, &jobs), &jobs);
        let oracle = schedule(&mut Oracle::new(settings, &jobs), &jobs);
        assert_eq!(real, oracle, "seed {seed}: {settings:?}, {jobs:?}");
    }
}
