//! `random_get`.

use crate::calls::{answer, random};
use crate::errno::FAULT;
use crate::{hostile, raw, tests};

tests![
    a_buffer_is_filled_to_its_end,
    large_buffers_are_filled_too,
    two_buffers_differ,
    nothing_is_written_behind_a_buffer,
    no_bytes_may_be_asked_for,
    a_buffer_that_leaves_memory_is_a_fault,
];

/// The chance that a block of so many bytes is all zero is no chance.
const BLOCK: usize = 32;

fn assert_filled(bytes: &[u8]) {
    for (place, block) in bytes.chunks_exact(BLOCK).enumerate() {
        assert!(block.iter().any(|byte| *byte != 0), "block {place}");
    }
}

fn a_buffer_is_filled_to_its_end() {
    let mut bytes = [0; 8 * BLOCK];
    assert_eq!(random(&mut bytes), Ok(()));
    assert_filled(&bytes);
}

fn large_buffers_are_filled_too() {
    let mut bytes = vec![0; 300_000 / BLOCK * BLOCK];
    assert_eq!(random(&mut bytes), Ok(()));
    assert_filled(&bytes);
}

fn two_buffers_differ() {
    let (mut one, mut other) = ([0; BLOCK], [0; BLOCK]);
    random(&mut one).unwrap();
    random(&mut other).unwrap();
    assert_ne!(one, other);
}

fn nothing_is_written_behind_a_buffer() {
    let mut bytes = [0xaa; 2 * BLOCK];
    random(&mut bytes[..BLOCK]).unwrap();
    assert_eq!(bytes[BLOCK..], [0xaa; BLOCK]);
}

fn no_bytes_may_be_asked_for() {
    assert_eq!(random(&mut []), Ok(()));
}

fn a_buffer_that_leaves_memory_is_a_fault() {
    let end = hostile::end();
    // SAFETY: a call that fails writes nothing.
    let all = unsafe {
        [
            raw::random_get(end - 1, 2),
            raw::random_get(end, 1),
            raw::random_get(usize::MAX, 2),
        ]
    };
    assert_eq!(all.map(answer), [Err(FAULT); 3]);
}
