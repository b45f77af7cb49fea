//! Ranges of addresses that cannot wrap around.
//!
//! Physical and virtual ranges are different types, so that one cannot be handed over where the
//! other is meant. Holding a range means that its end is not below its start.

use core::fmt;
use core::marker::PhantomData;

/// The size of the smallest page, and of a page table.
pub const PAGE: u64 = 4096;

/// Marks addresses that the memory bus sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Physical {}

/// Marks addresses that the page tables translate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Virtual {}

/// A range of physical addresses.
pub type PhysRange = Range<Physical>;

/// A range of virtual addresses.
pub type VirtRange = Range<Virtual>;

/// Addresses from a start up to, not including, an end that is not below the start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Range<Space> {
    start: u64,
    end: u64,
    space: PhantomData<Space>,
}

impl<Space> Range<Space> {
    /// `len` bytes from `start`, unless the end does not fit an address.
    #[must_use]
    pub const fn new(start: u64, len: u64) -> Option<Self> {
        match start.checked_add(len) {
            Some(end) => Some(Self {
                start,
                end,
                space: PhantomData,
            }),
            None => None,
        }
    }

    /// From `start` up to `end`; empty if `end` is not above `start`.
    #[must_use]
    pub const fn between(start: u64, end: u64) -> Self {
        Self {
            start,
            end: if end < start { start } else { end },
            space: PhantomData,
        }
    }

    /// The first address.
    #[must_use]
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// The first address behind the range.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// How many bytes the range has.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.end - self.start
    }

    /// Whether the range has no byte.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether `address` lies in the range.
    #[must_use]
    pub const fn contains(&self, address: u64) -> bool {
        self.start <= address && address < self.end
    }

    /// Whether the two ranges share a byte.
    #[must_use]
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The whole pages inside the range.
    #[must_use]
    pub const fn pages_inside(&self) -> Self {
        match self.start.checked_next_multiple_of(PAGE) {
            Some(start) => Self::between(start, self.end & !(PAGE - 1)),
            None => Self::between(self.start, self.start),
        }
    }

    /// The pages that the range touches; none where the last of them has no end in 64 bits.
    #[must_use]
    pub const fn pages_around(&self) -> Option<Self> {
        match self.end.checked_next_multiple_of(PAGE) {
            Some(end) => Some(Self::between(self.start & !(PAGE - 1), end)),
            None => None,
        }
    }
}

impl<Space> fmt::Debug for Range<Space> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<Space> fmt::Display for Range<Space> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}..{:#x}", self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_would_wrap_around_does_not_exist() {
        assert_eq!(PhysRange::new(u64::MAX, 2), None);
        assert_eq!(PhysRange::new(u64::MAX, 0).map(|r| r.len()), Some(0));
    }

    #[test]
    fn pages_inside_shrink_and_pages_around_grow() {
        let range = PhysRange::between(0x1001, 0x4fff);
        assert_eq!(range.pages_inside(), PhysRange::between(0x2000, 0x4000));
        assert_eq!(
            range.pages_around(),
            Some(PhysRange::between(0x1000, 0x5000))
        );
        assert_eq!(PhysRange::between(1, u64::MAX).pages_around(), None);
        assert!(
            PhysRange::between(u64::MAX - 1, u64::MAX)
                .pages_inside()
                .is_empty()
        );
    }

    #[test]
    fn touching_ranges_do_not_overlap() {
        let low = PhysRange::between(0, 0x1000);
        assert!(!low.overlaps(&PhysRange::between(0x1000, 0x2000)));
        assert!(low.overlaps(&PhysRange::between(0xfff, 0x2000)));
        assert!(!low.overlaps(&PhysRange::between(0x800, 0x800)) || low.contains(0x800));
    }
}
