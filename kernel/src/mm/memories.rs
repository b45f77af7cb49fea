//! Linear memories of native code: address space in slots, pages at the first touch.
//!
//! Key types: [`Memory`] is a slot that a sandbox has; [`Image`] is a module's initial data, shared by
//! all memories made from it until they write to it. [`on_page_missing`] is what the #PF handler asks.
//!
//! What a sandbox may touch of its slot is always a range from the start (*accessible*). Frames for
//! all of it are promised when it becomes so ([`frames::promise`]), so a first touch, be it by the
//! guest or by the kernel on its behalf, always finds one. A slot that comes back is restored and kept
//! for the next sandbox of the same program: what was written to is found by the dirty bits.
//!
//! Invariant: a page that is mapped in a slot is accessible; it is its own frame (writable) or the
//! image's (read-only). In an idle slot every page is as it was before its first write.

mod blank;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem::offset_of;
use core::ops::Range;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed};

use luge_memory::layout::{self, MEMORY_SLOTS};
use luge_memory::slots::SlotMap;
use luge_metrics::PoolMeter;

use super::frames;
use crate::arch::landmarks::Landmark;
use crate::arch::lock::Lock;
use crate::arch::paging::{self, Access, Caching, PAGE_BYTES, TABLE_SPAN};
use crate::arch::traps::Touch;

pub use self::blank::Blank;

/// How many slots are kept ready for the next sandbox of a program.
const IDLE: usize = 64;
/// How much of a slot stays mapped while it is idle, in bytes; the rest is given back.
const KEPT_BYTES: u64 = 2 << 20;

/// Which sandboxes can take over an idle slot: those of the same program, for the same memory of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// Tells programs apart.
    pub program: u64,
    /// Which of the program's memories, in the order in which they are made.
    pub index: u32,
}

static FREE: Lock<SlotMap> = Lock::new(SlotMap::new(MEMORY_SLOTS));
static POOL: Lock<[Option<Idle>; IDLE]> = Lock::new([const { None }; IDLE]);
/// Where in the pool the next slot is given up for a newer one, when there is no empty place.
static OLDEST: AtomicU64 = AtomicU64::new(0);

/// What the #PF handler must know of a slot. Changed by the slot's owner only, who is not running
/// while the handler is.
struct Slot {
    /// Bytes from the start that may be touched.
    accessible: AtomicU64,
    /// Pages of them that have a frame of their own.
    own_pages: AtomicU64,
    /// What lies there at first; null means zeroes.
    image: AtomicPtr<Image>,
    /// Where the image begins, in bytes from the start.
    image_start: AtomicU64,
}

static SLOTS: [Slot; MEMORY_SLOTS as usize] = [const {
    Slot {
        accessible: AtomicU64::new(0),
        own_pages: AtomicU64::new(0),
        image: AtomicPtr::new(null_mut()),
        image_start: AtomicU64::new(0),
    }
}; MEMORY_SLOTS as usize];

/// The linear memories of native code, for a debugger.
pub const LANDMARKS: &[Landmark] = &[
    Landmark::place("memories", &raw const SLOTS),
    Landmark::number("memories.bytes", size_of::<Slot>() as u64),
    Landmark::field("memory.accessible", offset_of!(Slot, accessible)),
    Landmark::field("memory.own_pages", offset_of!(Slot, own_pages)),
];

/// Initial data of a memory, page by page.
pub struct Image {
    frames: Vec<u64>,
}

/// A slot that nobody uses, restored. Nothing of it is accessible.
struct Idle {
    number: u32,
    for_use: Use,
}

/// A slot in use. Comes back by [`Memory::give_back`].
#[derive(Debug)]
pub struct Memory {
    slot: u32,
    /// Who can have the slot next; None if it is no more what that sandbox expects.
    for_use: Option<Use>,
    /// How much was accessible at first, in bytes: as much stays mapped for the next sandbox.
    initial: u64,
}

/// Why a memory cannot be as it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryError {
    /// All slots are in use.
    NoSlot,
    /// There are not enough frames.
    NoFrames,
    /// The range is not in the slot, or does not begin where the accessible part ends.
    BadRange,
}

