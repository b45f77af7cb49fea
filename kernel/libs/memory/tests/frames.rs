//! The frame bitmap against a plain set.

use std::collections::BTreeSet;

use luge_memory::frames::{FrameBitmap, NotAllocated};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

fn storage(frames: usize) -> Vec<u64> {
    // Not zero: `new` must not care what was there.
    vec![0xaaaa_5555_aaaa_5555; FrameBitmap::words_needed(frames)]
}

/// A lowest-first search that knows nothing of words.
fn contiguous(free: &BTreeSet<usize>, frames: usize, count: usize, align: usize) -> Option<usize> {
    (0..frames)
        .step_by(align)
        .find(|start| (*start..start + count).all(|f| free.contains(&f)))
}

fn compare_with_set(seed: u64, frames: usize, operations: u32) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut below = |limit: usize| (random.next_u64() % limit as u64) as usize;
    let mut words = storage(frames);
    let mut bitmap = FrameBitmap::new(&mut words, frames);
    let mut free = BTreeSet::new();
    for _ in 0..operations {
        match below(8) {
            0..=2 => match bitmap.allocate() {
                Some(frame) => assert!(free.remove(&frame), "{frame} was not free, seed {seed}"),
                None => assert!(free.is_empty(), "seed {seed}"),
            },
            3..=4 => {
                let frame = below(frames + 2);
                let expected = if frame < frames && free.insert(frame) {
                    Ok(())
                } else {
                    Err(NotAllocated { frame })
                };
                assert_eq!(bitmap.release(frame), expected, "seed {seed}");
            }
            5 => {
                let (count, align) = (1 + below(130), 1 << below(8));
                let expected = contiguous(&free, frames, count, align);
                assert_eq!(
                    bitmap.allocate_contiguous(count, align),
                    expected,
                    "seed {seed}"
                );
                expected
                    .into_iter()
                    .for_each(|s| free.retain(|f| !(s..s + count).contains(f)));
            }
            6 => {
                let start = below(frames);
                let range = start..start + below(300);
                let before = free.len();
                free.extend(range.start..range.end.min(frames));
                assert_eq!(
                    bitmap.release_range(range),
                    free.len() - before,
                    "seed {seed}"
                );
            }
            _ => {
                let few = (0..below(200)).map_while(|_| bitmap.allocate());
                few.for_each(|frame| assert!(free.remove(&frame), "seed {seed}"));
            }
        }
        assert_eq!(bitmap.free(), free.len(), "seed {seed}");
    }
    let drained: BTreeSet<usize> = std::iter::from_fn(|| bitmap.allocate()).collect();
    assert_eq!(drained, free, "seed {seed}");
    assert_eq!(bitmap.free(), 0);
}

#[test]
fn random_operations_agree_with_a_set() {
    // Sizes around the borders of leaf and summary words.
    for (seed, frames) in (0..).zip([1, 63, 64, 65, 127, 1000, 4095, 4096, 4097, 4160, 9000]) {
        compare_with_set(seed, frames, 600);
        compare_with_set(seed + 100, frames, 600);
    }
}

#[test]
fn all_frames_are_in_use_at_first() {
    let mut words = storage(100);
    let mut bitmap = FrameBitmap::new(&mut words, 100);
    assert_eq!((bitmap.free(), bitmap.total()), (0, 0));
    assert_eq!(bitmap.allocate(), None);
    assert_eq!(bitmap.allocate_contiguous(1, 1), None);
}

#[test]
fn a_machine_without_frames_has_none_to_give() {
    let mut bitmap = FrameBitmap::new(&mut [], 0);
    assert_eq!(bitmap.allocate(), None);
    assert_eq!(bitmap.release(0), Err(NotAllocated { frame: 0 }));
    assert_eq!(bitmap.release_range(0..10), 0);
}

#[test]
fn the_last_free_frame_of_six_gibibytes_is_found() {
    let frames = 6 << 18;
    for last in [0, 63, 64, 262_143, 262_144, 1_000_000, frames - 1] {
        let mut words = storage(frames);
        let mut bitmap = FrameBitmap::new(&mut words, frames);
        bitmap.release(last).expect("all are in use");
        assert_eq!(bitmap.allocate(), Some(last));
        assert_eq!(bitmap.allocate(), None);
    }
}

#[test]
fn a_double_release_names_the_frame_and_changes_nothing() {
    let mut words = storage(100);
    let mut bitmap = FrameBitmap::new(&mut words, 100);
    assert_eq!(bitmap.release(70), Ok(()));
    assert_eq!(bitmap.release(70), Err(NotAllocated { frame: 70 }));
    assert_eq!(bitmap.free(), 1);
    assert_eq!(
        NotAllocated { frame: 70 }.to_string(),
        "frame 0x46 is not allocated"
    );
}

#[test]
fn a_frame_beyond_the_last_cannot_be_released() {
    let mut words = storage(100);
    let mut bitmap = FrameBitmap::new(&mut words, 100);
    for frame in [100, 127, 128, 1 << 40, usize::MAX] {
        assert_eq!(bitmap.release(frame), Err(NotAllocated { frame }));
    }
}

#[test]
fn a_memory_map_that_overlaps_itself_or_runs_over_the_end_is_taken_as_far_as_it_makes_sense() {
    let mut words = storage(200);
    let mut bitmap = FrameBitmap::new(&mut words, 200);
    assert_eq!(bitmap.release_range(10..100), 90);
    assert_eq!(bitmap.release_range(50..120), 20);
    assert_eq!(bitmap.release_range(190..usize::MAX), 10);
    assert_eq!(bitmap.release_range(usize::MAX - 1..usize::MAX), 0);
    assert_eq!((bitmap.free(), bitmap.total()), (120, 120));
    assert!(bitmap.allocate().is_some());
    assert_eq!((bitmap.free(), bitmap.total()), (119, 120));
}

#[test]
fn a_run_is_aligned_and_leaves_what_is_around_it() {
    let mut words = storage(1024);
    let mut bitmap = FrameBitmap::new(&mut words, 1024);
    bitmap.release_range(3..1000);
    assert_eq!(bitmap.allocate_contiguous(100, 64), Some(64));
    assert_eq!(bitmap.allocate_contiguous(100, 64), Some(192));
    assert_eq!(bitmap.allocate_contiguous(61, 1), Some(3));
    assert_eq!(bitmap.allocate_contiguous(709, 1), None);
    assert_eq!(bitmap.allocate_contiguous(708, 1), Some(292));
    assert_eq!(bitmap.free(), 64 - 36);
}

#[test]
fn no_run_is_longer_than_memory() {
    let mut words = storage(128);
    let mut bitmap = FrameBitmap::new(&mut words, 128);
    bitmap.release_range(0..128);
    assert_eq!(bitmap.allocate_contiguous(129, 1), None);
    assert_eq!(bitmap.allocate_contiguous(usize::MAX, 1), None);
    assert_eq!(bitmap.allocate_contiguous(1, 1 << 63), Some(0));
    assert_eq!(bitmap.allocate_contiguous(1, 1 << 63), None);
    assert_eq!(bitmap.allocate_contiguous(127, 1), Some(1));
}

#[test]
#[should_panic(expected = "too few words")]
fn storage_that_is_too_small_is_refused() {
    let _ = FrameBitmap::new(&mut [0; 3], 129);
}
