//! Small blocks of an arena: the heap that they come from.
//!
//! Key type: [`Small`]. Most sandboxes end before they have released much, so blocks are cut off the front
//! of memory that nobody has had yet, in order, and only what was released is looked for in a list.
//!
//! Invariant: `list` covers all that was ever handed to it, and takes what lies in `fresh` for one
//! block that is in use.

use core::alloc::Layout;
use core::ops::Range;
use core::ptr::NonNull;

use linked_list_allocator::Heap;
use linked_list_allocator::hole::HoleList;

/// Blocks of a larger alignment, in bytes, come from the list alone.
const MOST_ALIGN: usize = 64;

/// A heap, without its bounds and its mapping: those are the arena's.
pub(super) struct Small {
    list: Heap,
    fresh: Range<u64>,
}

impl Small {
    pub(super) const EMPTY: Self = Self {
        list: Heap::empty(),
        fresh: 0..0,
    };

    /// The same heap once more, for when its memory is made again what it is now. Only one of the two may
    /// be used.
    pub(super) fn duplicate(&self) -> Self {
        // SAFETY: the list is plain values and pointers into the heap's memory, none into itself; it owns
        // nothing that a destructor would release.
        unsafe { core::ptr::from_ref(self).read() }
    }

    /// Adds memory, which must follow what was added before.
    ///
    /// # Safety
    /// `range` must be mapped, whole pages, and nobody else's.
    pub(super) unsafe fn add(&mut self, range: Range<u64>) {
        let bytes = (range.end - range.start) as usize;
        if self.list.size() == 0 {
            // SAFETY: the memory is this heap's alone, as the caller promises.
            unsafe { self.list.init(range.start as *mut u8, bytes) };
        } else {
            // SAFETY: as above, and it follows what the heap has.
            unsafe { self.list.extend(bytes) };
        }
        self.refill(bytes);
    }

    /// Takes a whole hole of so many bytes out of the list, if there is one, to cut from while the last
    /// one is used up.
    fn refill(&mut self, bytes: usize) {
        let whole = Layout::from_size_align(bytes, 1).expect("an alignment of 1 fits any size");
        if self.fresh.is_empty()
            && let Ok(block) = self.list.allocate_first_fit(whole)
        {
            let start = block.as_ptr() as u64;
            self.fresh = start..start + bytes as u64;
        }
    }

    /// A block, or None if there is no room for it.
    pub(super) fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        self.cut(layout)
            .or_else(|| self.list.allocate_first_fit(layout).ok())
    }

    /// Cuts a block off what is fresh. Its size is one that the list can take back; what is skipped for its
    /// alignment is lost until the arena goes, and is less than [`MOST_ALIGN`].
    fn cut(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        if layout.align() > MOST_ALIGN {
            return None;
        }
        let size = HoleList::align_layout(layout).ok()?.size() as u64;
        let start = self.fresh.start.next_multiple_of(layout.align() as u64);
        let end = start + size;
        if end > self.fresh.end {
            return None;
        }
        self.fresh.start = end;
        NonNull::new(start as *mut u8)
    }

    /// Makes the block with this layout one of `new_size` bytes where it is, if it was the last to be cut off what is
    /// fresh and there is room: vectors grow so. False if not.
    pub(super) fn resize_last(
        &mut self,
        block: NonNull<u8>,
        layout: Layout,
        new_size: usize,
    ) -> bool {
        let start = block.as_ptr() as u64;
        let new_layout = Layout::from_size_align(new_size, layout.align());
        let (Ok(old), Ok(new)) = (
            HoleList::align_layout(layout),
            new_layout.and_then(HoleList::align_layout),
        ) else {
            return false;
        };
        let end = start + new.size() as u64;
        let is_last = start + old.size() as u64 == self.fresh.start;
        if is_last && end <= self.fresh.end {
            self.fresh.start = end;
            return true;
        }
        false
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// It must be from here, with this layout, and unused.
    pub(super) unsafe fn release(&mut self, block: NonNull<u8>, layout: Layout) {
        let start = block.as_ptr() as u64;
        let size = HoleList::align_layout(layout).map_or(0, |layout| layout.size() as u64);
        if start + size == self.fresh.start {
            self.fresh.start = start;
            return;
        }
        // SAFETY: what was cut off is a part of a block of the list, and as good as a block of its own, since
        // its size is one that the list would have given it.
        unsafe { self.list.deallocate(block, layout) };
    }
}
