//! Stacks with nothing mapped below them.
//!
//! Every stack lies at the top of a slot of virtual memory of its own (`luge_memory::layout`). A
//! sandbox's slot has a second one near its bottom, the *kernel stack*, for host calls. Below each,
//! at least 64 KiB are never mapped. Stacks of sandboxes are pooled, both together: what was
//! written to is zeroed when a stack comes back, found by the dirty bits of its page table entries,
//! so that a sandbox that used little of it costs little. A kernel stack is not: no guest code ever runs on
//! it, and what kernel code leaves there is no more within a guest's reach than the kernel's heap.
//!
//! Invariant: a pooled stack is all zero and clean, except for its kernel stack.

#[cfg(feature = "scenarios")]
pub mod scenario;

use core::mem::offset_of;
use core::ops::Range;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use luge_memory::layout::{
    self, KERNEL_STACK_BYTES, MAX_STACK_BYTES, MIN_STACK_BYTES, STACK_SLOTS,
};
use luge_memory::slots::SlotMap;
use luge_metrics::PoolMeter;

use super::{frames, idle};
use crate::arch::landmarks::Landmark;
use crate::arch::lock::Lock;
use crate::arch::paging::{self, Access, Caching, PAGE_BYTES};

/// How many stacks are kept mapped while nobody uses them.
const POOLED: usize = 64;
/// And how much of all memory they may take: one part in so many.
const POOLED_SHARE: u64 = 16;

/// How large the stack in each slot is, in bytes; 0 for a free slot.
static BYTES: [AtomicU32; STACK_SLOTS as usize] =
    [const { AtomicU32::new(0) }; STACK_SLOTS as usize];
static SLOTS: Lock<SlotMap> = Lock::new(SlotMap::new(STACK_SLOTS));
static POOL: Lock<Pool> = Lock::new(Pool {
    stacks: [const { None }; POOLED],
    bytes: 0,
});

/// The stacks, for a debugger.
pub const LANDMARKS: &[Landmark] = &[
    Landmark::place("stacks.bytes", &raw const BYTES),
    Landmark::field("stack.slot", offset_of!(Stack, slot)),
];

/// How often a stack was in the pool.
pub static TAKES: PoolMeter = PoolMeter::new();

struct Pool {
    stacks: [Option<Stack>; POOLED],
    bytes: u64,
}

impl Pool {
    fn take(&mut self, bytes: u64) -> Option<Stack> {
        let fits = |place: &&mut Option<Stack>| place.as_ref().is_some_and(|s| s.bytes == bytes);
        let stack = self.stacks.iter_mut().find(fits)?.take()?;
        self.bytes -= stack.mapped_bytes();
        Some(stack)
    }

    /// Any stack, the largest first.
    fn take_largest(&mut self) -> Option<Stack> {
        let largest = self
            .stacks
            .iter()
            .flatten()
            .map(|stack| stack.bytes)
            .max()?;
        self.take(largest)
    }

    /// Hands the stack back if there is no place for it.
    fn put(&mut self, stack: Stack) -> Result<(), Stack> {
        let (_, frames) = frames::counts();
        let most = frames as u64 * PAGE_BYTES / POOLED_SHARE;
        let place = self.stacks.iter_mut().find(|place| place.is_none());
        match place {
            Some(place) if self.bytes + stack.mapped_bytes() <= most => {
                self.bytes += stack.mapped_bytes();
                *place = Some(stack);
                Ok(())
            }
            _ => Err(stack),
        }
    }
}

/// A sandbox's mapped stack, zeroed when it was taken, and its kernel stack.
#[derive(Debug)]
pub struct Stack {
    slot: u32,
    bytes: u64,
}

impl Stack {
    /// The mapped addresses, lowest first.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        layout::stack_range(self.slot, self.bytes)
    }

    /// The unmapped addresses below.
    #[must_use]
    pub fn guard(&self) -> Range<u64> {
        layout::stack_guard(self.slot, self.bytes)
    }

    /// The mapped addresses of the kernel stack, lowest first.
    #[must_use]
    pub fn kernel_range(&self) -> Range<u64> {
        layout::kernel_stack_range(self.slot)
    }

    /// The unmapped addresses below the kernel stack.
    #[must_use]
    pub fn kernel_guard(&self) -> Range<u64> {
        layout::kernel_stack_guard(self.slot)
    }

    /// Where the stack begins to grow down from.
    #[must_use]
    pub fn top(&self) -> u64 {
        self.range().end
    }

    fn mapped_bytes(&self) -> u64 {
        self.bytes + KERNEL_STACK_BYTES
    }
}

