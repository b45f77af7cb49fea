//! What one sandbox allocates: a heap in virtual memory of its own, dropped whole.
//!
//! Ending a sandbox jumps away from its frames, so no destructor of it may matter: all of its memory
//! comes from here and goes at once. Small objects lie in a `linked_list_allocator` heap that grows
//! with demand; large ones (linear memories above all) each have a range of their own, so that they
//! can grow in place and never leave holes.
//!
//! Invariant: an arena is touched only by the sandbox that runs on it, or, when that will never run
//! again, by the dispatcher that drops it. So it needs no lock; but a sandbox is not ended in the
//! middle of a change to it ([`Critical`]), or the books would not say what is mapped.

mod linear;
pub mod parked;
mod small;
mod snapshot;

use alloc::boxed::Box;
use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::mem::offset_of;
use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering::Relaxed};

use luge_memory::layout::{self, ARENA_LARGE_RANGES, ARENA_PART_BYTES, ARENA_SLOTS};
use luge_memory::shares::Holder;
use luge_memory::slots::SlotMap;

use self::small::Small;
use self::snapshot::Snapshot;
use super::charged::Charged;
use super::promised::Promised;
use super::{frames, idle};
use crate::arch::landmarks::Landmark;
use crate::arch::lock::{Critical, Lock};
use crate::arch::paging::{self, Access, Caching, PAGE_BYTES, TABLE_SPAN};

/// Requests from this size on, in bytes, get a range of their own.
pub(super) const LARGE: usize = 64 << 10;
/// How much the heap of small objects grows by, in bytes.
const GROWTH: u64 = 32 << 10;
/// How much of a large block is mapped and zeroed in one go, in bytes. In between the sandbox can be
/// preempted, and ended.
const STRETCH: u64 = 128 << 10;

/// How many slots keep the first [`GROWTH`] bytes of their heap mapped while nobody has them. Slots are
/// taken from the lowest on, so these are those that are used most.
const KEEPING: usize = 64;

/// Which slots do, all zero and clean.
static KEPT: [AtomicBool; KEEPING] = [const { AtomicBool::new(false) }; KEEPING];

static SLOTS: Lock<SlotMap> = Lock::new(SlotMap::new(ARENA_SLOTS));
/// How many slots are taken for programs.
static FOR_GOOD: AtomicU32 = AtomicU32::new(0);

/// Which arena is in which slot, for releases by address.
static BY_SLOT: [AtomicPtr<Arena>; ARENA_SLOTS as usize] =
    [const { AtomicPtr::new(core::ptr::null_mut()) }; ARENA_SLOTS as usize];

/// One sandbox's memory.
pub struct Arena {
    slot: u32,
    is_for_good: bool,
    limit: AtomicU64,
    has_refused: AtomicBool,
    inner: UnsafeCell<Inner>,
}

struct Inner {
    heap: Small,
    /// How much of the heap's range is mapped.
    heap_bytes: u64,
    /// How much of each large range is mapped; 0 means free.
    large_bytes: [u64; ARENA_LARGE_RANGES as usize],
    /// The most that each large range ever had: that far there are page tables.
    most_large_bytes: [u64; ARENA_LARGE_RANGES as usize],
    /// The sum of all that is mapped.
    mapped: u64,
    /// The same, what is accessible of linear memories, and the sandbox's stack, as its tenant's.
    charged: Charged,
    /// Frames for what is still to be mapped, up to `covered` in all.
    promised: Promised,
    /// How much may be mapped without anybody being asked for a frame, in bytes.
    covered: u64,
    /// Linear memories of native code. Their size is limited by the engine, not by the arena.
    memories: linear::Memories,
    /// Which program runs, so that it can have the memories that it had before. 0 is none.
    program: u64,
    /// What the arena was when the program had been instantiated, if it is to be that again.
    snapshot: Option<Snapshot>,
    /// Whether there ever was a snapshot. Then a clean page need not be a page of zeroes.
    was_copied: bool,
}

