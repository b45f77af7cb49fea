//! Size classes: the front of the kernel's heap.
//!
//! A request of up to [`LARGEST`] bytes is rounded up to one of 14 sizes, each with a free list of
//! its own, so that allocation and release are a pop and a push. Larger ones, which are rare, go to
//! the list allocator behind it, whose operations take time in proportion to its free blocks.
//!
//! The sizes are the powers of two and what lies halfway between them, so that less than a third
//! of a block is wasted.
//!
//! Invariant: blocks of a class lie at multiples of its size from the start of a chunk that is
//! aligned to a page, so a block is aligned to the largest power of two that divides its size.

/// Larger requests have no class.
pub const LARGEST: usize = SIZES[Class::COUNT - 1];

/// Every class divides a chunk of this many bytes (three pages), so carving one wastes nothing.
pub const CHUNK_BYTES: usize = 3 * 4096;

/// The granule of the lookup table, and the alignment that every class has.
const GRANULE: usize = 16;

const SIZES: [usize; Class::COUNT] = [
    16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048,
];

/// For a size in granules, the smallest class that holds it.
const BY_GRANULES: [Class; LARGEST / GRANULE + 1] = smallest_classes();

/// A size class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class(u8);

impl Class {
    /// How many classes there are.
    pub const COUNT: usize = 14;

    /// Every class, smallest first.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT as u8).map(Self)
    }

    /// The class's number, from 0 to [`Self::COUNT`] - 1: an index into an array of free lists.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// How many bytes a block of the class has.
    #[must_use]
    pub const fn bytes(self) -> usize {
        SIZES[self.0 as usize]
    }

    /// The alignment in bytes that every block of the class has.
    #[must_use]
    pub const fn alignment(self) -> usize {
        1 << self.bytes().trailing_zeros()
    }
}

/// The smallest class whose blocks hold `size` bytes aligned to `align`, a power of two. None if
/// there is no such class: the request goes to the list allocator.
#[must_use]
pub const fn class_of(size: usize, align: usize) -> Option<Class> {
    let bytes = if size < align { align } else { size };
    if bytes > LARGEST {
        return None;
    }
    let class = BY_GRANULES[bytes.div_ceil(GRANULE)];
    if align <= class.alignment() {
        return Some(class);
    }
    // A halfway size is aligned to half of the power of two below it only. The next class is a
    // power of two, which is at least `bytes`, so at least `align`.
    Some(Class(class.0 + 1))
}

const fn smallest_classes() -> [Class; LARGEST / GRANULE + 1] {
    let mut table = [Class(0); LARGEST / GRANULE + 1];
    let mut class = 0;
    let mut granules = 0;
    while granules < table.len() {
        if SIZES[class as usize] < granules * GRANULE {
            class += 1;
        }
        table[granules] = Class(class);
        granules += 1;
    }
    table
}

const _: () = {
    let mut class = 0;
    while class < Class::COUNT {
        assert!(
            SIZES[class].is_multiple_of(GRANULE),
            "every block is aligned to a granule"
        );
        assert!(
            CHUNK_BYTES.is_multiple_of(SIZES[class]),
            "a chunk is carved without a remainder"
        );
        class += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    /// What the lookup must answer, by trying all classes in order.
    fn by_search(size: usize, align: usize) -> Option<Class> {
        Class::all().find(|class| class.bytes() >= size && class.bytes().is_multiple_of(align))
    }

    #[test]
    fn the_lookup_agrees_with_a_search_for_every_size_and_alignment() {
        for size in 0..=LARGEST + 64 {
            for shift in 0..14 {
                let align = 1 << shift;
                assert_eq!(
                    class_of(size, align),
                    by_search(size, align),
                    "{size} bytes, {align}"
                );
            }
        }
    }

    #[test]
    fn what_has_no_class_is_larger_or_more_aligned_than_the_largest() {
        assert_eq!(class_of(LARGEST + 1, 1), None);
        assert_eq!(class_of(1, 2 * LARGEST), None);
        assert_eq!(class_of(usize::MAX, 1), None);
    }

    #[test]
    fn less_than_half_of_a_block_is_wasted_above_the_smallest() {
        for size in GRANULE + 1..=LARGEST {
            let bytes = class_of(size, 1).map_or(0, Class::bytes);
            assert!(size <= bytes && bytes < 2 * size);
        }
    }

    #[test]
    fn indices_count_up_and_sizes_grow() {
        for (index, class) in Class::all().enumerate() {
            assert_eq!(class.index(), index);
            assert!(index == 0 || SIZES[index - 1] < class.bytes());
        }
    }
}
