//! The contents of scratch files, in blocks of one store.
//!
//! A file is a chain of blocks; those that nobody has are a chain, too. The store grows by many blocks
//! at a time, which an allocator can refuse, and goes whole.
//!
//! Invariant: a block is in exactly one chain. What lies behind the end of a file in its last block is
//! zero, so that it can grow by saying so.

use alloc::vec::Vec;

/// Bytes in a block.
pub(super) const BLOCK_BYTES: usize = 4096;
/// No block.
const NONE: u32 = u32::MAX;
/// By how many blocks the store grows: at least, and at most. As a range of an arena it needs so many. They are mapped
/// and zeroed at once, and nobody else runs meanwhile.
const GROWTH: (usize, usize) = (16, 32);
/// How many blocks are given up at once.
const GIVEN_UP: usize = 64;
/// How many blocks of a chain are passed before others may run.
const PASSED: u32 = 4096;

type Block = [u8; BLOCK_BYTES];

static ZERO: Block = [0; BLOCK_BYTES];

/// All blocks.
pub(super) struct Blocks {
    blocks: Vec<Block>,
    /// The block that follows each.
    next: Vec<u32>,
    /// The first block that nobody has.
    free: u32,
    /// How many blocks files have.
    taken: usize,
}

/// The blocks of one file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    first: u32,
    last: u32,
    length: u32,
    /// A place in the chain, and the block there: the last that was looked for. Files are read and
    /// written from one end to the other.
    known: (u32, u32),
}

impl Chain {
    pub(super) const fn new() -> Self {
        Self {
            first: NONE,
            last: NONE,
            length: 0,
            known: (0, NONE),
        }
    }

    /// How many blocks it has.
    pub(super) const fn length(&self) -> u32 {
        self.length
    }
}

impl Blocks {
    pub(super) const fn new() -> Self {
        Self {
            blocks: Vec::new(),
            next: Vec::new(),
            free: NONE,
            taken: 0,
        }
    }

    /// Gives up the memory of some blocks, if no file has any. False if there is none to give up.
    pub(super) fn give_up_some(&mut self) -> bool {
        let all = self.blocks.capacity();
        if self.taken > 0 || all == 0 {
            return false;
        }
        self.blocks.clear();
        self.next.clear();
        self.free = NONE;
        self.blocks.shrink_to(all.saturating_sub(GIVEN_UP));
        self.blocks.capacity() < all
    }

    /// Appends a block of zeroes to a chain. None without memory; then nothing has changed.
    pub(super) fn extend(&mut self, chain: &mut Chain) -> Option<()> {
        let block = self.take()?;
        self.taken += 1;
        match chain.last {
            NONE => chain.first = block,
            last => *self.next.get_mut(last as usize)? = block,
        }
        chain.last = block;
        chain.length += 1;
        Some(())
    }

    /// Takes away all blocks of a chain but the first `length`.
    pub(super) fn truncate(&mut self, chain: &mut Chain, length: u32) {
        if length >= chain.length {
            return;
        }
        let (end, chain_length) = (chain.last, chain.length);
        let rest = match length.checked_sub(1).map(|last| self.find(chain, last)) {
            Some(last) => {
                chain.last = last;
                self.link(last, NONE)
            }
            None => core::mem::replace(chain, Chain::new()).first,
        };
        self.taken -= (chain_length - length) as usize;
        chain.length = length;
        chain.known = (0, chain.first);
        self.give_back(rest, end);
    }

    /// The block at place `index` of a chain.
    pub(super) fn get(&self, chain: &mut Chain, index: u32) -> Option<&[u8]> {
        let block = self.find(chain, index);
        self.blocks.get(block as usize).map(|block| &block[..])
    }

    /// The block at place `index` of a chain, to be written.
    pub(super) fn get_mut(&mut self, chain: &mut Chain, index: u32) -> Option<&mut [u8]> {
        let block = self.find(chain, index);
        self.blocks
            .get_mut(block as usize)
            .map(|block| &mut block[..])
    }

    fn find(&self, chain: &mut Chain, index: u32) -> u32 {
        while !self.approach(chain, index) {}
        chain.known.1
    }

    /// Looks for the block at place `index` of a chain, and passes as many as may be passed at once. True if it was found,
    /// or there is none.
    pub(super) fn approach(&self, chain: &mut Chain, index: u32) -> bool {
        let (mut place, mut block) = chain.known;
        if block == NONE || index < place {
            (place, block) = (0, chain.first);
        }
        let end = index.min(place.saturating_add(PASSED));
        while place < end && block != NONE {
            block = self.after(block);
            place += 1;
        }
        chain.known = (place, block);
        place == index || block == NONE
    }

