//! Spans of address space whose frames go back a piece at a time, from their ends down.
//!
//! To unmap a page takes the processor some hundred nanoseconds, and a span may have a hundred thousand: done at
//! once, nobody would run meanwhile.

use core::ops::Range;

use crate::layout::PAGE_BYTES;

/// Spans that are still mapped, of at most `SLOTS` slots, each of which is in it at most once.
pub struct Returns<const SLOTS: usize> {
    waiting: [Span; SLOTS],
    count: usize,
    pages: u64,
}

#[derive(Clone, Copy)]
struct Span {
    slot: u32,
    /// How many pages from the slot's start on are mapped.
    pages: u32,
}

/// What is to be unmapped next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Whose slot it is in.
    pub slot: u32,
    /// Where, in bytes from the slot's start. If it begins at 0, nothing more of the slot is mapped.
    pub bytes: Range<u64>,
}

impl<const SLOTS: usize> Returns<SLOTS> {
    /// None yet.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            waiting: [Span { slot: 0, pages: 0 }; SLOTS],
            count: 0,
            pages: 0,
        }
    }

    /// The first `pages` pages of the slot are to go back.
    ///
    /// # Panics
    /// If there are none, or as many slots are in it as there are.
    pub fn push(&mut self, slot: u32, pages: u32) {
        assert!(pages > 0, "what is not mapped does not go back");
        self.waiting[self.count] = Span { slot, pages };
        self.count += 1;
        self.pages += u64::from(pages);
    }

    /// The next piece, which lies between two multiples of `most` pages. None if nothing waits.
    ///
    /// # Panics
    /// If `most` is 0.
    pub fn next_piece(&mut self, most: u32) -> Option<Piece> {
        let last = self.count.checked_sub(1)?;
        let span = &mut self.waiting[last];
        let end = span.pages;
        let start = (end - 1) / most * most;
        let slot = span.slot;
        span.pages = start;
        if start == 0 {
            self.count = last;
        }
        self.pages -= u64::from(end - start);
        let at = |page: u32| u64::from(page) * PAGE_BYTES;
        let bytes = at(start)..at(end);
        Some(Piece { slot, bytes })
    }

    /// How many pages wait.
    #[must_use]
    pub const fn pages(&self) -> u64 {
        self.pages
    }
}
