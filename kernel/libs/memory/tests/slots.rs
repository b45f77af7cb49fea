//! The slot map against a plain set.

use std::collections::BTreeSet;

use luge_memory::slots::{MAX_SLOTS, NotTaken, SlotMap};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

fn compare_with_set(seed: u64, slots: u32) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut map = SlotMap::new(slots);
    let mut free: BTreeSet<u32> = (0..slots).collect();
    for _ in 0..4 * slots {
        if random.next_u32() % 3 > 0 {
            if random.next_u32() % 3 > 0 {
                assert_eq!(map.take(), free.pop_first(), "the lowest free slot");
            } else {
                assert_eq!(map.take_highest(), free.pop_last(), "the highest free slot");
            }
        } else {
            let slot = random.next_u32() % (slots + 2);
            let expected = if slot < slots && free.insert(slot) {
                Ok(())
            } else {
                Err(NotTaken { slot })
            };
            assert_eq!(map.give_back(slot), expected);
        }
        assert_eq!(map.in_use() as usize, slots as usize - free.len());
    }
    for slot in 0..slots + 2 {
        assert_eq!(map.is_taken(slot), slot < slots && !free.contains(&slot));
    }
}

#[test]
fn random_operations_agree_with_a_set() {
    for (seed, slots) in (0..).zip([1, 2, 63, 64, 65, 1000, 1024, MAX_SLOTS - 1, MAX_SLOTS]) {
        compare_with_set(seed, slots);
    }
}

#[test]
fn slots_are_taken_lowest_first_and_a_full_map_has_none() {
    let mut map = SlotMap::new(MAX_SLOTS);
    assert_eq!(map.slots(), MAX_SLOTS);
    for slot in 0..MAX_SLOTS {
        assert_eq!(map.take(), Some(slot));
    }
    assert_eq!(map.take(), None);
    assert_eq!(map.in_use(), MAX_SLOTS);
}

#[test]
fn a_slot_that_is_given_back_is_the_next_to_be_taken_if_it_is_the_lowest() {
    let mut map = SlotMap::new(200);
    (0..150).for_each(|slot| assert_eq!(map.take(), Some(slot)));
    assert_eq!(map.give_back(140), Ok(()));
    assert_eq!(map.give_back(70), Ok(()));
    assert_eq!(
        [map.take(), map.take(), map.take()],
        [Some(70), Some(140), Some(150)]
    );
}

#[test]
fn a_slot_cannot_be_given_back_twice_or_without_existing() {
    let mut map = SlotMap::new(10);
    assert_eq!(map.take(), Some(0));
    assert_eq!(map.give_back(0), Ok(()));
    for slot in [0, 9, 10, 4096, u32::MAX] {
        assert_eq!(map.give_back(slot), Err(NotTaken { slot }));
    }
    assert_eq!(map.in_use(), 0);
}

#[test]
fn a_map_without_slots_is_full() {
    assert_eq!(SlotMap::new(0).take(), None);
}