impl Image {
    /// Copies `data`, whose length must be a whole number of pages. None if there is no memory.
    #[must_use]
    pub fn new(data: &[u8]) -> Option<Box<Self>> {
        let mut image = Box::new(Self { frames: Vec::new() });
        for page in data.chunks(PAGE_BYTES as usize) {
            let frame = frames::allocate_zeroed()?;
            image.frames.push(frame);
            let bytes = paging::physical_to_virtual(frame);
            // SAFETY: the frame is ours, and a page is at most a frame long.
            unsafe { bytes.copy_from_nonoverlapping(page.as_ptr(), page.len()) };
        }
        Some(image)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let me = core::ptr::from_mut(self);
        while let Some(idle) = take_idle(|idle| idle.slot().image.load(Relaxed) == me) {
            idle.forget();
        }
        for frame in &self.frames {
            // SAFETY: idle slots that mapped the frame are gone, and a sandbox in which it is mapped
            // keeps the program alive whose image this is.
            unsafe { frames::release(*frame) };
        }
    }
}

impl Slot {
    fn pages(&self) -> u64 {
        self.accessible.load(Relaxed) / PAGE_BYTES
    }

    /// Frames that are promised and not yet there.
    fn open_promises(&self) -> u64 {
        self.pages().saturating_sub(self.own_pages.load(Relaxed))
    }

    /// The frame that a page of the image has, by its distance from the start of the slot's memory.
    fn image_frame(&self, offset: u64) -> Option<u64> {
        // SAFETY: null, or an image that lives at least as long as a slot refers to it: a sandbox keeps
        // its program alive, and a dropped image takes its idle slots with it.
        let image = unsafe { self.image.load(Relaxed).as_ref() }?;
        let offset = offset.checked_sub(self.image_start.load(Relaxed))?;
        image.frames.get((offset / PAGE_BYTES) as usize).copied()
    }
}

/// How often a linear memory of the same program was in the pool.
pub static TAKES: PoolMeter = PoolMeter::new();

impl Memory {
    /// A slot, with nothing accessible; if there is one that a sandbox of the same program left, that.
    ///
    /// # Errors
    /// [`MemoryError::NoSlot`].
    pub fn take(for_use: Use) -> Result<Self, MemoryError> {
        let idle = take_idle(|idle| idle.for_use == for_use);
        TAKES.asked(idle.is_some());
        let slot = match idle {
            Some(idle) => idle.number,
            None => take_free().ok_or(MemoryError::NoSlot)?,
        };
        Ok(Self {
            slot,
            for_use: Some(for_use),
            initial: 0,
        })
    }

    /// All its address space, guards included.
    #[must_use]
    pub fn span(&self) -> Range<u64> {
        layout::memory_slot(self.slot)
    }

