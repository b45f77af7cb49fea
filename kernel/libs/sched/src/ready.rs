//! What is ready to run, and who of it comes first.
//!
//! There is a lane for each tenant with a reservation, and one for what is booked of everybody else. What these have
//! without a promise is queued by itself, in a lane for each tenant with a small reservation. A lane is a [`Queue`] and,
//! if something is reserved, a [`Server`]. Who runs next is found in two steps: the
//! lane whose first task ranks first, and that task. Only the second grows with the number of tasks, and
//! it is O(log n); the first looks at each lane, of which there are as many as tenants.
//!
//! The time that no promise wants is shared by the lanes that have tasks, equally: the one that has had least of it is next
//! (start-time fair queueing: Goyal, Vin and Cheng, SIGCOMM 1996). One that comes begins with as much as the one that is
//! next has had, so that nobody saves up.
//!
//! The servers have a say under EDF only; under the other policies, which exist for comparison, all
//! tasks are as in one queue.

use alloc::vec::Vec;

use crate::policy::{Policy, Settings};
use crate::queue::{Place, Queue, Rank, TaskId};
use crate::server::{Reservation, Server};
use crate::standing::{Standing, UNPROMISED};
use crate::supply::{Free, Supply};
use crate::{KERNEL_PPM, MOST_KERNEL_PPM};

/// A queue with a share of the CPU, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lane(usize);

/// Where a tenant's tasks are queued: while they have a promise, and when they have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    booked: u32,
    unbooked: u32,
}

/// The group of the first tenant with no reservation of its own, and of the host's own work.
pub const SHARED: Group = Group {
    booked: 0,
    unbooked: 1,
};
/// What those without a reservation have of the CPU in any case, and how often, in nanoseconds: otherwise a request that
/// runs a little over its booking would wait for as long as there is promised work.
const REST_BUDGET_NS: u64 = 100_000;
const REST_PERIOD_NS: u64 = 5_000_000;

/// Where there are no more lanes than those of [`SHARED`], nobody shares with anybody.
const FEWEST_LANES: usize = 2;

/// For how long a task beyond its booking keeps the time that nobody was promised before the next has it: until it has
/// had so much beyond its booking, in nanoseconds, or so many times what it had at first, if that is more. If they all
/// shared it, all that need the same would be done at the end, which may be past their deadlines.
const TENURE_NS: u64 = 100_000_000;
const TENURE_GROWTH: u64 = 4;

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
    lanes: Vec<Member>,
    /// The task that was preempted and has the CPU next whatever else is there: where nothing comes
    /// before what has begun.
    held: Option<TaskId>,
    /// How many are queued, in all groups.
    queued: usize,
    turns: u64,
    /// Whether [`SHARED`] is a tenant's.
    is_first_taken: bool,
    /// What servers of tenants are together of the time, in millionths.
    reserved_ppm: u64,
    /// What the lane had had of the time that no promise wants which has it now, or had it last, see [`Member::had`].
    least_had: u64,
    /// By how much the kernel's own work exceeds what is set aside for it, in millionths of the time.
    kernel_excess_ppm: u64,
}

struct Member {
    queue: Queue,
    /// The task beyond its booking that has the time which nobody was promised.
    holder: Option<Tenure>,
    server: Option<Server>,
    /// CPU time that it has had without a promise, in nanoseconds, as a key for tasks without one.
    had: u64,
    /// Whether it is for those only that have no promise.
    is_rest: bool,
    /// Whether a task of it has the CPU. It is not in the queue then, and the lane is not idle.
    is_running: bool,
}

/// A task that has the time which nobody was promised, for a while.
#[derive(Clone, Copy)]
struct Tenure {
    task: TaskId,
    place: Place,
    /// Until it has had so much beyond its booking, in nanoseconds.
    until_ns: u64,
}

