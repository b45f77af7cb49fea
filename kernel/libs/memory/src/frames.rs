//! Physical frames, one bit each, with two levels of summary above.
//!
//! A leaf word holds 64 frames (a set bit is a free frame), a summary word says which of 64 leaf
//! words have a free frame, a root word which of 64 summary words are not zero. 6 GiB are 1.5 M
//! frames, 24,576 leaf words, 384 summary words and 6 root words, so even the last free frame of a
//! full machine is found by looking at a handful of words. Most of the time not even that happens:
//! the leaf that was touched last usually has another free frame.
//!
//! The words belong to the caller, because the allocator comes up before any heap does.
//!
//! Invariant: a bit of a summary (or root) word is set exactly if the word it stands for is not
//! zero, and `free` is the number of set leaf bits.

use core::fmt;
use core::ops::Range;

const BITS: usize = u64::BITS as usize;

/// The free frames of the machine, by frame number.
pub struct FrameBitmap<'a> {
    leaves: &'a mut [u64],
    summaries: &'a mut [u64],
    roots: &'a mut [u64],
    /// The leaf to look into first: the one that was touched last.
    hint: usize,
    /// How many frames there are bits for.
    frames: usize,
    free: usize,
    total: usize,
}

/// The frame was given back without having been allocated: it is free already, or there is no
/// frame of that number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAllocated {
    /// The frame's number.
    pub frame: usize,
}

impl fmt::Display for NotAllocated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame {:#x} is not allocated", self.frame)
    }
}

impl core::error::Error for NotAllocated {}

impl<'a> FrameBitmap<'a> {
    /// How many words of storage [`Self::new`] wants for `frames` frames.
    #[must_use]
    pub const fn words_needed(frames: usize) -> usize {
        let leaves = frames.div_ceil(BITS);
        let summaries = leaves.div_ceil(BITS);
        leaves + summaries + summaries.div_ceil(BITS)
    }

    /// A bitmap of `frames` frames, all of them in use: [`Self::release_range`] frees what the
    /// memory map calls usable. What `storage` held does not matter.
    ///
    /// # Panics
    /// If `storage` has fewer words than [`Self::words_needed`] says.
    #[must_use]
    pub fn new(storage: &'a mut [u64], frames: usize) -> Self {
        let words = Self::words_needed(frames);
        assert!(storage.len() >= words, "too few words for the frame bitmap");
        let storage = &mut storage[..words];
        storage.fill(0);
        let leaf_count = frames.div_ceil(BITS);
        let (leaves, above) = storage.split_at_mut(leaf_count);
        let (summaries, roots) = above.split_at_mut(leaf_count.div_ceil(BITS));
        Self {
            leaves,
            summaries,
            roots,
            hint: 0,
            frames,
            free: 0,
            total: 0,
        }
    }

    /// How many frames are free.
    #[must_use]
    pub const fn free(&self) -> usize {
        self.free
    }

