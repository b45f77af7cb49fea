//! What an arena was when its program had been instantiated, and the way back to that.
//!
//! Key type: [`Snapshot`]. Making an instance costs several times what a small function does with it, and
//! comes to the same bytes each time. So it is done once for an arena: what the pages hold then is
//! copied, and after each sandbox the pages that it wrote to, told by their dirty bits, are filled
//! from the copies again. Pages that held only zeroes are not copied.
//!
//! Invariant: while an arena has a snapshot, a page of the ranges that the snapshot covers is mapped, and if
//! its dirty bit is clear, it holds what it held then.

use core::ops::Range;
use core::ptr::NonNull;

use luge_memory::layout::{self, ARENA_LARGE_RANGES};

use super::small::Small;
use super::{Inner, linear};
use crate::arch::paging::{self, PAGE_BYTES, physical_to_virtual};
use crate::mm::frames;

/// An arena that has more than this mapped, in bytes, is not worth keeping.
const MOST_MAPPED: u64 = 4 << 20;

const WORDS: usize = (PAGE_BYTES / 8) as usize;
type Page = [u64; WORDS];

/// A page of the arena and the frame of its copy.
#[derive(Clone, Copy)]
struct Copied {
    page: u64,
    frame: u64,
}

/// As many as fit into a frame.
const MOST_COPIES: usize = PAGE_BYTES as usize / size_of::<Copied>();

/// What an arena was.
pub(super) struct Snapshot {
    instance: NonNull<()>,
    copies: Copies,
    heap: Small,
    heap_bytes: u64,
    large_bytes: [u64; ARENA_LARGE_RANGES as usize],
    mapped: u64,
    exposed: linear::Exposed,
}

/// Copies of pages, by address, lowest first, listed in a frame of their own: none of it is in the kernel's
/// heap, whose level tests compare.
struct Copies {
    list: u64,
    count: usize,
}

impl Copies {
    fn new() -> Option<Self> {
        let list = frames::allocate_for_guest()?;
        Some(Self { list, count: 0 })
    }

    fn list(&self) -> &[Copied] {
        let first = physical_to_virtual(self.list).cast::<Copied>();
        // SAFETY: the frame is ours, aligned, and has `count` entries that `push` wrote.
        unsafe { core::slice::from_raw_parts(first, self.count) }
    }

    /// Copies the page that has `frame`, unless it is all zero. None if there is no room for that.
    fn push(&mut self, page: u64, frame: u64) -> Option<()> {
        // SAFETY: the frame is mapped in the arena, and the arena's sandbox is in the kernel now.
        let bytes = unsafe { words_of(frame) };
        if bytes.iter().all(|word| *word == 0) {
            return Some(());
        }
        if self.count == MOST_COPIES {
            return None;
        }
        let copy = frames::allocate_for_guest()?;
        let place = physical_to_virtual(self.list).cast::<Copied>();
        // SAFETY: the copy's frame is ours and distinct; the list has room for one more entry.
        unsafe {
            words_of(copy).copy_from_slice(bytes);
            place.add(self.count).write(Copied { page, frame: copy });
        }
        self.count += 1;
        Some(())
    }

    fn of(&self, page: u64) -> Option<u64> {
        let list = self.list();
        let place = list.binary_search_by_key(&page, |copied| copied.page);
        place.ok().map(|place| list[place].frame)
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        for copied in self.list() {
            // SAFETY: the copy is this list's alone.
            unsafe { frames::release(copied.frame) };
        }
        // SAFETY: nobody else has the list.
        unsafe { frames::release(self.list) };
    }
}

