//! What is ready to run, and who of it comes first.
//!
//! There is a group for each tenant with a reservation and one, [`SHARED`], for everybody else. A group
//! is a [`Queue`] and, if something is reserved, a [`Server`]. Who runs next is found in two steps: the
//! group whose first task ranks first, and that task. Only the second grows with the number of tasks, and
//! it is O(log n); the first looks at each group, of which there are as many as tenants.
//!
//! The servers have a say under EDF only; under the other policies, which exist for comparison, all
//! tasks are as in one queue.

use alloc::vec::Vec;

use crate::part_of;
use crate::policy::{Policy, Settings};
use crate::queue::{Queue, TaskId};
use crate::server::{Reservation, Server};
use crate::standing::{Standing, UNPROMISED};

/// A group of tasks with a share of the CPU in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group(usize);

/// The group of those with no reservation of their own.
pub const SHARED: Group = Group(0);

/// How a task comes into the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comeback {
    /// It has just arrived, or what it waited for is there.
    Woken,
    /// The CPU was taken from it.
    Preempted,
}

/// All tasks that are ready.
pub struct Ready {
    settings: Settings,
    groups: Vec<Member>,
    /// The task that was preempted and has the CPU next whatever else is there: where nothing comes
    /// before what has begun.
    held: Option<(TaskId, Group)>,
    turns: u64,
}

struct Member {
    queue: Queue,
    server: Option<Server>,
    /// Whether a task of it has the CPU. It is not in the queue then, and the group is not idle.
    is_running: bool,
}

impl Ready {
    /// Nothing ready, and nothing reserved.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            groups: alloc::vec![Member::new(None)],
            held: None,
            turns: 0,
        }
    }

    /// Adds a group with a reservation.
    pub fn reserve_share(&mut self, reservation: Reservation) -> Group {
        self.groups.push(Member::new(Some(reservation)));
        Group(self.groups.len() - 1)
    }

    /// Makes room in every group for this many tasks.
    pub fn reserve_room(&mut self, tasks: usize) {
        for group in &mut self.groups {
            group.queue.reserve(tasks);
        }
    }

    /// How tasks are scheduled.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What all reservations together are of the CPU's time, in millionths.
    #[must_use]
    pub fn reserved_ppm(&self) -> u64 {
        self.servers()
            .map(|server| server.reservation().ppm())
            .sum()
    }

    /// Whether nothing is ready.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_none() && self.groups.iter().all(|group| group.queue.is_empty())
    }

    /// Queues a task.
    ///
    /// # Panics
    /// If the task is queued already.
    pub fn insert(
        &mut self,
        task: TaskId,
        group: Group,
        standing: &mut Standing,
        comeback: Comeback,
        now_ns: u64,
    ) {
        if comeback == Comeback::Preempted && !self.settings.is_preemptive {
            self.held = Some((task, group));
            return;
        }
        if comeback == Comeback::Woken || standing.turn_is_over(&self.settings) {
            self.turns += 1;
            standing.take_turn(self.turns);
        }
        let key = standing.key(self.settings.policy);
        let group = &mut self.groups[group.0];
        // A server is idle when none of its tasks is ready. One that was preempted has never left.
        if comeback == Comeback::Woken && group.is_idle() {
            group.wake(now_ns);
        }
        group.queue.insert(task, key, standing.arrival());
    }

    /// Takes the task that runs next out of the queue.
    pub fn take_first(&mut self, now_ns: u64) -> Option<TaskId> {
        if let Some((task, group)) = self.held.take() {
            self.groups[group.0].is_running = true;
            return Some(task);
        }
        let (_, first) = self
            .groups
            .iter_mut()
            .enumerate()
            .filter_map(|(index, group)| Some((group.rank(self.settings.policy, now_ns)?, index)))
            .min()?;
        let group = &mut self.groups[first];
        group.is_running = true;
        group.queue.take_first().map(|entry| entry.task)
    }

    /// Takes a task out of the queue, wherever it stands. Whether it was there.
    pub fn remove(&mut self, task: TaskId, group: Group) -> bool {
        if self.held.is_some_and(|(held, _)| held == task) {
            self.held = None;
            return true;
        }
        self.groups[group.0].queue.remove(task)
    }

    /// The running task of this group has stopped after `ran_ns` of CPU time.
    pub fn stopped(&mut self, group: Group, ran_ns: u64) {
        self.groups[group.0].is_running = false;
        self.charge(group, ran_ns);
    }

    /// Takes CPU time that was spent for a task of this group from what is reserved for it.
    pub fn charge(&mut self, group: Group, ran_ns: u64) {
        if let Some(server) = &mut self.groups[group.0].server {
            server.charge(ran_ns);
        }
    }

    /// How long the task that was taken last may run before the queue is looked at again, in
    /// nanoseconds of CPU time: without bound if no other is ready, or none can come before it.
    #[must_use]
    pub fn turn_ns(&self, standing: &Standing, group: Group) -> u64 {
        if !self.settings.is_preemptive || self.is_empty() {
            return u64::MAX;
        }
        let budget = match &self.groups[group.0].server {
            Some(server) if server.left_ns() > 0 => server.left_ns(),
            _ => u64::MAX,
        };
        let place = standing.place_holds_ns(&self.settings);
        self.settings.quantum_ns.min(budget).min(place)
    }

    /// When a throttled group with tasks gets its budget back, in nanoseconds since boot.
    #[must_use]
    pub fn next_replenishment_ns(&self) -> Option<u64> {
        self.groups
            .iter()
            .filter(|group| !group.queue.is_empty())
            .filter_map(|group| group.server.as_ref())
            .filter(|server| server.left_ns() == 0)
            .map(Server::deadline_ns)
            .min()
    }

    /// CPU time that tasks of this group are sure to have within the next `within_ns`, for all of them
    /// together, where `capacity_ppm` millionths of the CPU's time may be promised.
    #[must_use]
    pub fn supply_ns(&self, group: Group, now_ns: u64, within_ns: u64, capacity_ppm: u64) -> u64 {
        let group = &self.groups[group.0];
        let Some(mut server) = group.server else {
            let free = capacity_ppm.saturating_sub(self.reserved_ppm());
            return part_of(within_ns, free);
        };
        if group.is_idle() {
            server.wake(now_ns);
        } else {
            server.refresh(now_ns);
        }
        server.supply_ns(now_ns, within_ns)
    }

    fn servers(&self) -> impl Iterator<Item = &Server> {
        self.groups.iter().filter_map(|group| group.server.as_ref())
    }
}

impl Member {
    fn new(reservation: Option<Reservation>) -> Self {
        Self {
            queue: Queue::new(),
            server: reservation.map(Server::new),
            is_running: false,
        }
    }

    fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.is_running
    }

    fn wake(&mut self, now_ns: u64) {
        if let Some(server) = &mut self.server {
            server.wake(now_ns);
        }
    }

    /// The rank of its first task among those of all groups.
    fn rank(&mut self, policy: Policy, now_ns: u64) -> Option<u128> {
        let mut first = self.queue.first()?;
        if let Some(server) = &mut self.server
            && policy == Policy::EarliestDeadline
        {
            server.refresh(now_ns);
            first.key = match server.left_ns() {
                0 => first.key | UNPROMISED,
                _ => server.deadline_ns(),
            };
        }
        Some(first.rank())
    }
}
