//! Bodies of requests: contiguous bytes that grow in place, and frames that come back when the request is over.
//!
//! Key type: [`Body`]. What is short lies in the kernel's heap. What is longer moves, once, to a slot of address space of
//! its own, where pages are mapped as bytes arrive: nothing is copied again, and no step does more than what arrived
//! makes it. The frames are refused like those of a guest, never taken of the kernel's reserve. When a body is dropped, they
//! go back a piece at a time ([`give_back_some`]), or as soon as anybody is short of frames (`mm::idle`).
//!
//! Invariant: exactly the first `mapped` bytes of a body's slot are mapped, and nobody else refers to them.

use alloc::vec::Vec;
use core::ops::Deref;

use luge_http::{NoMemory, Storage};
use luge_memory::layout::{self, BODY_SLOTS, MAX_BODY_BYTES};
use luge_memory::returns::Returns;
use luge_memory::slots::SlotMap;

use super::{frames, heap, idle};
use crate::arch::lock::Lock;
use crate::arch::paging::{self, Access, Caching, PAGE_BYTES, TABLE_SPAN};

/// The longest body that lies in the kernel's heap, in bytes.
const SMALL: usize = 4 << 10;
/// How many pages go back in one step, at most: less than 20 µs of work.
const PIECE: u32 = 64;

/// Slots that are taken, those that go back included.
static SLOTS: Lock<SlotMap> = Lock::new(SlotMap::new(BODY_SLOTS));
/// What is still mapped of bodies that are gone.
static RETURNS: Lock<Returns<{ BODY_SLOTS as usize }>> = Lock::new(Returns::none());

/// A body, as far as it has come.
#[derive(Debug, Default)]
pub struct Body {
    /// All of it, while it is short.
    small: Vec<u8>,
    /// All of it, once it is not.
    large: Option<Large>,
}

/// A body in a slot.
#[derive(Debug)]
struct Large {
    slot: u32,
    bytes: usize,
    mapped: u64,
}

impl Deref for Body {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.large.as_ref().map_or(&self.small, Large::bytes)
    }
}

/// Bytes of the kernel's own, which stay in its heap.
impl From<Vec<u8>> for Body {
    fn from(small: Vec<u8>) -> Self {
        Self { small, large: None }
    }
}

impl Storage for Body {
    fn put(&mut self, bytes: &[u8], total: usize) -> Result<(), NoMemory> {
        if self.large.is_none() && self.small.len() + bytes.len() <= SMALL {
            return heap::refusable(|| self.small.put(bytes, total.min(SMALL)));
        }
        if let Some(large) = &mut self.large {
            return large.append(bytes);
        }
        let mut large = Large::new().ok_or(NoMemory)?;
        large.append(&self.small)?;
        large.append(bytes)?;
        *self = Self {
            small: Vec::new(),
            large: Some(large),
        };
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        let large = self.large.as_ref().map(|large| large.mapped as usize);
        large.unwrap_or(self.small.capacity())
    }
}

impl Large {
    fn new() -> Option<Self> {
        let slot = SLOTS.lock().take()?;
        Some(Self {
            slot,
            bytes: 0,
            mapped: 0,
        })
    }

    fn start(&self) -> u64 {
        layout::body_range(self.slot).start
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: so many bytes are mapped and were written, and nobody changes them while they are borrowed.
        unsafe { core::slice::from_raw_parts(self.start() as *const u8, self.bytes) }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), NoMemory> {
        let end = self.bytes + bytes.len();
        self.map_up_to(end as u64)?;
        let to = (self.start() + self.bytes as u64) as *mut u8;
        // SAFETY: it is mapped up to `end`, and a body's slot is nobody else's.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        self.bytes = end;
        Ok(())
    }

    /// Maps as many more pages as `bytes` from the start on need. What was mapped before there were no more frames
    /// stays so.
    fn map_up_to(&mut self, bytes: u64) -> Result<(), NoMemory> {
        let wanted = bytes.next_multiple_of(PAGE_BYTES);
        if wanted > MAX_BODY_BYTES {
            return Err(NoMemory);
        }
        while self.mapped < wanted {
            let start = self.start();
            // SAFETY: the range lies in this body's slot and is not mapped.
            let result = unsafe {
                paging::map(
                    start + self.mapped..start + wanted,
                    Access::ReadWrite,
                    Caching::WriteBack,
                    // Only what was written is ever read.
                    &mut |_| frames::allocate_unwiped_for_guest(),
                    &mut frames::allocate_table_for_guest,
                )
            };
            let mapped_to = result.map_or_else(|error| error.mapped_to, |()| start + wanted);
            self.mapped = mapped_to - start;
            if self.mapped < wanted && !idle::give_up_one() {
                return Err(NoMemory);
            }
        }
        Ok(())
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        match (self.mapped / PAGE_BYTES) as u32 {
            0 => give_back_slot(self.slot),
            pages => RETURNS.lock().push(self.slot, pages),
        }
    }
}

fn give_back_slot(slot: u32) {
    let given_back = SLOTS.lock().give_back(slot);
    given_back.expect("the slot was taken for a body");
}

/// Gives a piece of what bodies left behind back. False if there is nothing.
pub fn give_back_some() -> bool {
    let piece = RETURNS.lock().next_piece(PIECE);
    let Some(piece) = piece else { return false };
    let start = layout::body_range(piece.slot).start;
    let range = start + piece.bytes.start..start + piece.bytes.end;
    // SAFETY: the body is gone, so nobody uses the range.
    unsafe { paging::unmap(range.clone(), &mut |frame| frames::release(frame)) };
    if piece.bytes.start == 0 {
        // Its first table stays, for the next body.
        give_back_slot(piece.slot);
    } else if range.start.is_multiple_of(TABLE_SPAN) {
        // SAFETY: nothing is mapped there any more, and the table maps nothing but this slot.
        unsafe {
            paging::unmap_tables(range.start..range.start + TABLE_SPAN, &mut |frame| {
                frames::release_table(frame);
            });
        }
    }
    true
}

/// Frames that go back.
#[must_use]
pub fn frames_going_back() -> usize {
    RETURNS.lock().pages() as usize
}