impl Snapshot {
    /// Of the arena in `slot` as it is now, with the instance that its sandbox has made. None if it is too
    /// large, if there is no memory for it, or if making the instance wrote to a linear memory; then
    /// nothing has changed.
    pub(super) fn of(inner: &Inner, slot: u32, instance: NonNull<()>) -> Option<Self> {
        if inner.mapped > MOST_MAPPED || !linear::are_untouched(&inner.memories) {
            return None;
        }
        let mut copies = Copies::new()?;
        let mut complete = Some(());
        for range in mapped_ranges(slot, inner.heap_bytes, &inner.large_bytes) {
            paging::for_each_dirty(range, &mut |page, frame| {
                complete = complete.and_then(|()| copies.push(page, frame));
            });
        }
        complete?;
        for range in mapped_ranges(slot, inner.heap_bytes, &inner.large_bytes) {
            paging::take_dirty(range, &mut |_, _| ());
        }
        Some(Self {
            instance,
            copies,
            heap: inner.heap.duplicate(),
            heap_bytes: inner.heap_bytes,
            large_bytes: inner.large_bytes,
            mapped: inner.mapped,
            exposed: linear::exposed(&inner.memories),
        })
    }

    /// What the sandbox had made.
    pub(super) fn instance(&self) -> NonNull<()> {
        self.instance
    }

    /// How much of the heap it covers, in bytes.
    pub(super) fn heap_bytes(&self) -> u64 {
        self.heap_bytes
    }

    /// How much of a large range it covers, in bytes.
    pub(super) fn large_bytes(&self, index: u32) -> u64 {
        self.large_bytes[index as usize]
    }

    /// What was accessible of linear memories.
    pub(super) fn exposed(&self) -> &linear::Exposed {
        &self.exposed
    }

    /// Frames that it has itself.
    pub(super) fn frames(&self) -> u64 {
        self.copies.count as u64 + 1
    }

    /// Makes the arena in `slot` as it was, except for its linear memories. What was mapped since then must
    /// have been unmapped.
    pub(super) fn restore(&self, inner: &mut Inner, slot: u32) {
        for range in mapped_ranges(slot, self.heap_bytes, &self.large_bytes) {
            paging::take_dirty(range.clone(), &mut |page, frame| {
                self.restore_page(page, frame)
            });
            if cfg!(feature = "scenarios") {
                self.assert_restored(range);
            }
        }
        inner.heap = self.heap.duplicate();
        inner.heap_bytes = self.heap_bytes;
        inner.large_bytes = self.large_bytes;
        inner.mapped = self.mapped;
    }

    fn restore_page(&self, page: u64, frame: u64) {
        // SAFETY: the arena is nobody's now, and copies are written to by `Copies::push` alone.
        let (bytes, copy) =
            unsafe { (words_of(frame), self.copies.of(page).map(|it| words_of(it))) };
        match copy {
            Some(copy) => bytes.copy_from_slice(copy),
            None => bytes.fill(0),
        }
    }

    /// Looks at every word of `range`.
    fn assert_restored(&self, range: Range<u64>) {
        for page in range.step_by(PAGE_BYTES as usize) {
            let (frame, _) = paging::mapping_of(page).expect("what a snapshot covers stays mapped");
            // SAFETY: as in `restore_page`.
            let (bytes, copy) =
                unsafe { (words_of(frame), self.copies.of(page).map(|it| words_of(it))) };
            let is_restored =
                copy.map_or_else(|| bytes.iter().all(|word| *word == 0), |copy| bytes == copy);
            assert!(is_restored, "the page at {page:#x} is not what it was");
        }
    }
}

/// # Safety
/// `frame` must be RAM, and nobody may write to it while the reference lives, nor read if it is written to.
unsafe fn words_of<'a>(frame: u64) -> &'a mut Page {
    // SAFETY: as the caller promises; a frame is aligned.
    unsafe { &mut *physical_to_virtual(frame).cast() }
}

/// What is mapped of the arena in `slot`, lowest first.
fn mapped_ranges(
    slot: u32,
    heap_bytes: u64,
    large_bytes: &[u64; ARENA_LARGE_RANGES as usize],
) -> impl Iterator<Item = Range<u64>> {
    let heap = layout::arena_heap_range(slot).start;
    let large = large_bytes.iter().zip(0..).map(move |(bytes, index)| {
        let start = layout::arena_large_range(slot, index).start;
        start..start + bytes
    });
    core::iter::once(heap..heap + heap_bytes)
        .chain(large)
        .filter(|range| !range.is_empty())
}