    /// How many frames [`Self::release_range`] has freed: those that the machine has for us. Holes
    /// of the memory map and what the firmware keeps are in use for ever, and not counted.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.total
    }

    /// Takes one frame, not necessarily the lowest. Its contents are whatever they were.
    pub fn allocate(&mut self) -> Option<usize> {
        let mut leaf = self.hint;
        let mut word = self.leaves.get(leaf).copied().unwrap_or(0);
        if word == 0 {
            leaf = self.any_leaf()?;
            self.hint = leaf;
            word = self.leaves[leaf];
        }
        let rest = word & (word - 1);
        self.leaves[leaf] = rest;
        if rest == 0 {
            self.note_empty(leaf);
        }
        self.free -= 1;
        Some(leaf * BITS + word.trailing_zeros() as usize)
    }

    /// Takes `count` neighbouring frames whose first has a number divisible by `align_frames`: the
    /// lowest that there are. Takes time in proportion to the machine's memory; it is meant for
    /// device queues and page-table roots, not for every request.
    ///
    /// # Panics
    /// If `count` is 0 or `align_frames` is not a power of two.
    pub fn allocate_contiguous(&mut self, count: usize, align_frames: usize) -> Option<usize> {
        assert!(count > 0, "a run of no frames");
        assert!(
            align_frames.is_power_of_two(),
            "the alignment must be a power of two"
        );
        let mut start = 0;
        loop {
            start = self
                .next_free(start)?
                .checked_next_multiple_of(align_frames)?;
            let end = start.checked_add(count).filter(|end| *end <= self.frames)?;
            match self.first_used(start..end) {
                Some(used) => start = used + 1,
                None => {
                    self.for_each_leaf(start..end, Self::take_bits);
                    return Some(start);
                }
            }
        }
    }

    /// Gives one frame back.
    ///
    /// # Errors
    /// [`NotAllocated`] if it is free already or does not exist; nothing has changed then.
    pub fn release(&mut self, frame: usize) -> Result<(), NotAllocated> {
        let (leaf, bit) = (frame / BITS, 1 << (frame % BITS));
        let known = frame < self.frames;
        let word = match self.leaves.get_mut(leaf) {
            Some(word) if known && *word & bit == 0 => word,
            _ => return Err(NotAllocated { frame }),
        };
        let before = *word;
        *word = before | bit;
        if before == 0 {
            self.note_filled(leaf);
        }
        self.hint = leaf;
        self.free += 1;
        Ok(())
    }

    /// Frees every frame of the range, as the memory map at boot says. Frames of it that are free
    /// already stay free, and the part beyond the last frame is ignored, because memory maps
    /// overlap themselves and speak of more than there is. Returns how many frames it freed.
    pub fn release_range(&mut self, frames: Range<usize>) -> usize {
        let before = self.free;
        let end = frames.end.min(self.frames);
        self.for_each_leaf(frames.start..end, Self::free_bits);
        let freed = self.free - before;
        self.total += freed;
        freed
    }

    /// Calls `change` with every leaf that the range touches and the bits of it that are meant.
    fn for_each_leaf(&mut self, frames: Range<usize>, change: fn(&mut Self, usize, u64)) {
        let mut start = frames.start;
        while start < frames.end {
            let (leaf, first) = (start / BITS, start % BITS);
            let count = (BITS - first).min(frames.end - start);
            change(self, leaf, (u64::MAX >> (BITS - count)) << first);
            start += count;
        }
    }

    fn free_bits(&mut self, leaf: usize, bits: u64) {
        let before = self.leaves[leaf];
        self.leaves[leaf] = before | bits;
        self.free += (bits & !before).count_ones() as usize;
        self.note_filled(leaf);
    }

    fn take_bits(&mut self, leaf: usize, bits: u64) {
        let before = self.leaves[leaf];
        self.leaves[leaf] = before & !bits;
        self.free -= (bits & before).count_ones() as usize;
        if before & !bits == 0 {
            self.note_empty(leaf);
        }
    }

    /// The leaf has become zero.
    fn note_empty(&mut self, leaf: usize) {
        let summary = leaf / BITS;
        self.summaries[summary] &= !(1 << (leaf % BITS));
        if self.summaries[summary] == 0 {
            self.roots[summary / BITS] &= !(1 << (summary % BITS));
        }
    }

    /// The leaf is not zero any more.
    fn note_filled(&mut self, leaf: usize) {
        let summary = leaf / BITS;
        self.summaries[summary] |= 1 << (leaf % BITS);
        self.roots[summary / BITS] |= 1 << (summary % BITS);
    }

    /// Some leaf with a free frame.
    fn any_leaf(&self) -> Option<usize> {
        let root = self.roots.iter().position(|word| *word != 0)?;
        let summary = root * BITS + self.roots[root].trailing_zeros() as usize;
        Some(summary * BITS + self.summaries[summary].trailing_zeros() as usize)
    }

    /// The first free frame from `start` on.
    fn next_free(&self, start: usize) -> Option<usize> {
        let leaf = start / BITS;
        let rest = self.leaves.get(leaf)? & (u64::MAX << (start % BITS));
        if rest != 0 {
            return Some(leaf * BITS + rest.trailing_zeros() as usize);
        }
        let leaf = next_set(self.summaries, leaf + 1)?;
        Some(leaf * BITS + self.leaves[leaf].trailing_zeros() as usize)
    }

    /// The first frame of the range that is in use.
    fn first_used(&self, frames: Range<usize>) -> Option<usize> {
        let mut start = frames.start;
        while start < frames.end {
            let used = !self.leaves[start / BITS] >> (start % BITS);
            let found = start + used.trailing_zeros() as usize;
            if used != 0 {
                return (found < frames.end).then_some(found);
            }
            start = (start / BITS + 1) * BITS;
        }
        None
    }
}

/// The first set bit of `words` from bit number `start` on.
fn next_set(words: &[u64], start: usize) -> Option<usize> {
    let mut index = start / BITS;
    let mut word = words.get(index)? & (u64::MAX << (start % BITS));
    while word == 0 {
        index += 1;
        word = *words.get(index)?;
    }
    Some(index * BITS + word.trailing_zeros() as usize)
}