/// The arenas, for a debugger.
pub const LANDMARKS: &[Landmark] = &[
    Landmark::place("arenas.of_memories", &raw const linear::HOLDERS),
    Landmark::field("arena.slot", offset_of!(Arena, slot)),
    Landmark::field("arena.limit", offset_of!(Arena, limit)),
    Landmark::field("arena.mapped", INNER + offset_of!(Inner, mapped)),
    Landmark::field("arena.heap_bytes", INNER + offset_of!(Inner, heap_bytes)),
    Landmark::field("arena.large_bytes", INNER + offset_of!(Inner, large_bytes)),
];
const INNER: usize = offset_of!(Arena, inner);

// SAFETY: an arena is used by one context at a time, as the module's invariant says.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

impl Arena {
    /// An arena that maps at most `limit` bytes, for a sandbox of `program`, a number that no other program
    /// has; 0 is none. If such a sandbox left one with its instance in it, that. Its memory counts as `tenant`'s, and with it
    /// `beside` bytes, of the sandbox's stack. None when there is no slot, or no memory for an instance.
    #[must_use]
    pub fn take(
        limit: u64,
        program: u64,
        (tenant, beside): (Option<Holder>, u64),
    ) -> Option<Box<Self>> {
        if let Some(mut arena) = parked::take(program, limit).filter(|_| program != 0)
            && tenant.is_none_or(|tenant| arena.charge_to(tenant, beside))
            && arena.unpark()
        {
            return Some(arena);
        }
        let mut arena = parked::or_without(|| Self::new(limit, program, SlotMap::take))?;
        let may_have = tenant.is_none_or(|tenant| arena.charge_to(tenant, beside));
        may_have.then_some(arena)
    }

    /// Counts what it has, and so many bytes that are taken beside, as a tenant's. False if there is not so much for it.
    #[inline(never)]
    fn charge_to(&mut self, tenant: Holder, beside: u64) -> bool {
        let inner = self.inner.get_mut();
        let snapshot = inner.snapshot.as_ref();
        let exposed = snapshot.map_or(0, |snapshot| linear::bytes(snapshot.exposed()));
        inner.charged = Charged::to(tenant);
        inner.charged.taken(beside);
        inner.charged.more(inner.mapped + exposed)
    }

    /// An arena that maps at most `limit` bytes, for a program that is made in it and may stay there for good. The
    /// low slots, which keep something mapped for whoever comes next, are left to requests.
    #[must_use]
    pub fn take_for_good(limit: u64) -> Option<Box<Self>> {
        let mut arena = parked::or_without(|| Self::new(limit, 0, SlotMap::take_highest))?;
        arena.is_for_good = true;
        FOR_GOOD.fetch_add(1, Relaxed);
        Some(arena)
    }

    fn new(limit: u64, program: u64, take: fn(&mut SlotMap) -> Option<u32>) -> Option<Box<Self>> {
        let slot = take(&mut SLOTS.lock())?;
        let (heap, heap_bytes) = take_kept_heap(slot).unwrap_or((Small::EMPTY, 0));
        let inner = Inner {
            heap,
            heap_bytes,
            large_bytes: [0; ARENA_LARGE_RANGES as usize],
            most_large_bytes: [0; ARENA_LARGE_RANGES as usize],
            mapped: heap_bytes,
            charged: Charged::NOBODYS,
            promised: Promised::NONE,
            covered: 0,
            memories: linear::NONE,
            program,
            snapshot: None,
            was_copied: false,
        };
        let arena = Box::new(Self {
            slot,
            is_for_good: false,
            limit: AtomicU64::new(limit),
            has_refused: AtomicBool::new(false),
            inner: UnsafeCell::new(inner),
        });
        BY_SLOT[slot as usize].store(core::ptr::from_ref(&*arena).cast_mut(), Relaxed);
        Some(arena)
    }