/// Takes a stack of `bytes` bytes (rounded up to pages, kept within the layout's bounds) with its kernel
/// stack, from the pool or newly mapped. None when there is no frame or slot for it.
#[must_use]
pub fn take(bytes: u64) -> Option<Stack> {
    let bytes = bytes
        .next_multiple_of(PAGE_BYTES)
        .clamp(MIN_STACK_BYTES, MAX_STACK_BYTES);
    let pooled = POOL.lock().take(bytes);
    TAKES.asked(pooled.is_some());
    pooled.or_else(|| {
        make_room(bytes + KERNEL_STACK_BYTES);
        let stack = reserve(bytes)?;
        let mapped = map(stack.range()).and_then(|()| map(stack.kernel_range()));
        #[cfg(feature = "scenarios")]
        let mapped = mapped.and_then(|()| scenario::map_guard(&stack));
        if mapped.is_none() {
            // SAFETY: nobody has seen the stack yet.
            unsafe { unmap(&stack) };
            return None;
        }
        Some(stack)
    })
}

/// A stack for the kernel to keep, of `bytes` bytes as for [`take`] and without a kernel stack: its top. None
/// when there is no frame or slot for it.
#[must_use]
pub fn take_for_good(bytes: u64) -> Option<u64> {
    let stack = reserve(bytes)?;
    map(stack.range())?;
    Some(stack.top())
}

/// Unmaps pooled stacks of other sizes, and then whatever else waits, while there are no frames for one of
/// this size.
fn make_room(bytes: u64) {
    while !frames::has_room_for_guest(bytes) {
        if !give_up_one() {
            let _ = idle::make_room(bytes);
            return;
        }
    }
}

/// Unmaps a pooled stack, the largest. False if there is none.
pub fn give_up_one() -> bool {
    let stack = POOL.lock().take_largest();
    if let Some(stack) = &stack {
        // SAFETY: nobody uses a pooled stack.
        unsafe { unmap(stack) };
    }
    stack.is_some()
}

/// Takes a stack back: wiped and pooled, or unmapped if the pool is full.
///
/// # Safety
/// Nobody may run on the stack or hold a pointer into it.
pub unsafe fn give_back(stack: Stack) {
    // SAFETY: the stack's pages are writable, and nobody uses them, as the caller promises.
    unsafe { paging::wipe_dirty(stack.range()) };
    #[cfg(feature = "scenarios")]
    look_at(&stack);
    let left_over = POOL.lock().put(stack);
    if let Err(stack) = left_over {
        // SAFETY: as the caller promises.
        unsafe { unmap(&stack) };
    }
}

/// Looks at every word of a stack that was wiped: nothing of its last user may be left. And at how much of the
/// kernel stack was ever used.
#[cfg(feature = "scenarios")]
fn look_at(stack: &Stack) {
    let left = first_word_of(stack.range());
    assert_eq!(left, None, "the stack in slot {} was not wiped", stack.slot);
    let kernel = stack.kernel_range();
    let used = first_word_of(kernel.clone()).map_or(0, |address| kernel.end - address);
    if KERNEL_STACK_USED.fetch_max(used, Relaxed) < used {
        log::info!("host calls: {used} bytes of a kernel stack used so far");
    }
}

/// The most that was ever used of a kernel stack, in bytes.
#[cfg(feature = "scenarios")]
static KERNEL_STACK_USED: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(0);

/// Where the first word of a mapped range is that is not zero.
#[cfg(feature = "scenarios")]
fn first_word_of(range: Range<u64>) -> Option<u64> {
    let mut words = range.step_by(8);
    // SAFETY: the stack is mapped, and nobody uses it.
    words.find(|address| unsafe { *(*address as *const u64) } != 0)
}

/// Stacks that exist, pooled ones included.
#[must_use]
pub fn in_use() -> u32 {
    SLOTS.lock().in_use()
}

/// How large the stack in a slot is, in bytes; 0 for a free slot. Takes no lock.
#[must_use]
pub fn bytes_in(slot: u32) -> u64 {
    BYTES
        .get(slot as usize)
        .map_or(0, |bytes| u64::from(bytes.load(Relaxed)))
}

fn reserve(bytes: u64) -> Option<Stack> {
    let slot = SLOTS.lock().take()?;
    BYTES[slot as usize].store(bytes as u32, Relaxed);
    Some(Stack { slot, bytes })
}

/// Maps a part of a slot that was just reserved. None if there are not enough frames.
fn map(range: Range<u64>) -> Option<()> {
    // SAFETY: the slot was free, so nothing in it is mapped or used.
    let mapped = unsafe {
        paging::map(
            range,
            Access::ReadWrite,
            Caching::WriteBack,
            &mut |_| frames::allocate_for_guest(),
            &mut frames::allocate_table_for_guest,
        )
    };
    mapped.ok()
}

/// # Safety
/// As for [`give_back`]; and the stack must be forgotten afterwards.
unsafe fn unmap(stack: &Stack) {
    #[cfg(feature = "scenarios")]
    // SAFETY: as the caller promises.
    unsafe {
        scenario::unmap_guard(stack);
    }
    for range in [stack.range(), stack.kernel_range()] {
        // SAFETY: nobody uses the range, so its frames are nobody's once they are unmapped.
        unsafe { paging::unmap(range, &mut |frame| frames::release(frame)) };
    }
    BYTES[stack.slot as usize].store(0, Relaxed);
    SLOTS
        .lock()
        .give_back(stack.slot)
        .expect("the slot was taken for this stack");
}