impl Ready {
    /// Nothing ready, and nothing reserved.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            lanes: alloc::vec![Member::new(None), Member::rest(1)],
            held: None,
            queued: 0,
            turns: 0,
            is_first_taken: false,
            reserved_ppm: 0,
            least_had: UNPROMISED,
            kernel_excess_ppm: 0,
        }
    }

    /// Adds a tenant with a reservation.
    pub fn reserve_share(&mut self, reservation: Reservation) -> Group {
        self.reserved_ppm += reservation.ppm();
        self.add_lane(Member::new(Some(reservation)))
    }

    /// Adds a tenant without one. To be called before there are tasks.
    pub fn share_equally(&mut self) -> Group {
        if !core::mem::replace(&mut self.is_first_taken, true) {
            return SHARED;
        }
        let group = self.add_lane(Member::rest(1));
        let rest = |lane: &&mut Member| lane.is_rest;
        let count = self.lanes.iter().filter(|lane| lane.is_rest).count() as u64;
        for lane in self.lanes.iter_mut().filter(rest) {
            *lane = Member::rest(count);
        }
        Group {
            booked: SHARED.booked,
            ..group
        }
    }

    fn add_lane(&mut self, member: Member) -> Group {
        let lane = self.lanes.len() as u32;
        self.lanes.push(member);
        Group {
            booked: lane,
            unbooked: lane,
        }
    }

    /// Makes room in every lane for this many tasks.
    pub fn reserve_room(&mut self, tasks: usize) {
        for lane in &mut self.lanes {
            lane.queue.reserve(tasks);
        }
    }

    /// How tasks are scheduled.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What all reservations of tenants together are of the CPU's time, in millionths.
    #[must_use]
    pub const fn reserved_ppm(&self) -> u64 {
        self.reserved_ppm
    }

    /// The kernel's own work took this part of the time of late, in millionths: what it takes cannot be
    /// promised to others.
    pub const fn set_kernel_share(&mut self, ppm: u64) {
        let ppm = if ppm < MOST_KERNEL_PPM {
            ppm
        } else {
            MOST_KERNEL_PPM
        };
        self.kernel_excess_ppm = ppm.saturating_sub(KERNEL_PPM);
    }

    /// Whether nothing is ready.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.held.is_none() && self.queued == 0
    }

    /// Queues a task of this group that is not queued.
    pub fn insert(
        &mut self,
        task: TaskId,
        group: Group,
        standing: &mut Standing,
        comeback: Comeback,
        now_ns: u64,
    ) {
        if comeback == Comeback::Preempted && !self.settings.is_preemptive {
            self.held = Some(task);
            return;
        }
        self.enqueue(task, group, standing, comeback, now_ns);
    }

    /// Queues a task anew whose standing has changed while it was queued. Nothing happens to one that is
    /// not in a queue: it waits, or has begun and has the CPU next whatever its standing is.
    pub fn requeue(&mut self, task: TaskId, group: Group, standing: &mut Standing, now_ns: u64) {
        if self.held != Some(task) && self.remove(task, standing) {
            self.enqueue(task, group, standing, Comeback::Preempted, now_ns);
        }
    }

    fn enqueue(
        &mut self,
        task: TaskId,
        group: Group,
        standing: &mut Standing,
        comeback: Comeback,
        now_ns: u64,
    ) {
        let by_deadline = self.settings.policy == Policy::EarliestDeadline;
        let has_no_promise = !standing.is_booked() && by_deadline;
        let lane = Lane(if has_no_promise {
            group.unbooked
        } else {
            group.booked
        } as usize);
        // One that was preempted has never left, and a server with a task is not idle.
        let comes = comeback == Comeback::Woken || standing.lane != lane;
        standing.lane = lane;
        if comeback == Comeback::Woken || standing.turn_is_over(&self.settings) {
            self.turns += 1;
            standing.take_turn(self.turns);
        }
        let key = standing.key(self.settings.policy, now_ns);
        let lane = &mut self.lanes[lane.0];
        if comes && lane.is_idle() {
            lane.wake(now_ns, self.least_had);
        }
        self.queued += 1;
        standing.place = lane.queue.insert(task, key, standing.arrival());
        if by_deadline
            && comeback == Comeback::Preempted
            && let Some(over_ns) = standing.over_ns()
        {
            lane.keep(task, standing.place, over_ns);
        }
    }

    /// Takes the task that runs next out of the queue.
    pub fn take_first(&mut self, now_ns: u64) -> Option<TaskId> {
        if self.held.is_some() {
            return self.held.take();
        }
        let by_deadline = self.settings.policy == Policy::EarliestDeadline;
        let (mut first, mut its) = (Rank::NOBODY, None);
        for lane in &mut self.lanes {
            let rank = lane.rank(by_deadline, now_ns);
            if rank < first {
                (first, its) = (rank, Some(lane));
            }
        }
        let lane = its?;
        let task = lane.take(first)?;
        lane.is_running = true;
        self.queued -= 1;
        Some(task)
    }

    /// Takes a task out of the queue, wherever it stands. Whether it was there.
    pub fn remove(&mut self, task: TaskId, standing: &Standing) -> bool {
        if self.held == Some(task) {
            self.held = None;
            return true;
        }
        let queue = &mut self.lanes[standing.lane.0].queue;
        let was_there = queue.remove(task, standing.place);
        self.queued -= usize::from(was_there);
        was_there
    }

    /// The running task has stopped after `ran_ns` of CPU time. Nothing follows from it for one that
    /// [shares](Standing::shares).
    pub fn stopped(&mut self, standing: &Standing, ran_ns: u64) {
        let lane = &mut self.lanes[standing.lane.0];
        lane.is_running = false;
        let unpromised_ns = lane.charge(ran_ns);
        if unpromised_ns > 0 && self.lanes.len() > FEWEST_LANES {
            self.count(standing.lane, unpromised_ns);
        }
    }

    /// Takes CPU time that was spent for a task from what is reserved for it. Nothing follows from it for
    /// one that [shares](Standing::shares).
    pub fn charge(&mut self, standing: &Standing, ran_ns: u64) {
        let unpromised_ns = self.lanes[standing.lane.0].charge(ran_ns);
        if unpromised_ns > 0 && self.lanes.len() > FEWEST_LANES {
            self.count(standing.lane, unpromised_ns);
        }
    }

    /// A lane has had so much of the time that no promise wants. Where there is none that shares it, nobody counts.
    fn count(&mut self, lane: Lane, ran_ns: u64) {
        let lane = &mut self.lanes[lane.0];
        let before = lane.had;
        lane.had = before.saturating_add(ran_ns);
        // Who comes now begins where the lane is that is next. Alone, it had the CPU for as long as it wanted.
        let least_had = if self.queued == 0 { lane.had } else { before };
        self.least_had = self.least_had.max(least_had);
    }

    /// How long the task that was taken last may run before the queue is looked at again, in
    /// nanoseconds of CPU time: without bound if no other is ready, or none can come before it.
    #[must_use]
    pub fn turn_ns(&self, standing: &Standing) -> u64 {
        if !self.settings.is_preemptive || self.is_empty() {
            return u64::MAX;
        }
        let budget = match &self.lanes[standing.lane.0].server {
            Some(server) if server.left_ns() > 0 => server.left_ns(),
            _ => u64::MAX,
        };
        let place = standing.place_holds_ns(&self.settings);
        self.settings.quantum_ns.min(budget).min(place)
    }

    /// When a throttled lane with tasks gets its budget back, in nanoseconds since boot.
    #[must_use]
    pub fn next_replenishment_ns(&self) -> Option<u64> {
        self.lanes
            .iter()
            .filter(|lane| !lane.queue.is_empty())
            .filter_map(|lane| lane.server.as_ref())
            .filter(|server| server.left_ns() == 0)
            .map(Server::deadline_ns)
            .min()
    }

    /// CPU time that booked tasks of this group are sure to have within the next `within_ns`, for all of them
    /// together, where `capacity_ppm` millionths of the CPU's time may be promised.
    #[must_use]
    pub fn supply_ns(&self, group: Group, now_ns: u64, within_ns: u64, capacity_ppm: u64) -> u64 {
        let supply = self.supply(group.booked(), now_ns, capacity_ppm);
        supply.within_ns(within_ns)
    }

    /// The same for any time.
    pub(crate) fn supply(&self, lane: Lane, now_ns: u64, capacity_ppm: u64) -> Supply {
        match self.lanes[lane.0].server {
            Some(mut server) if self.lanes[lane.0].is_idle() => {
                server.wake(now_ns);
                Supply::Reserved { server, now_ns }
            }
            _ => self.supply_to_running(lane, now_ns, capacity_ppm),
        }
    }

    /// The same for a task of the lane that has just stopped and goes on: the lane is not idle without it.
    pub(crate) fn supply_to_running(&self, lane: Lane, now_ns: u64, capacity_ppm: u64) -> Supply {
        if let Some(mut server) = self.lanes[lane.0].server {
            server.refresh(now_ns);
            return Supply::Reserved { server, now_ns };
        }
        let taken = self.reserved_ppm + self.kernel_excess_ppm;
        let mut free = Free::new(capacity_ppm.saturating_sub(taken));
        for lane in self.lanes.iter().filter(|lane| !lane.is_idle()) {
            if let Some(mut server) = lane.server {
                server.refresh(now_ns);
                let within_ns = server.deadline_ns().saturating_sub(now_ns);
                free.owe(within_ns, server.arrears_ns(now_ns));
            }
        }
        Supply::Free(free)
    }
}

