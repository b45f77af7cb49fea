//! Recursions without end on the native stack, where guest code is. For scenarios.

use core::hint::black_box;
use core::mem::MaybeUninit;

/// Less than an interrupt's frame and saved registers take, in bytes.
const LAST_BYTES: u64 = 512;
/// For how many turns of a loop [`linger`] stays at a level: longer than the timer may be late.
const STAY: u32 = 1_000_000;

/// Calls itself for ever, in small frames.
#[unsafe(link_section = ".text.guest")]
#[inline(never)]
#[expect(unconditional_recursion, reason = "that is what it is for")]
pub fn fill_stack(depth: u64) -> u64 {
    let frame = black_box([depth; 32]);
    fill_stack(depth + 1) + frame[0]
}

/// Calls itself for ever, in frames of at least `bytes` bytes: 8 KiB, 128 KiB, or else 1 MiB.
pub fn fill_stack_by(bytes: u32) {
    match bytes {
        0x2000 => large_frame::<0x2000>(),
        0x2_0000 => large_frame::<0x2_0000>(),
        _ => large_frame::<0x10_0000>(),
    };
}

#[unsafe(link_section = ".text.guest")]
#[inline(never)]
#[expect(unconditional_recursion, reason = "that is what it is for")]
fn large_frame<const BYTES: usize>() -> u64 {
    let mut frame = MaybeUninit::<[u8; BYTES]>::uninit();
    black_box(&mut frame);
    large_frame::<BYTES>() + 1
}

/// Calls itself for ever and stays for a while at every level where less than [`LAST_BYTES`] are left of the
/// stack that ends at `low`, so that the timer's interrupt finds them before the next call does.
#[unsafe(link_section = ".text.guest")]
#[inline(never)]
pub fn linger(low: u64) -> u64 {
    let here = 0_u8;
    if (core::ptr::from_ref(&here) as u64).saturating_sub(low) < LAST_BYTES {
        for turn in 0..STAY {
            black_box(turn);
        }
    }
    linger(low) + 1
}
