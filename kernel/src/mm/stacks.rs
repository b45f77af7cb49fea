//! Stacks with nothing mapped below them.
//!
//! Every stack lies at the top of a slot of virtual memory of its own (`luge_memory::layout`); the
//! rest of the slot, at least 64 KiB, is never mapped. Stacks of sandboxes are pooled: what was
//! written to is zeroed when a stack comes back, found by the dirty bits of its page table entries,
//! so that a sandbox that used little of it costs little.
//!
//! Invariant: a pooled stack is all zero and clean.

use core::ops::Range;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use luge_memory::layout::{self, MAX_STACK_BYTES, MIN_STACK_BYTES, STACK_SLOTS};
use luge_memory::slots::SlotMap;

use super::frames;
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

struct Pool {
    stacks: [Option<Stack>; POOLED],
    bytes: u64,
}

impl Pool {
    fn take(&mut self, bytes: u64) -> Option<Stack> {
        let fits = |place: &&mut Option<Stack>| place.as_ref().is_some_and(|s| s.bytes == bytes);
        let stack = self.stacks.iter_mut().find(fits)?.take()?;
        self.bytes -= bytes;
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
            Some(place) if self.bytes + stack.bytes <= most => {
                self.bytes += stack.bytes;
                *place = Some(stack);
                Ok(())
            }
            _ => Err(stack),
        }
    }
}

/// A mapped stack, zeroed when it was taken.
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

    /// Where the stack begins to grow down from.
    #[must_use]
    pub fn top(&self) -> u64 {
        self.range().end
    }
}

/// Takes a stack of `bytes` bytes (rounded up to pages, kept within the layout's bounds), from the
/// pool or newly mapped. None when there is no frame or slot for it.
#[must_use]
pub fn take(bytes: u64) -> Option<Stack> {
    let bytes = bytes
        .next_multiple_of(PAGE_BYTES)
        .clamp(MIN_STACK_BYTES, MAX_STACK_BYTES);
    let pooled = POOL.lock().take(bytes);
    pooled.or_else(|| {
        make_room(bytes);
        map_new(bytes)
    })
}

/// Unmaps pooled stacks of other sizes while there are no frames for one of this size.
fn make_room(bytes: u64) {
    while !frames::has_room_for_guest(bytes) {
        let Some(stack) = POOL.lock().take_largest() else {
            return;
        };
        // SAFETY: nobody uses a pooled stack.
        unsafe { unmap(&stack) };
    }
}

/// Takes a stack back: wiped and pooled, or unmapped if the pool is full.
///
/// # Safety
/// Nobody may run on the stack or hold a pointer into it.
pub unsafe fn give_back(stack: Stack) {
    // SAFETY: the stack's pages are writable, and nobody uses them, as the caller promises.
    unsafe { paging::wipe_dirty(stack.range()) };
    if cfg!(feature = "scenarios") {
        assert_wiped(&stack);
    }
    let left_over = POOL.lock().put(stack);
    if let Err(stack) = left_over {
        // SAFETY: as the caller promises.
        unsafe { unmap(&stack) };
    }
}

/// Looks at every word of a stack that was wiped: nothing of its last user may be left.
fn assert_wiped(stack: &Stack) {
    let range = stack.range();
    let words = ((range.end - range.start) / 8) as usize;
    // SAFETY: the stack is mapped, and nobody uses it.
    let words = unsafe { core::slice::from_raw_parts(range.start as *const u64, words) };
    let left = words.iter().position(|word| *word != 0);
    assert_eq!(left, None, "the stack in slot {} was not wiped", stack.slot);
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

fn map_new(bytes: u64) -> Option<Stack> {
    let slot = SLOTS.lock().take()?;
    let stack = Stack { slot, bytes };
    BYTES[slot as usize].store(bytes as u32, Relaxed);
    // SAFETY: the slot was free, so nothing in it is mapped or used.
    let mapped = unsafe {
        paging::map(
            stack.range(),
            Access::ReadWrite,
            Caching::WriteBack,
            &mut |_| frames::allocate_for_guest(),
            &mut frames::allocate_zeroed,
        )
    };
    if mapped.is_err() {
        // SAFETY: nobody has seen the stack yet.
        unsafe { unmap(&stack) };
        return None;
    }
    Some(stack)
}

/// # Safety
/// As for [`give_back`]; and the stack must be forgotten afterwards.
unsafe fn unmap(stack: &Stack) {
    // SAFETY: nobody uses the range, so its frames are nobody's once they are unmapped.
    unsafe { paging::unmap(stack.range(), &mut |frame| frames::release(frame)) };
    BYTES[stack.slot as usize].store(0, Relaxed);
    SLOTS
        .lock()
        .give_back(stack.slot)
        .expect("the slot was taken for this stack");
}