    fn slot(&self) -> &'static Slot {
        &SLOTS[self.slot as usize]
    }

    /// Makes `range` accessible, which must begin where the accessible part ends, or before.
    ///
    /// # Errors
    /// [`MemoryError`]; nothing has changed then.
    pub fn expose(&mut self, range: Range<u64>) -> Result<(), MemoryError> {
        let (space, slot) = (layout::memory_range(self.slot), self.slot());
        let accessible = slot.accessible.load(Relaxed);
        if range.start < space.start
            || range.start > space.start + accessible
            || range.end > space.end
        {
            return Err(MemoryError::BadRange);
        }
        let wanted = (range.end - space.start).next_multiple_of(PAGE_BYTES);
        if wanted <= accessible {
            return Ok(());
        }
        let own = slot.own_pages.load(Relaxed);
        let open = (wanted / PAGE_BYTES).saturating_sub(own);
        if !promise(open - slot.open_promises()) {
            return Err(MemoryError::NoFrames);
        }
        slot.accessible.store(wanted, Relaxed);
        if accessible == 0 {
            self.initial = wanted;
        }
        Ok(())
    }

    /// Lets `image` be what lies at `start` at first.
    ///
    /// # Errors
    /// [`MemoryError::BadRange`] if it does not fit into what is accessible, or if something else was
    /// there already.
    ///
    /// # Safety
    /// The image must live as long as the sandbox that has this memory.
    pub unsafe fn set_image(&mut self, start: u64, image: &Image) -> Result<(), MemoryError> {
        let (space, slot) = (layout::memory_range(self.slot), self.slot());
        let bytes = image.frames.len() as u64 * PAGE_BYTES;
        let accessible = space.start + slot.accessible.load(Relaxed);
        let fits = space.start <= start && start + bytes <= accessible;
        if !fits || !start.is_multiple_of(PAGE_BYTES) {
            return Err(MemoryError::BadRange);
        }
        let offset = start - space.start;
        let image = core::ptr::from_ref(image).cast_mut();
        let same = slot.image.load(Relaxed) == image && slot.image_start.load(Relaxed) == offset;
        if !same && slot.own_pages.load(Relaxed) > 0 {
            return Err(MemoryError::BadRange);
        }
        slot.image.store(image, Relaxed);
        slot.image_start.store(offset, Relaxed);
        Ok(())
    }

    /// Makes the first `bytes` accessible.
    ///
    /// # Errors
    /// As [`Self::expose`].
    pub fn expose_first(&mut self, bytes: u64) -> Result<(), MemoryError> {
        let start = layout::memory_range(self.slot).start;
        self.expose(start..start + bytes)
    }

    /// How much is accessible, in bytes.
    #[must_use]
    pub fn exposed(&self) -> u64 {
        self.slot().accessible.load(Relaxed)
    }

    /// How much more is accessible once all up to `end` is, in bytes.
    #[must_use]
    pub fn growth(&self, end: u64) -> u64 {
        let wanted = end.saturating_sub(layout::memory_range(self.slot).start);
        wanted
            .next_multiple_of(PAGE_BYTES)
            .saturating_sub(self.exposed())
    }

    /// Frames that it has for itself.
    #[must_use]
    pub fn own_frames(&self) -> u64 {
        self.slot().own_pages.load(Relaxed)
    }

    /// Whether nothing was written to since the slot was taken.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        let start = layout::memory_range(self.slot).start;
        let mut untouched = true;
        paging::for_each_dirty(start..start + self.exposed(), &mut |_, _| untouched = false);
        untouched
    }

    /// Restores the slot, with nothing of it accessible, for the next sandbox of the same arena.
    ///
    /// # Safety
    /// The sandbox that had it must never run again.
    pub unsafe fn park(&self) {
        let (space, slot) = (layout::memory_range(self.slot), self.slot());
        let end = space.start + slot.accessible.load(Relaxed);
        frames::take_back_promise(slot.open_promises() as usize);
        slot.accessible.store(0, Relaxed);
        let kept = end.min(space.start + self.initial.min(KEPT_BYTES));
        slot.unmap(kept..end, space.start);
        slot.restore(space.start..kept, space.start);
    }

    /// Restores the slot and keeps it for the next sandbox of the same program.
    ///
    /// # Safety
    /// As for [`Self::park`].
    pub unsafe fn give_back(self) {
        // SAFETY: as the caller promises.
        unsafe { self.park() };
        let number = self.slot;
        match self.for_use.map(|for_use| keep(Idle { number, for_use })) {
            Some(Some(older)) => older.forget(),
            Some(None) => {}
            None => forget(number),
        }
    }

    /// Gives the slot and all its frames back.
    ///
    /// # Safety
    /// As for [`Self::park`].
    pub unsafe fn give_up(self) {
        // SAFETY: as the caller promises.
        unsafe { self.park() };
        forget(self.slot);
    }
}

impl Idle {
    fn slot(&self) -> &'static Slot {
        &SLOTS[self.number as usize]
    }

    fn forget(self) {
        forget(self.number);
    }
}

/// Unmaps all of a restored slot and gives it back.
fn forget(number: u32) {
    let (start, slot) = (layout::memory_range(number).start, &SLOTS[number as usize]);
    slot.unmap(start..start + KEPT_BYTES, start);
    slot.image.store(null_mut(), Relaxed);
    FREE.lock()
        .give_back(number)
        .expect("the slot was taken when it was first used");
}

/// The #PF handler: maps the page of `address` if it may be touched so. False if it may not.
///
/// # Panics
/// When there is no frame for a page that was promised: the kernel has used up its reserve.
pub fn on_page_missing(address: u64, touch: Touch) -> bool {
    let Some(number) = layout::memory_of(address) else {
        return false;
    };
    let (space, slot) = (layout::memory_range(number), &SLOTS[number as usize]);
    let page = address & !(PAGE_BYTES - 1);
    let is_accessible = |offset: &u64| *offset < slot.accessible.load(Relaxed);
    let Some(offset) = page.checked_sub(space.start).filter(is_accessible) else {
        return false;
    };
    let image = slot.image_frame(offset);
    match (paging::mapping_of(page), touch, image) {
        (None, Touch::Read, Some(frame)) => map(page, frame, Access::ReadOnly),
        (None, _, _) => slot.map_own(page, image),
        (Some((_, Access::ReadOnly)), Touch::Write, Some(_)) => {
            // SAFETY: the page is mapped again at once, with the same bytes; its frame is the image's.
            unsafe { paging::unmap(page..page + PAGE_BYTES, &mut |_| ()) };
            slot.map_own(page, image);
        }
        // It is there, and may not be touched so: executed, for instance.
        (Some(_), _, _) => return false,
    }
    true
}

