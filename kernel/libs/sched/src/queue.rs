//! The run queue: a heap that can also remove from the middle.
//!
//! The heap's nodes carry what they are ordered by; a slot per queued task says where in the heap
//! its node is, and who queues a task is told its slot. So every operation is O(log n), removal from the
//! middle included, nothing is searched, and moving a node writes to one slot only. A node has four
//! children: half as many levels as with two, for few more comparisons.
//!
//! Invariant: for every node, `slots[node.slot].position` is the node's index in the heap; every other slot
//! is in `vacant`, and its position is [`NOWHERE`].

use alloc::vec::Vec;

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
    /// The task's number in the order of first arrival. It decides between equal keys, and a
    /// task that comes back after preemption or waiting keeps it, and with it its place.
    pub arrival: u64,
}

/// Tasks that are ready to run, the one with the smallest key first.
#[derive(Default)]
pub struct Queue {
    heap: Vec<Node>,
    slots: Vec<Slot>,
    /// Slots without a task.
    vacant: Vec<u32>,
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
    position: u32,
}

/// The children of a node.
const CHILDREN: usize = 4;
/// The position of what is not in the heap.
const NOWHERE: u32 = u32::MAX;

impl Node {
    const fn rank(&self) -> u128 {
        rank(self.key, self.arrival)
    }
}

/// The smaller rank runs first. One wide number, because it is compared without a branch.
pub(crate) const fn rank(key: u64, arrival: u64) -> u128 {
    (key as u128) << u64::BITS | arrival as u128
}

/// The first of a node's children in the order of the heap, and which it is; `rest` is the heap from the
/// first child on.
fn least(rest: &[Node]) -> Option<(usize, Node)> {
    if let Some([a, b, c, d]) = rest.get(..CHILDREN) {
        // A tournament, without a branch.
        let left = usize::from(b.rank() < a.rank());
        let right = 2 + usize::from(d.rank() < c.rank());
        let offset = if rest[right].rank() < rest[left].rank() {
            right
        } else {
            left
        };
        return Some((offset, rest[offset]));
    }
    // The last node with children may have fewer.
    let mut least = (0, *rest.first()?);
    for (offset, node) in rest.iter().enumerate().skip(1) {
        if node.rank() < least.1.rank() {
            least = (offset, *node);
        }
    }
    Some(least)
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            heap: Vec::new(),
            slots: Vec::new(),
            vacant: Vec::new(),
        }
    }

    /// Makes room for this many tasks, so that as many can be queued without asking for memory.
    pub fn reserve(&mut self, tasks: usize) {
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

    /// Queues a task that is not queued, and says where it is found. `arrival` is its number in the order
    /// of first arrival, see [`Entry::arrival`].
    pub fn insert(&mut self, task: TaskId, key: u64, arrival: u64) -> Place {
        let slot = self.fill_slot(task);
        let node = Node { key, arrival, slot };
        self.heap.push(node);
        self.rise(self.heap.len() - 1, node);
        Place(slot)
    }

    /// The key and the arrival of the task with the smallest key.
    #[must_use]
    pub fn first_key(&self) -> Option<(u64, u64)> {
        self.heap.first().map(|node| (node.key, node.arrival))
    }

    /// The task with the smallest key.
    #[must_use]
    pub fn first(&self) -> Option<Entry> {
        let node = self.heap.first()?;
        Some(Entry {
            task: self.slots[node.slot as usize].task,
            key: node.key,
            arrival: node.arrival,
        })
    }

    /// Takes the task with the smallest key out of the queue.
    pub fn take_first(&mut self) -> Option<Entry> {
        let entry = self.first()?;
        let slot = self.heap.first()?.slot;
        self.take_out(0, slot);
        Some(entry)
    }

    /// Takes a task out of the queue, wherever it stands. Whether it was there.
    pub fn remove(&mut self, task: TaskId, place: Place) -> bool {
        let Some(slot) = self.slots.get(place.0 as usize) else {
            return false;
        };
        if slot.task != task || slot.position == NOWHERE {
            return false;
        }
        self.take_out(slot.position as usize, place.0);
        true
    }

    /// Takes the node at `position`, which is that of `slot`, out of the heap.
    fn take_out(&mut self, position: usize, slot: u32) {
        self.slots[slot as usize].position = NOWHERE;
        self.vacant.push(slot);
        let Some(last) = self.heap.pop() else { return };
        if position < self.heap.len() {
            // The last node fills the hole, wherever it belongs on the way through it. It comes
            // from the bottom and will most often end near it, so the hole sinks all the way
            // without looking at it, and it rises from there.
            let bottom = self.sink_hole(position);
            self.rise(bottom, last);
        }
    }

    /// Moves the hole at `position` to the bottom, each time past the child that ranks before the others.
    fn sink_hole(&mut self, mut position: usize) -> usize {
        loop {
            let first = CHILDREN * position + 1;
            let Some((offset, node)) = least(self.heap.get(first..).unwrap_or_default()) else {
                return position;
            };
            self.place(position, node);
            position = first + offset;
        }
    }

    /// Puts `node` into the hole at `position`, or above if it ranks before what is there.
    fn rise(&mut self, mut position: usize, node: Node) {
        while position > 0 {
            let parent = (position - 1) / CHILDREN;
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
        self.slots[node.slot as usize].position = position as u32;
    }

    fn fill_slot(&mut self, task: TaskId) -> u32 {
        let slot = Slot {
            task,
            position: NOWHERE,
        };
        if let Some(index) = self.vacant.pop() {
            self.slots[index as usize] = slot;
            return index;
        }
        self.slots.push(slot);
        u32::try_from(self.slots.len() - 1).expect("memory ends before 2^32 tasks")
    }
}
