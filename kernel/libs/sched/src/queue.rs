//! The run queue: a tournament that can also be left from the middle.
//!
//! Each queued task has a slot, and plays for first place with those of the three slots beside it, the winner
//! with the winners of the next three fours, and so on up to the apex, where the first of all stands. What
//! stands anywhere carries what it is ordered by, so a match looks at nothing but one line of the cache. A task
//! that comes plays upwards until it loses; for one that goes, the matches above its slot are played again. So
//! every operation is O(log n), removal from the middle included; nothing is searched, nobody has to be told
//! where it has moved to, and no match is a branch that has to be guessed.
//!
//! Only as many slots take part as have been in use since the queue was last empty, rounded up to a power of
//! four: room for many costs few nothing.
//!
//! Invariants: from the apex down, a node is the least of the four below it; every node that is not below the
//! apex is [`Rank::NOBODY`], and so is the leaf of a slot without a task.

use alloc::vec::Vec;
use core::hint::select_unpredictable;

/// The name of something that can be scheduled. The caller chooses it; no two queued tasks may
/// have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u64);

/// Where a queued task is found. It may be kept when the task has left the queue: together with its name it
/// finds that task or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u32);

impl Place {
    /// Where no task is found.
    pub const NONE: Self = Self(u32::MAX);
}

/// A task as the queue sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose entry this is.
    pub task: TaskId,
    /// What the queue is ordered by, the smallest first. What it means is the policy's business:
    /// under EDF it is the deadline.
    pub key: u64,
    /// The task's number in the order of first arrival, of which the low 44 bits count. It decides between
    /// equal keys, and a task that comes back after preemption or waiting keeps it, and with it its place.
    pub arrival: u64,
}

/// Tasks that are ready to run, the one with the smallest key first.
pub struct Queue {
    /// The tree, by who plays against each other: below node n are the nodes from 4n to 4n + 3, which are the
    /// match n. The root would be node 1, and the leaves have the highest numbers, by slot.
    matches: Vec<[Rank; 4]>,
    /// Who stands at the apex.
    first: Rank,
    /// Who has each slot, or had it last, as far as slots were used since the queue was last empty.
    tasks: Vec<TaskId>,
    /// Of those slots, the ones without a task.
    vacant: Vec<u32>,
    /// How many matches there are from a leaf to the apex.
    height: u32,
}

/// What tasks are ordered by, the smaller first: key, arrival and slot in one wide number, because that is
/// compared at once and without a branch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank(u128);

/// How many bits of a [`Rank`] are the slot.
const SLOT_BITS: u32 = 20;
/// Slots have smaller numbers. It is [`Rank::NOBODY`]'s own.
const NO_SLOT: u32 = (1 << SLOT_BITS) - 1;

impl Rank {
    /// That of a place without a task, after all others.
    pub(crate) const NOBODY: Self = Self(u128::MAX);

    const fn new(key: u64, arrival: u64, slot: u32) -> Self {
        let tail = arrival << SLOT_BITS | slot as u64;
        Self((key as u128) << u64::BITS | tail as u128)
    }

    /// The lesser of two.
    fn first_of(self, other: Self) -> Self {
        select_unpredictable(other < self, other, self)
    }

    const fn slot(self) -> u32 {
        self.0 as u32 & NO_SLOT
    }

    const fn arrival(self) -> u64 {
        self.0 as u64 >> SLOT_BITS
    }

    /// What its task is ordered by.
    pub(crate) const fn key(self) -> u64 {
        (self.0 >> u64::BITS) as u64
    }

