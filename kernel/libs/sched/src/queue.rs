//! The run queue: a binary heap that can also remove from the middle.
//!
//! The heap orders slots by deadline, and each slot knows where in the heap it is. So every
//! operation is O(log n), removal of a task by name included.
//!
//! Invariant: `heap[slots[s].position] == s` for every queued slot `s`, and `by_task` maps exactly
//! the queued tasks to their slots.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// The name of something that can be scheduled. The caller chooses it; no two queued tasks may
/// have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u64);

/// A task as the queue sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose entry this is.
    pub task: TaskId,
    /// When it must be done, in nanoseconds since boot.
    pub deadline_ns: u64,
    /// The task's number in the order of first arrival. It decides between equal deadlines, and a
    /// task that comes back after preemption or waiting keeps it, and with it its place.
    pub arrival: u64,
}

impl Entry {
    /// The smaller rank runs first. No two tasks have the same.
    const fn rank(&self) -> (u64, u64, u64) {
        (self.deadline_ns, self.arrival, self.task.0)
    }
}

/// Tasks that are ready to run, earliest deadline first.
///
/// The same order serves whatever else waits for a moment: sleepers, with the time at which they
/// want to wake as the deadline.
#[derive(Default)]
pub struct Queue {
    /// Slot numbers, as a binary heap.
    heap: Vec<u32>,
    slots: Vec<Slot>,
    /// Slots without a task.
    vacant: Vec<u32>,
    by_task: BTreeMap<TaskId, u32>,
}

struct Slot {
    entry: Entry,
    position: usize,
}

/// Whether the earliest task of `queue` may take the CPU from `running`: only with an earlier
/// deadline, since a tie is not worth a switch.
#[must_use]
pub fn should_preempt(running: &Entry, queue: &Queue) -> bool {
    queue
        .earliest()
        .is_some_and(|entry| entry.deadline_ns < running.deadline_ns)
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            heap: Vec::new(),
            slots: Vec::new(),
            vacant: Vec::new(),
            by_task: BTreeMap::new(),
        }
    }

    /// How many tasks are queued.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether no task is queued.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Queues a task. `arrival` is its number in the order of first arrival, see
    /// [`Entry::arrival`].
    ///
    /// # Panics
    /// If the task is queued already.
    pub fn insert(&mut self, task: TaskId, deadline_ns: u64, arrival: u64) {
        let position = self.heap.len();
        let slot = self.store(Slot {
            entry: Entry {
                task,
                deadline_ns,
                arrival,
            },
            position,
        });
        let before = self.by_task.insert(task, slot);
        assert!(before.is_none(), "task {} is queued already", task.0);
        self.heap.push(slot);
        self.sift_up(position);
    }

    /// The task with the earliest deadline.
    #[must_use]
    pub fn earliest(&self) -> Option<Entry> {
        self.heap
            .first()
            .map(|slot| self.slots[*slot as usize].entry)
    }

    /// Takes the task with the earliest deadline out of the queue.
    pub fn pop_earliest(&mut self) -> Option<Entry> {
        let entry = self.earliest()?;
        self.remove(entry.task);
        Some(entry)
    }

    /// Takes a task out of the queue, wherever it stands. Whether it was there.
    pub fn remove(&mut self, task: TaskId) -> bool {
        let Some(slot) = self.by_task.remove(&task) else {
            return false;
        };
        let position = self.slots[slot as usize].position;
        self.heap.swap_remove(position);
        self.vacant.push(slot);
        if position < self.heap.len() {
            self.place(position, self.heap[position]);
            self.sift_down(position);
            self.sift_up(position);
        }
        true
    }

    fn store(&mut self, slot: Slot) -> u32 {
        if let Some(index) = self.vacant.pop() {
            self.slots[index as usize] = slot;
            return index;
        }
        self.slots.push(slot);
        u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 tasks fit into memory")
    }

    fn sift_up(&mut self, mut position: usize) {
        while position > 0 {
            let parent = (position - 1) / 2;
            if self.rank(parent) < self.rank(position) {
                return;
            }
            self.swap(position, parent);
            position = parent;
        }
    }

    fn sift_down(&mut self, mut position: usize) {
        while let Some(child) = self.earlier_child(position) {
            if self.rank(position) < self.rank(child) {
                return;
            }
            self.swap(position, child);
            position = child;
        }
    }

    fn earlier_child(&self, position: usize) -> Option<usize> {
        let (left, right) = (2 * position + 1, 2 * position + 2);
        if right < self.heap.len() && self.rank(right) < self.rank(left) {
            return Some(right);
        }
        (left < self.heap.len()).then_some(left)
    }

    fn rank(&self, position: usize) -> (u64, u64, u64) {
        self.slots[self.heap[position] as usize].entry.rank()
    }

    fn swap(&mut self, one: usize, other: usize) {
        let (a, b) = (self.heap[one], self.heap[other]);
        self.place(one, b);
        self.place(other, a);
    }

    fn place(&mut self, position: usize, slot: u32) {
        self.heap[position] = slot;
        self.slots[slot as usize].position = position;
    }
}
