//! The run queue: a binary heap that can also remove from the middle.
//!
//! The heap's nodes carry what they are ordered by; a slot per queued task says where in the heap
//! its node is, and a hash table finds the slot by the task's name. So every operation is
//! O(log n), removal by name included, and moving a node writes to one slot only.
//!
//! Invariant: for every node, `slots[node.slot].position` is the node's index in the heap, and
//! `by_task` holds exactly the slots of the queued tasks.

use alloc::vec::Vec;

use hashbrown::HashTable;

/// The name of something that can be scheduled. The caller chooses it; no two queued tasks may
/// have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u64);

/// A task as the queue sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose entry this is.
    pub task: TaskId,
    /// What the queue is ordered by, the smallest first. What it means is the policy's business:
    /// under EDF it is the deadline.
    pub key: u64,
    /// The task's number in the order of first arrival. It decides between equal keys, and a
    /// task that comes back after preemption or waiting keeps it, and with it its place.
    pub arrival: u64,
}

impl Entry {
    /// The smaller rank runs first. One wide number, because it is compared without a branch.
    #[must_use]
    pub const fn rank(&self) -> u128 {
        rank(self.key, self.arrival)
    }
}

/// Tasks that are ready to run, the one with the smallest key first.
#[derive(Default)]
pub struct Queue {
    heap: Vec<Node>,
    slots: Vec<Slot>,
    /// Slots without a task.
    vacant: Vec<u32>,
    /// Slots by the name of the task in them.
    by_task: HashTable<u32>,
}

#[derive(Clone, Copy)]
struct Node {
    key: u64,
    arrival: u64,
    slot: u32,
}

#[derive(Clone, Copy)]
struct Slot {
    task: TaskId,
    position: usize,
}

impl Node {
    const fn rank(&self) -> u128 {
        rank(self.key, self.arrival)
    }
}

const fn rank(key: u64, arrival: u64) -> u128 {
    (key as u128) << u64::BITS | arrival as u128
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            heap: Vec::new(),
            slots: Vec::new(),
            vacant: Vec::new(),
            by_task: HashTable::new(),
        }
    }

    /// Makes room for this many tasks, so that as many can be queued without asking for memory.
    pub fn reserve(&mut self, tasks: usize) {
        let slots = &self.slots;
        self.by_task
            .reserve(tasks, |slot| hash(slots[*slot as usize].task));
        self.heap.reserve(tasks);
        self.slots.reserve(tasks);
        self.vacant.reserve(tasks);
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
    pub fn insert(&mut self, task: TaskId, key: u64, arrival: u64) {
        assert!(
            self.slot_of(task).is_none(),
            "task {} is queued already",
            task.0
        );
        let slot = self.fill_slot(task);
        let node = Node { key, arrival, slot };
        self.heap.push(node);
        self.rise(self.heap.len() - 1, node);
    }

    /// The task with the smallest key.
    #[must_use]
    pub fn first(&self) -> Option<Entry> {
        self.heap.first().map(|node| self.entry(node))
    }

    /// Takes the task with the smallest key out of the queue.
    pub fn take_first(&mut self) -> Option<Entry> {
        let entry = self.first()?;
        self.remove(entry.task);
        Some(entry)
    }

    /// Takes a task out of the queue, wherever it stands. Whether it was there.
    pub fn remove(&mut self, task: TaskId) -> bool {
        let Some(slot) = self.vacate_slot(task) else {
            return false;
        };
        let position = self.slots[slot as usize].position;
        let Some(last) = self.heap.pop() else {
            return false;
        };
        if position < self.heap.len() {
            // The last node fills the hole, wherever it belongs on the way through it. It comes
            // from the bottom and will most often end near it, so the hole sinks all the way
            // without looking at it, and it rises from there.
            let bottom = self.sink_hole(position);
            self.rise(bottom, last);
        }
        true
    }

    fn entry(&self, node: &Node) -> Entry {
        Entry {
            task: self.slots[node.slot as usize].task,
            key: node.key,
            arrival: node.arrival,
        }
    }

    /// Moves the hole at `position` to the bottom, each time past the child that ranks before the other.
    fn sink_hole(&mut self, mut position: usize) -> usize {
        loop {
            let left = 2 * position + 1;
            let Some(pair) = self.heap.get(left..left + 2) else {
                break;
            };
            let child = left + usize::from(pair[1].rank() < pair[0].rank());
            self.place(position, self.heap[child]);
            position = child;
        }
        let only = 2 * position + 1;
        if only < self.heap.len() {
            self.place(position, self.heap[only]);
            position = only;
        }
        position
    }

    /// Puts `node` into the hole at `position`, or above if it ranks before what is there.
    fn rise(&mut self, mut position: usize, node: Node) {
        while position > 0 {
            let parent = (position - 1) / 2;
            if self.heap[parent].rank() <= node.rank() {
                break;
            }
            self.place(position, self.heap[parent]);
            position = parent;
        }
        self.place(position, node);
    }

    fn place(&mut self, position: usize, node: Node) {
        self.heap[position] = node;
        self.slots[node.slot as usize].position = position;
    }

    fn slot_of(&self, task: TaskId) -> Option<u32> {
        let is_it = |slot: &u32| self.slots[*slot as usize].task == task;
        self.by_task.find(hash(task), is_it).copied()
    }

    fn fill_slot(&mut self, task: TaskId) -> u32 {
        let slot = Slot { task, position: 0 };
        let index = if let Some(index) = self.vacant.pop() {
            self.slots[index as usize] = slot;
            index
        } else {
            self.slots.push(slot);
            u32::try_from(self.slots.len() - 1).expect("memory ends before 2^32 tasks")
        };
        let slots = &self.slots;
        self.by_task
            .insert_unique(hash(task), index, |slot| hash(slots[*slot as usize].task));
        index
    }

    fn vacate_slot(&mut self, task: TaskId) -> Option<u32> {
        let slots = &self.slots;
        let is_it = |slot: &u32| slots[*slot as usize].task == task;
        let (slot, _) = self.by_task.find_entry(hash(task), is_it).ok()?.remove();
        self.vacant.push(slot);
        Some(slot)
    }
}

/// The table uses the highest and the lowest bits; the product scatters the high ones.
const fn hash(task: TaskId) -> u64 {
    let product = task.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ (product >> (u64::BITS / 2))
}