    /// The same task's, were it ordered by `key`.
    pub(crate) const fn with_key(self, key: u64) -> Self {
        Self((key as u128) << u64::BITS | self.0 as u64 as u128)
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self::new()
    }
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            matches: Vec::new(),
            first: Rank::NOBODY,
            tasks: Vec::new(),
            vacant: Vec::new(),
            height: 0,
        }
    }

    /// Makes room for this many tasks, so that as many can be queued without asking for memory.
    pub fn reserve(&mut self, tasks: usize) {
        let tasks = self.len() + tasks;
        self.tasks.reserve(tasks.saturating_sub(self.tasks.len()));
        self.vacant.reserve(tasks.saturating_sub(self.vacant.len()));
        while self.leaves() < tasks {
            self.grow();
        }
    }

    /// How many tasks are queued.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.tasks.len() - self.vacant.len()
    }

    /// Whether no task is queued.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.tasks.len() == self.vacant.len()
    }

    /// Queues a task that is not queued, and says where it is found. `arrival` is its number in the order
    /// of first arrival, see [`Entry::arrival`].
    ///
    /// # Panics
    /// If more than a million tasks are queued.
    #[inline]
    pub fn insert(&mut self, task: TaskId, key: u64, arrival: u64) -> Place {
        let slot = self.fill_slot(task);
        let rank = Rank::new(key, arrival, slot);
        let apex = self.apex();
        let mut at = self.leaf(slot);
        while at > apex {
            let node = self.node_mut(at);
            if *node < rank {
                return Place(slot);
            }
            *node = rank;
            at /= 4;
        }
        self.first = self.first.first_of(rank);
        Place(slot)
    }

    /// The rank of the task with the smallest key, or [`Rank::NOBODY`].
    pub(crate) const fn first_rank(&self) -> Rank {
        self.first
    }

    /// The task with the smallest key.
    #[must_use]
    pub fn first(&self) -> Option<Entry> {
        let task = *self.tasks.get(self.first.slot() as usize)?;
        Some(Entry {
            task,
            key: self.first.key(),
            arrival: self.first.arrival(),
        })
    }

    /// Takes the task with the smallest key out of the queue.
    pub fn take_first(&mut self) -> Option<Entry> {
        let entry = self.first()?;
        self.take_first_task();
        Some(entry)
    }

    /// As [`take_first`](Self::take_first), for who knows the rest.
    pub(crate) fn take_first_task(&mut self) -> Option<TaskId> {
        let slot = self.first.slot();
        let task = *self.tasks.get(slot as usize)?;
        self.take_out(slot);
        Some(task)
    }

    /// Whether this task is queued.
    pub(crate) fn has(&self, task: TaskId, place: Place) -> bool {
        self.tasks.get(place.0 as usize) == Some(&task) && self.is_taken(place.0)
    }

    /// Takes a task out of the queue, wherever it stands. Whether it was there.
    pub fn remove(&mut self, task: TaskId, place: Place) -> bool {
        let was_there = self.has(task, place);
        if was_there {
            self.take_out(place.0);
        }
        was_there
    }

    /// Empties a slot, and plays the matches above it again.
    #[inline]
    fn take_out(&mut self, slot: u32) {
        let (mut at, apex) = (self.leaf(slot), self.apex());
        let matches = &mut self.matches[..];
        let mut winner = Rank::NOBODY;
        while at > apex {
            let players = &mut matches[at / 4];
            players[at % 4] = winner;
            winner = winner_of(players);
            at /= 4;
        }
        self.first = winner;
        if winner == Rank::NOBODY {
            // Every node is nobody's now, so the next tree can begin with one leaf.
            self.height = 0;
            self.vacant.clear();
            self.tasks.clear();
        } else {
            self.vacant.push(slot);
        }
    }

    /// Whether a task is queued that has this slot, one of those that have been used.
    fn is_taken(&self, slot: u32) -> bool {
        let leaf = self.leaf(slot);
        let rank = if leaf > self.apex() {
            self.node(leaf)
        } else {
            self.first
        };
        rank != Rank::NOBODY
    }

    /// Finds a slot without a task.
    #[inline]
    fn fill_slot(&mut self, task: TaskId) -> u32 {
        if let Some(slot) = self.vacant.pop() {
            self.tasks[slot as usize] = task;
            return slot;
        }
        let slot = self.tasks.len();
        if slot >> (2 * self.height) > 0 || slot == self.leaves() {
            self.widen();
        }
        self.tasks.push(task);
        let slot = u32::try_from(slot).ok().filter(|&slot| slot < NO_SLOT);
        slot.expect("no more than a million tasks")
    }

    /// Has four times as many slots take part, of which there may be none yet.
    #[cold]
    fn widen(&mut self) {
        if self.tasks.len() == self.leaves() {
            self.grow();
        }
        if !self.tasks.is_empty() {
            // The other three quarters of the wider tree are empty: who was first is first in all of it.
            let apex = self.apex();
            *self.node_mut(apex) = self.first;
            self.height += 1;
        }
    }

    /// Makes room for four times as many slots.
    fn grow(&mut self) {
        let before = self.leaves();
        let leaves = (4 * before).max(4);
        self.matches.resize(leaves / 2, [Rank::NOBODY; 4]);
        // What stood at node n, so many levels below the root, stands as many below its first child.
        let mut level = before;
        while level > 0 {
            for node in (level..2 * level).rev() {
                let moved = core::mem::replace(self.node_mut(node), Rank::NOBODY);
                *self.node_mut(node + 3 * level) = moved;
            }
            level /= 4;
        }
    }

    /// How many leaves there are, which is the number of the first one.
    const fn leaves(&self) -> usize {
        2 * self.matches.len()
    }

    /// The number of a slot's leaf.
    const fn leaf(&self, slot: u32) -> usize {
        self.leaves() + slot as usize
    }

    /// The number of the node where the first of all stands.
    const fn apex(&self) -> usize {
        self.leaves() >> (2 * self.height)
    }

    /// A node below the apex.
    fn node(&self, number: usize) -> Rank {
        self.matches[number / 4][number % 4]
    }

    fn node_mut(&mut self, number: usize) -> &mut Rank {
        &mut self.matches[number / 4][number % 4]
    }
}

fn winner_of([a, b, c, d]: &[Rank; 4]) -> Rank {
    a.first_of(*b).first_of(c.first_of(*d))
}