    /// The number of its slot, which no other arena has while this one is there.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.slot
    }

    fn limit(&self) -> u64 {
        self.limit.load(Relaxed)
    }

    /// It maps at most `bytes` from now on. What is mapped beyond that stays so.
    pub fn limit_to(&self, bytes: u64) {
        self.limit.store(bytes, Relaxed);
    }

    /// Has the frames that are `promised` be for what is mapped next.
    pub fn cover_with(&self, promised: Promised) {
        let _critical = Critical::enter();
        // SAFETY: only the sandbox that runs on the arena calls, and the reference ends here.
        let inner = unsafe { &mut *self.inner.get() };
        inner.promised = promised;
        inner.covered = inner.mapped + inner.promised.bytes();
    }

    /// Has frames for `bytes` more than are mapped promised. False if there are not so many.
    #[must_use]
    pub fn cover(&self, bytes: u64) -> bool {
        let _critical = Critical::enter();
        // SAFETY: only the sandbox that runs on the arena calls, and the reference ends here.
        let inner = unsafe { &mut *self.inner.get() };
        let is_promised = inner.promised.grow_to(bytes);
        inner.covered = inner.mapped + inner.promised.bytes();
        is_promised
    }

    /// Whatever was promised for what is not mapped is anybody's.
    pub fn uncover(&mut self) {
        let inner = self.inner.get_mut();
        inner.covered = 0;
        inner.promised = Promised::NONE;
    }

    /// Bytes that are mapped. To be asked when no sandbox runs on it any more.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        // SAFETY: nobody runs on it, so nobody changes it; the reference ends here.
        unsafe { (*self.inner.get()).mapped }
    }

    /// An allocation was refused, for the arena's limit or for want of memory.
    pub(super) fn note_refusal(&self) {
        self.has_refused.store(true, Relaxed);
    }

    /// Whether an allocation was ever refused.
    #[must_use]
    pub fn has_refused(&self) -> bool {
        self.has_refused.load(Relaxed)
    }

    /// The instance that a sandbox of the same program made here.
    #[must_use]
    pub fn instance(&self) -> Option<NonNull<()>> {
        // SAFETY: only the sandbox that runs on the arena asks, and the reference ends here.
        let inner = unsafe { &*self.inner.get() };
        inner.snapshot.as_ref().map(Snapshot::instance)
    }

    /// Has the arena be for later sandboxes of the program what it is now, with `instance` in it, if that can
    /// be. To be called inside the gate, before anything of the guest's has run.
    ///
    /// # Safety
    /// Only the sandbox that runs on this arena may call. What lies in the arena must not refer to anything
    /// that will be gone or changed when a later sandbox of the same program runs.
    pub unsafe fn keep_instance(&self, instance: NonNull<()>) {
        // SAFETY: the caller is the only one that touches the arena.
        let inner = unsafe { &mut *self.inner.get() };
        if inner.program != 0 {
            inner.snapshot = Snapshot::of(inner, self.slot, instance);
            inner.was_copied |= inner.snapshot.is_some();
        }
    }

    /// Parks the arena for the next sandbox of the same program, or drops it.
    ///
    /// # Safety
    /// The sandbox that ran on it must never run again.
    pub unsafe fn retire(mut self: Box<Self>) {
        self.inner.get_mut().charged.end();
        if self.restore() {
            parked::put(self);
        }
    }

    /// Makes the arena what its snapshot says. False if there is none.
    fn restore(&mut self) -> bool {
        let Some(snapshot) = self.inner.get_mut().snapshot.take() else {
            return false;
        };
        let inner = self.inner.get_mut();
        if !linear::are_those(&inner.memories, snapshot.exposed()) {
            return false;
        }
        for (index, bytes) in inner.large_bytes.iter().enumerate() {
            let start = layout::arena_large_range(self.slot, index as u32).start;
            unmap(start + snapshot.large_bytes(index as u32)..start + bytes);
        }
        let heap = layout::arena_heap_range(self.slot).start;
        unmap(heap + snapshot.heap_bytes()..heap + inner.heap_bytes);
        snapshot.restore(inner, self.slot);
        // SAFETY: the caller of `retire` promises that the sandbox will not run again.
        unsafe { linear::park(&inner.memories) };
        inner.snapshot = Some(snapshot);
        true
    }

    /// Makes linear memories accessible again. False if there is no memory for that.
    fn unpark(&mut self) -> bool {
        let Inner {
            memories, snapshot, ..
        } = self.inner.get_mut();
        let exposed = snapshot.as_ref().map(Snapshot::exposed);
        exposed.is_some_and(|exposed| linear::unpark(memories, exposed).is_ok())
    }

    fn program(&self) -> u64 {
        // SAFETY: the number never changes.
        unsafe { (*self.inner.get()).program }
    }

    /// Linear memories of the parked arena.
    fn memories(&self) -> u32 {
        // SAFETY: a parked arena is nobody's, and only the pool asks.
        let inner = unsafe { &*self.inner.get() };
        inner.memories.iter().flatten().count() as u32
    }

    /// Frames that are the parked arena's own.
    fn frames(&self) -> u64 {
        // SAFETY: a parked arena is nobody's, and only the pool asks.
        let inner = unsafe { &*self.inner.get() };
        let copies = inner.snapshot.as_ref().map_or(0, Snapshot::frames);
        inner.mapped / PAGE_BYTES + copies + linear::frames(&inner.memories)
    }

    /// Allocates. Memory of large requests is zeroed. Null when the limit or memory is reached.
    ///
    /// # Safety
    /// Only the sandbox that runs on this arena may call.
    pub(super) unsafe fn allocate(&self, layout: Layout) -> *mut u8 {
        let critical = Critical::enter();
        // SAFETY: the caller is the only one that touches the arena.
        let inner = unsafe { &mut *self.inner.get() };
        if layout.size() >= LARGE
            && layout.align() as u64 <= PAGE_BYTES
            && let Some(block) = self.allocate_large(inner, layout.size(), &critical)
        {
            return block;
        }
        self.allocate_small(inner, layout)
            .map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    /// Whether a block that was just allocated is known to be zero: large ones are, being freshly
    /// mapped.
    pub(super) fn is_fresh(&self, block: NonNull<u8>) -> bool {
        self.large_at(block).is_some()
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// As [`Self::allocate`]; `block` must be from this arena with this layout and unused.
    pub(super) unsafe fn release(&self, block: NonNull<u8>, layout: Layout) {
        let _critical = Critical::enter();
        // SAFETY: as in `allocate`.
        let inner = unsafe { &mut *self.inner.get() };
        match self.large_at(block) {
            Some(index) => self.shrink_large(inner, index, 0),
            // SAFETY: what is in no large range is from the heap, with this layout.
            None => unsafe { inner.heap.release(block, layout) },
        }
    }

    /// Makes a block with this layout larger or smaller in place. False if it cannot grow there. What a large block gives up
    /// is unmapped.
    ///
    /// # Safety
    /// As [`Self::release`], but the block stays in use.
    pub(super) unsafe fn resize_in_place(
        &self,
        block: NonNull<u8>,
        layout: Layout,
        new_size: usize,
    ) -> bool {
        let critical = Critical::enter();
        // SAFETY: as in `allocate`.
        let inner = unsafe { &mut *self.inner.get() };
        let Some(index) = self.large_at(block) else {
            return inner.heap.resize_last(block, layout, new_size);
        };
        let new = (new_size as u64).next_multiple_of(PAGE_BYTES);
        if new < inner.large_bytes[index as usize] {
            self.shrink_large(inner, index, new);
            return true;
        }
        self.extend_large(inner, index, new_size, &critical)
            .is_some()
    }

    fn allocate_large(
        &self,
        inner: &mut Inner,
        size: usize,
        critical: &Critical,
    ) -> Option<*mut u8> {
        let index = inner.large_bytes.iter().position(|bytes| *bytes == 0)? as u32;
        if self.extend_large(inner, index, size, critical).is_none() {
            self.shrink_large(inner, index, 0);
            return None;
        }
        Some(layout::arena_large_range(self.slot, index).start as *mut u8)
    }

    /// Maps a large block up to `size`, or leaves it as it was.
    fn extend_large(
        &self,
        inner: &mut Inner,
        index: u32,
        size: usize,
        critical: &Critical,
    ) -> Option<()> {
        let range = layout::arena_large_range(self.slot, index);
        let old = inner.large_bytes[index as usize];
        let new = (size as u64).next_multiple_of(PAGE_BYTES);
        if new > range.end - range.start || inner.mapped + new.saturating_sub(old) > self.limit() {
            return None;
        }
        let mut mapped = old;
        while mapped < new {
            let stretch = STRETCH.min(new - mapped);
            let start = range.start + mapped;
            if self.map(inner, start..start + stretch).is_none() {
                self.shrink_large(inner, index, old);
                return None;
            }
            mapped += stretch;
            inner.large_bytes[index as usize] = mapped;
            let most = &mut inner.most_large_bytes[index as usize];
            *most = mapped.max(*most);
            critical.breathe();
        }
        Some(())
    }

    fn shrink_large(&self, inner: &mut Inner, index: u32, to: u64) {
        let range = layout::arena_large_range(self.slot, index);
        let covered = inner
            .snapshot
            .as_ref()
            .map(|snapshot| snapshot.large_bytes(index));
        if covered.is_some_and(|bytes| to < bytes) {
            // What is unmapped now is not what it was when it is mapped again.
            inner.snapshot = None;
        }
        let from = core::mem::replace(&mut inner.large_bytes[index as usize], to);
        unmap(range.start + to..range.start + from);
        inner.mapped -= from - to;
        inner.charged.less(from - to);
        inner.cover_again();
    }

    fn allocate_small(&self, inner: &mut Inner, layout: Layout) -> Option<NonNull<u8>> {
        if let Some(block) = inner.heap.allocate(layout) {
            return Some(block);
        }
        let wanted = (layout.size() + layout.align()) as u64;
        let growth = wanted.max(GROWTH).next_multiple_of(PAGE_BYTES);
        let range = layout::arena_heap_range(self.slot);
        let start = range.start + inner.heap_bytes;
        if growth > range.end - start {
            return None;
        }
        self.map(inner, start..start + growth)?;
        inner.heap_bytes += growth;
        // SAFETY: the range was just mapped for this heap alone, and follows what the heap has.
        unsafe { inner.heap.add(start..start + growth) };
        inner.heap.allocate(layout)
    }

    /// Maps all of `range`, or nothing.
    fn map(&self, inner: &mut Inner, range: Range<u64>) -> Option<()> {
        let bytes = range.end - range.start;
        if inner.mapped + bytes > self.limit() || !inner.charged.more(bytes) {
            return None;
        }
        let promised = &mut inner.promised;
        // SAFETY: the range lies in this arena's slot and is not mapped.
        let result = unsafe {
            paging::map(
                range.clone(),
                Access::ReadWrite,
                Caching::WriteBack,
                &mut |_| {
                    let frame = promised.take_frame();
                    frame.or_else(|| idle::or_without(frames::allocate_for_guest))
                },
                &mut frames::allocate_table,
            )
        };
        if let Err(error) = result {
            unmap(range.start..error.mapped_to);
            inner.charged.less(bytes);
            inner.cover_again();
            return None;
        }
        inner.mapped += bytes;
        Some(())
    }

    fn large_at(&self, block: NonNull<u8>) -> Option<u32> {
        let address = block.as_ptr() as u64;
        let offset = address.checked_sub(layout::arena_range(self.slot).start)?;
        let part = u32::try_from(offset / ARENA_PART_BYTES).ok()?;
        let index = part
            .checked_sub(1)
            .filter(|index| *index < ARENA_LARGE_RANGES)?;
        (layout::arena_large_range(self.slot, index).start == address).then_some(index)
    }
}

impl Inner {
    /// What was promised and has been unmapped again may still be mapped without anybody being asked.
    fn cover_again(&mut self) {
        self.promised.keep(self.covered.saturating_sub(self.mapped));
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        if self.is_for_good {
            FOR_GOOD.fetch_sub(1, Relaxed);
        }
        BY_SLOT[self.slot as usize].store(core::ptr::null_mut(), Relaxed);
        let inner = self.inner.get_mut();
        let heap = layout::arena_heap_range(self.slot);
        let kept = if inner.was_copied {
            0
        } else {
            keep_heap(self.slot, inner.heap_bytes)
        };
        unmap(heap.start + kept..heap.start + inner.heap_bytes);
        release_tables(heap.start, inner.heap_bytes);
        for memory in inner.memories.iter_mut().filter_map(Option::take) {
            // SAFETY: the sandbox will not run again.
            unsafe {
                if inner.was_copied {
                    memory.give_up();
                } else {
                    memory.give_back();
                }
            }
        }
        for (index, bytes) in inner.large_bytes.iter().enumerate() {
            if inner.most_large_bytes[index] == 0 {
                continue;
            }
            let start = layout::arena_large_range(self.slot, index as u32).start;
            unmap(start..start + bytes);
            release_tables(start, inner.most_large_bytes[index]);
        }
        SLOTS
            .lock()
            .give_back(self.slot)
            .expect("the slot was taken for this arena");
    }
}

/// The heap that a slot kept, if it did, and its size in bytes.
fn take_kept_heap(slot: u32) -> Option<(Small, u64)> {
    let kept = KEPT.get(slot as usize)?.swap(false, Relaxed);
    kept.then(|| {
        let mut heap = Small::EMPTY;
        let start = layout::arena_heap_range(slot).start;
        // SAFETY: so much of the slot is mapped, and it was kept for whoever takes the slot.
        unsafe { heap.add(start..start + GROWTH) };
        (heap, GROWTH)
    })
}

/// Frames of heaps that slots keep while nobody has them.
pub fn kept_frames() -> usize {
    let kept = KEPT.iter().filter(|kept| kept.load(Relaxed)).count();
    kept * (GROWTH / PAGE_BYTES) as usize
}

/// Wipes the beginning of a heap of which `bytes` are mapped, and keeps it if the slot is one that does.
/// Returns how many bytes stay mapped.
fn keep_heap(slot: u32, bytes: u64) -> u64 {
    let Some(kept) = KEPT.get(slot as usize).filter(|_| bytes >= GROWTH) else {
        return 0;
    };
    let start = layout::arena_heap_range(slot).start;
    // SAFETY: the arena is being dropped, so nobody counts on what was in it.
    unsafe { paging::wipe_dirty(start..start + GROWTH) };
    kept.store(true, Relaxed);
    GROWTH
}

/// Unmaps a range of an arena and frees its frames. The range must be unused: it is called for
/// released blocks and for dropped arenas only.
fn unmap(range: Range<u64>) {
    // SAFETY: nobody uses the range any more, so nobody uses its frames.
    unsafe { paging::unmap(range, &mut |frame| frames::release(frame)) };
}

/// Frees the page tables of a part of an arena that once had `bytes` mapped from `start` on, except
/// the first: most parts never need another, and the slot will be used again.
fn release_tables(start: u64, bytes: u64) {
    let first_to_go = start.next_multiple_of(TABLE_SPAN);
    let end = (start + bytes).next_multiple_of(TABLE_SPAN);
    if first_to_go < end {
        // SAFETY: nothing is mapped there any more, and the tables map nothing but this part.
        unsafe {
            paging::unmap_tables(first_to_go..end, &mut |frame| frames::release_table(frame));
        }
    }
}

/// The arena that `address` belongs to, if it belongs to one that exists.
pub(super) fn owner_of(address: u64) -> Option<&'static Arena> {
    let slot = layout::arena_of(address)?;
    // SAFETY: the pointer is null or that of a boxed arena that has not been dropped.
    unsafe { BY_SLOT[slot as usize].load(Relaxed).as_ref() }
}

/// How many slots there are for requests, those that are taken included.
#[must_use]
pub fn for_requests() -> u32 {
    ARENA_SLOTS - FOR_GOOD.load(Relaxed)
}

/// Arenas that there are, parked ones included.
#[must_use]
pub fn count() -> u32 {
    SLOTS.lock().in_use()
}
