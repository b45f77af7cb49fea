//! The run queue against a plain sorted list.

use std::collections::HashMap;

use luge_sched::{Entry, Place, Queue, TaskId};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

/// What the queue must do, as simply as it can be said.
#[derive(Default)]
struct SortedList(Vec<Entry>);

impl SortedList {
    fn insert(&mut self, entry: Entry) {
        self.0.push(entry);
        self.0.sort_by_key(|entry| (entry.key, entry.arrival));
    }

    fn first(&self) -> Option<Entry> {
        self.0.first().copied()
    }

    fn take_first(&mut self) -> Option<Entry> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    fn remove(&mut self, task: TaskId) -> bool {
        let before = self.0.len();
        self.0.retain(|entry| entry.task != task);
        self.0.len() < before
    }
}

fn entry(task: u64, key: u64, arrival: u64) -> Entry {
    Entry {
        task: TaskId(task),
        key,
        arrival,
    }
}

fn queue_of(entries: &[Entry]) -> Queue {
    let mut queue = Queue::new();
    for entry in entries {
        queue.insert(entry.task, entry.key, entry.arrival);
    }
    queue
}

fn drain(queue: &mut Queue) -> Vec<u64> {
    std::iter::from_fn(|| queue.take_first())
        .map(|entry| entry.task.0)
        .collect()
}

/// Applies random operations to both. `deadlines` is how many different deadlines there are: few
/// make ties common. `growth` is how many of eight operations insert.
fn compare_with_list(seed: u64, operations: u32, deadlines: u64, growth: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut queue, mut list) = (Queue::new(), SortedList::default());
    // Also those of tasks that have left the queue.
    let mut places = HashMap::new();
    for arrival in 0..u64::from(operations) {
        let task = random.next_u64() % 512;
        if random.next_u64() % 8 < growth {
            if !list.0.iter().any(|entry| entry.task.0 == task) {
                let deadline = random.next_u64() % deadlines;
                list.insert(entry(task, deadline, arrival));
                places.insert(task, queue.insert(TaskId(task), deadline, arrival));
            }
        } else if random.next_u64() % 2 == 0 {
            let place = places.get(&task).copied().unwrap_or(Place::NONE);
            assert_eq!(
                queue.remove(TaskId(task), place),
                list.remove(TaskId(task)),
                "seed {seed}"
            );
        } else {
            assert_eq!(queue.take_first(), list.take_first(), "seed {seed}");
        }
        assert_eq!(queue.first(), list.first(), "seed {seed}");
        assert_eq!(queue.len(), list.0.len(), "seed {seed}");
    }
    let rest: Vec<u64> = list.0.iter().map(|entry| entry.task.0).collect();
    assert_eq!(drain(&mut queue), rest, "seed {seed}");
}

#[test]
fn random_operations_agree_with_a_sorted_list() {
    for seed in 0..200 {
        compare_with_list(seed, 400, 1 << 40, 4);
    }
}

#[test]
fn random_operations_agree_with_a_sorted_list_when_ties_are_common() {
    for seed in 1000..1200 {
        compare_with_list(seed, 400, 4, 4);
    }
}

#[test]
fn random_operations_agree_with_a_sorted_list_when_the_queue_is_long() {
    for seed in 2000..2010 {
        compare_with_list(seed, 4000, 1 << 20, 6);
    }
}

#[test]
fn an_empty_queue_has_nothing_to_give() {
    let mut queue = Queue::new();
    assert!(queue.is_empty());
    assert_eq!(queue.first(), None);
    assert_eq!(queue.take_first(), None);
    assert!(!queue.remove(TaskId(0), Place::NONE));
}

#[test]
fn the_earliest_deadline_comes_first_whatever_the_order_of_insertion() {
    let mut queue = queue_of(&[entry(1, 30, 0), entry(2, 10, 1), entry(3, 20, 2)]);
    assert_eq!(drain(&mut queue), [2, 3, 1]);
}

#[test]
fn equal_deadlines_come_in_the_order_of_first_arrival() {
    let mut queue = queue_of(&[entry(9, 10, 2), entry(5, 10, 0), entry(7, 10, 1)]);
    assert_eq!(drain(&mut queue), [5, 7, 9]);
}

#[test]
fn a_preempted_task_comes_back_to_its_place_among_equals() {
    let mut queue = queue_of(&[entry(1, 10, 0), entry(2, 10, 1), entry(3, 10, 2)]);
    let preempted = queue.take_first().expect("three are queued");
    queue.insert(preempted.task, preempted.key, preempted.arrival);
    assert_eq!(drain(&mut queue), [1, 2, 3]);
}

#[test]
fn a_removed_task_does_not_come_and_may_be_queued_again() {
    let mut queue = queue_of(&[entry(1, 10, 0), entry(3, 30, 2)]);
    let place = queue.insert(TaskId(2), 20, 1);
    assert!(queue.remove(TaskId(2), place));
    assert!(!queue.remove(TaskId(2), place));
    queue.insert(TaskId(2), 5, 1);
    assert_eq!(drain(&mut queue), [2, 1, 3]);
}

#[test]
fn the_place_of_a_task_that_has_left_finds_nobody_elses() {
    let mut queue = Queue::new();
    let place = queue.insert(TaskId(1), 10, 0);
    assert!(queue.take_first().is_some());
    assert!(!queue.remove(TaskId(1), place));
    assert_eq!(queue.insert(TaskId(2), 10, 1), place, "it is used again");
    assert!(!queue.remove(TaskId(1), place));
    assert_eq!(drain(&mut queue), [2]);
}

#[test]
fn the_order_survives_growth_at_every_length() {
    for tasks in 1..=70 {
        // The last to come is the first to go, so that every new one wins all its matches.
        let entries: Vec<_> = (0..tasks)
            .map(|number| entry(number, tasks - number, number))
            .collect();
        let mut queue = queue_of(&entries);
        queue.reserve(300);
        assert_eq!(drain(&mut queue), (0..tasks).rev().collect::<Vec<_>>());
    }
}

#[test]
fn a_queue_that_was_long_and_ran_empty_is_in_order_when_it_fills_again() {
    let mut queue = Queue::new();
    queue.reserve(1_000);
    for length in [100_u64, 3, 17, 1, 64, 65] {
        for number in 0..length {
            queue.insert(TaskId(number), (number * 31) % length, number);
        }
        let keys: Vec<_> = std::iter::from_fn(|| queue.take_first())
            .map(|entry| entry.key)
            .collect();
        assert!(keys.is_sorted() && keys.len() as u64 == length);
    }
}

#[test]
fn the_extremes_of_deadlines_and_names_are_ordered_too() {
    let mut queue = queue_of(&[entry(u64::MAX, u64::MAX, u64::MAX), entry(0, 0, 0)]);
    assert_eq!(drain(&mut queue), [0, u64::MAX]);
}