    fn after(&self, block: u32) -> u32 {
        self.next.get(block as usize).copied().unwrap_or(NONE)
    }

    /// Has `next` follow `block`, and returns what followed before.
    fn link(&mut self, block: u32, next: u32) -> u32 {
        let place = self.next.get_mut(block as usize);
        place.map_or(NONE, |place| core::mem::replace(place, next))
    }

    /// A block of zeroes that nobody has.
    fn take(&mut self) -> Option<u32> {
        if let Some(block) = self.blocks.get_mut(self.free as usize) {
            block.fill(0);
            let taken = self.free;
            self.free = self.link(taken, NONE);
            return Some(taken);
        }
        let number = u32::try_from(self.blocks.len()).ok()?;
        if self.blocks.len() == self.blocks.capacity() {
            let more = self.blocks.len().clamp(GROWTH.0, GROWTH.1);
            self.blocks.try_reserve_exact(more).ok()?;
        }
        self.next.try_reserve(1).ok()?;
        self.blocks.extend_from_slice(core::slice::from_ref(&ZERO));
        self.next.push(NONE);
        Some(number)
    }

    /// Takes back a chain that goes from `first` to `last`.
    fn give_back(&mut self, first: u32, last: u32) {
        if first != NONE {
            self.link(last, self.free);
            self.free = first;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain_of(blocks: &mut Blocks, count: u8, mark: u8) -> Chain {
        let mut chain = Chain::new();
        for index in 0..count {
            blocks.extend(&mut chain).unwrap();
            let block = blocks.get_mut(&mut chain, u32::from(index)).unwrap();
            assert!(block.iter().all(|byte| *byte == 0), "a new block is zero");
            block.fill(mark + index);
        }
        chain
    }

    fn marks(blocks: &Blocks, chain: &mut Chain) -> Vec<u8> {
        let each = 0..chain.length();
        each.map(|index| blocks.get(chain, index).unwrap()[4095])
            .collect()
    }

    #[test]
    fn memory_that_no_file_has_is_given_up_a_part_at_a_time() {
        let mut blocks = Blocks::new();
        let mut one = chain_of(&mut blocks, 200, 1);
        assert!(!blocks.give_up_some());
        blocks.truncate(&mut one, 1);
        assert!(!blocks.give_up_some());
        blocks.truncate(&mut one, 0);
        let before = blocks.blocks.capacity();
        assert!(blocks.give_up_some());
        assert!(blocks.blocks.capacity() >= before - GIVEN_UP);
        let mut two = chain_of(&mut blocks, 3, 20);
        assert_eq!(marks(&blocks, &mut two), [20, 21, 22]);
        blocks.truncate(&mut two, 0);
        while blocks.give_up_some() {}
        assert_eq!(blocks.blocks.capacity(), 0);
    }

    #[test]
    fn chains_do_not_share_blocks() {
        let mut blocks = Blocks::new();
        let mut one = chain_of(&mut blocks, 3, 10);
        let mut two = chain_of(&mut blocks, 3, 20);
        blocks.extend(&mut one).unwrap();
        assert_eq!(marks(&blocks, &mut one), [10, 11, 12, 0]);
        assert_eq!(marks(&blocks, &mut two), [20, 21, 22]);
    }

    #[test]
    fn blocks_that_are_given_back_are_used_again_and_zero() {
        let mut blocks = Blocks::new();
        let mut one = chain_of(&mut blocks, 5, 10);
        blocks.truncate(&mut one, 2);
        let mut two = chain_of(&mut blocks, 3, 20);
        assert_eq!(blocks.blocks.len(), 5);
        assert_eq!(marks(&blocks, &mut one), [10, 11]);
        blocks.truncate(&mut one, 0);
        assert!(blocks.get(&mut one, 0).is_none());
        chain_of(&mut blocks, 2, 30);
        assert_eq!(blocks.blocks.len(), 5);
        assert_eq!(marks(&blocks, &mut two), [20, 21, 22]);
    }

    #[test]
    fn a_block_is_found_before_and_behind_the_last_that_was_looked_for() {
        let mut blocks = Blocks::new();
        let mut chain = chain_of(&mut blocks, 9, 0);
        for index in [8, 3, 4, 0, 7] {
            assert_eq!(blocks.get(&mut chain, index).unwrap()[0], index as u8);
        }
        assert!(blocks.get(&mut chain, 9).is_none());
        assert_eq!(blocks.get(&mut chain, 2).unwrap()[0], 2);
    }
}