impl Ready {
    /// An equal share of what servers leave, for one of so many tenants.
    pub(crate) fn share(&self, capacity_ppm: u64, of: u64) -> Supply {
        let taken = self.reserved_ppm + self.kernel_excess_ppm;
        Supply::Free(Free::new(capacity_ppm.saturating_sub(taken) / of.max(1)))
    }
}

impl Group {
    /// Where its booked tasks are queued.
    pub(crate) const fn booked(self) -> Lane {
        Lane(self.booked as usize)
    }

    /// The same tenant's, where its booked tasks run on what servers leave.
    pub(crate) const fn on_shared(self) -> Self {
        Self {
            booked: SHARED.booked,
            ..self
        }
    }
}

impl Member {
    fn new(reservation: Option<Reservation>) -> Self {
        Self {
            is_rest: false,
            queue: Queue::new(),
            holder: None,
            server: reservation.map(Server::new),
            had: UNPROMISED,
            is_running: false,
        }
    }

    /// For one of so many tenants without reservations, which has no promise.
    fn rest(of: u64) -> Self {
        Self {
            is_rest: true,
            ..Self::new(Reservation::new(REST_BUDGET_NS, of * REST_PERIOD_NS))
        }
    }

    fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.is_running
    }

    /// A task beyond its booking by `over_ns` comes back into the queue.
    fn keep(&mut self, task: TaskId, place: Place, over_ns: u64) {
        let until_ns = match self.holder {
            Some(tenure) if tenure.task == task => tenure.until_ns,
            Some(tenure) if self.queue.has(tenure.task, tenure.place) => return,
            _ => over_ns.saturating_mul(TENURE_GROWTH).max(TENURE_NS),
        };
        self.holder = (over_ns < until_ns).then_some(Tenure {
            task,
            place,
            until_ns,
        });
    }

    /// Takes its first task, where `rank` is the lane's.
    fn take(&mut self, rank: Rank) -> Option<TaskId> {
        let is_promised = self.queue.first_rank().key() < UNPROMISED;
        // What is reserved for those beyond their bookings is for who is least beyond.
        let is_for_least = self.is_rest && rank.key() < UNPROMISED;
        match self.holder {
            Some(Tenure { task, place, .. })
                if !is_promised && !is_for_least && self.queue.remove(task, place) =>
            {
                Some(task)
            }
            _ => self.queue.take_first_task(),
        }
    }

    /// Takes CPU time from what is reserved. How much of it was beyond that.
    #[inline]
    fn charge(&mut self, ran_ns: u64) -> u64 {
        let server = self.server.as_mut();
        server.map_or(0, |server| server.charge(ran_ns))
    }

    fn wake(&mut self, now_ns: u64, least_had: u64) {
        self.had = self.had.max(least_had);
        if let Some(server) = &mut self.server {
            server.wake(now_ns);
        }
    }

    /// The rank of its first task among those of all lanes.
    #[inline]
    fn rank(&mut self, by_deadline: bool, now_ns: u64) -> Rank {
        let rank = self.queue.first_rank();
        match &mut self.server {
            Some(server) if by_deadline && !self.queue.is_empty() => {
                server.refresh(now_ns);
                rank.with_key(match server.left_ns() {
                    0 => self.had,
                    _ => server.deadline_ns(),
                })
            }
            _ => rank,
        }
    }
}