impl Slot {
    /// Maps a frame of its own at `page`, with the bytes of the image's, or zeroes.
    fn map_own(&self, page: u64, image: Option<u64>) {
        let frame = frames::allocate_promised(|bytes| fill(bytes, image))
            .expect("the kernel's reserve keeps promised frames");
        self.own_pages.fetch_add(1, Relaxed);
        map(page, frame, Access::ReadWrite);
    }

    /// Makes every page of `range` as it was before it was written to.
    fn restore(&self, range: Range<u64>, start: u64) {
        paging::take_dirty(range, &mut |page, frame| {
            // SAFETY: a page that was written to has a frame of its own, which is RAM; nobody uses it.
            let bytes = unsafe { &mut *paging::physical_to_virtual(frame).cast() };
            fill(bytes, self.image_frame(page - start));
        });
    }

    /// Unmaps `range`, of which nobody may touch anything any more.
    fn unmap(&self, range: Range<u64>, start: u64) {
        let mut release_page = |page: u64, frame: u64| {
            if self.image_frame(page - start) != Some(frame) {
                self.own_pages.fetch_sub(1, Relaxed);
                // SAFETY: the page had the frame for itself, and is unmapped.
                unsafe { frames::release(frame) };
            }
        };
        // SAFETY: nobody touches the range.
        unsafe { paging::unmap_pages(range.clone(), &mut release_page) };
        let tables =
            range.start.next_multiple_of(TABLE_SPAN)..range.end.next_multiple_of(TABLE_SPAN);
        if !tables.is_empty() {
            // SAFETY: the range ends where the slot's mapped part does, so these tables map nothing any
            // more; they came from the frames.
            unsafe { paging::unmap_tables(tables, &mut |table| frames::release_table(table)) };
        }
    }
}

fn fill(bytes: &mut [u8; PAGE_BYTES as usize], image: Option<u64>) {
    match image {
        // SAFETY: an image's frames are RAM and are never written to once the image is made.
        Some(frame) => bytes.copy_from_slice(unsafe {
            &*paging::physical_to_virtual(frame).cast::<[u8; PAGE_BYTES as usize]>()
        }),
        None => bytes.fill(0),
    }
}

fn map(page: u64, frame: u64, access: Access) {
    // SAFETY: the page is not mapped; the frame is its own, or the image's and read-only.
    let mapped = unsafe {
        paging::map(
            page..page + PAGE_BYTES,
            access,
            Caching::WriteBack,
            &mut |_| Some(frame),
            &mut frames::allocate_table,
        )
    };
    mapped.expect("the kernel's reserve has frames for page tables");
}

/// Promises `pages` frames, at the cost of idle slots if need be.
fn promise(pages: u64) -> bool {
    while !frames::promise(pages as usize) {
        if !give_up_one() {
            return false;
        }
    }
    true
}

/// Gives up an idle slot. False if there is none.
pub fn give_up_one() -> bool {
    take_idle(|_| true).map(Idle::forget).is_some()
}

fn take_free() -> Option<u32> {
    let free = || FREE.lock().take();
    free().or_else(|| {
        take_idle(|_| true)?.forget();
        free()
    })
}

fn take_idle(is_wanted: impl Fn(&Idle) -> bool) -> Option<Idle> {
    POOL.lock()
        .iter_mut()
        .find(|place| place.as_ref().is_some_and(&is_wanted))?
        .take()
}

/// Puts `idle` into the pool. Returns one that had to make room.
fn keep(idle: Idle) -> Option<Idle> {
    let mut pool = POOL.lock();
    let empty = pool.iter().position(Option::is_none);
    let place = empty.unwrap_or_else(|| OLDEST.fetch_add(1, Relaxed) as usize % IDLE);
    pool[place].replace(idle)
}

/// (slots that sandboxes have, idle slots)
#[must_use]
pub fn counts() -> (u32, u32) {
    let idle = POOL.lock().iter().flatten().count() as u32;
    (FREE.lock().in_use() - idle, idle)
}
